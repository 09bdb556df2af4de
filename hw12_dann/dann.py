"""DANN: features by which classes can be told apart and domains cannot (Ganin et al. 2016, algorithm 1).

    min over extractor and predictor, max over discriminator:
    H(label, predictor(f)) on the source - lambda H(domain, discriminator(f)) on both,  f = extractor(x)

    images -> extractor -> features -> predictor -> which class?        of the source alone
                                  \\-> reversal -> discriminator -> which domain?  source 0, target 1

Each domain goes through the extractor by itself: batch normalisation takes its own mean and deviation.
Images of the target that have a pseudo-label are learnt as well, strongly augmented (FixMatch, Sohn et al.
2020). The labels come from a teacher, the moving average of the weights (Tarvainen and Valpola 2017).

The gradient reversal makes one pass and one optimiser of what would need alternating steps: what lies before
it climbs the very loss that what lies behind it descends (sections 4.2 and 5.2.2).
"""

import keras
from device import replicas
from keras import losses, ops

EMA_DECAY = 0.99  # of the teacher
STEEPNESS = 10.0  # gamma of the paper


@ops.custom_gradient
def reverse_gradient(features, strength):
    """The features as they are; backwards, -strength times the gradient.

    features : (n, d). strength : a tensor without dimensions, which may change from step to step.
    """

    def backward(*args, upstream=None):
        if upstream is None:  # TensorFlow and JAX give it by position, PyTorch by name
            (upstream,) = args
        return -ops.cast(strength, upstream.dtype) * upstream, ops.zeros_like(strength)

    return features, backward


def schedule(progress):
    """lambda at a progress of 0..1: from 0 to nearly 1, so that the classes are learnt first."""
    return 2 / (1 + ops.exp(-STEEPNESS * progress)) - 1


class DomainAdversary(keras.Model):
    """All three networks in one, for fit() with batches ((source, target, pseudo), labels): as many images of
    one domain as of the other, and one optimiser. pseudo: int (n,), the target's pseudo-labels, -1 for none.

    extractor : (n, ...) -> features (n, d)
    predictor : features -> logits (n, classes)
    discriminator : features -> logit (n, 1), of being target
    augmentation : has weak(images, generator) and strong(images, generator)
    steps : of the whole training, what progress is measured by
    strength : lambda, a number, or None for the schedule; at 0 the discriminator only watches

    use_pseudo_labels, an attribute: whether the step learns from them; compile() after it has changed.
    """

    def __init__(
        self,
        extractor,
        predictor,
        discriminator,
        augmentation,
        steps,
        strength=None,
        seed=0,
    ):
        super().__init__(dtype="float32", name="domain_adversary")  # pixels are not rounded to bfloat16
        self.extractor, self.predictor, self.discriminator = extractor, predictor, discriminator
        self.teacher = [keras.models.clone_model(part) for part in (extractor, predictor)]
        for copy, part in zip(self.teacher, (extractor, predictor)):
            copy.set_weights(part.get_weights())
            copy.trainable = False
        self.augmentation, self.steps, self.strength = augmentation, steps, strength
        self.use_pseudo_labels = False
        self.generator = keras.random.SeedGenerator(seed)
        self.step = self.add_weight((), "zeros", trainable=False, name="step")
        names = ["label_loss", "source_accuracy", "domain_loss", "domain_accuracy"]
        self.means = {name: keras.metrics.Mean(name=name) for name in [*names, "pseudo_loss"]}

    def call(self, inputs, training=False):
        """(source, target, pseudo), (n, ...) twice and (n,) -> logits (n, classes) of the source; of the
        strongly augmented target (n, classes), or None; and the domain logits (2 n, 1) of both."""
        source, target, _ = inputs
        augmented = [self.augmentation.weak(target, self.generator)]
        if self.use_pseudo_labels:
            augmented.append(self.augmentation.strong(target, self.generator))
        features = self.extractor(self.augmentation.weak(source, self.generator), training=training)
        others = self.extractor(ops.concatenate(augmented), training=training)  # (n or 2 n, d)
        weak, *strong = ops.split(others, len(augmented))
        both = ops.cast(ops.concatenate([features, weak]), "float32")
        if self.strength == 0:
            both = ops.stop_gradient(both)
        domains = self.discriminator(reverse_gradient(both, self.current_strength()), training=training)
        logits = self.predictor(features, training=training)
        return logits, self.predictor(strong[0], training=training) if strong else None, domains

    def current_strength(self):
        """lambda at this step."""
        if self.strength is None:
            return schedule(self.step / self.steps)
        return ops.convert_to_tensor(self.strength, "float32")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        logits, strong, domains = y_pred
        label_loss = ops.mean(losses.sparse_categorical_crossentropy(y, logits, from_logits=True))
        is_target = ops.repeat(ops.arange(2, dtype="float32"), ops.shape(y)[0])[:, None]  # (2 n, 1)
        domain_loss = ops.mean(losses.binary_crossentropy(is_target, domains, from_logits=True))
        found = {
            "label_loss": label_loss,
            "source_accuracy": ops.mean(ops.cast(ops.argmax(logits, -1), y.dtype) == y),
            "domain_loss": domain_loss,
            "domain_accuracy": ops.mean((domains > 0) == (is_target > 0)),
        }
        loss = label_loss + domain_loss
        if self.use_pseudo_labels:
            found["pseudo_loss"] = pseudo_loss(x[2], strong)
            loss = loss + found["pseudo_loss"]
        for name, value in found.items():
            self.means[name].update_state(value)
        self.update_teacher()
        self.step.assign_add(1.0)
        return loss / replicas()  # TensorFlow adds up the losses of the devices that share a batch

    def update_teacher(self):
        """The teacher's weights are the moving average of the student's; in the first steps their mean."""
        memory = ops.minimum(EMA_DECAY, self.step / (self.step + 1))
        for copy, part in zip(self.teacher, (self.extractor, self.predictor)):
            for kept, weight in zip(copy.weights, part.weights):
                kept.assign(memory * kept + (1 - memory) * weight)

    @property
    def metrics(self):
        return list(self.means.values())


def pseudo_loss(labels, logits):
    """The cross-entropy of logits (n, classes) with labels int (n,), the sum over those from 0 on, over n."""
    entropies = losses.sparse_categorical_crossentropy(ops.maximum(labels, 0), logits, from_logits=True)
    return ops.mean(ops.where(labels >= 0, entropies, 0.0))

"""DANN: features that tell the classes apart and not the domains (Ganin et al. 2016, algorithm 1).

    pictures -> extractor -> features -> predictor -> which class?        of the source alone
                                  \\-> reversal -> discriminator -> which domain?  source 0, target 1

On top of it, pseudo-labels: what the network is sure of in a target picture it must also say of a view that
is spoilt more (FixMatch, Sohn et al. 2020). Sure is what is at least as sure as the mean (FreeMatch, Wang et
al. 2023), and the guesses are divided by how often it guesses each class (distribution alignment, Berthelot
et al. 2020).
"""

import keras
from keras import losses, ops
from reversal import reverse_gradient, schedule

MEMORY = 0.97  # of the running means over the target


class DomainAdversary(keras.Model):
    """All three networks in one, for fit() with batches ((source, target), labels): as many of one as of the
    other, one forward pass, one optimiser.

    extractor : (n, ...) -> features (n, d)
    predictor : features -> logits (n, classes)
    discriminator : features -> logit (n, 1), of being target
    views : has weak(pictures, generator) and strong(pictures, generator), what training sees of a picture
    steps : of the whole training, what progress is measured by
    strength : lambda, a number, or None for the schedule; at 0 the discriminator only watches
    shares : (classes,), the source's classes, and with them: train on pseudo-labels too; None: do not
    """

    def __init__(
        self,
        extractor,
        predictor,
        discriminator,
        views,
        steps,
        strength=None,
        shares=None,
        seed=0,
    ):
        super().__init__(dtype="float32", name="domain_adversary")  # pixels are not rounded to bfloat16
        self.extractor, self.predictor, self.discriminator = extractor, predictor, discriminator
        self.views, self.steps, self.strength = views, steps, strength
        self.generator = keras.random.SeedGenerator(seed)
        self.step = self.add_weight((), "zeros", trainable=False, name="step")
        self.shares = shares
        if shares is not None:
            self.guessed = self.add_weight(
                shares.shape, lambda *_, **__: ops.convert_to_tensor(shares), trainable=False, name="guessed"
            )
            self.threshold = self.add_weight((), "zeros", trainable=False, name="threshold")
        names = ["label_loss", "source_accuracy", "domain_loss", "domain_accuracy"]
        names += ["pseudo_loss", "pseudo_share"] if shares is not None else []
        self.means = {name: keras.metrics.Mean(name=name) for name in names}

    def call(self, inputs, training=False):
        """(source, target), (n, ...) each -> a list of the logits (n, classes) of the source, the target and,
        with pseudo-labels, its strong view; and the domain logits (2 n, 1) of source and target."""
        source, target = inputs
        parts = [self.views.weak(source, self.generator), self.views.weak(target, self.generator)]
        if self.shares is not None:
            parts.append(self.views.strong(target, self.generator))
        features = self.extractor(ops.concatenate(parts), training=training)  # (2 n or 3 n, d)
        logits = ops.split(self.predictor(features, training=training), len(parts))
        both = features[: 2 * ops.shape(source)[0]]
        reversed_features = reverse_gradient(ops.cast(both, "float32"), self.current_strength())
        return logits, self.discriminator(reversed_features, training=training)

    def current_strength(self):
        """lambda at this step."""
        if self.strength is None:
            return schedule(self.step / self.steps)
        return ops.convert_to_tensor(self.strength, "float32")

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        (source, target, *strong), domains = y_pred
        label_loss = ops.mean(losses.sparse_categorical_crossentropy(y, source, from_logits=True))
        is_target = ops.repeat(ops.arange(2, dtype="float32"), ops.shape(y)[0])[:, None]  # (2 n, 1)
        domain_loss = ops.mean(losses.binary_crossentropy(is_target, domains, from_logits=True))
        found = {
            "label_loss": label_loss,
            "source_accuracy": ops.mean(ops.cast(ops.argmax(source, -1), y.dtype) == y),
            "domain_loss": domain_loss,
            "domain_accuracy": ops.mean((domains > 0) == (is_target > 0)),
        }
        loss = label_loss + domain_loss
        if strong:
            found["pseudo_loss"], found["pseudo_share"] = self.pseudo_loss(target, strong[0])
            loss = loss + schedule(self.step / self.steps) * found["pseudo_loss"]
        for name, value in found.items():
            self.means[name].update_state(value)
        self.step.assign_add(1.0)
        return loss

    def pseudo_loss(self, weak, strong):
        """Logits (n, classes) of two views of target pictures -> the second's cross-entropy with the labels
        that the first is surer of than the running mean, a mean over all n, and the share of those."""
        guesses = ops.stop_gradient(ops.softmax(weak))
        self.guessed.assign(MEMORY * self.guessed + (1 - MEMORY) * ops.mean(guesses, axis=0))
        guesses = guesses * ops.convert_to_tensor(self.shares) / self.guessed
        guesses = guesses / ops.sum(guesses, axis=-1, keepdims=True)
        confidence = ops.max(guesses, axis=-1)  # (n,)
        self.threshold.assign(MEMORY * self.threshold + (1 - MEMORY) * ops.mean(confidence))
        sure = ops.cast(confidence >= self.threshold, "float32")
        entropies = losses.sparse_categorical_crossentropy(ops.argmax(guesses, -1), strong, from_logits=True)
        return ops.mean(sure * entropies), ops.mean(sure)

    @property
    def metrics(self):
        return list(self.means.values())

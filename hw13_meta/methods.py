"""The methods of --method: what each descends, as one compiled update."""

from dataclasses import dataclass

import keras
import tensorflow as tf
from maml import query_loss, reptile_direction, spread

REPTILE_BATCH = 10  # points or drawings of an inner step; it sees others in the next

WORTH_TRACING, WORTH_COMPILING = 20, 300  # uses; XLA takes up to half a minute, then a quarter of the time


@dataclass(frozen=True)
class Method:
    """How one learns to learn."""

    second_order: bool = True  # differentiates through the inner gradients
    head_only: bool = False  # a task adapts the head alone
    learnt_rates: bool = False  # each single weight has an inner rate, which is learnt too
    episodic: bool = True  # learns from tasks at all


METHODS = {
    "maml": Method(),
    "meta-sgd": Method(learnt_rates=True),
    "fomaml": Method(second_order=False),
    "anil": Method(head_only=True),
    "reptile": Method(second_order=False),
    "pretrain": Method(episodic=False),
}


def worth_compiling(function, uses, xla=True):
    """The function as it is, as a graph, or compiled by XLA: what is quickest for so many uses."""
    if uses < WORTH_TRACING:
        return function
    return tf.function(function, autograph=False, jit_compile=xla and uses >= WORTH_COMPILING)


def loss_of(learner):
    """The learner's loss as a function of weights: (weights, x, y) -> (T,), the mean over a task's items."""

    def squared_error(weights, x, y):
        return tf.reduce_mean(tf.square(learner.forward(weights, x) - y), axis=(1, 2))

    def cross_entropy(weights, x, y):
        logits = learner.forward(weights, x)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits), axis=1)

    return squared_error if learner.task == "sine" else cross_entropy


class Trainer:
    """Descends by Adam. `update(batch)` is a compiled step and returns the loss.

    inner_steps: of a task; iterations: how long the learning rate takes to fall to 0; classes: characters to
    learn from, which ordinary training tells from each other with a head of its own. The head that omniglot's
    tasks begin with stays 0.
    """

    def __init__(self, learner, name, inner_steps, iterations, learning_rate, classes=0):
        self.learner, self.name, self.method = learner, name, METHODS[name]
        self.inner_steps, self.loss = inner_steps, loss_of(learner)
        self.start = list(learner.start)
        self.learnt = len(self.start)  # so many of them, from the first
        if learner.task == "omniglot" and self.method.episodic:
            self.learnt -= 2
        elif learner.task == "omniglot":
            features = learner.start[-2].shape[0]
            self.start[-2:] = [keras.Variable(tf.zeros(shape)) for shape in ((features, classes), (classes,))]
        self.weights = self.start[: self.learnt]
        if self.method.learnt_rates:
            self.weights += learner.factors
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, iterations)
        )
        self.optimizer.build(self.weights)
        self.variables = [*self.weights, *self.optimizer.variables]
        self.update = worth_compiling(self.step, iterations)

    def step(self, batch):
        start = [tf.convert_to_tensor(weight) for weight in self.start]
        factors = [tf.convert_to_tensor(factor) for factor in self.learner.factors]
        descend = self.reptile if self.name == "reptile" else self.descend
        loss, gradients = descend(start, factors, batch)
        self.optimizer.apply(gradients, self.weights)
        return loss

    def descend(self, start, factors, batch):
        """The loss of a batch of tasks, and its gradients."""
        known = [*start[: self.learnt], *(factors if self.method.learnt_rates else [])]
        with tf.GradientTape() as tape:
            tape.watch(known)
            if self.method.episodic:
                rates = self.learner.rates(factors)
                order = (self.learner.moving, self.method.second_order)
                loss = query_loss(self.loss, start, rates, batch, self.inner_steps, *order)
            else:  # no task has weights of its own
                tasks = spread(start, batch.query_x.shape[0])
                loss = tf.reduce_mean(self.loss(tasks, batch.query_x, batch.query_y))
        return loss, tape.gradient(loss, known, unconnected_gradients="zero")

    def reptile(self, start, factors, batch):
        """The loss before adaptation, and the direction that Reptile takes for a gradient.

        Support and queries are one set here, of which each inner step sees another part.
        """
        x = tf.concat([batch.support_x, batch.query_x], axis=1)
        y = tf.concat([batch.support_y, batch.query_y], axis=1)
        size = min(REPTILE_BATCH, x.shape[1])
        firsts = [step % (x.shape[1] // size) * size for step in range(self.inner_steps)]
        batches = [(x[:, first : first + size], y[:, first : first + size]) for first in firsts]
        before = tf.reduce_mean(self.loss(spread(start, x.shape[0]), *batches[0]))
        direction = reptile_direction(self.loss, start, self.learner.rates(factors), batches)
        return before, direction[: self.learnt]

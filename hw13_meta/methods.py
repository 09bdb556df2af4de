"""The methods of --method: what each descends, as one compiled update.

Trainer.update(batch)            a compiled Trainer.step: the optimiser's outer step
    gradients(start, factors, batch) the loss and its gradients with respect to the initial weights
        query_loss                       of maml.py: adapt to the supports, then the queries' loss
            adapt, inner_step                the inner steps, through which the tape differentiates
    reptile(start, factors, batch)   the same for Reptile, which has no outer gradient
"""

from dataclasses import dataclass

import keras
import tensorflow as tf
from maml import query_loss, replicate, reptile_direction

REPTILE_BATCH = 10  # points or drawings of an inner step; it sees others in the next

WORTH_TRACING, WORTH_COMPILING = 20, 300  # uses; XLA takes up to half a minute, then a quarter of the time


@dataclass(frozen=True)
class Method:
    """What a method does otherwise than MAML."""

    second_order: bool = True  # differentiates through the inner gradients
    adapts: str = "all"  # what a task adapts: "all", "head" or "nothing"
    prototypes: bool = False  # omniglot's head begins as the classes' means, not as zeros
    learnt_rates: bool = False  # each single weight has an inner rate, which is learnt too
    episodic: bool = True  # learns from tasks at all


METHODS = {
    "maml": Method(),
    "proto-maml": Method(prototypes=True),
    "meta-sgd": Method(learnt_rates=True),
    "fomaml": Method(second_order=False),
    "anil": Method(adapts="head"),
    "reptile": Method(second_order=False),
    "protonet": Method(adapts="nothing", prototypes=True),
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

    inner_steps: of a task; iterations: how long the learning rate takes to fall to 0; ways: classes of a
    task; classes: characters to learn from, which ordinary training tells from each other with a head of its
    own.
    """

    def __init__(self, learner, name, inner_steps, iterations, learning_rate, ways, classes=0):
        self.learner, self.method, self.ways = learner, METHODS[name], ways
        self.inner_steps, self.loss = inner_steps, loss_of(learner)
        self.descend = self.reptile if name == "reptile" else self.gradients
        self.weights = list(learner.start)
        if learner.task == "omniglot" and not self.method.episodic:
            head = [(learner.width, classes), (classes,)]
            self.weights += [keras.Variable(tf.zeros(shape)) for shape in head]
        self.learnt = [*self.weights, *(learner.factors if self.method.learnt_rates else [])]
        self.optimizer = keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, iterations)
        )
        self.optimizer.build(self.learnt)
        self.variables = [*self.learnt, *self.optimizer.variables]
        self.update = worth_compiling(self.step, iterations)

    def step(self, batch):
        start = [tf.convert_to_tensor(weight) for weight in self.weights]
        factors = [tf.convert_to_tensor(factor) for factor in self.learner.factors]
        loss, gradients = self.descend(start, factors, batch)
        self.optimizer.apply(gradients, self.learnt)
        return loss

    def begin(self, start, batch):
        return self.learner.initial(start, batch.support_x, batch.support_y, self.ways)

    def gradients(self, start, factors, batch):
        """The loss of a batch of tasks, and its gradients."""
        variables = [*start, *(factors if self.method.learnt_rates else [])]
        with tf.GradientTape() as tape:
            tape.watch(variables)
            if self.method.episodic:
                begin, rates = self.begin(start, batch), self.learner.rates(factors)
                order = (self.learner.adapted, self.method.second_order)
                loss = query_loss(self.loss, begin, rates, batch, self.inner_steps, *order)
            else:  # no task has weights of its own
                tasks = replicate(start, batch.query_x.shape[0])
                loss = tf.reduce_mean(self.loss(tasks, batch.query_x, batch.query_y))
        return loss, tape.gradient(loss, variables, unconnected_gradients="zero")

    def reptile(self, start, factors, batch):
        """The loss before adaptation, and the direction that Reptile takes for a gradient.

        Support and queries are one set here, of which each inner step sees another part.
        """
        x = tf.concat([batch.support_x, batch.query_x], axis=1)
        y = tf.concat([batch.support_y, batch.query_y], axis=1)
        size = min(REPTILE_BATCH, x.shape[1])
        firsts = [step % (x.shape[1] // size) * size for step in range(self.inner_steps)]
        batches = [(x[:, first : first + size], y[:, first : first + size]) for first in firsts]
        begin, rates = self.begin(start, batch), self.learner.rates(factors)
        before = tf.reduce_mean(self.loss(begin, *batches[0]))
        direction = reptile_direction(self.loss, begin, rates, batches)
        return before, direction[: len(start)]

"""The idea: weights from which a few steps of descent on a few examples lead far.

A task's loss is a function of weights, loss(weights, x, y) -> (T,), and all T tasks of a batch step at once:
each weight has the task first, so the gradient of the sum of losses holds every task's own gradient. A step
returns new weights and changes none, so it can be differentiated through: that is the second-order part.

Finn, Abbeel, Levine 2017 (MAML, FOMAML); Nichol, Achiam, Schulman 2018 (Reptile); Raghu et al. 2020 (ANIL);
Li, Zhou, Chen, Li 2017 (Meta-SGD: learnt rates).
"""

import tensorflow as tf


def spread(weights, tasks):
    """The same weights for every task: shapes (...) -> (T, ...)."""
    return [tf.repeat(weight[None], tasks, axis=0) for weight in weights]


def inner_step(loss, weights, rates, x, y, moving, second_order):
    """A step of descent of all tasks: weights (T, ...), a rate for each -> new weights (T, ...).

    Only the weights at the places in `moving` move. Without second_order the gradient counts as a constant
    when the step itself is differentiated, as if another beginning would have had the same slope.
    """
    free = [weights[index] for index in moving]
    with tf.GradientTape() as tape:
        tape.watch(free)
        value = loss([*weights], x, y)  # (T,); its sum's gradient is each task's own
    stepped = list(weights)
    for index, gradient in zip(moving, tape.gradient(value, free)):
        if not second_order:
            gradient = tf.stop_gradient(gradient)
        stepped[index] = weights[index] - rates[index] * gradient
    return stepped


def adapt(loss, weights, rates, batches, moving, second_order=False):
    """A step for each (x, y) of batches. Returns the weights after 0, 1, 2, ... steps."""
    path = [weights]
    for x, y in batches:
        path.append(inner_step(loss, path[-1], rates, x, y, moving, second_order))
    return path


def query_loss(loss, start, rates, batch, steps, moving, second_order):
    """The queries' loss after so many steps on the support, mean over the tasks: what MAML descends."""
    tasks, support = batch.support_x.shape[0], (batch.support_x, batch.support_y)
    path = adapt(loss, spread(start, tasks), rates, [support] * steps, moving, second_order)
    return tf.reduce_mean(loss(path[-1], batch.query_x, batch.query_y))


def reptile_direction(loss, start, rates, batches):
    """What Reptile descends: the beginning minus where the tasks ended, mean over the tasks."""
    path = adapt(
        loss, spread(start, batches[0][0].shape[0]), rates, batches, range(len(start)), second_order=False
    )
    return [tf.reduce_mean(begin - end, axis=0) for begin, end in zip(path[0], path[-1])]

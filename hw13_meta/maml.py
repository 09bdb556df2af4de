"""Model-agnostic meta-learning: initial weights theta from which a few gradient steps on a task suffice.

    inner step    theta' = theta - alpha grad L_S(theta)          on the task's support set S
    outer step    theta <- Adam(theta, grad mean L_Q(theta'))     on the query sets Q, with respect to theta

A task's loss is a function of weights, loss(weights, x, y) -> (T,), and all T tasks of a batch step at once:
each weight has the task first, so the gradient of the sum of losses holds every task's own gradient. A step
returns new weights and changes none, so it can be differentiated through: that is the second-order part.

Finn, Abbeel, Levine 2017 (MAML, FOMAML); Nichol, Achiam, Schulman 2018 (Reptile); Raghu et al. 2020 (ANIL);
Li, Zhou, Chen, Li 2017 (Meta-SGD: learnt rates); Triantafillou et al. 2020 (Proto-MAML: a head that begins as
the classes' prototypes).
"""

import tensorflow as tf


def replicate(weights, tasks):
    """The same weights for every task: shapes (...) -> (T, ...)."""
    return [tf.repeat(weight[None], tasks, axis=0) for weight in weights]


def inner_step(loss, weights, rates, x, y, adapted, second_order):
    """A step of descent of all tasks: weights (T, ...), a rate for each -> new weights (T, ...).

    Only the weights at the indices `adapted` change. Without second_order the gradient counts as a constant
    when the step itself is differentiated: FOMAML's approximation, without the second derivative of L_S.
    """
    variables = [weights[index] for index in adapted]
    with tf.GradientTape() as tape:
        tape.watch(variables)
        value = loss([*weights], x, y)  # (T,); its sum's gradient is each task's own
    stepped = list(weights)
    for index, gradient in zip(adapted, tape.gradient(value, variables)):
        if not second_order:
            gradient = tf.stop_gradient(gradient)
        stepped[index] = weights[index] - rates[index] * gradient
    return stepped


def adapt(loss, weights, rates, batches, adapted, second_order=False):
    """A step for each (x, y) of batches. Returns the weights after 0, 1, 2, ... steps."""
    path = [weights]
    for x, y in batches:
        path.append(inner_step(loss, path[-1], rates, x, y, adapted, second_order))
    return path


def query_loss(loss, begin, rates, batch, steps, adapted, second_order):
    """L_Q(theta'), the queries' loss after so many steps on the support, mean over the tasks.

    begin: theta of each task (T, ...).
    """
    support = (batch.support_x, batch.support_y)
    path = adapt(loss, begin, rates, [support] * steps, adapted, second_order)
    return tf.reduce_mean(loss(path[-1], batch.query_x, batch.query_y))


def reptile_direction(loss, begin, rates, batches):
    """What Reptile descends: theta - theta', the mean over the tasks. begin: theta of each task (T, ...)."""
    path = adapt(loss, begin, rates, batches, range(len(begin)), second_order=False)
    return [tf.reduce_mean(begin - end, axis=0) for begin, end in zip(path[0], path[-1])]

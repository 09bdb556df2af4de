r"""The heart of the homework: what a step of gradient descent is, and two ways to take many of them.

The loss of a batch of n rows is the mean of rho(r), r = prediction - target, plus an L2 penalty:

    L(w, b) = 1/n sum_i rho(r_i) + l2/2 |w|^2        r_i = w.x_i + b - y_i
    dL/dw   = 1/n sum_i rho'(r_i) x_i + l2 w         dL/db = 1/n sum_i rho'(r_i)

    squared error   rho(r) = r^2 / 2                                  rho'(r) = r
    Huber           rho(r) = r^2 / 2                where |r| <= d    rho'(r) = r
                             d (|r| - d / 2)        beyond            rho'(r) = d sign(r)

So a loss enters a gradient by its derivative alone. Parameters and gradients are dicts of arrays with the
same keys.

Follows the lecture slides "Regression" and "Gradient Descent" of ML 2020 Spring; Adagrad: Duchi et al. 2011;
Huber's loss: Huber 1964; averaging of the iterates: Polyak and Juditsky 1992.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DELTA = 5.0  # ug/m3: from here on Huber's loss is a straight line


class Loss(NamedTuple):
    """A loss of one residual, rho, and its derivative: both take and return arrays of any shape."""

    rho: Callable
    derivative: Callable


def huber(residual):
    """residual^2 / 2 up to DELTA, a straight line beyond: an outlier pulls with a constant force."""
    size = np.abs(residual)
    return np.where(size <= DELTA, residual**2 / 2, DELTA * (size - DELTA / 2))


SQUARED = Loss(lambda residual: residual**2 / 2, lambda residual: residual)
HUBER = Loss(huber, lambda residual: np.clip(residual, -DELTA, DELTA))


def linear(parameters, x):
    """x (n, d) -> w.x + b, (n,)."""
    return x @ parameters["weights"] + parameters["bias"]


def linear_gradient(parameters, x, y, loss, l2):
    """Gradient of the loss of linear() on a batch x (n, d), y (n,)."""
    pull = loss.derivative(linear(parameters, x) - y) / len(y)  # (n,): rho'(r_i) / n
    return {"weights": x.T @ pull + l2 * parameters["weights"], "bias": pull.sum()}


def bilinear(parameters, x):
    """x (n, items, hours) -> w1' x w2 + b, (n,): w1 weighs the items, w2 the hours."""
    return (x @ parameters["hour_weights"]) @ parameters["item_weights"] + parameters["bias"]


def bilinear_gradient(parameters, x, y, loss, l2):
    """Gradient of the loss of bilinear() on a batch x (n, items, hours), y (n,)."""
    items, hours = parameters["item_weights"], parameters["hour_weights"]
    pull = loss.derivative(bilinear(parameters, x) - y) / len(y)
    return {
        "item_weights": (x @ hours).T @ pull + l2 * items,
        "hour_weights": (items @ x).T @ pull + l2 * hours,
        "bias": pull.sum(),
    }


class Momentum:
    """Stochastic gradient descent; each step keeps `momentum` of the last one (0: plain descent).

    v <- momentum v - rate g;  w <- w + v
    """

    def __init__(self, learning_rate, momentum=0.0):
        self.learning_rate, self.momentum, self.velocity = learning_rate, momentum, {}

    def step(self, parameters, gradient):
        for name, partial in gradient.items():
            kept = self.momentum * self.velocity.get(name, 0.0)
            self.velocity[name] = kept - self.learning_rate * partial
            parameters[name] = parameters[name] + self.velocity[name]


class Adagrad:
    """Divide each parameter's step by the root of the sum of its squared partial derivatives so far.

    s <- s + g^2;  w <- w - rate g / sqrt(s)
    """

    def __init__(self, learning_rate):
        self.learning_rate, self.squares = learning_rate, {}

    def step(self, parameters, gradient):
        for name, partial in gradient.items():
            self.squares[name] = self.squares.get(name, 1e-10) + partial**2
            parameters[name] = parameters[name] - self.learning_rate * partial / np.sqrt(self.squares[name])


def minimise(
    gradient,
    parameters,
    x,
    y,
    *,
    rule,
    epochs,
    batch_size,
    rng,
    average=False,
    after_epoch=lambda found: None,
):
    """Descend, and return the last parameters or, with `average`, the mean over the steps of the second half,
    where a constant learning rate circles around the minimum.

    gradient(parameters, x, y) -> gradient; rule.step(parameters, gradient) changes parameters; rng shuffles
    the rows before each epoch; after_epoch(parameters) is called with what would be returned if the descent
    ended there.
    """
    parameters, total, steps = dict(parameters), {}, 0
    for epoch in range(epochs):
        order = rng.permutation(len(y))
        for start in range(0, len(y), batch_size):
            batch = order[start : start + batch_size] if batch_size < len(y) else slice(None)  # all: no copy
            rule.step(parameters, gradient(parameters, x[batch], y[batch]))
            if average and epoch >= epochs // 2:
                total = {name: total.get(name, 0.0) + value for name, value in parameters.items()}
                steps += 1
        result = {name: value / steps for name, value in total.items()} if steps else dict(parameters)
        after_epoch(result)
    return result

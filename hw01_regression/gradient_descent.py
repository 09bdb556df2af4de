"""The heart of the homework: what a step downhill is, and four ways to take many of them.

A loss is the mean over a batch of rho(residual), residual = prediction - target, plus l2 / 2 * |weights|^2.
Its gradient needs only rho's slope, so that squared error and Huber's loss share every other line. Parameters
and gradients are dicts of arrays with the same keys.

Follows the lecture slides "Regression" and "Gradient Descent" of ML 2020 Spring; Adagrad: Duchi et al. 2011;
Huber's loss: Huber 1964; averaging of the iterates: Polyak and Juditsky 1992.
"""

import numpy as np


def squared_slope(residual):
    """Slope of residual^2 / 2."""
    return residual


def huber_slope(residual, delta=5.0):
    """Slope of Huber's loss: of residual^2 / 2 within +-delta (ug/m3), constant beyond, where faults live."""
    return np.clip(residual, -delta, delta)


def linear(parameters, x):
    """x (n, d) -> w.x + b, (n,)."""
    return x @ parameters["weights"] + parameters["bias"]


def linear_gradient(parameters, x, y, slope, l2):
    """Gradient of the loss of linear() on a batch x (n, d), y (n,)."""
    push = slope(linear(parameters, x) - y) / len(y)  # (n,): how each row pulls on its prediction
    return {"weights": x.T @ push + l2 * parameters["weights"], "bias": push.sum()}


def bilinear(parameters, x):
    """x (n, items, hours) -> w1' x w2 + b, (n,): w1 weighs the items, w2 the hours."""
    return (x @ parameters["hour_weights"]) @ parameters["item_weights"] + parameters["bias"]


def bilinear_gradient(parameters, x, y, slope, l2):
    """Gradient of the loss of bilinear() on a batch x (n, items, hours), y (n,)."""
    items, hours = parameters["item_weights"], parameters["hour_weights"]
    push = slope(bilinear(parameters, x) - y) / len(y)
    return {
        "item_weights": (x @ hours).T @ push + l2 * items,
        "hour_weights": (items @ x).T @ push + l2 * hours,
        "bias": push.sum(),
    }


class Momentum:
    """Stochastic gradient descent; each step keeps `momentum` of the last one (0: plain descent)."""

    def __init__(self, learning_rate, momentum=0.0):
        self.learning_rate, self.momentum, self.velocity = learning_rate, momentum, {}

    def step(self, parameters, gradient):
        for name, slope in gradient.items():
            kept = self.momentum * self.velocity.get(name, 0.0)
            self.velocity[name] = kept - self.learning_rate * slope
            parameters[name] = parameters[name] + self.velocity[name]


class Adagrad:
    """Divide each parameter's step by the root of the sum of its squared gradients so far."""

    def __init__(self, learning_rate):
        self.learning_rate, self.squares = learning_rate, {}

    def step(self, parameters, gradient):
        for name, slope in gradient.items():
            self.squares[name] = self.squares.get(name, 1e-10) + slope**2
            parameters[name] = parameters[name] - self.learning_rate * slope / np.sqrt(self.squares[name])


def minimise(gradient, parameters, x, y, rule, epochs, batch_size, rng, average=False, after_epoch=None):
    """Walk downhill and return where the walk ended: the last parameters or, with `average`, the mean over
    the steps of its second half, where a constant learning rate circles around the minimum.

    gradient(parameters, x, y) -> gradient; rule.step(parameters, gradient) changes parameters; rng shuffles
    the rows before each epoch; after_epoch(parameters) is called with what would be returned if the walk
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
        if after_epoch:
            after_epoch(result)
    return result

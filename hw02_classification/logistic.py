"""A discriminative model of two classes: logistic regression by mini-batch gradient descent, in NumPy.

log-odds = w.x + b. The loss is the mean cross-entropy plus l2 / 2 * |w|^2.

Follows the lecture slides "Logistic Regression" of ML 2020 Spring; averaging of the iterates: Polyak and
Juditsky 1992.
"""

import numpy as np

MOMENTUM = 0.9


def sigmoid(z):
    """1 / (1 + e^-z), without overflow on either side."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def cross_entropy(log_odds, y):
    """Mean of -log p(y), from log-odds (n,) and y (n,), without overflow."""
    return float(np.mean(np.logaddexp(0, log_odds) - y * log_odds))


def gradient(weights, bias, x, y, l2):
    """Gradient of the loss on a batch x (n, d), y (n,): with respect to the weights (d,) and to the bias."""
    residual = (sigmoid(x @ weights + bias) - y) / len(y)  # (n,), with respect to the log-odds
    return x.T @ residual + l2 * weights, residual.sum()


def fit_logistic(x, y, epochs, batch_size, learning_rate, l2=0.0, seed=0, after_epoch=None):
    """Gradient descent with momentum; return the mean of the parameters over the second half of the epochs.

    x float32 (n, d) standardised, y (n,) of 0 and 1 -> {"weights": (d,), "bias": ()}. The bias starts at the
    log-odds of the class shares. after_epoch(parameters) is called with what would be returned if the descent
    ended there.
    """
    rng = np.random.default_rng(seed)
    y = y.astype(x.dtype)
    share = y.mean()
    weights, bias = np.zeros(x.shape[1], x.dtype), np.log(share / (1 - share))
    velocity, bias_velocity = np.zeros_like(weights), np.zeros_like(bias)
    weights_sum, bias_sum, steps = np.zeros(x.shape[1]), 0.0, 0
    for epoch in range(epochs):
        order = rng.permutation(len(y))
        for start in range(0, len(y), batch_size):
            batch = order[start : start + batch_size]
            weight_gradient, bias_gradient = gradient(weights, bias, x[batch], y[batch], l2)
            velocity = MOMENTUM * velocity - learning_rate * weight_gradient
            bias_velocity = MOMENTUM * bias_velocity - learning_rate * bias_gradient
            weights, bias = weights + velocity, bias + bias_velocity
            if epoch >= epochs // 2:
                weights_sum, bias_sum, steps = weights_sum + weights, bias_sum + bias, steps + 1
        ended = {"weights": weights, "bias": bias}
        if steps:
            ended = {"weights": weights_sum / steps, "bias": bias_sum / steps}
        if after_epoch:
            after_epoch(ended)
    return ended

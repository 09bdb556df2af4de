"""A generative model of two classes: how each class makes its points, turned round by Bayes' rule.

Each class k is a Gaussian with mean mu_k and a prior, its share of the rows. With one covariance for both the
log-odds of class 1 are linear in x, with a covariance each they are quadratic. Both are closed forms.

A covariance of d columns has d (d + 1) / 2 numbers, and n rows cannot tell them all when n is small; one-hot
columns that sum to one leave it singular however many rows there are. So it is estimated as if we had seen,
beside the n rows, `prior_rows` more in which the columns vary as much as they do but are uncorrelated: many
rows drown them.

Follows the lecture slides "Classification: Probabilistic Generative Model" of ML 2020 Spring; shrinkage
towards the diagonal: Friedman 1989, Schaefer and Strimmer 2005.
"""

import numpy as np

FLOOR = 0.3  # of a column's deviation over all rows: a class in which it never varies is not as sure as that


def fit_shared(x, y, prior_rows=None):
    """Two Gaussians with one covariance: log-odds = w.x + b.

    x (n, d), y (n,) of 0 and 1 -> {"weights": (d,), "bias": ()} in float64. prior_rows: d unless given; with
    0 this is linear discriminant analysis, and what is singular stays so and carries no weight
    (pseudo-inverse).
    """
    x = x.astype(np.float64)
    (mean_0, mean_1), prior = class_means(x, y), y.mean()
    within = x - np.where(y[:, None] == 1, mean_1, mean_0)
    deviation, correlation = deviation_and_correlation(within, 1e-6, prior_rows)
    inverse = np.linalg.pinv(correlation, rcond=1e-6, hermitian=True)
    weights = inverse @ ((mean_1 - mean_0) / deviation) / deviation
    bias = -weights @ (mean_0 + mean_1) / 2 + np.log(prior / (1 - prior))
    return {"weights": weights, "bias": bias}


def fit_separate(x, y, prior_rows=None):
    """A Gaussian with a covariance of its own for each class: log-odds = x'Qx + w.x + b.

    x (n, d), y (n,) of 0 and 1 -> {"quadratic": (d, d), "weights": (d,), "bias": ()} in float64. A column's
    deviation in a class is at least FLOOR times its deviation over all rows.
    """
    x = x.astype(np.float64)
    parameters = {"quadratic": 0.0, "weights": 0.0, "bias": 0.0}
    for label, mean, sign in zip((0, 1), class_means(x, y), (-1, 1)):
        rows = x[y == label]
        deviation, correlation = deviation_and_correlation(
            rows - mean, np.maximum(FLOOR * x.std(axis=0), 1e-6), prior_rows
        )
        precision = np.linalg.inv(correlation) / np.outer(deviation, deviation)
        log_determinant = np.linalg.slogdet(correlation).logabsdet + 2 * np.log(deviation).sum()
        parameters["quadratic"] += sign * -precision / 2
        parameters["weights"] += sign * precision @ mean
        parameters["bias"] += sign * (
            np.log(len(rows) / len(x)) - mean @ precision @ mean / 2 - log_determinant / 2
        )
    return parameters


def deviation_and_correlation(centred, floor, prior_rows):
    """The deviations (d,), at least `floor`, and the shrunk correlations (d, d) of centred rows (n, d).

    A covariance is taken apart so that a column in dollars does not make a column of zeros and ones look
    constant.
    """
    n, d = centred.shape
    covariance = centred.T @ centred / n
    deviation = np.maximum(np.sqrt(np.diag(covariance)), floor)
    correlation = covariance / np.outer(deviation, deviation)
    np.fill_diagonal(correlation, 1.0)  # also where a deviation was raised to the floor
    prior_rows = d if prior_rows is None else prior_rows
    return deviation, (n * correlation + prior_rows * np.eye(d)) / (n + prior_rows)


def class_means(x, y):
    return x[y == 0].mean(axis=0), x[y == 1].mean(axis=0)

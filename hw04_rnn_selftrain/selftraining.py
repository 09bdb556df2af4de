"""Self-training: a teacher labels what it is sure of, and the student learns from that as if it were true.

Yarowsky (1995); Lee, "Pseudo-Label" (2013); the course's homework 4. A student that believes its own mistakes
only grows surer of them. Two things help: each round brings lines that were never looked at, and the teacher
is not the student as the last step left it but a moving average of it (Tarvainen and Valpola's mean teacher,
2017), which is right more often.
"""

import numpy as np


def pseudo_labels(probabilities, threshold):
    """Where a teacher is sure: the places, int64 (M,), and the labels there, 0 or 1, int64 (M,).

    Sure means a probability of "positive" over the threshold, or under 1 - threshold.
    """
    probabilities = np.asarray(probabilities)
    places = np.flatnonzero((probabilities > threshold) | (probabilities < 1 - threshold))
    return places, (probabilities[places] > 0.5).astype(np.int64)


def fresh_lines(size, count, number, seed):
    """The places of the unlabelled lines of round `number` (from 1 on): int64 (count,), or (size,) if there
    are fewer.

    The lines are taken in a random order, the same for a seed, and none twice before all were taken once.
    """
    count = min(count, size)
    order = np.random.default_rng(seed).permutation(size)
    return np.take(order, range((number - 1) * count, number * count), mode="wrap")

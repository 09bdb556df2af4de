"""Self-training: a teacher labels tweets, and the student learns from these labels as if they were true.

Yarowsky (1995); Lee, "Pseudo-Label" (2013); the course's homework 4. A student that is trained on its own
mistakes becomes more confident in them. Three things help: each round brings lines that were never used; the
teacher is not the student as the last step left it but a moving average of it (Tarvainen and Valpola's mean
teacher, 2017); and the teacher is the mean of two models with other features, the network and the n-grams,
which seldom make the same mistake (Blum and Mitchell's co-training, 1998).
"""

import numpy as np


def pseudo_labels(probabilities, threshold=None):
    """What a student shall learn from a teacher: indices, int64 (M,), and labels there, float64 (M,).

    With a threshold, only where the teacher is sure: where the probability of "positive" is over it or under
    1 - threshold, and the label is 1 or 0. Without, the probability itself is each line's label: a student of
    soft labels also learns how sure to be (Hinton et al., "Distilling the knowledge", 2015).
    """
    probabilities = np.asarray(probabilities, np.float64)
    if threshold is None:
        return np.arange(len(probabilities)), probabilities
    indices = np.flatnonzero((probabilities > threshold) | (probabilities < 1 - threshold))
    return indices, (probabilities[indices] > 0.5).astype(np.float64)


def fresh_lines(size, count, number, seed):
    """The indices of the unlabelled lines of round `number` (from 1 on): int64 (count,), or (size,) if there
    are fewer.

    The lines are taken in a random order, the same for a seed, and none twice before all were taken once.
    """
    count = min(count, size)
    order = np.random.default_rng(seed).permutation(size)
    return np.take(order, range((number - 1) * count, number * count), mode="wrap")

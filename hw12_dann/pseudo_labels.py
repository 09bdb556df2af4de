"""Labels that a network gives to the target itself, chosen so that they do not only repeat its mistakes.

1. balanced: a network's predictions gather in a few classes, and self-training would add to that. A class
   predicted more often than it is in the source has its probabilities lowered (Berthelot et al. 2020).
2. smoothed: what looks alike has one label. Each image's probabilities are averaged with those of its
   neighbours in the features (Yang et al. 2021).
3. chosen: the surest of each class come first, of each class as many as its share of the source, and more
   when the network has learnt from these (Zou et al. 2018).
"""

import numpy as np

POWER = 0.5  # of the ratio of shares: with 1, a class that is hardly recognised would take others' images
NEIGHBOURS = 12
ROUNDS = 3  # of smoothing
ROWS = 250  # compared with all others at once: 100,000 drawings take 400 MB
PROJECTED = 128  # numbers of the features that neighbours are looked for in


def pseudo_labels(probabilities, features, shares, portion):
    """Which of the target's m images to learn from, and as what: int32 (m,), -1 for none.

    probabilities : float (m, classes). features : float (m, d). shares : (classes,), the source's
    portion : 0..1, of each class's expected images
    """
    own = result = balanced(probabilities, shares)
    near = neighbours(features)
    for _ in range(ROUNDS):
        result = balanced((own + result[near].mean(axis=1)) / 2, shares)
    return chosen(result, np.ceil(portion * shares * len(result)).astype(int))


def balanced(probabilities, shares):
    """(m, classes), each column multiplied by (its class's share / its mean) ** POWER, rows that sum to 1."""
    result = np.asarray(probabilities, np.float64) + 1e-9
    result = result * (shares / result.mean(axis=0)) ** POWER
    return result / result.sum(axis=1, keepdims=True)


def neighbours(features):
    """The images nearest to each by the angle between features (m, d), itself one of them: int64 (m, k).

    Angles are kept well enough by a random projection (Johnson and Lindenstrauss), which is faster.
    """
    count, size = features.shape
    projection = np.random.default_rng(0).standard_normal((size, PROJECTED)).astype(np.float32)
    points = features @ projection
    points -= points.mean(axis=0)
    points /= np.linalg.norm(points, axis=1, keepdims=True) + 1e-9
    k, near = min(NEIGHBOURS, count), []
    for start in range(0, count, ROWS):
        angles = points[start : start + ROWS] @ points.T
        near.append(np.argpartition(-angles, k - 1, axis=1)[:, :k].copy())  # a view would keep all of it
    return np.concatenate(near)


def chosen(probabilities, counts):
    """The likeliest class of each row, int32 (m,), but -1 where it is not among the surest of its class."""
    labels, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
    result = np.full(len(labels), -1, np.int32)
    for label, count in enumerate(counts):
        rows = np.flatnonzero(labels == label)
        result[rows[np.argsort(-confidence[rows], kind="stable")[:count]]] = label
    return result

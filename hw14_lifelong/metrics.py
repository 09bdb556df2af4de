"""What a network reads, and numbers that sum up "after task i, on task j".

`matrix` is (K + 1, K): row 0 before any training, row i after i tasks; column j the accuracy on task j + 1.
"""

import numpy as np
from scipy.special import log_softmax


def logits_of(model, images, batch=1000):
    """uint8 (n, h, w, c) -> logits float32 (n, 10)."""
    return np.concatenate(
        [
            model(images[start : start + batch].astype(np.float32)).numpy()
            for start in range(0, len(images), batch)
        ]
    )


def accuracy(logits, labels):
    """The share that is read right: float (n, 10), int (n,) -> float."""
    return float(np.mean(np.argmax(logits, axis=1) == labels))


def mean_cross_entropy(logits, labels):
    """In nats; that of a uniform prediction is ln 10 = 2.30. float (n, 10), int (n,) -> float."""
    log_probabilities = log_softmax(logits.astype(np.float64), axis=1)
    return float(-np.mean(log_probabilities[np.arange(len(labels)), labels]))


def average_accuracy(matrix):
    """Over the tasks, after the last."""
    return float(np.mean(matrix[-1]))


def forgetting(matrix):
    """The best earlier accuracy of a task less its final one, averaged over all but the last task.

    Chaudhry et al. 2018. 0 when there is but one task.
    """
    matrix = np.asarray(matrix)
    if len(matrix) < 3:
        return 0.0
    return float(np.mean(matrix[1:-1, :-1].max(axis=0) - matrix[-1, :-1]))


def backward_transfer(matrix):
    """How far above its accuracy just after it was learnt a task ends, averaged over all but the last task.

    Lopez-Paz and Ranzato 2017. Below 0 where there is forgetting, and 0 when there is but one task.
    """
    matrix = np.asarray(matrix)
    if len(matrix) < 3:
        return 0.0
    return float(np.mean(matrix[-1, :-1] - np.diag(matrix[1:])[:-1]))

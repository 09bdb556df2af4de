"""LIME (Ribeiro et al. 2016): which parts of the image carry the score? It asks the model and nothing else.

The image is cut into superpixels. A thousand copies are made in which each of them is there or is painted
over, at random, and the model scores them all. Near the image its answers are about a sum, one weight for
each superpixel that is there; a ridge regression finds the weights, in which a copy counts the more the less
of it is painted over.
"""

import numpy as np
from model import at_once, scores_of
from skimage.segmentation import slic

SEGMENTS = 100
SAMPLES = 1000
WIDTH = 0.25  # of the kernel, in cosine distances
RIDGE = 1.0


def lime(model, images, classes, samples=SAMPLES, seed=0):
    """The weight of each pixel's superpixel: images (n, h, w, 3), classes (n,) -> float32 (n, h, w)."""
    rng = np.random.default_rng(seed)
    found = []
    for image, label in zip(images, classes):
        segments = slic(image, SEGMENTS, start_label=0)
        there = rng.random((samples, segments.max() + 1)) < 0.5
        there[0] = True  # the image itself
        scores = score_copies(model, image, segments, there, label)
        found.append(ridge(there, scores)[segments])
    return np.array(found, np.float32)


def score_copies(model, image, segments, there, label):
    """The score of a class for copies of an image: there, bool (samples, segments) -> float64 (samples,).

    A superpixel that is not there is painted in the mean colour of the image.
    """
    painted = image.mean(axis=(0, 1))
    scores, batch = [], at_once(len(image))
    for start in range(0, len(there), batch):
        shown = there[start : start + batch][:, segments][..., None]  # (batch, h, w, 1)
        copies = np.where(shown, image, painted).astype(np.float32)
        scores.append(np.asarray(scores_of(model, copies))[:, label])
    return np.concatenate(scores).astype(np.float64)


def ridge(there, scores, width=WIDTH, strength=RIDGE):
    """Weights w (segments,) that minimise sum_i k_i (scores_i - b - there_i . w)^2 + strength |w|^2.

    k_i = exp(-d_i^2 / width^2), where d_i = 1 - sqrt(share of superpixels that are there) is the cosine
    distance of there_i from the whole image. The offset b is not shrunk: it drops out when the weighted
    means are taken away, and the normal equations give the rest.
    """
    x, y = there.astype(np.float64), np.asarray(scores, np.float64)
    k = np.exp(-np.square(1 - np.sqrt(x.mean(axis=1))) / width**2)
    x, y = (values - np.average(values, axis=0, weights=k) for values in (x, y))
    return np.linalg.solve((x * k[:, None]).T @ x + strength * np.eye(x.shape[1]), (x * k[:, None]).T @ y)

"""Numbers for maps, because images flatter.

Deletion (Petsiuk et al. 2018): take away the pixels that a map holds for the most important, bit by bit, and
watch the probability of the class fall. Insertion: put them back, the most important first, into an image of
which nothing can be seen. The area under the curve should be small for the one and large for the other; a
random order says how much of that any order has.

Randomisation (Adebayo et al. 2018): a map that stays the same when the model's weights are shuffled explains
the image, not the model.
"""

import keras
import numpy as np
import tensorflow as tf
from model import all_scores
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

STEPS = 32  # points of a curve beside the first
CELLS = 16  # a side: a scatter of single pixels is noise, which misleads a network by itself
BLUR = 0.15  # standard deviation, as a share of the side, of what stands where something was taken away


def areas(model, images, classes, maps):
    """The areas under the deletion and the insertion curve of each image: float64 (n,), (n,), 0 to 1.

    images (n, s, s, 3), 0 to 255; classes (n,); maps (n, s, s), large where a pixel is important. What goes
    and comes together are the pixels of a cell, the CELLS x CELLS part of them; the mean of the map decides.
    """
    size, cells = images.shape[1], min(CELLS, images.shape[1])
    blank = blurred(images)
    means = tf.image.resize(maps[..., None], (cells, cells), "area").numpy().reshape(len(maps), -1)
    ranks = np.argsort(np.argsort(-means, axis=1, kind="stable"), axis=1)  # 0 for the most important cell
    cell = np.arange(size) * cells // size  # of each row and column
    ranks = ranks.reshape(-1, cells, cells)[:, cell][:, :, cell]  # (n, s, s)
    found = []
    for kept, gone in ((images, blank), (blank, images)):
        curve = []
        for step in range(STEPS + 1):
            changed = ranks < round(step / STEPS * cells * cells)
            copies = np.where(changed[..., None], gone, kept)
            curve.append(probability(model, copies, classes))
        curve = np.array(curve)  # (STEPS + 1, n)
        found.append((curve[1:] + curve[:-1]).mean(axis=0) / 2)
    return tuple(found)


def blurred(images):
    """Images (n, s, s, 3) of which nothing can be seen but the colours: float32."""
    width = BLUR * images.shape[1]
    return gaussian_filter(images.astype(np.float32), (0, width, width, 0))


def probability(model, images, classes):
    """The softmax of the scores at each image's class: (n,)."""
    scores = all_scores(model, images)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds[np.arange(len(odds)), classes] / odds.sum(axis=1)


def shuffled(model, seed=0):
    """A copy of a model in which the numbers of each kernel are shuffled."""
    rng = np.random.default_rng(seed)
    copy = keras.models.clone_model(model)
    copy.set_weights(
        [rng.permuted(w.ravel()).reshape(w.shape) if w.ndim > 1 else w for w in model.get_weights()]
    )
    return copy


def rank_correlation(first, second):
    """Spearman's, of two maps' pixels, for each image: (n, h, w) twice -> (n,); NaN where one is constant."""
    return np.array(
        [
            spearmanr(a.ravel(), b.ravel()).statistic if np.ptp(a) > 0 and np.ptp(b) > 0 else np.nan
            for a, b in zip(first, second)
        ]
    )

"""Contrastive learning: two random views of an image shall have one code, unlike that of every other image.

A view is a crop of the image, enlarged, perhaps mirrored, in another light and colour. What two views share
is the thing that is shown; where it stands and how bright it is differ. So the code says what is shown, and a
thing that is not among the training images has no near neighbour there (Chen et al., SimCLR, 2020; Tack et
al., CSI, 2020, take such codes to find anomalies). With z the projections of the 2n views of n images, the
loss of the pair (i, j) of views of one image is

    - log [ exp(cos(z_i, z_j) / temperature) / sum over k other than i of exp(cos(z_i, z_k) / temperature) ]
"""

import keras
import numpy as np
from batches import Images
from keras import ops

TEMPERATURE = 0.2
SMALLEST = 0.25  # of an image's area, that a crop has at least
STRETCH = 4 / 3  # a crop is so much wider than high at most, or so much higher than wide
LIGHT = 0.4  # brightness, contrast and saturation are multiplied by 1 - LIGHT to 1 + LIGHT
TINT = 0.1  # that is added to red, green and blue each, at most; an image spans 2
RECOLOURED, GREY = 0.8, 0.2  # shares of the views in another light, and of those without colour
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # brightness of red, green and blue


def interpolation(starts, ends, size):
    """The matrices that enlarge a part of a line of pixels to the whole: float32 (n, size, size).

    starts, ends : float (n,), of the part, in pixels. A row has the weights of the pixels that are mixed
    linearly; a start greater than the end mirrors.
    """
    wanted = starts[:, None] + (ends - starts)[:, None] * (np.arange(size) + 0.5) / size - 0.5
    wanted = np.clip(wanted, 0, size - 1)[:, :, None]
    return np.maximum(0, 1 - np.abs(wanted - np.arange(size))).astype(np.float32)


def crops(images, rng):
    """A part of each image, enlarged to the whole, half of them mirrored: (n, h, w, 3) -> the same."""
    count, height, width, _ = images.shape
    area = rng.uniform(SMALLEST, 1, count)
    stretch = np.exp(rng.uniform(-np.log(STRETCH), np.log(STRETCH), count))
    across, down = (np.minimum(1, np.sqrt(side)) for side in (area * stretch, area / stretch))
    left, top = (rng.uniform(0, 1 - side) for side in (across, down))
    edges = np.stack([left, left + across])
    mirrored = rng.random(count) < 0.5
    starts, ends = width * np.where(mirrored, edges[::-1], edges)
    rows = interpolation(height * top, height * (top + down), height)
    columns = interpolation(starts, ends, width)
    enlarged = rows @ images.reshape(count, height, -1)  # (n, h, w * 3)
    return columns[:, None] @ enlarged.reshape(images.shape)


def recoloured(images, rng):
    """Most images in another light and colour, some without colour: (n, h, w, 3), -1..1 -> the same.

    As strong as SimCLR's for CIFAR-10, but for the hue: the three colours are moved instead.
    """

    def drawn(low, high, channels=1):
        return rng.uniform(low, high, (len(images), 1, 1, channels)).astype(np.float32)

    changed = (images + 1) * drawn(1 - LIGHT, 1 + LIGHT) - 1  # brightness, from black
    mean = changed.mean(axis=(1, 2, 3), keepdims=True)
    changed = mean + drawn(1 - LIGHT, 1 + LIGHT) * (changed - mean)  # contrast
    grey = changed @ LUMA[:, None]  # (n, h, w, 1)
    changed = grey + drawn(1 - LIGHT, 1 + LIGHT) * (changed - grey)  # saturation
    changed += drawn(-TINT, TINT, 3)
    images = np.where(drawn(0, 1) < RECOLOURED, changed, images)
    images = np.where(drawn(0, 1) < GREY, images @ LUMA[:, None], images)
    return np.clip(images, -1, 1)


class Views(Images):
    """Batches of two views of each of batch_size images, and the number of the image that each is of."""

    def prepare(self, images, rng):
        twice = np.repeat(images, 2, axis=0)
        return recoloured(crops(twice, rng), rng), np.repeat(np.arange(len(images)), 2)


@keras.saving.register_keras_serializable(package="hw10_anomaly")
def nt_xent(numbers, projections):
    """The loss above of each view: float32 (m,), in nats.

    numbers : int (m,) or (m, 1), the image that a view is of; two views of each. projections : (m, d)
    """
    numbers, vectors = ops.reshape(numbers, (-1,)), ops.normalize(projections, axis=1)
    itself = ops.eye(ops.shape(vectors)[0])
    pairs = ops.cast(numbers[:, None] == numbers, "float32") - itself  # 1 for the other view of the image
    similarity = ops.matmul(vectors, ops.transpose(vectors)) / TEMPERATURE - 1e9 * itself
    return -ops.sum(pairs * ops.log_softmax(similarity, axis=1), axis=1)

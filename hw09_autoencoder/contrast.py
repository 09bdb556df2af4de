"""Two views of an image should have one code: the views, and the loss that says so.

A view is a piece of the image, enlarged, perhaps mirrored, in another light and in other colours, with noise.
What all views of an image share is what fills it, sky or water or fur; where things stand and how bright it
was differ from view to view. So a code that is alike for the views, and unlike those of other images, says
what fills the image.

After Chen et al., "A simple framework for contrastive learning of visual representations" (SimCLR), 2020.
"""

import keras
import numpy as np
from keras import ops

SMALLEST = 0.1  # share of the image's area that a view shows at least
LIGHT = 0.4  # brightness and contrast are multiplied by 1 - LIGHT to 1 + LIGHT
SATURATION = 0.4  # and so is the saturation
HUE = 0.1  # of a full circle: the hue is turned by up to so much, either way
GREY = 0.2  # share of the views that lose their colours
TEMPERATURE = 0.3  # of the loss: the lower, the more the most similar negatives count
TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])  # of NTSC


def add_noise(images, noise, generator):
    """Add normal noise of this standard deviation: float32 (n, h, w, c), 0..1 -> the same."""
    spots = noise * keras.random.normal(ops.shape(images), seed=generator)
    return ops.clip(images + spots, 0.0, 1.0)


def views(images, noise, generator):
    """A random view of each image: float32 (n, h, w, 3), 0..1 -> the same."""
    return add_noise(recoloured(random_crops(images, generator), generator), noise, generator)


def random_crops(images, generator):
    """A square part of each image, enlarged, half of them mirrored: (n, h, w, 3) -> the same."""
    count, size = ops.shape(images)[0], images.shape[1]

    def drawn(low, high):
        return keras.random.uniform((count,), low, high, seed=generator)

    side = ops.sqrt(drawn(SMALLEST, 1.0))  # of the crop, as a share
    left, top = (drawn(0.0, 1.0) * (1 - side) * (size - 1) for _ in range(2))
    mirrored = drawn(0.0, 1.0) < 0.5
    across = ops.where(mirrored, -side, side)
    left = ops.where(mirrored, left + side * (size - 1), left)
    # Where the pixel (column, row) of a view comes from: (across * column + left, side * row + top).
    zero = ops.zeros_like(side)
    transform = ops.stack([across, zero, left, zero, side, top, zero, zero], axis=1)
    return ops.image.affine_transform(images, transform, interpolation="bilinear", fill_mode="nearest")


def recoloured(images, generator):
    """Each image in another brightness, contrast, saturation and hue, or grey: (n, h, w, 3) -> the same.

    In YIQ, Y is the brightness of a pixel and (I, Q) its colour: the length of that vector is the saturation,
    its angle the hue. So both are changed by one matrix (3, 3) for an image, in YIQ or in RGB.
    """
    count = ops.shape(images)[0]

    def drawn(low, high, shape=(count,)):
        return keras.random.uniform(shape, low, high, seed=generator)

    brightness, contrast = (drawn(1 - LIGHT, 1 + LIGHT, (count, 1, 1, 1)) for _ in range(2))
    mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
    images = brightness * (mean + contrast * (images - mean))
    grey = drawn(0.0, 1.0) < GREY
    saturation = ops.where(grey, 0.0, drawn(1 - SATURATION, 1 + SATURATION))
    angle = 2 * np.pi * drawn(-HUE, HUE)
    one, zero = ops.ones_like(angle), ops.zeros_like(angle)
    cosine, sine = saturation * ops.cos(angle), saturation * ops.sin(angle)
    in_yiq = ops.reshape(ops.stack([one, zero, zero, zero, cosine, -sine, zero, sine, cosine], 1), (-1, 3, 3))
    in_rgb = ops.matmul(ops.matmul(np.linalg.inv(TO_YIQ).astype("float32"), in_yiq), TO_YIQ.astype("float32"))
    pixels = ops.reshape(images, (count, -1, 3))
    return ops.reshape(ops.matmul(pixels, ops.transpose(in_rgb, (0, 2, 1))), ops.shape(images))


def nt_xent(first, second, temperature=TEMPERATURE):
    """The normalised, temperature-scaled cross-entropy: which of 2n - 1 others is this view's positive?

    first, second: float32 (n, d), row i of both of image i. Returns a number, in nats: the mean over all 2n
    views of -log softmax(cosine / temperature) at the positive, the other view of the same image. The view
    itself is not among the choices.
    """
    count = ops.shape(first)[0]
    vectors = ops.normalize(ops.concatenate([first, second]), axis=1)  # (2n, d)
    similarity = ops.matmul(vectors, ops.transpose(vectors)) / temperature  # (2n, 2n)
    similarity = similarity - 1e9 * ops.eye(2 * count)
    positives = ops.concatenate([ops.arange(count) + count, ops.arange(count)])
    return ops.mean(keras.losses.sparse_categorical_crossentropy(positives, similarity, from_logits=True))

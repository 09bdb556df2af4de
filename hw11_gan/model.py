"""The two networks, for images of 16, 32, 64 or 128 pixels a side; w is the width.

    generator, 64 x 64     what                             discriminator       what
    (batch, 100)           noise of N(0, 1)                 (batch, 64, 64, 3)  image, -1 to 1
    (batch, 4, 4, 8 w)     dense, normalised, ReLU          (batch, 32, 32, w)  convolution, leaky ReLU
    (batch, 8, 8, 4 w)     transposed convolution, the same (batch, 16, 16, 2 w) the same, normalised
    (batch, 16, 16, 2 w)   the same                         (batch, 8, 8, 4 w)  the same
    (batch, 32, 32, w)     the same                         (batch, 4, 4, 8 w)  the same
    (batch, 64, 64, 3)     transposed convolution, tanh     (batch, 1)          dense: a logit, or a score

All convolutions have stride 2. The generator is normalised by batch; the discriminator by batch, by the
spectral norm of its kernels (then all layers are), or not at all.
"""

from scaffold import BadInput

import keras
import numpy as np
from device import load_keras
from fused_batch_norm import FusedBatchNormalization
from keras import layers

NOISE = 100  # numbers that make an image
RECALIBRATION = 10  # batches of noise that a generator's statistics are taken from


def build_generator(size, width, kernel=4, momentum=0.9):
    """noise (batch, NOISE) -> images float32 (batch, size, size, 3), -1 to 1."""
    stages = (size // 4).bit_length() - 1
    noise = keras.Input((NOISE,), name="noise")
    x = layers.Dense(4 * 4 * width * 2 ** (stages - 1), use_bias=False, kernel_initializer=normal())(noise)
    x = layers.Reshape((4, 4, -1))(x)
    for stage in reversed(range(stages)):
        x = layers.ReLU()(FusedBatchNormalization(momentum=momentum)(x))
        options = {"padding": "same", "use_bias": stage == 0, "kernel_initializer": normal()}
        x = layers.Conv2DTranspose(width * 2 ** (stage - 1) if stage else 3, kernel, 2, **options)(x)
    return keras.Model(noise, layers.Activation("tanh", dtype="float32")(x), name="generator")


def build_discriminator(size, width, kernel=4, normalise="batch", epsilon=0.001):
    """images (batch, size, size, 3), -1 to 1 -> one number each, float32 (batch, 1).

    normalise: "batch", but for the first layer, which reads pixels; "spectral", every layer; or None.
    epsilon: of batch normalisation, added to the variances.
    """
    images = x = keras.Input((size, size, 3), name="images")
    for stage in range((size // 4).bit_length() - 1):
        batch = normalise == "batch" and stage > 0
        options = {"padding": "same", "use_bias": not batch, "kernel_initializer": normal()}
        convolution = layers.Conv2D(width * 2**stage, kernel, 2, **options)
        x = (layers.SpectralNormalization(convolution) if normalise == "spectral" else convolution)(x)
        if batch:
            x = FusedBatchNormalization(momentum=0.9, epsilon=epsilon)(x)
        x = layers.LeakyReLU(0.2)(x)
    last = layers.Dense(1, kernel_initializer=normal(), dtype="float32")
    x = layers.Flatten(dtype="float32")(x)
    outputs = (layers.SpectralNormalization(last, dtype="float32") if normalise == "spectral" else last)(x)
    return keras.Model(images, outputs, name="discriminator")


def normal():
    """DCGAN's first weights."""
    return keras.initializers.RandomNormal(stddev=0.02)


def recalibrate_batch_norm(generator, seed=0, batch=64):
    """Take the statistics of batch normalisation anew, over RECALIBRATION batches of noise.

    The moving averages of training come from older weights, and a generator of averaged weights has none of
    its own.
    """
    normalisations = [layer for layer in generator.layers if isinstance(layer, FusedBatchNormalization)]
    momenta = [layer.momentum for layer in normalisations]
    for number, noise in enumerate(
        draw_noise(RECALIBRATION * batch, seed).reshape(RECALIBRATION, batch, NOISE)
    ):
        for layer in normalisations:
            layer.momentum = number / (number + 1)  # so that the average is the mean of all batches so far
        generator(noise, training=True)
    for layer, momentum in zip(normalisations, momenta):
        layer.momentum = momentum


def draw_noise(count, seed):
    """float32 (count, NOISE) of N(0, 1); the first rows are the same for every count."""
    return np.random.default_rng(seed).standard_normal((count, NOISE), np.float32)


def generate(generator, noise, batch=100, training=False):
    """noise (n, NOISE) -> uint8 (n, size, size, 3). `training`: normalise by each batch's own statistics."""
    chunks = [noise[start : start + batch] for start in range(0, len(noise), batch)]
    images = []
    for chunk in chunks:
        padded = np.concatenate([chunk, np.zeros((batch - len(chunk), NOISE), np.float32)])
        values = np.asarray(generator(padded, training=training))[: len(chunk)]
        images.append(np.rint((values + 1) * 127.5).astype(np.uint8))
    return np.concatenate(images)


def load_generator(path):
    """Read model.keras. Raises BadInput when it is cut short or no generator of this chapter."""
    model = load_keras(path)
    shape = model.output_shape
    if model.input_shape != (None, NOISE) or len(shape) != 4 or shape[1:] != (shape[1], shape[1], 3):
        raise BadInput(f"{path} is no generator of this chapter; run train.py again.")
    return model


def random_features(size, seed):
    """A small network with random weights: pixels (batch, size, size, 3), 0 to 255 -> maps."""
    pixels = x = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    for number, filters in enumerate((16, 32, 64)):
        start = keras.initializers.HeNormal(seed=seed * 3 + number)
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu", kernel_initializer=start)(x)
    return keras.Model(pixels, x, name="features")

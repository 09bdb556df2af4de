"""What does a filter respond to, and what is it looking for?

The first is seen in an image's maps. The second is drawn: an image that begins as faint noise and climbs
the gradient of the filter's mean response (Erhan et al. 2009). Left alone the climb ends in a glitter that no
eye can read, so the image is moved about by a pixel or two at each step and smoothed now and then
(Mordvintsev et al. 2015; Yosinski et al. 2015): what is left is what the filter likes to see at any position.
"""

import numpy as np
import tensorflow as tf
from model import parts, with_maps

STEPS = 200
STEP = 4.0  # pixel values, of the gradient brought to a mean square of 1
JITTER = 2  # pixels, at most
SMOOTH_EVERY = 4  # steps
BLUR = np.outer([1, 2, 1], [1, 2, 1]) / 16


def activation_maps(model, layer, images):
    """What the filters of a layer make of images (n, h, w, 3): float32 (n, rows, columns, filters)."""
    both = with_maps(model, layer)
    found = [both(tf.convert_to_tensor(images[part], tf.float32), training=False) for part in parts(images)]
    return np.concatenate([maps.numpy() for maps, _ in found])


def strongest(maps, count):
    """The filters whose maps, cut off below 0, have the largest mean: int64 (count,), the largest first."""
    return np.argsort(-np.maximum(maps, 0).mean(axis=(0, 1, 2)), kind="stable")[:count]


def dream(model, layer, filters, steps=STEPS, seed=0):
    """An image for each filter that it responds to much: uint8 (filters, h, w, 3)."""
    rng = np.random.default_rng(seed)
    _, height, width, channels = model.input_shape
    pixels = tf.constant(rng.normal(128, 20, (len(filters), height, width, channels)), tf.float32)
    both = with_maps(model, layer)
    blur = tf.constant(np.tile(BLUR[:, :, None, None], (1, 1, channels, 1)), tf.float32)

    @tf.function
    def climb(pixels):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            maps, _ = both(pixels, training=False)
            response = tf.reduce_sum(tf.gather(tf.reduce_mean(maps, axis=(1, 2)), filters, batch_dims=1))
        gradient = tape.gradient(response, pixels)
        size = tf.sqrt(tf.reduce_mean(tf.square(gradient), axis=(1, 2, 3), keepdims=True))
        return tf.clip_by_value(pixels + STEP * gradient / (size + 1e-8), 0.0, 255.0)

    for step in range(steps):
        down, right = rng.integers(-JITTER, JITTER + 1, 2)
        pixels = tf.roll(climb(tf.roll(pixels, (down, right), (1, 2))), (-down, -right), (1, 2))
        if step % SMOOTH_EVERY == 0:
            padded = tf.pad(pixels, [(0, 0), (1, 1), (1, 1), (0, 0)], "REFLECT")
            pixels = tf.nn.depthwise_conv2d(padded, blur, (1, 1, 1, 1), "VALID")
    return np.round(pixels.numpy()).astype(np.uint8)

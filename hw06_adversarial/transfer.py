"""Attacks for a target that cannot be seen: what must change so that a stranger misreads the picture too.

An attack that looks at one network alone finds what only that network stumbles over. These two make it find
what any network looks at, by changing how the attack looks; the attack itself is iterative(), momentum and
all. The third way, several networks at once, is load_proxy in model.py.

Input diversity: Xie et al., "Improving transferability of adversarial examples with input diversity", 2019.
Translation-invariant slopes: Dong et al., "Evading defenses to transferable adversarial examples by
translation-invariant attacks", 2019.
"""

import numpy as np
import tensorflow as tf


def shrunk_somewhere(smallest):
    """Make the view of input diversity: the pictures at a random size, at a random place on black.

    The size is drawn from `smallest` (a share of the side, above 0) to 1 for each batch and each look. The
    view maps float32 (n, h, w, 3) to the same shape.
    """

    def view(pictures):
        side = tf.shape(pictures)[1:3]
        share = tf.random.uniform([], smallest, 1.0)
        size = tf.maximum(tf.cast(share * tf.cast(side, tf.float32), tf.int32), 1)
        before = tf.cast(tf.random.uniform([2]) * tf.cast(side - size + 1, tf.float32), tf.int32)
        after = side - size - before
        nothing = tf.zeros([1, 2], tf.int32)
        edges = tf.concat([nothing, tf.stack([before, after], axis=1), nothing], axis=0)  # (4, 2)
        return tf.ensure_shape(tf.pad(tf.image.resize(pictures, size), edges), pictures.shape)

    return view


def gaussian(size):
    """Make the blur of translation invariance: slopes (n, h, w, 3) -> their Gaussian mean over size x size
    pixels.

    To average the slopes of all shifted pictures is, nearly, to average the slope over all shifts of itself.
    """
    distance = (np.arange(size) - (size - 1) / 2) / (size / 6)
    weights = np.exp(-(distance**2) / 2)
    kernel = np.outer(weights, weights) / np.sum(np.outer(weights, weights))
    kernel = tf.constant(np.repeat(kernel[:, :, None, None], 3, axis=2), tf.float32)  # (size, size, 3, 1)
    return lambda slopes: tf.nn.depthwise_conv2d(slopes, kernel, strides=[1, 1, 1, 1], padding="SAME")


def averaged(look, times):
    """Look several times, each through another random view, and average: fewer accidents of one view."""

    def look_around(pictures, labels):
        looks = [look(pictures, labels) for _ in range(times)]
        return tuple(np.mean(parts, axis=0) for parts in zip(*looks))

    return look_around

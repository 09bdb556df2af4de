"""Attacks on a target whose gradients cannot be had: what must change so that another network is fooled too.

An attack by the gradients of one network alone finds what only that network gets wrong. Input diversity and
translation-invariant gradients change the query, so that the attack finds what other networks rely on as
well; the attack itself is iterative(), with its momentum. A third way, several networks at once, is
load_proxy in model.py.

Input diversity: Xie et al., "Improving transferability of adversarial examples with input diversity", 2019.
Translation-invariant gradients: Dong et al., "Evading defenses to transferable adversarial examples by
translation-invariant attacks", 2019.
"""

import numpy as np
import tensorflow as tf


def input_diversity(smallest):
    """The view of input diversity: the images at a random size, at a random position on black.

    The size is drawn from `smallest` (a share of the side, above 0) to 1 for each batch and each query. The
    view maps float32 (n, h, w, 3) to the same shape.
    """

    def view(images):
        side = tf.shape(images)[1:3]
        share = tf.random.uniform([], smallest, 1.0)
        size = tf.maximum(tf.cast(share * tf.cast(side, tf.float32), tf.int32), 1)
        before = tf.cast(tf.random.uniform([2]) * tf.cast(side - size + 1, tf.float32), tf.int32)
        after = side - size - before
        nothing = tf.zeros([1, 2], tf.int32)
        edges = tf.concat([nothing, tf.stack([before, after], axis=1), nothing], axis=0)  # (4, 2)
        return tf.ensure_shape(tf.pad(tf.image.resize(images, size), edges), images.shape)

    return view


def gaussian_smoothing(size):
    """Translation invariance: gradients (n, h, w, 3) -> their Gaussian mean over size x size pixels.

    To average the gradients at shifted copies of the image is nearly the same as to blur one gradient.
    """
    distance = (np.arange(size) - (size - 1) / 2) / (size / 6)
    weights = np.exp(-(distance**2) / 2)
    kernel = np.outer(weights, weights) / np.sum(np.outer(weights, weights))
    kernel = tf.constant(np.repeat(kernel[:, :, None, None], 3, axis=2), tf.float32)  # (size, size, 3, 1)
    return lambda gradients: tf.nn.depthwise_conv2d(gradients, kernel, strides=[1, 1, 1, 1], padding="SAME")


def averaged(query, times):
    """The mean of several queries, each through another random view, which has a lower variance than one."""

    def query_all(images, labels):
        queries = [query(images, labels) for _ in range(times)]
        return tuple(np.mean(parts, axis=0) for parts in zip(*queries))

    return query_all

"""Adversarial attacks: change a picture a little, and its class a lot.

A classifier is trained by walking down the slope of a loss with respect to its weights. Here the weights stay
and the picture walks, up the slope, so that the loss of its true class rises. How far a pixel may move is
bounded by epsilon, the L-infinity norm, in grey levels of 0..255. Nothing leaves this file but whole grey
levels: between two of them there is no picture file.

Goodfellow et al., "Explaining and harnessing adversarial examples", 2015 (FGSM); Madry et al., "Towards deep
learning models resistant to adversarial attacks", 2018 (PGD, the random start); Dong et al., "Boosting
adversarial attacks with momentum", 2018; Carlini and Wagner, "Towards evaluating the robustness of neural
networks", 2017 (the margin).
"""

import numpy as np
import tensorflow as tf

MOMENTUM = 1.0  # how much of its velocity a picture keeps: all, as Dong et al. do


def cross_entropy(logits, labels):
    """-log p(true class): (n, classes), (n,) -> (n,).

    Written as log(1 + exp(wrong - true)), with wrong the soft maximum of the wrong classes. The usual form
    finds its slope as p - 1, which rounds to nothing when the classifier is sure; an attack then follows the
    rounding.
    """
    true, others = split(logits, labels)
    return tf.nn.softplus(tf.reduce_logsumexp(others, axis=-1) - true)


def margin(logits, labels):
    """How far the best wrong class is above the true one: (n, classes), (n,) -> (n,); misread if > 0."""
    true, others = split(logits, labels)
    return tf.reduce_max(others, axis=-1) - true


def split(logits, labels):
    """The true class's logit (n,), and all logits with that one out of the running (n, classes)."""
    is_true = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False)
    return tf.gather(logits, labels, batch_dims=1), tf.where(is_true, -np.inf, logits)


def slope_of(loss, model, batch_size, view=None, blur=None):
    """Make the function that every attack asks for its way: look(pictures, labels) -> margins, slopes.

    pictures are (n, h, w, 3) in grey levels, labels (n,); margins are float32 (n,), and slopes, float32 as
    the pictures, are the gradient of `loss` at the true labels with respect to the pixels. The model is
    looked at as it predicts: dropout off, batch normalisation with its stored statistics. transfer.py passes
    a `view`, through which the model sees the picture, and a `blur` of the slope.
    """

    @tf.function(reduce_retracing=True)
    def look_at_batch(pictures, labels):
        with tf.GradientTape() as tape:
            tape.watch(pictures)
            logits = model(view(pictures) if view else pictures, training=False)
            total = tf.reduce_sum(loss(logits, labels))  # a sum, so that no picture feels its neighbours
        slopes = tape.gradient(total, pictures)
        return margin(logits, labels), blur(slopes) if blur else slopes

    def look(pictures, labels):
        batches = [slice(start, start + batch_size) for start in range(0, len(labels), batch_size)]
        looks = [look_at_batch(tf.cast(pictures[rows], tf.float32), labels[rows]) for rows in batches]
        return tuple(np.concatenate(parts) for parts in zip(*looks))

    return look


def project(moved, pictures, epsilon):
    """Round to whole grey levels, within epsilon of the pictures and within 0..255.

    moved float (n, h, w, 3); pictures uint8 (n, h, w, 3); epsilon int, or int (n,). Returns uint8 (n, h, w,
    3).
    """
    bound = np.reshape(epsilon, (-1, 1, 1, 1)).astype(np.float32)
    whole = np.clip(np.rint(moved), pictures - bound, pictures + bound)
    return np.clip(whole, 0, 255).astype(np.uint8)


def fgsm(look, pictures, labels, epsilon):
    """The fast gradient sign method: every pixel goes epsilon levels the way that its slope points."""
    _, slopes = look(pictures, labels)
    return project(pictures + epsilon * np.sign(slopes), pictures, epsilon)


def iterative(look, pictures, labels, epsilon, iterations, step, start=0.0, stop=np.inf):
    """Projected gradient ascent with momentum: many short steps of sign, each brought back within epsilon.

    A picture walks in real numbers, but each look is at the whole grey levels that would be saved. step is a
    share of epsilon, start a first displacement (n, h, w, 3) in grey levels. A picture whose margin is above
    `stop` walks no further. Returns the pictures, uint8 (n, h, w, 3), and their margins, float32 (n,).
    """
    bound = np.reshape(np.broadcast_to(np.float32(epsilon), len(pictures)), (-1, 1, 1, 1))
    position = pictures + np.clip(start, -bound, bound)
    velocity = np.zeros_like(position)
    result, margins = pictures.copy(), np.full(len(pictures), -np.inf, np.float32)
    walking = np.arange(len(pictures))
    for left in reversed(range(iterations + 1)):
        result[walking] = project(position[walking], pictures[walking], bound[walking])
        margins[walking], slopes = look(result[walking], labels[walking])
        going = margins[walking] <= stop
        walking, slopes = walking[going], slopes[going]
        if left == 0 or len(walking) == 0:
            break
        length = np.abs(slopes).mean(axis=(1, 2, 3), keepdims=True)  # so that every look counts alike
        velocity[walking] = MOMENTUM * velocity[walking] + slopes / np.maximum(length, 1e-30)
        moved = position[walking] + step * bound[walking] * np.sign(velocity[walking])
        here = pictures[walking].astype(np.float32)
        position[walking] = np.clip(moved, here - bound[walking], here + bound[walking])
    return result, margins

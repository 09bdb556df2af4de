"""Adversarial attacks: change an image a little, and its predicted class with it.

Training descends the gradient of a loss with respect to the weights. Here the weights stay and the image x
ascends the gradient of the loss L of its true class y, within epsilon of where it began:

    maximise L(x', y)  over  |x' - x| <= epsilon in every pixel and channel (the L-infinity norm)

epsilon is in grey levels of 0..255. Every image that this file returns has whole grey levels, as a PNG holds
nothing else.

Goodfellow et al., "Explaining and harnessing adversarial examples", 2015 (FGSM); Madry et al., "Towards deep
learning models resistant to adversarial attacks", 2018 (PGD, the random start); Dong et al., "Boosting
adversarial attacks with momentum", 2018; Carlini and Wagner, "Towards evaluating the robustness of neural
networks", 2017 (the margin).
"""

import numpy as np
import tensorflow as tf

MOMENTUM = 1.0  # share of the velocity that is kept: all, as Dong et al. do


def cross_entropy(logits, labels):
    """The textbook's loss, with z the logits and y the true class: (n, classes), (n,) -> (n,).

        L = -log p_y = log(sum over all k of exp z_k) - z_y = log(1 + exp(others - z_y)),
        others = log(sum over the wrong k of exp z_k)

    By the middle form the gradient p_y - 1 rounds to 0 when the classifier is sure; by the last it does not.
    """
    true, others = split(logits, labels)
    return tf.nn.softplus(tf.reduce_logsumexp(others, axis=-1) - true)


def margin(logits, labels):
    """The best wrong class's logit minus the true one's: (n, classes), (n,) -> (n,); misread where > 0."""
    true, others = split(logits, labels)
    return tf.reduce_max(others, axis=-1) - true


LOSSES = {"margin": margin, "cross-entropy": cross_entropy}


def split(logits, labels):
    """The true class's logits (n,), and all logits with the true one's at minus infinity (n, classes)."""
    is_true = tf.one_hot(labels, logits.shape[-1], on_value=True, off_value=False)
    return tf.gather(logits, labels, batch_dims=1), tf.where(is_true, -np.inf, logits)


def make_query(loss, model, batch_size, view=None, smooth=None):
    """The function by which every attack asks the model: query(images, labels) -> margins, gradients.

    images are (n, h, w, 3) in grey levels, labels (n,); margins are float32 (n,), and gradients, float32 as
    the images, are those of `loss` at the true labels with respect to the pixels. The model computes as it
    predicts: dropout off, batch normalisation with its stored statistics. transfer.py passes a `view`,
    through which the model sees the image, and a function that smooths the gradients.
    """

    @tf.function(reduce_retracing=True)
    def query_batch(images, labels):
        with tf.GradientTape() as tape:
            tape.watch(images)
            logits = model(view(images) if view else images, training=False)
            total = tf.reduce_sum(loss(logits, labels))  # a sum, so that no image depends on its neighbours
        gradients = tape.gradient(total, images)
        return margin(logits, labels), smooth(gradients) if smooth else gradients

    def query(images, labels):
        batches = [slice(start, start + batch_size) for start in range(0, len(labels), batch_size)]
        queries = [query_batch(tf.cast(images[rows], tf.float32), labels[rows]) for rows in batches]
        return tuple(np.concatenate(parts) for parts in zip(*queries))

    return query


def project(moved, images, epsilon):
    """Round to whole grey levels, within epsilon of the images and within 0..255.

    moved float (n, h, w, 3); images uint8 (n, h, w, 3); epsilon int, or int (n,). Returns uint8 (n, h, w,
    3).
    """
    bound = np.reshape(epsilon, (-1, 1, 1, 1)).astype(np.float32)
    whole = np.clip(np.rint(moved), images - bound, images + bound)
    return np.clip(whole, 0, 255).astype(np.uint8)


def fgsm(query, images, labels, epsilon):
    """The fast gradient sign method: x' = x + epsilon sign(dL/dx)."""
    _, gradients = query(images, labels)
    return project(images + epsilon * np.sign(gradients), images, epsilon)


def iterative(query, images, labels, epsilon, iterations, step, start=0.0, stop=np.inf):
    """Projected gradient ascent with momentum: short steps by the sign, each brought back within epsilon.

    With v the velocity and g the gradient over the mean of its absolute values,

        v <- MOMENTUM v + g,    x' <- x' + step epsilon sign(v),    clipped to within epsilon of x

    x' is kept in real numbers, but each query is at the whole grey levels that would be saved. step is a
    share of epsilon, start a first displacement (n, h, w, 3) in grey levels. An image whose margin is above
    `stop` moves no further. Returns the images, uint8 (n, h, w, 3), and their margins, float32 (n,).
    """
    bound = np.reshape(np.broadcast_to(np.float32(epsilon), len(images)), (-1, 1, 1, 1))
    position = images + np.clip(start, -bound, bound)
    velocity = np.zeros_like(position)
    result, margins = images.copy(), np.full(len(images), -np.inf, np.float32)
    active = np.arange(len(images))
    for left in reversed(range(iterations + 1)):
        result[active] = project(position[active], images[active], bound[active])
        margins[active], gradients = query(result[active], labels[active])
        going = margins[active] <= stop
        active, gradients = active[going], gradients[going]
        if left == 0 or len(active) == 0:
            break
        length = np.abs(gradients).mean(axis=(1, 2, 3), keepdims=True)  # so that every query weighs the same
        velocity[active] = MOMENTUM * velocity[active] + gradients / np.maximum(length, 1e-30)
        moved = position[active] + step * bound[active] * np.sign(velocity[active])
        here = images[active].astype(np.float32)
        position[active] = np.clip(moved, here - bound[active], here + bound[active])
    return result, margins

"""How much does each weight matter for what has been learnt? A list of arrays, shaped like the weights.

| function | a weight's importance                                            | paper                   |
|----------|------------------------------------------------------------------|-------------------------|
| fisher   | mean of squared per-example gradients of log p(label)            | Kirkpatrick et al. 2017 |
| mas      | mean size of per-example gradients of the logits' squared length | Aljundi et al. 2018     |
| scp      | squared gradient of the mean logits, averaged over directions    | Kolouri et al. 2020     |

The order of square and mean matters. At a minimum the mean of the loss's gradients is about zero by
definition, and its square says nothing. What each example would still pull at is in the mean of the squares.
SCP takes the mean first all the same, but of the outputs, which have no reason to be at a minimum.
"""

import numpy as np
import tensorflow as tf

CHUNK = 50  # examples whose gradients are in memory together

tf.get_logger().setLevel("ERROR")  # TensorFlow would warn of each convolution that it takes one by one


def per_example_gradients(model, loss, images, labels):
    """The gradient of each example's own loss, all at once.

    model : float32 (n, h, w, c) -> logits (n, 10)
    loss : logits (1, 10), labels (1,) -> (1,)
    Returns a list with a tensor (n, *weight.shape) for each trainable weight.
    """

    def gradient(example):
        image, label = example
        with tf.GradientTape() as tape:
            value = loss(model(image[None]), label[None])
        return tape.gradient(value, model.trainable_variables)

    # For a convolution's kernel TensorFlow falls back to a loop, still compiled, and would warn of it.
    return tf.vectorized_map(gradient, (images, labels), warn=False)


@tf.function(reduce_retracing=True)
def summed(model, loss, change, images, labels):
    """The sums of change(gradient) over some examples, compiled once for a model, a loss and a change."""
    gradients = per_example_gradients(model, loss, tf.cast(images, tf.float32), labels)
    return [tf.reduce_sum(change(gradient), axis=0) for gradient in gradients]


def mean_over_examples(model, loss, change, images, labels):
    """The mean of change(gradient) over the examples; images uint8 (n, h, w, c), labels int64 (n,)."""
    totals = [np.zeros(weight.shape) for weight in model.trainable_variables]
    for start in range(0, len(images), CHUNK):
        chunk = slice(start, start + CHUNK)
        parts = summed(model, loss, change, tf.constant(images[chunk]), tf.constant(labels[chunk]))
        for total, part in zip(totals, parts):
            total += part.numpy()
    return [(total / len(images)).astype(np.float32) for total in totals]


def cross_entropy(logits, labels):
    """float32 (n, 10), int64 (n,) -> (n,), in nats."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)


def squared_length(logits, labels):
    """float32 (n, 10) -> (n,). The labels play no part."""
    return tf.reduce_sum(tf.square(logits), axis=1)


def fisher(model, images, labels):
    """The diagonal of the Fisher information, E[(d log p(y|x) / dw)^2].

    With labels drawn from the model itself (draw_labels) it is that; with the data's labels it is the
    "empirical Fisher", another matrix (Kunstner et al. 2019).
    """
    return mean_over_examples(model, cross_entropy, tf.square, images, labels)


def draw_labels(logits, rng):
    """Draw a label from softmax(logits) in each row, by Gumbel's trick: float (n, 10) -> int64 (n,)."""
    return np.argmax(logits + rng.gumbel(size=logits.shape), axis=1)


def mas(model, images):
    """E[|d ||f(x)||^2 / dw|], of memory aware synapses."""
    unused = np.zeros(len(images), np.int64)
    return mean_over_examples(model, squared_length, tf.abs, images, unused)


@tf.function(reduce_retracing=True)
def jacobian_of_sum(model, images):
    """The derivative of the logits' sum over some examples: a list of (10, *weight.shape)."""
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(model(tf.cast(images, tf.float32)), axis=0)  # (10,)
    return tape.jacobian(total, model.trainable_variables)


def scp(model, images):
    """E_xi[(d xi . mean f(x) / dw)^2], xi uniform on the unit sphere, of sliced Cramer preservation.

    The paper draws some directions xi. Since E[xi xi^T] = I / 10, their mean needs no drawing: it is the mean
    of the ten mean logits' squared gradients.
    """
    totals = [np.zeros((model.output_shape[-1], *weight.shape)) for weight in model.trainable_variables]
    for start in range(0, len(images), CHUNK):
        for total, part in zip(totals, jacobian_of_sum(model, tf.constant(images[start : start + CHUNK]))):
            total += part.numpy()
    means = [total / len(images) for total in totals]
    return [np.mean(np.square(mean), axis=0).astype(np.float32) for mean in means]

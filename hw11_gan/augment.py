"""Change true and generated images alike before the discriminator sees them: Zhao et al. 2020, DiffAugment.

With some thousand faces a discriminator soon knows each by heart, and its gradient helps no more. Changing
the true faces alone would help it, and the generator would learn the changes. Changing both, by
operations that gradients pass through, does not.
"""

import tensorflow as tf

SHIFT = 1 / 8  # of the side, at most


def augment(images, seed):
    """float32 (batch, h, w, 3), -1 to 1 -> the same shape: brightness, saturation, contrast, position.

    seed : int32 (2,), which alone decides what is drawn.
    """
    draws = tf.random.stateless_uniform((5, tf.shape(images)[0], 1, 1, 1), seed)  # 0 to 1
    images += draws[0] - 0.5
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = (images - grey) * (2 * draws[1]) + grey
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = (images - mean) * (draws[2] + 0.5) + mean
    size = images.shape[1]
    most = round(size * SHIFT)
    steps = tf.cast(tf.floor((2 * most + 1) * draws[3:, :, 0, 0]), tf.int32) - most  # (2, batch, 1)
    down, right = steps[0], steps[1]
    images = tf.einsum("bij,bjkc->bikc", shifting(down, size), images)
    return tf.einsum("bij,bkjc->bkic", shifting(right, size), images)


def shifting(steps, size):
    """steps int32 (batch, 1) -> matrices (batch, size, size) that move by so many pixels; what enters is 0.

    Taking pixels by their numbers would do as well, but its gradient is slow.
    """
    return tf.one_hot(tf.range(size)[None] - steps, size)


def flip(images, seed):
    """Mirror half of the images, left and right; float32 (batch, h, w, 3)."""
    mirrored = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
    return tf.where(mirrored, tf.reverse(images, axis=[2]), images)

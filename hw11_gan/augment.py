"""Change true and generated images alike before the discriminator sees them: Zhao et al. 2020, DiffAugment.

With some thousand faces a discriminator soon knows each by heart, and its gradient helps no more. Changing
the true faces alone would help it, and the generator would learn the changes. Changing both, by
operations that gradients pass through, does not.
"""

import tensorflow as tf

SHIFT = 1 / 8  # of the side, at most
HOLE = 1 / 2  # side of the square that is cut out, as a share of the image's; its centre is anywhere


def augment(images, seed):
    """float32 (batch, h, w, 3), -1 to 1 -> the same shape: brightness, saturation, contrast, position,
    and a square that is cut out.

    seed : int32 (2,), which alone decides what is drawn.
    """
    draws = tf.random.stateless_uniform((7, tf.shape(images)[0], 1, 1, 1), seed)  # 0 to 1
    images += draws[0] - 0.5
    grey = tf.reduce_mean(images, axis=-1, keepdims=True)
    images = (images - grey) * (2 * draws[1]) + grey
    mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    images = (images - mean) * (draws[2] + 0.5) + mean
    size = images.shape[1]
    most = round(size * SHIFT)
    steps = tf.cast(tf.floor((2 * most + 1) * draws[3:5, :, 0, 0]), tf.int32) - most  # (2, batch, 1)
    down, right = steps[0], steps[1]
    images = tf.einsum("bij,bjkc->bikc", shifting(down, size), images)
    images = tf.einsum("bij,bkjc->bkic", shifting(right, size), images)
    distances = tf.abs(tf.range(size, dtype=tf.float32) - size * draws[5:, :, 0, 0])  # (2, batch, size)
    rows, columns = tf.unstack(distances < size * HOLE / 2)
    return tf.where((rows[:, :, None] & columns[:, None])[..., None], 0.0, images)


def shifting(steps, size):
    """steps int32 (batch, 1) -> matrices (batch, size, size) that move by so many pixels; what enters is 0.

    Taking pixels by their numbers would do as well, but its gradient is slow.
    """
    return tf.one_hot(tf.range(size)[None] - steps, size)


def flip(images, seed):
    """Mirror half of the images, left and right; float32 (batch, h, w, 3)."""
    mirrored = tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed) < 0.5
    return tf.where(mirrored, tf.reverse(images, axis=[2]), images)

"""Which pixels does the score hang on? Gradients of it.

| map                  | what                                                                              |
|----------------------|-----------------------------------------------------------------------------------|
| saliency             | |d score / d pixel|, the largest of the three colours (Simonyan et al. 2013)      |
| smoothgrad           | the same gradient, averaged over noisy copies (Smilkov et al. 2017)               |
| grad_cam             | the last convolution's maps, weighted by their gradients (Selvaraju et al. 2016)  |
| integrated_gradients | what each pixel adds on the way from a blurred image (Sundararajan et al. 2017)   |

The score is the logit of a class, or its log-probability where a model ends with a softmax.
"""

import numpy as np
import tensorflow as tf
from faithfulness import blurred
from model import as_scores, find_layer, last_maps, parts, scores_of, with_maps

COPIES = 32  # noisy ones, of SmoothGrad
NOISE = 0.1  # standard deviation, as a share of the range of pixels
WAY = 16  # steps from the blurred image, of integrated gradients


def gradients(model, images, classes):
    """d score of an image's class / d its pixels: float32 (n, h, w, 3)."""
    found = []
    for part in parts(images):
        pixels = tf.convert_to_tensor(images[part], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            # A sum has each image's own gradient, since no image plays a part in another's score.
            score = tf.reduce_sum(tf.gather(scores_of(model, pixels), classes[part], batch_dims=1))
        found.append(tape.gradient(score, pixels).numpy())
    return np.concatenate(found)


def saliency(model, images, classes):
    """Images (n, h, w, 3), 0 to 255, and classes (n,) -> float32 (n, h, w), 0 or more."""
    return np.abs(gradients(model, images, classes)).max(axis=-1)


def smoothgrad(model, images, classes, copies=COPIES, noise=NOISE, seed=0):
    """The same, of the mean gradient over copies with normal noise: it forgets what a small step undoes."""
    rng = np.random.default_rng(seed)
    total = np.zeros(images.shape, np.float32)
    for _ in range(copies):
        total += gradients(model, images + rng.normal(0, 255 * noise, images.shape), classes)
    return np.abs(total / copies).max(axis=-1)


def integrated_gradients(model, images, classes, steps=WAY):
    """(x - b) times the mean gradient between b and x, where b is the image blurred: float32 (n, h, w).

    Summed over the colours. Below 0 where a pixel speaks against the class; all together the map's values are
    score(x) - score(b), but for the finite number of steps.
    """
    images = np.asarray(images, np.float32)
    blank = blurred(images)
    total = np.zeros_like(images)
    for step in range(steps):
        total += gradients(model, blank + (step + 0.5) / steps * (images - blank), classes)
    return ((images - blank) * total / steps).sum(axis=-1)


def grad_cam(model, images, classes, layer=None):
    """Where the last convolution sees what speaks for the class: float32 (n, h, w), 0 or more.

    The maps A_m (n, r, c), of another layer if one is named, are summed with the weights alpha_m = mean of
    d score / d A_m over the positions; what is left below 0 speaks against the class and is cut off. Raises
    BadInput where the model has no convolution.
    """
    seen_by = find_layer(model, layer) if layer else last_maps(model)
    both, found = with_maps(model, seen_by), []
    for part in parts(images):
        pixels = tf.convert_to_tensor(images[part], tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            maps, outputs = both(pixels, training=False)
            score = tf.reduce_sum(tf.gather(as_scores(model, outputs), classes[part], batch_dims=1))
        weights = tf.reduce_mean(tape.gradient(score, maps), axis=(1, 2), keepdims=True)  # (n, 1, 1, k)
        seen = tf.nn.relu(tf.reduce_sum(weights * maps, axis=-1, keepdims=True))  # (n, r, c, 1)
        found.append(tf.image.resize(seen, images.shape[1:3])[..., 0].numpy())
    return np.concatenate(found)

"""A variational autoencoder: what is added to an autoencoder to make it one (Kingma, Welling 2014).

The code of an image is not a point but a Gaussian, and codes are drawn from it. A penalty, the
Kullback-Leibler divergence, pulls each Gaussian towards the unit one. With a decoder that believes a
pixel to be Gaussian too, of variance NOISE around what it draws,

    log p(image) >= ELBO = - squared error / (2 NOISE) - divergence + a constant of the image's size.
"""

import keras
from keras import ops

NOISE = 0.05  # variance of a pixel that ranges from -1 to 1


def divergence(mean, log_variance):
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, summed over the code: (n, code) twice -> (n,)."""
    return 0.5 * ops.sum(ops.exp(log_variance) + ops.square(mean) - 1 - log_variance, axis=-1)


def squared_error(images, drawn):
    """Summed over an image's pixels and colours: (n, h, w, 3) twice -> (n,)."""
    return ops.sum(ops.square(images - drawn), axis=(1, 2, 3))


def elbo(images, drawn, mean, log_variance):
    """The evidence lower bound of each image, in nats, without its constant: (n,)."""
    return -squared_error(images, drawn) / (2 * NOISE) - divergence(mean, log_variance)


@keras.saving.register_keras_serializable(package="hw10_anomaly")
class Sampling(keras.layers.Layer):
    """(mean, log_variance), (n, code) each -> codes (n, code): drawn in training, the mean itself otherwise.

    It adds the divergence to the loss, in training and in evaluation, on the squared error's scale: 2 NOISE
    times as much.
    """

    def __init__(self, seed=None, **keywords):
        super().__init__(**keywords)
        self.random = keras.random.SeedGenerator(seed)

    def call(self, pair, training=False):
        mean, log_variance = pair
        self.add_loss(2 * NOISE * ops.mean(divergence(mean, log_variance)))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self.random)
        return mean + ops.exp(0.5 * log_variance) * noise

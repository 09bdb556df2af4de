"""The second of two loops: Keras' own. The step is a method of a model, and fit() calls it."""

import sys

import keras
import tensorflow as tf
from gan import batches
from losses import clip, discriminator_loss, generator_loss


class TrainableGAN(keras.Model):
    """Two networks as one model with two optimisers, for compile() and fit()."""

    def __init__(self, gan):
        super().__init__()
        self.gan = gan
        self.generator, self.discriminator = gan.generator, gan.discriminator
        self.built = True  # there is nothing to call, by which several devices would build it

    def compile(self, generator_optimizer, discriminator_optimizer):
        super().compile(jit_compile=False)
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer

    def train_step(self, data):
        """(uint8 (batch, h, w, 3),), as fit() hands it over -> the two losses, by name."""
        gan, parts = self.gan, self.gan.parts(data[0])
        for turn in range(gan.discriminator_steps):
            of_discriminator = self.update_discriminator(parts[turn], turn)
        for turn in range(gan.discriminator_steps, gan.discriminator_steps + gan.generator_steps):
            of_generator = self.update_generator(tf.shape(parts)[1], turn)
        gan.average()
        return {"discriminator": of_discriminator, "generator": of_generator}

    def update_discriminator(self, pixels, turn):
        draws = self.gan.draw(tf.shape(pixels)[0], turn)
        real = self.gan.real(pixels, draws.flips)
        fake = self.generator(draws.noise, training=True)
        real, fake = (self.gan.augment(*both) for both in zip((real, fake), draws.changes))
        with tf.GradientTape() as tape:
            loss = discriminator_loss(self.gan.loss, self.discriminator, real, fake, draws.mix)
        weights = self.discriminator.trainable_weights
        self.discriminator_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        if self.gan.loss == "wgan":
            clip(self.discriminator)
        return loss

    def update_generator(self, batch_size, turn):
        draws = self.gan.draw(batch_size, turn)
        with tf.GradientTape() as tape:
            fake = self.gan.augment(self.generator(draws.noise, training=True), draws.changes[1])
            loss = generator_loss(self.gan.loss, self.discriminator, fake, draws.noise, self.gan.diversity)
        weights = self.generator.trainable_weights
        self.generator_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        return loss


class EveryStep(keras.callbacks.Callback):
    """Keep the losses of an epoch's steps, and pass them on at its end."""

    def __init__(self, finish):
        super().__init__()
        self.finish = finish

    def on_epoch_begin(self, epoch, logs=None):
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append((float(logs["discriminator"]), float(logs["generator"])))

    def on_epoch_end(self, epoch, logs=None):
        self.finish(epoch + 1, self.losses)


def train_by_fit(gan, faces, batch_size, first_epoch, epochs, finish):
    """Train until `epochs` are done; after each, call finish(its number from 1, [(loss, loss), ...])."""
    model, rows = TrainableGAN(gan), batch_size * gan.discriminator_steps
    model.compile(*gan.optimizers)
    model.fit(
        ((pixels,) for pixels in batches(faces, rows, gan.seed, first_epoch)),
        steps_per_epoch=len(faces) // rows,
        initial_epoch=first_epoch,
        epochs=epochs,
        shuffle=False,
        callbacks=[EveryStep(finish)],
        verbose=int(sys.stdout.isatty()),
    )

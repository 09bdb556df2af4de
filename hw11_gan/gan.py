"""The state of a training, and two loops that train it: train_by_gradients() and train_by_fit().

Each draw depends on the seed and the number of the step, and on nothing else. So both loops draw the same,
and so does a training that was stopped and goes on. Devices that share a batch have draws of their own.
"""

import sys
from collections import namedtuple
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from augment import augment, flip
from losses import clip, discriminator_loss, generator_loss
from model import NOISE
from tqdm import tqdm

SEEDS_PER_STEP = 32  # seeds set apart for each step, which has no more updates
Draws = namedtuple("Draws", "flips noise mix changes")


@dataclass
class GAN:
    """The state of a training: both networks, their optimisers, the number of the step, and `averaged`, the
    generator that one samples from."""

    generator: keras.Model
    discriminator: keras.Model
    loss: str  # a name of losses.LOSSES
    learning_rates: tuple = (2e-4, 2e-4)  # of the generator and the discriminator
    beta_1: float = 0.5  # Adam's: 0.9 would average over gradients of older opponents
    discriminator_steps: int = 1  # updates of the discriminator in a step, each by other true images
    generator_steps: int = 1  # updates of the generator in a step, after them
    diversity: float = 0.0  # strength of losses.mode_seeking_loss
    r1: float = 0.0  # strength of losses.r1_penalty
    augmented: bool = True
    averaging: bool = True  # else the averaged weights are the generator's
    seed: int = 0
    step: tf.Variable = field(default_factory=lambda: tf.Variable(0, dtype=tf.int32, trainable=False))

    def __post_init__(self):
        self.averaged = keras.models.clone_model(self.generator)
        self.averaged.set_weights(self.generator.get_weights())
        self.optimizers = []
        for network, rate in zip((self.generator, self.discriminator), self.learning_rates):
            self.optimizers.append(keras.optimizers.Adam(rate, beta_1=self.beta_1, beta_2=0.999))
            self.optimizers[-1].build(network.trainable_variables)

    def draw(self, batch, turn):
        """What an update needs; turn: its number in the step, 0, 1, ..., first the discriminator's."""
        device = tf.distribute.get_replica_context().replica_id_in_sync_group  # 0 where there is one
        seed = tf.bitwise.bitwise_xor(self.seed, device * 2**24)
        seeds = [tf.stack([seed, (self.step * SEEDS_PER_STEP + turn) * 8 + index]) for index in range(5)]
        noise = tf.random.stateless_normal((batch, NOISE), seeds[1])
        mix = tf.random.stateless_uniform((batch, 1, 1, 1), seeds[2])
        return Draws(seeds[0], noise, mix, seeds[3:])

    def parts(self, pixels):
        """uint8 (rows, h, w, 3) of a step -> (discriminator_steps, batch, h, w, 3), one part an update."""
        return tf.reshape(pixels, (self.discriminator_steps, -1, *self.generator.output_shape[1:]))

    def real(self, pixels, seed):
        """uint8 (batch, h, w, 3) -> float32, -1 to 1, half of them mirrored."""
        return flip(tf.cast(pixels, tf.float32) / 127.5 - 1, seed)

    def augment(self, images, seed):
        """The images as the discriminator sees them."""
        return augment(images, seed) if self.augmented else images

    def average(self):
        """Move the averaged weights towards the generator's, ever less: end of a step.

        They are a mean over about the last tenth of all steps (the power function of Karras et al. 2024).
        """
        done = tf.cast(self.step, tf.float32)
        decay = (1 + done) / (10 + done) if self.averaging else 0.0
        for mean, now in zip(self.averaged.trainable_variables, self.generator.trainable_variables):
            mean.assign(decay * mean + (1 - decay) * now)
        self.step.assign_add(1)

    @property
    def variables(self):
        """All that a checkpoint must hold."""
        networks = [*self.generator.variables, *self.discriminator.variables, *self.averaged.variables]
        return [*networks, *self.optimizers[0].variables, *self.optimizers[1].variables, self.step]


def batches(faces, batch_size, seed, first_epoch=0):
    """Epoch after epoch without end, uint8 (batch_size, h, w, 3); an incomplete last batch is dropped."""
    epoch = first_epoch
    while True:
        order = np.random.default_rng([seed, epoch]).permutation(len(faces))
        for start in range(0, len(faces) - batch_size + 1, batch_size):
            yield faces[order[start : start + batch_size]]
        epoch += 1


# The first loop: explicit gradient tapes


def make_step(gan):
    """Returns step(uint8 (rows, h, w, 3)) -> the two losses; it updates first the discriminator."""
    generator, discriminator = gan.generator, gan.discriminator
    generator_optimizer, discriminator_optimizer = gan.optimizers

    @tf.function(jit_compile=False)  # XLA's convolutions have no fast bfloat16 on a processor
    def step(pixels):
        parts = gan.parts(pixels)
        of_discriminator = of_generator = tf.constant(0.0)
        for turn in tf.range(gan.discriminator_steps):  # the graph's own loop: five are as soon compiled
            draws = gan.draw(parts.shape[1], turn)
            real = gan.augment(gan.real(parts[turn], draws.flips), draws.changes[0])
            fake = gan.augment(generator(draws.noise, training=True), draws.changes[1])
            with tf.GradientTape() as tape:  # begins after the generator: nothing flows back into it
                of_discriminator = discriminator_loss(
                    gan.loss, discriminator, real, fake, draws.mix, gan.r1, gan.step
                )
            gradients = tape.gradient(of_discriminator, discriminator.trainable_variables)
            discriminator_optimizer.apply(gradients, discriminator.trainable_variables)
            if gan.loss == "wgan":
                clip(discriminator)

        for turn in tf.range(gan.discriminator_steps, gan.discriminator_steps + gan.generator_steps):
            draws = gan.draw(parts.shape[1], turn)
            with tf.GradientTape() as tape:
                fake = generator(draws.noise, training=True)
                augmented = gan.augment(fake, draws.changes[1])
                of_generator = generator_loss(
                    gan.loss, discriminator, augmented, fake, draws.noise, gan.diversity
                )
            gradients = tape.gradient(of_generator, generator.trainable_variables)
            generator_optimizer.apply(gradients, generator.trainable_variables)
        gan.average()
        return of_discriminator, of_generator

    return step


def train_by_gradients(gan, faces, batch_size, first_epoch, epochs, finish):
    """Train until `epochs` are done; after each, call finish(its number from 1, [(loss, loss), ...])."""
    rows = batch_size * gan.discriminator_steps
    step, source = make_step(gan), batches(faces, rows, gan.seed, first_epoch)
    for epoch in range(first_epoch + 1, epochs + 1):
        turns = tqdm(range(len(faces) // rows), f"epoch {epoch}", disable=not sys.stdout.isatty())
        losses = [step(tf.constant(next(source))) for _ in turns]
        finish(epoch, [(float(one), float(other)) for one, other in losses])


# The second loop: Keras' own. The step is a method of a model, and fit() calls it


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
            loss = discriminator_loss(
                self.gan.loss, self.discriminator, real, fake, draws.mix, self.gan.r1, self.gan.step
            )
        weights = self.discriminator.trainable_weights
        self.discriminator_optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights))
        if self.gan.loss == "wgan":
            clip(self.discriminator)
        return loss

    def update_generator(self, batch_size, turn):
        draws = self.gan.draw(batch_size, turn)
        with tf.GradientTape() as tape:
            fake = self.generator(draws.noise, training=True)
            augmented = self.gan.augment(fake, draws.changes[1])
            loss = generator_loss(
                self.gan.loss, self.discriminator, augmented, fake, draws.noise, self.gan.diversity
            )
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

"""What both loops train: two networks, their optimisers, and all that is random.

Each draw depends on the seed and the number of the step, and on nothing else. So both loops draw the same,
and so does a training that was stopped and goes on. Devices that share a batch have draws of their own.
"""

from collections import namedtuple
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from augment import augment, flip
from model import NOISE

TURNS = 32  # seeds set apart for each step, which has no more updates
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
        seeds = [tf.stack([seed, (self.step * TURNS + turn) * 8 + index]) for index in range(5)]
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

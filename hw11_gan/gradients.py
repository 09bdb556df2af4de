"""The first of two loops: explicit gradient tapes. trainer.py is the second."""

import sys

import tensorflow as tf
from gan import batches
from losses import clip, discriminator_loss, generator_loss
from tqdm import tqdm


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
                of_discriminator = discriminator_loss(gan.loss, discriminator, real, fake, draws.mix)
            gradients = tape.gradient(of_discriminator, discriminator.trainable_variables)
            discriminator_optimizer.apply(gradients, discriminator.trainable_variables)
            if gan.loss == "wgan":
                clip(discriminator)

        for turn in tf.range(gan.discriminator_steps, gan.discriminator_steps + gan.generator_steps):
            draws = gan.draw(parts.shape[1], turn)
            with tf.GradientTape() as tape:
                fake = gan.augment(generator(draws.noise, training=True), draws.changes[1])
                of_generator = generator_loss(gan.loss, discriminator, fake, draws.noise, gan.diversity)
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

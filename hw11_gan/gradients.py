"""The first of two loops: every gradient is taken and applied in plain sight. trainer.py is the second."""

import sys

import tensorflow as tf
from gan import batches
from losses import clip, discriminator_loss, generator_loss
from tqdm import tqdm


def make_step(gan):
    """Returns step(uint8 (batch, h, w, 3)) -> the two losses: one update of the discriminator, then the
    generator's."""
    generator, discriminator = gan.generator, gan.discriminator
    generator_optimizer, discriminator_optimizer = gan.optimizers

    @tf.function(jit_compile=False)  # XLA's convolutions have no fast bfloat16 on a processor
    def step(pixels):
        draws = gan.draw(len(pixels), turn=0)
        real = gan.augment(gan.real(pixels, draws.flips), draws.changes[0])
        fake = gan.augment(generator(draws.noise, training=True), draws.changes[1])
        with tf.GradientTape() as tape:  # begins after the generator: nothing flows back into it
            loss = discriminator_loss(gan.loss, discriminator, real, fake, draws.mix)
        gradients = tape.gradient(loss, discriminator.trainable_variables)
        discriminator_optimizer.apply(gradients, discriminator.trainable_variables)
        if gan.loss == "wgan":
            clip(discriminator)

        of_generator = tf.constant(0.0)
        for turn in tf.range(1, gan.generator_steps + 1):  # the graph's own loop: five are as soon compiled
            draws = gan.draw(len(pixels), turn)
            with tf.GradientTape() as tape:
                fake = gan.augment(generator(draws.noise, training=True), draws.changes[1])
                of_generator = generator_loss(gan.loss, discriminator, fake, draws.noise, gan.diversity)
            gradients = tape.gradient(of_generator, generator.trainable_variables)
            generator_optimizer.apply(gradients, generator.trainable_variables)
        gan.average()
        return loss, of_generator

    return step


def train_by_gradients(gan, faces, batch_size, first_epoch, epochs, finish):
    """Train until `epochs` are done; after each, call finish(its number from 1, [(loss, loss), ...])."""
    step, source = make_step(gan), batches(faces, batch_size, gan.seed, first_epoch)
    for epoch in range(first_epoch + 1, epochs + 1):
        turns = tqdm(range(len(faces) // batch_size), f"epoch {epoch}", disable=not sys.stdout.isatty())
        losses = [step(tf.constant(next(source))) for _ in turns]
        finish(epoch, [(float(one), float(other)) for one, other in losses])

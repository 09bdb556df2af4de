"""The first of two loops: every gradient is taken and applied in plain sight. trainer.py is the second."""

import sys

import tensorflow as tf
from losses import clip, discriminator_loss, generator_loss
from pair import batches
from tqdm import tqdm


def make_step(pair):
    """Returns step(uint8 (batch, h, w, 3)) -> the two losses: one update of the discriminator, then the
    generator's."""
    generator, discriminator = pair.generator, pair.discriminator
    generator_optimizer, discriminator_optimizer = pair.optimizers

    @tf.function(jit_compile=False)  # XLA's convolutions have no fast bfloat16 on a processor
    def step(pixels):
        draws = pair.draw(len(pixels), turn=0)
        real = pair.shown(pair.real(pixels, draws.flips), draws.changes[0])
        fake = pair.shown(generator(draws.noise, training=True), draws.changes[1])
        with tf.GradientTape() as tape:  # begins after the generator: nothing flows back into it
            loss = discriminator_loss(pair.loss, discriminator, real, fake, draws.mix)
        slopes = tape.gradient(loss, discriminator.trainable_variables)
        discriminator_optimizer.apply(slopes, discriminator.trainable_variables)
        if pair.loss == "wgan":
            clip(discriminator)

        of_generator = tf.constant(0.0)
        for turn in tf.range(1, pair.generator_steps + 1):  # the graph's own loop: five are as soon compiled
            draws = pair.draw(len(pixels), turn)
            with tf.GradientTape() as tape:
                fake = pair.shown(generator(draws.noise, training=True), draws.changes[1])
                of_generator = generator_loss(pair.loss, discriminator, fake, draws.noise, pair.diversity)
            slopes = tape.gradient(of_generator, generator.trainable_variables)
            generator_optimizer.apply(slopes, generator.trainable_variables)
        pair.average()
        return loss, of_generator

    return step


def train_by_gradients(pair, faces, batch_size, first_epoch, epochs, finish):
    """Train until `epochs` are done; after each, call finish(its number from 1, [(loss, loss), ...])."""
    step, source = make_step(pair), batches(faces, batch_size, pair.seed, first_epoch)
    for epoch in range(first_epoch + 1, epochs + 1):
        turns = tqdm(range(len(faces) // batch_size), f"epoch {epoch}", disable=not sys.stdout.isatty())
        losses = [step(tf.constant(next(source))) for _ in turns]
        finish(epoch, [(float(one), float(other)) for one, other in losses])

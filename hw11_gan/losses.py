"""What the two networks are trained to. Both loops of this chapter take their losses from here.

Numbers of the discriminator: `real` for true images, `fake` for generated ones, float32 (batch, 1).

| loss    | the discriminator lowers                           | the generator lowers | beside that      |
|---------|----------------------------------------------------|----------------------|------------------|
| dcgan   | -log D(real) - log(1 - D(fake)), D = sigmoid       | -log D(fake)         | R1               |
| lsgan   | (real - 1)^2 / 2 + fake^2 / 2                      | (fake - 1)^2 / 2     |                  |
| wgan    | fake - real                                        | -fake                | weights clipped  |
| wgan-gp | fake - real                                        | -fake                | gradient penalty |
| sngan   | max(0, 1 - real) + max(0, 1 + fake)                | -fake                | spectral norm 1  |

All are means over the batch. Goodfellow et al. 2014 and Radford et al. 2015, Mao et al. 2017, Arjovsky et al.
2017, Gulrajani et al. 2017, Miyato et al. 2018; R1 is of Mescheder et al. 2018. A new loss is one more entry
of LOSSES.
"""

import tensorflow as tf
from recipes import R1_EVERY

CLIP = 0.01  # wgan: no weight of the discriminator is larger
PENALTY = 10.0  # wgan-gp: strength of the gradient penalty
LOSSES = {  # name: (loss of the discriminator, loss of the generator, how the discriminator is normalised)
    "dcgan": (
        lambda real, fake: tf.nn.softplus(-real) + tf.nn.softplus(fake),
        lambda fake: tf.nn.softplus(-fake),
        "batch",
    ),
    "lsgan": (
        lambda real, fake: 0.5 * (tf.square(real - 1) + tf.square(fake)),
        lambda fake: 0.5 * tf.square(fake - 1),
        "batch",
    ),
    "wgan": (lambda real, fake: fake - real, lambda fake: -fake, "batch"),
    "wgan-gp": (lambda real, fake: fake - real, lambda fake: -fake, None),
    "sngan": (
        lambda real, fake: tf.nn.relu(1 - real) + tf.nn.relu(1 + fake),
        lambda fake: -fake,
        "spectral",
    ),
}


def discriminator_loss(name, discriminator, real, fake, mix, r1=0.0, step=0):
    """real, fake : float32 (batch, h, w, 3). mix : (batch, 1, 1, 1), 0 to 1, wgan-gp's. Returns a scalar.

    r1 : strength of r1_penalty(), which is taken in each R1_EVERY-th step, from step 0 on.
    The two halves are two batches: with batch normalisation, each is normalised by its own statistics.
    """
    of_real, of_fake = discriminator(real, training=True), discriminator(fake, training=True)
    loss = tf.reduce_mean(LOSSES[name][0](of_real, of_fake))
    if name == "wgan-gp":
        loss += PENALTY * gradient_penalty(discriminator, real, fake, mix)
    if r1:
        strength = r1 * R1_EVERY
        loss += tf.cond(step % R1_EVERY == 0, lambda: strength * r1_penalty(discriminator, real), lambda: 0.0)
    return loss


def generator_loss(name, discriminator, augmented, fake, noise, diversity=0.0):
    """fake : float32 (batch, h, w, 3), made of noise (batch, NOISE); augmented : these as the discriminator
    sees them. Returns a scalar."""
    loss = tf.reduce_mean(LOSSES[name][1](discriminator(augmented, training=True)))
    if diversity:
        loss += diversity * mode_seeking_loss(fake, noise)
    return loss


def gradient_penalty(critic, real, fake, mix):
    """E[(|d critic / d image| - 1)^2] at images between real and fake ones, drawn by mix."""
    between = mix * real + (1 - mix) * fake
    lengths = tf.sqrt(squared_gradients(critic, between) + 1e-12)
    return tf.reduce_mean(tf.square(lengths - 1))


def r1_penalty(discriminator, real):
    """E[|d logit / d image|^2] / 2 at true images: the discriminator may not be steep where the data lie.

    Else it learns the faces by heart, and what the generator is told is noise.
    """
    return tf.reduce_mean(squared_gradients(discriminator, real)) / 2


def squared_gradients(discriminator, images):
    """|d sum of the discriminator's numbers / d image|^2 of images (batch, h, w, 3): float32 (batch,)."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        numbers = discriminator(images, training=True)
    return tf.reduce_sum(tf.square(tape.gradient(numbers, images)), axis=(1, 2, 3))


def mode_seeking_loss(fake, noise):
    """|difference of noises| / |difference of images|, small where other noises give other images.

    The mode-seeking loss of Mao et al. 2019, on neighbours in the batch.
    """
    apart = tf.reduce_mean(tf.abs(fake - tf.roll(fake, 1, axis=0)), axis=(1, 2, 3))
    noise_apart = tf.reduce_mean(tf.abs(noise - tf.roll(noise, 1, axis=0)), axis=1)
    return tf.reduce_mean(noise_apart) / (tf.reduce_mean(apart) + 1e-5)


def clip(discriminator):
    """WGAN's way to a gradient that is bounded: no weight is larger than CLIP."""
    for variable in discriminator.trainable_variables:
        variable.assign(tf.clip_by_value(variable, -CLIP, CLIP))

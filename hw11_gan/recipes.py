"""What suits a set of images, and what suits a loss."""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Recipe:
    """A training's length, rate and networks."""

    epochs: int
    batch_size: int
    learning_rate: float  # the generator's, of Adam
    image_size: int  # pixels a side
    width: int  # of the networks
    kernel: int  # side of their kernels
    discriminator_steps: int = 1  # updates of the discriminator in a step


@dataclass(frozen=True)
class LossRecipe:
    """How a loss's networks are updated."""

    rate: float  # the discriminator's learning rate, as a multiple of the generator's
    beta_1: float  # Adam's, of both networks
    steps: int = 1  # updates of the discriminator in a step
    epsilon: float = 1e-3  # of its batch normalisation: Keras' own. A clipped one's variances are far less
    r1: float = 0.0  # strength of the gradient penalty at true images


R1_EVERY = 8  # steps: R1 is taken so seldom, and as many times as strong (Karras et al. 2020)
UPDATES = 23_400  # at most, of the default's discriminator: with many faces that is fewer epochs
RECIPES = {
    "default": Recipe(50, 32, 0.0002, 64, 32, 4),
    "original": Recipe(10, 64, 0.0001, 64, 64, 5),
    "synthetic": Recipe(60, 16, 0.0005, 32, 16, 4),
}
LOSS_RECIPES = {
    "dcgan": LossRecipe(1, 0.5, r1=0.05),
    "lsgan": LossRecipe(1, 0.5),
    "wgan": LossRecipe(1, 0.0, 5, 1e-5),
    "wgan-gp": LossRecipe(2, 0.0, 5),
    "sngan": LossRecipe(2, 0.5),
}


def recipe_of(args):
    """The recipe that the flags ask for; --synthetic keeps the networks narrow.

    The default has 50 epochs, but no more than UPDATES updates of the discriminator.
    """
    chosen = RECIPES["original" if args.original else "synthetic" if args.synthetic else "default"]
    if chosen is RECIPES["default"]:
        faces = sum(1 for _ in (args.data_dir / "faces").glob("[!.]*"))
        batch_size = args.batch_size or chosen.batch_size
        epochs = max(1, UPDATES * batch_size // max(faces, 1))
        chosen = replace(chosen, epochs=min(chosen.epochs, epochs))
    narrow = min(chosen.width, RECIPES["synthetic"].width) if args.synthetic else chosen.width
    return replace(chosen, width=narrow, discriminator_steps=LOSS_RECIPES[args.loss].steps)

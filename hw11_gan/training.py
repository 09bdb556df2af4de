"""The networks that the flags ask for, and what is done after each epoch of either loop."""

import time

from scaffold import BadInput, replacing

import keras
import numpy as np
from gan import DECAY, GAN
from losses import LOSSES
from model import build_discriminator, build_generator, draw_noise, generate, recalibrate_batch_norm
from recipes import CRITICS, recipe_of
from sheets import sheet

SHEET = 64  # images of an epoch's sheet


def build_gan(args):
    """The networks, optimisers and draws that the flags ask for, untrained."""
    recipe, critic = recipe_of(args), CRITICS[args.loss]
    try:
        return GAN(
            build_generator(args.image_size, recipe.width, recipe.kernel, 0.99 if args.original else 0.9),
            build_discriminator(args.image_size, recipe.width, recipe.kernel, LOSSES[args.loss][-1]),
            args.loss,
            learning_rates=(args.learning_rate, critic.rate * args.learning_rate),
            beta_1=critic.beta_1,
            generator_steps=args.generator_steps,
            diversity=args.diversity,
            augmented=not args.original,
            decay=0.0 if args.original else DECAY,
            seed=args.seed,
        )
    finally:
        keras.mixed_precision.set_global_policy("float32")  # what is built later measures


def sheet_of(args, epoch):
    """The file of an epoch's sheet."""
    return args.out_dir / "samples" / f"epoch_{epoch:03d}.png"


def finisher(args, gan, checkpoint):
    """finish(epoch, losses): add a row, write the epoch's sheet, the checkpoint and a line."""
    noise, clocks = draw_noise(SHEET, args.seed), [time.perf_counter(), time.process_time()]
    (args.out_dir / "samples").mkdir(exist_ok=True)

    def finish(epoch, losses):
        weights = [np.isfinite(weight).all() for weight in gan.averaged.get_weights()]
        if not (np.isfinite(losses).all() and all(weights)):
            raise BadInput(
                f"epoch {epoch}: a loss is not a number, --learning-rate {args.learning_rate} may be too "
                f"large; {checkpoint.path} holds what was before, if there was an epoch."
            )
        of_discriminator, of_generator = np.mean(losses, axis=0)
        seconds, of_processor = time.perf_counter() - clocks[0], time.process_time() - clocks[1]
        checkpoint.rows.append(
            {
                "discriminator": of_discriminator,
                "generator": of_generator,
                "seconds": seconds,
                "processor_seconds": of_processor,
            }
        )
        print(f"epoch {epoch}/{args.epochs}   discriminator {of_discriminator:.3f}", end="   ")
        print(f"generator {of_generator:.3f}   {seconds:.1f} s", flush=True)
        recalibrate_batch_norm(gan.averaged)
        with replacing(sheet_of(args, epoch)) as path:
            sheet(generate(gan.averaged, noise), columns=8).save(path)
        checkpoint.save(gan.variables)
        clocks[:] = time.perf_counter(), time.process_time()

    return finish

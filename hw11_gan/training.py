"""The networks that the flags ask for, and what is done after each epoch of either loop."""

import time

from scaffold import BadInput, replacing

import keras
import numpy as np
from checkpoint import Checkpoint
from device import ALONE, share_batches, sharing
from gan import GAN, train_by_fit, train_by_gradients
from losses import LOSSES
from metrics import choose_features, measure
from model import build_discriminator, build_generator, draw_noise, generate, recalibrate_batch_norm
from recipes import LOSS_RECIPES, recipe_of
from sheets import sheet

SHEET = 64  # images of an epoch's sheet
GENERATED = 500  # images that are measured
FEATURES = "real_features.npz"  # of the faces kept aside
FREE = ("loop", "feature_model")  # flags that may differ when a training goes on


def build_gan(args):
    """The networks, optimisers and draws that the flags ask for, untrained."""
    recipe, of_loss = recipe_of(args), LOSS_RECIPES[args.loss]
    try:
        return GAN(
            build_generator(args.image_size, recipe.width, recipe.kernel, 0.99 if args.original else 0.9),
            build_discriminator(
                args.image_size, recipe.width, recipe.kernel, LOSSES[args.loss][-1], of_loss.epsilon
            ),
            args.loss,
            learning_rates=(args.learning_rate, of_loss.rate * args.learning_rate),
            beta_1=of_loss.beta_1,
            discriminator_steps=args.discriminator_steps,
            generator_steps=args.generator_steps,
            diversity=args.diversity,
            r1=0.0 if args.original else of_loss.r1,
            augmented=not args.original,
            averaging=not args.original,
            seed=args.seed,
        )
    finally:
        keras.mixed_precision.set_global_policy("float32")  # what is built later measures


def begin(args, data_dir, faces):
    """The untrained networks, and what will measure the images that they draw, or None."""
    gan, devices = build_gan(args), len(sharing)
    share_batches(*ALONE)  # what measures is learnt on one device
    features = choose_features(args, data_dir, faces)
    share_batches(devices, args.batch_size)
    return gan, features


def fit(args, gan, faces):
    """Train, with --resume from the last finished epoch on. Returns the history, a row an epoch."""
    checkpoint = Checkpoint(args, [faces], FREE)
    if args.resume:
        checkpoint.restore(gan.variables)
    train = train_by_gradients if args.loop == "gradients" else train_by_fit
    done = len(checkpoint.rows)
    train(gan, faces, args.batch_size, done, args.epochs, EpochEnd(args, gan, checkpoint))
    share_batches(*ALONE)  # what comes is drawn and measured on one device
    return checkpoint.history()


def measured(args, gan, features, held_out):
    """What GENERATED images come to beside the faces kept aside; see metrics.measure()."""
    generated = generate(gan.averaged, draw_noise(GENERATED, args.seed))
    return measure(features, held_out, generated, args.out_dir / FEATURES)


def sheets_of(args, epochs):
    """The sheets of some epochs that are there: {epoch: file}."""
    return {epoch: path for epoch in epochs if (path := sheet_of(args, epoch)).is_file()}


def sheet_of(args, epoch):
    """The file of an epoch's sheet."""
    return args.out_dir / "samples" / f"epoch_{epoch:03d}.png"


class EpochEnd:
    """What is done after each epoch of either loop: called with its number from 1 and the steps' losses.

    It adds a row to the history, writes the epoch's sheet and saves the checkpoint.
    Raises BadInput if a loss or a weight is not a number.
    """

    def __init__(self, args, gan, checkpoint):
        self.args, self.gan, self.checkpoint = args, gan, checkpoint
        self.noise = draw_noise(SHEET, args.seed)
        (args.out_dir / "samples").mkdir(exist_ok=True)
        self.began, self.processor = time.perf_counter(), time.process_time()

    def __call__(self, epoch, losses):
        gan, epochs = self.gan, self.args.epochs
        if not np.isfinite(losses).all() or not all(np.isfinite(w).all() for w in gan.averaged.get_weights()):
            raise BadInput(
                f"epoch {epoch}: a loss is not a number, --learning-rate {self.args.learning_rate} may be "
                f"too large; {self.checkpoint.path} holds what was before, if there was an epoch."
            )
        of_discriminator, of_generator = np.mean(losses, axis=0)
        row = {
            "discriminator": of_discriminator,
            "generator": of_generator,
            "seconds": time.perf_counter() - self.began,
            "processor_seconds": time.process_time() - self.processor,
        }
        self.checkpoint.rows.append(row)
        print(f"epoch {epoch}/{epochs}   discriminator {of_discriminator:.3f}", end="   ")
        print(f"generator {of_generator:.3f}   {row['seconds']:.1f} s", flush=True)
        recalibrate_batch_norm(gan.averaged)
        with replacing(sheet_of(self.args, epoch)) as path:
            sheet(generate(gan.averaged, self.noise), columns=8).save(path)
        self.checkpoint.save(gan.variables)
        self.began, self.processor = time.perf_counter(), time.process_time()

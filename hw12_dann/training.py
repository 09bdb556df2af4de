"""The three networks in one model, and its training by fit()."""

import sys

import keras
import numpy as np
from adversary import DomainAdversary
from batches import Pairs
from checkpoint import Checkpoint
from model import build_extractor, build_head
from views import COLOURS, EDGES

MOMENTUM = 0.5  # Adam's first: with 0.9 extractor and discriminator overshoot each other


def strength(args):
    """lambda as a number, None for the schedule."""
    if args.method in ("source-only", "target"):
        return 0.0
    if args.lambda_ == "schedule":
        return None
    return float(args.lambda_)


def build(args, shape, training):
    """The three networks in one model, compiled for fit()."""
    source, labels, target = training
    precision = keras.mixed_precision.dtype_policy().name
    keras.mixed_precision.set_global_policy("float32")
    means, deviations = zip(*((domain.mean(), domain.std()) for domain in (source, target)))
    extractor = build_extractor(shape, float(np.mean(means)), float(np.mean(deviations)), precision)
    size, shares = extractor.output_shape[-1], np.bincount(labels) / len(labels)
    steps = args.epochs * len(Pairs(*training, args.batch_size // 2, args.seed))
    model = DomainAdversary(
        extractor,
        build_head(size, len(shares), "predictor", precision),
        build_head(size, 1, "discriminator", precision),
        COLOURS if args.no_edges else EDGES,
        steps,
        strength(args),
        shares.astype(np.float32) if args.method == "pseudo-labels" else None,
        seed=args.seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate, beta_1=MOMENTUM), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def fit(args, model, training):
    """Train, with --resume from the last finished epoch on. Returns a row an epoch."""
    checkpoint, variables = Checkpoint(args), [*model.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    done = len(checkpoint.rows)
    model.fit(
        Pairs(*training, args.batch_size // 2, args.seed, epoch=done),
        initial_epoch=done,
        epochs=args.epochs,
        shuffle=False,  # the batches are mixed already
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[checkpoint.callback(variables)],
    )
    return checkpoint.history()

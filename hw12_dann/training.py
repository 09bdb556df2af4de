"""The three networks in one model, and its training by fit().

The first epochs learn from the source and the adversary; the last ones, with --method pseudo-labels, also
from the teacher's pseudo-labels of ever more of the target, which are renewed before each epoch.
"""

import sys

import keras
import numpy as np
from augmentation import COLOURS, EDGES
from batches import Pairs
from checkpoint import Checkpoint
from dann import DomainAdversary
from device import ALONE, share_batches
from model import build_extractor, build_head, outputs_of, recalibrate_batch_norm, whole_model
from pseudo_labels import pseudo_labels

MOMENTUM = 0.5  # Adam's first: with 0.9 extractor and discriminator overshoot each other
DECAY = 0.001  # of the weights
FEWEST, MOST = 0.3, 0.9  # of the target get a pseudo-label, in the first epoch with them and the last


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
    size, classes = extractor.output_shape[-1], int(labels.max()) + 1
    steps = args.epochs * len(Pairs(*training, args.batch_size // 2, args.seed))
    model = DomainAdversary(
        extractor,
        build_head(size, classes, "predictor", precision),
        build_head(size, 1, "discriminator", precision),
        COLOURS if args.no_edges else EDGES,
        steps,
        strength(args),
        seed=args.seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=DECAY, beta_1=MOMENTUM))
    model.optimizer.build(model.trainable_variables)
    return model


def fit(args, model, training):
    """Train, with --resume from the last finished epoch on. Returns a row an epoch."""
    checkpoint, variables = Checkpoint(args, training), [*model.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    pairs = Pairs(*training, args.batch_size // 2, args.seed)
    begin = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: pairs.begin(epoch, pseudo_labels_of(args, model, training, epoch))
    )
    for use_pseudo_labels, end in ((False, first_with_labels(args)), (True, args.epochs)):
        model.use_pseudo_labels = use_pseudo_labels
        model.compile(model.optimizer, jit_compile=False)  # the step is another one
        model.fit(
            pairs,
            initial_epoch=len(checkpoint.rows),
            epochs=end,
            shuffle=False,  # the batches are mixed already
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[begin, checkpoint.callback(variables)],
        )
    share_batches(*ALONE)  # what comes is read on one device
    return checkpoint.history()


def apply(teacher, domain, images):
    """The teacher with a domain's normalisation: in one model; its log-probabilities (n, classes)."""
    recalibrate_batch_norm(teacher[0], domain)
    whole = whole_model(*teacher)
    return whole, outputs_of(whole, images)[0]


def first_with_labels(args):
    """The first epoch, from 0 on, with pseudo-labels; the number of epochs if there is none."""
    return round(args.pseudo_labels_from * args.epochs) if args.method == "pseudo-labels" else args.epochs


def pseudo_labels_of(args, model, training, epoch):
    """The target's pseudo-labels in an epoch, from 0 on: int32 (m,), -1 for none."""
    _, labels, target = training
    first, shares = first_with_labels(args), np.bincount(labels) / len(labels)
    if epoch < first:
        return np.full(len(target), -1, np.int32)
    portion = FEWEST + (MOST - FEWEST) * (epoch - first) / max(args.epochs - 1 - first, 1)
    recalibrate_batch_norm(model.teacher[0], target)
    logs, features = outputs_of(whole_model(*model.teacher), target)
    return pseudo_labels(np.exp(logs), features, shares, portion)

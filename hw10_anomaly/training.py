"""The training of the networks, what is kept of the training images, and the scores of the test."""

import sys
import time

from scaffold import BadInput

import keras
import numpy as np
import pandas as pd
from batches import Images
from checkpoint import Checkpoint, digest_of
from contrastive import Views, nt_xent
from dataset import as_floats
from device import ALONE, share_batches
from finetuning import fine_tune
from model import build_model, prepared, set_components
from rotation import RotatedImages
from scoring import KNOWN, against_training, auc, codes_of, errors, interval, parts, score_images, split
from sklearn.decomposition import PCA
from vae import squared_error

COMPONENTS_FROM = 10_000  # training images that principal components are made of, at most


def begin(args, network, training):
    """The network by its name, untrained; the rows of training images to learn from, and those held out."""
    rows, held_out = split(len(training), args.seed)
    return build_model(network, training.shape[1:], args.code_size), rows, held_out


def digests(**sets):
    """By which predict.py knows the images of a training: {name: digest}."""
    return {name: digest_of([images]) for name, images in sets.items()}


def fit_all(args, model, training, test, rows, held_out):
    """Train the model and, for the score fine-tuned, its copies. Returns the history; the copies in one
    model, or None; and their history."""
    history = (fit_components if model.name == "pca" else fit)(args, model, training, rows, held_out)
    networks, fold_history = None, pd.DataFrame({"seconds": [], "processor": []})
    if args.score == "fine-tuned":
        networks, fold_history = fine_tune(args, model, training, rows, test)
    share_batches(*ALONE)  # what comes is scored on one device
    return history, networks, fold_history


def fit(args, model, training, rows, held_out):
    """Train by descent, with --resume from the last finished epoch on. Returns a row an epoch."""
    steps = args.epochs * -(-len(rows) // args.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 20, warmup_target=args.learning_rate, warmup_steps=steps // 20
    )
    if model.name == "rotation":
        Batches = RotatedImages
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    else:
        Batches, loss = (Views, nt_xent) if model.name == "contrastive" else (Images, squared_error)
        optimizer, metrics = keras.optimizers.Adam(rate), []
    # Without XLA a CPU takes 1.2 times as many images a second for rotation, and 1.8 times for cnn.
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    variables = [*model.variables, *optimizer.variables]
    checkpoint = Checkpoint(args, [training], free=("answers", "score"))
    if args.resume:
        checkpoint.restore(variables)
    done = len(checkpoint.rows)
    model.fit(
        Batches(training, rows, args.batch_size, training=True, seed=args.seed, epoch=done),
        validation_data=Batches(training, held_out, args.batch_size),
        initial_epoch=done,
        epochs=args.epochs,
        shuffle=False,  # the batches are mixed already
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[checkpoint.callback(variables)],
    )
    return checkpoint.history()


def fit_components(args, model, training, rows, held_out):
    """Set a pca model to the principal components. Returns a history of one row."""
    began, processor = time.perf_counter(), time.process_time()
    images = as_floats(training[rows[:: -(-len(rows) // COMPONENTS_FROM)]])
    flat = images.reshape(len(images), -1)  # (n, pixels)
    if args.code_size > min(flat.shape):
        raise BadInput(f"--code-size {args.code_size}: expected at most {min(flat.shape)} components.")
    space = PCA(args.code_size, svd_solver="randomized", random_state=args.seed).fit(flat)
    set_components(model, space.mean_, space.components_)
    seconds = {"seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
    losses = {
        name: float(np.mean(np.concatenate([errors(model, part) for part in parts(training, some)])))
        for name, some in (("loss", rows), ("val_loss", held_out))
    }
    return pd.DataFrame([{**losses, **seconds}], index=pd.RangeIndex(1, 2, name="epoch"))


def keep_codes(args, model, training, rows):
    """The codes of some training images, float16 (m, d), and their rows: what predict.py compares with."""
    chosen = np.sort(np.random.default_rng(args.seed).permutation(rows)[:KNOWN])
    with np.errstate(over="ignore"):  # score_images says so, if the score needs codes
        return codes_of(prepared(model), training, chosen).astype(np.float16), chosen


def evaluate(args, model, networks, codes, test, training, held_out, anomaly):
    """Score the test; what metrics.json says of the scores. `anomaly`: 0 or 1 each, or None."""
    train_codes, every = codes.astype(np.float32), np.arange(len(test))
    fine_tuned = networks, args.seed
    scores, others = score_images(model, args.score, train_codes, test, every, training, held_out, fine_tuned)
    without = against_training(scores, others)
    if anomaly is None:
        return {"metric": "ROC-AUC of the test against held-out training images", "score": without}
    low, high = interval(anomaly, scores)
    print(f"ROC-AUC {auc(anomaly, scores):.4f}, 95% of bootstraps {low:.4f} to {high:.4f}")
    return {
        "metric": "ROC-AUC",
        "score": auc(anomaly, scores),
        "interval": [low, high],
        "against_training": without,
    }

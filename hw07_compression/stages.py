"""The stages of the chain: train a model, and say what it has come to.

In history.csv stage 0 is a teacher of our own, 1 the student, 2 its fine-tuning after pruning.
"""

import sys

import keras
import numpy as np
from architecture import multiply_adds
from checkpoint import StageCheckpoint
from distillation import Distillation, log_odds, named_right
from model import accuracy

STAGES = ("teacher", "student", "pruned")
HISTORY = ("stage", "accuracy", "loss", "val_accuracy", "val_loss", "seconds")  # columns of history.csv
WARM_UP = 0.1  # share of a stage's steps in which the learning rate rises
FINE = 4  # after a stage of training, fine-tuning has a fourth of its epochs and of its learning rate
WATCHED = 1000  # pictures of validation/ that history.csv is about; the score is about all
AFTERWARDS = {"data_dir", "out_dir", "resume", "limit", "bits", "grid"}  # may change with --resume


def fit(args, stage, model, views, validation):
    """Train a stage, with --resume from its last finished epoch on. Returns its rows of history.csv.

    SGD with Nesterov's momentum; the learning rate rises for a tenth of the steps and falls along a cosine.
    """
    part = FINE if stage == "pruned" and not args.from_teacher else 1
    alpha, epochs = args.alpha if views.teacher else 0.0, max(1, args.epochs // part)
    steps = epochs * len(views)
    warm_up, highest = int(WARM_UP * steps), args.learning_rate / part
    rate = keras.optimizers.schedules.CosineDecay(
        highest / 10, steps - warm_up, warmup_target=highest, warmup_steps=warm_up
    )
    model.compile(
        keras.optimizers.SGD(rate, 0.9, nesterov=True, weight_decay=5e-4),
        Distillation(args.temperature, alpha),
        metrics=[keras.metrics.MeanMetricWrapper(named_right, name="accuracy")],
        jit_compile=keras.backend.backend() != "tensorflow",  # there it takes 2.6 times as long
    )
    model.optimizer.build(model.trainable_variables)
    free = AFTERWARDS if stage == "pruned" else AFTERWARDS | {"prune", "rank"}
    flags = {name: value for name, value in arguments(args).items() if name not in free}
    checkpoint = StageCheckpoint(args.out_dir / f"checkpoint_{stage}.npz", flags)
    checkpoint.take_up(model)
    if len(checkpoint.rows) < epochs:
        views.ask()
        views.start(len(checkpoint.rows))
        some = np.linspace(0, len(validation[1]) - 1, min(WATCHED, len(validation[1]))).astype(int)
        watched, right = validation[0][some], views.one_hot[validation[1][some]]
        meant = log_odds(views.teacher, watched) if views.teacher else np.zeros_like(right)
        model.fit(
            views,
            validation_data=(watched, np.concatenate([right, meant], axis=1)),
            validation_batch_size=500,
            initial_epoch=len(checkpoint.rows),
            epochs=epochs,
            shuffle=False,  # Views does
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[checkpoint],
        )
    return [{"stage": STAGES.index(stage), **row} for row in checkpoint.rows]


def arguments(args):
    """The flags as JSON can hold them; of a teacher its name, so that it may lie elsewhere another time."""
    values = {name: str(value) if name.endswith("_dir") else value for name, value in vars(args).items()}
    return values | {"teacher": args.teacher and args.teacher.name}


def measured(step, model, validation, written=None):
    """A row of the chain: what a model costs and how right it is; in float32, a weight takes four bytes."""
    row = {
        "step": step,
        "bytes": written or 4 * model.count_params(),
        "parameters": model.count_params(),
        "nonzero": int(sum(np.count_nonzero(weight) for weight in model.get_weights())),
        "multiply_adds": multiply_adds(model),
        "accuracy": accuracy(model, *validation),
    }
    print(
        f"{step}: {row['bytes']:,} bytes, {row['parameters']:,} parameters, "
        f"{row['multiply_adds']:,} multiply-adds, accuracy {row['accuracy']:.4f}",
        flush=True,
    )
    return row

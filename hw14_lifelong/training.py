"""One task after the other: the training of all methods.

They differ in three places only: what a stage learns from (stages_of), what a step descends (make_step), and
what is done after a task (consolidate).
"""

import time
from dataclasses import dataclass, field

from scaffold import BadInput, replacing

import keras
import numpy as np
import tensorflow as tf
from checkpoint import Checkpoint
from importance import cross_entropy, draw_labels, fisher, mas, scp
from metrics import accuracy, logits_of, mean_cross_entropy
from model import build_model
from penalty import Penalty
from tasks import only_permuted, snapshot
from tqdm import tqdm

IMPORTANCE_EXAMPLES = 2000  # training images that an importance is measured on, at most
FADING = 0.95  # what online EWC leaves of the older importances


@dataclass
class Progress:
    """How far a training has come, beside its weights: rows of history.csv and of the two matrices."""

    history: list = field(default_factory=list)  # a dict an epoch
    cross_entropy: list = field(default_factory=list)  # (tasks finished + 1, tasks), on the test parts
    accuracy: list = field(default_factory=list)


@dataclass(frozen=True)
class Stage:
    """What is learnt in one go: uint8 (n, h, w, c) and int64 (n,); memory: such a pair to repeat, or None."""

    name: str
    number: int
    images: np.ndarray
    labels: np.ndarray
    memory: tuple | None = None


def build(tasks):
    """The untrained network for the images of these tasks."""
    return build_model(tasks[0].train[0].shape[1:], only_permuted([task.name for task in tasks]))


def fit(args, model, tasks):
    """Train on one stage after the other, with --resume from the last finished epoch on.

    Returns the Progress. Raises BadInput when a loss is no number any more.
    """
    optimizer = keras.optimizers.Adam(args.learning_rate)
    optimizer.build(model.trainable_variables)
    fresh = [variable.numpy() for variable in optimizer.variables]
    penalty = Penalty(model.trainable_variables, args.strength)
    step = make_step(model, optimizer, penalty)

    checkpoint = Checkpoint(args, [part for task in tasks for part in task.train])
    variables = [*model.variables, *optimizer.variables, *penalty.variables]
    if args.resume:
        checkpoint.restore(variables)
    progress = Progress(checkpoint.rows, **checkpoint.state)
    if not progress.accuracy:
        evaluate_on_tests(model, tasks, progress)
    stages = stages_of(args, tasks)
    for epoch in range(len(progress.history), args.epochs * len(stages)):
        stage, epoch_of_stage = stages[epoch // args.epochs], epoch % args.epochs
        if epoch_of_stage == 0:  # Adam's moments are of the task before
            for variable, value in zip(optimizer.variables, fresh):
                variable.assign(value)
        began = time.perf_counter()
        losses = train_epoch(args, step, optimizer, stage, epoch_of_stage)
        if not np.isfinite(losses).all():
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {args.learning_rate} or "
                f"--strength {args.strength} may be too large; {args.out_dir} holds what was before."
            )
        steps = progress.history[-1]["steps"] if progress.history else 0
        row = {
            "task": stage.number,
            "steps": steps + -(-len(stage.labels) // args.batch_size),
            "cross_entropy": losses[0],
            "penalty": losses[1],
            "seconds": time.perf_counter() - began,
        }
        for task in tasks:
            images, labels = task.validation
            row[f"accuracy_{task.name}"] = accuracy(logits_of(model, images), labels)
        progress.history.append(row)
        print(line(f"epoch {epoch + 1}/{args.epochs * len(stages)}, {stage.name}", row), flush=True)
        if epoch_of_stage == args.epochs - 1:
            evaluate_on_tests(model, tasks, progress)
            if stage is not stages[-1]:
                with replacing(args.out_dir / snapshot(stage.number)) as path:
                    model.save(path)
                if args.strength > 0:
                    consolidate(args, model, penalty, stage)
        checkpoint.state = {"cross_entropy": progress.cross_entropy, "accuracy": progress.accuracy}
        checkpoint.save(variables)
    return progress


def stages_of(args, tasks):
    """A list of Stages: one for each task, or one for all in --method joint."""
    if args.method == "joint":
        images, labels = (np.concatenate([task.train[part] for task in tasks]) for part in (0, 1))
        return [Stage("all together", 1, images, labels)]
    stages = []
    for number, task in enumerate(tasks, 1):
        memory, earlier = None, tasks[: number - 1]
        if args.method == "replay" and earlier:
            memory = tuple(
                np.concatenate([task.train[part][: args.memory] for task in earlier]) for part in (0, 1)
            )
        stages.append(Stage(task.name, number, *task.train, memory))
    return stages


def train_epoch(args, step, optimizer, stage, epoch):
    """One pass over a stage; the order depends on the seed, the stage and the epoch only.

    Returns the means of cross-entropy and penalty over the steps.
    """
    rng = np.random.default_rng([args.seed, stage.number, epoch])
    order, losses = rng.permutation(len(stage.labels)), []
    starts = range(0, len(order), args.batch_size)
    for count, start in enumerate(tqdm(starts, leave=False, ncols=80, disable=None), epoch * len(starts)):
        optimizer.learning_rate = args.learning_rate * (1 - count / (args.epochs * len(starts)))
        rows = order[start : start + args.batch_size]
        images, labels = stage.images[rows], stage.labels[rows]
        if stage.memory:  # as many old images as new ones
            drawn = rng.integers(0, len(stage.memory[1]), len(rows))
            images = np.concatenate([images, stage.memory[0][drawn]])
            labels = np.concatenate([labels, stage.memory[1][drawn]])
        losses.append(step(images, labels))
    return tf.reduce_mean(tf.stack(losses), axis=0).numpy().tolist()


def make_step(model, optimizer, penalty):
    """A compiled step of descent: uint8 (n, h, w, c), int64 (n,) -> [cross-entropy, penalty] (2,)."""
    shape = (None, *model.input_shape[1:])

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8), tf.TensorSpec((None,), tf.int64)])
    def step(images, labels):
        with tf.GradientTape() as tape:
            new = tf.reduce_mean(cross_entropy(model(tf.cast(images, tf.float32)), labels))
            old = penalty()
            loss = new + old
        optimizer.apply(tape.gradient(loss, model.trainable_variables))
        return tf.stack([new, old])

    return step


def consolidate(args, model, penalty, stage):
    """After a task: find out which weights it needs, and hold them from now on."""
    images, labels = stage.images[:IMPORTANCE_EXAMPLES], stage.labels[:IMPORTANCE_EXAMPLES]
    if args.method in ("mas", "scp"):
        importance = {"mas": mas, "scp": scp}[args.method](model, images)
    else:
        if not args.empirical:
            rng = np.random.default_rng([args.seed, stage.number, args.epochs])  # no epoch's
            labels = draw_labels(logits_of(model, images), rng)
        importance = fisher(model, images, labels)
    decay = FADING if args.method == "online-ewc" else 1.0
    penalty.add(importance, decay, latest=args.method != "ewc")


def evaluate_on_tests(model, tasks, progress):
    """Add a row to the matrices: cross-entropy and accuracy on each task's test part."""
    found = [(logits_of(model, task.test[0]), task.test[1]) for task in tasks]
    progress.cross_entropy.append([mean_cross_entropy(*pair) for pair in found])
    progress.accuracy.append([accuracy(*pair) for pair in found])


def line(head, row):
    """An epoch's line in the log."""
    accuracies = [f"{name[9:]} {value:.4f}" for name, value in row.items() if name.startswith("accuracy_")]
    return (
        f"{head}: cross-entropy {row['cross_entropy']:.4f}, penalty {row['penalty']:.4f}, "
        f"validation accuracy {', '.join(accuracies)}"
    )

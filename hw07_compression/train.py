"""Shrink an image classifier into one file of 300,000 bytes: distil, prune, quantise.

    python hw07_compression/train.py --synthetic               the chain on drawn patterns, in seconds
    python hw07_compression/train.py                           on the course's, with a teacher of its own
    python hw07_compression/train.py --teacher model.keras     a student learns from homework 3's model
    python hw07_compression/train.py --teacher model.keras --from-teacher    or begins as its copy
    python hw07_compression/train.py --block depthwise --width 2             another architecture
    python hw07_compression/train.py --alpha 0 --prune 0       quantisation alone
    python hw07_compression/train.py --resume --bits 4         another file of the same training

The score is the accuracy on validation/ of the file as predict.py reads it. It chooses no epoch and no bits:
every stage ends with its last epoch, and the bits are the most that fit --limit.
"""

import sys
import time
from dataclasses import dataclass, replace

from scaffold import BadInput, Parser, file_path, head, integer, number, positive, run, share

import numpy as np
import pandas as pd
from dataset import load_part, make_synthetic
from device import start_keras
from images import common_side, labelled_files
from matplotlib.figure import Figure
from records import claim, record, set_aside, spare

KINDS = ("normal", "depthwise", "separable", "grouped")  # see architecture.py
RANKS = ("scale", "norm", "magnitude")  # see pruning.py
SAMPLES = {"student": 1_400_000, "from-teacher": 1_200_000}  # images to see: of fewer each the more often,
MOST_EPOCHS = {"student": 80, "from-teacher": 41}  # but not more often than this


@dataclass(frozen=True)
class Recipe:
    """What suits a student; after pruning it is trained for a fourth of the epochs."""

    learning_rate: float
    prune: float  # share that is pruned
    batch_size: int = 128
    epochs: int | None = None  # None: by SAMPLES


RECIPES = {
    "student": Recipe(0.05, 0.1),
    "from-teacher": Recipe(0.05, 0.5),
    "synthetic": Recipe(0.01, 0.2, batch_size=16, epochs=16),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder that holds food-11", resume=True, devices=True)
    add = parser.add_argument
    add("--teacher", type=file_path, help="whole Keras classifier, else one is trained first")
    add("--from-teacher", action="store_true", help="the student begins as the teacher's copy, to be pruned")
    add("--temperature", type=positive(1e6), default=2.0, help="of distillation")
    add("--alpha", type=share(), default=0.9, help="share of distillation in the loss, 0: none")
    add("--block", choices=KINDS, default="normal", help="the kind of convolution")
    add("--width", type=number(float, 0.05, 100), default=1.0, help="times the student's channels")
    add("--prune", type=share(0, 0.99), help="share to remove, 0: no pruning")
    add("--rank", choices=RANKS, default="scale", help="channels by scale or norm, or weights by magnitude")
    add("--bits", type=integer(2, 8), help="of a weight, else the most that fit --limit")
    add("--grid", action="store_true", help="a uniform grid instead of shared values")
    add("--limit", type=integer(1, 10**9), default=300_000, help="bytes that the file may have")
    add("--full-precision", action="store_true", help="train in float32, not in bfloat16")
    args = parser.parse(argv, recipe)
    if args.from_teacher and args.block != "normal":
        parser.error(f"--block {args.block}: --from-teacher copies the teacher's convolutions, leave one out")
    if args.from_teacher and args.teacher:
        parser.unused("--width", by="--from-teacher with --teacher")
    if args.block == "grouped" and args.prune > 0 and args.rank != "magnitude":
        parser.error(
            f"--prune {args.prune}: a grouped convolution cannot lose single channels, expected 0 or "
            "--rank magnitude"
        )
    return args


def recipe(args):
    if args.synthetic:
        return RECIPES["synthetic"]
    name = "from-teacher" if args.from_teacher else "student"
    images = sum(1 for _ in (args.data_dir / "food-11" / "training").glob("[!.]*"))
    epochs = min(MOST_EPOCHS[name], max(1, round(SAMPLES[name] / max(images, 1))))
    return replace(RECIPES[name], epochs=epochs)


def main(argv=None):
    args = parse_args(argv)
    spare(args, [args.teacher], "model.keras")
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    folder = data_dir / "food-11"
    usual = common_side(folder / "training")
    labelled_files(folder / "validation")  # before Keras is imported, as are all faults of the files
    device = start_keras(args.seed, args.full_precision, share=(args.devices, args.batch_size))
    from training import HISTORY, STAGES, compress, given_teacher

    teacher, size = given_teacher(args, usual)
    training, validation = (load_part(folder / part, size) for part in ("training", "validation"))
    classes = count_classes(training[1], validation[1], folder)
    if teacher and teacher.output_shape[1] != classes:
        raise BadInput(
            f"{args.teacher} tells {teacher.output_shape[1]} classes apart, expected {classes} as in "
            "training/; give a teacher of these images, or leave out --teacher."
        )
    student = "the teacher's copy" if args.from_teacher else f"{args.block} convolutions"
    head(
        args,
        f"training {training[0].shape}, validation {validation[0].shape}, {classes} classes",
        f"student of {student}, on {device}",
    )

    set_aside(args)
    began = time.perf_counter()
    steps, rows, folded, plan, bits = compress(args, teacher, size, classes, training, validation)
    history = pd.DataFrame(rows, pd.RangeIndex(1, len(rows) + 1, name="epoch"), HISTORY)
    one_fit = float(history.seconds.sum())
    metrics = {
        "metric": "validation accuracy of the file",
        "score": steps[-1]["accuracy"],
        "bytes": steps[-1]["bytes"],
        "bits": bits,
        "parameters": folded.count_params(),
        "multiply_adds": steps[-1]["multiply_adds"],
        "steps": steps,
        "plan": plan,
        "seconds": {"one_fit": one_fit, "all": max(one_fit, time.perf_counter() - began)},
    }
    files = {
        "compressed.npz": None,
        "model.keras": folded.save,
        "history.csv": history,
        "learning_curve.png": plot_history(history, steps, STAGES),
    }
    metrics = record(args, metrics, files)
    if metrics["bytes"] > args.limit:
        sys.exit(
            f"{args.out_dir / 'compressed.npz'} has {metrics['bytes']} bytes with {bits} bits a weight, more "
            f"than --limit {args.limit}; it is kept; take a smaller --width or a larger --prune."
        )
    return metrics


def count_classes(training, validation, folder):
    """One more than the largest label of training/; a gap below it is worth a note, one above it an error."""
    seen = np.bincount(training)
    if validation.max() >= len(seen):
        raise BadInput(
            f"{folder / 'validation'} has images of class {validation.max()}, expected 0 to "
            f"{len(seen) - 1} as in training/."
        )
    for label in np.flatnonzero(seen == 0):
        print(f"note: training/ has no image of class {label}", file=sys.stderr)
    return len(seen)


def plot_history(history, steps, stages):
    """The learning curves of the stages, and the accuracy after each step against its bytes."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    curves, chain = figure.subplots(1, 2)
    for stage, rows in history.groupby("stage"):
        curves.plot(rows.index, rows.val_accuracy, ".-", label=stages[int(stage)])
    curves.set(xlabel="epoch", ylabel="validation accuracy")
    chain.semilogx([row["bytes"] for row in steps], [row["accuracy"] for row in steps], "o-")
    for row in steps:
        chain.annotate(
            row["step"], (row["bytes"], row["accuracy"]), (4, 4), textcoords="offset points", fontsize=8
        )
    chain.set(xlabel="bytes", ylabel="validation accuracy")
    chain.grid(alpha=0.3)
    curves.grid(alpha=0.3)
    curves.legend()
    return figure


if __name__ == "__main__":
    run(main)

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

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, load_part, make_synthetic, replacing, run, usual_side

HERE = Path(__file__).resolve().parent
KINDS = ("normal", "depthwise", "separable", "grouped")  # see architecture.py
RANKS = ("scale", "norm", "magnitude")  # see pruning.py
TEACHER_WIDTH = 2  # of an own teacher, times --width
RECIPES = {  # epochs, batch size, learning rate, share that is pruned
    "student": (12, 128, 0.1, 0.2),
    "from-teacher": (8, 128, 0.05, 0.5),
    "synthetic": (8, 16, 0.01, 0.2),
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Shrink an image classifier into one small file: distil, prune, quantise.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder that holds food-11")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw a small data set and use it")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, order and augmentation")
    parser.add_argument(
        "--epochs", type=int, help="of the student, a fourth more after pruning; None: see RECIPES"
    )
    parser.add_argument("--batch-size", type=int, help="pictures a step; None: see RECIPES")
    parser.add_argument("--learning-rate", type=float, help="of SGD at its highest; None: see RECIPES")
    parser.add_argument("--teacher", type=Path, help="whole Keras classifier; None: train one first")
    parser.add_argument(
        "--from-teacher", action="store_true", help="the student begins as the teacher's copy, to be pruned"
    )
    parser.add_argument("--temperature", type=float, default=2.0, help="of distillation")
    parser.add_argument("--alpha", type=float, default=0.9, help="share of distillation in the loss, 0: none")
    parser.add_argument("--block", default="normal", help="normal, depthwise, separable or grouped")
    parser.add_argument("--width", type=float, default=1.0, help="times the student's channels")
    parser.add_argument("--prune", type=float, help="share to remove, 0: no pruning; None: see RECIPES")
    parser.add_argument(
        "--rank", default="scale", help="channels by scale or norm; magnitude: weights by their size"
    )
    parser.add_argument("--bits", type=int, help="of a weight, 2 to 8; None: the most that fit --limit")
    parser.add_argument("--grid", action="store_true", help="a uniform grid instead of shared values")
    parser.add_argument("--limit", type=int, default=300_000, help="bytes that the file may have")
    parser.add_argument("--mixed-precision", action="store_true", help="train in bfloat16")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    kind = "from-teacher" if args.from_teacher else "student"
    recipe = RECIPES["synthetic" if args.synthetic else kind]
    for name, value in zip(("epochs", "batch_size", "learning_rate", "prune"), recipe):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0 < args.temperature < np.inf, f"--temperature {args.temperature}: expected more than 0."),
        (not 0 <= args.alpha <= 1, f"--alpha {args.alpha}: expected 0 to 1."),
        (args.block not in KINDS, f"--block {args.block}: expected one of {', '.join(KINDS)}."),
        (not 0.05 <= args.width <= 100, f"--width {args.width}: expected 0.05 to 100."),
        (not 0 <= args.prune < 1, f"--prune {args.prune}: expected 0 to less than 1."),
        (args.rank not in RANKS, f"--rank {args.rank}: expected one of {', '.join(RANKS)}."),
        (
            args.block == "grouped" and args.prune > 0 and args.rank != "magnitude",
            f"--prune {args.prune}: a grouped convolution cannot lose single channels, "
            "expected 0 or --rank magnitude.",
        ),
        (args.bits is not None and not 2 <= args.bits <= 8, f"--bits {args.bits}: expected 2 to 8."),
        (args.limit < 1, f"--limit {args.limit}: expected at least 1."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    folder, began = data_dir / "food-11", time.perf_counter()
    teacher = given_teacher(args.teacher) if args.teacher else None
    size = teacher.input_shape[1] if teacher else usual_side(folder / "training")
    training, validation = (load_part(folder / part, size) for part in ("training", "validation"))
    classes = count_classes(training[1], validation[1], folder)
    if teacher and teacher.output_shape[1] != classes:
        raise BadInput(
            f"{args.teacher} tells {teacher.output_shape[1]} classes apart, expected {classes} as in "
            "training/; give a teacher of these pictures, or leave out --teacher."
        )
    print(f"training {training[0].shape}, validation {validation[0].shape}, {classes} classes")

    import keras  # here, so that --help and a broken picture need not wait for it
    from compressed import read_compressed, write_within
    from distillation import Views
    from model import adopt, build_student, fold, make_plan, quickened
    from pruning import prune_channels, prune_weights
    from stages import HISTORY, arguments, fit, measured

    keras.utils.set_random_seed(args.seed)
    policy = "mixed_bfloat16" if args.mixed_precision else "float32"
    plan = make_plan(size, classes, args.block, args.width)
    start = "the teacher" if args.from_teacher else f"{args.block} {plan['stem']} {plan['stages']}"
    print(f"student: {start}; epochs: {args.epochs}")
    print(f"writes to {args.out_dir}", flush=True)
    if not args.resume:
        for old in args.out_dir.glob("checkpoint_*.npz"):
            old.unlink()
    steps, rows = [], []
    views = Views(*training, classes, args.batch_size, args.seed)

    def note(step, model, written=None):
        steps.append(measured(step, model, validation, written))
        return model

    own = None
    if teacher is None and (args.alpha > 0 or args.from_teacher):
        wide = make_plan(size, classes, "normal", args.width * TEACHER_WIDTH)
        own = build_student(wide, policy=policy), wide
        rows += fit(args, "teacher", own[0], views, validation)
        teacher = fold(*own)
        with replacing(args.out_dir / "teacher.keras") as path:
            teacher.save(path)
    if teacher:
        note("teacher", teacher)
    if args.alpha > 0:
        views.teacher = quickened(teacher, policy)

    if args.from_teacher:
        student, plan = own or adopt(teacher, args.teacher, policy)
        folded = fold(student, plan)
    else:
        student = build_student(plan, policy=policy)
        rows += fit(args, "student", student, views, validation)
        folded = note("student", fold(student, plan))
    if args.prune > 0:
        if args.rank == "magnitude":
            prune_weights(student, args.prune)
        else:
            student, plan = prune_channels(student, plan, args.prune, args.rank)
        note("pruned", fold(student, plan))
        rows += fit(args, "pruned", student, views, validation)
        folded = note("fine-tuned", fold(student, plan))
    path = args.out_dir / "compressed.npz"
    bits, written = write_within(path, folded, plan, args.limit, args.bits, not args.grid)
    note("file", read_compressed(path)[0], written)

    history = pd.DataFrame(rows, pd.RangeIndex(1, len(rows) + 1, name="epoch"), HISTORY)
    metrics = {
        "metric": "validation accuracy of the file",
        "score": steps[-1]["accuracy"],
        "bytes": written,
        "bits": bits,
        "parameters": folded.count_params(),
        "multiply_adds": steps[-1]["multiply_adds"],
        "steps": steps,
        "plan": plan,
        "seconds": {"one_fit": float(history.seconds.sum()), "all": time.perf_counter() - began},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": arguments(args),
    }
    write(args.out_dir, folded, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {path}")
    if written > args.limit:
        sys.exit(
            f"{path} has {written} bytes with {bits} bits a weight, more than --limit {args.limit}; it is "
            "kept; take a smaller --width or a larger --prune."
        )
    return metrics


def given_teacher(path):
    """The classifier of a Keras file. Raises BadInput when there is none."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; give a model.keras, or leave out --teacher.")
    from model import load_teacher  # here, with Keras, so that --help need not wait for it

    return load_teacher(path)


def count_classes(training, validation, folder):
    """One more than the largest label of training/; a gap below it is worth a note, one above it an error."""
    seen = np.bincount(training)
    if validation.max() >= len(seen):
        raise BadInput(
            f"{folder / 'validation'} has pictures of class {validation.max()}, expected 0 to "
            f"{len(seen) - 1} as in training/."
        )
    for number in np.flatnonzero(seen == 0):
        print(f"note: training/ has no picture of class {number}", file=sys.stderr)
    return len(seen)


def plot_history(history, steps):
    """The learning curves of the stages, and the accuracy after each step against its bytes."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(9, 4), layout="constrained")
    curves, chain = figure.subplots(1, 2)
    for stage, rows in history.groupby("stage"):
        curves.plot(rows.index, rows.val_accuracy, ".-", label=f"stage {stage:.0f}")
    curves.set(xlabel="epoch", ylabel="validation accuracy")
    chain.semilogx([row["bytes"] for row in steps], [row["accuracy"] for row in steps], "o-")
    for row in steps:
        chain.annotate(
            row["step"], (row["bytes"], row["accuracy"]), (4, 4), textcoords="offset points", fontsize=8
        )
    chain.set(xlabel="bytes", ylabel="validation accuracy")
    for axes in (curves, chain):
        axes.grid(alpha=0.3)
    curves.legend()
    return figure


def write(out_dir, model, history, metrics):
    """Write model.keras, history.csv, learning_curve.png and metrics.json."""
    with replacing(out_dir / "model.keras") as path:
        model.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history, metrics["steps"]).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2) + "\n")


if __name__ == "__main__":
    run(main)

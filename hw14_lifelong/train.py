"""Learn one task after the other, and forget as little as possible.

    python hw14_lifelong/train.py                              EWC on svhn, then mnist, then usps
    python hw14_lifelong/train.py --synthetic                  the same on drawn digits, in seconds
    python hw14_lifelong/train.py --method naive               what happens without
    python hw14_lifelong/train.py --method mas --tasks mnist svhn --grey
    python hw14_lifelong/train.py --tasks permuted:5           the EWC paper's tasks
    python hw14_lifelong/train.py --resume                     go on after the last finished epoch

The score is the accuracy after the last task, averaged over all tasks' test parts. matrix.csv has it all:
after task i, on task j. The strengths in RECIPES were chosen on the validation parts, which are cut from the
training files; nothing is chosen during a training.
"""

import time
from dataclasses import dataclass, replace

from scaffold import Parser, head, integer, number, run

import pandas as pd
from dataset import make_synthetic
from device import start_keras
from matplotlib.figure import Figure
from metrics import average_accuracy, backward_transfer, forgetting
from records import claim, record, set_aside
from tasks import expand, load_tasks, snapshot

METHODS = ["naive", "joint", "replay", "ewc", "online-ewc", "mas", "scp"]


@dataclass(frozen=True)
class Recipe:
    """What suits a sequence of tasks."""

    examples: int  # training images of a task, at most
    epochs: int  # of each task
    batch_size: int
    learning_rate: float
    strength: dict  # of the penalties, by method


RECIPES = {
    "images": Recipe(20_000, 4, 128, 0.004, {"ewc": 100.0, "online-ewc": 100.0, "mas": 0.1, "scp": 100.0}),
    "permuted": Recipe(60_000, 4, 128, 0.004, {"ewc": 250.0, "online-ewc": 250.0, "mas": 0.1, "scp": 30.0}),
    "synthetic": Recipe(
        20_000, 10, 32, 0.002, {"ewc": 1000.0, "online-ewc": 1000.0, "mas": 10.0, "scp": 1000.0}
    ),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of the tasks' files", resume=True)
    parser.add_argument(
        "--tasks", nargs="*", default=["svhn", "mnist", "usps"], help="mnist, svhn, usps, permuted:K"
    )
    parser.add_argument("--method", choices=METHODS, default="ewc", help="what is done against forgetting")
    parser.add_argument("--strength", type=number(float, 0, 1e12), help="of the method's penalty")
    parser.add_argument("--examples", type=integer(), help="training images of a task, at most")
    parser.add_argument("--memory", type=integer(), default=200, help="replay: images kept of each task")
    parser.add_argument("--grey", action="store_true", help="28x28 grey images instead of 32x32 in colour")
    parser.add_argument(
        "--empirical", action="store_true", help="EWC: Fisher of the given labels, not of the model's own"
    )
    args = parser.parse(argv, recipe)
    expand(args.tasks)
    if args.method not in RECIPES["images"].strength:
        parser.unused("--strength", by=f"--method {args.method}")
    if "ewc" not in args.method:
        parser.unused("--empirical", by=f"--method {args.method}")
    if args.method != "replay":
        parser.unused("--memory", by=f"--method {args.method}")
    return args


def recipe(args):
    """The sequence's recipe, with the strength of the method alone."""
    kind = "permuted" if all(task.startswith("permuted") for task in args.tasks) else "images"
    chosen = RECIPES["synthetic" if args.synthetic else kind]
    return replace(chosen, strength=chosen.strength.get(args.method, 0.0))


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    names = expand(args.tasks)
    tasks = load_tasks(data_dir, names, args.grey, args.seed, args.examples)
    device = start_keras(args.seed, tensorflow=True)
    from training import build, fit

    sizes = ", ".join(f"{task.name} {len(task.train[1])}/{len(task.test[1])}" for task in tasks)
    model = build(tasks)
    head(
        args,
        f"images {model.input_shape[1:]}, training/test: {sizes}",
        f"{model.count_params()} parameters, on {device}",
    )

    set_aside(args, "after-*.keras")
    progress = fit(args, model, tasks)
    fitted, one_fit = time.perf_counter(), sum(row["seconds"] for row in progress.history)
    joint = args.method == "joint"
    metrics = {
        "metric": "average test accuracy after the last task",
        "score": average_accuracy(progress.accuracy),
        "forgetting": None if joint else forgetting(progress.accuracy),
        "backward_transfer": None if joint else backward_transfer(progress.accuracy),
        "tasks": names,
        "accuracy": progress.accuracy,
        "cross_entropy": progress.cross_entropy,
        "parameters": model.count_params(),
        "seconds": {
            "one_fit": one_fit,
            "all": one_fit + time.perf_counter() - fitted,
        },
    }
    history = pd.DataFrame(progress.history, pd.RangeIndex(1, len(progress.history) + 1, name="epoch"))
    files = {
        "model.keras": model.save,
        "history.csv": history,
        "matrix.csv": matrices(progress, names, joint),
        "learning_curve.png": plot_history(history, names),
        **{snapshot(number): None for number in range(1, 1 if joint else len(names))},
    }
    return record(args, metrics, files)


def matrices(progress, tasks, joint):
    """What matrix.csv holds: after task i, on task j, cross-entropy and accuracy. Prints both."""
    done = ["all tasks together"] if joint else [f"after {name}" for name in tasks]
    after = pd.Index(["random initialisation", *done], name="after")
    tables = {
        name: pd.DataFrame(getattr(progress, name), after, tasks) for name in ("cross_entropy", "accuracy")
    }
    for name, table in tables.items():
        print(f"\ntest {name.replace('_', '-')}, after task i on task j\n{table.round(4).to_string()}")
    if not joint:
        print(
            f"\nforgetting {forgetting(progress.accuracy):.4f}, "
            f"backward transfer {backward_transfer(progress.accuracy):.4f}"
        )
    return pd.concat(tables, names=["measure"])


def plot_history(history, tasks):
    """Every task's validation accuracy over all steps, as a figure."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for name in tasks:
        axes.plot(history.steps, history[f"accuracy_{name}"], ".-", label=name)
    for end in history.groupby("task").steps.max()[:-1]:
        axes.axvline(end, color="grey", linewidth=1)
    axes.set(xlabel="steps; a grey line: the next task begins", ylabel="validation accuracy", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


if __name__ == "__main__":
    run(main)

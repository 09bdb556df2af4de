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

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, make_synthetic, replacing, run
from scores import average_accuracy, backward_transfer, forgetting
from tasks import expand, load_tasks, only_permuted

HERE = Path(__file__).resolve().parent
METHODS = ["naive", "joint", "replay", "ewc", "online-ewc", "mas", "scp"]
RECIPES = {  # sequence: epochs a task, batch size, learning rate, and the strengths of those that have one
    "pictures": (4, 128, 0.004, {"ewc": 100.0, "online-ewc": 100.0, "mas": 0.1, "scp": 100.0}),
    "permuted": (4, 128, 0.004, {"ewc": 250.0, "online-ewc": 250.0, "mas": 0.1, "scp": 30.0}),
    "synthetic": (10, 32, 0.002, {"ewc": 1000.0, "online-ewc": 1000.0, "mas": 10.0, "scp": 1000.0}),
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn one task after the other, and forget as little as possible.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of the tasks' files")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw digits and use them")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random, permutations too")
    parser.add_argument("--epochs", type=int, help="passes over each task; None: see RECIPES")
    parser.add_argument("--batch-size", type=int, help="pictures a step; None: see RECIPES")
    parser.add_argument(
        "--learning-rate", type=float, help="at each task's start, it falls to 0; None: see RECIPES"
    )
    parser.add_argument(
        "--tasks", nargs="*", default=["svhn", "mnist", "usps"], help="mnist, svhn, usps, permuted:K"
    )
    parser.add_argument("--method", choices=METHODS, default="ewc", help="what is done against forgetting")
    parser.add_argument("--strength", type=float, help="of the method's penalty; None: see RECIPES")
    parser.add_argument("--examples", type=int, default=20_000, help="training pictures a task, at most")
    parser.add_argument("--grey", action="store_true", help="28x28 grey pictures instead of 32x32 in colour")
    parser.add_argument(
        "--empirical", action="store_true", help="EWC: Fisher of the given labels, not of the model's own"
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    kind = "permuted" if all(task.startswith("permuted") for task in args.tasks) else "pictures"
    *common, strengths = RECIPES["synthetic" if args.synthetic else kind]
    common.append(strengths.get(args.method, 0.0))
    for name, value in zip(("epochs", "batch_size", "learning_rate", "strength"), common):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    expand(args.tasks)
    penalised = args.method in RECIPES["pictures"][-1]
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0 <= args.strength < np.inf, f"--strength {args.strength}: expected 0 or more."),
        (
            args.strength > 0 and not penalised,
            f"--strength {args.strength}: --method {args.method} has no penalty, expected none.",
        ),
        (args.examples < 1, f"--examples {args.examples}: expected at least 1."),
        (args.empirical and "ewc" not in args.method, f"--empirical: --method {args.method} has no Fisher."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    began = time.perf_counter()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    names = expand(args.tasks)
    tasks = load_tasks(data_dir, names, args.grey, args.seed, args.examples)

    import keras  # here, with TensorFlow, so that --help and a wrong file need not wait for it
    from model import build_model
    from sequence import CHECKPOINT, fit

    keras.utils.set_random_seed(args.seed)
    shape = tasks[0].train[0].shape[1:]
    sizes = ", ".join(f"{task.name} {len(task.train[1])}/{len(task.test[1])}" for task in tasks)
    print(f"pictures {shape}, training/test: {sizes}")
    model = build_model(shape, only_permuted(names))
    print(f"model {model.count_params()} parameters, method {args.method}, strength {args.strength:g}")
    print(f"writes to {args.out_dir}", flush=True)

    if not args.resume:
        (args.out_dir / CHECKPOINT).unlink(missing_ok=True)
    progress = fit(args, model, tasks)
    one_fit = sum(row["seconds"] for row in progress.history)
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
        "seconds": {"one_fit": one_fit, "all": time.perf_counter() - began},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write(args.out_dir, model, progress, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def plot_history(history, tasks):
    """Every task's validation accuracy over all steps, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

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


def write(out_dir, model, progress, metrics):
    """Write model.keras, history.csv, matrix.csv, learning_curve.png and metrics.json; print the matrices."""
    tasks = metrics["tasks"]
    done = (
        ["all tasks together"] if metrics["arguments"]["method"] == "joint" else [f"after {n}" for n in tasks]
    )
    after = pd.Index(["random initialisation", *done], name="after")
    tables = {
        name: pd.DataFrame(getattr(progress, name), after, tasks) for name in ("cross_entropy", "accuracy")
    }
    for name, table in tables.items():
        print(f"\ntest {name.replace('_', '-')}, after task i on task j\n{table.round(4).to_string()}")
    if metrics["forgetting"] is not None:
        print(
            f"\nforgetting {metrics['forgetting']:.4f}, backward transfer {metrics['backward_transfer']:.4f}"
        )
    history = pd.DataFrame(progress.history, pd.RangeIndex(1, len(progress.history) + 1, name="epoch"))
    with replacing(out_dir / "model.keras") as path:
        model.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "matrix.csv") as path:
        pd.concat(tables, names=["measure"]).to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history, tasks).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

"""Predict the PM2.5 of the next hour by gradient descent.

    python hw01_regression/train.py                      the strongest method, on the course's files
    python hw01_regression/train.py --synthetic          the same without them
    python hw01_regression/train.py --method adagrad     the course's sample

The score is the root mean squared error over twelve folds, each of which leaves one month out: windows that
begin an hour apart share eight of nine hours, so a random split would show the model its own answers. The
model that is saved is then fitted on all months.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import HOURS, ITEMS, BadInput, load_train, make_synthetic, replacing, run
from gradient_descent import (
    Adagrad,
    Momentum,
    bilinear,
    bilinear_gradient,
    huber_slope,
    linear,
    linear_gradient,
    minimise,
    squared_slope,
)
from model import CHOSEN, Model
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
EVERYTHING = 1_000_000  # a batch size that no data set here reaches: full-batch descent


@dataclass(frozen=True)
class Recipe:
    """What a --method is made of: its model (see model.py) and its descent (see gradient_descent.py)."""

    epochs: int
    batch_size: int
    learning_rate: float
    rule: Callable = Momentum
    slope: Callable = squared_slope
    average: bool = False
    items: tuple = ITEMS
    bilinear: bool = False
    hold: bool = False
    products: bool = False


RECIPES = {
    "linear": Recipe(150, 64, 0.005),
    "bilinear": Recipe(100, 64, 0.001, bilinear=True),
    "adagrad": Recipe(1000, EVERYTHING, 100.0, rule=Adagrad),
    "best": Recipe(
        100, 64, 0.01, rule=partial(Momentum, momentum=0.9), slope=huber_slope, average=True,
        items=CHOSEN, hold=True, products=True,
    ),
}  # fmt: skip


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Predict the PM2.5 of the next hour by gradient descent.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir", type=Path, default=HERE / "data", help="folder of train.csv and test.csv"
    )
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="make a small data set and use it")
    parser.add_argument("--seed", type=int, default=0, help="seed of the synthetic data and of the shuffling")
    parser.add_argument(
        "--epochs", type=int, help="passes over the windows; None: the method's own, see RECIPES"
    )
    parser.add_argument("--batch-size", type=int, help="windows a step; None: the method's own")
    parser.add_argument("--learning-rate", type=float, help="length of a step; None: the method's own")
    parser.add_argument(
        "--method", choices=list(RECIPES), default="best", help="which model and which descent"
    )
    parser.add_argument(
        "--hours", type=int, default=HOURS, help="how many of the nine hours to look at, the last ones"
    )
    parser.add_argument(
        "--features",
        nargs="+",
        metavar="ITEM",
        help=f"items to look at, or all; None: all, for best {' '.join(CHOSEN)}",
    )
    parser.add_argument("--l2", type=float, default=0.0, help="weight of the penalty on the squared weights")
    args = parser.parse_args(argv)

    recipe = RECIPES[args.method]
    for name in ("epochs", "batch_size", "learning_rate"):
        if getattr(args, name) is None:
            setattr(args, name, getattr(recipe, name))
    if args.features is None:
        args.features = recipe.items
    elif args.features == ["all"]:
        args.features = ITEMS
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    unknown = [item for item in args.features if item not in ITEMS]
    lacks_target = RECIPES[args.method].products and "PM2.5" not in args.features
    for wrong, sentence in [
        (not 1 <= args.hours <= HOURS, f"--hours {args.hours}: expected 1 to {HOURS}."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0 <= args.l2 < np.inf, f"--l2 {args.l2}: expected 0 or more."),
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (unknown, f"--features {' '.join(unknown)}: expected all, or some of {' '.join(ITEMS)}."),
        (len(set(args.features)) < len(args.features), "--features names an item twice."),
        (lacks_target, f"--features lacks PM2.5, which --method {args.method} needs."),
    ]:
        if wrong:
            raise BadInput(sentence)


def fit(args, windows, targets, watched_windows, watched_targets):
    """Fit one model; return it and its mean squared error on the watched windows after each epoch."""
    recipe = RECIPES[args.method]
    model = Model(tuple(args.features), args.hours, recipe.bilinear, recipe.hold, recipe.products)
    model.fit_scale(windows)
    watched, errors = model.features(watched_windows), []
    forward, gradient = (bilinear, bilinear_gradient) if recipe.bilinear else (linear, linear_gradient)
    model.parameters = minimise(
        partial(gradient, slope=recipe.slope, l2=args.l2),
        model.start(),
        model.features(windows),
        targets,
        recipe.rule(args.learning_rate),
        args.epochs,
        args.batch_size,
        np.random.default_rng(args.seed),
        recipe.average,
        lambda parameters: errors.append(np.mean((forward(parameters, watched) - watched_targets) ** 2)),
    )
    if not np.isfinite(errors[-1]):
        raise BadInput(f"--learning-rate {args.learning_rate} is too large: the descent diverged.")
    return model, np.array(errors)  # (epochs,)


def leave_one_month_out(args, windows, targets, months):
    """Fit without each month in turn; return the mean squared errors on it: a row an epoch, a column each."""
    errors = {}
    for month in tqdm(np.unique(months), desc="leave one month out", disable=None):
        out = months == month
        _, errors[month] = fit(args, windows[~out], targets[~out], windows[out], targets[out])
        tqdm.write(f"{month} left out   RMSE {errors[month][-1] ** 0.5:.2f}")
    return pd.DataFrame(errors, index=pd.RangeIndex(1, args.epochs + 1, name="epoch"))


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir

    windows, targets, months = load_train(data_dir)
    if len(set(months)) < 2:
        raise BadInput(f"{data_dir / 'train.csv'} has one month, expected at least two, to leave one out.")
    print(f"train {windows.shape} (windows, items, hours), {len(set(months))} months")

    started = time.perf_counter()
    model, training_errors = fit(args, windows, targets, windows, targets)
    seconds = time.perf_counter() - started
    parameters = sum(value.size for value in model.parameters.values())
    print(f"model {args.method}, {parameters} parameters, {args.epochs} epochs in {seconds:.1f} s a fit")
    print(f"writes to {args.out_dir}", flush=True)

    by_month = leave_one_month_out(args, windows, targets, months)
    validation_errors = by_month.mul(pd.Series(months).value_counts(normalize=True)).sum(axis="columns")
    history = pd.DataFrame({"training_rmse": training_errors**0.5, "validation_rmse": validation_errors**0.5})

    metrics = {
        "metric": "RMSE, leave one month out, ug/m3",
        "score": history.validation_rmse.iloc[-1],
        "training_rmse": history.training_rmse.iloc[-1],
        "rmse_by_month": dict(by_month.iloc[-1] ** 0.5),
        "parameters": parameters,
        "seconds": {"one_fit": seconds, "all": time.perf_counter() - started},
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "arguments": vars(args),
    }
    record(args.out_dir, model, history, plot_history(history), metrics)
    print(f"{metrics['metric']} {metrics['score']:.3f}   {args.out_dir / 'model.npz'}")
    return metrics


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    end = history.iloc[-1].max()  # the first epochs are far above, and out of the picture
    history.plot(ax=axes, ylabel="RMSE (ug/m3)", grid=True, ylim=(0.8 * end, 2 * end))
    return figure


def record(out_dir, model, history, figure, metrics):
    """Write model.npz, history.csv, learning_curve.png and metrics.json."""
    with replacing(out_dir / "model.npz") as path:
        model.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        figure.savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

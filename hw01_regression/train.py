"""Predict the PM2.5 of the next hour by gradient descent.

    python hw01_regression/train.py                      the strongest method, on the course's files
    python hw01_regression/train.py --synthetic          the same without them
    python hw01_regression/train.py --method adagrad     the course's sample

The score is the root mean squared error over twelve folds, each of which leaves one month out: windows that
begin an hour apart share eight of nine hours, so a random split would show the model its own answers. The
model that is saved is then fitted on all months.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
import pandas as pd
from dataset import HOURS, ITEMS, load_train, make_synthetic
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
from records import claim, learning_curve, record
from tqdm import tqdm

FULL_BATCH = 1_000_000  # a batch size that no data set here reaches


@dataclass(frozen=True)
class Recipe:
    """What a --method is made of: its model (see model.py) and its descent (see gradient_descent.py)."""

    epochs: int
    batch_size: int
    learning_rate: float
    rule: Callable = Momentum
    slope: Callable = squared_slope
    average: bool = False
    features: tuple = ITEMS
    bilinear: bool = False
    hold: bool = False
    products: bool = False


RECIPES = {
    "linear": Recipe(150, 64, 0.005),
    "bilinear": Recipe(100, 64, 0.001, bilinear=True),
    "adagrad": Recipe(1000, FULL_BATCH, 100.0, rule=Adagrad),
    "best": Recipe(
        100, 64, 0.01, rule=partial(Momentum, momentum=0.9), slope=huber_slope, average=True,
        features=CHOSEN, hold=True, products=True,
    ),
}  # fmt: skip


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of train.csv and test.csv")
    parser.add_argument("--method", choices=list(RECIPES), default="best", help="which model, which descent")
    parser.add_argument("--hours", type=integer(1, HOURS), default=HOURS, help="how many, the last ones")
    parser.add_argument(
        "--features", nargs="+", choices=[*ITEMS, "all"], metavar="ITEM", help="items to look at, or all"
    )
    parser.add_argument(
        "--l2", type=number(float, 0, 1e9), default=0.0, help="weight of the penalty on the squared weights"
    )
    args = parser.parse(argv, lambda args: RECIPES[args.method])
    args.features = ITEMS if list(args.features) == ["all"] else args.features
    if len(set(args.features)) < len(args.features) or "all" in args.features:
        parser.error("--features names an item twice, or all beside others")
    if RECIPES[args.method].products and "PM2.5" not in args.features:
        parser.error(f"--features lacks PM2.5, which --method {args.method} needs")
    return args


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
    for month in tqdm(np.unique(months), desc="leave one month out", ncols=80, disable=None):
        out = months == month
        _, errors[month] = fit(args, windows[~out], targets[~out], windows[out], targets[out])
        tqdm.write(f"{month} left out   RMSE {errors[month][-1] ** 0.5:.2f}")
    return pd.DataFrame(errors, index=pd.RangeIndex(1, args.epochs + 1, name="epoch"))


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir

    windows, targets, months = load_train(data_dir)
    if len(set(months)) < 2:
        raise BadInput(f"{data_dir / 'train.csv'} has one month, expected at least two, to leave one out.")

    started = time.perf_counter()
    model, training_errors = fit(args, windows, targets, windows, targets)
    seconds = time.perf_counter() - started
    parameters = sum(value.size for value in model.parameters.values())
    head(
        args,
        f"train {windows.shape} (windows, items, hours), {len(set(months))} months",
        f"{args.method}, {parameters} parameters, {seconds:.1f} s a fit, on the processor by NumPy",
    )

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
    }
    end = history.iloc[-1]  # the first epochs are far above, and out of the picture
    lines = {"training_rmse": "training", "validation_rmse": "a month left out"}
    top = max(1.3 * end.max(), min(2 * end.max(), history.max(axis=None)))
    figure = learning_curve(history, {"RMSE (ug/m3)": lines}, ylim=(0.9 * end.min(), top))
    return record(
        args, metrics, {"model.npz": model.save, "history.csv": history, "learning_curve.png": figure}
    )


if __name__ == "__main__":
    run(main)

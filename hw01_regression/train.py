"""Predict the PM2.5 of the next hour by gradient descent.

    python hw01_regression/train.py                      the strongest method, on the course's files
    python hw01_regression/train.py --synthetic          the same without them
    python hw01_regression/train.py --method adagrad     the course's sample

The score is the root mean squared error over folds that each leave one month out: windows that begin an hour
apart share eight of nine hours, so a random split would show the model its own answers. The model that is
saved is then fitted on all months.

The default also learns from the hours within the windows of test.csv: their eighth and ninth hour are known.
In a fold it learns from the hours within windows of the month that is left out, twelve hours apart as those
of test.csv are, and never from an hour that it has to predict.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
import pandas as pd
from dataset import HOURS, ITEMS, load_test, load_train, make_synthetic
from gradient_descent import HUBER, SQUARED, Adagrad, Loss, Momentum
from records import claim, learning_curve, record
from training import Learner, intervals, rmse

FULL_BATCH = 1_000_000  # a batch size that no data set here reaches


@dataclass(frozen=True)
class Recipe:
    """What a --method is made of: its model (see model.py) and its descent (see gradient_descent.py)."""

    epochs: int
    batch_size: int
    learning_rate: float
    rule: Callable = Momentum
    loss: Loss = SQUARED
    average: bool = False
    features: tuple = ITEMS
    hours: int = HOURS
    bilinear: bool = False
    hold: bool = False
    products: bool = False
    test_weight: int = 0  # how many times a pair within the windows to predict counts


RECIPES = {
    "linear": Recipe(150, 64, 0.005),
    "bilinear": Recipe(100, 64, 0.001, bilinear=True),
    "adagrad": Recipe(1000, FULL_BATCH, 100.0, rule=Adagrad),
    "best": Recipe(
        100, 64, 0.01, rule=partial(Momentum, momentum=0.9), loss=HUBER, average=True,
        hours=7, hold=True, products=True, test_weight=4,
    ),
}  # fmt: skip


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of train.csv and test.csv")
    parser.add_argument("--method", choices=list(RECIPES), default="best", help="which model, which descent")
    parser.add_argument("--hours", type=integer(1, HOURS), help="how many, the last ones")
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


def main(argv=None, recipe=None):
    """recipe: in place of that of --method, for a report."""
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir

    windows, targets, months = load_train(data_dir)
    recipe = recipe or RECIPES[args.method]
    if len(set(months)) < 2:
        raise BadInput(f"{data_dir / 'train.csv'} has one month, expected at least two, to leave one out.")
    asked = load_test(data_dir)[1] if recipe.test_weight else windows[:0]

    started = time.perf_counter()
    learner = Learner(args, recipe, windows, targets)
    model, fitted = learner.fit(slice(None), asked, slice(None))
    seconds = time.perf_counter() - started
    parameters = sum(value.size for value in model.parameters.values())
    head(
        args,
        f"train {windows.shape} (windows, items, hours), {len(set(months))} months",
        f"{args.method}, {parameters} parameters, {seconds:.1f} s a fit, on the processor by NumPy",
    )
    predictions = learner.leave_one_month_out(months)
    errors = targets - predictions
    history = pd.DataFrame(
        {"training_rmse": rmse(targets - fitted), "validation_rmse": rmse(errors)},
        pd.RangeIndex(1, args.epochs + 1, name="epoch"),
    )
    if history.training_rmse.iloc[-1] > targets.std():
        print(
            f"note: predicting the mean has an RMSE of {targets.std():.1f}, less than this training: the "
            "descent diverged, or was too short; change --learning-rate, or give more --epochs",
            file=sys.stderr,
        )

    metrics = {
        "metric": "RMSE, leave one month out, ug/m3",
        "score": history.validation_rmse.iloc[-1],
        "training_rmse": history.training_rmse.iloc[-1],
        "rmse_by_month": {month: rmse(errors[-1, months == month]) for month in np.unique(months)},
        "intervals": intervals(predictions[-1], errors[-1]),
        "parameters": parameters,
        "seconds": {"one_fit": seconds, "all": time.perf_counter() - started},
    }
    lines = {"training_rmse": "training", "validation_rmse": "a month left out"}
    far = history.max(axis=None) > 10 * history.min(axis=None)
    figure = learning_curve(history, {"RMSE (ug/m3)": lines}, yscale="log" if far else "linear")
    return record(
        args, metrics, {"model.npz": model.save, "history.csv": history, "learning_curve.png": figure}
    )


if __name__ == "__main__":
    run(main)

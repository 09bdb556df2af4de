"""Tell who earns more than 50,000 dollars a year.

    python hw02_classification/train.py                        the strongest method, on the course's files
    python hw02_classification/train.py --synthetic            the same without them
    python hw02_classification/train.py --method logistic      by hand: a discriminative model ...
    python hw02_classification/train.py --method generative    ... and a generative one

The score is the accuracy on a fifth of the rows, drawn by --seed with the classes' shares kept. The model
that is saved is then fitted on all rows.
"""

import time
from dataclasses import dataclass

from scaffold import BadInput, Parser, head, integer, number, run

import boosting
import numpy as np
import pandas as pd
from dataset import load_train, make_synthetic
from generative import fit_separate, fit_shared
from logistic import cross_entropy, fit_logistic
from model import Features, Model, score
from records import claim, learning_curve, record

VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class Recipe:
    """What suits a method."""

    features: str  # the columns as they come, or with logarithms and thresholds
    learning_rate: float | None = None
    epochs: int | None = None  # of logistic
    batch_size: int | None = None  # of logistic
    trees: int | None = None  # of best
    covariance: str | None = None  # of generative
    l2: float | None = None  # of logistic and best


RECIPES = {
    "generative": Recipe("engineered", covariance="shared"),  # a closed form
    "logistic": Recipe("engineered", 0.1, epochs=15, batch_size=512, l2=0.0),
    "best": Recipe("plain", 0.03, trees=500, l2=0.0),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of X_train, Y_train and X_test")
    parser.add_argument("--method", choices=list(RECIPES), default="best", help="which model")
    parser.add_argument("--covariance", choices=["shared", "separate"], help="of generative's two Gaussians")
    parser.add_argument(
        "--l2",
        type=number(float, 0, 1e9),
        help="penalty on logistic's weights, or best's leaves",
    )
    parser.add_argument(
        "--features",
        choices=["plain", "engineered"],
        help="columns as they come, or with logarithms and thresholds",
    )
    parser.add_argument("--trees", type=integer(), help="how many best grows, instead of --epochs")
    parser.add_argument("--no-normalisation", action="store_true", help="do not standardise the features")
    args = parser.parse(argv, lambda args: RECIPES[args.method])
    names = ("epochs", "batch_size", "learning_rate", "trees", "covariance", "l2")
    unused = [f"--{name.replace('_', '-')}" for name in names if getattr(RECIPES[args.method], name) is None]
    parser.unused(*unused, by=f"--method {args.method}")
    if args.method == "best":
        parser.unused("--no-normalisation", by="--method best")
    return args


def split(y, seed):
    """Draw a fifth of each class: bool (n,), True if drawn. Raises BadInput if a class has under five."""
    rng, held_out = np.random.default_rng(seed), np.zeros(len(y), bool)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == label))
        if len(rows) < 5:
            raise BadInput(f"Y_train has {len(rows)} rows of label {label}, expected at least 5.")
        held_out[rows[: round(VALIDATION_SHARE * len(rows))]] = True
    return held_out


def fit(args, columns, x, y, validation=None):
    """Fit one model on x (n, d), y (n,).

    Returns the model and, for validation = (x, y), a history: a DataFrame with the loss (cross-entropy) and
    the accuracy of both sets, a row an epoch, or a tree.
    """
    normalised = args.method != "best" and not args.no_normalisation  # a tree does not mind the scale
    features = Features(columns, args.features == "engineered", normalised).fit(x)
    z, history = features(x), []
    sets = {"": (z, y), "val_": (features(validation[0]), validation[1])} if validation else {}

    def note(log_odds):
        """log_odds: those of each set."""
        row = {}
        for prefix, odds in log_odds.items():
            _, labels = sets[prefix]
            row[f"{prefix}loss"] = cross_entropy(odds, labels)
            row[f"{prefix}accuracy"] = np.mean((odds > 0) == labels)
        history.append(row)

    def scored(parameters):
        note({prefix: score(parameters, z) for prefix, (z, _) in sets.items()})

    if args.method == "logistic":
        after_epoch = scored if sets else None
        settings = (args.epochs, args.batch_size, args.learning_rate, args.l2, args.seed)
        with np.errstate(over="ignore", invalid="ignore"):  # a descent that diverges is refused below
            parameters = fit_logistic(z, y, *settings, after_epoch)
    elif args.method == "generative":
        parameters = (fit_shared if args.covariance == "shared" else fit_separate)(z, y)
        if sets:
            scored(parameters)
    else:
        parameters = boosting.grow(z, y, args.trees, args.learning_rate, args.l2, args.seed)
        if sets:
            for odds in zip(*(boosting.raw_scores(parameters, z) for z, _ in sets.values())):
                note(dict(zip(sets, odds)))
    name = "tree" if args.method == "best" else "epoch"
    history = pd.DataFrame(history, index=pd.RangeIndex(1, len(history) + 1, name=name))
    if not all(np.isfinite(value).all() for value in parameters.values()):
        flags = f"--learning-rate {args.learning_rate}" + f" or --l2 {args.l2}" * (args.l2 > 0)
        raise BadInput(f"{flags} is too large: the descent diverged.")
    return Model(args.method, features, parameters), history


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir

    x, y, columns = load_train(data_dir)
    held_out = split(y, args.seed)
    head(
        args,
        f"train {x[~held_out].shape}, validation {x[held_out].shape}, {y.mean():.1%} of label 1",
        f"{args.method}, {args.features} features, on the processor",
    )

    started = time.perf_counter()
    _, history = fit(args, columns, x[~held_out], y[~held_out], (x[held_out], y[held_out]))
    refit = time.perf_counter()
    model, _ = fit(args, columns, x, y)

    metrics = {
        "metric": "validation accuracy",
        "score": history.val_accuracy.iloc[-1],
        "loss": history.val_loss.iloc[-1],
        "training_accuracy": history.accuracy.iloc[-1],
        "parameters": sum(np.size(value) for value in model.parameters.values()),
        "seconds": {"one_fit": time.perf_counter() - refit, "all": time.perf_counter() - started},
    }
    panels = {name: {name: "training", f"val_{name}": "validation"} for name in ("loss", "accuracy")}
    figure = learning_curve(history, panels)
    return record(
        args, metrics, {"model.npz": model.save, "history.csv": history, "learning_curve.png": figure}
    )


if __name__ == "__main__":
    run(main)

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

from scaffold import BadInput, Parser, head, number, run

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

    epochs: int  # passes over the rows; of best: trees, each grown on all rows
    batch_size: int  # of logistic alone
    learning_rate: float
    features: str  # the columns as they come, or with logarithms and bins


RECIPES = {
    "generative": Recipe(1, 1, 1.0, "engineered"),  # a closed form: the first three are not used
    "logistic": Recipe(15, 512, 0.1, "engineered"),
    "best": Recipe(500, 1, 0.03, "plain"),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of X_train, Y_train and X_test")
    parser.add_argument("--method", choices=list(RECIPES), default="best", help="which model")
    parser.add_argument(
        "--covariance", choices=["shared", "separate"], default="shared", help="of generative's two Gaussians"
    )
    parser.add_argument(
        "--l2",
        type=number(float, 0, 1e9),
        default=0.0,
        help="penalty on logistic's weights, or best's leaves",
    )
    parser.add_argument(
        "--features",
        choices=["plain", "engineered"],
        help="columns as they come, or with logarithms and bins",
    )
    parser.add_argument("--no-normalisation", action="store_true", help="do not standardise the features")
    return parser.parse(argv, lambda args: RECIPES[args.method])


def split(y, seed):
    """Draw a fifth of each class: bool (n,), True if drawn. Raises BadInput if a class has under five."""
    rng, held_out = np.random.default_rng(seed), np.zeros(len(y), bool)
    for label in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == label))
        if len(rows) < 5:
            raise BadInput(f"Y_train has {len(rows)} rows of label {label}, expected at least 5.")
        held_out[rows[: round(VALIDATION_SHARE * len(rows))]] = True
    return held_out


def fit(args, columns, x, y, watched=None):
    """Fit one model on x (n, d), y (n,).

    Returns the model and, for watched = (x, y), a history with the loss (cross-entropy) and the accuracy on
    them after each epoch: a DataFrame with a row an epoch.
    """
    normalised = args.method != "best" and not args.no_normalisation  # a tree does not mind the scale
    features = Features(columns, args.features == "engineered", normalised).fit(x)
    z, history = features(x), []
    watched_z = features(watched[0]) if watched else None

    def note(log_odds):
        accuracy = np.mean((log_odds > 0) == watched[1])
        history.append({"loss": cross_entropy(log_odds, watched[1]), "accuracy": accuracy})

    if args.method == "logistic":
        after_epoch = (lambda parameters: note(score(parameters, watched_z))) if watched else None
        settings = (args.epochs, args.batch_size, args.learning_rate, args.l2, args.seed)
        parameters = fit_logistic(z, y, *settings, after_epoch)
    elif args.method == "generative":
        parameters = (fit_shared if args.covariance == "shared" else fit_separate)(z, y)
        if watched:
            note(score(parameters, watched_z))
    else:
        parameters = boosting.grow(z, y, args.epochs, args.learning_rate, args.l2, args.seed)
        if watched:
            for log_odds in boosting.raw_scores(parameters, watched_z):
                note(log_odds)
    history = pd.DataFrame(history, index=pd.RangeIndex(1, len(history) + 1, name="epoch"))
    if not all(np.isfinite(value).all() for value in parameters.values()):
        raise BadInput(f"--learning-rate {args.learning_rate} is too large: the descent diverged.")
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
    _, history = fit(args, columns, x[~held_out], y[~held_out], watched=(x[held_out], y[held_out]))
    refit = time.perf_counter()
    model, _ = fit(args, columns, x, y)

    metrics = {
        "metric": "validation accuracy",
        "score": history.accuracy.iloc[-1],
        "loss": history.loss.iloc[-1],
        "parameters": sum(np.size(value) for value in model.parameters.values()),
        "seconds": {"one_fit": time.perf_counter() - refit, "all": time.perf_counter() - started},
    }
    figure = learning_curve(history, {name: {name: "validation"} for name in ("loss", "accuracy")})
    return record(
        args, metrics, {"model.npz": model.save, "history.csv": history, "learning_curve.png": figure}
    )


if __name__ == "__main__":
    run(main)

"""Tell who earns more than 50,000 dollars a year.

    python hw02_classification/train.py                        the strongest method, on the course's files
    python hw02_classification/train.py --synthetic            the same without them
    python hw02_classification/train.py --method logistic      by hand: a discriminative model ...
    python hw02_classification/train.py --method generative    ... and a generative one

The score is the accuracy on a fifth of the rows, drawn by --seed with the classes' shares kept. The model
that is saved is then fitted on all rows.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import boosting
import numpy as np
import pandas as pd
from dataset import BadInput, load_train, make_synthetic, replacing, run
from generative import fit_separate, fit_shared
from logistic import cross_entropy, fit_logistic
from model import Features, Model, score

HERE = Path(__file__).resolve().parent
VALIDATION_SHARE = 0.2
RECIPES = {  # method: epochs, batch size, learning rate, features
    "generative": (1, 1, 1.0, "engineered"),  # a closed form: the first three are not used
    "logistic": (15, 512, 0.1, "engineered"),
    "best": (500, 1, 0.03, "plain"),  # an epoch is a tree, grown on all rows
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Tell who earns more than 50,000 dollars a year.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir", type=Path, default=HERE / "data", help="folder of X_train, Y_train and X_test"
    )
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="make a small data set and use it")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the synthetic data, the split and the shuffling"
    )
    parser.add_argument(
        "--epochs", type=int, help="passes over the rows (best: trees); None: the method's own, see RECIPES"
    )
    parser.add_argument("--batch-size", type=int, help="rows a step of logistic; None: the method's own")
    parser.add_argument("--learning-rate", type=float, help="length of a step; None: the method's own")
    parser.add_argument("--method", choices=list(RECIPES), default="best", help="which model")
    parser.add_argument(
        "--covariance", choices=["shared", "separate"], default="shared", help="of generative's two Gaussians"
    )
    parser.add_argument(
        "--l2", type=float, default=0.0, help="penalty on logistic's weights, or on best's leaves"
    )
    parser.add_argument(
        "--features",
        choices=["plain", "engineered"],
        help="columns as they come, or with logarithms and bins; None: the method's own",
    )
    parser.add_argument("--no-normalisation", action="store_true", help="do not standardise the features")
    args = parser.parse_args(argv)
    for name, value in zip(("epochs", "batch_size", "learning_rate", "features"), RECIPES[args.method]):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0 <= args.l2 < np.inf, f"--l2 {args.l2}: expected 0 or more."),
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
    ]:
        if wrong:
            raise BadInput(sentence)


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
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir

    x, y, columns = load_train(data_dir)
    held_out = split(y, args.seed)
    print(f"train {x[~held_out].shape}, validation {x[held_out].shape}, {y.mean():.1%} of label 1")
    print(f"model {args.method}, {args.features} features, epochs: {args.epochs}")
    print(f"writes to {args.out_dir}", flush=True)

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
        "versions": {"python": platform.python_version(), "numpy": np.__version__},
        "arguments": vars(args),
    }
    record(args.out_dir, model, history, plot_history(history), metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.npz'}")
    return metrics


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        history[name].plot(
            ax=axes, ylabel=f"validation {name}", grid=True, style=".-" if len(history) < 30 else "-"
        )
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

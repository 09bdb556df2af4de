"""Answer the report questions of homework 1: every table and figure of README.md.

    python hw01_regression/report.py                     on the course's files, into results/
    python hw01_regression/report.py --synthetic         without them, into out/results/

Four questions: what do four learning rates do; five hours or nine; PM2.5 alone or all items; how was the best
model made. Each row is train.main() run with some seeds, or a model of scikit-learn on the same twelve folds.
"""

import time
from dataclasses import replace

from scaffold import Parser, replacing, run

from dataset import ITEMS, TARGET, load_train, make_synthetic
from records import publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of train.csv and test.csv")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load_train(args.data_dir))  # made-up ones are not missing

import numpy as np
import pandas as pd
import train
from gradient_descent import SQUARED
from matplotlib.figure import Figure
from model import load_model
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import HuberRegressor, LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

LEARNING_RATES = (0.1, 1.0, 10.0, 100.0)


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    rows = []

    def trained(table, row, flags, seeds=args.seeds, **keywords):
        """Add a row: train.main() with these flags, or a recipe. Return the folder of the run with seed 0."""
        folders = [args.trainings / f"{table} {row} {seed}".replace(" ", "_") for seed in range(seeds)]
        common = ["--data-dir", data_dir, *(["--epochs", args.epochs] if args.epochs else [])]
        runs = []
        for seed, folder in enumerate(folders):
            argv = [*flags.split(), *common, "--out-dir", folder, "--seed", seed]
            runs.append(train.main([str(word) for word in argv], **keywords))
        seconds = np.median([run["seconds"]["one_fit"] for run in runs])
        rows.append([table, row, *summary([run["score"] for run in runs], seconds)])
        return folders[0]

    best = trained("methods", "best", "")
    for method in ("bilinear", "linear", "adagrad"):
        trained("methods", method, f"--method {method}")
    rows += [["methods", *row] for row in references(*load_train(data_dir), args.epochs)]

    curves = {}
    for rate in LEARNING_RATES:
        folder = trained("learning rates", f"adagrad {rate:g}", f"--method adagrad --learning-rate {rate}", 1)
        curves[rate] = pd.read_csv(folder / "history.csv", index_col="epoch").training_rmse
    plot_learning_rates(curves, results / "learning_rates.png")

    for hours in (1, 5, 9):
        for method in ("linear", "best"):
            trained("hours", f"{method}, hours {hours}", f"--method {method} --hours {hours}")
    for method in ("linear", "best"):
        trained("items", f"{method} PM2.5 alone", f"--method {method} --features PM2.5")
        trained("items", f"{method} all items", f"--method {method} --features all")

    recipe = train.RECIPES["best"]
    ladder = {
        "all readings": dict(hold=False, loss=SQUARED, products=False, test_weight=0),
        "+ faults held": dict(loss=SQUARED, products=False, test_weight=0),
        "+ Huber's loss": dict(products=False, test_weight=0),
        "+ products": dict(test_weight=0),
        "+ the hours within the windows to predict = best": dict(),
        "best without averaging": dict(average=False),
    }
    for name, changes in ladder.items():
        trained("how the best was made", name, "", recipe=replace(recipe, **changes))

    plot_weights(load_model(best / "model.npz"), results / "weights.png")
    tables = pd.DataFrame(rows, columns=["table", "row", "rmse", "sd", "seconds"])
    publish(results, tables, read_metrics(best))


def summary(scores, seconds):
    """Scores of some seeds -> their mean, their deviation (blank for one run) and the seconds, as printed."""
    deviation = f"{np.std(scores, ddof=1):.3f}" if len(scores) > 1 else ""
    return [f"{np.mean(scores):.3f}", deviation, f"{seconds:.2f}"]


def references(windows, targets, months, epochs):
    """Yield rows for scikit-learn's models, and for repeating the last hour, on the same folds."""
    x = windows.reshape(len(windows), -1)
    for name, model in {
        "scikit-learn LinearRegression": LinearRegression(),
        "scikit-learn Ridge": Ridge(),
        "scikit-learn HuberRegressor": HuberRegressor(max_iter=epochs or 1000),
        "scikit-learn HistGradientBoosting": HistGradientBoostingRegressor(
            max_iter=epochs or 100, random_state=0
        ),
    }.items():
        model = make_pipeline(StandardScaler(), model)
        predicted = np.empty_like(targets)
        for month in np.unique(months):
            left_out = months == month
            started = time.perf_counter()
            model.fit(x[~left_out], targets[~left_out])
            seconds = time.perf_counter() - started
            predicted[left_out] = model.predict(x[left_out])
        yield [name, *summary([np.mean((predicted - targets) ** 2) ** 0.5], seconds)]
    residual = windows[:, TARGET, -1] - targets
    yield ["repeating the last hour", *summary([np.mean(residual**2) ** 0.5], 0.0)]


def plot_learning_rates(curves, path):
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for rate, curve in curves.items():
        axes.plot(curve.index, curve, label=f"learning rate {rate:g}")
    axes.set(xlabel="iteration", ylabel="training RMSE (ug/m3)", yscale="log", title="The course's Adagrad")
    axes.grid(which="both", alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


def plot_weights(model, path):
    """What the best model looks at: the weight of each reading and product, in ug/m3 a standard deviation."""
    readings = model.parameters["weights"][: len(ITEMS) * model.hours].reshape(len(ITEMS), model.hours)
    products = model.parameters["weights"][len(ITEMS) * model.hours :].reshape(2, len(ITEMS))
    weights = np.column_stack([readings, *products]).round(1) + 0.0  # no -0.0
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axes, largest = figure.subplots(), np.abs(weights).max()
    image = axes.imshow(weights, cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    axes.set(xlabel="hours before the one to predict", title="Weights of the best model (ug/m3 a deviation)")
    labels = [*range(model.hours, 0, -1), "last x\nPM2.5", "last x\nchange"]
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(ITEMS)), ITEMS)
    for (row, column), weight in np.ndenumerate(weights):
        colour = "white" if abs(weight) > 0.6 * largest else "black"
        axes.text(column, row, f"{weight:.1f}", color=colour, ha="center", va="center", fontsize=8)
    figure.colorbar(image)
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

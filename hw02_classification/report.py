"""Answer the report questions of homework 2: every table and figure of README.md.

    python hw02_classification/report.py                 on the course's files, into results/
    python hw02_classification/report.py --synthetic     without them, into out/results/

Generative or discriminative, and with how many rows; regularisation; normalisation; the weightiest features;
and whether a probability of 0.7 comes true seven times in ten. Each row is train.main() run with some seeds,
or a reference fitted on the same rows and scored on the same rows.
"""

import time
from functools import partial

from scaffold import Parser, replacing, run

import train  # before Keras, which imports scikit-learn: boosting.py says how its threads wait
from dataset import load_train, make_synthetic
from device import start_keras
from records import publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of X_train and Y_train")
    parser.set_defaults(seeds=10)
    return parser.parse(argv)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load_train(args.data_dir))  # made-up ones are not missing
    run(start_keras)

import keras
import numpy as np
import pandas as pd
from generative import fit_shared
from logistic import fit_logistic
from matplotlib.figure import Figure
from model import Features, load_model, score
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

ROWS = (30, 100, 300, 1000, 3000, 10000, 30000)
SPLITS, SUBSETS = 3, 10  # of the rows into training and validation; drawn for each and each number of rows
STEPS, RATE = 900, 0.03  # of descent, whatever the number of rows
PENALTIES = (0.0, 0.0001, 0.001, 0.01, 0.1, 1.0)


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    rows = []

    def trained(table, flags):
        """Add a row: train.main() with --method and these flags. Return the folder of the run with seed 0."""
        method, *others = flags.split()
        name = "_".join([table, method, *others])
        folders = [args.trainings / f"{name}_{seed}" for seed in range(args.seeds)]
        argv = ["--method", method, *others, *trial(method, args.epochs), "--data-dir", str(data_dir)]
        runs = [
            train.main([*argv, "--out-dir", str(folder), "--seed", str(seed)])
            for seed, folder in enumerate(folders)
        ]
        seconds = np.median([run["seconds"]["one_fit"] for run in runs])
        rows.append([table, flags, *summary([run["score"] for run in runs], seconds)])
        return folders[0]

    folders = {method: trained("methods", method) for method in ("best", "logistic", "generative")}
    trained("methods", "generative --covariance separate")
    trained("methods", "logistic --features plain")
    trained("methods", "generative --features plain")
    trained("methods", "generative --features plain --covariance separate")
    x, y, columns = load_train(data_dir)
    rows += [["methods", *row] for row in references(x, y, columns, args)]

    for l2 in PENALTIES:
        trained("regularisation", f"logistic --l2 {l2:g}")
    for method in ("logistic", "generative"):
        for features in ("plain", "engineered"):
            trained("normalisation", f"{method} --features {features}")
            trained("normalisation", f"{method} --features {features} --no-normalisation")

    curves = by_rows(x, y, columns, min(SPLITS, args.seeds))
    cells = {
        method: {count: "{:.3f} ± {:.3f}".format(*moments(scores)) for count, scores in counts.items()}
        for method, counts in curves.items()
    }
    with replacing(results / "rows.csv") as path:
        pd.DataFrame(cells).to_csv(path, index_label="rows")
    plot_rows(curves, results / "rows.png")
    plot_calibration(x, y, columns, args.epochs, results / "calibration.png")
    rows += [["speed", *row] for row in race(x, y, columns)]

    model = load_model(folders["logistic"] / "model.npz")
    weights = pd.Series(model.parameters["weights"], model.features.names())
    for name in weights.abs().sort_values(ascending=False).index[:10]:
        rows.append(["weights", name, f"{weights[name]:+.2f}", "", ""])

    tables = pd.DataFrame(rows, columns=["table", "row", "value", "sd", "seconds"])
    publish(results, tables, read_metrics(folders["best"]))


def trial(method, epochs):
    """The flags that make a trial of a method short; none where it is no trial."""
    flag = {"best": "--trees", "logistic": "--epochs"}.get(method)
    return [flag, str(epochs)] if flag and epochs else []


def summary(scores, seconds):
    """Accuracies -> their mean, their deviation and the seconds, as printed."""
    mean, deviation = moments(scores)
    return [f"{mean:.4f}", f"{deviation:.4f}" if len(scores) > 1 else "", f"{seconds:.2f}"]


def moments(scores):
    """Mean and standard deviation of accuracies, of which there is at least one."""
    return np.mean(scores), np.std(scores, ddof=1) if len(scores) > 1 else 0.0


def references(x, y, columns, args):
    """Yield rows for scikit-learn's models and a small Keras network, on the same splits.

    The linear models see what our own see: engineered and standardised features. The network sees them too.
    """
    names = {
        "scikit-learn LogisticRegression": (lambda seed: LogisticRegression(max_iter=1000), True),
        "scikit-learn LinearDiscriminantAnalysis": (lambda seed: LinearDiscriminantAnalysis(), True),
        "scikit-learn HistGradientBoosting": (
            lambda seed: HistGradientBoostingClassifier(random_state=seed),
            False,
        ),
        "Keras network": (lambda seed: Network(seed, args.epochs or 15), True),
    }
    for name, (make, engineered) in names.items():
        scores, times = [], []
        for seed in range(args.seeds):
            held_out, model = train.split(y, seed), make(seed)
            started = time.perf_counter()
            features = Features(columns, engineered, engineered).fit(x[~held_out])
            z = features(x[~held_out])
            model.fit(z, y[~held_out])
            times.append(time.perf_counter() - started)
            scores.append(np.mean(model.predict(features(x[held_out])) == y[held_out]))
        yield [name, *summary(scores, np.median(times))]


class Network:
    """A hidden layer of 256 units and dropout: what train.py's best was chosen over."""

    def __init__(self, seed, epochs):
        self.seed, self.epochs = seed, epochs

    def fit(self, z, y):
        start_keras(self.seed)
        inputs = keras.Input(z.shape[1:])
        hidden = keras.layers.Dropout(0.15)(inputs)
        hidden = keras.layers.Dense(256, activation="gelu")(hidden)
        hidden = keras.layers.Dropout(0.5)(hidden)
        self.model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
        steps = self.epochs * -(-len(z) // 256)
        schedule = keras.optimizers.schedules.CosineDecay(1e-3, steps)
        self.model.compile(
            optimizer=keras.optimizers.AdamW(schedule, weight_decay=1e-3),
            loss="binary_crossentropy",
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.model.fit(np.clip(z, -5, 5), y, batch_size=256, epochs=self.epochs, verbose=0)

    def predict(self, z):
        return self.model.predict(np.clip(z, -5, 5), batch_size=4096, verbose=0)[:, 0] > 0.5


def by_rows(x, y, columns, seeds):
    """Accuracy of generative and logistic on plain columns, fitted on few rows and on many.

    For each number of rows and each seed, SUBSETS subsets are drawn from the rows left for training. Few rows
    get as many steps of descent as many do (STEPS), so that what differs is the rows. Returns {method: {rows:
    accuracies}}.
    """

    def logistic(z, y, l2=0.0):
        batch_size = min(512, len(y))
        steps_an_epoch = -(-len(y) // batch_size)
        return fit_logistic(z, y, -(-STEPS // steps_an_epoch), batch_size, RATE, l2)

    methods = {
        "generative": fit_shared,
        "generative without prior rows": partial(fit_shared, prior_rows=0),
        "logistic": logistic,
        "logistic, l2 0.1": partial(logistic, l2=0.1),
    }
    curves = {method: {count: [] for count in ROWS} for method in methods}
    for seed in range(seeds):
        held_out, rng = train.split(y, seed), np.random.default_rng(seed)
        for count in ROWS:
            for _ in range(SUBSETS if count < 10_000 else 1):
                pick = draw(rng, np.flatnonzero(~held_out), y, count)
                features = Features(columns, engineered=False, normalised=True).fit(x[pick])
                z, z_held_out = features(x[pick]), features(x[held_out])
                for method, fit in methods.items():
                    log_odds = score(fit(z, y[pick]), z_held_out)
                    curves[method][count].append(np.mean((log_odds > 0) == y[held_out]))
    return curves


def draw(rng, candidates, y, count):
    """Draw `count` of the candidate rows (all, if there are fewer), with the classes' shares kept."""
    share = min(1.0, count / len(candidates))
    classes = [candidates[y[candidates] == label] for label in (0, 1)]
    return np.concatenate([rng.permutation(rows)[: max(2, round(share * len(rows)))] for rows in classes])


def race(x, y, columns, rounds=5):
    """Yield the median seconds of our fits and of scikit-learn's, in turn on the same engineered features."""
    features = Features(columns, True, True).fit(x)
    z = features(x)
    recipe = train.RECIPES["logistic"]
    runners = {
        "logistic": lambda: fit_logistic(z, y, recipe.epochs, recipe.batch_size, recipe.learning_rate),
        "scikit-learn LogisticRegression": lambda: LogisticRegression(max_iter=1000).fit(z, y),
        "generative": lambda: fit_shared(z, y),
        "scikit-learn LinearDiscriminantAnalysis": lambda: LinearDiscriminantAnalysis().fit(z, y),
    }
    times = {name: [] for name in runners}
    for _ in range(rounds):
        for name, runner in runners.items():
            started = time.perf_counter()
            runner()
            times[name].append(time.perf_counter() - started)
    for name, seconds in times.items():
        yield [f"{name}, fit alone", "", "", f"{np.median(seconds):.2f}"]


def plot_rows(curves, path):
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for method, counts in curves.items():
        means, deviations = zip(*(moments(scores) for scores in counts.values()))
        axes.errorbar(list(counts), means, deviations, label=method, capsize=3)
    axes.set(xscale="log", xlabel="training rows, a logarithmic axis", ylabel="validation accuracy")
    axes.set_title("Plain columns: mean and standard deviation over the subsets")
    axes.set_xticks(ROWS, [f"{count:,}" for count in ROWS], minor=False)
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


def plot_calibration(x, y, columns, epochs, path):
    """Put the held-out rows into ten groups by their predicted probability, and show the true share."""
    held_out = train.split(y, 0)
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    for method in train.RECIPES:
        args = train.parse_args(["--method", method, *trial(method, epochs)])
        model, _ = train.fit(args, columns, x[~held_out], y[~held_out])
        probability = model.probability(x[held_out])
        groups = np.array_split(np.argsort(probability), 10)
        shares = [y[held_out][group].mean() for group in groups]
        axes.plot([probability[group].mean() for group in groups], shares, "o-", label=method)
    axes.plot([0, 1], [0, 1], color="grey", linewidth=1, label="as predicted")
    axes.set(xlabel="predicted probability of label 1", ylabel="share with label 1")
    axes.set_title("Ten groups of held-out people")
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

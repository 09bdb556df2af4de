"""Answer the report questions of homework 5: every table and figure of README.md.

    python hw05_explain/report.py                 on the course's images, into results/: half an hour
    python hw05_explain/report.py --synthetic     without them, into out/results/

Do the maps point at what the model looks at? Each is asked of some validation images: how fast does the
probability fall when the pixels are taken away in the map's order, how fast does it come back, against a
random order; and does the map change when the model's weights are shuffled? The training and the maps are
kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import time

from scaffold import HERE, BadInput, Parser, replacing, run

from dataset import make_synthetic
from device import start_keras
from images import labelled_files, read_squares
from records import finished, measured_since, publish, read_metrics


def parse_args(argv=None):
    return Parser(__doc__, "report", "folder that holds food-11").parse(argv)


def load(args):
    """The folder of the data, and its validation images with their classes."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    return data_dir, *labelled_files(data_dir / "food-11" / "validation")


if __name__ == "__main__":  # --help, wrong flags and missing files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load(args))  # made-up files are not missing
    run(lambda: start_keras(tensorflow=True))

import numpy as np
import pandas as pd
import predict
import train
from explain import METHODS, load_classifier
from faithfulness import areas, rank_correlation, shuffled
from model import scores_of

COUNT = 200  # validation images
TRIAL = 2
MEASURES = ["deletion", "insertion", "shuffled", "gain", "seconds"]


def main(argv=None):
    args = parse_args(argv)
    results = args.out_dir / "results" if args.synthetic else HERE / "results"
    data_dir, paths, _ = load(args)
    chosen = np.linspace(0, len(paths) - 1, TRIAL if args.epochs else COUNT).astype(int)
    results.mkdir(parents=True, exist_ok=True)
    runs, classifiers = [], []
    for seed in range(args.seeds):
        folder = args.trainings / f"seed_{seed}"
        argv = ["--data-dir", str(data_dir), "--out-dir", str(folder), "--seed", str(seed)]
        argv += ["--epochs", str(args.epochs)] if args.epochs else []
        if not finished(train.parse_args(argv)):
            train.main(argv)
        classifiers.append(read_metrics(folder))
        if not measured_since(folder / "maps.csv"):
            model = load_classifier(folder / "model.keras")
            images = read_squares([paths[index] for index in chosen], model.input_shape[1])
            with replacing(folder / "maps.csv") as path:
                measured(model, images, seed).to_csv(path, index=False)
        try:
            runs.append(pd.read_csv(folder / "maps.csv")[["method", *MEASURES]])
        except (ValueError, KeyError) as error:
            raise BadInput(f"{folder / 'maps.csv'} is damaged; remove it, and it is made anew.") from error

    rows = [["maps", *row, ""] for row in summary(pd.concat(runs))]
    accuracy = f"{np.mean([metrics['score'] for metrics in classifiers]):.4f}"
    rows.append(["classifier", "the small one, validation accuracy", *[""] * 6, accuracy])
    columns = ["table", "row", "deletion", "insertion", "gain", "error", "shuffled", "seconds", "accuracy"]
    first = args.trainings / "seed_0"
    model = str(first / "model.keras")
    predict.main(["--data-dir", str(data_dir), "--out-dir", str(first), "--model", model])
    for name in ("sheet.png", "filters.png"):
        with replacing(results / name) as path:
            path.write_bytes((first / name).read_bytes())
    metrics = weakest(classifiers[0], pd.concat(runs))
    publish(results, pd.DataFrame(rows, columns=columns), metrics)


def measured(model, images, seed):
    """A row for each image and method: the areas, those of a random order, the correlation, the seconds."""
    rng = np.random.default_rng(seed)
    predicted = np.asarray(scores_of(model, images.astype(np.float32))).argmax(axis=1)
    other, found = shuffled(model, seed), []
    by_chance = areas(model, images, predicted, rng.random(images.shape[:3]))
    for name, method in {"random order": None, **METHODS}.items():
        began = time.perf_counter()
        maps = method(model, images, predicted) if method else rng.random(images.shape[:3])
        seconds = (time.perf_counter() - began) / len(images)
        deletion, insertion = areas(model, images, predicted, maps)
        same = rank_correlation(maps, method(other, images, predicted)) if method else np.nan
        found.append(
            pd.DataFrame(
                {"method": name, "deletion": deletion, "insertion": insertion, "shuffled": same}
                | {"gain": by_chance[0] - deletion, "seconds": seconds}
            )
        )
        print(f"{name}: deletion {deletion.mean():.3f}, insertion {insertion.mean():.3f}", flush=True)
    return pd.concat(found)


def summary(table):
    """Yield each method's means; `gain` is what it is below a random order in deletion, `error` its error."""
    for name, rows in table.groupby("method", sort=False):
        yield [
            name,
            *(f"{rows[column].mean():.3f}" for column in ("deletion", "insertion", "gain")),
            f"{rows.gain.std() / np.sqrt(len(rows)):.3f}",
            "" if rows.shuffled.isna().all() else f"{rows.shuffled.mean():.2f}",
            f"{rows.seconds.mean():.3f}",
        ]


def weakest(metrics, table):
    """The classifier's metrics, with the gain of the map that gains least as the score."""
    gains = table[table.method != "random order"].groupby("method").gain.mean()
    metrics = {**metrics, "metric": "deletion area below a random order's, of the weakest map"}
    return metrics | {"score": float(gains.min()), "map": str(gains.idxmin())}


if __name__ == "__main__":
    run(main)

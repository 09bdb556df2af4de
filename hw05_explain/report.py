"""Answer the report questions of homework 5: every table and figure of README.md.

    python hw05_explain/report.py                   on the course's images, into results/
    python hw05_explain/report.py --synthetic       without them, into out/results/
    python hw05_explain/report.py --imagenet M.keras --photographs A.jpg B.jpg    and a sheet of large ones

Do the maps point at what the model looks at? Homework 3's classifier is asked, where it was trained, or else
this chapter's small one, about some validation images: how fast does the probability fall when the pixels are
taken away in the map's order, how fast does it come back, against a random order; and does the map change
when the model's weights are shuffled? The training and the maps are kept, so an interrupted report goes on.
Remove <out-dir>/report to measure all anew.
"""

import time

from scaffold import BadInput, Parser, file_path, replacing, run

from dataset import make_synthetic
from device import start_keras
from images import labelled_files, open_image, read_squares
from records import check_models, fingerprint, finished, publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder that holds food-11")
    parser.add_argument(
        "--model", type=file_path, help="a whole Keras classifier, else homework 3's, else this chapter's"
    )
    parser.add_argument("--imagenet", type=file_path, help="a classifier for a second sheet, else the same")
    parser.add_argument("--photographs", type=file_path, nargs="+", help="of that sheet, else there is none")
    return parser.parse(argv)


def load(args):
    """The folder of the data, and its validation images with their classes. BadInput if a file is missing."""
    for path in filter(None, (args.model, args.imagenet)):
        if not path.is_file():
            raise BadInput(f"{path} is missing; give a classifier's .keras file, or leave out the flag.")
    for path in args.photographs or ():
        open_image(path)
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    if args.model:
        check_models(args, [args.model])
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
from model import all_scores
from PIL import Image
from scipy.stats import sem

COUNT, SHUFFLED = 250, 50  # validation images, and those for which the shuffled model is asked too
TRIAL = 2
WIDTH, THUMBNAIL, QUALITY = 960, 320, 80  # of the pictures in results/
MEASURES = ["deletion", "insertion", "shuffled", "gain", "seconds"]


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    if not args.model and predict.FOOD.is_file() and not args.synthetic:
        args.model = predict.FOOD
    data_dir, paths, labels = load(args)
    results.mkdir(parents=True, exist_ok=True)
    small = args.trainings / "small"
    argv = ["--data-dir", str(data_dir), "--out-dir", str(small)]
    argv += ["--epochs", str(args.epochs)] if args.epochs else []
    if not finished(train.parse_args(argv)):
        train.main(argv)
    explained = args.model or small / "model.keras"
    model = load_classifier(explained)

    chosen = np.linspace(0, len(paths) - 1, TRIAL if args.epochs else COUNT).astype(int)
    images = read_squares([paths[index] for index in chosen], model.input_shape[1])
    runs = []
    for seed in range(args.seeds):
        kept = args.trainings / f"maps_{fingerprint(explained)}_{len(images)}_{seed}.csv"
        if not kept.is_file():
            with replacing(kept) as path:
                measured(model, images, seed).to_csv(path, index=False)
        try:
            runs.append(pd.read_csv(kept)[["method", *MEASURES]])
        except (ValueError, KeyError) as error:
            raise BadInput(f"{kept} is damaged; remove it, and it is made anew.") from error
    runs = pd.concat(runs)

    rows = [["maps", *row, ""] for row in summary(runs, args.seeds)]
    for row, path in (("that is explained", explained), ("this chapter's small one", small / "model.keras")):
        rows.append(["classifier", row, *[""] * 6, f"{accuracy(load_classifier(path), paths, labels):.4f}"])
    columns = ["table", "row", "deletion", "insertion", "gain", "error", "shuffled", "seconds", "accuracy"]
    argv = ["--data-dir", str(data_dir), "--out-dir", str(small)]
    predict.main([*argv, "--model", str(explained)], checked=True)
    for name, new, width in (
        ("sheet", "sheet", WIDTH),
        ("sheet", "thumbnail", THUMBNAIL),
        ("filters", "filters", WIDTH),
    ):
        save_small(small / f"{name}.png", results / f"{new}.jpg", width)
    if args.photographs or args.synthetic:
        photographs = [str(path) for path in args.photographs or paths[:4]]
        predict.main([*argv, "--model", str(args.imagenet or explained), "--picture", *photographs])
        save_small(small / "sheet.png", results / "photographs.jpg", WIDTH)
    publish(results, pd.DataFrame(rows, columns=columns), weakest(read_metrics(small), model, runs))


def save_small(picture, small, width):
    """Write a PNG as a JPEG so many pixels wide, so that a page loads fast."""
    with Image.open(picture) as image, replacing(small) as path:
        resized = image.convert("RGB").resize((width, round(width * image.height / image.width)))
        resized.save(path, "JPEG", quality=QUALITY)


def accuracy(model, paths, labels):
    """The share of images whose class the model names."""
    images = read_squares(paths, model.input_shape[1])
    return float(np.mean(all_scores(model, images).argmax(axis=1) == labels))


def measured(model, images, seed):
    """A row for each image and method: the areas, those of a random order, the correlation, the seconds."""
    rng = np.random.default_rng(seed)
    predicted = all_scores(model, images).argmax(axis=1)
    other, found, some = shuffled(model, seed), [], slice(SHUFFLED)
    by_chance = areas(model, images, predicted, rng.random(images.shape[:3]))
    for name, method in {"random order": None, **METHODS}.items():
        began = time.perf_counter()
        maps = method(model, images, predicted, seed=seed) if method else rng.random(images.shape[:3])
        seconds = (time.perf_counter() - began) / len(images)
        deletion, insertion = areas(model, images, predicted, maps)
        same = np.full(len(images), np.nan)
        if method:
            same[some] = rank_correlation(maps[some], method(other, images[some], predicted[some], seed=seed))
        found.append(
            pd.DataFrame(
                {"method": name, "deletion": deletion, "insertion": insertion, "shuffled": same}
                | {"gain": by_chance[0] - deletion, "seconds": seconds}
            )
        )
        print(f"{name}: deletion {deletion.mean():.3f}, insertion {insertion.mean():.3f}", flush=True)
    return pd.concat(found)


def summary(table, seeds):
    """Yield each method's means; `gain` is what it is below a random order in deletion, `error` the standard
    error of that over the images, each of which has been asked about with so many seeds."""
    for name, rows in table.groupby("method", sort=False):
        yield [
            name,
            *(f"{rows[column].mean():.3f}" for column in ("deletion", "insertion", "gain")),
            f"{sem(rows.gain.to_numpy().reshape(seeds, -1).mean(axis=0)):.3f}",
            "" if rows.shuffled.isna().all() else f"{rows.shuffled.mean():.2f}",
            f"{rows.seconds.mean():.3f}",
        ]


def weakest(metrics, model, table):
    """The metrics of the small classifier's training, with the parameters of the model that is explained, and
    the gain of its map that gains least as the score."""
    gains = table[table.method != "random order"].groupby("method").gain.mean()
    metrics = metrics | {"metric": "deletion area below a random order's, of the weakest map"}
    metrics["parameters"] = model.count_params()
    return metrics | {"score": float(gains.min()), "map": str(gains.idxmin())}


if __name__ == "__main__":
    run(main)

"""Answer the report questions of homework 3: every table and figure of README.md.

    python hw03_cnn/report.py                 on the course's images, into results/: four hours
    python hw03_cnn/report.py --synthetic     without them, into out/results/

What are convolutions worth, and augmentation, and normalisation? Which classes are taken for each other?
What does averaging over several versions of an image bring? And how fast is a step? A row is train.main()
run and scored. A folder of --data-dir that holds a food-11 of its own is another set, and gets rows too.
Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import time

from scaffold import Parser, replacing, run

from dataset import load_labelled, make_synthetic
from device import start_keras
from images import class_names, common_side, labelled_files
from records import finished, publish, read_metrics


def parse_args(argv=None):
    return Parser(__doc__, "report", "folder that holds food-11").parse(argv)


def find_sets(args):
    """{name: folder} of food-11 and of the other sets beside it. Raises BadInput if one has no images."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    others = sorted(path.parent for path in data_dir.glob("*/food-11"))
    sets = {"food-11": data_dir} | {path.name: path for path in others}
    for folder in sets.values():
        labelled_files(folder / "food-11" / "validation")
    return sets


if __name__ == "__main__":  # --help, wrong flags and missing files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or find_sets(args))  # made-up files are not missing
    run(start_keras)

import numpy as np
import pandas as pd
import train
from averaging import probabilities
from batches import Batches
from matplotlib.figure import Figure
from model import build_model, load_classifier
from sklearn.metrics import confusion_matrix
from timing import speeds
from training import augmentation

SAMPLES, NARROW = 20_000, 0.5  # images that an ablation sees, and its width
PAIRS = 5  # the most confused
MADE = 2560  # images of 128 a batch, to time how fast they are made


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    rows, sets = [], find_sets(args)

    def trained(name, flags):
        """train.main() on a set with these flags and some seeds; the folders of the runs."""
        flags, folders = flags.split(), []
        for seed in range(args.seeds):
            folders.append(args.trainings / "_".join([name, *flags, str(seed)]))
            argv = [*flags, "--data-dir", str(sets[name]), "--out-dir", str(folders[-1]), "--seed", str(seed)]
            if args.epochs:
                argv += ["--epochs", str(args.epochs), "--width", "0.25", "--generations", "2"]
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return folders

    def whole(name, kind="airbench", flags="--arch airbench"):
        """Add a set's rows of a training. Its folder, the images' side, labels, predictions, classes."""
        size = common_side(sets[name] / "food-11" / "training")
        images, labels = load_labelled(sets[name] / "food-11" / "validation", size)
        default = trained(name, flags)
        model = load_classifier(default[0] / "model.keras")
        single, averaged = (probabilities(model, images, tta).argmax(axis=1) for tta in (False, True))
        rows.append(["whole", name, kind, *summary(default)])
        generations = np.mean([read_metrics(folder)["score_by_generation"] for folder in default], axis=0)
        for number, score in enumerate(generations[:-1], 1):
            row = f"{kind}, after generation {number} of {len(generations)}"
            rows.append(["whole", name, row, f"{score:.4f}", "", "", ""])
        with_tta = f"{np.mean(averaged == labels):.4f}"
        rows.append(["whole", name, f"{kind}, predict.py --tta", with_tta, "", "", ""])
        return default[0], size, labels, single, model.output_shape[1]

    default, size, labels, predicted, classes = whole("food-11")
    rows.append(
        ["whole", "food-11", "plain, the course's sample", *summary(trained("food-11", "--arch plain"))]
    )
    for name in list(sets)[1:]:
        whole(name, "airbench, one generation", "--arch airbench --generations 1")
    names = class_names(default, classes)
    matrix = confusion_matrix(labels, predicted, labels=range(classes))
    plot_confusion(matrix, names, results / "confusion.png")
    with replacing(results / "learning_curve.png") as path:
        path.write_bytes((default / "learning_curve.png").read_bytes())

    parameters = build_model("airbench", size, classes, NARROW).count_params()
    width = 1 if args.epochs else width_of("dense", size, classes, parameters)
    images = len(labelled_files(sets["food-11"] / "food-11" / "training")[1])
    epochs = max(1, round(SAMPLES / images))
    for row, flags in (
        ("airbench", f"--width {NARROW}"),
        ("dense, as many parameters", f"--width {width} --arch dense"),
        ("airbench without augmentation", f"--width {NARROW} --without augmentation"),
        (
            "airbench without normalisation",
            f"--width {NARROW} --without normalisation --learning-rate 0.02",
        ),
    ):
        folders = trained("food-11", f"--epochs {epochs} --generations 1 {flags}")
        rows.append(["parts", "food-11", row, *summary(folders)[:3], ""])

    rows += [["confused", "food-11", *row] for row in confused(matrix, names)]
    for size, flag in ((32, "--small"), (64, "")):
        for name, measured in speeds(bool(args.epochs), flags=flag):
            rows.append(["speed", f"{size} pixels", f"a step in {name}", measured, "", "", ""])
        rows.append(["speed", f"{size} pixels", "a batch made", f"{batches_made(size):.0f}", "", "", ""])
    columns = ["table", "set", "row", "validation", "training", "parameters", "seconds"]
    publish(results, pd.DataFrame(rows, columns=columns), read_metrics(default))


def summary(folders):
    """What stands in a row: the mean accuracies over the runs, the parameters, the median seconds."""
    found = [read_metrics(folder) for folder in folders]
    return [
        f"{np.mean([metrics['score'] for metrics in found]):.4f}",
        f"{np.mean([metrics['training_accuracy'] for metrics in found]):.4f}",
        str(found[0]["parameters"]),
        f"{np.median([metrics['seconds']['one_fit'] for metrics in found]):.0f}",
    ]


def width_of(arch, size, classes, parameters):
    """The width, to two decimals, at which a network has about so many parameters, by bisection."""
    low, high = 0.05, 20.0
    while high - low > 0.005:
        middle = (low + high) / 2
        fewer = build_model(arch, size, classes, middle).count_params() < parameters
        low, high = (middle, high) if fewer else (low, middle)
    return round(low, 2)


def confused(matrix, names):
    """Yield the pairs of classes most often taken for each other: names, times, and of how many images."""
    both = np.triu(matrix + matrix.T, k=1)
    for index in np.argsort(-both, axis=None, kind="stable")[:PAIRS]:
        first, second = divmod(int(index), len(matrix))
        of = matrix[[first, second]].sum()
        yield (
            f"{names[first]} and {names[second]}",
            str(both[first, second]),
            str(of),
            f"{matrix[first, second]}",
            f"{matrix[second, first]}",
        )


def batches_made(size):
    """The images a second of making batches for a training on few images, with crops and colours."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (MADE, size, size, 3), np.uint8)
    batches = Batches(images, rng.integers(0, 11, MADE), 11, 128, 0, augmentation(100, size))
    started = time.perf_counter()
    for number in range(len(batches)):
        batches[number]
    return MADE / (time.perf_counter() - started)


def plot_confusion(matrix, names, path):
    """What was taken for what: a row for each true class, in numbers of images, shaded by its shares."""
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    side = 2.5 + 0.5 * len(names)
    figure = Figure(figsize=(side + 1.5, side), dpi=75, layout="constrained")
    axes = figure.subplots()
    most = shares[~np.eye(len(names), dtype=bool)].max()
    shade = axes.imshow(shares, cmap="Greys", vmin=0, vmax=max(most, 0.01) * 1.5)
    figure.colorbar(shade, shrink=0.7, extend="max", label="share of the true class")
    for (true, predicted), count in np.ndenumerate(matrix):
        colour = "white" if shares[true, predicted] > most else "black"
        axes.text(predicted, true, str(count), ha="center", va="center", fontsize=8, color=colour)
    axes.set(
        xlabel="predicted",
        ylabel="true",
        xticks=range(len(names)),
        yticks=range(len(names)),
        yticklabels=names,
    )
    axes.set_xticklabels(names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_title("images of validation/, by true and predicted class")
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

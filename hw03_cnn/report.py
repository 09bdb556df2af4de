"""Answer the report questions of homework 3: every table and figure of README.md.

    python hw03_cnn/report.py                 on the course's pictures, into results/: an hour and a half
    python hw03_cnn/report.py --synthetic     without them, into out/results/

What are convolutions worth, and depth, augmentation, normalisation? Which classes are taken for each other?
What does averaging over flips and shifts bring? And how fast is a step? A row is train.main() run and scored.
Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import time

from scaffold import HERE, Parser, replacing, run

from dataset import common_size, load_labelled, make_synthetic
from device import start_keras
from images import labelled_files
from records import finished, publish, read_metrics


def parse_args(argv=None):
    return Parser(__doc__, "report", "folder that holds food-11").parse(argv)


def find_data(args):
    """The folder of the data, and the side that its images are brought to."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    labelled_files(data_dir / "food-11" / "validation")
    return data_dir, common_size(data_dir / "food-11" / "training")


if __name__ == "__main__":  # --help, wrong flags and missing files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or find_data(args))  # made-up files are not missing
    run(start_keras)

import keras
import numpy as np
import pandas as pd
import train
from batches import Batches
from matplotlib.figure import Figure
from model import build_model, load_classifier
from predict import probabilities
from sklearn.metrics import confusion_matrix

SHORT, NARROW = 4, 0.5  # epochs and width of the ablations
ORIGINAL = 6  # epochs of the original's network, which soon knows its pictures by heart
PAIRS = 5  # the most confused
STEPS, TURNS = 5, 5  # of the speed: the median of so many turns of so many steps


def main(argv=None):
    args = parse_args(argv)
    results = args.out_dir / "results" if args.synthetic else HERE / "results"
    data_dir, size = find_data(args)
    pictures, labels = load_labelled(data_dir / "food-11" / "validation", size)
    classes = int(labels.max()) + 1
    results.mkdir(parents=True, exist_ok=True)
    rows = []

    def trained(flags):
        """train.main() with these flags and some seeds; the folders of the runs."""
        flags, folders = flags.split(), []
        for seed in range(args.seeds):
            folders.append(args.out_dir / "report" / "_".join([*flags, str(seed)]))
            argv = [*flags, "--data-dir", str(data_dir), "--out-dir", str(folders[-1]), "--seed", str(seed)]
            argv += ["--epochs", str(args.epochs), "--width", "0.25"] if args.epochs else []
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return folders

    default = trained("--arch resnet")
    model = load_classifier(default[0] / "model.keras")
    found = {tta: probabilities(model, pictures, tta) for tta in (False, True)}
    rows.append(["whole", "resnet", *summary(default)])
    with_tta = f"{np.mean(found[True].argmax(axis=1) == labels):.4f}"
    rows.append(["whole", "resnet, predict.py --tta", with_tta, "", "", ""])
    original = trained(f"--arch plain --epochs {ORIGINAL}")
    rows.append(["whole", "plain, the original's network and training", *summary(original)])

    parameters = build_model("resnet", size, classes, NARROW).count_params()
    widths = {
        arch: 1 if args.epochs else width_of(arch, size, classes, parameters) for arch in ("shallow", "dense")
    }
    for name, flags in (
        ("resnet", ""),
        ("vgg", "--arch vgg"),
        ("half the depth, as many parameters", f"--arch shallow --width {widths['shallow']}"),
        ("dense, as many parameters", f"--arch dense --width {widths['dense']}"),
        ("resnet without augmentation", "--without augmentation"),
        ("resnet without normalisation", "--without normalisation --learning-rate 0.02"),
    ):
        rows.append(["parts", name, *summary(trained(f"--epochs {SHORT} --width {NARROW} {flags}".strip()))])
    guesses = found[False].argmax(axis=1)
    matrix = confusion_matrix(labels, guesses, labels=range(classes))
    rows += [["confused", *row] for row in confused(matrix)]
    rows += [["speed", *row] for row in speed(size, classes, *(1, 1) if args.epochs else (TURNS, STEPS))]

    plot_confusion(matrix, results / "confusion.png")
    with replacing(results / "learning_curve.png") as path:
        path.write_bytes((default[0] / "learning_curve.png").read_bytes())
    columns = ["table", "row", "validation", "training", "parameters", "seconds"]
    publish(results, pd.DataFrame(rows, columns=columns), read_metrics(default[0]))


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


def confused(matrix):
    """Yield the pairs of classes most often taken for each other: names, times, and of how many pictures."""
    both = np.triu(matrix + matrix.T, k=1)
    for index in np.argsort(-both, axis=None, kind="stable")[:PAIRS]:
        first, second = divmod(int(index), len(matrix))
        of = matrix[[first, second]].sum()
        yield (
            f"{first} and {second}",
            str(both[first, second]),
            str(of),
            f"{matrix[first, second]}",
            f"{matrix[second, first]}",
        )


def speed(size, classes, turns, steps):
    """Yield the pictures that a training step takes in a second, of 128; the kinds take turns.

    The last row is cutting batches alone, as training does.
    """
    rng = np.random.default_rng(0)
    pictures, labels = rng.integers(0, 256, (1280, size, size, 3), np.uint8), rng.integers(0, classes, 1280)
    batches = Batches(pictures, labels, classes, 128, 0)
    kinds = {}
    for name, policy in (("float32", "float32"), ("bfloat16", "mixed_bfloat16")):
        keras.mixed_precision.set_global_policy(policy)
        kinds[f"a step in {name}"] = build_model("resnet", size, classes)
    keras.mixed_precision.set_global_policy("float32")
    for model in kinds.values():
        model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    runs = {name: lambda model=model: model.train_on_batch(*batches[0]) for name, model in kinds.items()}
    runs["a batch cut"] = lambda: batches[0]
    seconds = {name: [] for name in runs}
    for turn in range(-1, turns):
        for name, step in runs.items():
            began = time.perf_counter()
            for _ in range(steps):
                step()
            if turn >= 0:
                seconds[name].append((time.perf_counter() - began) / steps)
    for name, taken in seconds.items():
        yield name, f"{128 / np.median(taken):.0f}", "", "", ""


def plot_confusion(matrix, path):
    """What was taken for what: a row for each true class, in shares."""
    classes = len(matrix)
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    picture = axes.imshow(shares, cmap="Greys", vmin=0, vmax=shares[~np.eye(classes, dtype=bool)].max())
    axes.set(xlabel="predicted", ylabel="true", xticks=range(classes), yticks=range(classes))
    figure.colorbar(picture, label="share of the true class; the diagonal is off the scale")
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

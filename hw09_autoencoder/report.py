"""Answer the report questions of homework 9: every table and figure of README.md.

    python hw09_autoencoder/report.py                 on the course's files, into results/: an hour
    python hw09_autoencoder/report.py --synthetic     on drawn images, into out/results/

Two improvements on the course's method, before and after; what is decoded; whether a smaller reconstruction
error means better groups; and how much the seed decides. A training is train.main(), and serves several rows.
Trainings and groups are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import itertools
import shutil

from scaffold import BadInput, Parser, replacing, run

from dataset import load_images, load_labels, load_several, make_synthetic
from device import start_keras
from records import finished, publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of the course's files")
    parser.set_defaults(seeds=5)
    return parser.parse(argv)


def load(args):
    """The folder of the data, its images [trainX, valX], and the labels of valX."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    parts = [load_several(data_dir / "trainX.npy"), load_images(data_dir / "valX.npy")]
    return data_dir, parts, load_labels(data_dir / "valY.npy", len(parts[1]))


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load(args))  # made-up files are not missing
    run(start_keras)

import numpy as np
import pandas as pd
import train
from checkpoint import digest_of
from clustering import CLUSTERINGS, accuracy, of_neighbours, on_a_plane, on_one_plane, whitening
from figures import plot_embedding, plot_strip, strip_indices
from matplotlib.figure import Figure
from model import in_batches, load_model
from sklearn.mixture import GaussianMixture

COMPONENTS = 128  # of the pixels, as many as a code has numbers
TOGETHER = 3  # autoencoders whose codes stand side by side
WAYS = (
    *(("none", "k-means"), ("whitened", "k-means"), ("tsne", "k-means")),
    *(("whitened", "cut"), ("whitened", "refined")),
)
DRAWN = ("denoising: none, k-means", "contrastive: none, k-means", "contrastive: whitened, refined")
EPOCHS = (1, 2, 5, 10, 20, 30, 40, 50)  # rows of the table of epochs
COLUMNS = ["table", "row", "median", "best", "worst", "error", "correlation", "seconds"]


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    data_dir, parts, labels = load(args)
    results.mkdir(parents=True, exist_ok=True)
    kept, rows, panels, found = args.trainings, [], {}, {}

    def median_best_worst(groups):
        """Median, best and worst accuracy of some runs' groups of valX, a list each."""
        return of_scores([accuracy(each, labels) for each in groups])

    def row(table, name, cells=("", "", ""), more=("", "", "")):
        rows.append([table, name, *cells, *more])
        print(" | ".join(rows[-1]), flush=True)

    numbers, count = strip_indices(len(parts[0])), len(labels)
    others = np.concatenate([parts[1], parts[0][numbers]])  # those to be restored: valX, and the strip's
    pixels, restored = principal_components(parts[0], others)
    pixels, restored, strip = (pixels[0], pixels[1][:count]), restored[:count], restored[count:]
    for way in WAYS:
        runs = [grouped(kept / "pixels", seed, pixels, way) for seed in range(args.seeds)]
        row("references", f"pixels: {', '.join(way)}", median_best_worst([run["found"] for run in runs]))
    row("references", "pixels: whitened, Gaussian mixture", median_best_worst(mixtures(pixels, args.seeds)))
    error = np.mean(np.square(restored - parts[1] / np.float32(255)))
    row("training", f"{pixels[0].shape[1]} principal components", more=(f"{error:.4f}", "", ""))

    for model in train.RECIPES:
        folders = trained(args, data_dir, model)
        metrics = [read_metrics(folder) for folder in folders]
        codes = [raw_codes(folder, parts) for folder in folders]
        for way in WAYS:
            runs = [grouped(kept / model, seed, each, way) for seed, each in enumerate(codes)]
            found[way] = [run["found"] for run in runs]
            as_trained = (metrics[0]["arguments"]["reduce"], metrics[0]["arguments"]["clustering"]) == way
            # Of the default way the scores are those that train.py recorded.
            scores = (
                of_scores([run["score"] for run in metrics]) if as_trained else median_best_worst(found[way])
            )
            row("methods", f"{model}: {', '.join(way)}", scores)
            if f"{model}: {', '.join(way)}" in DRAWN:
                panels[f"{model}: {', '.join(way)}"] = codes[0], runs[0]
        row("training", model, more=summary(folders))
        with replacing(results / f"{model}.png") as path:
            shutil.copy(folders[0] / "reconstructions.png", path)
    white = [of_variance_one(each) for each in codes]
    together = []
    for chosen in itertools.combinations(range(args.seeds), min(TOGETHER, args.seeds)):
        side_by_side = [np.concatenate([white[seed][part] for seed in chosen], axis=1) for part in (0, 1)]
        name = "_".join(map(str, chosen))
        together.append(grouped(kept / "together", name, side_by_side, ("none", "refined"))["found"])
    row("together", f"{model}: whitened, {TOGETHER} side by side, refined", median_best_worst(together))
    table = histories(folders)
    for epoch in EPOCHS:
        scores = table.accuracy[table.epoch == epoch]
        row("epochs", f"{epoch}", of_scores(scores) if len(scores) else ("", "", ""))

    strip = parts[0][numbers] / np.float32(255), strip.clip(0, 1)
    errors = plot_errors(kept, args.seeds)
    for name, figure, dpi in (
        ("embeddings", plot_embeddings(panels, labels), 72),
        ("errors", errors, 72),
        ("thumbnail", errors, 32),
        ("components", plot_strip(strip, ("original", "restored"), numbers), 72),
    ):
        with replacing(results / f"{name}.png") as path:
            figure.savefig(path, dpi=dpi)
    order = ["references", "methods", "together", "epochs", "training"]
    table = pd.DataFrame(sorted(rows, key=lambda cells: order.index(cells[0])), columns=COLUMNS)
    publish(results, table, of_the_default(metrics, [accuracy(each, labels) for each in together]))


def trained(args, data_dir, model):
    """The folders of train.main() with some seeds; a run with the same flags is not repeated."""
    folders = [args.trainings / f"{model}_{seed}" for seed in range(args.seeds)]
    for seed, folder in enumerate(folders):
        flags = ["--method", model, "--networks", "1", "--seed", str(seed)]
        flags += ["--data-dir", str(data_dir), "--out-dir", str(folder)]
        flags += ["--reduce", "none"] if model == "denoising" else []  # its t-SNE is made here, once
        flags += ["--epochs", str(args.epochs)] if args.epochs else []
        if not finished(train.parse_args(flags)):
            train.main(flags)
    return folders


def raw_codes(folder, parts):
    """The codes of trainX and valX before any reduction, float32 (n, code_size) each."""
    encoder = load_model(folder / "model.keras").get_layer("encoder_1")
    return [in_batches(encoder, part / np.float32(255)) for part in parts]


def principal_components(images, others):
    """The first COMPONENTS principal components of the pixels, fitted on the first images.

    Returns those of both, float32 (n, k) each, and the others as they come back, (m, 32, 32, 3).
    """
    flat = [part.reshape(len(part), -1) / np.float32(255) for part in (images, others)]
    mean = flat[0].mean(axis=0)
    directions = np.linalg.svd(flat[0] - mean, full_matrices=False)[2][:COMPONENTS]
    components = [(part - mean) @ directions.T for part in flat]
    return components, (components[1] @ directions + mean).reshape(others.shape)


def of_variance_one(codes, *limits):
    """Codes of trainX and valX, whitened as the former ask; see whitening() for the limits."""
    matrix, offset = whitening(codes[0], *limits)
    return [part @ matrix + offset for part in codes]


def grouped(folder, seed, codes, way):
    """What a way (reduction, clustering) makes of codes: groups of trainX and valX, `known` and `found`."""
    reduction, clustering = way
    path = folder / f"{reduction}_{clustering}_{seed}_{digest_of(codes)[:12]}.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        known, others = of_variance_one(codes) if reduction == "whitened" else codes
        number = seed if isinstance(seed, int) else 0
        points = on_a_plane(known, number) if reduction == "tsne" else known
        groups = CLUSTERINGS[clustering](points, number)
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, known=groups, found=of_neighbours(others, known, groups))
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in ("known", "found")}
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is damaged; remove it, and it is made anew.") from error


def mixtures(codes, seeds):
    """The groups of valX by two Gaussians with any covariance, on all whitened components, a list a seed."""
    known, others = of_variance_one(codes, COMPONENTS, 1.0)
    # A little is added to the variances: a Gaussian of few images has none in some direction.
    fits = [GaussianMixture(2, reg_covar=1e-4, random_state=seed).fit(known) for seed in range(seeds)]
    return [fit.predict(others) for fit in fits]


def of_scores(scores):
    return [f"{number:.3f}" for number in (np.median(scores), max(scores), min(scores))]


def histories(folders):
    """history.csv of some runs, one below the other."""
    return pd.concat([pd.read_csv(folder / "history.csv") for folder in folders], ignore_index=True)


def summary(folders):
    """Median error after the last epoch, its rank correlation with the accuracy, processor seconds a fit."""
    table = histories(folders)
    last = table[table.epoch == table.epoch.max()]
    correlation = table.validation_error.rank().corr(table.accuracy.rank()) if len(table) > 2 else np.nan
    seconds = table.processor.sum() / len(folders)
    return [f"{last.validation_error.median():.4f}", f"{correlation:.2f}", f"{seconds:.0f}"]


def plot_embeddings(panels, labels):
    """{name: (codes of trainX and valX, what grouped() says of them)}: trainX's groups above, valX's labels
    below, a group in the colour of the label that most of its images in valX have."""
    drawn = []
    for name, ((codes, others), groups) in panels.items():
        if "whitened" in name:
            codes, others = of_variance_one((codes, others))
        alike = np.mean(groups["found"] == labels) > 0.5
        known = groups["known"] if alike else 1 - groups["known"]
        both = {"trainX": (codes, known, "group, mostly label"), "valX": (others, labels, "label")}
        drawn.append({f"{name}\n{title}": panel for title, panel in on_one_plane(both).items()})
    above, below = ([list(each.items())[line] for each in drawn] for line in (0, 1))
    return plot_embedding(dict(above + below), columns=len(panels))


def plot_errors(kept, seeds):
    """Reconstruction error against accuracy: a panel a method, a point an epoch and seed."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, model in zip(figure.subplots(1, len(train.RECIPES), sharey=True), train.RECIPES):
        table = histories([kept / f"{model}_{seed}" for seed in range(seeds)])
        points = axes.scatter(table.validation_error, table.accuracy, s=12, c=table.epoch)
        last = table[table.epoch == table.epoch.max()]
        axes.plot(
            last.validation_error, last.accuracy, "o", color="none", markeredgecolor="C3", label="last epoch"
        )
        axes.set(title=model, xlabel="squared error of decoded validation images")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.colorbar(points, ax=axes, label="epoch")
    figure.axes[0].set_ylabel("validation accuracy")
    return figure


def of_the_default(runs, scores):
    """The metrics of TOGETHER networks of the runs: the median of the scores, and all of their seconds."""
    chosen = runs[:TOGETHER]
    alone = ("images_in_group", "reconstruction_error", "parameters")  # of one network
    return {
        **{name: value for name, value in runs[0].items() if name not in alone},
        "score": float(np.median(scores)),
        "score_by_networks": scores,
        "arguments": {**runs[0]["arguments"], "networks": len(chosen)},
        "seconds": {
            "one_fit": float(np.mean([run["seconds"]["one_fit"] for run in chosen])),
            "all": float(sum(run["seconds"]["all"] for run in chosen)),
        },
    }


if __name__ == "__main__":
    run(main)

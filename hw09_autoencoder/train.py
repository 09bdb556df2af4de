"""Learn codes of images without labels, and part the images into two groups by their codes.

    python hw09_autoencoder/train.py                       codes alike for two views of an image
    python hw09_autoencoder/train.py --synthetic           the same on drawn images, in a minute
    python hw09_autoencoder/train.py --method denoising    the course's: noise, then t-SNE and k-means
    python hw09_autoencoder/train.py --method denoising --reduce whitened
    python hw09_autoencoder/train.py --networks 1          not the codes of three autoencoders side by side
    python hw09_autoencoder/train.py --resume              go on after the last finished epoch

The score is the accuracy on valX and valY, under the better of the two namings of the groups. The labels do
nothing else: they take no part in the training, the groups, or what these are called. history.csv has the
accuracy after each epoch, to look at; what is saved is the last epoch.
"""

import time
from dataclasses import dataclass, replace

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
import pandas as pd
from dataset import load_images, load_labels, load_several, make_synthetic
from device import start_keras
from figures import plot_strip, strip_indices
from records import claim, learning_curve, record, set_aside

REDUCTIONS = ["none", "whitened", "tsne"]
CLUSTERINGS = ["k-means", "cut", "refined"]
CURVES = {"loss": "training loss", "accuracy": "validation accuracy: whitened codes, k-means"}
LEAST = 20  # images: of fewer each would be nearly every other's neighbour
SYNTHETIC_BATCH = 50  # images a step with --synthetic: there are few


@dataclass(frozen=True)
class Recipe:
    """What suits a --method."""

    epochs: int
    batch_size: int
    learning_rate: float
    noise: float
    reduce: str  # of the codes, before they are clustered
    clustering: str
    networks: int


RECIPES = {
    "denoising": Recipe(30, 64, 0.002, 0.2, "tsne", "k-means", 1),
    "contrastive": Recipe(50, 256, 0.002, 0.03, "whitened", "refined", 3),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of trainX.npy or trainX/, valX and valY.npy", resume=True)
    parser.add_argument("--method", choices=list(RECIPES), default="contrastive", help="how codes are learnt")
    parser.add_argument("--noise", type=number(float, 0, 1e6), help="standard deviation, of pixels 0 to 1")
    parser.add_argument("--code-size", type=integer(2, 10_000), default=128, help="numbers in a code")
    parser.add_argument("--reduce", choices=REDUCTIONS, help="of the codes, before they are clustered")
    parser.add_argument("--clustering", choices=CLUSTERINGS, help="how the codes are parted in two")
    parser.add_argument(
        "--networks", type=integer(1, 100), help="autoencoders whose codes stand side by side"
    )
    args = parser.parse(argv, recipe)
    if args.batch_size < 2:
        parser.error(f"--batch-size {args.batch_size}: expected at least 2")
    return args


def recipe(args):
    chosen = RECIPES[args.method]
    return replace(chosen, batch_size=SYNTHETIC_BATCH) if args.synthetic else chosen


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    images, validation = load_several(data_dir / "trainX.npy"), load_images(data_dir / "valX.npy")
    labels = load_labels(data_dir / "valY.npy", len(validation))
    if len(images) < LEAST:
        raise BadInput(f"{data_dir / 'trainX.npy'} has {len(images)} images, expected at least {LEAST}.")
    device = start_keras(args.seed)
    from training import fit, group, join, strip

    head(
        args,
        f"images {images.shape}, validation {validation.shape}, {labels.mean():.1%} of it labelled 1",
        f"{args.method} autoencoder, codes of {args.code_size}, on {device}",
    )
    set_aside(args)
    members, histories = [], []
    for index in range(args.networks):
        member, history = fit(args, index, images, validation, labels)
        members.append(member)
        histories.append(history)
    fitted, history = time.perf_counter(), pd.concat(histories, ignore_index=True)

    model = join(members, images, args.reduce == "whitened")
    clusters, score = group(args, model, images, validation, labels)
    metrics = {
        "metric": "validation accuracy, the better naming",
        "score": score,
        "reconstruction_error": float(histories[0].validation_error.iloc[-1]),
        "images_in_group": np.bincount(clusters["groups"], minlength=2).tolist(),
        "parameters": model.count_params(),
        "seconds": {
            "one_fit": float(history.seconds.sum()) / args.networks,
            "all": float(history.seconds.sum()) + time.perf_counter() - fitted,
        },
    }
    spoilt = "a view" if args.method == "contrastive" else "noised"
    wide = history.pivot(index="epoch", columns="network")  # columns (name, network)
    panels = {
        ylabel: {(name, number): f"autoencoder {number}" for number in range(1, args.networks + 1)}
        for name, ylabel in CURVES.items()
    }
    files = {
        "model.keras": model.save,
        "clusters.npz": lambda path: np.savez(path, **clusters),
        "history.csv": lambda path: history.to_csv(path, index=False),
        "reconstructions.png": plot_strip(
            strip(members[0], images), ("original", spoilt, "decoded"), strip_indices(len(images))
        ),
        "learning_curve.png": learning_curve(wide, panels),
    }
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)

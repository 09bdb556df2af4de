"""Train a convolutional network to name what is on a picture.

    python hw03_cnn/train.py                                the default, on the course's pictures
    python hw03_cnn/train.py --synthetic                    the same on drawn shapes
    python hw03_cnn/train.py --arch plain                   the original's network and training
    python hw03_cnn/train.py --width 2                      twice the filters
    python hw03_cnn/train.py --without augmentation         or normalisation, or both: what are they worth?
    python hw03_cnn/train.py --full-precision               in float32, even where bfloat16 is faster
    python hw03_cnn/train.py --resume                       go on after the last finished epoch

The score is the accuracy on validation/, which chooses nothing: the model that is saved is that of the last
epoch, with the moving average of its weights.
"""

import sys
import time
from dataclasses import dataclass, replace

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
from dataset import common_size, load_labelled, make_synthetic
from device import start_keras
from records import claim, learning_curve, record


@dataclass(frozen=True)
class Recipe:
    """What suits a network."""

    learning_rate: float
    epochs: int = 24
    batch_size: int = 128


RECIPES = {
    "resnet": Recipe(0.1),
    "vgg": Recipe(0.1),
    "plain": Recipe(0.001),
    "shallow": Recipe(0.1),
    "dense": Recipe(0.02),
}
SYNTHETIC_EPOCHS = 6  # enough for drawn shapes


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder that holds food-11", resume=True)
    parser.add_argument("--arch", choices=list(RECIPES), default="resnet", help="which network, see model.py")
    parser.add_argument(
        "--width", type=number(float, 0.05, 100), default=1.0, help="times the network's filters"
    )
    parser.add_argument(
        "--image-size",
        type=integer(8, 1024),
        help="pixels a side, unless given the pictures' own, at most 128",
    )
    parser.add_argument(
        "--without", nargs="+", choices=["augmentation", "normalisation"], default=[], help="leave out"
    )
    parser.add_argument("--full-precision", action="store_true", help="compute in float32, not in bfloat16")
    return parser.parse(argv, recipe)


def recipe(args):
    chosen = RECIPES[args.arch]
    return replace(chosen, epochs=SYNTHETIC_EPOCHS) if args.synthetic else chosen


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    folder = data_dir / "food-11"
    args.image_size = args.image_size or common_size(folder / "training")
    training, validation = (
        load_labelled(folder / part, args.image_size) for part in ("training", "validation")
    )
    classes = count_classes(training[1], validation[1], folder)
    counts = np.bincount(training[1])
    device = start_keras(args.seed, args.full_precision)
    from model import build_model, portable
    from training import accuracy, fit

    augment, normalise = (part not in args.without for part in ("augmentation", "normalisation"))
    augment = augment and args.arch != "plain"
    model = build_model(args.arch, args.image_size, classes, args.width, augment, normalise)
    head(
        args,
        f"training {len(training[1])}, validation {len(validation[1])} pictures of {args.image_size} pixels, "
        f"{classes} classes of {counts.min()} to {counts.max()}",
        f"{args.arch}, {model.count_params()} parameters, on {device}",
    )

    history = fit(args, model, training, validation, classes)
    scored, one_fit = time.perf_counter(), float(history.seconds.sum())
    model = portable(model)
    metrics = {
        "metric": "validation accuracy",
        "score": accuracy(model, *validation),
        "training_accuracy": accuracy(model, *training),
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - scored},
    }
    panels = {
        name: {name: "training, while it goes on", f"val_{name}": "validation"}
        for name in ("loss", "accuracy")
    }
    files = {
        "model.keras": lambda path: model.save(path, include_optimizer=False),
        "history.csv": history,
        "learning_curve.png": learning_curve(history, panels),
    }
    return record(args, metrics, files)


def count_classes(training, validation, folder):
    """The number of classes: the largest label of training/ and 1. Says so where a class has no picture."""
    classes = int(training.max()) + 1
    if validation.max() >= classes:
        raise BadInput(
            f"{folder / 'validation'} has the class {validation.max()}, expected 0 to {classes - 1} "
            "as in training."
        )
    missing = sorted(set(range(classes)) - set(training.tolist()))
    if missing:
        print(f"note: no picture in training/ is of class {', '.join(map(str, missing))}", file=sys.stderr)
    return classes


if __name__ == "__main__":
    run(main)

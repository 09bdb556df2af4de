"""Train a convolutional network to name the food on an image.

    python hw03_cnn/train.py                                the default, on the course's images
    python hw03_cnn/train.py --synthetic                    the same on drawn shapes
    python hw03_cnn/train.py --arch plain                   the course's sample network and training
    python hw03_cnn/train.py --width 2                      twice the filters
    python hw03_cnn/train.py --without augmentation         or another part: what is it worth?
    python hw03_cnn/train.py --full-precision               in float32, even where bfloat16 is faster
    python hw03_cnn/train.py --resume                       go on after the last finished epoch

The score is the accuracy on validation/, which chooses no epoch: the model that is saved is that of the last.
"""

import sys
import time
from dataclasses import dataclass, replace

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
from dataset import load_labelled, make_synthetic
from device import start_keras
from images import class_names, common_side, write_class_names
from records import claim, learning_curve, record, set_aside

SAMPLES = 2_000_000  # images that a training sees: the fewer there are, the more often each,
MOST_EPOCHS = 80  # but not more often than this
PARTS = {  # that --without leaves out, and the networks that have them
    "augmentation": ("airbench", "shallow", "resnet", "vgg", "plain", "dense"),
    "normalisation": ("airbench", "shallow", "resnet", "vgg", "plain"),
    "whitening": ("airbench", "shallow"),
    "identity": ("airbench", "shallow"),
}


@dataclass(frozen=True)
class Recipe:
    """The default settings of a network."""

    learning_rate: float
    epochs: int | None = None  # None: so many that SAMPLES images are seen, at most MOST_EPOCHS
    generations: int = 1
    batch_size: int = 128


RECIPES = {
    "airbench": Recipe(0.15),
    "shallow": Recipe(0.15),
    "resnet": Recipe(0.05),
    "vgg": Recipe(0.05),
    "plain": Recipe(0.001, epochs=30),
    "dense": Recipe(0.02),
}
SYNTHETIC_EPOCHS = 6  # enough for drawn shapes


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder that holds food-11", resume=True, devices=True)
    parser.add_argument(
        "--arch", choices=list(RECIPES), default="airbench", help="which network, see model.py"
    )
    parser.add_argument(
        "--width", type=number(float, 0.05, 100), default=1.0, help="factor of the number of filters"
    )
    parser.add_argument(
        "--image-size",
        type=integer(8, 1024),
        help="pixels a side; default: the images' own, at most 128",
    )
    parser.add_argument(
        "--generations", type=integer(1, 100), help="networks to train in turn, each the next one's teacher"
    )
    parser.add_argument("--without", nargs="+", choices=list(PARTS), default=[], help="parts to leave out")
    parser.add_argument("--full-precision", action="store_true", help="compute in float32, not in bfloat16")
    args = parser.parse(argv, recipe)
    for part in args.without:
        if args.arch not in PARTS[part]:
            parser.error(f"--without {part}: --arch {args.arch} has no such part")
    return args


def recipe(args):
    chosen = RECIPES[args.arch]
    if args.synthetic:
        return replace(chosen, epochs=SYNTHETIC_EPOCHS)
    images = sum(1 for _ in (args.data_dir / "food-11" / "training").glob("[!.]*"))
    epochs = min(MOST_EPOCHS, max(1, round(SAMPLES / max(images, 1))))
    generations = 2 if args.arch == "airbench" and epochs == MOST_EPOCHS else 1
    return replace(chosen, epochs=chosen.epochs or epochs, generations=generations)


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    folder = data_dir / "food-11"
    args.image_size = args.image_size or common_side(folder / "training")
    training, validation = (
        load_labelled(folder / part, args.image_size) for part in ("training", "validation")
    )
    classes = count_classes(training[1], validation[1], folder)
    names = class_names(folder, classes)
    counts = np.bincount(training[1])
    device = start_keras(args.seed, args.full_precision, share=(args.devices, args.batch_size))
    from training import accuracy, build, fit, without_training

    networks = build(args, training[0], classes)
    head(
        args,
        f"training {len(training[1])}, validation {len(validation[1])} images of {args.image_size} pixels, "
        f"{classes} classes of {counts.min()} to {counts.max()}",
        f"{args.arch}, {networks[0].count_params()} parameters, on {device}",
    )

    set_aside(args)
    history = fit(args, networks, training, validation, classes)
    scored, one_fit = time.perf_counter(), float(history.seconds.sum())
    models = [without_training(args, network) for network in networks]
    scores, model = [accuracy(model, *validation) for model in models], models[-1]
    metrics = {
        "metric": "validation accuracy",
        "score": scores[-1],
        "score_by_generation": scores,
        "training_accuracy": accuracy(model, *training),
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - scored},
    }
    panels = {
        name: {name: "training (augmented images)", f"val_{name}": "validation"}
        for name in ("loss", "accuracy")
    }
    marks = {done * args.epochs + 1: f"generation {done + 1}" for done in range(1, args.generations)}
    files = {
        "model.keras": lambda path: model.save(path, include_optimizer=False),
        "classes.txt": lambda path: write_class_names(path, names),
        "history.csv": history,
        "learning_curve.png": learning_curve(history, panels, marks),
    }
    return record(args, metrics, files)


def count_classes(training, validation, folder):
    """The number of classes: the largest label of training/ and 1. Says so where a class has no image."""
    classes = int(training.max()) + 1
    if validation.max() >= classes:
        raise BadInput(
            f"{folder / 'validation'} has the class {validation.max()}, expected 0 to {classes - 1} "
            "as in training."
        )
    missing = sorted(set(range(classes)) - set(training.tolist()))
    if missing:
        print(f"note: no image in training/ is of class {', '.join(map(str, missing))}", file=sys.stderr)
    return classes


if __name__ == "__main__":
    run(main)

"""Train a small classifier to explain, for whoever has none.

    python hw05_explain/train.py                on the course's images, in some minutes
    python hw05_explain/train.py --synthetic    on drawn shapes

predict.py explains this one, or any other: see its --model. The score is the accuracy on validation/.
"""

import time
from dataclasses import dataclass

from scaffold import Parser, head, integer, run

from dataset import make_synthetic
from device import start_keras
from images import class_names, labelled_files, read_squares, write_class_names
from records import claim, learning_curve, record


@dataclass(frozen=True)
class Recipe:
    """What suits the small classifier."""

    epochs: int = 16
    batch_size: int = 64
    learning_rate: float = 0.002  # of Adam; it falls along a cosine
    image_size: int = 32


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder that holds food-11")
    parser.add_argument("--image-size", type=integer(16, 1024), help="pixels a side")
    return parser.parse(argv, lambda args: Recipe())


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    parts = [labelled_files(data_dir / "food-11" / part) for part in ("training", "validation")]
    classes = int(max(labels.max() for _, labels in parts)) + 1
    training, validation = ((read_squares(paths, args.image_size), labels) for paths, labels in parts)
    names = class_names(data_dir / "food-11", classes)
    device = start_keras(args.seed, tensorflow=True)
    from training import build, fit

    model = build(args, classes)
    head(
        args,
        f"training {len(training[1])}, validation {len(validation[1])} images, {classes} classes",
        f"{model.name}, {model.count_params()} parameters, on {device}",
    )

    began = time.perf_counter()
    history = fit(args, model, training, validation)
    one_fit = time.perf_counter() - began
    metrics = {
        "metric": "validation accuracy",
        "score": float(history.val_accuracy.iloc[-1]),
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit},
    }
    lines = {"accuracy": "training, while it goes on", "val_accuracy": "validation"}
    files = {
        "model.keras": lambda path: model.save(path, include_optimizer=False),
        "classes.txt": lambda path: write_class_names(path, names),
        "history.csv": history,
        "learning_curve.png": learning_curve(history, {"accuracy": lines}),
    }
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)

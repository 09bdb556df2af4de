"""Train a convolutional network to name what is on a picture.

    python hw03_cnn/train.py                                the default, on the course's pictures
    python hw03_cnn/train.py --synthetic                    the same on drawn shapes
    python hw03_cnn/train.py --arch plain                   the original's network and training
    python hw03_cnn/train.py --width 2                      twice the filters
    python hw03_cnn/train.py --without augmentation         or normalisation, or both: what are they worth?
    python hw03_cnn/train.py --mixed-precision              in bfloat16, on some machines much faster
    python hw03_cnn/train.py --resume                       go on after the last finished epoch

The score is the accuracy on validation/, which chooses nothing: the model that is saved is that of the last
epoch, with the moving average of its weights.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, common_size, load_labelled, make_synthetic, replacing, run

HERE = Path(__file__).resolve().parent
SMALLEST = 8  # pixels a side
WARM_UP = 2  # epochs in which the learning rate rises, at most a quarter of them
SMOOTHING = 0.1  # share of a label that goes to the other classes
DECAY = 5e-3  # times the rate, past the momentum: ten times what an L2 penalty of the same effect would have
AVERAGED = 200  # steps that the moving average of the weights looks back, at most a tenth of them
RECIPES = {
    "resnet": (24, 0.1),
    "vgg": (24, 0.1),
    "plain": (24, 0.001),
    "shallow": (24, 0.1),
    "dense": (24, 0.02),
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Train a convolutional network to name what is on a picture.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder that holds food-11")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw a small data set and use it")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the weights, the order, the augmentation"
    )
    parser.add_argument("--epochs", type=int, help="passes over the pictures; None: see RECIPES")
    parser.add_argument("--batch-size", type=int, default=128, help="pictures a step")
    parser.add_argument("--learning-rate", type=float, help="at its highest; None: see RECIPES")
    parser.add_argument("--arch", choices=list(RECIPES), default="resnet", help="which network, see model.py")
    parser.add_argument("--width", type=float, default=1.0, help="times the network's filters")
    parser.add_argument(
        "--image-size", type=int, help="pixels a side; None: the pictures' own size, but at most 128"
    )
    parser.add_argument(
        "--without", nargs="+", choices=["augmentation", "normalisation"], default=[], help="leave out"
    )
    parser.add_argument("--mixed-precision", action="store_true", help="compute in bfloat16")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    epochs, learning_rate = RECIPES[args.arch]
    args.epochs = epochs if args.epochs is None else args.epochs
    args.learning_rate = learning_rate if args.learning_rate is None else args.learning_rate
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0.05 <= args.width <= 100, f"--width {args.width}: expected 0.05 to 100."),
        (
            args.image_size is not None and args.image_size < SMALLEST,
            f"--image-size {args.image_size}: expected at least {SMALLEST}.",
        ),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    folder = data_dir / "food-11"
    args.image_size = args.image_size or common_size(folder / "training")
    training, validation = (
        load_labelled(folder / part, args.image_size) for part in ("training", "validation")
    )
    classes = count_classes(training[1], validation[1], folder)
    counts = np.bincount(training[1])
    print(
        f"training {len(training[1])}, validation {len(validation[1])} pictures of {args.image_size} pixels, "
        f"{classes} classes of {counts.min()} to {counts.max()}"
    )

    import keras  # here, so that --help and a broken picture need not wait for it
    from model import build_model, portable

    keras.utils.set_random_seed(args.seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if args.mixed_precision else "float32")
    augment, normalise = (part not in args.without for part in ("augmentation", "normalisation"))
    augment = augment and args.arch != "plain"
    model = build_model(args.arch, args.image_size, classes, args.width, augment, normalise)
    print(f"model {args.arch}, {model.count_params()} parameters, epochs: {args.epochs}")
    print(f"writes to {args.out_dir}", flush=True)

    history = fit(args, model, training, validation, classes)
    scored, one_fit = time.perf_counter(), float(history.seconds.sum())
    model = portable(model)
    keras.mixed_precision.set_global_policy("float32")
    metrics = {
        "metric": "validation accuracy",
        "score": accuracy(model, *validation),
        "training_accuracy": accuracy(model, *training),
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - scored},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write_classifier(args.out_dir, model, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


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


def fit(args, model, training, validation, classes):
    """Train, with --resume from the last finished epoch on. Returns the history, a row an epoch.

    SGD with Nesterov's momentum, a learning rate that rises for two epochs and falls along a cosine, smoothed
    labels, and a moving average of the weights, which is what validates and what remains. The original's
    network has the original's training: Adam at one rate, labels as they are, and no average.
    """
    import keras
    from batches import Batches
    from checkpoint import Checkpoint

    checkpoint = Checkpoint(args.out_dir / "checkpoint.npz", args)
    if not args.resume:
        checkpoint.path.unlink(missing_ok=True)
    batches = Batches(*training, classes, args.batch_size, args.seed)
    averages = [keras.callbacks.SwapEMAWeights()]
    if args.arch == "plain":
        optimizer, smoothing, averages = keras.optimizers.Adam(args.learning_rate), 0.0, []
    else:
        steps = args.epochs * len(batches)
        warm_up = min(WARM_UP * len(batches), steps // 4)
        rate = keras.optimizers.schedules.CosineDecay(
            args.learning_rate / 10,
            steps - warm_up,
            warmup_target=args.learning_rate,
            warmup_steps=warm_up,
        )
        momentum = 1 - 1 / max(2, min(AVERAGED, steps // 10))
        optimizer, smoothing = (
            keras.optimizers.SGD(
                rate, 0.9, nesterov=True, weight_decay=DECAY, use_ema=True, ema_momentum=momentum
            ),
            SMOOTHING,
        )
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=keras.backend.backend() != "tensorflow",  # on a CPU with TensorFlow it halves the speed
    )
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    checkpoint.restore(model)
    batches.epoch = len(checkpoint.rows)
    batches.shuffle()
    one_hot = np.eye(classes, dtype=np.float32)
    model.fit(
        batches,
        validation_data=(validation[0], one_hot[validation[1]]),
        validation_batch_size=500,
        initial_epoch=len(checkpoint.rows),
        epochs=args.epochs,
        shuffle=False,  # Batches does
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[*averages, checkpoint],
    )
    return pd.DataFrame(checkpoint.rows, index=pd.RangeIndex(1, len(checkpoint.rows) + 1, name="epoch"))


def accuracy(model, pictures, labels):
    """The share of pictures, uint8 (N, n, n, 3), that the model names right."""
    return float(np.mean(model.predict(pictures, 500, verbose=0).argmax(axis=1) == labels))


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy")):
        axes.plot(history.index, history[name], ".-", label="training, while it goes on")
        axes.plot(history.index, history[f"val_{name}"], ".-", label="validation")
        axes.set(xlabel="epoch", ylabel=name)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


def write_classifier(out_dir, model, history, metrics):
    """Write model.keras, history.csv, learning_curve.png and metrics.json."""
    with replacing(out_dir / "model.keras") as path:
        model.save(path, include_optimizer=False)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

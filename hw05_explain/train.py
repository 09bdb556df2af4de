"""Train a small classifier to explain, for whoever has none.

    python hw05_explain/train.py                on the course's pictures, in a few minutes
    python hw05_explain/train.py --synthetic    on drawn shapes

predict.py explains this one, or any other: see its --model. The score is the accuracy on validation/.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, labelled_paths, load_pictures, make_synthetic, replacing, run

HERE = Path(__file__).resolve().parent
SMALLEST = 16  # pixels a side


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Train a small classifier to explain, for whoever has none.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder that holds food-11")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw a small data set and use it")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights and the order")
    parser.add_argument("--epochs", type=int, default=8, help="passes over the pictures")
    parser.add_argument("--batch-size", type=int, default=64, help="pictures a step")
    parser.add_argument("--learning-rate", type=float, default=0.002, help="of Adam; it falls along a cosine")
    parser.add_argument("--image-size", type=int, default=32, help="pixels a side")
    return parser.parse_args(argv)


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (args.image_size < SMALLEST, f"--image-size {args.image_size}: expected at least {SMALLEST}."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    parts = [labelled_paths(data_dir / "food-11" / part) for part in ("training", "validation")]
    classes = int(max(labels.max() for _, labels in parts)) + 1
    training, validation = ((load_pictures(paths, args.image_size), labels) for paths, labels in parts)
    print(f"training {len(training[1])}, validation {len(validation[1])} pictures, {classes} classes")

    import keras  # here, so that --help and a broken picture need not wait for it
    from model import build_small

    keras.utils.set_random_seed(args.seed)
    model = build_small(args.image_size, classes)
    print(f"model {model.name}, {model.count_params()} parameters, epochs: {args.epochs}")
    print(f"writes to {args.out_dir}", flush=True)

    began = time.perf_counter()
    steps = args.epochs * -(-len(training[1]) // args.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # on a CPU a step takes longer with it
    )
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    fitted = model.fit(
        *training,
        args.batch_size,
        args.epochs,
        validation_data=validation,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    history = pd.DataFrame(fitted.history, index=pd.RangeIndex(1, args.epochs + 1, name="epoch"))
    if not np.isfinite(history.to_numpy()).all():
        raise BadInput(
            f"--learning-rate {args.learning_rate}: the loss is not a number, it may be too large."
        )
    one_fit = time.perf_counter() - began
    metrics = {
        "metric": "validation accuracy",
        "score": float(history.val_accuracy.iloc[-1]),
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write_classifier(args.out_dir, model, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    history[["accuracy", "val_accuracy"]].plot(ax=figure.subplots(), style=".-", grid=True, ylabel="accuracy")
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

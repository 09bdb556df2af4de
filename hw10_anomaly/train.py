"""Learn what normal images are like, without labels, and score the test images by it.

    python hw10_anomaly/train.py                               the default: turns, then training or test?
    python hw10_anomaly/train.py --synthetic                   the same on drawn things, in seconds
    python hw10_anomaly/train.py --method cnn                  a convolutional autoencoder; also fcn, vae, pca
    python hw10_anomaly/train.py --method contrastive          for images that come one by one
    python hw10_anomaly/train.py --method vae --score elbo     another score: see scoring.py for all
    python hw10_anomaly/train.py --method best --score rotation --answers answers.csv
    python hw10_anomaly/train.py --resume                      go on after the last finished epoch

The score is the ROC-AUC if --answers are given. Without, it is that of the test images against training
images that were held out, which needs no answers: see against_training in scoring.py.
"""

import time
from dataclasses import dataclass

from scaffold import BadInput, Parser, file_path, head, integer, run

import numpy as np
from dataset import CHUNK, as_floats, load_answers, load_images, make_synthetic
from device import start_keras
from records import claim, learning_curve, record, set_aside, spare

ON_CODES = ("neighbours", "cosine", "mahalanobis", "mixture", "comparison")
SCORES = ("error", "elbo", *ON_CODES, "rotation", "fine-tuned")
IN_BFLOAT16 = ("rotation", "contrastive")  # networks, where the hardware has units for it


@dataclass(frozen=True)
class Recipe:
    """What a --method is made of."""

    network: str  # see model.py
    score: str  # what is anomalous, see scoring.py
    epochs: int
    batch_size: int  # images a step, in four turns for the rotation network, in two views for contrastive
    learning_rate: float


RECIPES = {
    "fcn": Recipe("fcn", "error", 10, 128, 0.001),
    "cnn": Recipe("cnn", "error", 10, 128, 0.001),
    "vae": Recipe("vae", "error", 10, 128, 0.001),
    "pca": Recipe("pca", "error", 1, 128, 0.001),
    "knn": Recipe("pca", "neighbours", 1, 128, 0.001),
    "latent": Recipe("cnn", "neighbours", 10, 128, 0.001),
    "contrastive": Recipe("contrastive", "cosine", 16, 512, 0.002),
    "best": Recipe("rotation", "fine-tuned", 8, 64, 0.1),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of train.npy, test.npy", resume=True, devices=True)
    parser.add_argument(
        "--method", choices=list(RECIPES), default="best", help="network and score, see the README"
    )
    parser.add_argument("--score", choices=SCORES, help="the anomaly score, see scoring.py")
    parser.add_argument(
        "--code-size", type=integer(1, 10_000), default=64, help="numbers in an autoencoder's code"
    )
    parser.add_argument("--answers", type=file_path, help="CSV file with id,anomaly of the test, to score by")
    parser.add_argument("--full-precision", action="store_true", help="compute in float32, not in bfloat16")
    args = parser.parse(argv, lambda args: RECIPES[args.method])
    recipe = RECIPES[args.method]
    if not suits(args.score, recipe.network):
        parser.error(f"--score {args.score}: --method {args.method} has no such score")
    changed = any(
        getattr(args, name) != getattr(recipe, name) for name in ("epochs", "batch_size", "learning_rate")
    )
    if recipe.network == "pca" and changed:
        parser.error(
            f"--method {args.method} has principal components, which are found at once: expected no "
            "--epochs, --batch-size or --learning-rate"
        )
    return args


def suits(score, network):
    """Whether a network, by its name in model.py, has what a score is made of."""
    turns = network == "rotation"
    needs = {
        "error": network in ("fcn", "cnn", "vae", "pca"),
        "elbo": network == "vae",
        "rotation": turns,
        "fine-tuned": turns,
    }
    return score in SCORES and needs.get(score, True)


def main(argv=None):
    args = parse_args(argv)
    spare(args, [args.answers], "history.csv")
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    training, test, anomaly = load_data(data_dir, args)
    network = RECIPES[args.method].network
    full = args.full_precision or network not in IN_BFLOAT16
    device = start_keras(args.seed, full, share=(args.devices, args.batch_size))
    from training import begin, digests, evaluate, fit_all, keep_codes

    model, rows, held_out = begin(args, network, training)
    head(
        args,
        f"training {training.shape}, of which {len(held_out)} are held out, test {test.shape}",
        f"{network}, {model.count_params()} parameters, on {device}",
    )

    set_aside(args)
    history, networks, fold_history = fit_all(args, model, training, test, rows, held_out)
    fitted = time.perf_counter()
    seconds, processor = (
        float(history[name].sum() + fold_history[name].sum()) for name in ("seconds", "processor")
    )
    codes, known_rows = keep_codes(args, model, training, rows)
    evaluated = evaluate(args, model, networks, codes, test, training, held_out, anomaly)
    metrics = {
        **evaluated,
        "parameters": model.count_params(),
        **digests(training=training, test=test),
        "seconds": {
            "one_fit": seconds,
            "processor": processor,
            "scoring": time.perf_counter() - fitted,
            "all": seconds + time.perf_counter() - fitted,
        },
    }
    files = {
        "model.keras": model.save,
        "codes.npz": lambda path: np.savez(path, codes=codes, rows=known_rows),
        "history.csv": history,
        "learning_curve.png": learning_curve(history, {"loss": {"loss": "training", "val_loss": "held out"}}),
    }
    if networks is not None:
        metrics["parameters"] += networks.count_params()
        files |= {"fine_tuned.keras": networks.save, "folds.csv": fold_history}
    return record(args, metrics, files)


def load_data(data_dir, args):
    """train.npy, test.npy, and the answers, 0 or 1 each, or None. Raises BadInput if they do not fit."""
    training, test = (load_images(data_dir / f"{name}.npy") for name in ("train", "test"))
    if test.shape[1:] != training.shape[1:]:
        raise BadInput(
            f"{data_dir / 'test.npy'} has images of {test.shape[1:]}, expected {training.shape[1:]} as in "
            "train.npy."
        )
    if all((part == training[0]).all() for part in np.array_split(training, -(-len(training) // CHUNK))):
        raise BadInput(f"{data_dir / 'train.npy'} holds one image {len(training)} times, expected many.")
    lowest, highest = (
        [float(extreme(as_floats(part[:CHUNK]))) for part in (training, test)] for extreme in (np.min, np.max)
    )
    if min(highest) > 0.5 and (lowest[0] >= 0) != (lowest[1] >= 0):
        raise BadInput(
            f"{data_dir}: train.npy holds {lowest[0]:.2f} to {highest[0]:.2f} and "
            f"test.npy {lowest[1]:.2f} to {highest[1]:.2f}, expected the same scale, -1 to 1."
        )
    if len(training) < 20 or len(test) < 10:
        raise BadInput(f"{data_dir} has {len(training)} and {len(test)} images, expected at least 20 and 10.")
    height, width, _ = training.shape[1:]
    network = RECIPES[args.method].network
    if network in ("cnn", "vae") and (height % 8 or width % 8):
        raise BadInput(f"--method {args.method}: images are {width}x{height}, expected multiples of 8.")
    if network == "rotation" and height != width:
        raise BadInput(f"--method {args.method}: images are {width}x{height}, expected squares to turn.")
    answers = data_dir / "answers.csv" if args.synthetic and not args.answers else args.answers
    return training, test, None if answers is None else load_answers(answers, len(test))


if __name__ == "__main__":
    run(main)

"""Learn classes from one domain's labels, and read them in another domain that has none.

    python hw12_dann/train.py                          photographs teach drawings: DANN and pseudo-labels
    python hw12_dann/train.py --synthetic              the same on made-up shapes, in seconds
    python hw12_dann/train.py --pair mnist_to_mnistm --no-edges
    python hw12_dann/train.py --method dann            the adversary alone
    python hw12_dann/train.py --method source-only     without it: the ablation
    python hw12_dann/train.py --method dann --lambda 0.1
    python hw12_dann/train.py --resume                 go on after the last finished epoch

Where the pair has an answers.csv, the score is the accuracy on the target's images; without, it is that on
a tenth of the source, held out, and says nothing of the target. The answers only score: no training chooses
anything by them, and the last epoch is what is saved. But --method target learns from four fifths of them,
and is scored on the last fifth: a bound of what an adaptation can reach.
"""

import argparse
import time
from dataclasses import dataclass, replace

from scaffold import BadInput, Parser, head, number, run, share

import numpy as np
from dataset import load_answers, load_source, load_target, make_synthetic
from device import start_keras
from edges import prepare
from records import claim, learning_curve, record, set_aside

METHODS = ["source-only", "dann", "pseudo-labels", "target"]


@dataclass(frozen=True)
class Recipe:
    """What suits the kind of images."""

    epochs: int
    batch_size: int  # half of it of each domain
    learning_rate: float = 0.001
    lambda_: str = "schedule"
    pseudo_labels_from: float = 0.75  # share of the epochs that are without


SAMPLES = 800_000  # images of the target that a training is shown, about: many drawings get fewer epochs,
FEWEST_EPOCHS = 4  # but so many, of which the last has pseudo-labels
RECIPES = {
    "edges": Recipe(48, 128, 0.002, "0.1"),
    "colours": Recipe(28, 64, pseudo_labels_from=0.5),
    "synthetic": Recipe(25, 40),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of the pairs", resume=True, devices=True)
    parser.add_argument("--pair", default="real_or_drawing", help="folder of train_data and test_data")
    parser.add_argument("--no-edges", action="store_true", help="keep the colours of both domains")
    parser.add_argument("--method", choices=METHODS, default="pseudo-labels", help="how the target is used")
    words = "schedule or a number: the gradient reversal's strength"
    parser.add_argument("--lambda", dest="lambda_", type=strength_flag, help=words)
    parser.add_argument("--pseudo-labels-from", type=share(), help="share of the epochs before them")
    parser.add_argument("--full-precision", action="store_true", help="compute in float32, not in bfloat16")
    args = parser.parse(argv, recipe)
    if args.method in ("source-only", "target"):
        parser.unused("--lambda", by=f"--method {args.method}")
    if args.method != "pseudo-labels":
        parser.unused("--pseudo-labels-from", by=f"--method {args.method}")
    if args.batch_size % 2:
        parser.error(f"--batch-size {args.batch_size}: expected an even number, half of it of each domain")
    return args


def recipe(args):
    if args.synthetic:
        return RECIPES["synthetic"]
    chosen = RECIPES["colours" if args.no_edges else "edges"]
    images = sum(1 for _ in (args.data_dir / args.pair / "test_data" / "0").glob("[!.]*"))
    epochs = max(FEWEST_EPOCHS, round(SAMPLES / max(images, 1)))
    return replace(chosen, epochs=min(chosen.epochs, epochs))


def strength_flag(text):
    """The type of --lambda: its text, if that is schedule or a number from 0 on."""
    if text != "schedule":
        try:
            number(float, 0, 1e9)(text)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentTypeError(f"{text}: expected schedule, or a number from 0 on") from error
    return text


def main(argv=None, loaded=None):
    """loaded: what load() returned before, so that report.py reads each pair once."""
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    source, labels, target, answers = loaded or load(data_dir / args.pair, not args.no_edges)
    training, held_out, rows = split(args, source, labels, target, answers)
    classes, shape, has_answers = labels.max() + 1, source.shape[2:], answers is not None
    half = args.batch_size // 2  # of each domain
    device = start_keras(args.seed, args.full_precision, share=(args.devices, half))
    from training import apply, build, fit

    model = build(args, shape, training)
    parameters = sum(part.count_params() for part in (model.extractor, model.predictor, model.discriminator))
    head(
        args,
        f"source {source.shape}, {np.bincount(labels)} of each class, target {target.shape}",
        f"{parameters} parameters, {classes} classes, on {device}",
    )

    set_aside(args)
    history = fit(args, model, training)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    of_source = training[0].reshape(-1, *shape)
    images, their_labels = held_out[0].reshape(-1, *shape), held_out[1].repeat(source.shape[1])
    _, logs = apply(model.teacher, of_source, images)
    source_accuracy = float(np.mean(logs.argmax(axis=1) == their_labels))
    whole, logs = apply(model.teacher, target, target)
    predicted = logs.argmax(axis=1)
    metrics = {
        "metric": "accuracy on the target" if has_answers else "accuracy on held-out images of the source",
        "score": float(np.mean(predicted[rows] == answers[rows])) if has_answers else source_accuracy,
        "source_accuracy": source_accuracy,
        "domain_accuracy": float(history.domain_accuracy.iloc[-1]),
        "target_confidence": float(np.exp(logs.max(axis=1)).mean()),
        "target_counts": np.bincount(predicted, minlength=classes).tolist(),
        "parameters": parameters,
        "seconds": {
            "one_fit": one_fit,
            "processor": float(history.processor.sum()),
            "all": one_fit + time.perf_counter() - fitted,
        },
    }
    lines = {"source_accuracy": "accuracy on the source", "domain_accuracy": "accuracy of the discriminator"}
    files = {
        "model.keras": whole.save,
        "guesses.npy": lambda path: np.save(path, predicted),
        "history.csv": history,
        "learning_curve.png": learning_curve(history, {"share": lines}, ylim=(0, 1)),
    }
    return record(args, metrics, files)


def load(folder, edges):
    """A pair, prepared: source uint8 (n, variants, h, w, c), its labels, target uint8 (m, h, w, c), and its
    answers or None."""
    source, labels = load_source(folder)
    target = load_target(folder)
    answers = load_answers(folder / "answers.csv", len(target), labels.max() + 1)
    source, target = prepare(source, target, edges)
    return source, labels, target, answers


def split(args, source, labels, target, answers):
    """Returns (source, labels, target) to learn from; images and labels of a tenth of the source, held out;
    and the rows of the target that are scored, which are all.

    With --method target, four fifths of the target and its answers stand in for the source, and the last
    fifth is scored.
    """
    if args.method == "target" and answers is None:
        raise BadInput(f"--method target learns from answers.csv, and --pair {args.pair} has none.")
    rng = np.random.default_rng(args.seed)
    order = rng.permutation(len(source))
    out, kept = np.split(order, [max(1, len(order) // 10)])
    training, held_out = (source[kept], labels[kept], target), (source[out], labels[out])
    scored = np.arange(len(target))
    if args.method == "target":
        order = rng.permutation(len(target))
        out, kept = np.split(order, [max(1, len(order) // 5)])
        training, scored = (target[kept][:, None], answers[kept], target[kept]), out
    if min(len(training[0]), len(training[2])) < args.batch_size // 2:
        raise BadInput(
            f"--batch-size {args.batch_size}: {len(training[0])} images of the source and "
            f"{len(training[2])} of the target are too few for half a batch each."
        )
    return training, held_out, scored


if __name__ == "__main__":
    run(main)

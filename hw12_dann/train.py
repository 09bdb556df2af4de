"""Learn classes from one domain's labels, and read them in another domain that has none.

    python hw12_dann/train.py                          photographs teach drawings: DANN and pseudo-labels
    python hw12_dann/train.py --synthetic              the same on made-up shapes, in seconds
    python hw12_dann/train.py --pair mnist_to_mnistm --no-edges
    python hw12_dann/train.py --method dann            the adversary alone
    python hw12_dann/train.py --method source-only     without it: the ablation
    python hw12_dann/train.py --method dann --lambda 0.1
    python hw12_dann/train.py --resume                 go on after the last finished epoch

Where the pair has an answers.csv, the score is the accuracy on the target's pictures; without, it is that on
a tenth of the source, held out, and says nothing of the target. The answers only score: no training chooses
anything by them, and the last epoch is what is saved. But --method target learns from four fifths of them,
and is scored on the last fifth: a bound of what an adaptation can reach.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, load_answers, load_source, load_target, make_synthetic, replacing, run
from edges import prepare

HERE = Path(__file__).resolve().parent
METHODS = ["source-only", "dann", "pseudo-labels", "target"]
MOMENTUM = 0.5  # Adam's first: with 0.9 extractor and discriminator overshoot each other
RECIPES = {  # what the pictures are: epochs, pictures a step (half of each domain), learning rate
    "edges": (40, 64, 0.001),
    "colours": (10, 64, 0.001),
    "synthetic": (25, 40, 0.001),
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn classes from one domain's labels, and read them in another that has none.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of the pairs")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="make two pairs of shapes, and use them")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--epochs", type=int, help="passes over the larger domain; None: see RECIPES")
    parser.add_argument("--batch-size", type=int, help="pictures a step, half of each; None: see RECIPES")
    parser.add_argument("--learning-rate", type=float, help="at the start, it falls to 0; None: see RECIPES")
    parser.add_argument("--pair", default="real_or_drawing", help="folder of train_data and test_data")
    parser.add_argument("--no-edges", action="store_true", help="keep the colours of both domains")
    parser.add_argument("--method", choices=METHODS, default="pseudo-labels", help="how the target is used")
    parser.add_argument(
        "--lambda", dest="lambda_", default="schedule", help="schedule or a number: the reversal's strength"
    )
    parser.add_argument("--full-precision", action="store_true", help="float32 in place of bfloat16")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    recipe = RECIPES["synthetic" if args.synthetic else "colours" if args.no_edges else "edges"]
    for name, value in zip(("epochs", "batch_size", "learning_rate"), recipe):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (
            args.batch_size < 2 or args.batch_size % 2,
            f"--batch-size {args.batch_size}: expected an even number, half of it of each domain.",
        ),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (strength(args) is np.nan, f"--lambda {args.lambda_}: expected schedule, or a number from 0 on."),
    ]:
        if wrong:
            raise BadInput(sentence)


def strength(args):
    """lambda as a number, None for the schedule, NaN if it is neither."""
    if args.method in ("source-only", "target"):
        return 0.0
    if args.lambda_ == "schedule":
        return None
    try:
        return float(args.lambda_) if 0 <= float(args.lambda_) < np.inf else np.nan
    except ValueError:
        return np.nan


def main(argv=None, loaded=None):
    """loaded: what load() returned before, so that report.py reads each pair once."""
    args = parse_args(argv)
    check(args)
    began = time.perf_counter()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    source, labels, target, answers = loaded or load(data_dir / args.pair, not args.no_edges)
    training, held_out, rows = split(args, source, labels, target, answers)
    classes, shape = labels.max() + 1, source.shape[1:]

    import keras  # here, with its backend, so that --help and a wrong file need not wait for it
    from model import outputs_of, whole_model

    keras.utils.set_random_seed(args.seed)
    print(f"source {source.shape}, {np.bincount(labels)} of each class, target {target.shape}")
    model = build(args, shape, training)
    parameters = sum(part.count_params() for part in (model.extractor, model.predictor, model.discriminator))
    print(f"model {parameters} parameters, method {args.method}, lambda {args.lambda_}, {classes} classes")
    print(f"writes to {args.out_dir}", flush=True)

    history = fit(args, model, training)
    whole = whole_model(model.extractor, model.predictor)
    logs, _ = outputs_of(whole, target)  # (m, classes), log-probabilities
    guesses = logs.argmax(axis=1)
    source_accuracy = float(np.mean(outputs_of(whole, held_out[0])[0].argmax(axis=1) == held_out[1]))
    known = answers is not None
    metrics = {
        "metric": "accuracy on the target" if known else "accuracy on held-out pictures of the source",
        "score": float(np.mean(guesses[rows] == answers[rows])) if known else source_accuracy,
        "source_accuracy": source_accuracy,
        "domain_accuracy": float(history.domain_accuracy.iloc[-1]),
        "target_confidence": float(np.exp(logs.max(axis=1)).mean()),
        "target_counts": np.bincount(guesses, minlength=classes).tolist(),
        "parameters": parameters,
        "seconds": {
            "one_fit": float(history.seconds.sum()),
            "processor": float(history.processor.sum()),
            "all": time.perf_counter() - began,
        },
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write(args.out_dir, whole, guesses, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def load(folder, edges):
    """A pair, prepared: source and target uint8 (n, h, w, c), the source's labels, the answers or None."""
    source, labels = load_source(folder)
    target = load_target(folder)
    answers = load_answers(folder / "answers.csv", len(target), labels.max() + 1)
    source, target = prepare(source, target, edges)
    return source, labels, target, answers


def split(args, source, labels, target, answers):
    """Returns (source, labels, target) to learn from; pictures and labels of a tenth of the source, held out;
    and the rows of the target that are scored, which are all.

    With --method target, four fifths of the target and its answers stand in for the source, and the last
    fifth is scored.
    """
    if args.method == "target" and answers is None:
        raise BadInput(f"--method target learns from answers.csv, and --pair {args.pair} has none.")
    rng = np.random.default_rng(args.seed)
    order = rng.permutation(len(source))
    kept, out = order[len(order) // 10 :], order[: len(order) // 10]
    training, held_out = (source[kept], labels[kept], target), (source[out], labels[out])
    scored = np.arange(len(target))
    if args.method == "target":
        order = rng.permutation(len(target))
        kept, out = order[len(order) // 5 :], order[: len(order) // 5]
        training, scored = (target[kept], answers[kept], target[kept]), out
    if min(len(training[0]), len(training[2])) < args.batch_size // 2:
        raise BadInput(
            f"--batch-size {args.batch_size}: {len(training[0])} pictures of the source and "
            f"{len(training[2])} of the target are too few for half a batch each."
        )
    return training, held_out, scored


def build(args, shape, training):
    """The three networks in one model, compiled for fit()."""
    import keras
    from adversary import DomainAdversary
    from batches import Pairs
    from model import build_extractor, build_head
    from views import COLOURS, EDGES

    source, labels, target = training
    precision = "float32" if args.full_precision else "mixed_bfloat16"
    means, deviations = zip(*((domain.mean(), domain.std()) for domain in (source, target)))
    extractor = build_extractor(shape, float(np.mean(means)), float(np.mean(deviations)), precision)
    size, shares = extractor.output_shape[-1], np.bincount(labels) / len(labels)
    steps = args.epochs * len(Pairs(*training, args.batch_size // 2, args.seed))
    model = DomainAdversary(
        extractor,
        build_head(size, len(shares), "predictor", precision),
        build_head(size, 1, "discriminator", precision),
        COLOURS if args.no_edges else EDGES,
        steps,
        strength(args),
        shares.astype(np.float32) if args.method == "pseudo-labels" else None,
        seed=args.seed,
    )
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    model.compile(keras.optimizers.Adam(rate, beta_1=MOMENTUM), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def fit(args, model, training):
    """Train, with --resume from the last finished epoch on. Returns a row an epoch."""
    from batches import Pairs
    from checkpoint import EveryEpoch

    checkpoint = EveryEpoch(args.out_dir / "checkpoint.npz", args)
    if not args.resume:
        checkpoint.path.unlink(missing_ok=True)
    checkpoint.restore(model)
    done = len(checkpoint.rows)
    model.fit(
        Pairs(*training, args.batch_size // 2, args.seed, epoch=done),
        initial_epoch=done,
        epochs=args.epochs,
        shuffle=False,  # the batches are mixed already
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[checkpoint],
    )
    return pd.DataFrame(checkpoint.rows, index=pd.RangeIndex(1, len(checkpoint.rows) + 1, name="epoch"))


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(history.index, history.source_accuracy, ".-", label="accuracy on the source's training part")
    axes.plot(history.index, history.domain_accuracy, ".-", label="accuracy of the discriminator")
    if "pseudo_share" in history:
        axes.plot(history.index, history.pseudo_share, ".-", label="share of the target with a pseudo-label")
    axes.axhline(0.5, color="grey", linewidth=1)
    axes.set(xlabel="epoch", ylim=(0, 1))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def write(out_dir, whole, guesses, history, metrics):
    """Write model.keras, guesses.npy, history.csv, learning_curve.png and metrics.json."""
    with replacing(out_dir / "guesses.npy") as path, open(path, "wb") as file:
        np.save(file, guesses)
    with replacing(out_dir / "model.keras") as path:
        whole.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

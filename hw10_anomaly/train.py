"""Learn what normal pictures are like, without labels, and score the test pictures by it.

    python hw10_anomaly/train.py                               the default: turned pictures, and a comparison
    python hw10_anomaly/train.py --synthetic                   the same on drawn things, in seconds
    python hw10_anomaly/train.py --method cnn                  a convolutional autoencoder; also fcn, vae, pca
    python hw10_anomaly/train.py --method vae --score elbo     another score: see scoring.py for all
    python hw10_anomaly/train.py --method best --score rotation --answers answers.csv
    python hw10_anomaly/train.py --resume                      go on after the last finished epoch

The score is the ROC-AUC if --answers are given. Without, it is that of the test pictures against training
pictures that were held out, which needs no answers: see against_training in scoring.py.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, as_floats, load_answers, load_pictures, make_synthetic, replacing, run

HERE = Path(__file__).resolve().parent
RECIPES = {  # method: network, score, epochs, pictures a step, learning rate
    "fcn": ("fcn", "error", 10, 128, 0.001),
    "cnn": ("cnn", "error", 10, 128, 0.001),
    "vae": ("vae", "error", 10, 128, 0.001),
    "pca": ("pca", "error", 1, 128, 0.001),
    "knn": ("pca", "neighbours", 1, 128, 0.001),
    "latent": ("cnn", "neighbours", 10, 128, 0.001),
    "best": ("rotation", "comparison", 4, 64, 0.1),
}
SCORES = ("error", "elbo", "neighbours", "mahalanobis", "mixture", "rotation", "comparison")
COMPONENTS_FROM = 10_000  # training pictures that principal components are made of, at most


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn what normal pictures are like, and score the test pictures by it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of train.npy, test.npy")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw things, with answers, and use them")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--epochs", type=int, help="passes over the pictures; None: see RECIPES")
    parser.add_argument(
        "--batch-size", type=int, help="pictures a step, each turned four times by best; None: see RECIPES"
    )
    parser.add_argument("--learning-rate", type=float, help="at the start, it falls to 0; None: see RECIPES")
    parser.add_argument("--method", choices=list(RECIPES), default="best", help="what is learnt")
    parser.add_argument("--score", choices=SCORES, help="what is anomalous; None: the method's, see RECIPES")
    parser.add_argument("--code-size", type=int, default=64, help="numbers in an autoencoder's code")
    parser.add_argument("--answers", type=Path, help="CSV file with id,anomaly of the test, only to score")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    for name, value in zip(("score", "epochs", "batch_size", "learning_rate"), RECIPES[args.method][1:]):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range, or does not suit the others."""
    network = RECIPES[args.method][0]
    needs = {"error": network != "rotation", "elbo": network == "vae", "rotation": network == "rotation"}
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (args.code_size < 1, f"--code-size {args.code_size}: expected at least 1."),
        (not needs.get(args.score, True), f"--score {args.score}: --method {args.method} has no such score."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    began = time.perf_counter()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    training, test, anomaly = load_data(data_dir, args)

    import keras  # here, with TensorFlow, so that --help and a wrong file need not wait for it
    from model import build_model
    from scoring import split

    keras.utils.set_random_seed(args.seed)
    network, shape = RECIPES[args.method][0], training.shape[1:]
    rows, held_out = split(len(training), args.seed)
    print(f"training {training.shape}, of which {len(held_out)} are held out, test {test.shape}")
    model = build_model(network, shape, args.code_size)
    print(f"model {network}, {model.count_params()} parameters, score {args.score}, epochs: {args.epochs}")
    print(f"writes to {args.out_dir}", flush=True)

    history = (fit_components if network == "pca" else fit)(args, model, training, rows, held_out)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    codes, known_rows = keep_codes(args, model, training, rows)
    judged = judge(args, model, codes, test, training, held_out, anomaly)
    metrics = {
        **judged,
        "parameters": model.count_params(),
        "seconds": {
            "one_fit": one_fit,
            "processor": float(history.processor.sum()),
            "scoring": time.perf_counter() - fitted,
            "all": time.perf_counter() - began,
        },
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write(args.out_dir, model, codes, known_rows, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def load_data(data_dir, args):
    """train.npy, test.npy, and the answers, 0 or 1 each, or None. Raises BadInput if they do not fit."""
    training, test = (load_pictures(data_dir / f"{name}.npy") for name in ("train", "test"))
    if test.shape[1:] != training.shape[1:]:
        raise BadInput(
            f"{data_dir / 'test.npy'} has pictures of {test.shape[1:]}, expected {training.shape[1:]} as in "
            "train.npy."
        )
    if len(training) < 20 or len(test) < 10:
        raise BadInput(
            f"{data_dir} has {len(training)} and {len(test)} pictures, expected at least 20 and 10."
        )
    height, width, _ = training.shape[1:]
    network = RECIPES[args.method][0]
    if network in ("cnn", "vae") and (height % 8 or width % 8):
        raise BadInput(f"--method {args.method}: pictures are {width}x{height}, expected multiples of 8.")
    if network == "rotation" and height != width:
        raise BadInput(f"--method {args.method}: pictures are {width}x{height}, expected squares to turn.")
    answers = data_dir / "answers.csv" if args.synthetic and not args.answers else args.answers
    return training, test, None if answers is None else load_answers(answers, len(test))


def fit(args, model, training, rows, held_out):
    """Train by descent, with --resume from the last finished epoch on. Returns a row an epoch."""
    import keras
    from batches import Pictures
    from checkpoint import EveryEpoch
    from rotation import Turns
    from vae import squared_error

    checkpoint = EveryEpoch(args.out_dir / "checkpoint.npz", args)
    if not args.resume:
        checkpoint.path.unlink(missing_ok=True)
    steps = args.epochs * -(-len(rows) // args.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 20, warmup_target=args.learning_rate, warmup_steps=steps // 20
    )
    turns = model.name == "rotation"
    if turns:
        optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    else:
        optimizer, loss, metrics = keras.optimizers.Adam(rate), squared_error, []
    # Without XLA a CPU takes 1.2 times as many pictures a second for rotation, and 1.8 times for cnn.
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    checkpoint.restore(model)
    done = len(checkpoint.rows)
    Batches = Turns if turns else Pictures
    model.fit(
        Batches(training, rows, args.batch_size, training=True, seed=args.seed, epoch=done),
        validation_data=Batches(training, held_out, args.batch_size),
        initial_epoch=done,
        epochs=args.epochs,
        shuffle=False,  # the batches are mixed already
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[checkpoint],
    )
    return pd.DataFrame(checkpoint.rows, index=pd.RangeIndex(1, len(checkpoint.rows) + 1, name="epoch"))


def fit_components(args, model, training, rows, held_out):
    """Set a pca model to the principal components. Returns a history of one row."""
    from model import set_components
    from scoring import errors, parts
    from sklearn.decomposition import PCA

    began, processor = time.perf_counter(), time.process_time()
    pictures = as_floats(training[rows[:: -(-len(rows) // COMPONENTS_FROM)]])
    flat = pictures.reshape(len(pictures), -1)  # (n, pixels)
    if args.code_size > min(flat.shape):
        raise BadInput(f"--code-size {args.code_size}: expected at most {min(flat.shape)} components.")
    space = PCA(args.code_size, svd_solver="randomized", random_state=args.seed).fit(flat)
    set_components(model, space.mean_, space.components_)
    seconds = {"seconds": time.perf_counter() - began, "processor": time.process_time() - processor}
    losses = {
        name: float(np.mean(np.concatenate([errors(model, part) for part in parts(training, some)])))
        for name, some in (("loss", rows), ("val_loss", held_out))
    }
    return pd.DataFrame([{**losses, **seconds}], index=pd.RangeIndex(1, 2, name="epoch"))


def keep_codes(args, model, training, rows):
    """The codes of some training pictures, float16 (m, d), and their rows: what predict.py compares with."""
    from model import prepared
    from scoring import KNOWN, codes_of

    chosen = np.sort(np.random.default_rng(args.seed).permutation(rows)[:KNOWN])
    return codes_of(prepared(model), training, chosen).astype(np.float16), chosen


def judge(args, model, codes, test, training, held_out, anomaly):
    """Score the test; what metrics.json says of the scores. `anomaly`: 0 or 1 each, or None."""
    from scoring import against_training, auc, interval, score_pictures

    known, every = codes.astype(np.float32), np.arange(len(test))
    scores, others = score_pictures(model, args.score, known, test, every, training, held_out)
    without = against_training(scores, others)
    if anomaly is None:
        return {"metric": "ROC-AUC of the test against held-out training pictures", "score": without}
    low, high = interval(anomaly, scores)
    print(f"ROC-AUC {auc(anomaly, scores):.4f}, 95% of bootstraps {low:.4f} to {high:.4f}")
    return {
        "metric": "ROC-AUC",
        "score": auc(anomaly, scores),
        "interval": [low, high],
        "against_training": without,
    }


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(history.index, history.loss, ".-", label="training")
    axes.plot(history.index, history.val_loss, ".-", label="held out")
    axes.set(xlabel="epoch", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def write(out_dir, model, codes, known_rows, history, metrics):
    """Write model.keras, codes.npz, history.csv, learning_curve.png and metrics.json."""
    with replacing(out_dir / "model.keras") as path:
        model.save(path)
    with replacing(out_dir / "codes.npz") as path:
        np.savez(path, codes=codes, rows=known_rows)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

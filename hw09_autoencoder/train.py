"""Learn codes of pictures without labels, and part the pictures into two groups by their codes.

    python hw09_autoencoder/train.py                       codes alike for two views of a picture, whitened
    python hw09_autoencoder/train.py --synthetic           the same on drawn pictures, in seconds
    python hw09_autoencoder/train.py --model denoising     the course's: noise, then t-SNE and k-means
    python hw09_autoencoder/train.py --model denoising --reduce whitened
    python hw09_autoencoder/train.py --seeds 3             three autoencoders vote

The score is the accuracy on valX and valY, under the better of the two namings of the groups. The labels do
nothing else: they take no part in the training, the groups, or what these are called. history.csv has the
accuracy after each epoch, to look at; what is saved is the last epoch.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from clustering import accuracy, named, of_neighbours, on_a_plane, two_groups, vote, whitening
from dataset import BadInput, load_labels, load_pictures, make_synthetic, replacing, run

HERE = Path(__file__).resolve().parent
REDUCTIONS = ["none", "whitened", "tsne"]
RECIPES = {  # model: epochs, batch size, learning rate, noise, reduction of the codes
    "denoising": (30, 64, 0.002, 0.2, "tsne"),
    "contrastive": (12, 256, 0.002, 0.05, "whitened"),
}
SYNTHETIC_BATCH = 50  # pictures a step with --synthetic: there are few
SHOWN = (1, 2, 3, 6, 7, 9)  # pictures of trainX in reconstructions.png, the course's


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn codes of pictures without labels, and part the pictures into two groups.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of the three .npy files")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="draw a small set of pictures and use it")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--epochs", type=int, help="passes over trainX; None: the model's own, see RECIPES")
    parser.add_argument("--batch-size", type=int, help="pictures a step; None: the model's own")
    parser.add_argument(
        "--learning-rate", type=float, help="of Adam at the start, it falls to 0; None: the model's own"
    )
    parser.add_argument("--model", choices=list(RECIPES), default="contrastive", help="how codes are learnt")
    parser.add_argument(
        "--noise", type=float, help="standard deviation, of pixels from 0 to 1; None: the model's own"
    )
    parser.add_argument("--code-size", type=int, default=128, help="numbers in a code")
    parser.add_argument(
        "--reduce", choices=REDUCTIONS, help="of the codes, before k-means; None: the model's own"
    )
    parser.add_argument("--seeds", type=int, default=1, help="autoencoders that vote on the groups")
    args = parser.parse_args(argv)
    if args.synthetic and args.batch_size is None:
        args.batch_size = SYNTHETIC_BATCH
    names = ("epochs", "batch_size", "learning_rate", "noise", "reduce")
    for name, value in zip(names, RECIPES[args.model]):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 2, f"--batch-size {args.batch_size}: expected at least 2."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0 <= args.noise < np.inf, f"--noise {args.noise}: expected 0 or more."),
        (args.code_size < 2, f"--code-size {args.code_size}: expected at least 2."),
        (args.seeds < 1, f"--seeds {args.seeds}: expected at least 1."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    began = time.perf_counter()
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    pictures, validation = (load_pictures(data_dir / f"{name}.npy") for name in ("trainX", "valX"))
    labels = load_labels(data_dir / "valY.npy", len(validation))
    if len(pictures) < 2:
        raise BadInput(f"{data_dir / 'trainX.npy'} holds one picture, expected at least 2 for two groups.")

    import keras  # here, with its backend, so that --help and a wrong file need not wait for it
    from model import in_batches, whole_model

    print(f"pictures {pictures.shape}, validation {validation.shape}, {labels.mean():.1%} of it labelled 1")
    print(f"model {args.model}, codes of {args.code_size}, reduction {args.reduce}, seeds {args.seeds}")
    print(f"writes to {args.out_dir}", flush=True)
    fits, members, histories = time.perf_counter(), [], []
    for number in range(args.seeds):
        member, history = fit(args, number, pictures, validation, labels)
        members.append(member)
        histories.append(history)
    fitted = time.perf_counter()

    raw = [in_batches(member.encoder, pictures / np.float32(255)) for member in members]
    reductions = [whitening(codes) if args.reduce == "whitened" else None for codes in raw]
    model = whole_model(members, reductions)
    codes, validation_codes = (in_batches(lambda x: model(x)[0], each) for each in (pictures, validation))
    widths = [each.shape[1] if way is None else len(way[1]) for each, way in zip(raw, reductions)]
    clusters = part(args, np.split(codes, np.cumsum(widths)[:-1], axis=1), pictures)
    found = of_neighbours(validation_codes, clusters["codes"], clusters["groups"])
    metrics = {
        "metric": "validation accuracy, the better naming",
        "score": accuracy(found, labels),
        "reconstruction_error": float(histories[0].validation_error.iloc[-1]),
        "pictures_in_group": np.bincount(clusters["groups"], minlength=2).tolist(),
        "parameters": model.count_params(),
        "seconds": {"one_fit": (fitted - fits) / args.seeds, "all": time.perf_counter() - began},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    history = pd.concat(histories, ignore_index=True)
    write(args.out_dir, model, clusters, history, metrics, strip(members[0], pictures))
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def fit(args, number, pictures, validation, labels):
    """Train one autoencoder. Returns it and its history, a row an epoch."""
    import keras
    from model import Autoencoder
    from watch import Watch

    seed = member_seed(args, number)
    keras.utils.set_random_seed(seed)
    model = Autoencoder(args.code_size, args.noise, args.model == "contrastive", seed, number + 1)
    steps = args.epochs * -(-len(pictures) // args.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    # XLA's code for this network is four times as slow on the CPU as TensorFlow's own.
    model.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    watch = Watch(pictures, validation, labels, args.learning_rate)
    model.fit(
        pictures.astype(np.float32) / 255,
        batch_size=args.batch_size,
        epochs=args.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[watch],
    )
    return model, pd.DataFrame(watch.rows).assign(member=number + 1)


def member_seed(args, number):
    """No two votes with other --seed share an autoencoder."""
    return args.seed * args.seeds + number


def part(args, codes, pictures):
    """The members' k-means and their vote: what goes into clusters.npz, a dict of arrays.

    codes : float32 (n, d) of trainX for each member; whitened, one may have fewer directions than another.
        In the file they stand side by side
    groups : int64 (n,), 0 the bluer one
    places : float32 (n, 2), of the first member's t-SNE, if it had one
    """
    arrays, groups = {"codes": np.concatenate(codes, axis=1)}, []
    for number, points in enumerate(codes):
        seed = member_seed(args, number)
        if args.reduce == "tsne":
            points = on_a_plane(points, seed)
            arrays.setdefault("places", points)
        groups.append(two_groups(points, seed))
    return {**arrays, "groups": named(vote(groups), pictures)}


def strip(model, pictures):
    """The pictures SHOWN, spoilt as in training, and decoded from that: float32 (3, k, 32, 32, 3), 0..1."""
    from keras import ops

    clean = pictures[[number for number in SHOWN if number < len(pictures)]].astype(np.float32) / 255
    spoilt = model.spoilt(ops.convert_to_tensor(clean))
    rows = (clean, spoilt, model(spoilt))
    return np.clip([ops.convert_to_numpy(row) for row in rows], 0, 1)


def plot_strip(rows, spoilt):
    """The strip as a figure: a row each for original, spoilt (a word for it) and decoded."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(1.2 * rows.shape[1] + 1, 4), layout="constrained")
    grid = figure.subplots(3, rows.shape[1], squeeze=False)
    for line, pictures, name in zip(grid, rows, ("original", spoilt, "decoded")):
        for axes, picture in zip(line, pictures):
            axes.imshow(picture)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    for axes, number in zip(grid[0], SHOWN):
        axes.set_title(number)
    return figure


def plot_history(history):
    """Left: the losses. Right: the accuracy of the groups; a line a member."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    for member, rows in history.groupby("member"):
        losses.plot(rows.epoch, rows.loss, ".-", label=f"autoencoder {member}")
        scores.plot(rows.epoch, rows.accuracy, ".-")
    losses.set(xlabel="epoch", ylabel="training loss")
    scores.set(xlabel="epoch", ylabel="validation accuracy: whitened codes, k-means", ylim=(0.5, 1))
    for axes in (losses, scores):
        axes.grid(alpha=0.3)
    losses.legend()
    return figure


def write(out_dir, model, clusters, history, metrics, rows):
    """Write model.keras, clusters.npz, history.csv, the two pictures and metrics.json."""
    with replacing(out_dir / "model.keras") as path:
        model.save(path)
    with replacing(out_dir / "clusters.npz") as path:
        np.savez(path, **clusters)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path, index=False)
    spoilt = "a view" if metrics["arguments"]["model"] == "contrastive" else "noised"
    figures = {"reconstructions": plot_strip(rows, spoilt), "learning_curve": plot_history(history)}
    for name, figure in figures.items():
        with replacing(out_dir / f"{name}.png") as path:
            figure.savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

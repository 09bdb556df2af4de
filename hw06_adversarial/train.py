"""Craft pictures that a classifier misreads and a person does not.

    python hw06_adversarial/train.py                                    the smallest change, against VGG16
    python hw06_adversarial/train.py --synthetic                        the same without files and download
    python hw06_adversarial/train.py --method fgsm --epsilon 15         one step, as the course's sample
    python hw06_adversarial/train.py --method iterative --epsilon 2     many steps, with momentum
    python hw06_adversarial/train.py --method transfer --proxy vgg16 resnet50    for a target nobody can see

Nothing is trained but the pictures: <out-dir>/images holds them all, as PNG files of the same names. The
score is the share that the proxy misreads, counted on those files.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, load_pictures, make_synthetic, read_pictures, replacing, run, write_pictures

HERE = Path(__file__).resolve().parent
RECIPES = {  # method: epsilon, iterations, learning rate
    "minimal": (255, 12, 0.5),
    "fgsm": (15, 1, 1.0),
    "iterative": (15, 10, 0.25),
    "transfer": (16, 10, 0.1),
}
VIEWS = 4  # random views that a look of transfer averages over


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Craft pictures that a classifier misreads and a person does not.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir", type=Path, default=HERE / "data", help="folder of images, labels.csv and categories.csv"
    )
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="make small pictures and a classifier")
    parser.add_argument("--seed", type=int, default=0, help="seed of all that is random")
    parser.add_argument("--iterations", type=int, help="steps a picture; None: the method's own, see RECIPES")
    parser.add_argument("--batch-size", type=int, default=50, help="pictures looked at together")
    parser.add_argument(
        "--learning-rate", type=float, help="length of a step as a share of epsilon; None: the method's own"
    )
    parser.add_argument("--method", choices=list(RECIPES), default="minimal", help="which attack")
    parser.add_argument(
        "--proxy",
        nargs="+",
        help="the classifier to attack, or several at once: names of keras.applications, or .keras files, "
        "looked for in --data-dir too; None: vgg16, or what --synthetic makes",
    )
    parser.add_argument(
        "--epsilon", type=int, help="grey levels that a pixel may move, at most; None: the method's own"
    )
    parser.add_argument(
        "--diversity", type=float, default=0.7, help="transfer: the smallest size of a view; 1: no diversity"
    )
    parser.add_argument(
        "--translation", type=int, default=7, help="transfer: pixels a side of the slopes' blur, odd; 1: none"
    )
    args = parser.parse_args(argv)
    if args.proxy is None:
        args.proxy = ["classifier.keras"] if args.synthetic else ["vgg16"]
    for name, value in zip(("epsilon", "iterations", "learning_rate"), RECIPES[args.method]):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    one_step = args.method == "fgsm" and (args.iterations, args.learning_rate) != (1, 1.0)
    for wrong, sentence in [
        (not 1 <= args.epsilon <= 255, f"--epsilon {args.epsilon}: expected 1 to 255 grey levels."),
        (args.iterations < 1, f"--iterations {args.iterations}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (
            not 0 < args.learning_rate <= 2,
            f"--learning-rate {args.learning_rate}: expected above 0, up to 2.",
        ),
        (one_step, "--method fgsm takes one step of epsilon: expected no --iterations or --learning-rate."),
        (not 0 < args.diversity <= 1, f"--diversity {args.diversity}: expected above 0, up to 1."),
        (
            args.translation < 1 or args.translation % 2 == 0,
            f"--translation {args.translation}: expected an odd number from 1 on.",
        ),
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
    ]:
        if wrong:
            raise BadInput(sentence)


def craft(args, model, pictures, labels):
    """Attack uint8 pictures (n, h, w, 3) with what args say.

    Returns the attacked pictures, and a history: a DataFrame with a row a look of the attack at the model, of
    how many pictures it looked at, how many of them were still read right, and their mean margin.
    """
    import attack  # here, with TensorFlow, so that --help and a wrong file need not wait for it
    from minimal import minimal
    from transfer import averaged, gaussian, shrunk_somewhere

    rows = []

    def noting(look):
        def look_and_note(pictures, labels):
            margins, slopes = look(pictures, labels)
            rows.append((len(margins), np.sum(margins <= 0), np.mean(margins)))
            return margins, slopes

        return look_and_note

    walk = args.epsilon, args.iterations, args.learning_rate
    loss, view, blur = attack.margin, None, None
    if args.method == "transfer":
        loss = attack.cross_entropy
        view, blur = shrunk_somewhere(args.diversity), gaussian(args.translation)
    look = attack.slope_of(loss, model, args.batch_size, view, blur)
    if args.method == "minimal":
        attacked = minimal(noting(look), pictures, labels, *walk)
    elif args.method == "fgsm":
        attacked = attack.fgsm(noting(look), pictures, labels, args.epsilon)
    elif args.method == "iterative":
        start = np.random.default_rng(args.seed).uniform(-args.epsilon, args.epsilon, pictures.shape)
        attacked, _ = attack.iterative(noting(look), pictures, labels, *walk, start.astype(np.float32))
    else:
        look = averaged(look, VIEWS if args.diversity < 1 else 1)
        attacked, _ = attack.iterative(noting(look), pictures, labels, *walk)
    looks = pd.RangeIndex(1, len(rows) + 1, name="look")
    return attacked, pd.DataFrame(rows, looks, ["looked_at", "read_right", "mean_margin"])


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    pictures, labels, categories, names = load_pictures(data_dir)

    import keras
    import tensorflow as tf
    from model import load_proxy, read

    keras.utils.set_random_seed(args.seed)
    model = load_proxy(args.proxy, data_dir, pictures.shape[1:], len(categories))
    right = read(model, pictures, args.batch_size).argmax(axis=1) == labels
    print(f"pictures {pictures.shape}, {len(categories)} categories, {right.sum()} read right by the proxy")
    print(f"proxy {' + '.join(args.proxy)}, method {args.method}, epsilon {args.epsilon}")
    print(f"writes to {args.out_dir}", flush=True)

    started = time.perf_counter()
    chosen = np.full(len(labels), True) if args.method == "transfer" else right
    if not chosen.any():
        raise BadInput("The proxy reads no picture right, so there is none to attack; bring another --proxy.")
    attacked = pictures.copy()
    attacked[chosen], history = craft(args, model, pictures[chosen], labels[chosen])
    seconds = time.perf_counter() - started

    write_pictures(args.out_dir / "images", attacked, names)
    saved = read_pictures(args.out_dir / "images", names)  # what counts is what is on the disk
    misread = read(model, saved, args.batch_size).argmax(axis=1) != labels
    distances = np.abs(saved.astype(int) - pictures).max(axis=(1, 2, 3))
    metrics = {
        "metric": "share misread",
        "score": misread.mean(),
        "misread_before": np.mean(~right),
        "mean_distance": distances.mean(),
        "largest_distance": int(distances.max()),
        "attacked": int(chosen.sum()),
        "parameters": model.count_params(),
        "seconds": {"one_fit": seconds, "all": time.perf_counter() - started},
        "versions": {
            "python": platform.python_version(),
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
        },
        "arguments": vars(args),
    }
    record_attack(args.out_dir, history, metrics)
    print(f"before the attack {np.mean(~right):.3f}, mean distance {distances.mean():.3f} grey levels")
    print(f"{metrics['metric']} {metrics['score']:.3f}   {args.out_dir / 'images'}")
    return metrics


def record_attack(out_dir, history, metrics):
    """Write history.csv, learning_curve.png and metrics.json; the pictures are written already."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    history[["looked_at", "read_right"]].plot(ax=left, style=".-", grid=True, ylabel="pictures")
    history.mean_margin.plot(ax=right, style=".-", grid=True, ylabel="mean margin of those looked at, logits")
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        figure.savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

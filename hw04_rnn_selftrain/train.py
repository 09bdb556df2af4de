"""Tell tweets of good cheer from others, with few labels and many tweets without.

    python hw04_rnn_selftrain/train.py                       bidirectional LSTM with self-training
    python hw04_rnn_selftrain/train.py --synthetic           the same on made-up tweets, in a minute
    python hw04_rnn_selftrain/train.py --no-self-training    from the labels alone
    python hw04_rnn_selftrain/train.py --labelled 500        from few of them
    python hw04_rnn_selftrain/train.py --model bag           a bag of words, which knows no order
    python hw04_rnn_selftrain/train.py --resume              go on after the last finished epoch

A tenth of the labelled tweets, drawn by --seed, is the validation set: it is never learnt from, but it
chooses the epoch that is saved, so the score, the accuracy on it, flatters a little.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import numpy as np
from dataset import BadInput, load_labelled, load_unlabelled, make_synthetic, replacing, run

HERE = Path(__file__).resolve().parent
VALIDATION_SHARE = 0.1
SPREAD = 0.3  # standard deviation of the numbers of all word vectors at the start


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Tell tweets of good cheer from others, with few labels and many tweets without.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of the three text files")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="make a small data set and use it")
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the split, the weights and the shuffling"
    )
    parser.add_argument(
        "--epochs", type=int, default=8, help="passes over the labelled tweets before the first round"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="tweets a step")
    parser.add_argument("--learning-rate", type=float, default=0.001, help="of Adam")
    parser.add_argument("--model", choices=["rnn", "bag"], default="rnn", help="which reader, see model.py")
    parser.add_argument(
        "--vectors",
        choices=["fine-tuned", "frozen", "random"],
        default="fine-tuned",
        help="words' vectors: skip-gram's, trained on or left alone, or drawn at random and trained",
    )
    parser.add_argument(
        "--labelled", type=int, help="use so many labels; the other lines join the unlabelled"
    )
    parser.add_argument("--no-self-training", action="store_true", help="learn from the labels alone")
    parser.add_argument(
        "--teacher",
        choices=["both", "network"],
        default="both",
        help="who gives pseudo labels: the network and a reader of n-grams together, or the network alone",
    )
    parser.add_argument("--threshold", type=float, default=0.8, help="how sure the teacher has to be")
    parser.add_argument(
        "--unlabelled-per-round", type=int, default=10_000, help="fresh unlabelled lines for each round"
    )
    parser.add_argument("--rounds", type=int, default=2, help="of self-training, each with a new student")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    return parser.parse_args(argv)


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (
            args.labelled is not None and args.labelled < 2,
            f"--labelled {args.labelled}: expected at least 2.",
        ),
        (not 0.5 <= args.threshold <= 1, f"--threshold {args.threshold}: expected 0.5 to 1."),
        (
            args.unlabelled_per_round < 1,
            f"--unlabelled-per-round {args.unlabelled_per_round}: expected at least 1.",
        ),
        (args.rounds < 0, f"--rounds {args.rounds}: expected 0 or more."),
    ]:
        if wrong:
            raise BadInput(sentence)


def split(labels, seed, labelled=None):
    """Draw the validation set, and of the rest so many to learn from, with the classes' shares kept.

    Returns three int64 arrays of places: to learn from, to validate, and with their labels put away. Raises
    BadInput where that leaves a class without a tweet.
    """
    from sklearn.model_selection import train_test_split

    smallest = np.bincount(labels).min()
    if smallest < 10:
        raise BadInput(f"training_label.txt has {smallest} lines of one label, expected at least 10 of each.")
    rest, validation = train_test_split(
        np.arange(len(labels)), test_size=VALIDATION_SHARE, stratify=labels, random_state=seed
    )
    if labelled is None or labelled == len(rest):
        return rest, validation, rest[:0]
    if labelled > len(rest) - 2:
        raise BadInput(f"--labelled {labelled}: expected at most {len(rest)}, a tenth of all validates.")
    training, put_away = train_test_split(rest, train_size=labelled, stratify=labels[rest], random_state=seed)
    return training, validation, put_away


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    sentences, labels = load_labelled(data_dir)
    unlabelled = load_unlabelled(data_dir)
    training, validation, put_away = split(labels, args.seed, args.labelled)
    unlabelled += [sentences[place] for place in put_away]
    share = labels[training].mean()
    print(
        f"labelled {len(training)} ({share:.1%} positive), validation {len(validation)}, "
        f"unlabelled {len(unlabelled)}",
        flush=True,
    )

    import keras  # here, with TensorFlow, so that --help and a broken file need not wait for it
    from fitting import Fit
    from model import build_bag, build_rnn
    from vectors import SIZE, word_vectors

    keras.utils.set_random_seed(args.seed)
    started = time.perf_counter()
    vectors_file, drawn = args.out_dir / "vectors.txt", args.vectors == "random"
    known = word_vectors(vectors_file, sentences + unlabelled, args.seed, drawn, args.resume)
    build = build_rnn if args.model == "rnn" else build_bag
    model = build(known.index_to_key, SIZE, frozen=args.vectors == "frozen")
    model.get_layer("words").place(known.vectors * (SPREAD / known.vectors.std()))
    teacher = "none" if args.no_self_training else args.teacher
    print(f"model {args.model}, {len(known)} words, {model.count_params()} parameters, teacher: {teacher}")
    print(f"writes to {args.out_dir}", flush=True)

    fitted = time.perf_counter()
    taught = [sentences[place] for place in training], labels[training]
    watched = [sentences[place] for place in validation], labels[validation]
    rounds = 0 if args.no_self_training else args.rounds
    history = Fit(args, model, taught, watched, unlabelled).run(rounds, args.resume)
    best = history.loc[history[history["round"] == history["round"].max()].accuracy.idxmax()]
    metrics = {
        "metric": "validation accuracy",
        "score": best.accuracy,
        "loss": best.validation_loss,
        "epoch": int(best.name),
        "parameters": model.count_params(),
        "seconds": {"one_fit": time.perf_counter() - fitted, "all": time.perf_counter() - started},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write_files(args.out_dir, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, names in zip(figure.subplots(1, 2), (["loss", "validation_loss"], ["accuracy"])):
        history[names].plot(ax=axes, grid=True, style=".-")
        for epoch in history.index[history["round"].diff() > 0][:1]:
            axes.axvline(epoch - 0.5, color="grey", linestyle=":", label="self-training begins")
        axes.legend()
    return figure


def write_files(out_dir, history, metrics):
    """Write history.csv, learning_curve.png and metrics.json; model.keras is there already."""
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

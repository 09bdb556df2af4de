"""Classify tweets as positive or negative, with few labels and many tweets without.

    python hw04_rnn_selftrain/train.py                       bidirectional LSTM with self-training
    python hw04_rnn_selftrain/train.py --synthetic           the same on made-up tweets, in a minute
    python hw04_rnn_selftrain/train.py --no-self-training    from the labels alone
    python hw04_rnn_selftrain/train.py --labelled 500        from few of them
    python hw04_rnn_selftrain/train.py --model bag           a bag of words, which knows no order
    python hw04_rnn_selftrain/train.py --resume              go on after the last finished epoch

A tenth of the labelled tweets, drawn by --seed, is the validation set: it is never learnt from, but it
chooses the epoch that is saved, so the score, the accuracy on it, flatters a little.
"""

import time
from dataclasses import dataclass

from scaffold import BadInput, Parser, head, integer, number, run

import numpy as np
from dataset import load_labelled, load_unlabelled, make_synthetic
from device import start_keras
from records import claim, learning_curve, record, set_aside

VALIDATION_SHARE = 0.1


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn from the labels, and how much comes after."""

    epochs: int = 4  # before the first round
    batch_size: int = 128
    learning_rate: float = 0.001
    unlabelled_per_round: int = 150_000
    rounds: int = 1


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of the three text files", resume=True, devices=True)
    add = parser.add_argument
    add("--model", choices=["rnn", "bag"], default="rnn", help="which network, see model.py")
    add(
        "--vectors",
        choices=["fine-tuned", "frozen", "random"],
        default="fine-tuned",
        help="words' vectors: skip-gram's, trained on or left alone, or drawn at random and trained",
    )
    add("--no-language-model", action="store_true", help="start from the vectors alone")
    add("--labelled", type=integer(2), help="use so many labels, else all; the others join the unlabelled")
    add("--no-self-training", action="store_true", help="learn from the labels alone")
    add("--no-ngrams", action="store_true", help="the network alone, not its mean with a model of n-grams")
    add(
        "--threshold",
        type=number(float, 0.5, 1),
        help="hard labels, only where the teacher's probability is beyond it; without: soft ones",
    )
    add("--unlabelled-per-round", type=integer(1, 10**9), help="fresh unlabelled lines for each round")
    add("--rounds", type=integer(0, 100), help="of self-training, each with a new student")
    args = parser.parse(argv, lambda args: Recipe())
    if args.no_self_training:
        parser.unused("--threshold", "--rounds", "--unlabelled-per-round", by="--no-self-training")
    if args.model == "bag":
        parser.unused("--no-language-model", by="--model bag")
    return args


def split(labels, seed, labelled=None):
    """Draw the validation set, and of the rest so many to learn from, with the classes' shares kept.

    Returns three int64 arrays of indices: to learn from, to validate, and with their labels put away. Raises
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
        most = f"{len(rest) - 2}, or {len(rest)} for all"
        raise BadInput(f"--labelled {labelled}: expected at most {most}; a tenth of the lines validates.")
    training, put_away = train_test_split(rest, train_size=labelled, stratify=labels[rest], random_state=seed)
    if len(np.unique(labels[training])) < 2:
        raise BadInput(f"--labelled {labelled}: all of them have one label, expected more; one is rare here.")
    return training, validation, put_away


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    sentences, labels = load_labelled(data_dir)
    unlabelled = load_unlabelled(data_dir)
    training, validation, put_away = split(labels, args.seed, args.labelled)
    texts = [*np.delete(np.array(sentences, object), validation), *unlabelled]  # no label is needed for them
    unlabelled += [sentences[index] for index in put_away]
    share = labels[training].mean()
    device = start_keras(args.seed, share=(args.devices, args.batch_size))
    from training import Fit, build

    set_aside(args, "model.keras", "labels_alone.keras", "vectors.*")
    started = time.perf_counter()
    model = build(args, texts)
    words = len(model.get_layer("words").words)
    head(
        args,
        f"labelled {len(training)} ({share:.1%} positive), validation {len(validation)}, "
        f"unlabelled {len(unlabelled)}",
        f"{args.model}, {words} words, {model.count_params()} parameters, on {device}",
    )

    fitted = time.perf_counter()
    train = [sentences[index] for index in training], labels[training]
    validation_set = [sentences[index] for index in validation], labels[validation]
    rounds = 0 if args.no_self_training else args.rounds
    history = Fit(args, model, train, validation_set, unlabelled).run(rounds, args.resume)
    best = history.loc[history[history["round"] == history["round"].max()].accuracy.idxmax()]
    metrics = {
        "metric": "validation accuracy",
        "score": best.accuracy,
        "loss": best.validation_loss,
        "epoch": int(best.name),
        "parameters": model.count_params(),
        "seconds": {"one_fit": time.perf_counter() - fitted, "all": time.perf_counter() - started},
    }
    panels = {
        "loss": {"loss": "training", "validation_loss": "validation"},
        "accuracy": {"accuracy": "validation", "network_accuracy": "validation, network alone"},
    }
    begins = history.index[history["round"].diff() > 0][:1]
    marks = dict.fromkeys(begins, "self-training begins")
    figure = learning_curve(history, panels, marks)
    files = {"model.keras": None, "history.csv": history, "learning_curve.png": figure}
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)

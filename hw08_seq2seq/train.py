"""Learn to translate English into Chinese.

    python hw08_seq2seq/train.py                        the strongest model, on the course's files
    python hw08_seq2seq/train.py --synthetic            the same on invented sentences
    python hw08_seq2seq/train.py --model seq2seq        without attention
    python hw08_seq2seq/train.py --model attention --schedule linear
    python hw08_seq2seq/train.py --resume               go on after the last finished epoch

The score is BLEU@1 on validation.txt, decoded with a beam of BEAM. The model that is saved is that of the
last epoch: the learning rate has fallen to a hundredth by then, and nothing is chosen.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from bleu import bleu_1, corpus_bleu_4
from dataset import BadInput, Vocabulary, load_pairs, load_vocabularies, make_synthetic, replacing, run
from schedules import SCHEDULES

HERE = Path(__file__).resolve().parent
BEAM = 5  # of the score
RECIPES = {  # model: epochs, batch size, learning rate, units, dropout
    "seq2seq": (16, 128, 0.004, 256, 0.35),
    "attention": (16, 128, 0.004, 256, 0.35),
    "transformer": (24, 128, 0.002, 128, 0.1),
}


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn to translate English into Chinese.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=HERE / "data",
        help="folder of training.txt, validation.txt and JSONs",
    )
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="make a small data set and use it")
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        help="seed of the synthetic data, the weights, the order and the dropout",
    )
    parser.add_argument(
        "--epochs", type=int, help="passes over the pairs; None: the model's own, see RECIPES"
    )
    parser.add_argument("--batch-size", type=int, help="pairs a step; None: the model's own")
    parser.add_argument(
        "--learning-rate", type=float, help="at its highest, after an epoch; None: the model's own"
    )
    parser.add_argument("--model", choices=list(RECIPES), default="transformer", help="which model")
    parser.add_argument(
        "--schedule",
        choices=list(SCHEDULES),
        default="teacher",
        help="how the share of right words fed to a recurrent decoder falls; none: always its own",
    )
    parser.add_argument("--units", type=int, help="width of the layers; None: the model's own")
    parser.add_argument("--dropout", type=float, help="share of units dropped; None: the model's own")
    parser.add_argument("--resume", action="store_true", help="go on after the last finished epoch")
    args = parser.parse_args(argv)
    for name, value in zip(
        ("epochs", "batch_size", "learning_rate", "units", "dropout"), RECIPES[args.model]
    ):
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (args.epochs < 1, f"--epochs {args.epochs}: expected at least 1."),
        (args.batch_size < 1, f"--batch-size {args.batch_size}: expected at least 1."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (args.units < 8 or args.units % 8, f"--units {args.units}: expected a multiple of 8."),
        (not 0 <= args.dropout < 1, f"--dropout {args.dropout}: expected 0 or more and less than 1."),
        (
            args.model == "transformer" and args.schedule != "teacher",
            f"--schedule {args.schedule}: expected teacher, since a transformer is taught all words at once.",
        ),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    vocabularies = load_vocabularies(data_dir)
    training, validation = (load_pairs(data_dir / f"{name}.txt") for name in ("training", "validation"))

    import keras  # here, with TensorFlow, so that --help and a wrong file need not wait for it
    from beam_search import Decoding
    from model import build_model

    keras.utils.set_random_seed(args.seed)
    english, chinese = vocabularies
    print(
        f"training {len(training)} pairs, validation {len(validation)}, "
        f"{len(english.words)} English and {len(chinese.words)} Chinese words"
    )
    model = build_model(args.model, english, chinese, args.units, args.dropout, args.schedule != "teacher")
    print(f"model {args.model}, {model.count_params()} parameters, epochs: {args.epochs}")
    print(f"writes to {args.out_dir}", flush=True)

    history = fit(args, model, training, validation, vocabularies)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    scores = score(Decoding(model, BEAM), validation)
    metrics = {
        "metric": "validation BLEU@1",
        "score": scores["BLEU@1"],
        "beam": BEAM,
        "corpus_bleu_4": scores["BLEU-4"],
        "parameters": model.count_params(),
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - fitted},
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write(args.out_dir, model, history, metrics)
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def fit(args, model, training, validation, vocabularies):
    """Train, with --resume from the last finished epoch on. Returns the history, a row an epoch."""
    import keras
    from batches import Batches
    from checkpoint import Checkpoint
    from sampling import Weaning

    def batches(pairs, **keywords):
        sides = ([pair.english for pair in pairs], [pair.chinese for pair in pairs])
        ids = [vocabulary.encode(side) for vocabulary, side in zip(vocabularies, sides)]
        return Batches(*ids, args.batch_size, **keywords)

    checkpoint = Checkpoint(args.out_dir / "checkpoint.npz", args)
    if not args.resume:
        checkpoint.path.unlink(missing_ok=True)
    epoch = len(batches(training))
    decay = max(1, epoch * (args.epochs - 1))
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, decay, alpha=0.01, warmup_target=args.learning_rate, warmup_steps=epoch
    )
    # Sentences of many lengths would be compiled anew for each: without XLA they are not.
    model.compile(optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0), jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    checkpoint.restore(model)
    done = len(checkpoint.rows)
    model.fit(
        batches(training, shuffle=True, seed=args.seed, epoch=done),
        validation_data=batches(validation),
        initial_epoch=done,
        epochs=args.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[checkpoint, *([Weaning(args.schedule, args.epochs, epoch)] if model.sampled else [])],
    )
    return pd.DataFrame(checkpoint.rows, index=pd.RangeIndex(1, len(checkpoint.rows) + 1, name="epoch"))


def score(decoding, pairs, **keywords):
    """BLEU@1 and corpus BLEU-4 of a Decoding's translations of some pairs."""
    source = Vocabulary(decoding.translator.english).encode([pair.english for pair in pairs])
    translations = ["".join(words) for words in decoding.translate(source, **keywords)]
    references = ["".join(pair.chinese) for pair in pairs]
    return {
        "BLEU@1": bleu_1(translations, references),
        "BLEU-4": corpus_bleu_4(translations, references),
    }


def plot_history(history):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(history.index, history.loss, ".-", label="training, with dropout and smoothing")
    axes.plot(history.index, history.val_loss, ".-", label="validation")
    axes.set(xlabel="epoch", ylabel="cross-entropy of a word")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def write(out_dir, model, history, metrics):
    """Write model.keras, history.csv, learning_curve.png and metrics.json."""
    with replacing(out_dir / "model.keras") as path:
        model.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history).savefig(path)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

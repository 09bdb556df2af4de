"""Learn to translate English into Chinese.

    python hw08_seq2seq/train.py                        the strongest model, on the course's files
    python hw08_seq2seq/train.py --synthetic            the same on invented sentences
    python hw08_seq2seq/train.py --model seq2seq        without attention
    python hw08_seq2seq/train.py --model attention --schedule linear
    python hw08_seq2seq/train.py --resume               go on after the last finished epoch

The score is BLEU@1 on validation.txt, decoded with a beam of BEAM. The model that is saved is that of the
last epoch: the learning rate has fallen to a hundredth by then, and nothing is chosen.
"""

import time
from dataclasses import dataclass, replace

from scaffold import Parser, head, integer, number, run

from dataset import load_pairs, load_vocabularies, make_synthetic, unknown_shares
from device import start_keras
from records import claim, learning_curve, record
from schedules import SCHEDULES

BEAM = 5  # of the score


@dataclass(frozen=True)
class Recipe:
    """What suits a --model."""

    epochs: int
    batch_size: int
    learning_rate: float  # at its highest, after an epoch
    units: int  # width of the layers
    dropout: float


RECIPES = {
    "seq2seq": Recipe(16, 128, 0.004, 256, 0.35),
    "attention": Recipe(16, 128, 0.004, 256, 0.35),
    "transformer": Recipe(24, 128, 0.002, 128, 0.1),
}
SYNTHETIC_EPOCHS = 10  # enough for invented sentences


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of training.txt, validation.txt and JSONs", resume=True)
    parser.add_argument("--model", choices=list(RECIPES), default="transformer", help="which model")
    parser.add_argument(
        "--schedule",
        choices=list(SCHEDULES),
        default="teacher",
        help="how the share of right words fed to a recurrent decoder falls; none: always its own",
    )
    parser.add_argument("--units", type=integer(8, 8192), help="width of the layers, a multiple of 8")
    parser.add_argument("--dropout", type=number(float, 0, 0.99), help="share of units dropped")
    args = parser.parse(argv, recipe)
    if args.units % 8:
        parser.error(f"--units {args.units}: expected a multiple of 8")
    if args.model == "transformer" and args.schedule != "teacher":
        parser.error(
            f"--schedule {args.schedule}: expected teacher, since a transformer is taught all words at once"
        )
    return args


def recipe(args):
    chosen = RECIPES[args.model]
    return replace(chosen, epochs=SYNTHETIC_EPOCHS) if args.synthetic else chosen


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    english, chinese = vocabularies = load_vocabularies(data_dir)
    training, validation = (load_pairs(data_dir / f"{name}.txt") for name in ("training", "validation"))
    shares = unknown_shares(training, vocabularies, data_dir / "training.txt")
    device = start_keras(args.seed)
    from beam_search import Decoding
    from model import build_model
    from training import fit, score

    model = build_model(args.model, english, chinese, args.units, args.dropout, args.schedule != "teacher")
    head(
        args,
        f"training {len(training)} pairs, validation {len(validation)}, {len(english.words)} English and "
        f"{len(chinese.words)} Chinese words, unknown {shares[0]:.1%} and {shares[1]:.1%}",
        f"{args.model}, {model.count_params()} parameters, on {device}",
    )

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
    }
    lines = {"loss": "training, with dropout and smoothing", "val_loss": "validation"}
    files = {
        "model.keras": model.save,
        "history.csv": history,
        "learning_curve.png": learning_curve(history, {"cross-entropy of a word": lines}),
    }
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)

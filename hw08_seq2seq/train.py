"""Learn to translate English into Chinese.

    python hw08_seq2seq/train.py                        the strongest model, on the course's files
    python hw08_seq2seq/train.py --synthetic            the same on invented sentences
    python hw08_seq2seq/train.py --model seq2seq        without attention
    python hw08_seq2seq/train.py --model attention --schedule linear
    python hw08_seq2seq/train.py --resume               go on after the last finished epoch

The score is BLEU@1 on validation.txt, decoded as predict.py does. What is saved is the state after the last
epoch: the learning rate has fallen to a hundredth by then, and nothing is chosen. Several networks are saved
in one file, and their probabilities averaged.
"""

import math
import time
from dataclasses import dataclass, replace

from scaffold import Parser, head, integer, number, run

from dataset import (
    chinese_vocabulary,
    in_characters,
    load_pairs,
    load_vocabularies,
    make_synthetic,
    unknown_shares,
)
from device import start_keras
from records import claim, learning_curve, record, set_aside

BEAM = 5  # hypotheses of beam search
SAMPLES = 24  # sentences drawn from each network, for minimum Bayes risk decoding

SCHEDULES = {  # of scheduled sampling: done, 0 to 1 -> the probability of the right word
    "teacher": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "exponential": lambda done: 0.01**done,
    "inverse-sigmoid": lambda done: 1 / (1 + math.exp(10 * (done - 0.5))),
    "none": lambda done: 0.0,
}


@dataclass(frozen=True)
class Recipe:
    """What suits a --model."""

    epochs: int
    batch_size: int
    learning_rate: float  # at its highest, after an epoch
    units: int  # width of the layers
    dropout: float
    r_drop: float  # weight of the divergence between two passes
    networks: int  # trained one after the other, and averaged
    chinese: str  # cut into words, or characters


RECIPES = {
    "seq2seq": Recipe(16, 128, 0.004, 256, 0.35, 0.0, 1, "characters"),
    "attention": Recipe(16, 128, 0.004, 256, 0.35, 0.0, 1, "characters"),
    "transformer": Recipe(32, 128, 0.002, 128, 0.1, 2.0, 3, "characters"),
}
SYNTHETIC_EPOCHS = 10  # enough for invented sentences


def parse_args(argv=None):
    parser = Parser(
        __doc__, "train", "folder of training.txt, validation.txt and JSONs", resume=True, devices=True
    )
    parser.add_argument("--model", choices=list(RECIPES), default="transformer", help="which model")
    parser.add_argument(
        "--schedule",
        choices=list(SCHEDULES),
        default="teacher",
        help="schedule of the probability that a recurrent decoder is fed the right word; none: 0",
    )
    parser.add_argument("--units", type=integer(8, 8192), help="width of the layers, a multiple of 8")
    parser.add_argument("--dropout", type=number(float, 0, 0.99), help="share of units dropped")
    parser.add_argument(
        "--r-drop", type=number(float, 0, 100), help="weight of R-Drop, which shows every pair twice; 0: none"
    )
    parser.add_argument("--networks", type=integer(1, 100), help="trained in turn, and averaged")
    parser.add_argument("--chinese", choices=["words", "characters"], help="what a translation is made of")
    args = parser.parse(argv, recipe)
    if args.units % 8:
        parser.error(f"--units {args.units}: expected a multiple of 8")
    if args.model == "transformer" and args.schedule != "teacher":
        parser.error(f"--schedule {args.schedule}: expected teacher: a transformer learns all words at once")
    return args


def recipe(args):
    chosen = RECIPES[args.model]
    return replace(chosen, epochs=SYNTHETIC_EPOCHS, r_drop=0.0, networks=1) if args.synthetic else chosen


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
    english, chinese = load_vocabularies(data_dir)
    training, validation = (load_pairs(data_dir / f"{name}.txt") for name in ("training", "validation"))
    shares = unknown_shares(training, (english, chinese), data_dir / "training.txt")
    if args.chinese == "characters":
        training, validation = in_characters(training), in_characters(validation)
        chinese = chinese_vocabulary(training)
    device = start_keras(args.seed, share=(args.devices, args.batch_size))
    from training import build, decode_and_score, fit, without_training

    models = build(args, english, chinese)
    parameters = sum(model.count_params() for model in models)
    head(
        args,
        f"training {len(training)} pairs, validation {len(validation)}, {len(english.words)} English words "
        f"and {len(chinese.words)} Chinese {args.chinese}; of the files' words {shares[0]:.1%} and "
        f"{shares[1]:.1%} are not in the vocabularies",
        f"{args.networks} x {args.model}, {parameters} parameters, on {device}",
    )

    set_aside(args)
    history = fit(args, models, SCHEDULES[args.schedule], training, validation, (english, chinese))
    model = without_training(models)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    scores = decode_and_score(model, validation, BEAM, SAMPLES)
    metrics = {
        "metric": "validation BLEU@1",
        "score": scores["BLEU@1"],
        "beam": BEAM,
        "samples": SAMPLES,
        "corpus_bleu_4": scores["BLEU-4"],
        "parameters": parameters,
        "seconds": {"one_fit": one_fit, "all": one_fit + time.perf_counter() - fitted},
    }
    lines = {"loss": "training, with dropout, smoothing and R-Drop", "val_loss": "validation"}
    files = {
        "model.keras": model.save,
        "history.csv": history,
        "learning_curve.png": learning_curve(history, {"cross-entropy of a token": lines}),
    }
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)

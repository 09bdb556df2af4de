"""Learn to learn: find weights from which a few steps suffice for a new task.

    python hw13_meta/train.py                              Proto-MAML on Omniglot, 5-way 1-shot
    python hw13_meta/train.py --synthetic                  the same on invented characters
    python hw13_meta/train.py --task sine --method maml    waves; needs no files
    python hw13_meta/train.py --method fomaml              or maml, anil, reptile, protonet ...
    python hw13_meta/train.py --resume                     go on after the last row of the history

The score is the accuracy of 600 episodes of characters from alphabets that the training never saw, or the
mean squared error of 600 waves. Nothing is chosen by it: the model that is saved is the last.
"""

import time
from dataclasses import dataclass, replace

from scaffold import Parser, head, integer, positive, run

import pandas as pd
from dataset import alphabets, load_characters, make_synthetic, split
from device import start_keras
from records import claim, learning_curve, record, set_aside


@dataclass(frozen=True)
class Recipe:
    """What suits a method: how long and how fast it learns, and how its tasks adapt."""

    iterations: int
    batch_size: int  # tasks
    learning_rate: float
    queries: int
    inner_steps: int
    inner_rate: float
    shots: int = 1  # drawings of a character, or points of a wave
    training_ways: int = 20  # characters of an episode to learn from; more make better features
    filters: int = 32  # of omniglot's blocks
    views: int = 1  # versions of each drawing that a test task shows


SINE = Recipe(4000, 25, 0.003, queries=40, inner_steps=5, inner_rate=0.01, shots=10)
OMNIGLOT = Recipe(5000, 4, 0.008, queries=2, inner_steps=1, inner_rate=0.4)
RECIPES = {
    ("sine", "maml"): replace(SINE, iterations=20_000, learning_rate=0.01, inner_steps=1),
    ("sine", "meta-sgd"): Recipe(60_000, 200, 0.006, queries=40, inner_steps=1, inner_rate=0.05, shots=10),
    ("sine", "fomaml"): replace(SINE, iterations=6000),
    ("sine", "anil"): replace(SINE, iterations=6000),
    ("sine", "reptile"): replace(SINE, learning_rate=0.002, inner_steps=10),
    ("sine", "pretrain"): replace(SINE, iterations=8000),
    ("omniglot", "proto-maml"): replace(OMNIGLOT, iterations=8000, inner_rate=0.1, filters=64, views=5),
    ("omniglot", "protonet"): replace(OMNIGLOT, iterations=8000, filters=64, views=5),
    ("omniglot", "maml"): OMNIGLOT,
    ("omniglot", "meta-sgd"): OMNIGLOT,
    ("omniglot", "fomaml"): replace(OMNIGLOT, queries=5, inner_steps=2, training_ways=5),
    ("omniglot", "anil"): OMNIGLOT,
    ("omniglot", "reptile"): replace(
        OMNIGLOT, iterations=3000, queries=9, inner_steps=8, inner_rate=0.2, training_ways=5
    ),
    ("omniglot", "pretrain"): replace(OMNIGLOT, iterations=1500, batch_size=1, inner_rate=0.1),
}
DEFAULTS = {"omniglot": "proto-maml", "sine": "meta-sgd"}
SINE_METHODS = [method for task, method in RECIPES if task == "sine"]
METHOD_NAMES = list(dict.fromkeys(method for _, method in RECIPES))
UNUSED = {  # flags that a task or a method makes nothing of
    "sine": ("--ways", "--training-ways", "--filters", "--views", "--held-out"),
    "omniglot": ("--phase",),
    "protonet": ("--inner-steps", "--inner-rate"),
    "pretrain": ("--training-ways", "--inner-steps"),
    ("omniglot", "pretrain"): ("--queries",),
}
SYNTHETIC = {"iterations": 120, "training_ways": 10, "filters": 32}  # invented characters are few


def parse_args(argv=None):
    parser = Parser(__doc__, "train", "folder of Omniglot/", epochs="iterations", resume=True)
    parser.add_argument("--task", choices=["omniglot", "sine"], default="omniglot", help="what to learn")
    parser.add_argument("--method", choices=METHOD_NAMES, help="of meta-learning: proto-maml, sine meta-sgd")
    parser.add_argument("--ways", type=integer(2, 1000), default=5, help="omniglot: characters of a test")
    parser.add_argument(
        "--training-ways", type=integer(2, 1000), help="omniglot: characters of an episode to learn from"
    )
    parser.add_argument("--shots", type=integer(1, 1000), help="points or drawings of a class to adapt to")
    parser.add_argument("--queries", type=integer(1, 1000), help="points or drawings of a query set")
    parser.add_argument("--inner-steps", type=integer(1, 1000), help="steps of adaptation in training")
    parser.add_argument("--inner-rate", type=positive(), help="learning rate of a step of adaptation")
    parser.add_argument("--filters", type=integer(1, 4096), help="omniglot: of each of the four blocks")
    parser.add_argument(
        "--views",
        type=integer(1, 24),
        help="omniglot: versions of each drawing of a test task, moved a little but for the first",
    )
    parser.add_argument(
        "--held-out", help="omniglot: alphabets to score by, with commas between, or random; else every sixth"
    )
    parser.add_argument("--phase", choices=["2pi", "pi"], default="2pi", help="sine: the largest phase")
    args = parser.parse(argv, recipe)
    args.method = args.method or DEFAULTS[args.task]
    if args.task == "sine" and args.method not in SINE_METHODS:
        parser.error(f"--method {args.method}: expected with omniglot alone")
    parser.unused(*UNUSED[args.task], by=f"--task {args.task}")
    parser.unused(*UNUSED.get(args.method, ()), by=f"--method {args.method}")
    parser.unused(*UNUSED.get((args.task, args.method), ()), by=f"--method {args.method}")
    return args


def recipe(args):
    chosen = RECIPES.get((args.task, args.method or DEFAULTS[args.task]), SINE)
    return replace(chosen, **SYNTHETIC) if args.synthetic else chosen


def main(argv=None):
    args = parse_args(argv)
    claim(args)
    characters = {}
    if args.task == "omniglot":
        data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
        characters = load_characters(data_dir)
    seen, unseen = split(characters, args.held_out)
    device = start_keras(args.seed, tensorflow=True)
    from training import SCORE_TASKS, SCORED, SYNTHETIC_TASKS, build_trainer, fit, samplers, score

    training, test_sampler = samplers(args, seen, unseen)
    trainer = build_trainer(args, seen)
    learner = trainer.learner
    head(
        args,
        f"{len(seen)} characters to learn from, {len(unseen)} of {', '.join(alphabets(unseen))} held out"
        if characters
        else f"waves of {args.shots} points",
        f"{args.method}, {learner.count_params()} parameters, on {device}",
    )

    set_aside(args)
    history = fit(args, trainer, seen, training, test_sampler)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    tasks = SYNTHETIC_TASKS if args.synthetic else SCORE_TASKS
    scores, intervals = score(learner, test_sampler, tasks)
    steps = str(SCORED[args.task])
    metrics = {
        "metric": "MSE after 1 step" if args.task == "sine" else f"accuracy of {tasks} episodes",
        "score": scores["transductive"][steps],
        "interval": intervals["transductive"][steps],
        "scores": scores,
        "parameters": learner.count_params(),
        "seconds": {
            "one_fit": one_fit,
            "all": one_fit + time.perf_counter() - fitted,
            "processor": float(history.processor.sum()),
        },
    }
    name = "mean squared error" if args.task == "sine" else "accuracy"
    panels = {"loss of the training tasks": {"loss": "training"}, name: {"held_out": "tasks held out"}}
    listed = pd.DataFrame([(name, name in seen) for name in characters], columns=["character", "learnt_from"])
    files = {
        "model.keras": learner.save,
        "history.csv": history,
        "learning_curve.png": learning_curve(history, panels),
        "characters.csv": lambda path: listed.to_csv(path, index=False),
    }
    return record(args, metrics, files)


if __name__ == "__main__":
    run(main)

"""Learn to learn: find weights from which a few steps suffice for a new task.

    python hw13_meta/train.py                              Meta-SGD on Omniglot, 5-way 1-shot
    python hw13_meta/train.py --synthetic                  the same on invented characters
    python hw13_meta/train.py --task sine --method maml    waves; needs no files
    python hw13_meta/train.py --method fomaml              or reptile, anil, maml, pretrain
    python hw13_meta/train.py --resume                     go on after the last row of the history

The score is the accuracy of 600 episodes of characters from alphabets that the training never saw, or the
mean squared error of 600 waves. Nothing is chosen by it: the model that is saved is the last.
"""

import argparse
import json
import platform
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from checkpoint import restore_state, save_state
from dataset import BadInput, alphabets, load_characters, make_synthetic, replacing, run
from tqdm import tqdm

HERE = Path(__file__).resolve().parent
LOOKS = 20  # rows of the history, at most
LOOK_TASKS, SCORE_TASKS = 50, 600
SYNTHETIC_TASKS = 10  # in place of both
QUERIES = {"sine": 100, "omniglot": 5}  # of a task that judges; of a class
STEPS = {"sine": (1, 5, 10), "omniglot": (1, 5, 10)}  # of adaptation, that are scored
SCORED = {"sine": 1, "omniglot": 10}  # of these the score is of
JUDGE_SEED = 1_000_000  # the tasks that judge are always the same


@dataclass(frozen=True)
class Recipe:
    """What suits a method: how long and how fast it learns, and how its tasks adapt."""

    iterations: int
    batch_size: int  # tasks
    learning_rate: float
    queries: int
    inner_steps: int
    inner_rate: float


SINE = Recipe(4000, 25, 0.003, queries=40, inner_steps=5, inner_rate=0.01)
OMNIGLOT = Recipe(5000, 4, 0.008, queries=5, inner_steps=2, inner_rate=0.4)
RECIPES = {
    ("sine", "maml"): replace(SINE, iterations=10_000, learning_rate=0.01, inner_steps=1),
    ("sine", "meta-sgd"): replace(SINE, iterations=20_000, inner_steps=1),
    ("sine", "fomaml"): replace(SINE, iterations=6000),
    ("sine", "anil"): replace(SINE, iterations=6000),
    ("sine", "reptile"): replace(SINE, learning_rate=0.002, inner_steps=10),
    ("sine", "pretrain"): replace(SINE, iterations=8000),
    ("omniglot", "maml"): replace(OMNIGLOT, iterations=10_000),
    ("omniglot", "meta-sgd"): OMNIGLOT,
    ("omniglot", "fomaml"): replace(OMNIGLOT, iterations=7000),
    ("omniglot", "anil"): replace(OMNIGLOT, iterations=8000),
    ("omniglot", "reptile"): replace(OMNIGLOT, iterations=3000, queries=9, inner_steps=8, inner_rate=0.2),
    ("omniglot", "pretrain"): replace(OMNIGLOT, batch_size=1, inner_rate=0.1),
}
METHODS = [method for task, method in RECIPES if task == "sine"]


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Learn to learn: find weights from which a few steps suffice for a new task.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of Omniglot/")
    parser.add_argument("--out-dir", type=Path, default=HERE / "out", help="folder to write to")
    parser.add_argument("--synthetic", action="store_true", help="invent characters and use them")
    parser.add_argument("--seed", type=int, default=0, help="seed of the invented data, weights and tasks")
    parser.add_argument("--iterations", type=int, help="batches of tasks; None: see RECIPES, as all below")
    parser.add_argument("--batch-size", type=int, help="tasks of an iteration")
    parser.add_argument("--learning-rate", type=float, help="of the beginning, it falls to 0 by a cosine")
    parser.add_argument("--task", choices=["omniglot", "sine"], default="omniglot", help="what to learn")
    parser.add_argument("--method", choices=METHODS, default="meta-sgd", help="how to learn to learn it")
    parser.add_argument("--ways", type=int, default=5, help="omniglot: characters of an episode")
    parser.add_argument(
        "--shots", type=int, help="points of a wave, None: 10; drawings of a character to adapt to, None: 1"
    )
    parser.add_argument("--queries", type=int, help="points or drawings to be judged by in training")
    parser.add_argument("--inner-steps", type=int, help="of adaptation, in training")
    parser.add_argument("--inner-rate", type=float, help="learning rate of a step of adaptation")
    parser.add_argument(
        "--held-out",
        help="omniglot: alphabets to score by, with commas between; None: the smallest, the last of equals",
    )
    parser.add_argument("--resume", action="store_true", help="go on after the last row of the history")
    args = parser.parse_args(argv)
    if args.shots is None:
        args.shots = 10 if args.task == "sine" else 1
    for name, value in vars(RECIPES[args.task, args.method]).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def check(args):
    """Raise BadInput where a flag is out of range."""
    for name in ("iterations", "batch_size", "ways", "shots", "queries", "inner_steps"):
        least = 2 if name == "ways" else 1
        if getattr(args, name) < least:
            flag = "--" + name.replace("_", "-")
            raise BadInput(f"{flag} {getattr(args, name)}: expected at least {least}.")
    for wrong, sentence in [
        (args.seed < 0, f"--seed {args.seed}: expected 0 or more."),
        (not 0 < args.learning_rate < np.inf, f"--learning-rate {args.learning_rate}: expected more than 0."),
        (not 0 < args.inner_rate < np.inf, f"--inner-rate {args.inner_rate}: expected more than 0."),
        (args.task == "sine" and args.held_out, f"--held-out {args.held_out}: expected with omniglot alone."),
    ]:
        if wrong:
            raise BadInput(sentence)


def main(argv=None):
    args = parse_args(argv)
    check(args)
    args.out_dir.mkdir(parents=True, exist_ok=True)
    characters = {}
    if args.task == "omniglot":
        data_dir = make_synthetic(args.out_dir / "synthetic", args.seed) if args.synthetic else args.data_dir
        characters = load_characters(data_dir)
    seen, unseen = split(characters, args.held_out)

    import keras  # here, with TensorFlow, so that --help and a wrong file need not wait for it
    from methods import METHODS, Trainer
    from model import Learner

    keras.utils.set_random_seed(args.seed)
    training, judging = samplers(args, seen, unseen)
    print(
        f"{args.task}: {len(seen)} characters to learn from, {len(unseen)} of {', '.join(alphabets(unseen))} "
        f"to judge by, {args.ways}-way {args.shots}-shot"
        if characters
        else f"{args.task}: waves of {args.shots} points"
    )
    ways = args.ways if characters else 1
    learner = Learner(args.task, ways, args.inner_rate, METHODS[args.method].head_only, list(seen))
    trainer = Trainer(learner, args.method, args.inner_steps, args.iterations, args.learning_rate, len(seen))
    print(f"model {args.method}, {learner.count_params()} parameters, {args.iterations} iterations")
    print(f"writes to {args.out_dir}", flush=True)

    history = fit(args, trainer, training, judging)
    fitted, one_fit = time.perf_counter(), float(history.seconds.sum())
    tasks = SYNTHETIC_TASKS if args.synthetic else SCORE_TASKS
    scores = score(learner, judging.draw(np.random.default_rng(JUDGE_SEED), tasks))
    metrics = {
        "metric": "MSE after 1 step" if args.task == "sine" else f"accuracy of {tasks} episodes",
        "score": scores["together"][str(SCORED[args.task])],
        "scores": scores,
        "parameters": learner.count_params(),
        "seconds": {
            "one_fit": one_fit,
            "all": one_fit + time.perf_counter() - fitted,
            "processor": float(history.processor.sum()),
        },
        "versions": {"python": platform.python_version(), "keras": keras.__version__},
        "arguments": vars(args),
    }
    write(args.out_dir, learner, history, metrics, [(name, name in seen) for name in characters])
    print(f"{metrics['metric']} {metrics['score']:.4f}   {args.out_dir / 'model.keras'}")
    return metrics


def split(characters, held_out):
    """Part the characters by whole alphabets: those to learn from, those to judge by. Both are dicts.

    held_out: names with commas between; None: the smallest alphabet, so that most are left to learn from, and
    of several as small the last. Raises BadInput if there is none of a name.
    """
    names = alphabets(characters)
    sizes = [sum(name.split("/")[0] == alphabet for name in characters) for alphabet in names]
    smallest = [name for name, size in zip(names, sizes) if size == min(sizes)]
    chosen = held_out.split(",") if held_out else smallest[-1:]
    for name in chosen:
        if name not in names:
            raise BadInput(f"--held-out {name}: expected some of {', '.join(names)}.")
    if characters and set(chosen) == set(names):
        raise BadInput(
            f"--held-out {held_out}: expected an alphabet less, so that one is left to learn from."
        )
    parts = {True: {}, False: {}}
    for name, drawings in characters.items():
        parts[name.split("/")[0] in chosen][name] = drawings
    return parts[False], parts[True]


def samplers(args, seen, unseen):
    """What draws the tasks to learn from, and those to judge by."""
    from methods import METHODS
    from tasks import Episodes, Pictures, Waves

    if args.task == "sine":
        return Waves(args.shots, args.queries), Waves(args.shots, QUERIES[args.task])
    judging = Episodes(unseen, args.ways, args.shots, QUERIES[args.task])
    episodes = Episodes(seen, args.ways, args.shots, args.queries, vary=True)
    return episodes if METHODS[args.method].episodic else Pictures(seen), judging


def fit(args, trainer, training, judging):
    """Train, with --resume from the last row on. Returns the history, a row at each of LOOKS marks."""
    from scoring import Judge

    path = args.out_dir / "checkpoint.npz"
    if not args.resume:
        path.unlink(missing_ok=True)
    rows = restore_state(path, args, trainer.variables)
    looks = min(LOOKS, max(4, args.iterations // 100))  # each costs as much as some dozen updates
    marks = np.unique(np.linspace(0, args.iterations, looks + 1).astype(int)).tolist()
    tasks = SYNTHETIC_TASKS if args.synthetic else LOOK_TASKS
    looked = judging.draw(np.random.default_rng(JUDGE_SEED + 1), tasks)
    judge = Judge(trainer.learner, [SCORED[args.task]], tasks)
    bar = tqdm(initial=marks[len(rows)], total=args.iterations, unit=" batches", disable=None)
    for row in range(len(rows), len(marks) - 1):
        rng, losses, began = np.random.default_rng([args.seed, row]), [], time.perf_counter()
        processor = time.process_time()
        for _ in range(marks[row], marks[row + 1]):
            batch = training.draw(rng, args.batch_size)
            losses.append(trainer.update(batch))
            bar.update()
        loss = float(np.mean(losses))
        seconds, processor = time.perf_counter() - began, time.process_time() - processor
        if not np.isfinite(loss):
            raise BadInput(
                f"iteration {marks[row + 1]}: the loss is not a number, --learning-rate {args.learning_rate} "
                f"or --inner-rate {args.inner_rate} may be too large; {args.out_dir} holds what was before."
            )
        held_out = float(judge.score(looked)["together"].mean())
        rows.append(
            {
                "iteration": marks[row + 1],
                "loss": loss,
                "held_out": held_out,
                "seconds": seconds,
                "processor": processor,
            }
        )
        save_state(path, args, trainer.variables, rows)
        print(
            f"iteration {marks[row + 1]}: loss {loss:.4f}, tasks held out {held_out:.4f}, {seconds:.0f} s",
            flush=True,
        )
    return pd.DataFrame(rows).set_index("iteration")


def score(learner, tasks):
    """{"together": {steps: mean score}, "alone": ...}: see scoring.py for the ways to ask."""
    from scoring import Judge

    steps = STEPS[learner.task]
    found = Judge(learner, steps, len(tasks.query_y)).score(tasks)
    names = [str(step) for step in steps]
    return {way: dict(zip(names, scores.mean(axis=1).tolist())) for way, scores in found.items()}


def plot_history(history, task):
    """The learning curve, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(history.index, history.loss, ".-")
    left.set(xlabel="batches of tasks", ylabel="loss of the training tasks")
    right.plot(history.index, history.held_out, ".-")
    name = "mean squared error" if task == "sine" else "accuracy"
    right.set(xlabel="batches of tasks", ylabel=f"{name} of tasks held out")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    return figure


def write(out_dir, learner, history, metrics, characters):
    """Write model.keras, history.csv, learning_curve.png, characters.csv and metrics.json."""
    with replacing(out_dir / "model.keras") as path:
        learner.save(path)
    with replacing(out_dir / "history.csv") as path:
        history.to_csv(path)
    with replacing(out_dir / "learning_curve.png") as path:
        plot_history(history, learner.task).savefig(path)
    with replacing(out_dir / "characters.csv") as path:
        pd.DataFrame(characters, columns=["character", "learnt_from"]).to_csv(path, index=False)
    with replacing(out_dir / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2, default=str) + "\n")


if __name__ == "__main__":
    run(main)

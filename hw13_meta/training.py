"""The training loop: batches of tasks, looks at tasks held out, and what --resume goes on from.

Which tasks come between two rows of the history depends on the seed and the row alone.
"""

import time

from scaffold import BadInput

import numpy as np
import pandas as pd
from checkpoint import Checkpoint
from methods import METHODS, Trainer
from model import Learner
from scoring import Judge
from tasks import Episodes, Pictures, Waves
from tqdm import tqdm

LOOKS = 20  # rows of the history, at most
LOOK_TASKS, SCORE_TASKS = 50, 600
SYNTHETIC_TASKS = 10  # in place of both
QUERIES = {"sine": 100, "omniglot": 5}  # of a task that judges; of a class
STEPS = {"sine": (1, 5, 10), "omniglot": (1, 5, 10)}  # of adaptation, that are scored
SCORED = {"sine": 1, "omniglot": 10}  # of these the score is of
JUDGE_SEED = 1_000_000  # the tasks that judge are always the same


def build_trainer(args, seen):
    """The untrained learner and its method. seen: {name of a character to learn from: drawings}."""
    ways = args.ways if seen else 1
    learner = Learner(args.task, ways, args.inner_rate, METHODS[args.method].head_only, list(seen))
    return Trainer(learner, args.method, args.inner_steps, args.iterations, args.learning_rate, len(seen))


def samplers(args, seen, unseen):
    """What draws the tasks to learn from, and those to judge by."""
    if args.task == "sine":
        return Waves(args.shots, args.queries), Waves(args.shots, QUERIES[args.task])
    judging = Episodes(unseen, args.ways, args.shots, QUERIES[args.task])
    episodes = Episodes(seen, args.ways, args.shots, args.queries, vary=True)
    return episodes if METHODS[args.method].episodic else Pictures(seen), judging


def fit(args, trainer, training, judging):
    """Train, with --resume from the last row on. Returns the history, a row at each of LOOKS marks."""
    checkpoint = Checkpoint(args)
    if args.resume:
        checkpoint.restore(trainer.variables)
    rows = checkpoint.rows
    looks = min(LOOKS, max(4, args.iterations // 100))  # each costs as much as some dozen updates
    marks = np.unique(np.linspace(0, args.iterations, looks + 1).astype(int)).tolist()
    tasks = SYNTHETIC_TASKS if args.synthetic else LOOK_TASKS
    looked = judging.draw(np.random.default_rng(JUDGE_SEED + 1), tasks)
    judge = Judge(trainer.learner, [SCORED[args.task]], tasks)
    bar = tqdm(initial=marks[len(rows)], total=args.iterations, unit=" batches", ncols=80, disable=None)
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
        checkpoint.save(trainer.variables)
        tqdm.write(
            f"iteration {marks[row + 1]}: loss {loss:.4f}, tasks held out {held_out:.4f}, {seconds:.0f} s"
        )
    return pd.DataFrame(rows).set_index("iteration")


def score(learner, judging, count):
    """{"together": {steps: mean score}, "alone": ...} of `count` tasks: see scoring.py for the two."""
    tasks, steps = judging.draw(np.random.default_rng(JUDGE_SEED), count), STEPS[learner.task]
    found = Judge(learner, steps, len(tasks.query_y)).score(tasks)
    names = [str(step) for step in steps]
    return {way: dict(zip(names, scores.mean(axis=1).tolist())) for way, scores in found.items()}

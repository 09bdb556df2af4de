"""The training loop: batches of tasks, evaluations at tasks held out, and what --resume goes on from.

Which tasks come between two rows of the history depends on the seed and the row alone.
"""

import time

from scaffold import BadInput

import numpy as np
import pandas as pd
from checkpoint import Checkpoint
from dataset import TEST_SEED
from methods import METHODS, Trainer
from model import Learner
from scoring import SCORED, Evaluator, interval
from tasks import Characters, Episodes, Waves
from tqdm import tqdm

EVALUATIONS = 20  # rows of the history, at most
EVALUATION_TASKS, SCORE_TASKS = 60, 600
SYNTHETIC_TASKS = 10  # in place of both
QUERIES = {"sine": 100, "omniglot": 5}  # of a test task; of a class
STEPS = (1, 5, 10)  # of adaptation, that are scored


def build_trainer(args, seen):
    """The untrained learner and its method. seen: {name of a character to learn from: drawings}."""
    method = METHODS[args.method]
    learner = Learner(
        args.task,
        args.ways if seen else 1,
        args.inner_rate,
        method.adapts,
        method.prototypes,
        args.filters,
        1 if args.task == "sine" else args.views,
        list(seen),
    )
    return Trainer(
        learner,
        args.method,
        args.inner_steps,
        args.iterations,
        args.learning_rate,
        min(args.training_ways, len(seen)),
        len(seen),
    )


def samplers(args, seen, unseen):
    """What draws the tasks to learn from, and those to test on."""
    if args.task == "sine":
        return (Waves(args.shots, queries, args.phase) for queries in (args.queries, QUERIES[args.task]))
    test_sampler = Episodes(unseen, args.ways, args.shots, QUERIES[args.task])
    episodes = Episodes(seen, min(args.training_ways, len(seen)), args.shots, args.queries, vary=True)
    return episodes if METHODS[args.method].episodic else Characters(seen), test_sampler


def fit(args, trainer, seen, training, test_sampler):
    """Train, with --resume from the last row on. Returns the history, a row at each of EVALUATIONS marks."""
    checkpoint = Checkpoint(args, seen.values())
    if args.resume:
        checkpoint.restore(trainer.variables)
    rows = checkpoint.rows
    evaluations = min(EVALUATIONS, max(4, args.iterations // 100))  # each costs as much as a dozen updates
    marks = np.unique(np.linspace(0, args.iterations, evaluations + 1).astype(int)).tolist()
    tasks = SYNTHETIC_TASKS if args.synthetic else EVALUATION_TASKS
    test_tasks = test_sampler.draw(np.random.default_rng(TEST_SEED + 1), tasks)
    evaluator = Evaluator(trainer.learner, [SCORED[args.task]], evaluations * tasks, views=1)
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
        held_out = float(evaluator.score(test_tasks)["transductive"].mean())
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


def score(learner, test_sampler, count):
    """Mean scores of `count` tasks, and half their 95 % intervals: see scoring.py.

    Both are {"transductive": {steps: number}, "inductive": ...}.
    """
    tasks = test_sampler.draw(np.random.default_rng(TEST_SEED), count)
    found = Evaluator(learner, STEPS, len(tasks.query_y)).score(tasks)
    return tuple(
        {kind: {str(step): function(row) for step, row in zip(STEPS, rows)} for kind, rows in found.items()}
        for function in (lambda scores: float(scores.mean()), interval)
    )

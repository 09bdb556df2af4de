"""Answer the report questions of homework 13: every table and figure of README.md.

    python hw13_meta/report.py                 on the course's files, into results/: most of an hour
    python hw13_meta/report.py --synthetic     without them, into out/results/

How far does each method come in about the same time, with drawings and with waves? What do more steps of
adaptation bring, and more shots? What does the second order cost? A row is train.main() run with some seeds.
Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import json
import time

from scaffold import HERE, BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
import predict
import train
from dataset import load_characters, make_synthetic, split
from device import start_keras
from matplotlib.figure import Figure
from records import finished, measured_since, publish, read_metrics

MORE_SHOTS = 5
ALPHABETS = ("Greek", "Balinese")  # held out in turn; the first is the default's
COUNTED = (20, 3)  # updates timed, and warmed up with, for the costs


def parse_args(argv=None):
    return Parser(__doc__, "report", "folder of Omniglot/", epochs="iterations").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    results = args.out_dir / "results" if args.synthetic else HERE / "results"
    results.mkdir(parents=True, exist_ok=True)
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    characters = load_characters(data_dir)
    start_keras(tensorflow=True)
    common = ["--data-dir", str(data_dir), *["--synthetic"] * args.synthetic]
    trial = ["--iterations", str(args.iterations)] if args.iterations else []
    rows = []

    def trained(table, row, flags, seeds):
        """Add a row: train.main() with these flags and so many seeds. Return the runs' folders."""
        found = []
        for seed in range(seeds):
            found.append(args.out_dir / "report" / f"{table}_{row}_{seed}")
            own = ["--seed", str(seed), "--out-dir", str(found[-1])]
            argv = [*common, *flags.split(), *trial, *own]
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        rows.append([table, row, *summary(table, found, characters)])
        return found

    names = ["Arcs", "Lines"] if args.synthetic else ALPHABETS
    default, *_ = [trained("alphabets", name, f"--held-out {name}", 1) for name in names]
    curves = {"omniglot": {}, "sine": {}}
    for method in train.METHODS:
        curves["sine"][method] = trained("sine", method, f"--task sine --method {method}", args.seeds)
    for method in train.METHODS:
        flags = f"--method {method} --held-out {names[0]}"
        curves["omniglot"][method] = trained("omniglot", method, flags, 1)
    plot_curves(curves, results / "curves.png")

    predict.main([*common, "--out-dir", str(default[0])])
    wave = curves["sine"]["meta-sgd"][0]
    predict.main([*common, "--out-dir", str(wave), "--steps", "2"])
    for folder, name in ((default[0], "episode.png"), (wave, "curve.png")):
        with replacing(results / name) as path:
            path.write_bytes((folder / name).read_bytes())
    with replacing(results / "cost.csv") as path:
        costs(characters, args.iterations).to_csv(path, index=False)

    columns = ["table", "row", "after_1", "after_5", "after_10", "alone", "five_shots", "by_seed", "seconds"]
    publish(results, pd.DataFrame(rows, columns=columns), mean_score(default))
    print(pd.read_csv(results / "cost.csv", dtype=str).to_string(index=False))


def summary(table, folders, characters):
    """What stands in a row: means over the seeds; see README.md for the columns."""
    from training import SCORE_TASKS, STEPS, SYNTHETIC_TASKS

    runs = [read_metrics(folder) for folder in folders]
    task = "sine" if table == "sine" else "omniglot"
    tasks = SYNTHETIC_TASKS if runs[0]["arguments"]["synthetic"] else SCORE_TASKS
    scores = {way: pd.DataFrame([found["scores"][way] for found in runs]).mean() for way in runs[0]["scores"]}
    return [
        *(readable(scores["together"][str(step)]) for step in STEPS[task]),
        readable(scores["alone"]["10"]) if task == "omniglot" else "",
        readable(more_shots(folders, characters, tasks)) if table == "alphabets" else "",
        " / ".join(readable(found["score"]) for found in runs),
        "" if table == "alphabets" else f"{np.mean([found['seconds']['processor'] for found in runs]):.0f}",
    ]


def readable(number):
    return f"{number:.4f}" if abs(number) < 10 else f"{number:.1f}" if abs(number) < 1000 else "diverges"


def more_shots(folders, characters, tasks):
    """Accuracy with MORE_SHOTS drawings to adapt to, by the same models."""
    from model import load_learner
    from scoring import Judge
    from tasks import Episodes
    from training import JUDGE_SEED, QUERIES

    found = []
    for folder in folders:
        learner, file = load_learner(folder / "model.keras"), folder / "more_shots.json"
        if not measured_since(file):
            unseen = {
                name: drawings for name, drawings in characters.items() if name not in learner.characters
            }
            episodes = Episodes(unseen, learner.ways, MORE_SHOTS, QUERIES["omniglot"])
            batch = episodes.draw(np.random.default_rng(JUDGE_SEED), tasks)
            scores = Judge(learner, [10], tasks).score(batch)["together"]
            with replacing(file) as path:
                path.write_text(json.dumps(float(scores.mean())))
        try:
            found.append(float(json.loads(file.read_text("utf-8"))))
        except (ValueError, TypeError, RecursionError) as error:
            raise BadInput(f"{file} is damaged; remove it, and it is made anew.") from error
    return np.mean(found)


def costs(characters, trial):
    """Milliseconds of an update of first and of second order, alternating, the median: a DataFrame."""
    from methods import Trainer
    from model import Learner
    from training import samplers

    rows, counted = [], (1, 1) if trial else COUNTED
    for task in ("omniglot", "sine"):
        timers = {}
        for method in ("fomaml", "maml"):
            args = train.parse_args(
                ["--task", task, "--method", "maml", *["--inner-steps", "1"] * bool(trial)]
            )
            seen, unseen = split(characters if task == "omniglot" else {}, None)
            training, _ = samplers(args, seen, unseen)
            learner = Learner(task, args.ways if seen else 1, args.inner_rate)
            trainer = Trainer(learner, method, args.inner_steps, trial or args.iterations, args.learning_rate)
            timers[method] = (trainer, training.draw(np.random.default_rng(0), args.batch_size), [])
        for turn in range(sum(counted)):
            for trainer, batch, seconds in timers.values():
                began = time.perf_counter()
                trainer.update(batch).numpy()
                if turn >= counted[1]:
                    seconds.append(time.perf_counter() - began)
        first, second = (1000 * np.median(seconds) for _, _, seconds in timers.values())
        cells = [
            f"{args.inner_steps}",
            f"{args.batch_size}",
            f"{first:.1f}",
            f"{second:.1f}",
            f"{second / first:.2f}",
        ]
        rows.append([task, *cells])
    return pd.DataFrame(rows, columns=["task", "inner_steps", "tasks", "first_ms", "second_ms", "ratio"])


def mean_score(runs):
    """The metrics of some runs' folders: the mean of their scores, and what else the first of them has."""
    metrics = [read_metrics(run) for run in runs]
    by_seed = [found["score"] for found in metrics]
    return {**metrics[0], "score": float(np.mean(by_seed)), "score_by_seed": by_seed}


def plot_curves(curves, path):
    """What is held out against seconds of training, a panel for each task, seed 0."""
    from training import SCORED

    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (task, methods) in zip(figure.subplots(1, len(curves)), curves.items()):
        for method, folders in methods.items():
            history = pd.read_csv(folders[0] / "history.csv")
            axes.plot(history.seconds.cumsum(), history.held_out, ".-", label=method)
        steps = SCORED[task]
        name = "accuracy" if task == "omniglot" else "mean squared error"
        axes.set(xlabel="seconds", ylabel=f"{name} after {steps} step{'s' * (steps > 1)}", title=task)
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

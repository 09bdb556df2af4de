"""Answer the report questions of homework 13: every table and figure of README.md.

    python hw13_meta/report.py                 on the course's files, into results/: four hours
    python hw13_meta/report.py --synthetic     without them, into out/results/

How far does each method come, with drawings and with waves? What do more steps of adaptation bring, more
shots, and more classes? What does the second order cost? A row is train.main() run with some seeds.
Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import json
import time

from scaffold import BadInput, Parser, replacing, run

from dataset import TEST_SEED, alphabets, load_characters, make_synthetic, split
from device import start_keras
from records import finished, measured_since, publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of Omniglot/", epochs="iterations")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


def load(args):
    """The folder of the data, and what load_characters reads there."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    return data_dir, load_characters(data_dir)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load(args))  # made-up files are not missing
    run(lambda: start_keras(tensorflow=True))

import numpy as np
import pandas as pd
import predict
import train
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from scoring import Evaluator, interval, load_learner
from tasks import RANGE, Batch, Episodes
from training import QUERIES, SCORE_TASKS, SCORED, STEPS, SYNTHETIC_TASKS, build_trainer, samplers

SETTINGS = {"5-way 1-shot": (5, 1), "5-way 5-shot": (5, 5), "20-way 1-shot": (20, 1)}
SETTINGS_OF_SYNTHETIC = SETTINGS | {"20-way 1-shot": (6, 1)}  # there are so many characters
MIXED = "--iterations 5000 --views 3"  # shorter than the default
COUNTED = (20, 3)  # updates timed, and warmed up with, for the costs
COLUMNS = ["after_1", "after_5", "after_10", "interval", "inductive", "by_seed", "seconds"]


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    data_dir, characters = load(args)
    common = ["--data-dir", str(data_dir), *["--synthetic"] * args.synthetic]
    trial = ["--iterations", str(args.iterations)] if args.iterations else []
    settings = SETTINGS_OF_SYNTHETIC if args.synthetic else SETTINGS
    rows = []

    def trained(flags, seeds):
        """train.main() with these flags and so many seeds; the runs' folders."""
        found = []
        for seed in range(seeds):
            name = " ".join([flags.replace("--", "") or "default", str(seed)]).replace(" ", "_")
            found.append(args.trainings / name)
            own = ["--seed", str(seed), "--out-dir", str(found[-1])]
            argv = [*common, *flags.split(), *trial, *own]
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return found

    defaults = trained("", args.seeds)
    first, *others = settings  # the training has scored the first
    rows.append(["default", first, *summary(defaults)])
    rows += [["default", name, *episodes(defaults, characters, *settings[name])] for name in others]
    by_alphabet = {
        alphabet: episodes(defaults[:1], characters, *settings[first], alphabet)
        for alphabet in alphabets(split(characters, None)[1])
    }
    with replacing(results / "alphabets.csv") as path:
        table = pd.DataFrame.from_dict(by_alphabet, orient="index", columns=COLUMNS)
        table.drop(columns="seconds").to_csv(path, index_label="alphabet")
    mixed = trained(f"--held-out random {MIXED}", 1)
    rows.append(["mixed", "5-way 1-shot", *summary(mixed)])

    curves = {"omniglot": {}, "sine": {}}
    for method in train.METHOD_NAMES:
        one = trained(f"--method {method}", 1) if method != train.DEFAULTS["omniglot"] else defaults[:1]
        curves["omniglot"][method] = one
        rows.append(["omniglot", method, *summary(one)])
    for phase, methods in (
        ("2pi", train.SINE_METHODS),
        ("pi", ("maml", "meta-sgd")),
    ):
        for method in methods:
            folders = trained(f"--task sine --method {method} --phase {phase}", 1)
            rows.append([f"sine {phase}", method, *summary(folders)])
            if phase == "2pi":
                curves["sine"][method] = folders
    plot_curves(curves, results / "curves.png")

    predict.main([*common, "--out-dir", str(defaults[0])])
    with replacing(results / "episode.png") as path:
        path.write_bytes((defaults[0] / "episode.png").read_bytes())
    with replacing(results / "curve.png") as path:
        plot_wave({name: curves["sine"][name][0] for name in ("meta-sgd", "maml", "pretrain")}).savefig(path)
    with replacing(results / "cost.csv") as path:
        costs(characters, args.iterations).to_csv(path, index=False)

    publish(results, pd.DataFrame(rows, columns=["table", "row", *COLUMNS]), mean_score(defaults))
    for name in ("alphabets", "cost"):
        print(pd.read_csv(results / f"{name}.csv", dtype=str).to_string(index=False))


def summary(folders):
    """What stands in a row of trainings: means over the seeds of what each wrote itself."""
    runs = [read_metrics(folder) for folder in folders]
    scores = {kind: pd.DataFrame([run["scores"][kind] for run in runs]).mean() for kind in runs[0]["scores"]}
    last = scores["inductive"].iloc[-1] if "inductive" in scores else None
    return [
        *(readable(score) for score in scores["transductive"]),
        readable(np.mean([run["interval"] for run in runs])),
        readable(last) if last is not None else "",
        " / ".join(readable(run["score"]) for run in runs),
        f"{np.mean([run['seconds']['processor'] for run in runs]):.0f}",
    ]


def episodes(folders, characters, ways, shots, alphabet=None):
    """The same for models of omniglot in other episodes: of characters never seen, or of one alphabet."""
    found = []
    for folder in folders:
        file = folder / f"episodes-{ways}-{shots}-{alphabet or 'all'}.json"
        if not measured_since(file):
            learner = load_learner(folder / "model.keras")
            synthetic = read_metrics(folder)["arguments"]["synthetic"]
            unseen = {
                name: drawings
                for name, drawings in characters.items()
                if name not in learner.characters and alphabet in (None, name.split("/")[0])
            }
            sampler = Episodes(unseen, ways, shots, QUERIES["omniglot"])
            count = SYNTHETIC_TASKS if synthetic else SCORE_TASKS
            batch = sampler.draw(np.random.default_rng(TEST_SEED), count)
            scores = Evaluator(learner, STEPS, count, ways).score(batch)
            scored = scores["transductive"][STEPS.index(SCORED["omniglot"])]
            with replacing(file) as path:
                content = {kind: rows.mean(axis=1).tolist() for kind, rows in scores.items()}
                path.write_text(json.dumps({**content, "score": scored.mean(), "interval": interval(scored)}))
        try:
            found.append(json.loads(file.read_text("utf-8")))
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{file} is damaged; remove it, and it is made anew.") from error
    return [
        *(readable(score) for score in np.mean([one["transductive"] for one in found], axis=0)),
        readable(np.mean([one["interval"] for one in found])),
        readable(np.mean([one["inductive"][-1] for one in found])),
        " / ".join(readable(one["score"]) for one in found),
        f"{np.mean([read_metrics(folder)['seconds']['processor'] for folder in folders]):.0f}",
    ]


def readable(number):
    return f"{number:.4f}" if abs(number) < 10 else f"{number:.1f}" if abs(number) < 1000 else "diverges"


def costs(characters, trial):
    """Milliseconds of an update of first and of second order, alternating, the median: a DataFrame."""
    rows, counted = [], (1, 1) if trial else COUNTED
    for task in ("omniglot", "sine"):
        timers = {}
        for method in ("fomaml", "maml"):
            args = train.parse_args(["--task", task, "--method", "maml"])
            seen, unseen = split(characters if task == "omniglot" else {}, None)
            training, _ = samplers(args, seen, unseen)
            args.method, args.iterations = method, trial or args.iterations
            trainer = build_trainer(args, seen)
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
    """What is held out against the processor's seconds of training, a panel for each task, seed 0."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, (task, methods) in zip(figure.subplots(1, len(curves)), curves.items()):
        for method, folders in methods.items():
            history = pd.read_csv(folders[0] / "history.csv")
            axes.plot(history.processor.cumsum(), history.held_out, ".-", label=method)
        steps = SCORED[task]
        name = "accuracy" if task == "omniglot" else "mean squared error"
        axes.set(
            xlabel="processor seconds",
            ylabel=f"{name} after {steps} step{'s' * (steps > 1)}",
            title=task,
            xscale="log",
        )
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


def plot_wave(folders):
    """One wave never seen, and what models make of its ten points after a step: {method: folder}."""
    grid, rng = np.linspace(*RANGE, 201, dtype=np.float32), np.random.default_rng(1)
    amplitude, phase = 3.0, 1.0
    points = np.sort(rng.uniform(*RANGE, 10)).astype(np.float32)
    batch = Batch(
        *(points[None, :, None], amplitude * np.sin(points - phase)[None, :, None]),
        *(grid[None, :, None], np.zeros((1, len(grid), 1), np.float32)),
    )
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(grid, amplitude * np.sin(grid - phase), "k--", label="the wave")
    for method, folder in folders.items():
        predictions = Evaluator(load_learner(folder / "model.keras"), [1], 1).predict(batch)
        axes.plot(grid, predictions["transductive"][0, 0, :, 0], label=f"{method}, after 1 step")
    axes.plot(batch.support_x[0, :, 0], batch.support_y[0, :, 0], "k^", label="points adapted to")
    axes.set(xlabel="x", ylabel="y")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3)
    return figure


if __name__ == "__main__":
    run(main)

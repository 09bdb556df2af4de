"""Answer the report questions of homework 14: every table and figure of README.md.

    python hw14_lifelong/report.py                 on the tasks' files, into results/: some 30 minutes
    python hw14_lifelong/report.py --synthetic     on drawn digits, into out/results/

The course's three tables, what each method keeps, how much of the old a strength trades for the new, and the
EWC paper's permuted digits. A row is train.main() run with some seeds. Trainings are kept, so an interrupted
report goes on. Remove <out-dir>/report to measure all anew.
"""

from scaffold import Parser, replacing, run

import numpy as np
import pandas as pd
import train
from matplotlib.figure import Figure
from records import finished, publish, read_metrics

COURSE = "--tasks mnist svhn"
STRENGTHS_OF_THE_COURSE = (10.0, 0.001)  # beside none
SWEEP = "--tasks svhn mnist --examples 8000 --epochs 3"
STRENGTHS = {"ewc": (1, 30, 1000), "mas": (0.003, 0.1, 3), "scp": (1, 30, 1000)}
PERMUTED = {  # tasks: rows, one training each but for ewc in five
    5: {name: f"--method {name}" for name in ("naive", "joint", "ewc")}
    | {"replay of 500": "--method replay --memory 500"},
    10: {name: f"--method {name}" for name in ("naive", "ewc")},
}
OFFSETS = {"ewc": (5, 8), "mas": (5, -13), "scp": (-5, -13)}  # of the strengths in the figure, in points
SHOWN = ("naive", "ewc", "replay")  # in methods.png
COLUMNS = [
    "table",
    "row",
    "first_cross_entropy",
    "last_cross_entropy",
    "average",
    "first",
    "last",
    "forgetting",
    "backward_transfer",
    "seconds",
]


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of the tasks' files")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    rows = []

    def trained(flags, seeds=args.seeds):
        """train.main() with these flags and some seeds; the runs' folders."""
        flags, folders = flags.split(), []
        if args.epochs:
            flags += ["--epochs", str(args.epochs)]
        for seed in range(seeds):
            argv = [*flags, *["--synthetic"] * args.synthetic, "--seed", str(seed)]
            folders.append(args.trainings / "_".join(argv).replace("--", "").replace(":", ""))
            argv += ["--data-dir", str(args.data_dir), "--out-dir", str(folders[-1])]
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return folders

    methods = {method: trained(f"--method {method}") for method in train.METHODS}
    rows += [["methods", method, *summary(folders)] for method, folders in methods.items()]
    default = methods[train.parse_args([]).method]

    course = {"no penalty": trained(f"{COURSE} --method naive")}
    for strength in STRENGTHS_OF_THE_COURSE:
        course[f"strength {strength:g}"] = trained(f"{COURSE} --method ewc --strength {strength:g}")
    course["the default"] = trained(f"{COURSE} --method ewc")
    for name, folders in course.items():
        rows += [["course", f"{name}: {stage}", *cells] for stage, *cells in matrix_rows(folders)]

    permuted = {
        count: {
            name: trained(
                f"--tasks permuted:{count} {flags}",
                seeds=args.seeds if (count, name) == (5, "ewc") else 1,
            )
            for name, flags in named.items()
        }
        for count, named in PERMUTED.items()
    }
    for count, runs in permuted.items():
        rows += [[f"permuted:{count}", method, *summary(folders)] for method, folders in runs.items()]

    sweep = {"naive": {0.0: trained(f"{SWEEP} --method naive")}}
    for method, strengths in STRENGTHS.items():
        sweep[method] = {
            strength: trained(f"{SWEEP} --method {method} --strength {strength:g}") for strength in strengths
        }
    for method, points in sweep.items():
        for strength, folders in points.items():
            name = f"{method}, strength {strength:g}" if strength else method
            rows.append(["strengths", name, *summary(folders)])

    results.mkdir(parents=True, exist_ok=True)
    with replacing(results / "methods.png") as path:
        plot_steps({name: methods[name] for name in SHOWN}).savefig(path)
    with replacing(results / "strengths.png") as path:
        plot_trade_off(sweep).savefig(path)
    with replacing(results / "permuted.png") as path:
        plot_permuted(permuted[max(PERMUTED)]).savefig(path)
    publish(results, pd.DataFrame(rows, columns=COLUMNS), mean_of_metrics(default))


def metrics_of(folders):
    return [read_metrics(folder) for folder in folders]


def mean_and_deviation(values, form=".3f"):
    """Mean and deviation of the seeds, as a cell; of one seed its value."""
    return f"{np.mean(values):{form}}" + (f" ± {np.std(values):{form}}" if len(values) > 1 else "")


def matrix_rows(folders):
    """The course's table: a row a stage, of cross-entropy and accuracy on the first and the last task."""
    runs = metrics_of(folders)
    losses, accuracies = (np.array([found[name] for found in runs]) for name in ("cross_entropy", "accuracy"))
    stages = ["random initialisation", *(f"after {name}" for name in runs[0]["tasks"])]
    for number, stage in enumerate(stages):
        cells = [mean_and_deviation(losses[:, number, index], ".2f") for index in (0, -1)]
        cells += ["", *(mean_and_deviation(accuracies[:, number, index]) for index in (0, -1))]
        yield [stage, *cells, "", "", ""]


def summary(folders):
    """What a method has come to after the last task: COLUMNS from the third on."""
    runs = metrics_of(folders)
    last = np.array([found["accuracy"][-1] for found in runs])  # (seeds, tasks)
    changes = [
        "" if runs[0][name] is None else mean_and_deviation([found[name] for found in runs])
        for name in ("forgetting", "backward_transfer")
    ]
    return [
        "",
        "",
        mean_and_deviation(last.mean(axis=1)),
        mean_and_deviation(last[:, 0]),
        mean_and_deviation(last[:, -1]),
        *changes,
        f"{np.median([found['seconds']['one_fit'] for found in runs]):.0f}",
    ]


def mean_of_metrics(runs):
    """The first run's metrics, with the mean score of all."""
    found = metrics_of(runs)
    scores = [one["score"] for one in found]
    return {**found[0], "score": float(np.mean(scores)), "score_by_seed": scores}


def plot_steps(runs):
    """Every task's validation accuracy over all steps, the mean of the seeds; a panel a method."""
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    for axes, (method, folders) in zip(figure.subplots(1, len(runs), sharey=True), runs.items()):
        history = (
            pd.concat([pd.read_csv(folder / "history.csv") for folder in folders]).groupby("epoch").mean()
        )
        for column in history.filter(like="accuracy_"):
            axes.plot(history.steps, history[column], ".-", label=column.removeprefix("accuracy_"))
        for end in history.groupby("task").steps.max()[:-1]:
            axes.axvline(end, color="grey", linewidth=1)
        axes.set(title=method, xlabel="steps")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("validation accuracy")
    figure.axes[0].legend()
    return figure


def plot_trade_off(sweep):
    """Old task against new: a curve a method, a point a strength, the mean of the seeds."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for method, points in sweep.items():
        ends = np.array(
            [
                np.mean([found["accuracy"][-1] for found in metrics_of(folders)], axis=0)
                for folders in points.values()
            ]
        )  # (strengths, tasks)
        (curve,) = axes.plot(ends[:, -1], ends[:, 0], "o-" if len(ends) > 1 else "k*", label=method)
        for strength, (*_, old, new) in zip(points, ends[:, [0, -1]]):
            if strength:
                offset = OFFSETS[method]
                axes.annotate(
                    f"{strength:g}",
                    (new, old),
                    offset,
                    textcoords="offset points",
                    ha="left" if offset[0] > 0 else "right",
                    color=curve.get_color(),
                )
    axes.set(xlabel="accuracy on the new task", ylabel="accuracy on the old task")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def plot_permuted(runs):
    """Left: the accuracy averaged over the tasks seen so far. Right: the first task's, over all steps."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    means, first = figure.subplots(1, 2)
    for method, folders in runs.items():
        matrix = np.mean([found["accuracy"] for found in metrics_of(folders)], axis=0)
        seen = [matrix[number, :number].mean() for number in range(1, len(matrix))]
        means.plot(range(1, len(matrix)), seen, ".-", label=method)
        histories = [pd.read_csv(folder / "history.csv") for folder in folders]
        name = next(name for name in histories[0] if name.startswith("accuracy_"))
        first.plot(
            histories[0].steps, np.mean([history[name] for history in histories], axis=0), label=method
        )
    means.axhline(matrix[1, 0], color="grey", linestyle="--", label="the first task alone")
    means.set(xlabel="tasks learnt", ylabel="mean test accuracy on them", xticks=range(1, len(matrix)))
    first.set(xlabel="steps", ylabel="validation accuracy on the first task")
    for axes in (means, first):
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


if __name__ == "__main__":
    run(main)

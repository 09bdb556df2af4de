"""Answer the report questions of homework 4: every table and figure of README.md.

    python hw04_rnn_selftrain/report.py                 on the course's files, into results/: about an hour
    python hw04_rnn_selftrain/report.py --synthetic     without them, into out/results/

What is self-training worth, with few labels and with many, and how often is a pseudo label right? What are
skip-gram's vectors worth? What does a bag of words say of two sentences with the same words? And how fast is
a step?

For each seed 1,000 labelled lines (a quarter, if there are fewer than 4,000) are held back as a test file,
and train.main() and predict.main() run on the others. Trainings are kept, so an interrupted report goes on;
remove <out-dir>/report to measure all anew.
"""

import shutil

from scaffold import HERE, Parser, replacing, run

import numpy as np
import pandas as pd
import train
from dataset import SEPARATOR, load_labelled, load_unlabelled, make_synthetic
from device import start_keras
from records import finished, publish, read_metrics

HELD_BACK = 1000
FEW = (500, 1000, 2000)  # labels; in the end all that are not held back and do not validate
SAME_WORDS = ("today is a good day , but it is hot", "today is hot , but it is a good day")


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of the text files")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    trials = [Trial(data_dir, args.out_dir / "report", seed, args.epochs) for seed in range(args.seeds)]
    start_keras()
    from measuring import say, share_right, speed, tf_idf  # with Keras, after the files
    from selftraining import second_reader

    results = args.out_dir / "results" if args.synthetic else HERE / "results"
    results.mkdir(parents=True, exist_ok=True)
    rows = []
    curves = {"TF-IDF": [], "n-grams": [], "labels alone": [], "self-training": []}

    most = min(trial.most for trial in trials)
    counts = FEW if FEW[-1] < most else [most // 8, most // 4, most // 2]
    for count in [*counts, most]:
        folders = [trial.trained(f"--labelled {count}") for trial in trials]
        found = {
            "TF-IDF": [trial.score_of(tf_idf, count) for trial in trials],
            "n-grams": [trial.score_of(second_reader, count) for trial in trials],
            "labels alone": [share_right(f / "labels_alone.keras", *t.test) for t, f in zip(trials, folders)],
            "self-training": [share_right(f / "model.keras", *t.test) for t, f in zip(trials, folders)],
        }
        for name, values in found.items():
            curves[name].append(values)
            rows.append(["labels", f"{count} labels, {name}", *summary(values)])
        gain = np.subtract(found["self-training"], found["labels alone"])
        rows.append(["labels", f"{count} labels, gain", *summary(gain)])
        if count == counts[0]:
            alone = [trial.trained(f"--labelled {count} --teacher network") for trial in trials]
            values = [share_right(f / "model.keras", *t.test) for t, f in zip(trials, alone)]
            rows.append(["labels", f"{count} labels, the network alone as teacher", *summary(values)])
        if count < most:
            rows += [["precision", *row] for row in precision(trials, folders, count)]

    rows.append(["vectors", "skip-gram, fine-tuned", *summary(curves["labels alone"][-1])])
    alone = f"--labelled {most} --no-self-training"
    kept = {"rnn": folders}
    for name, flags in (
        ("skip-gram, frozen", "--vectors frozen"),
        ("random, trained", "--vectors random"),
        ("bag of words", "--model bag"),
    ):
        kept[name] = [trial.trained(f"{alone} {flags}") for trial in trials]
        values = [share_right(f / "model.keras", *t.test) for t, f in zip(trials, kept[name])]
        rows.append(["vectors", name, *summary(values)])
    rows += [
        ["speed", *row] for row in speed(folders[0] / "model.keras", *(1, 8, 4, 2) if args.epochs else (5,))
    ]

    probabilities = {
        "bag of words": [say(folder / "model.keras", SAME_WORDS) for folder in kept["bag of words"]],
        "bidirectional LSTM": [say(folder / "model.keras", SAME_WORDS) for folder in kept["rnn"]],
    }
    with replacing(results / "sentences.csv") as path:
        pd.DataFrame(
            {name: [f"{p:.2f}" for p in np.mean(values, 0)] for name, values in probabilities.items()},
            SAME_WORDS,
        ).T.to_csv(path, index_label="model")

    default = Trial.run(args.out_dir / "report" / "default", data_dir, 0, "", args.epochs)
    history = pd.read_csv(default / "history.csv", index_col="epoch")
    plot(history, [*counts, most], curves, results)
    tables = pd.DataFrame(rows, columns=["table", "row", "value", "deviation", "of"])
    publish(results, tables, read_metrics(default))


class Trial:
    """The data set with some labelled lines held back, and trainings on the rest, all with one seed."""

    def __init__(self, data_dir, folder, seed, epochs):
        self.folder, self.seed, self.epochs = folder, seed, epochs
        self.data = folder / f"set_{seed}"
        sentences, labels = load_labelled(data_dir)
        held_back = np.random.default_rng(seed).permutation(len(labels)) < min(HELD_BACK, len(labels) // 4)
        self.test = [sentences[index] for index in np.flatnonzero(held_back)], labels[held_back]
        self.sentences = [sentences[index] for index in np.flatnonzero(~held_back)]
        self.labels = labels[~held_back]
        self.unlabelled = load_unlabelled(data_dir)
        self.most = len(train.split(self.labels, seed)[0])
        self.data.mkdir(parents=True, exist_ok=True)
        lines = [f"{label}{SEPARATOR}{text}" for label, text in zip(self.labels, self.sentences)]
        for name, kept in (("training_label.txt", lines), ("training_nolabel.txt", self.unlabelled)):
            with replacing(self.data / name) as path:
                path.write_text("\n".join(kept) + "\n", encoding="utf-8", newline="\n")

    def trained(self, flags):
        """Run train.main() with these flags; return the folder. A seed's vectors are made once."""
        name = " ".join([flags, str(self.seed)]).replace(" ", "_")
        vectors, folder = self.data / "vectors.txt", self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if "random" not in flags and vectors.is_file():
            shutil.copyfile(vectors, folder / "vectors.txt")
        self.run(folder, self.data, self.seed, flags, self.epochs)
        if "random" not in flags:
            shutil.copyfile(folder / "vectors.txt", vectors)
        return folder

    @staticmethod
    def run(folder, data_dir, seed, flags, epochs):
        trial = ["--epochs", str(epochs), "--rounds", "1", "--batch-size", "256"] if epochs else []
        where = ["--data-dir", str(data_dir), "--out-dir", str(folder), "--seed", str(seed)]
        argv = [*where, *flags.split(), *trial]
        if not finished(train.parse_args(argv)):
            train.main([*argv, "--resume"])
        return folder

    def score_of(self, fit, count):
        """The same share for what fit(sentences, labels) makes of the same labels, without the network."""
        indices, _, _ = train.split(self.labels, self.seed, count)
        return fit([self.sentences[index] for index in indices], self.labels[indices]).score(*self.test)


def precision(trials, folders, count):
    """Yield how often the pseudo labels of a round are right: the labels that were put away tell."""
    checked = []
    for trial, folder in zip(trials, folders):
        _, _, put_away = train.split(trial.labels, trial.seed, count)
        given = pd.read_csv(folder / "pseudo_labels.csv")
        given = given[given.line >= len(trial.unlabelled)]
        truth = trial.labels[put_away][given.line - len(trial.unlabelled)]
        checked.append(
            pd.DataFrame({"round": given["round"], "right": given.label == truth, "seed": trial.seed})
        )
    checked = pd.concat(checked)
    for number in range(1, train.parse_args([]).rounds + 1):
        by_seed = checked[checked["round"] == number].groupby("seed").right
        right = (
            [f"{by_seed.mean().mean():.3f}", f"{by_seed.mean().std(ddof=0):.3f}"]
            if len(by_seed)
            else ["", ""]
        )
        yield [f"{count} labels, round {number}", *right, str(by_seed.count().sum())]


def summary(values):
    """Mean and standard deviation over the seeds, and how many they are."""
    return f"{np.mean(values):.4f}", f"{np.std(values):.4f}", str(len(values))


def plot(history, counts, curves, results):
    """Write curves.png: the default's learning curve, and accuracy against the number of labels."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, rows in history.groupby("round"):
        name = f"student of round {number}" if number else "labels alone"
        rows.accuracy.plot(ax=left, style=".-", label=name)
    left.set(xlabel="epoch", ylabel="validation accuracy")
    for name, values in curves.items():
        means, deviations = np.mean(values, axis=1), np.std(values, axis=1)
        right.errorbar(counts, means, deviations, label=name, capsize=3, marker=".")
    right.set(xscale="log", xlabel="labels", ylabel="accuracy on tweets held back")
    right.set_xticks(counts, [str(count) for count in counts], minor=False)
    right.set_xticks([], minor=True)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    for name, dpi in (("curves.png", "figure"), ("thumbnail.png", 32)):
        with replacing(results / name) as path:
            figure.savefig(path, dpi=dpi)


if __name__ == "__main__":
    run(main)

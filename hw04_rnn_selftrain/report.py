"""Answer the report questions of homework 4: every table and figure of README.md.

    python hw04_rnn_selftrain/report.py                 on the course's files, into results/
    python hw04_rnn_selftrain/report.py --synthetic     without them, into out/results/

What is self-training worth, with few labels and with many, and how often is a pseudo label right? What are
the language model and skip-gram's vectors worth? What does a bag of words say of two sentences with the same
words? And how fast is a step?

For each seed 3,000 labelled lines (a quarter, if there are fewer than 12,000) are held back as a test file,
and train.main() and predict.main() run on the others. Trainings are kept, so an interrupted report goes on;
remove <out-dir>/report to measure all anew.
"""

import shutil

from scaffold import Parser, replacing, run

from dataset import SEPARATOR, load_labelled, load_unlabelled, make_synthetic
from device import start_keras
from records import finished, publish, read_metrics


def parse_args(argv=None):
    return Parser(__doc__, "report", "folder of the text files").parse(argv)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load_labelled(args.data_dir))
    run(start_keras)

import numpy as np
import pandas as pd
import train
from matplotlib.figure import Figure
from measuring import THROUGHPUTS, predict_positive, probabilities, tf_idf
from model import load_model, network_of
from timing import speeds

HELD_BACK = 3000
FEW = (2000,)  # labels; in the end all that are not held back and do not validate
OTHER_WAYS = {  # of self-training, with the last of FEW, of the first seed
    "0 or 1 where the teacher is sure": "--threshold 0.8 --unlabelled-per-round 10000",
    "the network teaches alone": "--no-ngrams",
}
STARTS = {  # without self-training and n-grams, of the first seed
    "skip-gram, fine-tuned": "--no-language-model",
    "skip-gram, frozen": "--no-language-model --vectors frozen",
    "random, trained": "--no-language-model --vectors random",
    "bag of words": "--model bag",
}
# What is made without labels: once for each seed.
SHARED = ("vectors.txt", "vectors.sha256", "checkpoint_language_model.npz")
SAME_WORDS = ("today is a good day , but it is hot", "today is hot , but it is a good day")


def main(argv=None):
    args = parse_args(argv)
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    trials = [Trial(data_dir, args.trainings, seed, args.epochs) for seed in range(args.seeds)]
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    rows = []
    ways = {  # model file and part of it
        "n-grams": ("labels_alone.keras", "ngrams"),
        "network, labels alone": ("labels_alone.keras", "network"),
        "network, self-training": ("model.keras", "network"),
        "both, labels alone": ("labels_alone.keras", None),
        "both, self-training": ("model.keras", None),
    }
    curves = {name: [] for name in ("TF-IDF", *ways)}

    most = min(trial.most for trial in trials)
    counts = FEW if FEW[-1] < most else [most // 2]
    for count in [*counts, most]:
        folders = [trial.trained(f"--labelled {count}") for trial in trials]
        found = {"TF-IDF": [trial.fitted(tf_idf, count).score(*trial.test) for trial in trials]}
        for name, (file, part) in ways.items():
            found[name] = [t.share_right(folder / file, part) for t, folder in zip(trials, folders)]
        for name, values in found.items():
            curves[name].append(values)
            rows.append(["labels", f"{count} labels, {name}", *summary(values)])
        for name in ("network", "both"):
            gain = np.subtract(found[f"{name}, self-training"], found[f"{name}, labels alone"])
            rows.append(["labels", f"{count} labels, gain, {name}", *summary(gain)])
        if count < most:
            rows += [["precision", *row] for row in pseudo_label_accuracy(trials, folders, count)]
    first, with_most = trials[0], folders
    for name, flags in OTHER_WAYS.items():
        folder = first.trained(f"--labelled {counts[-1]} {flags}")
        value = first.share_right(folder / "model.keras", "network")
        rows.append(["labels", f"{counts[-1]} labels, network, {name}", *summary([value])])

    rows.append(["start", "language model", *summary(curves["network, labels alone"][-1][:1])])
    kept = {"bidirectional LSTM": with_most}
    for name, flags in STARTS.items():
        kept[name] = [first.trained(f"--labelled {most} --no-self-training --no-ngrams {flags}")]
        rows.append(["start", name, *summary([first.share_right(kept[name][0] / "model.keras", "network")])])
    rows += [["speed", name, tweets, "", ""] for name, tweets in speeds(bool(args.epochs), THROUGHPUTS)]

    answers = {}
    for name in ("bag of words", "bidirectional LSTM"):
        networks = [network_of(load_model(folder / "model.keras")) for folder in kept[name]]
        mean = np.mean([probabilities(network, SAME_WORDS) for network in networks], axis=0)
        answers[name] = [f"{probability:.2f}" for probability in mean]
    with replacing(results / "sentences.csv") as path:
        pd.DataFrame(answers, SAME_WORDS).T.to_csv(path, index_label="model")

    default = Trial.run(args.trainings / "default", data_dir, 0, "", args.epochs)
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
        """Run train.main() with these flags; return the folder. What needs no labels is made once a seed."""
        name = " ".join([flags, str(self.seed)]).replace(" ", "_")
        folder, shared = self.folder / name, [] if "random" in flags else SHARED
        folder.mkdir(parents=True, exist_ok=True)
        for file in shared:
            if (self.data / file).is_file():
                shutil.copyfile(self.data / file, folder / file)
        self.run(folder, self.data, self.seed, flags, self.epochs)
        for file in shared:
            if (folder / file).is_file():
                shutil.copyfile(folder / file, self.data / file)
        return folder

    @staticmethod
    def run(folder, data_dir, seed, flags, epochs):
        trial = ["--epochs", str(epochs), "--batch-size", "256"] if epochs else []
        where = ["--data-dir", str(data_dir), "--out-dir", str(folder), "--seed", str(seed)]
        argv = [*where, *flags.split(), *trial]
        if not finished(train.parse_args(argv)):
            there = any((folder / name).is_file() for name in ("checkpoint.npz", *SHARED))
            train.main([*argv, *["--resume"] * there])
        return folder

    def share_right(self, model_file, part=None):
        """The share of the held-back tweets that a model, or a part of it, takes for what they are."""
        sentences, labels = self.test
        return np.mean(predict_positive(model_file, sentences, part) == (labels == 1))

    def fitted(self, fit, count):
        """What fit(sentences, labels) makes of the same labels, without the network."""
        indices, _, _ = train.split(self.labels, self.seed, count)
        return fit([self.sentences[index] for index in indices], self.labels[indices])


def pseudo_label_accuracy(trials, folders, count):
    """Yield the accuracy of each round's pseudo labels, on the lines whose true labels were put away."""
    checked = []
    for trial, folder in zip(trials, folders):
        _, _, put_away = train.split(trial.labels, trial.seed, count)
        given = pd.read_csv(folder / "pseudo_labels.csv")
        given = given[given.line >= len(trial.unlabelled)]
        truth = trial.labels[put_away][given.line - len(trial.unlabelled)]
        checked.append(
            pd.DataFrame({"round": given["round"], "right": (given.label > 0.5) == truth, "seed": trial.seed})
        )
    checked = pd.concat(checked)
    for number in range(1, train.parse_args([]).rounds + 1):
        by_seed = checked[checked["round"] == number].groupby("seed").right
        mean, deviation, _ = summary(by_seed.mean()) if len(by_seed) else ("", "", "")
        yield [f"{count} labels, round {number}", mean, deviation, str(by_seed.count().sum())]


def summary(values):
    """Mean and standard deviation over the seeds, and how many they are; one has no deviation."""
    deviation = f"{np.std(values, ddof=1):.4f}" if len(values) > 1 else ""
    return f"{np.mean(values):.4f}", deviation, str(len(values))


def plot(history, counts, curves, results):
    """Write curves.png: the default's learning curve, and accuracy against the number of labels."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for number, rows in history.groupby("round"):
        name = f"student of round {number:.0f}" if number else "labels alone"
        columns = {"accuracy": "both", "network_accuracy": "network"}
        for style, (column, part) in zip(("o-", "x:"), columns.items()):
            rows[column].plot(ax=left, style=style, color=f"C{number:.0f}", label=f"{part}, {name}")
    figure.suptitle("both: the mean of the network and the n-grams", fontsize="medium")
    left.set(xlabel="epoch", ylabel="accuracy on the validation set", title="The default's training")
    left.set_xticks(history.index)
    for name, values in curves.items():
        means = np.mean(values, axis=1)
        deviations = np.std(values, axis=1, ddof=1) if len(values[0]) > 1 else None
        right.errorbar(counts, means, deviations, label=name, capsize=3, marker=".")
    right.set(
        xscale="log", xlabel="labels", ylabel="accuracy on tweets held back", title="Few labels and many"
    )
    right.set_xticks(counts, [f"{count:,}" for count in counts], minor=False)
    right.set_xticks([], minor=True)
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend()
    for name, dpi in (("curves.png", "figure"), ("thumbnail.png", 32)):
        with replacing(results / name) as path:
            figure.savefig(path, dpi=dpi)


if __name__ == "__main__":
    run(main)

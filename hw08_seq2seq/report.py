"""Answer the report questions of homework 8: every table and figure of README.md.

    python hw08_seq2seq/report.py                 on the course's files, into results/: 45 minutes
    python hw08_seq2seq/report.py --synthetic     without them, into out/results/

What is attention worth, and what a beam? Is it good to feed a decoder its own words while it learns? A row is
train.main() run with some seeds, and scored. Trainings are kept, so an interrupted report goes on. Remove
<out-dir>/report to measure all anew.
"""

import itertools
import time

from scaffold import HERE, Parser, replacing, run

from dataset import Vocabulary, load_pairs, make_synthetic
from device import start_keras
from records import finished, publish, read_metrics

PARTS = ("training", "validation", "testing")


def parse_args(argv=None):
    return Parser(__doc__, "report", "folder of the course's files").parse(argv)


def load(args):
    """The folder of the data, and its three lists of pairs."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    return data_dir, {name: load_pairs(data_dir / f"{name}.txt") for name in PARTS}


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load(args))  # made-up files are not missing
    run(start_keras)

import numpy as np
import pandas as pd
import train
from attention_map import attention_maps
from beam_search import Decoding
from matplotlib.figure import Figure
from model import load_model
from predict import compare
from schedules import SCHEDULES
from training import score

BEAMS = (1, 3, 5, 10)
ALPHAS = (0.0, 0.5, 1.0, 1.5, 2.0)
SHORT = "--model attention --epochs 3 --units 128"  # the schedules' trainings
EXAMPLES = (  # the course's
    "i will be free in ten minutes .",
    "what time does the movie start ?",
    "he is tall .",
    "did he go to see mary ?",
)
GOOD, BAD = 3, 3  # examples more, from testing.txt
SHOWN = 3  # in attention.png


def main(argv=None):
    args = parse_args(argv)
    results = args.out_dir / "results" if args.synthetic else HERE / "results"
    results.mkdir(parents=True, exist_ok=True)
    data_dir, parts = load(args)
    rows = []

    def trained(flags):
        """train.main() with these flags and some seeds; the folders of the runs."""
        trial = ["--epochs", str(args.epochs), "--units", "16"] if args.epochs else []
        flags, folders = [*flags.split(), *trial], []
        for seed in range(args.seeds):
            folders.append(args.out_dir / "report" / "_".join([*flags, str(seed)]))
            argv = [*flags, "--data-dir", str(data_dir), "--out-dir", str(folders[-1]), "--seed", str(seed)]
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return folders

    folders = {model: trained(f"--model {model}") for model in train.RECIPES}
    translators = {
        model: [load_model(folder / "model.keras", folder) for folder in runs]
        for model, runs in folders.items()
    }
    tried = {beam: 1 if args.epochs else beam for beam in BEAMS}  # a trial is greedy
    decodings = {
        (model, beam): [Decoding(translator, beam) for translator in runs]
        for model, runs in translators.items()
        for beam in set(tried.values())
    }
    scores = {}
    for model, beam in itertools.product(folders, BEAMS):
        name = f"{model}, greedy" if beam == 1 else f"{model}, beam {beam}"
        scores[model, beam], seconds = scored(decodings[model, tried[beam]], parts["testing"])
        rows.append(["models", name, *means(scores[model, beam]), seconds, training_seconds(folders[model])])
    for model in folders:
        for alpha in ALPHAS:
            found, _ = scored(decodings[model, tried[train.BEAM]], parts["validation"], alpha=alpha)
            rows.append(["length", f"{model}, alpha {alpha:g}", *means(found), "", ""])
    for schedule in SCHEDULES:
        taken = "linear" if args.epochs else schedule  # a trial trains one for all
        runs = trained(f"{SHORT} --schedule {taken}")
        rows.append(["schedules", schedule, *means(map(own_score, runs)), "", training_seconds(runs)])

    default = train.parse_args([]).model
    write_examples(results, decodings[default, tried[train.BEAM]][0], parts)
    plot_curves({model: runs[0] for model, runs in folders.items()}, results / "losses.png")

    columns = ["table", "row", "BLEU@1", "BLEU-4", "decoding_seconds", "training_seconds"]
    metrics = test_metrics(folders[default][0], scores[default, train.BEAM])
    publish(results, pd.DataFrame(rows, columns=columns), metrics)


def scored(decodings, pairs, **keywords):
    """The scores of some runs' translations, and the median of the seconds that a run takes, as text."""
    scores, seconds = [], []
    for decoding in decodings:
        started = time.perf_counter()
        scores.append(score(decoding, pairs, **keywords))
        seconds.append(time.perf_counter() - started)
    return scores, f"{np.median(seconds):.1f}"


def means(scores):
    """Some runs' scores -> the two means, as text."""
    scores = pd.DataFrame(scores)
    return f"{scores['BLEU@1'].mean():.4f}", f"{scores['BLEU-4'].mean():.1f}"


def own_score(folder):
    """A run's score on validation.txt, as train.py measured it."""
    metrics = read_metrics(folder)
    return {"BLEU@1": metrics["score"], "BLEU-4": metrics["corpus_bleu_4"]}


def training_seconds(folders):
    seconds = [read_metrics(folder)["seconds"]["one_fit"] for folder in folders]
    return f"{np.median(seconds):.0f}"


def test_metrics(run, scores):
    """The first run's metrics, with the mean score on testing.txt in place of validation's."""
    metrics = read_metrics(run)
    metrics["metric"] = "test BLEU@1"
    metrics["score_by_seed"] = [found["BLEU@1"] for found in scores]
    metrics["score"] = float(np.mean(metrics["score_by_seed"]))
    metrics["corpus_bleu_4"] = float(np.mean([found["BLEU-4"] for found in scores]))
    return metrics


def write_examples(results, decoding, parts):
    """Write examples.csv and attention.png: the course's sentences, then good and bad ones of testing.txt.

    Good and bad: the first translations that score above 0.9 or below 0.3, of references of 6 characters or
    more, and not of sentences that are in training.txt.
    """
    model = decoding.translator
    english, chinese = vocabularies = Vocabulary(model.english), Vocabulary(model.chinese)
    known = {name: [" ".join(pair.english) for pair in pairs] for name, pairs in parts.items()}
    words = decoding.translate(english.encode([pair.english for pair in parts["testing"]]))
    table = compare(parts["testing"], words)
    fresh = table[~table.source.isin(known["training"]) & (table.reference.str.len() >= 6)]
    chosen = [
        *((sentence, "the course's") for sentence in EXAMPLES),
        *((sentence, "good") for sentence in fresh.source[fresh.score > 0.9][:GOOD]),
        *((sentence, "bad") for sentence in fresh.source[fresh.score < 0.3][:BAD]),
    ]
    sources = [sentence.split() for sentence, _ in chosen]
    translations = decoding.translate(english.encode(sources))
    rows = []
    for (sentence, kind), words in zip(chosen, translations):
        found = [name for name in parts if sentence in known[name]]
        reference = "".join(parts[found[0]][known[found[0]].index(sentence)].chinese) if found else ""
        rows.append([kind, sentence, "".join(words), reference, " and ".join(found) or "nowhere"])
    with replacing(results / "examples.csv") as path:
        columns = ["kind", "source", "translation", "reference", "found_in"]
        pd.DataFrame(rows, columns=columns).to_csv(path, index=False)
    for row in rows:
        print("| " + " | ".join(row) + " |")
    shown = slice(0, SHOWN)
    with replacing(results / "attention.png") as path:
        attention_maps(model, sources[shown], translations[shown], vocabularies).savefig(path)


def plot_curves(folders, path):
    """The validation loss of some trainings, by epoch and by seconds."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    by_epoch, by_seconds = figure.subplots(1, 2, sharey=True)
    for name, folder in folders.items():
        history = pd.read_csv(folder / "history.csv")
        by_epoch.plot(history.epoch, history.val_loss, ".-", label=name)
        by_seconds.plot(history.seconds.cumsum(), history.val_loss, ".-", label=name)
    by_epoch.set(xlabel="epoch", ylabel="validation cross-entropy of a word")
    by_seconds.set(xlabel="seconds")
    for axes in (by_epoch, by_seconds):
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

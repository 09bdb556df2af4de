"""Answer the report questions of homework 8: every table and figure of README.md.

    python hw08_seq2seq/report.py                 on the course's files, into results/: two hours
    python hw08_seq2seq/report.py --synthetic     without them, into out/results/

What is attention worth, and what a beam? What do several networks add, and samples? Is it good to feed a
decoder its own words while it learns? A row is train.main() run with some seeds, and scored; the default, an
ensemble, is put together from the single networks of seeds 0, 1, ..., as which train.py trains its members.
Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

import functools
import itertools
import time

from scaffold import Parser, replacing, run

from dataset import Vocabulary, load_pairs, make_synthetic
from device import start_keras
from records import finished, publish, read_metrics

PARTS = ("training", "validation", "testing")


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of the course's files")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


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
from decoding import TEMPERATURE, Decoding
from matplotlib.figure import Figure
from model import ensemble_of, load_model
from predict import attention_maps, compare
from timing import speeds
from training import score

WAYS = {  # of decoding: the beam, and the samples
    "greedy": (1, 0),
    "beam 5": (5, 0),
    "beam 10": (10, 0),
    f"{train.SAMPLES} samples": (train.BEAM, train.SAMPLES),
}
ALPHAS = (0.0, 0.5, 1.0, 1.5, 2.0)
SAMPLE_COUNTS = (8, 24)
TEMPERATURES = (0.5, 0.85, 1.0)
TRAININGS = {  # of a single network of the default's kind
    "characters, 32 epochs with R-Drop": "--model transformer",
    "characters, 12 epochs without R-Drop": "--model transformer --r-drop 0 --epochs 12",
    "words, 12 epochs without R-Drop": "--model transformer --chinese words --r-drop 0 --epochs 12",
}
SCHEDULES = {name: f"--model attention --epochs 3 --units 128 --schedule {name}" for name in train.SCHEDULES}
EXAMPLES = (  # the course's
    "i will be free in ten minutes .",
    "what time does the movie start ?",
    "he is tall .",
    "did he go to see mary ?",
)
GOOD, BAD = 3, 3  # examples more, from the first EXAMPLE_POOL pairs of testing.txt
EXAMPLE_POOL = 300
SHOWN = 3  # in attention.png


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    results.mkdir(parents=True, exist_ok=True)
    data_dir, parts = load(args)
    if args.epochs:  # in a trial most of the time goes into compiling, once for each length of sentences
        parts["validation"] = parts["testing"]
    rows = []

    def trained(flags, seeds=1):
        """train.main() with these flags and some seeds; the folders of the runs."""
        trial = ["--epochs", str(args.epochs), "--units", "16"] if args.epochs else []
        flags, folders = [*flags.split(), "--networks", "1", *trial], []
        for seed in range(seeds):
            folders.append(args.trainings / "_".join([*flags, str(seed)]))
            argv = [*flags, "--data-dir", str(data_dir), "--out-dir", str(folders[-1]), "--seed", str(seed)]
            if not finished(train.parse_args(argv)):
                train.main([*argv, "--resume"])
        return folders

    seeds = {"seq2seq": 1, "attention": args.seeds, "transformer": args.seeds}
    folders = {model: trained(f"--model {model}", seeds[model]) for model in train.RECIPES}
    translators = {
        model: [load_model(folder / "model.keras") for folder in runs] for model, runs in folders.items()
    }
    default = train.parse_args([])
    ensemble = f"{default.networks} {default.model}s"
    members = trained(f"--model {default.model}", args.seeds if args.epochs else default.networks)
    translators[ensemble] = [ensemble_of([load_model(folder / "model.keras") for folder in members])]

    @functools.cache
    def decodings(name, beam, samples=0, temperature=TEMPERATURE):
        """The Decoding of each run of a model; in a trial always greedily and of two samples."""
        if args.epochs and (beam, samples, temperature) != (1, 2, TEMPERATURE):
            return decodings(name, 1, 2)
        return [Decoding(translator, beam, samples, temperature) for translator in translators[name]]

    for name in translators:
        seconds = [read_metrics(folder)["seconds"]["one_fit"] for folder in folders.get(name, members)]
        training = np.median(seconds) if name in folders else np.sum(seconds)
        for way, (beam, samples) in WAYS.items():
            scores, decoding = scored(decodings(name, beam, samples), parts["testing"])
            row = [*means(scores), decoding, f"{training:.0f}", "", str(len(scores))]
            rows.append(["models", f"{name}, {way}", *row])
    (best_scores,) = scores  # of the last row, the default
    for name, alpha in itertools.product(folders, ALPHAS):
        scores, _ = scored(decodings(name, train.BEAM), parts["validation"], alpha=alpha)
        rows.append(["length", f"{name}, alpha {alpha:g}", *means(scores), "", ""])
    for temperature, samples in itertools.product(TEMPERATURES, SAMPLE_COUNTS):
        scores, decoding = scored(
            decodings(default.model, train.BEAM, samples, temperature)[:1], parts["validation"]
        )
        row = f"temperature {temperature:g}, {samples} samples"
        rows.append(["samples", row, *means(scores), decoding, ""])
    for table, trials in (("trainings", TRAININGS), ("schedules", SCHEDULES)):
        for name, flags in trials.items():
            taken = next(iter(trials.values())) if args.epochs else flags  # a trial trains one for all
            runs = trained(taken)
            metrics = [read_metrics(folder) for folder in runs]
            scores = [{"BLEU@1": found["score"], "BLEU-4": found["corpus_bleu_4"]} for found in metrics]
            training = np.median([found["seconds"]["one_fit"] for found in metrics])
            rows.append([table, name, *means(scores), "", f"{training:.0f}"])

    for name, tokens in speeds(bool(args.epochs)):  # tokens a second in training
        rows.append(["throughput", name, "", "", "", "", tokens])

    write_examples(results, decodings(ensemble, train.BEAM, train.SAMPLES)[0], parts)
    plot_curves({model: runs[0] for model, runs in folders.items()}, results / "losses.png")
    drawn = {name: found for table, name, found, *_ in rows if table == "models" and "samples" in name}
    plot_scores(drawn, results / "thumbnail.png")

    metrics = read_metrics(members[0])
    metrics |= {"metric": "test BLEU@1", "score": best_scores["BLEU@1"]}
    metrics["corpus_bleu_4"] = best_scores["BLEU-4"]
    metrics["parameters"] = translators[ensemble][0].count_params()
    metrics["arguments"]["networks"] = len(members)
    for name in metrics["seconds"]:
        metrics["seconds"][name] = sum(read_metrics(folder)["seconds"][name] for folder in members)
    columns = ["table", "row", "BLEU@1", "BLEU-4", "decoding", "training", "tokens_a_second", "seeds"]
    table = pd.DataFrame([dict(zip(columns, row)) for row in rows], columns=columns).fillna("")
    publish(results, table, metrics)


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


def write_examples(results, decoding, parts):
    """Write examples.csv and attention.png: the course's sentences, then good and bad ones of testing.txt.

    Good and bad: the first translations that score above 0.9 or below 0.3, of references of 6 characters or
    more, and not of sentences that are in training.txt.
    """
    model = decoding.translator
    vocabularies = Vocabulary(model.english), Vocabulary(model.chinese)
    known = {name: [" ".join(pair.english) for pair in pairs] for name, pairs in parts.items()}
    searched = parts["testing"][:EXAMPLE_POOL]
    table = compare(searched, decoding.translate(vocabularies[0].encode([pair.english for pair in searched])))
    fresh = table[~table.source.isin(known["training"]) & (table.reference.str.len() >= 6)]
    chosen = [
        *((sentence, "the course's") for sentence in EXAMPLES),
        *((sentence, "good") for sentence in fresh.source[fresh.score > 0.9][:GOOD]),
        *((sentence, "bad") for sentence in fresh.source[fresh.score < 0.3][:BAD]),
    ]
    sources = [sentence.split() for sentence, _ in chosen]
    translations = decoding.translate(vocabularies[0].encode(sources))
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
    by_epoch.set(xlabel="epoch", ylabel="validation cross-entropy of a token")
    by_seconds.set(xlabel="seconds")
    for axes in (by_epoch, by_seconds):
        axes.grid(alpha=0.3)
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary)


def plot_scores(scores, path):
    """BLEU@1 of the models, {row: text}, as bars to be read at 160 pixels."""
    figure = Figure(figsize=(3.2, 2.2), dpi=100, layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([name.split(",")[0] for name in scores], [float(found) for found in scores.values()])
    axes.bar_label(
        bars, [f"{float(found):.2f}" for found in scores.values()], label_type="center", fontsize=14
    )
    axes.set(xlabel="BLEU@1", xticks=[])
    axes.invert_yaxis()
    axes.tick_params(labelsize=14)
    axes.xaxis.label.set_size(14)
    with replacing(path) as temporary:
        figure.savefig(temporary)


if __name__ == "__main__":
    run(main)

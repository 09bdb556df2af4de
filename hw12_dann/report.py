"""Answer the report questions of homework 12: every table and figure of README.md.

    python hw12_dann/report.py                 on both pairs, into results/
    python hw12_dann/report.py --synthetic     on made-up shapes, into out/results/

Each method on each pair, what the features look like without and with the adversary, how well the domains
can be told apart over the epochs, the accuracy of each class where there are answers, and a sheet of
photographs, their edges and the drawings that are read as the same. A row is train.main() run with some
seeds. Trainings are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

from scaffold import HERE, Parser, replacing, run

from dataset import class_names, load_source, load_target, make_synthetic
from device import start_keras
from edges import CANNY, GRADIENTS
from records import finished, publish, read_metrics

PAIRS = {  # pair: flags, methods
    "mnist_to_mnistm": ("--no-edges", ["source-only", "dann", "pseudo-labels", "target"]),
    "real_or_drawing": ("", ["source-only", "dann", "pseudo-labels"]),
}


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of the pairs")
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or [load_target(args.data_dir / pair) for pair in PAIRS])
    run(start_keras)

import numpy as np
import pandas as pd
import train
from matplotlib.figure import Figure
from model import load_model, outputs_of, recalibrate_batch_norm
from sklearn.manifold import TSNE

HEADLINE = "mnist_to_mnistm"  # the pair whose answers are known
DRAWN = "real_or_drawing"
EMBEDDED = 500  # images of each domain in the t-SNE, a tenth of that in a trial
SHOWN = 6  # drawings of each class in the sheet
COLUMNS = [
    "table",
    "row",
    "target_accuracy",
    "source_accuracy",
    "domain_accuracy",
    "confidence",
    "seeds_agree",
    "rarest",
    "seconds",
    "seeds",
]


def main(argv=None):
    args = parse_args(argv)
    results = args.out_dir / "results" if args.synthetic else HERE / "results"
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    pairs = {pair: train.load(data_dir / pair, edges=not flags) for pair, (flags, _) in PAIRS.items()}
    trial = f"--epochs {args.epochs}" if args.epochs else ""

    folders = {}
    for pair, (flags, methods) in PAIRS.items():
        for method in methods:
            flags_of_row = f"--pair {pair} {flags} --method {method} {trial}".split()
            folders[pair, method] = trained(args, flags_of_row, pairs[pair])
    rows = []
    for (pair, method), found in folders.items():
        cells = summary(found, pairs[pair][2])
        hidden = [COLUMNS[2]] * (pair != HEADLINE) + COLUMNS[3:5] * (method == "target")  # say nothing there
        rows.append([pair, method, *("" if name in hidden else cell for name, cell in cells.items())])

    results.mkdir(parents=True, exist_ok=True)
    for pair, adapted, name in (
        (HEADLINE, "dann", "features.png"),
        (DRAWN, "pseudo-labels", "features_drawings.png"),
    ):
        with replacing(results / name) as path:
            shown = {method: folders[pair, method] for method in ("source-only", adapted)}
            count = EMBEDDED // 10 if args.epochs else EMBEDDED
            plot_features(shown, pair, pairs[pair], count).savefig(path, dpi=80)
    with replacing(results / "sheet.png") as path:
        guesses = np.load(folders[DRAWN, "pseudo-labels"][0] / "guesses.npy")
        plot_sheet(load_source(data_dir / DRAWN)[0], pairs[DRAWN], guesses).savefig(path, dpi=80)
    with replacing(results / "by_class.csv") as path:
        by_class(folders, pairs[HEADLINE][3]).to_csv(path, index_label="class")
    with replacing(results / "domains.png") as path:
        plot_domains(folders).savefig(path)
    default = folders[HEADLINE, train.parse_args([]).method]
    publish(results, pd.DataFrame(rows, columns=COLUMNS), first_and_mean(default))


def trained(args, flags, pair):
    """train.main() with these flags and args.seeds seeds; the runs' folders."""
    folders = []
    for seed in range(args.seeds):
        argv = [*flags, *["--synthetic"] * args.synthetic, "--seed", str(seed)]
        folders.append(args.trainings / "_".join(argv).replace("--", ""))
        argv += ["--data-dir", str(args.data_dir), "--out-dir", str(folders[-1])]
        if not finished(train.parse_args(argv)):
            train.main([*argv, "--resume"], pair)
    return folders


def summary(folders, target):
    """What the seeds have come to, mean and deviation: {name: cell} of COLUMNS from the third on."""
    runs = [read_metrics(folder) for folder in folders]

    def cell(name):
        values = [found[name] for found in runs]
        return f"{np.mean(values):.3f}" + f" ± {np.std(values):.3f}" * (len(values) > 1)

    guesses = np.stack([np.load(folder / "guesses.npy") for folder in folders])  # (seeds, m)
    counts = np.array([found["target_counts"] for found in runs])
    return {
        "target_accuracy": cell("score"),
        "source_accuracy": cell("source_accuracy"),
        "domain_accuracy": cell("domain_accuracy"),
        "confidence": cell("target_confidence"),
        "seeds_agree": f"{np.mean((guesses == guesses[0]).all(axis=0)):.3f}" * (len(runs) > 1),
        "rarest": f"{(counts.min(axis=1) / len(target)).mean():.3f}",
        "seconds": f"{np.median([found['seconds']['processor'] for found in runs]):.0f}",
        "seeds": len(runs),
    }


def by_class(folders, answers):
    """The accuracy of each class of the headline's target, the mean of the seeds; a column a method."""
    columns = {}
    for (pair, method), found in folders.items():
        if pair == HEADLINE and method != "target":
            right = np.mean([np.load(folder / "guesses.npy") == answers for folder in found], axis=0)
            columns[method] = [f"{right[answers == label].mean():.3f}" for label in range(answers.max() + 1)]
    return pd.DataFrame(columns)


def first_and_mean(folders):
    """The first run's metrics, with the mean score of all."""
    runs = [read_metrics(one) for one in folders]
    scores = [run["score"] for run in runs]
    return {**runs[0], "score": float(np.mean(scores)), "score_by_seed": scores}


def plot_features(runs, name_of_pair, pair, count):
    """t-SNE of `count` features of each domain; a row a method, the left by domain, the right by class."""
    source, labels, target, answers = pair
    rng = np.random.default_rng(0)
    some, others = (rng.permutation(len(x))[:count] for x in (source, target))
    is_target = np.arange(len(some) + len(others)) >= len(some)
    names = class_names(name_of_pair, labels.max() + 1)
    figure = Figure(figsize=(8.5, 7), layout="constrained")
    for row, (method, folders) in zip(figure.subplots(len(runs), 2, squeeze=False), runs.items()):
        model = load_model(folders[0] / "model.keras")  # with the target's batch normalisation
        _, of_target = outputs_of(model, target[others])
        recalibrate_batch_norm(model, source.reshape(-1, *source.shape[2:]))
        features = np.concatenate([outputs_of(model, source[some, 0])[1], of_target])
        known = np.load(folders[0] / "guesses.npy") if answers is None else answers
        classes = np.concatenate([labels[some], known[others]])
        plane = TSNE(perplexity=30, random_state=0).fit_transform(features)  # (2 count, 2)
        for chosen, name in ((~is_target, "source"), (is_target, "target")):
            row[0].scatter(*plane[chosen].T, s=3, label=name)
        row[0].set_title(f"t-SNE of {method}, by domain")
        row[0].legend(markerscale=3)
        for label, name in enumerate(names):
            row[1].scatter(*plane[classes == label].T, s=3, color=f"C{label}", label=name)
        row[1].set_title(f"t-SNE of {method}, by class")
        row[1].legend(markerscale=3, loc="upper left", bbox_to_anchor=(1, 1))
        for axes in row:
            axes.set(xticks=[], yticks=[])
    return figure


def plot_sheet(photographs, pair, guesses):
    """A row a class: a photograph, all variants of its edges, and drawings that are read as its class."""
    edges, labels, drawings, _ = pair
    names = class_names(DRAWN, labels.max() + 1)
    figure = Figure(figsize=(8, 0.56 * len(names)), layout="constrained")
    rows = figure.subplots(len(names), 1 + edges.shape[1] + SHOWN)
    for label, row in enumerate(rows):
        first = np.flatnonzero(labels == label)[0]
        found = drawings[guesses == label][:SHOWN]
        for axes in row:
            axes.axis("off")
        for axes, image in zip(row, [photographs[first], *edges[first], *found]):
            axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        row[0].set_title(names[label], fontsize=7, loc="left", pad=1)
    headings = {
        1: f"{len(CANNY)} times Canny's edges",
        1 + len(CANNY): f"{len(GRADIENTS)} times the gradient",
        1 + edges.shape[1]: "drawings that are read as this class",
    }
    for column, heading in headings.items():
        rows[0][column].set_title(heading, fontsize=7, loc="left", pad=1)
    return figure


def plot_domains(folders):
    """The discriminator's accuracy over the epochs, the mean of the seeds; a panel a pair."""
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, pair in zip(figure.subplots(1, len(PAIRS), sharey=True), PAIRS):
        for method in PAIRS[pair][1]:
            if method == "target":  # its two halves are of one domain
                continue
            histories = [pd.read_csv(folder / "history.csv") for folder in folders[pair, method]]
            mean = np.mean([history.domain_accuracy for history in histories], axis=0)
            axes.plot(histories[0].epoch, mean, ".-", label=method)
        axes.axhline(0.5, color="grey", linewidth=1)
        axes.set(title=pair, xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("accuracy of the discriminator")
    figure.axes[0].legend()
    return figure


if __name__ == "__main__":
    run(main)

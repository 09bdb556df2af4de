"""Answer the report questions of homework 12: every table and figure of README.md.

    python hw12_dann/report.py                 on both pairs, into results/
    python hw12_dann/report.py --synthetic     on made-up shapes, into out/results/

Each method on each pair, and with few images of the target; what the features look like without and with
the adversary, how well the domains can be told apart over the epochs, the accuracy of each class where there
are answers, how well numbers that need no answers choose among the trainings, and a sheet of photographs,
their edges and the drawings that are read as the same. A row is train.main() run with some seeds. Trainings
are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

from scaffold import BadInput, Parser, replacing, run

from dataset import load_source, load_target, make_synthetic, names_of_classes
from device import start_keras
from edges import CANNY, GRADIENTS
from records import finished, measured_since, publish, read_metrics

UNLABELLED = ["source-only", "dann", "pseudo-labels"]  # methods that see no label of the target
PAIRS = {  # pair: flags, methods
    "mnist_to_mnistm": ("--no-edges", [*UNLABELLED, "target"]),
    "real_or_drawing": ("", UNLABELLED),
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
FEW = 5000, 900  # images of the source and of the target, where there are few
REVERSE_EPOCHS = 2  # of a network that learns from the target's predicted classes
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
    results = args.results
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    pairs = {pair: train.load(data_dir / pair, edges=not flags) for pair, (flags, _) in PAIRS.items()}
    trial = f"--epochs {args.epochs}" if args.epochs else ""

    source, labels, target, answers = pairs[HEADLINE]
    if answers is None:
        raise BadInput(f"{data_dir / HEADLINE / 'answers.csv'} is missing, by which the report scores.")
    rng = np.random.default_rng(0)  # the files are in the order of their classes
    some, others = (rng.permutation(len(x))[:count] for x, count in zip((source, target), FEW))
    few = source[some], labels[some], target[others], answers[others]
    folders = {}
    for pair, (flags, methods) in PAIRS.items():
        flags = f"--pair {pair} {flags} {trial} --method "
        for method in methods:
            folders[pair, method] = trained(args, flags + method, pairs[pair])
        if pair == HEADLINE:
            for method in UNLABELLED:
                folders["few", method] = trained(args, flags + method, few, "few_")
    rows = []
    for (pair, method), found in folders.items():
        cells = summary(found)
        hidden = [COLUMNS[2]] * (pair == DRAWN) + COLUMNS[3:5] * (method == "target")  # say nothing there
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
        predicted = np.load(folders[DRAWN, "pseudo-labels"][0] / "guesses.npy")
        plot_sheet(load_source(data_dir / DRAWN)[0], pairs[DRAWN], predicted).savefig(path, dpi=80)
    with replacing(results / "by_class.csv") as path:
        by_class(folders, pairs[HEADLINE][3]).to_csv(path, index_label="class")
    unlabelled = [folders[HEADLINE, method] for method in UNLABELLED]
    with replacing(results / "choosing.csv") as path:
        choosing(args, pairs[HEADLINE], unlabelled).to_csv(path, index=False)
    with replacing(results / "domains.png") as path:
        plot_domains(folders).savefig(path)
    default = folders[HEADLINE, train.parse_args([]).method]
    publish(results, pd.DataFrame(rows, columns=COLUMNS), first_and_mean(default))


def trained(args, flags, pair, prefix=""):
    """train.main() with these flags and args.seeds seeds; the folders, whose names begin with prefix."""
    return [trained_once(args, flags, pair, prefix, seed) for seed in range(args.seeds)]


def trained_once(args, flags, pair, prefix, seed=0, since=None):
    """train.main() with these flags; its folder. since: the metrics.json of the training it learns from."""
    argv = [*flags.split(), *["--synthetic"] * args.synthetic, "--seed", str(seed)]
    folder = args.trainings / (prefix + "_".join(argv).replace("--", ""))
    argv += ["--data-dir", str(args.data_dir), "--out-dir", str(folder)]
    fresh = not since or measured_since(folder / "metrics.json", since)
    if not fresh or not finished(train.parse_args(argv)):
        train.main([*argv, *["--resume"] * (not since)], pair)
    return folder


def reverse_validation(args, pair, folder):
    """The accuracy on the source of a network that has learnt from the target's predicted classes alone.

    Where these are right, it reads the source well, whose labels are known (Ganin et al. 2016).
    """
    source, labels, target, _ = pair
    reverse = target[:, None], np.load(folder / "guesses.npy"), source[:, 0], labels
    epochs = min(args.epochs or REVERSE_EPOCHS, REVERSE_EPOCHS)
    flags = f"--pair {HEADLINE} {PAIRS[HEADLINE][0]} --method source-only --epochs {epochs}"
    since = folder / "metrics.json"
    return read_metrics(trained_once(args, flags, reverse, f"reverse_{folder.name}_", since=since))["score"]


def choosing(args, pair, folders):
    """What numbers that need no answers say of the accuracy, over all trainings: a row a number.

    folders: for each method those of its seeds. Returns the rank correlation of each number with the
    accuracy, and the accuracy of the training that has most of it.
    """
    found = pd.DataFrame([signs_of(args, pair, one, seeds) for seeds in folders for one in seeds])
    accuracy = found["the accuracy itself"]
    found = found.loc[:, found.nunique() > 1]  # with one seed, all agree with themselves
    correlations = found.rank().corrwith(accuracy.rank())
    rows = [(name, f"{correlations[name]:.2f}", f"{accuracy[found[name].idxmax()]:.3f}") for name in found]
    return pd.DataFrame(rows, columns=["number", "rank_correlation", "chosen"])


def signs_of(args, pair, folder, seeds):
    """The accuracy of a training, and what may stand for it: {name: number}, more is better.

    seeds: the folders of its method's trainings, its own among them.
    """
    metrics, predicted = read_metrics(folder), np.load(folder / "guesses.npy")
    agreement = [np.mean(predicted == np.load(one / "guesses.npy")) for one in seeds if one != folder]
    return {
        "the accuracy itself": metrics["score"],
        "accuracy on the source": metrics["source_accuracy"],
        "error of the discriminator": 1 - metrics["domain_accuracy"],
        "confidence": metrics["target_confidence"],
        "share of the rarest class": min(metrics["target_counts"]) / len(predicted),
        "agreement with the method's other seeds": np.mean(agreement) if agreement else 1.0,
        "reverse validation": reverse_validation(args, pair, folder),
    }


def summary(folders):
    """What the seeds have come to, mean and deviation: {name: cell} of COLUMNS from the third on."""
    runs = [read_metrics(folder) for folder in folders]

    def cell(name):
        values = [found[name] for found in runs]
        return f"{np.mean(values):.3f}" + f" ± {np.std(values):.3f}" * (len(values) > 1)

    predicted = np.stack([np.load(folder / "guesses.npy") for folder in folders])  # (seeds, m)
    counts = np.array([found["target_counts"] for found in runs])
    return {
        "target_accuracy": cell("score"),
        "source_accuracy": cell("source_accuracy"),
        "domain_accuracy": cell("domain_accuracy"),
        "confidence": cell("target_confidence"),
        "seeds_agree": f"{np.mean((predicted == predicted[0]).all(axis=0)):.3f}" * (len(runs) > 1),
        "rarest": f"{(counts.min(axis=1) / counts.sum(axis=1)).mean():.3f}",
        "seconds": f"{np.median([found['seconds']['processor'] for found in runs]):.0f}",
        "seeds": len(runs),
    }


def by_class(folders, answers):
    """The accuracy of each class of the headline's target, the mean of the seeds; a column a method."""
    columns = {}
    for (pair, method), found in folders.items():
        if pair == HEADLINE and method in UNLABELLED:
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
    names = names_of_classes(name_of_pair, labels.max() + 1)
    figure = Figure(figsize=(8.5, 7), layout="constrained")
    for row, (method, folders) in zip(figure.subplots(len(runs), 2, squeeze=False), runs.items()):
        model = load_model(folders[0] / "model.keras")  # with the target's batch normalisation
        _, of_target = outputs_of(model, target[others])
        recalibrate_batch_norm(model, source.reshape(-1, *source.shape[2:]))
        features = np.concatenate([outputs_of(model, source[some, 0])[1], of_target])
        target_classes = np.load(folders[0] / "guesses.npy") if answers is None else answers
        classes = np.concatenate([labels[some], target_classes[others]])
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


def plot_sheet(photographs, pair, predicted):
    """A row a class: a photograph, all variants of its edges, and drawings that are read as its class."""
    edges, labels, drawings, _ = pair
    names = names_of_classes(DRAWN, labels.max() + 1)
    figure = Figure(figsize=(8, 0.56 * len(names)), layout="constrained")
    rows = figure.subplots(len(names), 1 + edges.shape[1] + SHOWN)
    for label, row in enumerate(rows):
        first = np.flatnonzero(labels == label)[0]
        found = drawings[predicted == label][:SHOWN]
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
        axes = rows[0][column]  # the heading of several columns, so no title of this one
        axes.text(0, 1.04, heading, transform=axes.transAxes, fontsize=7, in_layout=False)
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

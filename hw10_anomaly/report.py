"""Answer the report questions of homework 10: every table and figure of README.md.

    python hw10_anomaly/report.py --data-dir trial    on a folder with answers.csv, into results/: three hours
    python hw10_anomaly/report.py --synthetic         on drawn things, into out/results/

Which score finds the anomalies, and on which code? What is reconstructed well, what do the codes look like,
and why is it the ROC-AUC that is asked for? A row is train.main() run with some seeds. Trainings and scores
are kept, so an interrupted report goes on. Remove <out-dir>/report to measure all anew.
"""

from scaffold import BadInput, Parser, file_path, replacing, run

from dataset import load_answers, load_images, make_synthetic
from device import start_keras
from records import finished, measured_since, publish, read_metrics


def parse_args(argv=None):
    parser = Parser(__doc__, "report", "folder of train.npy, test.npy")
    parser.add_argument(
        "--answers", type=file_path, help="CSV file with id,anomaly; else answers.csv of --data-dir"
    )
    parser.add_argument(
        "--other", type=file_path, nargs="+", default=[], help="folders with other anomalies, for two methods"
    )
    parser.set_defaults(seeds=3)
    return parser.parse(argv)


def load(args):
    """The folder of the data, its images of both kinds, the file of answers and what it says."""
    data_dir = make_synthetic(args.out_dir / "synthetic", 0) if args.synthetic else args.data_dir
    training, test = (load_images(data_dir / f"{name}.npy") for name in ("train", "test"))
    answers = args.answers or data_dir / "answers.csv"
    for folder in args.other:  # not after hours of training
        load_images(folder / "train.npy")
        load_answers(folder / "answers.csv", len(load_images(folder / "test.npy")))
    return data_dir, training, test, answers, load_answers(answers, len(test))


if __name__ == "__main__":  # --help, wrong flags and files need not wait for the imports below
    run(lambda: (args := parse_args()).synthetic or load(args))  # made-up files are not missing
    run(start_keras)

import numpy as np
import pandas as pd
import train
from comparison import comparison
from dataset import as_floats
from density import DENSITIES
from finetuning import load_fine_tuned
from matplotlib.figure import Figure
from model import load_model
from predict import load_codes
from scoring import against_training, auc, codes_of, interval, predict, score_images, split
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import roc_curve

NETWORKS = ("fcn", "cnn", "vae", "pca", "contrastive", "best")  # by the method that trains it
PASSES = {"fcn": 3, "cnn": 3, "vae": 3}  # over the training images, of the other networks as in the recipe
METHODS = {  # a row of the first table: whose network, which score
    "fcn": ("fcn", "error"),
    "cnn": ("cnn", "error"),
    "vae": ("vae", "error"),
    "vae, ELBO": ("vae", "elbo"),
    "pca": ("pca", "error"),
    "knn: neighbours of the PCA code": ("pca", "neighbours"),
    "latent: neighbours of the cnn's code": ("cnn", "neighbours"),
    "contrastive: neighbours by their directions": ("contrastive", "cosine"),
    "best, score rotation": ("best", "rotation"),
    "best, score neighbours": ("best", "neighbours"),
    "best, score comparison": ("best", "comparison"),
    "best, score fine-tuned (default)": ("best", "fine-tuned"),
}
ONE_BY_ONE = {"knn": "neighbours", "contrastive": "cosine"}  # methods on other anomalies, and their scores
SHARES = (0.2, 0.1, 0.05, 0.02)  # of anomalies in the test
FLAGGED = 0.2  # share of the test that is called anomalous
SIXTEEN = 16
DRAWN = 1000  # codes in codes.png
COLUMNS = ["table", "row", "auc", "against_training", *train.ON_CODES, "best_f1", "f1_of_a_fifth", "seconds"]


def main(argv=None):
    args = parse_args(argv)
    results = args.results
    data_dir, training, test, answers, anomaly = load(args)

    folders, found = {}, {}
    for method in NETWORKS:
        folders[method] = [trained(args, method, seed, data_dir, answers) for seed in range(args.seeds)]
        found[method] = [all_scores(folder, training, test) for folder in folders[method]]

    rows = [
        {"table": "methods", "row": name, **summary(folders[method], found[method], score, anomaly)}
        for name, (method, score) in METHODS.items()
    ]
    for method, runs in found.items():
        cells = {
            score: mean_and_deviation([auc(anomaly, one[score][0]) for one in runs])
            for score in train.ON_CODES
        }
        rows.append({"table": "codes", "row": f"code of {method}", **cells})
    first, knn = found["best"][0], found["pca"][0]
    curves = {}
    for share in SHARES:
        kept = thinned(anomaly, share)
        curves[share] = anomaly[kept], knn["neighbours"][0][kept]
        # A density scores an image as before; the comparison is made anew, with what is left of the test.
        anew = comparison(first["known"], first["codes"][kept], first["others"])[0]
        for name, scores in (("knn", curves[share][1]), ("comparison", anew)):
            row = f"{share:.0%} of the test are anomalies: {name}"
            rows.append({"table": "shares", "row": row, **with_threshold(anomaly[kept], scores)})

    others = args.other
    if args.synthetic:
        others = [make_synthetic(args.out_dir / f"synthetic_{seed}", seed) for seed in (1, 2, 3)]
    for folder in others:
        cells = {}
        for method, score in ONE_BY_ONE.items():
            out = trained(args, method, 0, folder, folder / "answers.csv", folder.name)
            cells[score] = f"{read_metrics(out)['score']:.3f}"
        rows.append({"table": "others", "row": folder.name, **cells})

    results.mkdir(parents=True, exist_ok=True)
    with replacing(results / "sixteen.jpg") as path:
        plot_sixteen(folders["cnn"][0], found["cnn"][0]["error"][0], test).savefig(path)
    with replacing(results / "codes.png") as path:
        plot_codes(first, anomaly).savefig(path)
    figure = plot_roc_and_f1(found, anomaly, curves)
    for name, dpi in (("curves.png", "figure"), ("thumbnail.png", 32)):
        with replacing(results / name) as path:
            figure.savefig(path, dpi=dpi)
    tables = pd.DataFrame(rows, columns=COLUMNS).fillna("")
    publish(results, tables, whole_metrics(folders["best"], first, anomaly))


def trained(args, method, seed, data_dir, answers, name=""):
    """Train a method with a seed, if it has not been. Returns the folder of the training."""
    recipe = train.RECIPES[method].epochs
    epochs = recipe if method == "pca" else args.epochs or PASSES.get(method, recipe)
    flags = ["--method", method, "--epochs", str(epochs), "--seed", str(seed)]
    folder = args.trainings / "_".join([*flags, *name.split()]).replace("--", "")
    flags += ["--data-dir", str(data_dir), "--out-dir", str(folder), "--answers", str(answers)]
    if not finished(train.parse_args(flags)):
        train.main([*flags, "--resume"])
    return folder


def all_scores(folder, training, test):
    """Every score that suits a training's network: {score: (test's, held-out images')}, and the codes.

    They are kept in the folder's scores.npz.
    """
    path = folder / "scores.npz"
    if not measured_since(path):
        metrics = read_metrics(folder)
        seed = metrics["arguments"]["seed"]
        model = load_model(folder / "model.keras", test.shape[1:])
        train_codes, _ = load_codes(folder / "codes.npz", len(training))
        _, held_out = split(len(training), seed)
        every = np.arange(len(test))
        print(f"scores of {folder.name}", flush=True)
        codes, others = codes_of(model, test, every), codes_of(model, training, held_out)
        arrays = {"known": train_codes, "codes": codes, "others": others}
        of_images = {"rotation": ["rotation"], "contrastive": [], "vae": ["error", "elbo"]}
        for score in of_images.get(model.name, ["error"]):
            arrays[score], arrays[score + "_others"] = score_images(
                model, score, train_codes, test, every, training, held_out
            )
        for score, function in DENSITIES.items():
            both = function(train_codes, np.concatenate([codes, others]))
            arrays[score], arrays[score + "_others"] = np.split(both, [len(codes)])
        arrays["comparison"], arrays["comparison_others"] = comparison(train_codes, codes, others)
        if "fine_tuned.keras" in metrics["files"]:
            fine_tuned = load_fine_tuned(folder, metrics, test), seed
            both = score_images(model, "fine-tuned", train_codes, test, every, training, held_out, fine_tuned)
            arrays["fine-tuned"], arrays["fine-tuned_others"] = both
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        codes = {name: arrays.pop(name) for name in ("known", "codes", "others")}
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is damaged; remove it, and the scores are made anew.") from error
    names = [name for name in arrays if not name.endswith("_others")]
    return {**codes, **{name: (arrays[name], arrays[name + "_others"]) for name in names}}


def mean_and_deviation(values):
    """Mean and deviation of the seeds, as a cell; of two seeds the latter is half of their difference."""
    return f"{np.mean(values):.3f} ± {np.std(values):.3f}"


def summary(folders, runs, score, anomaly):
    """What a method comes to over its seeds, as cells of the first table."""
    without = [against_training(*one[score]) for one in runs]
    seconds = [read_metrics(folder)["seconds"]["processor"] for folder in folders]
    if score != "fine-tuned":  # the other scores of that network do not need its fine-tuning
        seconds = [total - fine_tuning(folder) for total, folder in zip(seconds, folders)]
    return {
        "auc": mean_and_deviation([auc(anomaly, one[score][0]) for one in runs]),
        "against_training": mean_and_deviation(without),
        "seconds": f"{np.median(seconds):.0f}",
    }


def fine_tuning(folder):
    """Processor seconds that a training took after its rotation network, if it did."""
    path = folder / "folds.csv"
    return pd.read_csv(path).processor.sum() if path.is_file() else 0.0


def thinned(anomaly, share):
    """The rows of the test that are left if all but a share of anomalies are taken out, at random."""
    normal, anomalous = np.flatnonzero(anomaly == 0), np.flatnonzero(anomaly)
    count = max(2, min(len(anomalous), round(share / (1 - share) * len(normal))))
    return np.sort(np.concatenate([normal, np.random.default_rng(0).permutation(anomalous)[:count]]))


def with_threshold(anomaly, scores):
    """What the scores come to without and with a threshold, as cells."""
    f1, flagged = f1_by_share(anomaly, scores), np.arange(1, len(scores) + 1) / len(scores)
    return {
        "auc": f"{auc(anomaly, scores):.3f}",
        "best_f1": f"{f1.max():.3f}",
        "f1_of_a_fifth": f"{f1[np.argmin(np.abs(flagged - FLAGGED))]:.3f}",
    }


def f1_by_share(anomaly, scores):
    """F1 if the 1, 2, ..., n highest scores are called anomalies: (n,)."""
    right = np.cumsum(anomaly[np.argsort(-scores, kind="stable")])
    return 2 * right / (np.arange(1, len(scores) + 1) + anomaly.sum())


def whole_metrics(runs, first, anomaly):
    """The first run's metrics, with the mean score of all seeds."""
    found = [read_metrics(run) for run in runs]
    scores = [one["score"] for one in found]
    digests = {"training", "test"}
    first_run = {name: value for name, value in found[0].items() if name not in digests}
    metrics = {**first_run, "score": float(np.mean(scores)), "score_by_seed": scores}
    metrics["interval"] = interval(anomaly, first["fine-tuned"][0])
    metrics["arguments"].pop("answers")
    return metrics


def plot_sixteen(folder, errors, test):
    """The SIXTEEN test images that an autoencoder gives back best, and worst, and what it makes of them."""
    model = load_model(folder / "model.keras", test.shape[1:])
    order = np.argsort(errors, kind="stable")
    figure = Figure(figsize=(8, 8.6), dpi=80, layout="constrained")
    for half, rows, name in zip(figure.subfigures(2), (order, order[::-1]), ("best", "worst")):
        images = as_floats(test[rows[:SIXTEEN]])
        half.suptitle(f"given back {name}")
        grid, drawn = half.subplots(4, SIXTEEN // 2), predict(model, images)
        shown = [*np.split(images, 2), *np.split(drawn, 2)]
        for line, some, side in zip(grid, (shown[0], shown[2], shown[1], shown[3]), ("image", "drawn") * 2):
            line[0].set_ylabel(side)
            for axes, image in zip(line, some):
                axes.imshow(np.clip((image + 1) / 2, 0, 1))
                axes.set(xticks=[], yticks=[])
    return figure


def plot_codes(one, anomaly):
    """The default's codes of some test images by PCA and by t-SNE, coloured by score and by answer."""
    chosen = np.random.default_rng(0).permutation(len(anomaly))[:DRAWN]
    codes, ranks = one["codes"][chosen], np.argsort(np.argsort(one["fine-tuned"][0]))[chosen]
    components = PCA(min(50, *codes.shape), random_state=0).fit_transform(codes)
    embedded = TSNE(perplexity=min(30, len(codes) / 4), random_state=0, init="pca").fit_transform(components)
    figure = Figure(figsize=(9, 8), dpi=64, layout="constrained")
    above, below = figure.subplots(2, 2)
    for line, points, name in zip(zip(above, below), (components, embedded), ("PCA", "t-SNE")):
        drawn = line[0].scatter(*points[:, :2].T, c=ranks, s=6, cmap="coolwarm")
        for answer, kind, colour in ((0, "normal", "C0"), (1, "anomaly", "C3")):
            some = points[anomaly[chosen] == answer]
            line[1].scatter(*some[:, :2].T, s=6, color=colour, label=kind)
        for axes in line:
            axes.set(title=name, xticks=[], yticks=[])
    figure.colorbar(drawn, ax=above, label="rank of the score")
    below[1].legend(markerscale=2)
    return figure


def plot_roc_and_f1(found, anomaly, curves):
    """Left: ROC curves of some methods, seed 0. Right: knn's F1 by how many are called anomalies."""
    figure = Figure(figsize=(10, 5.2), dpi=80, layout="constrained")
    roc, f1 = figure.subplots(1, 2)
    for name, (method, score) in METHODS.items():
        if name in ("cnn", "pca") or method == "best":
            scores = found[method][0][score][0]
            roc.plot(*roc_curve(anomaly, scores)[:2], label=f"{name}: {auc(anomaly, scores):.3f}")
    roc.plot([0, 1], [0, 1], color="grey", linestyle="--")
    roc.set(
        title="ROC: which anomalies are found, at what price",
        xlabel="share of the normal images called anomalous",
        ylabel="share of the anomalies found",
    )
    for share, (kinds, scores) in curves.items():
        curve = f1_by_share(kinds, scores)
        f1.plot(
            np.arange(1, len(curve) + 1) / len(curve),
            curve,
            label=f"{share:.0%}: {auc(kinds, scores):.3f}",
        )
    f1.set(
        title="F1 of knn: it depends on how many there are",
        xlabel="share of the test called anomalous",
        ylabel="F1",
    )
    for axes, title in ((roc, "score: ROC-AUC"), (f1, "anomalies in the test: ROC-AUC")):
        axes.legend(title=title, ncols=2, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.13))
        axes.grid(alpha=0.3)
    return figure


if __name__ == "__main__":
    run(main)

"""Score the test images with what train.py saved, and show the least and the most anomalous.

    python hw10_anomaly/predict.py                           after train.py
    python hw10_anomaly/predict.py --threshold 200           and count the scores above it
    python hw10_anomaly/predict.py --answers answers.csv     and say how good they are
    python hw10_anomaly/predict.py --synthetic               after train.py --synthetic

Written to <out-dir>: submission.csv with id,anomaly, ids from 1 and a score that is larger the more anomalous
the image; pictures.png, the SHOWN least and most anomalous, above what the network gives back, or above the
nearest training image if it gives back none; histogram.png of the scores.
"""

from scaffold import BadInput, Parser, file_path, number, replacing, run

import numpy as np
import pandas as pd
from dataset import as_floats, load_answers, load_images
from device import start_keras
from matplotlib.figure import Figure
from records import spare, trained
from train import RECIPES, suits

SHOWN = 5  # images of each kind


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of train.npy, test.npy")
    parser.add_argument("--answers", type=file_path, help="CSV file with id,anomaly of the test, to score by")
    parser.add_argument("--threshold", type=number(float, -1e12, 1e12), help="count scores of this or more")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    spare(args, [args.answers], "submission.csv")
    metrics = trained(args, "model.keras", "codes.npz")
    method, score, seed = (metrics["arguments"].get(name) for name in ("method", "score", "seed"))
    network = RECIPES[method].network if method in list(RECIPES) else None
    if not suits(score, network) or not isinstance(seed, int) or seed < 0:
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not of this model.keras; run train.py again.")
    training, test = (load_images(data_dir / f"{name}.npy") for name in ("train", "test"))
    if score == "comparison" and len(test) < 10:  # it is compared by cross-validation
        raise BadInput(f"{data_dir / 'test.npy'} has {len(test)} images, expected at least 10 to compare.")
    answers = data_dir / "answers.csv" if args.synthetic and not args.answers else args.answers
    anomaly = None if answers is None else load_answers(answers, len(test))
    codes, train_rows = load_codes(args.out_dir / "codes.npz", len(training))

    start_keras()
    from scoring import against_training, auc, interval, load_and_score, reference_images

    every = np.arange(len(test))
    model, scores, others = load_and_score(args.out_dir, metrics, network, training, test, codes)
    print(f"test {test.shape}   method {method}, score {score}")
    print(f"ROC-AUC against held-out training images {against_training(scores, others):.4f}")
    if anomaly is not None:
        low, high = interval(anomaly, scores)
        print(f"ROC-AUC {auc(anomaly, scores):.4f}, 95% of bootstraps {low:.4f} to {high:.4f}")

    order = np.argsort(scores, kind="stable")
    normal, anomalous = order[:SHOWN], order[::-1][:SHOWN]
    if args.threshold is not None:
        flagged = scores >= args.threshold
        normal, anomalous = normal[~flagged[normal]], anomalous[flagged[anomalous]]
        print(
            f"{flagged.sum()} test images ({flagged.mean():.2%}) score {args.threshold:g} or more, and "
            f"{np.mean(others >= args.threshold):.2%} of the held-out training images"
        )
    submission = pd.DataFrame({"id": every + 1, "anomaly": scores})
    with replacing(args.out_dir / "pictures.png") as path:
        shown = np.concatenate([normal, anomalous])
        below, what = reference_images(model, test, shown, codes, training, train_rows)
        plot_images(as_floats(test[shown]), below, what, scores[shown], len(normal)).savefig(path)
    with replacing(args.out_dir / "histogram.png") as path:
        plot_histogram(scores, others, anomaly, args.threshold).savefig(path)
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    print(f"{len(test)} scores   {args.out_dir / 'submission.csv'}")
    return submission


def load_codes(path, count):
    """codes.npz: the codes of training images, float32 (m, d), and their rows among `count`, int (m,)."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")
    try:
        with np.load(path, allow_pickle=False) as file:
            codes, rows = file["codes"].astype(np.float32), file["rows"]
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is cut short or not of this chapter; run train.py again.") from error
    if rows.max() >= count:
        raise BadInput(f"{path} is of more images than train.npy has; run train.py on this data set.")
    return codes, rows


def plot_images(images, below, what, scores, normal):
    """Test images, float (n, h, w, 3), -1..1, each above its counterpart: `normal` ones first."""
    figure = Figure(figsize=(1.8 * SHOWN, 8), dpi=80, layout="constrained")
    grid = figure.subplots(4, SHOWN)
    for axes in grid.ravel():
        axes.set(xticks=[], yticks=[])
    for start, end, rows, name in (
        (0, normal, grid[:2], "lowest scores"),
        (normal, len(scores), grid[2:], "highest scores"),
    ):
        for index, above, under in zip(range(start, end), *rows):
            above.imshow((images[index] + 1) / 2)
            above.set_title(f"{scores[index]:.3g}", fontsize=9)
            under.imshow(np.clip((below[index] + 1) / 2, 0, 1))
        rows[0][0].set_ylabel(name)
        rows[1][0].set_ylabel(what)
    for axes in grid.ravel():
        axes.set_visible(bool(axes.images))  # with a threshold there may be fewer than SHOWN
    return figure


def plot_histogram(scores, others, anomaly=None, threshold=None):
    """The scores of the test and of held-out training images; with answers, the test's two kinds apart."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    kinds = {"training, held out": others, "test": scores}
    if anomaly is not None:
        kinds = {"training, held out": others, "test, normal": scores[anomaly == 0]}
        kinds["test, anomalous"] = scores[anomaly == 1]
    both = np.concatenate([scores, others])
    low, high = np.percentile(both, [0.2, 99.8])
    count = int(np.clip(len(both) // 25, 10, 60))  # of bins: few scores in many would be a comb
    bins = np.linspace(low, high if high > low else low + 1, count)
    for name, some in kinds.items():
        axes.hist(np.clip(some, bins[0], bins[-1]), bins, density=True, histtype="step", label=name)
    if threshold is not None:
        axes.axvline(threshold, color="grey", linestyle="--", label=f"threshold {threshold:g}")
    axes.set(xlabel="score", ylabel="density")
    axes.legend()
    return figure


if __name__ == "__main__":
    run(main)

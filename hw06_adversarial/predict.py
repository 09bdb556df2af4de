"""Hand in the pictures that train.py crafted, and show what a classifier reads in them.

    python hw06_adversarial/predict.py                        read by the proxy that was attacked
    python hw06_adversarial/predict.py --model densenet121    read by another: is a stranger fooled too?
    python hw06_adversarial/predict.py --synthetic            after train.py --synthetic

Written to <out-dir>: images.tgz, the course's hand-in: the PNG files, in no folder; submission.csv, a row a
picture: what was read before and after, with probabilities, and the largest change of a pixel in grey levels;
comparison.png and top3.png, three pictures before and after.
"""

import gzip
import io
import tarfile

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from dataset import load_pictures, read_pictures
from device import start_keras
from records import plain, trained

SHOWN = 3  # pictures in a figure
ENLARGED = 16  # times that the difference is shown


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of images, labels.csv and categories.csv")
    parser.add_argument(
        "--model",
        nargs="+",
        help="the classifier that reads: a name of keras.applications, or a .keras file, looked for in "
        "--data-dir too; else the proxy of train.py",
    )
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    learnt = trained(args, "images")["arguments"]
    if not isinstance(learnt.get("proxy"), list) or not isinstance(learnt.get("method"), str):
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not of this chapter; run train.py again.")
    pictures, labels, categories, names = load_pictures(data_dir)
    attacked = read_pictures(args.out_dir / "images", names)
    if attacked.shape != pictures.shape:
        raise BadInput(
            f"{args.out_dir / 'images'} is of other pictures; run train.py first, on this data set."
        )
    start_keras(tensorflow=True)
    from model import load_proxy, read, softmax  # with TensorFlow, for which --help need not wait

    readers = args.model or learnt["proxy"]
    model = load_proxy(readers, data_dir, pictures.shape[1:], len(categories))
    print(f"pictures {pictures.shape}   method {learnt['method']}   read by {' + '.join(readers)}")

    before, after = (softmax(read(model, seen)) for seen in (pictures, attacked))
    categories = np.array(categories)
    submission = pd.DataFrame(
        {
            "id": [int(name.removesuffix(".png")) for name in names],
            "true": categories[labels],
            "before": categories[before.argmax(axis=1)],
            "before_probability": before.max(axis=1).round(4),
            "after": categories[after.argmax(axis=1)],
            "after_probability": after.max(axis=1).round(4),
            "distance": np.abs(attacked.astype(int) - pictures).max(axis=(1, 2, 3)),
        }
    )
    fooled = np.flatnonzero((before.argmax(axis=1) == labels) & (after.argmax(axis=1) != labels))
    shown = (fooled if len(fooled) >= SHOWN else np.arange(len(labels)))[:SHOWN]
    with replacing(args.out_dir / "comparison.png") as path:
        plot_comparison(pictures[shown], attacked[shown]).savefig(path)
    with replacing(args.out_dir / "top3.png") as path:
        plot_top3(before[shown], after[shown], labels[shown], categories).savefig(path)
    with replacing(args.out_dir / "images.tgz") as path:
        pack(args.out_dir / "images", names, path)
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    errors = [np.mean(read_as.argmax(axis=1) != labels) for read_as in (before, after)]
    distance = submission.distance.mean()
    print(f"misread {errors[0]:.3f} before, {errors[1]:.3f} after, mean distance {distance:.3f} grey levels")
    print(f"{len(names)} pictures   {args.out_dir / 'images.tgz'}   {args.out_dir / 'submission.csv'}")
    return submission


def pack(folder, names, path):
    """Pack the files into path, a .tgz without folder, time or owner inside: the same bytes every time."""
    with (
        gzip.GzipFile(path, "wb", mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name in names:
            content, entry = (folder / name).read_bytes(), tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def plot_comparison(pictures, attacked):
    """A row a picture: as it was, attacked, and the difference on grey, ENLARGED times."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(7, 2.4 * len(pictures)), dpi=80, layout="constrained")
    grid = figure.subplots(len(pictures), 3, squeeze=False)
    for row, before, after in zip(grid, pictures, attacked):
        difference = np.clip(128 + ENLARGED * (after.astype(int) - before), 0, 255).astype(np.uint8)
        for axes, picture in zip(row, (before, after, difference)):
            axes.imshow(picture)
            axes.axis("off")
    for axes, title in zip(grid[0], ("picture", "attacked", f"difference x {ENLARGED}")):
        axes.set_title(title)
    return figure


def plot_top3(before, after, labels, categories):
    """The three likeliest categories of each picture before and after; the true one is green."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.7 * len(labels)), dpi=80, layout="constrained")
    grid = figure.subplots(len(labels), 2, squeeze=False, sharex=True)
    for row, label, *probabilities in zip(grid, labels, before, after):
        for axes, probability in zip(row, probabilities):
            best = np.argsort(probability)[-3:]
            names = [plain(categories[k].split(",")[0]) for k in best]
            axes.barh(range(len(best)), probability[best], color=["C2" if k == label else "C3" for k in best])
            axes.set_yticks(range(len(best)), names)
    for axes, title in zip(grid[0], ("before", "after")):
        axes.set(title=title, xlim=(0, 1))
    return figure


if __name__ == "__main__":
    run(main)

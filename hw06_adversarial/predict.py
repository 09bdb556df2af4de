"""Hand in the images that train.py crafted, and show how a classifier classifies them.

    python hw06_adversarial/predict.py                        by the proxy that was attacked
    python hw06_adversarial/predict.py --model densenet121    by another: is it fooled too?
    python hw06_adversarial/predict.py --picture cat.jpg      attack your own picture by the smallest change
    python hw06_adversarial/predict.py --synthetic            after train.py --synthetic

Written to <out-dir>: images.tgz, the course's hand-in: the PNG files, in no folder; submission.csv, a row an
image: its class before and after, with probabilities, and the largest change of a pixel in grey levels;
comparison.png and top3.png, three images before and after. --picture writes attacked.png and
picture.png instead.
"""

import gzip
import io
import tarfile

from scaffold import BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
import train
from dataset import load_images, read_image_files
from device import start_keras
from images import open_image
from matplotlib.figure import Figure
from PIL import Image, ImageOps
from records import plain, spare, trained

SHOWN = 3  # images in a figure


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of images, labels.csv and categories.csv")
    parser.add_argument(
        "--model",
        nargs="+",
        help="the classifier: a name of keras.applications, or a .keras file, looked for in --data-dir too; "
        "else the proxy of train.py",
    )
    parser.add_argument("--picture", type=file_path, help="attack this picture of your own instead")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    metrics = trained(args, "images", own_input=bool(args.picture))
    learnt = metrics["arguments"]
    proxy = learnt.get("proxy")
    named = isinstance(proxy, list) and proxy and all(isinstance(name, str) for name in proxy)
    if not named or not isinstance(learnt.get("method"), str):
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not of this chapter; run train.py again.")
    spare(args, [args.picture], "attacked.png", "picture.png")
    own = open_image(args.picture) if args.picture else None
    images, labels, categories, names = load_images(data_dir)
    attacked = read_image_files(args.out_dir / "images", names) if own is None else images
    same = attacked.shape == images.shape
    if own is None and same:
        same = np.abs(attacked.astype(int) - images).max() == metrics.get("largest_distance")
    if not same:
        raise BadInput(f"{args.out_dir / 'images'} is of other images; run train.py first, on this data set.")
    start_keras(tensorflow=True)
    from training import build, craft, probabilities  # with TensorFlow, for which --help need not wait

    readers = args.model or learnt["proxy"]
    model = build(readers, data_dir, images, categories)
    if own is not None:
        size = images.shape[2], images.shape[1]  # width, height
        own = np.asarray(ImageOps.fit(own, size, Image.Resampling.BILINEAR))[None]
        before = probabilities(model, own)
        attacked, _ = craft(train.parse_args([]), model, own, before.argmax(axis=1))
        return show_own(args, own, attacked, before, probabilities(model, attacked), categories)
    print(f"images {images.shape}   method {learnt['method']}   classified by {' + '.join(readers)}")

    before, after = (probabilities(model, seen) for seen in (images, attacked))
    categories = np.array(categories)
    submission = pd.DataFrame(
        {
            "id": [int(name.removesuffix(".png")) for name in names],
            "true": categories[labels],
            "before": categories[before.argmax(axis=1)],
            "before_probability": before.max(axis=1).round(4),
            "after": categories[after.argmax(axis=1)],
            "after_probability": after.max(axis=1).round(4),
            "distance": np.abs(attacked.astype(int) - images).max(axis=(1, 2, 3)),
        }
    )
    fooled = np.flatnonzero((before.argmax(axis=1) == labels) & (after.argmax(axis=1) != labels))
    shown = np.concatenate([fooled, np.setdiff1d(np.arange(len(labels)), fooled)])[:SHOWN]
    with replacing(args.out_dir / "comparison.png") as path:
        classes = [read_as[shown].argmax(axis=1) for read_as in (before, after)]
        plot_comparison(images[shown], attacked[shown], *classes, categories).savefig(path)
    with replacing(args.out_dir / "top3.png") as path:
        plot_top3(attacked[shown], before[shown], after[shown], labels[shown], categories).savefig(path)
    with replacing(args.out_dir / "images.tgz") as path:
        pack(args.out_dir / "images", names, path)
    with replacing(args.out_dir / "submission.csv") as path:
        submission.to_csv(path, index=False)
    errors = [np.mean(read_as.argmax(axis=1) != labels) for read_as in (before, after)]
    distance = submission.distance.mean()
    print(
        f"misread {errors[0]:.3f} before the attack and {errors[1]:.3f} after it, "
        f"at a mean distance of {distance:.3f} grey levels"
    )
    print(f"{len(names)} images   {args.out_dir / 'images.tgz'}   {args.out_dir / 'submission.csv'}")
    return submission


def show_own(args, image, attacked, before, after, categories):
    """Print how a person's own image (1, h, w, 3) is read before and after the attack.

    Writes attacked.png, the image after it, and picture.png, both and what was added.
    """
    categories, distance = np.array(categories), np.abs(attacked.astype(int) - image).max()
    for moment, probabilities in (("before", before[0]), ("after", after[0])):
        best = np.argsort(-probabilities)[:3]
        words = [f"{categories[k].split(',')[0]} {probabilities[k]:.3f}" for k in best]
        print(f"{moment}   {', '.join(words)}")
    with replacing(args.out_dir / "attacked.png") as path:
        Image.fromarray(attacked[0]).save(path, format="png")
    with replacing(args.out_dir / "picture.png") as path:
        classes = before.argmax(axis=1), after.argmax(axis=1)
        plot_comparison(image, attacked, *classes, categories).savefig(path, format="png")
    if before.argmax() == after.argmax():
        print("no attack was found: the image is still read as before")
    print(f"distance {distance} grey levels   {args.out_dir / 'picture.png'}")
    return after


def pack(folder, names, path):
    """Pack the files into path, a .tgz without folder, time or owner inside: the same bytes every time."""
    with (
        open(path, "wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w") as archive,
    ):
        for name in names:
            content, entry = (folder / name).read_bytes(), tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def plot_comparison(images, attacked, before, after, categories):
    """A row an image: as it was, attacked, and what was added, scaled so that its largest value shows.

    before and after, int (n,), are the classes that the model gives, and stand above the images.
    """
    figure = Figure(figsize=(7, 2.6 * len(images)), dpi=80, layout="constrained")
    grid = figure.subplots(len(images), 3, squeeze=False)
    for row, image, changed, *classes in zip(grid, images, attacked, before, after):
        difference = changed.astype(int) - image
        largest = np.abs(difference).max()
        scaled = np.rint(128 + 127 * difference / max(largest, 1)).astype(np.uint8)
        names = [plain(categories[k].split(",")[0]) for k in classes]
        added = f"at most {largest} of 255 (times {127 / largest:.3g})" if largest else "nothing"
        titles = f"before: {names[0]}", f"after: {names[1]}", f"added: {added}"
        for axes, shown, title in zip(row, (image, changed, scaled), titles):
            axes.imshow(shown)
            axes.set_title(title, fontsize=9)
            axes.axis("off")
    return figure


def plot_top3(attacked, before, after, labels, categories):
    """Each attacked image and its three likeliest classes before and after; the true one is green."""
    figure = Figure(figsize=(11, 1.8 * len(labels)), dpi=80, layout="constrained")
    grid = figure.subplots(len(labels), 3, squeeze=False, width_ratios=(1, 3, 3))
    for (shown, *row), image, label, *both in zip(grid, attacked, labels, before, after):
        shown.imshow(image)
        shown.axis("off")
        for axes, probabilities in zip(row, both):
            best = np.argsort(probabilities)[-3:]
            names = [plain(categories[k].split(",")[0]) for k in best]
            colours = ["C2" if k == label else "C3" for k in best]
            bars = axes.barh(range(len(best)), probabilities[best], color=colours)
            axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=8)  # also where there is no bar to see
            axes.set_yticks(range(len(best)), names)
            axes.set(xlim=(0, 1.15), xticks=(0, 0.5, 1))
    for axes, title in zip(grid[0], ("attacked image", "probability before", "probability after")):
        axes.set_title(title, fontsize=9)
    for axes in grid[-1][1:]:
        axes.set_xlabel("probability; green is the true class", fontsize=8)
    return figure


if __name__ == "__main__":
    run(main)

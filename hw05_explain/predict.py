"""Explain a classifier's predictions for some images: a page for each, and a sheet of all.

    python hw05_explain/predict.py                                        of train.py's, else homework 3's
    python hw05_explain/predict.py --model hw05_explain/out/model.keras   of any, a whole Keras file
    python hw05_explain/predict.py --pictures 83,4218,4707,8598           of these images of training/
    python hw05_explain/predict.py --picture lunch.jpg                    of your own images
    python hw05_explain/predict.py --layer convolution_2 --filters 0,5    what these filters respond to
    python hw05_explain/predict.py --synthetic                            after train.py --synthetic

Written to <out-dir>: sheet.png, all images with all maps; page_{index}.png, an image with its maps and the
filters' responses to it; filters.png, what the filters respond to most; explanations.csv, the predictions:
index,file,true,predicted,probability.
"""

import argparse

from scaffold import HERE, BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from device import start_keras
from images import class_names, labelled_files, open_image, read_squares
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from records import check_models, plain, spare

IMAGES = (83, 4218, 4707, 8598)  # the course's
FOOD = HERE.parent / "hw03_cnn" / "out" / "model.keras"
FILTERS, MOST = 8, 32  # drawn on a page: else, and with --filters


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder that holds food-11")
    parser.add_argument(
        "--model", type=file_path, help="a whole Keras classifier, else that of --out-dir, or homework 3's"
    )
    parser.add_argument(
        "--pictures",
        type=numbers,
        help="indices among the sorted names of training/, else the course's four, or four spread evenly",
    )
    parser.add_argument("--picture", type=file_path, nargs="+", help="your own images instead")
    parser.add_argument("--layer", help="whose filters, and Grad-CAM's; else the last convolution")
    parser.add_argument(
        "--filters", type=numbers, help=f"of the layer, else the {FILTERS} that respond most to the images"
    )
    args = parser.parse(argv)
    if args.picture:
        parser.unused("--pictures", by="--picture")
    if len(args.filters or ()) > MOST:
        parser.error(
            f"--filters names {len(args.filters)}, expected at most {MOST}, which a page has room for"
        )
    return args


def numbers(text):
    """A type of a flag: "3,14" -> [3, 14]."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: expected whole numbers with commas between") from error


def main(argv=None, checked=False):
    """checked: report.py has checked the models that it names."""
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    spare(args, args.picture, "page_*.png", "sheet.png", "filters.png")
    saved = args.out_dir / "model.keras"
    if not args.model and not saved.exists() and FOOD.is_file() and not args.synthetic:
        args.model = FOOD
    path = args.model or saved
    if not checked:
        check_models(args, [path], own_input=bool(args.picture))
    files, labels, chosen = choose(args, data_dir)
    start_keras(tensorflow=True)
    from explain import SIGNED, explain, load_classifier, predict_and_activate  # with TensorFlow

    model = load_classifier(path)
    names = class_names(path.parent, model.output_shape[1])
    if labels is not None and labels.max() >= len(names):
        raise BadInput(
            f"{path} knows {model.output_shape[1]} classes, and training/ has a class {labels.max()}."
        )
    true_names = [] if labels is None else class_names(data_dir / "food-11", len(names))
    images = read_squares([files[number] for number in chosen], model.input_shape[1])
    predicted, seen = predict_and_activate(model, images, args.layer, args.filters, FILTERS)
    layer, responses, filters = seen[-1]
    print(f"images {', '.join(map(str, chosen))}   model {path}, layer {layer.name}", flush=True)

    maps, dreams, probability = explain(model, images, predicted, seen, args.layer)
    table = pd.DataFrame(
        {
            "index": [int(number) for number in chosen],
            "file": [files[number].name for number in chosen],
            "true": labels[list(chosen)] if labels is not None else "",
            "predicted": predicted,
            "probability": probability.round(4),
        }
    )
    args.out_dir.mkdir(parents=True, exist_ok=True)
    titles = [
        plain(
            f"{row.file}\n{f'{true_names[row.true]}, ' if true_names else ''}"
            f"predicted {names[row.predicted]} {row.probability:.2f}"
        )
        for row in table.itertuples()
    ]
    if (args.out_dir / "explanations.csv").is_file():  # else the pages there are no earlier run's
        for old in args.out_dir.glob("page_*.png"):
            old.unlink()
    with replacing(args.out_dir / "sheet.png") as temporary:
        plot_sheet(images, maps, titles, SIGNED).savefig(temporary)
    for index, number in enumerate(table["index"]):
        own = {name: values[index] for name, values in maps.items()}
        page = plot_page(images[index], own, responses[index][..., filters], filters, titles[index], SIGNED)
        with replacing(args.out_dir / f"page_{number}.png") as temporary:
            page.savefig(temporary)
    with replacing(args.out_dir / "filters.png") as temporary:
        plot_filters(dreams, seen).savefig(temporary)
    with replacing(args.out_dir / "explanations.csv") as temporary:
        table.to_csv(temporary, index=False, errors="backslashreplace")  # a name need not be UTF-8
    print(f"{len(table)} pages   {args.out_dir / 'sheet.png'}")
    return table


def choose(args, data_dir):
    """The image files, their classes, int64 (N,), or None for one's own, and the indices to explain."""
    if args.picture:
        for path in args.picture:
            open_image(path)  # one that is none need not wait for Keras
        return args.picture, None, np.arange(len(args.picture))
    files, labels = labelled_files(data_dir / "food-11" / "training")
    chosen = args.pictures
    if chosen is None:
        chosen = IMAGES if max(IMAGES) < len(files) else np.linspace(0, len(files) - 1, 4).astype(int)
    for number in chosen:
        if not 0 <= number < len(files):
            raise BadInput(f"--pictures {number}: expected 0 to {len(files) - 1}, as training/ has so many.")
    return files, labels, chosen


def show(axes, image, values=None, signed=False):
    """An image, and over it, where there is one, a map in its own colours."""
    axes.set(xticks=[], yticks=[])
    if values is None:
        axes.imshow(image)
        return
    axes.imshow(image.mean(axis=-1), cmap="Greys_r", vmin=0, vmax=255)
    limit = max(np.quantile(np.abs(values), 0.99), 1e-12)
    if signed:
        axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.7)
    else:
        axes.imshow(values, cmap="magma", vmin=0, vmax=limit, alpha=0.7)


def colour_key(figure):
    """What the colours of the maps mean, below them."""
    keys = {
        "magma": ("no influence", "most influence"),
        "RdBu_r": ("blue: against the class", "none", "red: for the class"),
    }
    for axes, (colours, labels) in zip(figure.subplots(1, 2), keys.items()):
        bar = figure.colorbar(ScalarMappable(cmap=colours), cax=axes, orientation="horizontal")
        bar.set_ticks(np.linspace(0, 1, len(labels)), labels=labels, fontsize=8)


def plot_sheet(images, maps, titles, signed):
    """A row for each image, a column for each method, and a key of the colours; signed: methods' names."""
    columns, height = len(maps) + 1, 2.4 * len(images)
    figure = Figure(figsize=(2 * columns, height + 0.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(height, 0.6))
    grid = above.subplots(len(images), columns, squeeze=False)
    for index, line in enumerate(grid):
        show(line[0], images[index])
        line[0].set_title(titles[index], fontsize=7)
        for axes, (name, values) in zip(line[1:], maps.items()):
            show(axes, images[index], values[index], name in signed)
            axes.set_title(name, fontsize=9)
    colour_key(below)
    return figure


def plot_page(image, maps, responses, filters, title, signed):
    """One image and its maps, a key of the colours, and the responses of some filters."""
    columns = len(maps) + 1
    figure = Figure(figsize=(2 * columns, 5.4), layout="constrained")
    above, key, below = figure.subfigures(3, 1, height_ratios=(2.6, 0.6, 2.2))
    first, *others = above.subplots(1, columns)
    show(first, image)
    for axes, (name, values) in zip(others, maps.items()):
        show(axes, image, values, name in signed)
        axes.set_title(name, fontsize=9)
    above.suptitle(title, fontsize=9)
    colour_key(key)
    grid = below.subplots(1, max(1, len(filters)), squeeze=False)[0]
    for axes, number, response in zip(grid, filters, np.moveaxis(responses, -1, 0)):
        axes.imshow(response, cmap="viridis")
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"filter {number}", fontsize=9)
    below.suptitle("where these filters respond: yellow is most", fontsize=9)
    return figure


def plot_filters(dreams, seen):
    """What the filters of each layer look for: a row a layer."""
    columns = max(len(filters) for *_, filters in seen)
    figure = Figure(figsize=(1.5 * columns, 2.1 * len(seen)), layout="constrained")
    rows = np.atleast_1d(figure.subfigures(len(seen), 1))
    for row, (layer, _, filters), images in zip(rows, seen, dreams):
        row.suptitle(f"what filters of {plain(layer.name)} look for", fontsize=10)
        for axes, number, image in zip(row.subplots(1, columns, squeeze=False)[0], filters, images):
            show(axes, image)
            axes.set_title(f"filter {number}", fontsize=8)
    return figure


if __name__ == "__main__":
    run(main)

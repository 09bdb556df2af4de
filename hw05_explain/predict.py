"""Say why a classifier says what it says of some pictures: a page for each, and a sheet.

    python hw05_explain/predict.py                                        of the small classifier
    python hw05_explain/predict.py --model hw03_cnn/out/model.keras       of any other, a whole Keras file
    python hw05_explain/predict.py --pictures 83,4218,4707,8598           of these pictures of training/
    python hw05_explain/predict.py --layer convolution_2 --filters 0,5    what these filters see and look for
    python hw05_explain/predict.py --synthetic                            after train.py --synthetic

Written to <out-dir>: sheet.png, all pictures with all maps; page_{index}.png, a picture with its maps and
what the filters respond to in it; filters.png, what the filters look for; explanations.csv, what the model
says: index,file,true,predicted,probability.
"""

import argparse
from pathlib import Path

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from dataset import load_pictures
from device import start_keras
from images import labelled_files
from records import plain, trained
from tqdm import tqdm

PICTURES = (83, 4218, 4707, 8598)  # the course's
FILTERS = 8


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder that holds food-11")
    parser.add_argument("--model", type=Path, help="a whole Keras classifier, else that of --out-dir")
    parser.add_argument(
        "--pictures",
        type=numbers,
        help="indices among the sorted names of training/, else the course's four, or four spread evenly",
    )
    parser.add_argument("--layer", help="whose filters, and Grad-CAM's; else the last convolution")
    parser.add_argument(
        "--filters", type=numbers, help=f"of the layer, else the {FILTERS} that respond most to the pictures"
    )
    return parser.parse(argv)


def numbers(text):
    """A type of a flag: "3,14" -> [3, 14]."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: expected whole numbers with commas between") from error


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    path = args.model or args.out_dir / "model.keras"
    if not args.model:
        trained(args, "model.keras")
    paths, labels = labelled_files(data_dir / "food-11" / "training")
    chosen = args.pictures
    if chosen is None:
        chosen = PICTURES if max(PICTURES) < len(paths) else np.linspace(0, len(paths) - 1, 4).astype(int)
    for number in chosen:
        if not 0 <= number < len(paths):
            raise BadInput(f"--pictures {number}: expected 0 to {len(paths) - 1}, as training/ has so many.")

    start_keras(tensorflow=True)
    from explain import METHODS  # with TensorFlow, for which --help need not wait
    from faithfulness import probability
    from filters import activation_maps, dream, strongest
    from model import find_layer, load_classifier, scores_of

    model = load_classifier(path)
    if labels.max() >= model.output_shape[1]:
        raise BadInput(
            f"{path} knows {model.output_shape[1]} classes, and training/ has a class {labels.max()}."
        )
    layer = find_layer(model, args.layer)
    pictures = load_pictures([paths[number] for number in chosen], model.input_shape[1])
    predicted = np.asarray(scores_of(model, pictures.astype(np.float32))).argmax(axis=1)
    responses = activation_maps(model, layer, pictures)
    filters = strongest(responses, FILTERS) if args.filters is None else args.filters
    for number in filters:
        if not 0 <= number < layer.output.shape[-1]:
            raise BadInput(f"--filters {number}: expected 0 to {layer.output.shape[-1] - 1} of {layer.name}.")
    print(f"pictures {', '.join(map(str, chosen))}   model {path}, layer {layer.name}", flush=True)

    methods = tqdm(METHODS.items(), "maps", ncols=80, disable=None)
    maps = {name: method(model, pictures, predicted, args.layer) for name, method in methods}
    dreams = dream(model, layer, filters)
    table = pd.DataFrame(
        {
            "index": [int(number) for number in chosen],
            "file": [paths[number].name for number in chosen],
            "true": labels[list(chosen)],
            "predicted": predicted,
            "probability": probability(model, pictures, predicted).round(4),
        }
    )
    args.out_dir.mkdir(parents=True, exist_ok=True)
    titles = [f"{plain(row.file)}: {row.true}, predicted {row.predicted}" for row in table.itertuples()]
    with replacing(args.out_dir / "sheet.png") as temporary:
        plot_sheet(pictures, maps, titles).savefig(temporary)
    for index, number in enumerate(table["index"]):
        own = {name: values[index] for name, values in maps.items()}
        page = plot_page(pictures[index], own, responses[index][..., filters], filters, titles[index])
        with replacing(args.out_dir / f"page_{number}.png") as temporary:
            page.savefig(temporary)
    with replacing(args.out_dir / "filters.png") as temporary:
        plot_filters(dreams, filters, layer.name).savefig(temporary)
    with replacing(args.out_dir / "explanations.csv") as temporary:
        table.to_csv(temporary, index=False)
    print(f"{len(table)} pages   {args.out_dir / 'sheet.png'}")
    return table


def show(axes, picture, values=None):
    """A picture, and over it, where there is one, a map in its own colours."""
    axes.set(xticks=[], yticks=[])
    if values is None:
        axes.imshow(picture)
        return
    axes.imshow(picture.mean(axis=-1), cmap="Greys_r", vmin=0, vmax=255)
    limit = max(np.quantile(np.abs(values), 0.99), 1e-12)
    if values.min() < 0:
        axes.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit, alpha=0.7)
    else:
        axes.imshow(values, cmap="magma", vmin=0, vmax=limit, alpha=0.7)


def plot_sheet(pictures, maps, titles):
    """A row for each picture, a column for each method."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    columns = len(maps) + 1
    figure = Figure(figsize=(2 * columns, 2.2 * len(pictures)), layout="constrained")
    grid = figure.subplots(len(pictures), columns, squeeze=False)
    for index, line in enumerate(grid):
        show(line[0], pictures[index])
        line[0].set_title(titles[index], fontsize=7)
        for axes, (name, values) in zip(line[1:], maps.items()):
            show(axes, pictures[index], values[index])
            axes.set_title(name, fontsize=9)
    return figure


def plot_page(picture, maps, responses, filters, title):
    """One picture: its maps, and below them the maps of some filters."""
    from matplotlib.figure import Figure

    columns = max(len(maps) + 1, len(filters))
    figure = Figure(figsize=(1.9 * columns, 4.4), layout="constrained")
    grid = figure.subplots(2, columns, squeeze=False)
    for axes in grid.ravel():
        axes.axis("off")
    show(grid[0, 0], picture)
    for axes, (name, values) in zip(grid[0, 1:], maps.items()):
        show(axes, picture, values)
        axes.set_title(name, fontsize=9)
    for axes, number, response in zip(grid[1], filters, np.moveaxis(responses, -1, 0)):
        axes.imshow(response, cmap="viridis")
        axes.set_title(f"filter {number}", fontsize=9)
    figure.suptitle(title)
    return figure


def plot_filters(dreams, filters, layer):
    """What each filter looks for."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.9 * len(filters), 2.4), layout="constrained")
    for axes, number, picture in zip(figure.subplots(1, len(filters), squeeze=False)[0], filters, dreams):
        show(axes, picture)
        axes.set_title(f"filter {number}", fontsize=9)
    figure.suptitle(f"what the filters of {plain(layer)} look for")
    return figure


if __name__ == "__main__":
    run(main)

"""Read the target's pictures with the model that train.py saved, and write what one hands in.

    python hw12_dann/predict.py                after train.py: of the pair that it learnt
    python hw12_dann/predict.py --synthetic    after train.py --synthetic

Written to <out-dir>: submission.csv with id,label, the ids counting from 0 in the order of the files'
numbers, and first_twenty.png, the first twenty pictures with the names of what they are read as.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
from dataset import BadInput, class_names, load_target, replacing, run
from edges import as_target

HERE = Path(__file__).resolve().parent
SHOWN = 20  # pictures in first_twenty.png, as in the course


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description="Read the target's pictures with the model that train.py saved.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--data-dir", type=Path, default=HERE / "data", help="folder of the pairs")
    parser.add_argument(
        "--out-dir", type=Path, default=HERE / "out", help="folder of model.keras, and to write to"
    )
    parser.add_argument(
        "--synthetic", action="store_true", help="use the shapes that train.py --synthetic made"
    )
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    if args.synthetic and not data_dir.is_dir():
        raise BadInput(f"{data_dir} is missing; run train.py --synthetic first, with the same --out-dir.")
    pair = learnt(args.out_dir / "metrics.json")

    pictures = load_target(data_dir / pair)

    from model import load_model, outputs_of  # here, with Keras, so that --help need not wait for it

    model = load_model(args.out_dir / "model.keras")
    target = as_target(pictures, model.input_shape[1:])
    guesses, _ = outputs_of(model, target)
    label = guesses.argmax(axis=1)
    table = pd.DataFrame({"id": np.arange(len(label)), "label": label})
    with replacing(args.out_dir / "submission.csv") as path:
        table.to_csv(path, index=False)
    names = [class_names(pair, guesses.shape[1])[number] for number in label[:SHOWN]]
    with replacing(args.out_dir / "first_twenty.png") as path:
        plot_pictures(pictures[:SHOWN], names).savefig(path)
    print(f"{', '.join(names)}\n{len(table)} predictions   {args.out_dir / 'submission.csv'}")
    return table


def learnt(path):
    """The pair of domains that the model learnt, as metrics.json says."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")
    try:
        return str(json.loads(path.read_text("utf-8"))["arguments"]["pair"])
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path} is cut short or not of this chapter; run train.py again.") from error


def plot_pictures(pictures, names):
    """Pictures uint8 (n, h, w, c) in rows of ten, each under its name, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.subplots(2, SHOWN // 2).ravel()
    for place in axes:
        place.axis("off")
    for place, picture, name in zip(axes, pictures, names):
        place.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
        place.set_title(name)
    return figure


if __name__ == "__main__":
    run(main)

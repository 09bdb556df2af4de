"""Read the target's pictures with the model that train.py saved, and write what one hands in.

    python hw12_dann/predict.py                after train.py: of the pair that it learnt
    python hw12_dann/predict.py --synthetic    after train.py --synthetic

Written to <out-dir>: submission.csv with id,label, the ids counting from 0 in the order of the files'
numbers, and first_twenty.png, the first twenty pictures with the names of what they are read as.
"""

from scaffold import BadInput, Parser, replacing, run

import numpy as np
import pandas as pd
from dataset import class_names, load_target
from device import start_keras
from edges import as_target
from records import plain, trained

SHOWN = 20  # pictures in first_twenty.png, as in the course


def parse_args(argv=None):
    return Parser(__doc__, "predict", "folder of the pairs").parse(argv)


def main(argv=None):
    args = parse_args(argv)
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    pair = trained(args, "model.keras")["arguments"].get("pair")
    if not isinstance(pair, str):
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not of this chapter; run train.py again.")
    pictures = load_target(data_dir / pair)

    start_keras()
    from model import load_model, outputs_of  # with Keras, for which --help need not wait

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


def plot_pictures(pictures, names):
    """Pictures uint8 (n, h, w, c) in rows of ten, each under its name, as a figure."""
    from matplotlib.figure import Figure  # here, so that --help need not wait for it

    figure = Figure(figsize=(10, 2.6), layout="constrained")
    axes = figure.subplots(2, SHOWN // 2).ravel()
    for index in axes:
        index.axis("off")
    for index, picture, name in zip(axes, pictures, names):
        index.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
        index.set_title(plain(name))
    return figure


if __name__ == "__main__":
    run(main)

"""Read the target's images with the model that train.py saved, and write what one hands in.

    python hw12_dann/predict.py                after train.py: of the pair that it learnt
    python hw12_dann/predict.py --synthetic    after train.py --synthetic
    python hw12_dann/predict.py --picture my.png    your own drawing: three classes with probabilities

Written to <out-dir>: submission.csv with id,label, the ids counting from 0 in the order of the files'
numbers, and first_twenty.png, the first twenty images with the names of what they are read as. Where there is
an answers.csv the accuracy is printed.
"""

from scaffold import BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from dataset import load_answers, load_target, names_of_classes, read_drawing
from device import start_keras
from edges import as_target
from matplotlib.figure import Figure
from records import plain, trained

SHOWN = 20  # images in first_twenty.png, as in the course


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of the pairs")
    parser.add_argument("--picture", type=file_path, nargs="+", help="your own drawings, any size")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    own = [read_drawing(path) for path in args.picture or ()]
    arguments = trained(args, "model.keras", own_input=bool(own))["arguments"]
    pair = arguments.get("pair")
    if not isinstance(pair, str):
        raise BadInput(f"{args.out_dir / 'metrics.json'} is not of this chapter; run train.py again.")
    folder = (args.out_dir / "synthetic" if args.synthetic else args.data_dir) / pair
    images = np.concatenate(own) if own else load_target(folder)

    start_keras()
    from model import load_model, outputs_of  # with Keras, for which --help need not wait

    model = load_model(args.out_dir / "model.keras")
    target = as_target(images, model.input_shape[1:], edges=not arguments.get("no_edges"))
    log_probabilities, _ = outputs_of(model, target)
    classes = log_probabilities.shape[1]
    class_names = names_of_classes(pair, classes)
    if own:
        return name_own(args, log_probabilities, class_names)
    label = log_probabilities.argmax(axis=1)
    table = pd.DataFrame({"id": np.arange(len(label)), "label": label})
    with replacing(args.out_dir / "submission.csv") as path:
        table.to_csv(path, index=False)
    names = [class_names[number] for number in label[:SHOWN]]
    with replacing(args.out_dir / "first_twenty.png") as path:
        plot_images(images[:SHOWN], names).savefig(path)
    print(f"{', '.join(names)}\n{len(table)} predictions   {args.out_dir / 'submission.csv'}")
    answers = load_answers(folder / "answers.csv", len(label), classes)
    if answers is not None:
        print(f"accuracy {np.mean(label == answers):.4f} by {folder / 'answers.csv'}")
    return table


def name_own(args, log_probabilities, names):
    """Print each drawing's three likeliest classes. Returns a table of all probabilities."""
    table = pd.DataFrame(np.exp(log_probabilities), index=[path.name for path in args.picture], columns=names)
    for path, (_, row) in zip(args.picture, table.iterrows()):
        best = row.sort_values(ascending=False)[:3]
        print(f"{path}: " + ", ".join(f"{name} {share:.3f}" for name, share in best.items()))
    return table


def plot_images(images, names):
    """Images uint8 (n, h, w, c) in rows of ten, each under its name, as a figure."""
    figure = Figure(figsize=(10, 2.6), layout="constrained")
    grid = figure.subplots(2, SHOWN // 2).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, image, name in zip(grid, images, names):
        axes.imshow(image.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_title(plain(name))
    return figure


if __name__ == "__main__":
    run(main)

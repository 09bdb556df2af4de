"""Read the digits of every task's test part with the model that train.py saved.

    python hw14_lifelong/predict.py                after train.py: of the tasks that it learnt
    python hw14_lifelong/predict.py --synthetic    after train.py --synthetic
    python hw14_lifelong/predict.py --picture my.jpg    your own digit, as it was read after each task

Written to <out-dir>: predictions.csv with task,id,label, the id counting a task's test images from 0 in the
order of its file; forgotten.png, images that were read right until the next task was learnt.
"""

from scaffold import BadInput, Parser, file_path, replacing, run

import numpy as np
import pandas as pd
from dataset import DIGITS, read_digit
from device import load_keras, start_keras
from matplotlib.figure import Figure
from metrics import logits_of
from records import plain, spare, trained
from scipy.special import softmax
from tasks import expand, load_tasks, only_permuted, permutation, permute, reshape, snapshot

SHOWN = 10  # images of a row of forgotten.png
MOST = 20  # rows of a figure


def parse_args(argv=None):
    parser = Parser(__doc__, "predict", "folder of the tasks' files")
    parser.add_argument("--picture", type=file_path, nargs="+", help="images of a digit each, any size")
    return parser.parse(argv)


def main(argv=None):
    args = parse_args(argv)
    spare(args, args.picture, "own.png")
    own = [read_digit(path) for path in args.picture or ()]
    metrics = trained(args, "model.keras", own_input=bool(own))
    names, grey, seed = learnt(metrics, args.out_dir)
    files = [name for name in map(snapshot, range(1, len(names))) if name in metrics["files"]]
    trained(args, *files, own_input=bool(own))
    start_keras(tensorflow=True)
    shape = (28, 28, 1) if grey or only_permuted(names) else (32, 32, 3)
    models = [load_model(args.out_dir / name, shape) for name in (*files, "model.keras")]
    stages = [f"after {name}" for name in names] if len(models) == len(names) else ["after all together"]
    if own:
        images = np.stack(own)
        if only_permuted(names):  # the networks know shuffled pixels alone: it is read as of the first task
            images = permute(images, permutation(seed, 1))
        return read_own(args, dict(zip(stages, models)), reshape(images, shape == (28, 28, 1)))
    data_dir = args.out_dir / "synthetic" if args.synthetic else args.data_dir
    return read_tests(args, dict(zip(stages, models)), load_tasks(data_dir, names, grey, seed, examples=1))


def read_tests(args, models, tasks):
    """Write predictions.csv, by the last model, and forgotten.png. Returns the table."""
    tables, rows = [], []
    for number, task in enumerate(tasks):
        images, labels = task.test
        since = list(models)[min(number, len(models) - 1) :]  # the stages from which on the task is known
        read = [np.argmax(logits_of(models[stage], images), axis=1) for stage in since]
        label = read[-1]
        tables.append(pd.DataFrame({"task": task.name, "id": np.arange(len(label)), "label": label}))
        score = float(np.mean(label == labels))
        print(f"{task.name}: {len(labels)} test images, accuracy {score:.4f}")
        for stage, before, after in zip(since[1:], read, read[1:]):
            lost = np.flatnonzero((before == labels) & (after != labels))
            if len(lost):
                title = f"{task.name}, {stage}: {len(lost)} of {np.sum(before == labels)} forgotten"
                rows.append((title, images[lost[:SHOWN]], labels[lost[:SHOWN]], after[lost[:SHOWN]]))
    table = pd.concat(tables, ignore_index=True)
    with replacing(args.out_dir / "predictions.csv") as path:
        table.to_csv(path, index=False)
    if rows:
        with replacing(args.out_dir / "forgotten.png") as path:
            draw_forgotten(rows[:MOST]).savefig(path)
    else:  # no figure of an earlier training stays
        (args.out_dir / "forgotten.png").unlink(missing_ok=True)
    print(f"{len(table)} predictions   {args.out_dir / 'predictions.csv'}")
    return table


def draw_forgotten(rows):
    """A row of images for each (title, images, labels, what they are read as now), as a figure."""
    figure = Figure(figsize=(SHOWN, 1.7 * len(rows)), layout="constrained")
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    for part, (title, images, labels, now) in zip(parts, rows):
        part.suptitle(title, fontsize=10)
        for axes in (grid := part.subplots(1, SHOWN)):
            axes.axis("off")
        for axes, image, label, digit in zip(grid, images, labels, now):
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_title(f"{label}, now {digit}", fontsize=8)
    return figure


def read_own(args, models, images):
    """Print how a person's own digits were read after each task; write own.png. Returns a table."""
    found = {stage: softmax(logits_of(model, images), axis=1) for stage, model in models.items()}
    rows = []
    for index, path in enumerate(args.picture):
        words = []
        for stage, probabilities in found.items():
            digit = int(np.argmax(probabilities[index]))
            words.append(f"{stage} {digit} ({probabilities[index, digit]:.2f})")
            rows.append((path.name, stage, digit, probabilities[index, digit]))
        print(f"{path}: {', '.join(words)}")
    with replacing(args.out_dir / "own.png") as path:
        draw_own([one.name for one in args.picture[:MOST]], images, found).savefig(path)
    print(f"{len(images)} digits   {args.out_dir / 'own.png'}")
    return pd.DataFrame(rows, columns=["image", "after", "digit", "probability"])


def draw_own(names, images, found):
    """A row for each digit's name: the image, and the probabilities after each stage, {stage: (n, 10)}."""
    stages = list(found)[-MOST:]
    figure = Figure(figsize=(2 + 2 * len(stages), 1.8 * len(names)), layout="constrained")
    grid = figure.subplots(len(names), 1 + len(stages), squeeze=False)
    for index, (name, cells) in enumerate(zip(names, grid)):
        cells[0].imshow(images[index], cmap="gray", vmin=0, vmax=255)
        cells[0].set(xticks=[], yticks=[], title=plain(name))
        for axes, stage in zip(cells[1:], stages):
            axes.bar(range(DIGITS), found[stage][index])
            axes.set(title=stage, xticks=range(DIGITS), ylim=(0, 1))
    return figure


def load_model(path, shape):
    """Read model.keras. Raises BadInput when it is missing, cut short, or for images of another shape."""
    model = load_keras(path)
    if not isinstance(model.input_shape, tuple) or not isinstance(model.output_shape, tuple):
        raise BadInput(f"{path} has several inputs or outputs, expected one of each; run train.py again.")
    if (model.input_shape[1:], model.output_shape[1:]) != (tuple(shape), (DIGITS,)):
        raise BadInput(
            f"{path} reads images {model.input_shape[1:]}, expected {tuple(shape)}; run train.py again."
        )
    return model


def learnt(metrics, folder):
    """What metrics.json says that the model learnt: names of tasks, whether grey, and the seed."""
    try:
        found = metrics["arguments"]
        return expand(found["tasks"]), bool(found["grey"]), abs(int(found["seed"]))
    except (ValueError, KeyError, TypeError, OverflowError) as error:  # BadInput is a ValueError
        raise BadInput(f"{folder / 'metrics.json'} is not of this chapter; run train.py again.") from error


if __name__ == "__main__":
    run(main)

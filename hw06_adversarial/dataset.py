"""The course's two hundred images -> arrays, and attacked images -> files.

data.zip of homework 6 (ImageNet images that the NIPS 2017 competition on adversarial attacks chose):

images/000.png .. 199.png   RGB, 224x224
labels.csv                  a row is an image: ImgId (0 for 000.png), TrueLabel (0..999), and its origin
categories.csv              CategoryId (0..999, the order of a classifier's outputs), CategoryName

Images are read in the order of labels.csv, never in that of the folder. Without a column ImgId the rows
count from 0. Any number of images, of categories, and any one size will do.
"""

from scaffold import HELP, BadInput, line_of, read_csv, replacing

import numpy as np
import pandas as pd
from device import start_keras
from images import open_image
from PIL import Image

SHAPES = ("disc", "square", "triangle", "cross")
SIZE = 32  # pixels a side of a synthetic image


def load_images(folder):
    """Read images/, labels.csv and categories.csv.

    Returns
    -------
    images : uint8 (N, h, w, 3), RGB
    labels : int64 (N,), the true categories
    categories : list of str, their names
    names : list of N str, the files' names

    Raises BadInput when something is missing, broken, or does not fit the rest.
    """
    categories = read_table(folder / "categories.csv", "CategoryId", "CategoryName")
    if list(categories.CategoryId) != list(range(len(categories))):
        raise BadInput(f"{folder / 'categories.csv'}: CategoryId is not 0, 1, 2, ... in order; {HELP}.")
    path = folder / "labels.csv"
    table = read_table(path, "TrueLabel")
    for column in ("TrueLabel", "ImgId") if "ImgId" in table else ("TrueLabel",):
        numbers = pd.to_numeric(table[column], errors="coerce")
        whole = (numbers % 1 == 0) & (numbers.abs() < 2**53)  # beyond, a float knows no neighbours
        if not whole.all():
            row = int(np.argmin(whole))
            raise BadInput(
                f"{path}: line {line_of(path, row + 1)}: {column} is {table[column][row]!r}, "
                f"no whole number; {HELP}."
            )
        table[column] = numbers
    labels = table.TrueLabel.to_numpy(np.int64)
    ids = table.ImgId.to_numpy(np.int64) if "ImgId" in table else np.arange(len(table))
    if len(set(ids)) < len(ids) or ids.min() < 0:
        raise BadInput(f"{path}: an ImgId is negative or occurs twice, expected each image once; {HELP}.")
    outside = np.flatnonzero((labels < 0) | (labels >= len(categories)))
    if len(outside):
        row = outside[0]
        raise BadInput(
            f"{path}: line {line_of(path, row + 1)}: TrueLabel is {labels[row]}, "
            f"expected 0..{len(categories) - 1}; {HELP}."
        )
    names = [f"{number:03d}.png" for number in ids]
    return read_image_files(folder / "images", names), labels, list(categories.CategoryName), names


def read_table(path, *columns):
    """Read a CSV that has at least these columns and a row."""
    table = read_csv(path, dtype={"CategoryName": str}, keep_default_na=False)  # also "01" and "null"
    for column in columns:
        if column not in table:
            raise BadInput(f"{path}: the column {column} is missing, expected {', '.join(columns)}; {HELP}.")
    return table


def read_image_files(folder, names):
    """Read the named PNG files, all of one size: uint8 (N, h, w, 3). The folder holds no other PNG file."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {HELP}.")
    unlabelled = sorted({path.name for path in folder.glob("*.png") if path.name[0] != "."} - set(names))
    if unlabelled:
        raise BadInput(f"{folder / unlabelled[0]} has no row in labels.csv, expected one each; {HELP}.")
    images = []
    for name in names:
        path = folder / name
        if not path.is_file():
            raise BadInput(f"{path} is missing, and labels.csv has a row for it; {HELP}.")
        images.append(np.asarray(open_image(path)))
        if images[-1].shape != images[0].shape:
            (height, width, _), (first_height, first_width, _) = images[-1].shape, images[0].shape
            raise BadInput(
                f"{path} is {width}x{height}, expected {first_width}x{first_height} as {names[0]}; {HELP}."
            )
    return np.stack(images)


def write_images(folder, images, names):
    """Write uint8 (N, h, w, 3) as PNG files, losslessly. A folder that is there is replaced as a whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with replacing(folder) as temporary:
        temporary.mkdir()
        for image, name in zip(images, names):
            Image.fromarray(image).save(temporary / name)


def make_synthetic(folder, seed):
    """Write 40 images of made-up shapes in the course's format, two classifiers of them, and return the
    folder.

    A shape is brighter than what is around it, under noise: easily seen, and easily hidden. Both
    classifiers, classifier.keras and other.keras, learn from 1,500 other images; they differ in their
    convolutions, so that one can be attacked through the other.
    """
    start_keras(tensorflow=True)
    from model import fit_small  # here: who only reads images need not wait for Keras

    rng = np.random.default_rng(seed)
    images, labels = draw_shapes(rng, 1540)
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{number:03d}.png" for number in range(40)]
    write_images(folder / "images", images[:40], names)
    table = pd.DataFrame({"ImgId": range(40), "TrueLabel": labels[:40]})
    categories = pd.DataFrame({"CategoryId": range(len(SHAPES)), "CategoryName": SHAPES})
    for name, frame in (("labels.csv", table), ("categories.csv", categories)):
        with replacing(folder / name) as path:
            frame.to_csv(path, index=False)
    for name, filters in (("classifier.keras", (8, 16)), ("other.keras", (12, 24))):
        model = fit_small(images[40:], labels[40:], len(SHAPES), filters, seed)
        with replacing(folder / name) as path:
            model.save(path)
    return folder


def draw_shapes(rng, count):
    """Draw shapes: uint8 (count, SIZE, SIZE, 3) and int64 (count,), indices into SHAPES."""
    labels = rng.integers(0, len(SHAPES), count)
    middle_y, middle_x = rng.uniform(12, 20, (2, count, 1, 1))
    radius = rng.uniform(6, 10, (count, 1, 1))
    y, x = np.mgrid[:SIZE, :SIZE]
    down, right = y - middle_y, np.abs(x - middle_x)  # (count, SIZE, SIZE)
    masks = [
        np.hypot(down, right) < radius,
        np.maximum(np.abs(down), right) < 0.9 * radius,
        (np.abs(down) < radius) & (2 * right < down + radius),
        (np.minimum(np.abs(down), right) < 0.3 * radius) & (np.maximum(np.abs(down), right) < radius),
    ]
    inside = np.select([(labels == k)[:, None, None] for k in range(len(SHAPES))], masks)[..., None]
    ground = rng.uniform(20, 130, (count, 1, 1, 3))
    images = (
        ground + inside * rng.uniform(60, 120, (count, 1, 1, 1)) + rng.normal(0, 8, (count, SIZE, SIZE, 3))
    )
    return np.clip(np.rint(images), 0, 255).astype(np.uint8), labels

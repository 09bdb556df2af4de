"""The pictures that are explained: homework 3's folders.

food-11/training/     {class}_{n}.jpg or .png: the class is the number before the underscore
food-11/validation/   the same

A picture's index is its place among the sorted names of training/, as the course counts. Greyscale,
palette, CMYK and pictures that a camera turned are made upright RGB, and squeezed into the model's square.
"""

import os
import re
import sys
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

HELP = "see hw05_explain/README.md, or try --synthetic"
SHAPES = ("disc", "square", "ring", "cross")
SIZE = 32  # pixels a side of a synthetic picture


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def labelled_paths(folder):
    """The pictures of a folder in the order of their names, and their classes, int64 (N,).

    Raises BadInput when there is none, or a name has no class.
    """
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {HELP}.")
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    labels = []
    for path in paths:
        name = re.fullmatch(r"(\d+)_.+\.(jpe?g|png)", path.name, re.IGNORECASE)
        if not name:
            raise BadInput(f"{path}: the name has no class, expected {{class}}_{{n}}.jpg or .png; {HELP}.")
        labels.append(int(name[1]))
    if not paths:
        raise BadInput(f"{folder} holds no pictures; {HELP}.")
    return paths, np.array(labels, np.int64)


def load_pictures(paths, size):
    """Decode pictures: uint8 (N, size, size, 3). Raises BadInput where one is broken."""
    pictures = np.empty((len(paths), size, size, 3), np.uint8)
    for place, path in enumerate(tqdm(paths, paths[0].parent.name, disable=None, leave=False)):
        pictures[place] = read_picture(path, size)
    return pictures


def read_picture(path, size):
    """One picture, upright, RGB, squeezed into a square of size pixels: uint8 (size, size, 3)."""
    try:
        with Image.open(path) as picture:
            picture.draft("RGB", (2 * size, 2 * size))  # a large JPEG is decoded at a fraction of its size
            upright = ImageOps.exif_transpose(picture).convert("RGB")
    except Exception as error:  # Pillow has many words for another format, or a damaged file
        raise BadInput(f"{path} is not a whole picture ({error}); {HELP}.") from error
    if upright.size != (size, size):
        upright = upright.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(upright)


def make_synthetic(folder, seed):
    """Write 480 pictures to train and 160 to validate in the course's layout; return the folder.

    The class is a small shape somewhere in a cloudy picture. So it is known where a good map has to point.
    """
    rng = np.random.default_rng(seed)
    for part, count in (("training", 480), ("validation", 160)):
        place = folder / "food-11" / part
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            kind = number % len(SHAPES)
            pixels, _ = draw(SHAPES[kind], rng)
            Image.fromarray(pixels).save(place / f"{kind}_{number // len(SHAPES)}.png")
    return folder


def draw(shape, rng):
    """A shape of 11 pixels before a cloudy ground: uint8 (32, 32, 3), and its centre (row, column)."""
    clouds = Image.fromarray(rng.integers(40, 130, (5, 5, 3)).astype(np.uint8))
    pixels = np.asarray(clouds.resize((SIZE, SIZE), Image.Resampling.BICUBIC)).astype(float)
    row, column = rng.integers(6, SIZE - 6, 2)
    y, x = np.mgrid[:SIZE, :SIZE]
    dy, dx = abs(y - row), abs(x - column)
    box, distance = np.maximum(dy, dx), np.hypot(dy, dx)
    inside = {
        "disc": distance <= 5,
        "square": box <= 5,
        "ring": abs(distance - 4) <= 1,
        "cross": (box <= 5) & (np.minimum(dy, dx) <= 1),
    }[shape]
    pixels[inside] = rng.integers(170, 250, 3)
    pixels += rng.normal(0, 8, pixels.shape)
    return pixels.clip(0, 255).astype(np.uint8), (int(row), int(column))


@contextmanager
def replacing(path):
    """Give a name beside `path` to write to; rename it over `path` only when the block has ended well."""
    beside = path.with_name("half-written-" + path.name)
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def run(main):
    """Call a script's main(); bad input or Ctrl-C ends in one line on stderr and exit status 2 or 130."""
    try:
        return main()
    except BadInput as error:
        sentence, status = str(error), 2
    except OSError as error:
        sentence, status = f"{error.filename}: {error.strerror}; choose another --data-dir or --out-dir.", 2
    except KeyboardInterrupt:
        sentence, status = "Stopped: the files already in --out-dir are whole.", 130
    print(sentence, file=sys.stderr)
    sys.exit(status)

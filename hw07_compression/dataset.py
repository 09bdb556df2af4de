"""The pictures that a small network learns from: homework 3's folders -> arrays.

food-11/training/     {class}_{n}.jpg or .png: the class is the number before the underscore
food-11/validation/   the same
food-11/testing/      {n}.jpg or .png: no class; the number is the Id of the hand-in

Any number of classes and any size will do. Greyscale, palette, CMYK and pictures that a camera turned are
made upright RGB, and squeezed into a square.
"""

import os
import re
import sys
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

HELP = "see hw07_compression/README.md, or try --synthetic"
LARGEST = 128  # pixels a side, unless a teacher wants more
SYNTHETIC = {"training": 240, "validation": 120, "testing": 60}


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def load_part(folder, size, labelled=True):
    """Read a folder of {class}_{n}.jpg, or of {n}.jpg, in the order of class or number, then of the names.

    Returns
    -------
    pictures : uint8 (N, size, size, 3), RGB
    numbers : int64 (N,), the classes, or the Ids of pictures without a class

    Raises BadInput where there is no picture, a name is not of that form, an Id comes twice, or a picture is
    broken.
    """
    form, expected = (r"(\d+)_.+", "{class}_{n}") if labelled else (r"(\d+)", "{n}")
    found = []
    for path in pictures_in(folder):
        name = re.fullmatch(form + r"\.(jpe?g|png)", path.name, re.IGNORECASE)
        if not name:
            fault = "the name has no class" if labelled else "the name is no number"
            raise BadInput(f"{path}: {fault}, expected {expected}.jpg or .png; {HELP}.")
        found.append((int(name[1]), path))
    found.sort()
    for (number, path), (again, other) in zip(found, found[1:]):
        if number == again and not labelled:
            raise BadInput(f"{other} has the number of {path.name}, expected each once; {HELP}.")
    pictures = np.empty((len(found), size, size, 3), np.uint8)
    for place, (_, path) in enumerate(tqdm(found, folder.name, disable=None, leave=False)):
        pictures[place] = read_picture(path, size)
    return pictures, np.array([number for number, _ in found], np.int64)


def pictures_in(folder):
    """The files of a folder that do not begin with a dot, by name."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {HELP}.")
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    if not paths:
        raise BadInput(f"{folder} holds no pictures; {HELP}.")
    return paths


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


def usual_side(folder):
    """The median of the shorter sides of up to a hundred pictures of a folder, in pixels, at most LARGEST."""
    paths = pictures_in(folder)
    sides = []
    for path in paths[:: -(-len(paths) // 100)]:
        try:
            with Image.open(path) as picture:
                sides.append(min(picture.size))
        except Exception as error:  # as in read_picture
            raise BadInput(f"{path} is not a whole picture ({error}); {HELP}.") from error
    return int(min(LARGEST, np.median(sides)))


def make_synthetic(folder, seed):
    """Write 240 / 120 / 60 pictures of six patterns in the course's layout; return the folder.

    Every picture is a blend of two patterns and named for the stronger, so what a teacher says of the weaker
    one is worth knowing.
    """
    rng = np.random.default_rng(seed)
    for part, count in SYNTHETIC.items():
        place = folder / "food-11" / part
        place.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            kind = number % len(PATTERNS)
            name = f"{number:04d}.png" if part == "testing" else f"{kind}_{number // len(PATTERNS)}.png"
            Image.fromarray(blend(kind, rng)).save(place / name)
    return folder


PATTERNS = ("rows", "columns", "rising", "falling", "chequers", "rings")
SIDE = 16  # pixels of a synthetic picture


def blend(kind, rng):
    """Pattern number `kind`, under it a weaker other one, two colours, noise: uint8 (16, 16, 3)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    down, right = rng.integers(0, SIDE, 2)
    waves = {
        "rows": np.sin(1.5 * (y + down)),
        "columns": np.sin(1.5 * (x + right)),
        "rising": np.sin(1.1 * (x + y + down)),
        "falling": np.sin(1.1 * (x - y + down)),
        "chequers": 2 * np.sin(1.5 * (y + down)) * np.sin(1.5 * (x + right)),
        "rings": np.sin(1.5 * np.hypot(y - down, x - right)),
    }
    other = (kind + rng.integers(1, len(PATTERNS))) % len(PATTERNS)
    weight = rng.uniform(0.6, 0.9)
    wave = weight * waves[PATTERNS[kind]] + (1 - weight) * waves[PATTERNS[other]]
    colours = rng.uniform(40, 215, 3) + wave[..., None] * rng.uniform(20, 60, 3)
    return (colours + rng.normal(0, 15, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)


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

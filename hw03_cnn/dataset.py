"""The course's folders of pictures -> arrays.

food-11/training/     {class}_{n}.jpg: the class is the number before the underscore, 0 to 10
food-11/validation/   the same
food-11/testing/      {n}.jpg: no class

food-11 has 9,866 / 3,430 / 3,347 photographs of many sizes. Any number of classes, any size, JPEG and PNG
will do; greyscale, palette, CMYK and pictures that a camera turned are made upright RGB. Labelled pictures
come in the order of their names, which is the course's; those of testing/ in the order of their numbers.
"""

import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

HELP = "see hw03_cnn/README.md, or try --synthetic"
SUFFIXES = {".jpg", ".jpeg", ".png"}
LARGEST = 128  # pixels a side, unless told otherwise
SYNTHETIC = {"training": 1100, "validation": 220, "testing": 110}


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def load_labelled(folder, size):
    """Read a folder of {class}_{n}.jpg, in the order of the names.

    Returns
    -------
    pictures : uint8 (N, size, size, 3), RGB
    labels : int64 (N,), 0 or more

    Raises BadInput when a name has no class, or as read_pictures does.
    """
    paths = picture_files(folder)
    for path in paths:
        if not re.fullmatch(r"\d+_.+", path.stem):
            raise BadInput(f"{path}: the name has no class, expected {{class}}_{{n}}{path.suffix}; {HELP}.")
    labels = np.array([int(path.stem.split("_")[0]) for path in paths], np.int64)
    return read_pictures(paths, size), labels


def load_test(folder, size):
    """Read a folder of {n}.jpg, in the order of n.

    Returns
    -------
    ids : int64 (N,)
    pictures : uint8 (N, size, size, 3), RGB

    Raises BadInput when a name is no number or a number comes twice, or as read_pictures does.
    """
    paths = picture_files(folder)
    for path in paths:
        if not path.stem.isdecimal():
            raise BadInput(f"{path}: the name is no number, expected {{n}}{path.suffix}; {HELP}.")
    paths.sort(key=lambda path: int(path.stem))
    ids = np.array([int(path.stem) for path in paths], np.int64)
    for place in np.flatnonzero(np.diff(ids) == 0):
        raise BadInput(
            f"{paths[place + 1]} has the number of {paths[place].name}, expected each once; {HELP}."
        )
    return ids, read_pictures(paths, size)


def picture_files(folder):
    """The pictures of a folder in the order of their names; files that begin with a dot do not count."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {HELP}.")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            raise BadInput(f"{path} is no picture, expected .jpg, .jpeg or .png files alone; {HELP}.")
    if not paths:
        raise BadInput(f"{folder} holds no pictures; {HELP}.")
    return paths


def read_pictures(paths, size):
    """Decode pictures, with threads: uint8 (N, size, size, 3). Raises BadInput where one is broken."""
    pictures = np.empty((len(paths), size, size, 3), np.uint8)

    def read(place):
        pictures[place] = read_picture(paths[place], size)

    with ThreadPoolExecutor() as threads:
        list(tqdm(threads.map(read, range(len(paths))), paths[0].parent.name, len(paths), disable=None))
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


def common_size(folder):
    """The shorter side of most pictures of a folder, in pixels, but at most LARGEST."""
    sides = []
    for path in picture_files(folder)[:100]:
        try:
            with Image.open(path) as picture:
                sides.append(min(picture.size))
        except Exception as error:  # as in read_picture
            raise BadInput(f"{path} is not a whole picture ({error}); {HELP}.") from error
    return int(min(LARGEST, np.median(sides)))


def make_synthetic(folder, seed):
    """Write 1,100 / 220 / 110 small pictures of eleven kinds in the course's layout; return the folder.

    What tells the kinds apart is the shape or the pattern, never the colour or the place.
    """
    rng = np.random.default_rng(seed)
    for part, count in SYNTHETIC.items():
        place = folder / "food-11" / part
        place.mkdir(parents=True, exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        for number in range(count):
            kind = number % len(KINDS)
            name = f"{number:04d}.jpg" if part == "testing" else f"{kind}_{number // len(KINDS)}.jpg"
            draw(KINDS[kind], rng).save(place / name, quality=95)
    return folder


KINDS = (
    *("disc", "square", "triangle", "cross", "ring", "frame"),
    *("rows", "columns", "diagonals", "chequers", "dots"),
)


def draw(kind, rng):
    """A shape of some size and place, or a pattern of some pitch, in two colours, with noise: an Image."""
    size = int(rng.integers(28, 41))
    ground, figure = rng.integers(0, 110, 3), rng.integers(146, 256, 3)
    if rng.random() < 0.5:
        ground, figure = figure, ground
    y, x = np.mgrid[:size, :size]
    pitch, phase = rng.integers(6, 10), rng.integers(10)
    radius = rng.integers(7, 11)
    dy, dx = (axis - rng.integers(radius + 1, size - radius - 1) for axis in (y, x))
    box, distance = np.maximum(abs(dy), abs(dx)), np.hypot(dy, dx)
    inside = {
        "disc": distance <= radius,
        "square": box <= radius,
        "triangle": (abs(dy) <= radius) & (abs(dx) <= (dy + radius) / 2),
        "cross": (box <= radius) & (np.minimum(abs(dy), abs(dx)) <= radius // 4),
        "ring": abs(distance - radius + 1) <= 1.5,
        "frame": abs(box - radius + 1) <= 1,
        "rows": (y + phase) % pitch < pitch // 2,
        "columns": (x + phase) % pitch < pitch // 2,
        "diagonals": (x + y + phase) % pitch < pitch // 2,
        "chequers": ((x + phase) // (pitch // 2) + (y + phase) // (pitch // 2)) % 2 == 0,
        "dots": np.maximum((x + phase) % pitch, (y + phase) % pitch) < pitch // 2,
    }[kind]
    pixels = np.where(inside[..., None], figure, ground) + rng.normal(0, 12, (size, size, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


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

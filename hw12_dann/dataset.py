"""A pair of domains in folders of pictures -> arrays. The course's pair is real_or_drawing:

train_data/0/*.bmp .. train_data/9/*.bmp   photographs, 32x32 in colour; the folder's number is the label
test_data/0/00000.bmp, 00001.bmp, ...      drawings, 28x28 in grey, white on black, without labels; the
                                           file's number is the id of the submission
answers.csv                                not of the course: id,label of the test pictures. Where it is there
                                           it scores, and no training chooses anything by it

Any number of classes from 0 on, of pictures, and any one size will do; .png and .jpg are read too. Pictures
of another size than the first are resized to it, and modes are made one, with a line that says so.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pandas as pd
from PIL import Image
from shapes import SHAPES, coloured_shapes, drawings, photographs, white_shapes
from tqdm import tqdm

HELP = "see hw12_dann/README.md, or try --synthetic"
SUFFIXES = (".bmp", ".png", ".jpg", ".jpeg")
NAMES = {  # of the classes of real_or_drawing, by how many there are: the course's, and README's stand-in's
    10: ["horse", "bed", "clock", "apple", "cat", "plane", "television", "dog", "dolphin", "spider"],
    9: ["plane", "car", "bird", "cat", "dog", "frog", "horse", "ship", "truck"],
}


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def load_source(folder):
    """train_data -> pictures uint8 (n, h, w, 3), or (n, h, w, 1) if all are grey, and labels int64 (n,)."""
    names = children(folder / "train_data", lambda path: path.is_dir())
    wrong = [name for name in names if not name.isdecimal()]
    if wrong:
        raise BadInput(f"{folder / 'train_data' / wrong[0]}: expected a class's number, 0, 1, ...; {HELP}.")
    numbers = sorted(map(int, names))
    if numbers != list(range(len(numbers))) or len(numbers) < 2:
        raise BadInput(
            f"{folder / 'train_data'} has the classes {numbers}, expected 0, 1, ... without a gap; {HELP}."
        )
    paths, labels = [], []
    for name in sorted(names, key=int):
        found = picture_paths(folder / "train_data" / name)
        paths += found
        labels += [int(name)] * len(found)
    return read_pictures(paths, "photographs"), np.array(labels, np.int64)


def load_target(folder):
    """test_data/0, in the order of the files' numbers -> pictures uint8 (n, h, w, 3) or (n, h, w, 1)."""
    paths = picture_paths(folder / "test_data" / "0")
    for path in paths:
        if not path.stem.isdecimal():
            raise BadInput(f"{path}: expected a file named by its number, as 00000.bmp; {HELP}.")
    paths.sort(key=lambda path: int(path.stem))
    for number, path in enumerate(paths):
        if int(path.stem) != number:
            raise BadInput(f"{path}: expected the number {number} next, without a gap; {HELP}.")
    return read_pictures(paths, "drawings")


def load_answers(path, count, classes):
    """answers.csv -> labels int64 (count,), or None if there is no such file."""
    if not path.is_file():
        return None
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")[["id", "label"]].apply(pd.to_numeric)
    except (ValueError, KeyError) as error:
        raise BadInput(f"{path} has no columns id and label of whole numbers; {HELP}.") from error
    if list(table.id) != list(range(count)) or not table.label.isin(range(classes)).all():
        raise BadInput(
            f"{path}: expected the ids 0 to {count - 1} in order, and labels 0 to {classes - 1}; {HELP}."
        )
    return table.label.to_numpy(np.int64)


def children(folder, wanted):
    """The names in a folder that are wanted, sorted, hidden ones left out."""
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {HELP}.")
    names = sorted(path.name for path in folder.iterdir() if path.name[0] != "." and wanted(path))
    if not names:
        raise BadInput(f"{folder} is empty; {HELP}.")
    return names


def picture_paths(folder):
    paths = [folder / name for name in children(folder, lambda path: True)]
    for path in paths:
        if path.suffix.lower() not in SUFFIXES:
            raise BadInput(f"{path} is no picture, expected one of {', '.join(SUFFIXES)}; {HELP}.")
    return paths


def read_pictures(paths, what):
    """Read files with a progress bar: uint8 (n, h, w, 1) if all are grey, else (n, h, w, 3)."""
    with ThreadPoolExecutor() as pool:
        bar = tqdm(pool.map(open_picture, paths), what, len(paths), disable=None)
        pictures = list(bar)
    modes, size = sorted({picture.mode for picture in pictures}), pictures[0].size
    others = sum(picture.size != size for picture in pictures)
    mode = "L" if modes == ["L"] else "RGB"
    if len(modes) > 1:
        print(f"{paths[0].parent}: pictures of the modes {', '.join(modes)} were all made {mode}")
    if others:
        print(f"{paths[0].parent}: {others} pictures of another size were made {size[0]}x{size[1]}")
    return np.stack([fitted(picture, size, mode) for picture in pictures])


def open_picture(path):
    try:
        with Image.open(path) as picture:
            picture.load()
            # What is neither grey nor RGB has a palette, transparency or more bits: Pillow makes it RGB.
            return picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
    except Exception as error:  # Pillow has many words for another format, or a damaged file
        raise BadInput(f"{path} is not a whole picture; {HELP}.") from error


def fitted(picture, size, mode):
    """A picture in this size and mode, uint8 (h, w, 1) or (h, w, 3)."""
    picture = picture.convert(mode)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(size[1], size[0], -1)


def class_names(pair, count):
    """What the labels are called in a pair of domains with so many classes."""
    numbers = [str(number) for number in range(count)]
    return NAMES.get(count, numbers) if pair == "real_or_drawing" else numbers


def make_synthetic(folder, seed, count=240):
    """Write two pairs of four shapes in the course's format, with answers.csv, and return the folder.

    real_or_drawing: coloured shapes, and their outlines. mnist_to_mnistm: white shapes on black, and shapes
    by the recipe of MNIST-M, on coloured grounds. `count` pictures in each domain.
    """
    rng = np.random.default_rng(seed)
    painters = {
        "real_or_drawing": (photographs, drawings),
        "mnist_to_mnistm": (white_shapes, coloured_shapes),
    }
    for pair, (source, target) in painters.items():
        labels = np.arange(count) % len(SHAPES)
        numbers = [0] * len(SHAPES)
        for picture, label in zip(source(rng, labels), labels):
            write_picture(folder / pair / "train_data" / str(label) / f"{numbers[label]:05d}.bmp", picture)
            numbers[label] += 1
        labels = rng.integers(0, len(SHAPES), count)
        for number, picture in enumerate(target(rng, labels)):
            write_picture(folder / pair / "test_data" / "0" / f"{number:05d}.bmp", picture)
        with replacing(folder / pair / "answers.csv") as path:
            pd.DataFrame({"id": range(count), "label": labels}).to_csv(path, index=False)
    return folder


def write_picture(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        Image.fromarray(picture.squeeze()).save(beside)


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

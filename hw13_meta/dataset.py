"""Omniglot's drawings -> arrays (Lake, Salakhutdinov, Tenenbaum 2015). Sine tasks need no files.

Omniglot/images_background/<alphabet>/<character>/*.png

A file is one drawing of one character, 105x105, black ink on white, 20 drawings by 20 people. The course's
zip file holds all of Omniglot; any number of alphabets, characters, drawings and any size of picture will do.
Folders and files are read in the order of their names. A character is named by its path, "Greek/character01".
"""

import os
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

HELP = "see hw13_meta/README.md, or try --synthetic"
SIZE = 28  # pixels a side, of what the network sees
SYNTHETIC = {"Arcs": 10, "Lines": 12, "Loops": 12}  # alphabet: characters


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def load_characters(folder):
    """Read all drawings under a data folder.

    Returns {name of the character: uint8 (drawings, SIZE, SIZE)}; 255 is ink, 0 is paper. The drawings are
    shrunk by averaging. Raises BadInput when a folder is missing or empty, or a file is no picture.
    """
    root = folder / "Omniglot" / "images_background"
    if not root.is_dir():
        raise BadInput(f"{root} is missing; {HELP}.")
    characters = {}
    for character in sorted(path for path in root.glob("*/*") if path.is_dir()):
        files = sorted(character.glob("*.png"))
        if not files:
            raise BadInput(f"{character} holds no *.png, expected the drawings of a character; {HELP}.")
        characters[f"{character.parent.name}/{character.name}"] = np.stack([read_drawing(f) for f in files])
    if not characters:
        raise BadInput(f"{root} holds no <alphabet>/<character> folders; {HELP}.")
    return characters


def read_drawing(path):
    """Read a picture: uint8 (SIZE, SIZE), 255 is ink."""
    try:
        with Image.open(path) as picture:
            small = picture.convert("L").resize((SIZE, SIZE), Image.Resampling.BOX)
    except Exception as error:  # Pillow has many words for another format, or a damaged file
        raise BadInput(f"{path} is not a whole picture, expected a drawing as PNG; {HELP}.") from error
    return 255 - np.asarray(small)


def load_points(path):
    """Read a CSV with the columns x and y: float32 (n, 1) each, n at least 2. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; {HELP}.")
    try:
        table = pd.read_csv(path, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise BadInput(f"{path} is not a CSV, expected the columns x and y; {HELP}.") from error
    for column in ("x", "y"):
        if column not in table:
            raise BadInput(f"{path}: the column {column} is missing, expected x and y; {HELP}.")
    values = table[["x", "y"]].apply(pd.to_numeric, errors="coerce").to_numpy(np.float32)
    wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(wrong):
        raise BadInput(f"{path}: line {wrong[0] + 2} has no two numbers, expected x and y; {HELP}.")
    if len(values) < 2:
        raise BadInput(f"{path} has {len(values)} points, expected at least 2; {HELP}.")
    return values[:, :1], values[:, 1:]


def alphabets(characters):
    """The alphabets of some characters' names, in order."""
    return list(dict.fromkeys(name.split("/")[0] for name in characters))


def make_synthetic(folder, seed, drawings=12):
    """Write three invented alphabets of polylines in Omniglot's format, and return the folder.

    A character is a line through a few random points; in a drawing each point is a little elsewhere. The
    points lie on a circle, on a grid or anywhere, by alphabet: two teach how to tell those of the third.
    """
    rng = np.random.default_rng(seed)
    for alphabet, (name, count) in enumerate(SYNTHETIC.items()):
        for number in range(1, count + 1):
            character = folder / "Omniglot" / "images_background" / name / f"character{number:02d}"
            character.mkdir(parents=True, exist_ok=True)
            points = invent(rng, alphabet)
            for drawing in range(1, drawings + 1):
                picture = Image.new("1", (105, 105), 1)
                line = points + rng.normal(0, 3, points.shape)
                ImageDraw.Draw(picture).line([tuple(point) for point in line], fill=0, width=3)
                with replacing(character / f"{number:04d}_{drawing:02d}.png") as path:
                    picture.save(path)
    return folder


def invent(rng, alphabet):
    """The points of a new character in pixels: float64 (n, 2)."""
    if alphabet == 0:
        turn = np.cumsum(rng.uniform(0.5, 1.5, 6)) + rng.uniform(0, 2 * np.pi)
        return 52 + rng.uniform(20, 40, 2) * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if alphabet == 1:
        return 20 + 32.0 * np.stack(np.divmod(rng.permutation(9)[:4], 3), axis=1)
    return rng.uniform(15, 90, (5, 2))


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

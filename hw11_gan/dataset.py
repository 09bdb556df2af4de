"""A folder of faces -> arrays.

data/faces/*.jpg (or .jpeg, .png)    anime faces, RGB, 96x96; the course has some 70,000 of them

There are no labels, and names mean nothing: files are read in the order of their sorted names. Any number of
pictures will do, of any size and mode. A picture that is not square loses the ends of its longer side; then
all are resized, and what was done is said. Every so many-th face is kept aside: no training sees it, and what
is generated is measured against it.
"""

import os
import sys
from collections import Counter
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageDraw, ImageOps

HELP = "see hw11_gan/README.md, or try --synthetic"
SUFFIXES = {".jpg", ".jpeg", ".png"}
ASIDE = 500  # faces kept aside, but at most an eighth
SYNTHETIC_SIZE = 48  # pixels a side of a drawn face
HAIR = [(200, 60, 60), (60, 160, 90), (70, 90, 200), (225, 190, 70), (150, 70, 170), (60, 50, 50)]


class BadInput(ValueError):
    """What the user brought cannot be used: one sentence that says what, where, and the way out."""


def load_faces(folder, size):
    """Read folder/faces.

    Returns
    -------
    training : uint8 (n, size, size, 3), RGB
    aside : uint8 (m, size, size, 3), m = min(ASIDE, an eighth of all), evenly spaced among the sorted names
    done : str, what had to be done to pictures that were of another size or mode than most; '' if nothing

    Raises BadInput when the folder is missing or has no picture, or a file is no whole picture.
    """
    folder = folder / "faces"
    if not folder.is_dir():
        raise BadInput(f"{folder} is missing; {HELP}.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(paths) < 16:
        raise BadInput(f"{folder} holds {len(paths)} .jpg and .png files, expected at least 16; {HELP}.")
    faces, kinds = np.empty((len(paths), size, size, 3), np.uint8), Counter()
    for number, path in enumerate(paths):
        try:
            with Image.open(path) as picture:
                kinds[picture.size, picture.mode] += 1
                square = ImageOps.fit(picture.convert("RGB"), (size, size), Image.Resampling.LANCZOS)
        except Exception as error:  # Pillow has many words for another format, or a damaged file
            raise BadInput(f"{path} is no whole picture; {HELP}.") from error
        faces[number] = np.asarray(square)
    kept = kept_aside(len(paths))
    return np.delete(faces, kept, axis=0), faces[kept], exceptions(kinds)


def kept_aside(count):
    """Which of `count` faces are kept aside: indices, evenly spaced."""
    number = min(ASIDE, count // 8)
    return np.arange(number) * count // number


def exceptions(kinds):
    """A Counter of (size, mode) -> what was done to those that are not like most, in words."""
    (((width, height), mode), _), *others = kinds.most_common()
    if not others:
        return ""
    said = [f"{number} of {width}x{height} {mode}" for ((width, height), mode), number in others]
    return f"most are {width}x{height} {mode}; {', '.join(said)} made square, RGB and of one size"


def make_synthetic(folder, seed, count=192):
    """Write drawn faces as faces/00000.png ..., and features.keras to measure with; return the folder.

    Each has one of six colours of hair, which a generator may well drop; eyes, skin, ground and place vary
    without steps. features.keras is a small network with random weights: enough to tell drawn faces apart.
    """
    from model import random_features  # here, so that who only reads pictures need not wait for Keras

    rng = np.random.default_rng(seed)
    (folder / "faces").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        with replacing(folder / "faces" / f"{number:05d}.png") as path:
            draw_face(rng).save(path)
    with replacing(folder / "features.keras") as path:
        random_features(SYNTHETIC_SIZE, seed).save(path)
    return folder


def draw_face(rng):
    """One face, a PIL picture of SYNTHETIC_SIZE pixels a side."""
    scale = SYNTHETIC_SIZE * 2  # drawn large, then made small: smooth edges
    picture = Image.new("RGB", (scale, scale), tuple(rng.integers(150, 256, 3).tolist()))
    pen = ImageDraw.Draw(picture)
    x, y = scale * rng.uniform(0.45, 0.55, 2)
    skin = tuple((np.array([235, 200, 175]) + rng.integers(-18, 18)).tolist())
    eyes = tuple(rng.integers(20, 200, 3).tolist())

    def ellipse(across, down, width, height, colour):
        middle_x, middle_y = x + scale * across, y + scale * down
        box = [middle_x - scale * width, middle_y - scale * height]
        pen.ellipse([*box, middle_x + scale * width, middle_y + scale * height], fill=colour)

    ellipse(0, -0.05, 0.38, 0.42, HAIR[rng.integers(len(HAIR))])
    ellipse(0, 0.08, 0.26, rng.uniform(0.26, 0.32), skin)
    for side in (-1, 1):
        ellipse(side * 0.12, 0.04, 0.055, 0.08, (255, 255, 255))
        ellipse(side * 0.12, 0.05, 0.04, 0.06, eyes)
    ellipse(0, 0.24, rng.uniform(0.03, 0.08), 0.02, (170, 60, 70))
    return picture.resize((SYNTHETIC_SIZE, SYNTHETIC_SIZE), Image.Resampling.LANCZOS)


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

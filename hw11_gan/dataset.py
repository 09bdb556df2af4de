"""A folder of faces -> arrays.

data/faces/*.jpg (or .jpeg, .png)    anime faces, RGB, 96x96; the course has some 70,000 of them

There are no labels, and names mean nothing: files are read in the order of their sorted names. Any number of
images will do, of any size and mode. An image that is not square loses the ends of its longer side; then
all are resized, and a line says what was changed. Evenly spaced faces are held out: no training sees them,
and what is generated is measured against them.
"""

from collections import Counter

from scaffold import HELP, BadInput, replacing

import numpy as np
from images import image_files, open_image, read_images
from PIL import Image, ImageDraw, ImageOps

ASIDE = 500  # faces kept aside, but at most an eighth
SYNTHETIC_SIZE = 48  # pixels a side of a drawn face
HAIR = [(200, 60, 60), (60, 160, 90), (70, 90, 200), (225, 190, 70), (150, 70, 170), (60, 50, 50)]


def load_faces(folder, size):
    """Read folder/faces.

    Returns
    -------
    training : uint8 (n, size, size, 3), RGB
    held_out : uint8 (m, size, size, 3), m = min(ASIDE, an eighth of all), evenly spaced among sorted names
    done : str, what had to be done to images that were of another size or mode than most; '' if nothing

    Raises BadInput when the folder is missing or has no image, or a file cannot be decoded.
    """
    folder = folder / "faces"
    paths = image_files(folder)
    if len(paths) < 16:
        raise BadInput(f"{folder} holds {len(paths)} images, expected at least 16; {HELP}.")

    def read(path):
        image = open_image(path)
        with Image.open(path) as header:
            kind = header.size, header.mode
        return np.asarray(ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)), kind

    faces, kinds = zip(*read_images(paths, read, "faces"))
    faces, kept = np.stack(faces), kept_aside(len(paths))
    return np.delete(faces, kept, axis=0), faces[kept], exceptions(Counter(kinds))


def kept_aside(count):
    """Which of `count` faces are kept aside: indices, evenly spaced."""
    number = min(ASIDE, count // 8)
    return np.arange(number) * count // number


def exceptions(kinds):
    """A Counter of (size, mode) -> what was done to those that are not like most, in words."""
    (((width, height), mode), _), *others = kinds.most_common()
    if not others:
        return ""
    sizes = [f"{number} of {width}x{height} {mode}" for ((width, height), mode), number in others]
    return f"most are {width}x{height} {mode}; {', '.join(sizes)} made square, RGB and of one size"


def make_synthetic(folder, seed, count=192):
    """Write drawn faces as faces/00000.png ..., and features.keras to measure with; return the folder.

    Each has one of six colours of hair, which a generator may well drop; eyes, skin, ground and position vary
    without steps. features.keras is a small network with random weights: enough to tell drawn faces apart.
    """
    from device import start_keras  # here, so that who only reads images need not wait for Keras

    start_keras(tensorflow=True)
    from model import random_features

    rng = np.random.default_rng(seed)
    (folder / "faces").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        with replacing(folder / "faces" / f"{number:05d}.png") as path:
            draw_face(rng).save(path)
    with replacing(folder / "features.keras") as path:
        random_features(SYNTHETIC_SIZE, seed).save(path)
    return folder


def draw_face(rng):
    """One face, a PIL image of SYNTHETIC_SIZE pixels a side."""
    scale = SYNTHETIC_SIZE * 2  # drawn large, then made small: smooth edges
    image = Image.new("RGB", (scale, scale), tuple(rng.integers(150, 256, 3).tolist()))
    pen = ImageDraw.Draw(image)
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
    return image.resize((SYNTHETIC_SIZE, SYNTHETIC_SIZE), Image.Resampling.LANCZOS)

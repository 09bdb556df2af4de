"""The images that a small network learns from: homework 3's folders -> arrays.

food-11/training/     {class}_{n}.jpg or .png: the class is the number before the underscore
food-11/validation/   the same
food-11/testing/      {n}.jpg or .png: no class; the number is the Id of the hand-in

Any number of classes and any size will do. Greyscale, palette, CMYK and images that a camera turned are
made upright RGB, and squeezed into a square.
"""

from scaffold import HELP, BadInput

import numpy as np
from images import image_files, labelled_files, number_of, open_image, read_images
from PIL import Image

LARGEST = 128  # pixels a side, unless a teacher wants more
SYNTHETIC = {"training": 240, "validation": 120, "testing": 60}


def load_part(folder, size, labelled=True):
    """Read a folder of {class}_{n}.jpg, or of {n}.jpg, in the order of class or number, then of the names.

    Returns
    -------
    images : uint8 (N, size, size, 3), RGB
    numbers : int64 (N,), the classes, or the Ids of images without a class

    Raises BadInput where there is no image, a name is not of that form, an Id comes twice, or an image is
    broken.
    """
    paths, numbers = labelled_files(folder) if labelled else numbered_files(folder)
    found = sorted(zip(numbers, paths))
    numbers, paths = zip(*found)
    for (number, path), (again, other) in zip(found, found[1:]):
        if number == again and not labelled:
            raise BadInput(f"{other} has the number of {path.name}, expected each once; {HELP}.")
    images = np.stack(read_images(paths, lambda path: squeezed(path, size), folder.name))
    return images, np.array(numbers, np.int64)


def numbered_files(folder):
    """The image files {n}.jpg of a folder, and their numbers. Raises BadInput if a name is no number."""
    paths = image_files(folder)
    for path in paths:
        if number_of(path) is None:
            raise BadInput(f"{path}: the name is no number, expected {{n}}{path.suffix}; {HELP}.")
    return paths, [number_of(path) for path in paths]


def squeezed(path, size):
    """One image, upright, RGB, squeezed into a square of size pixels: uint8 (size, size, 3)."""
    upright = open_image(path, side=size)
    if upright.size != (size, size):
        upright = upright.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(upright)


def usual_side(folder):
    """The median of the shorter sides of up to a hundred images of a folder, in pixels, at most LARGEST."""
    paths, _ = labelled_files(folder)
    return int(
        min(LARGEST, np.median([min(open_image(path).size) for path in paths[:: -(-len(paths) // 100)]]))
    )


def make_synthetic(folder, seed):
    """Write 240 / 120 / 60 images of six patterns in the course's layout; return the folder.

    Every image is a blend of two patterns and named for the stronger, so what a teacher says of the weaker
    one is worth knowing.
    """
    rng = np.random.default_rng(seed)
    for part, count in SYNTHETIC.items():
        part_folder = folder / "food-11" / part
        part_folder.mkdir(parents=True, exist_ok=True)
        for number in range(count):
            kind = number % len(PATTERNS)
            name = f"{number:04d}.png" if part == "testing" else f"{kind}_{number // len(PATTERNS)}.png"
            Image.fromarray(blend(kind, rng)).save(part_folder / name)
    return folder


PATTERNS = ("rows", "columns", "rising", "falling", "chequers", "rings")
SIDE = 16  # pixels of a synthetic image


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

"""The images that a small network learns from: homework 3's folders -> arrays.

food-11/training/     {class}_{n}.jpg or .png: the class is the number before the underscore
food-11/validation/   the same
food-11/testing/      {n}.jpg or .png: no class; the number is the Id of the hand-in

Any number of classes and any size will do. Greyscale, palette, CMYK and images that a camera turned are
made upright RGB, and squeezed into a square.
"""

import numpy as np
from images import labelled_files, numbered_files, read_squares
from PIL import Image

SYNTHETIC = {"training": 240, "validation": 120, "testing": 60}


def load_part(folder, size, labelled=True):
    """Read a folder of {class}_{n}.jpg, or of {n}.jpg, in the order of class or number, then of the names.

    Returns
    -------
    images : uint8 (N, size, size, 3), RGB
    numbers : int64 (N,), the classes, or the Ids of images without a class

    Raises BadInput as labelled_files, numbered_files and read_squares do.
    """
    paths, numbers = labelled_files(folder) if labelled else numbered_files(folder)
    numbers, paths = zip(*sorted(zip(numbers, paths)))
    return read_squares(paths, size), np.array(numbers, np.int64)


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


PATTERNS = ("rows", "columns", "chequers", "diamonds", "rays", "rings")  # a mirror changes none into another
SIDE = 16  # pixels of a synthetic image


def blend(kind, rng):
    """Pattern number `kind`, under it a weaker other one, two colours, noise: uint8 (16, 16, 3)."""
    y, x = np.mgrid[:SIDE, :SIDE]
    down, right = rng.integers(0, SIDE, 2)
    waves = {
        "rows": np.sin(1.5 * (y + down)),
        "columns": np.sin(1.5 * (x + right)),
        "chequers": 2 * np.sin(1.5 * (y + down)) * np.sin(1.5 * (x + right)),
        "diamonds": 2 * np.sin(1.1 * (x + y + down)) * np.sin(1.1 * (x - y + right)),
        "rays": np.sin(6 * np.arctan2(y - down, x - right)),
        "rings": np.sin(1.5 * np.hypot(y - down, x - right)),
    }
    other = (kind + rng.integers(1, len(PATTERNS))) % len(PATTERNS)
    weight = rng.uniform(0.6, 0.9)
    wave = weight * waves[PATTERNS[kind]] + (1 - weight) * waves[PATTERNS[other]]
    colours = rng.uniform(40, 215, 3) + wave[..., None] * rng.uniform(20, 60, 3)
    return (colours + rng.normal(0, 15, (SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)

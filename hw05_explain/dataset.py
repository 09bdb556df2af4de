"""The images that are explained: homework 3's folders.

food-11/training/     {class}_{n}.jpg or .png: the class is the number before the underscore
food-11/validation/   the same

An image's index is its position among the sorted names of training/, as the course counts. Greyscale,
palette, CMYK and images that a camera turned are made upright RGB, and squeezed into the model's square.
"""

import numpy as np
from images import write_class_names
from PIL import Image

SHAPES = ("disc", "square", "ring", "cross")
SIZE = 32  # pixels a side of a synthetic image


def make_synthetic(folder, seed):
    """Write 480 images to train and 160 to validate in the course's layout; return the folder.

    The class is a small shape somewhere in a cloudy image. So it is known where a good map has to point.
    """
    rng = np.random.default_rng(seed)
    (folder / "food-11").mkdir(parents=True, exist_ok=True)
    write_class_names(folder / "food-11" / "classes.txt", SHAPES)
    for part, count in (("training", 480), ("validation", 160)):
        part_folder = folder / "food-11" / part
        part_folder.mkdir(exist_ok=True)
        for number in range(count):
            kind = number % len(SHAPES)
            pixels, _ = draw(SHAPES[kind], rng)
            Image.fromarray(pixels).save(part_folder / f"{kind}_{number // len(SHAPES)}.png")
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

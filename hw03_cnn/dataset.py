"""The course's folders of images -> arrays.

food-11/training/     {class}_{n}.jpg: the class is the number before the underscore, 0 to 10
food-11/validation/   the same
food-11/testing/      {n}.jpg: no class
food-11/classes.txt   the names of the classes, a line each, from 0 on; only needed for other classes

food-11 has 9,866 / 3,430 / 3,347 photographs of many sizes. Any number of classes, any size, JPEG and PNG
will do; greyscale, palette, CMYK and images that a camera turned are made upright RGB. Labelled images
come in the order of their names, which is the course's; those of testing/ in the order of their numbers.
"""

import numpy as np
from images import labelled_files, numbered_files, read_squares, write_class_names
from PIL import Image

SYNTHETIC = {"training": 1100, "validation": 220, "testing": 110}


def load_labelled(folder, size):
    """Read a folder of {class}_{n}.jpg, in the order of the names.

    Returns
    -------
    images : uint8 (N, size, size, 3), RGB
    labels : int64 (N,), 0 or more

    Raises BadInput as labelled_files and read_squares do.
    """
    paths, labels = labelled_files(folder)
    return read_squares(paths, size), labels


def load_test(folder, size):
    """Read a folder of {n}.jpg, in the order of n.

    Returns
    -------
    ids : int64 (N,)
    images : uint8 (N, size, size, 3), RGB

    Raises BadInput as numbered_files and read_squares do.
    """
    paths, ids = numbered_files(folder)
    return ids, read_squares(paths, size)


def make_synthetic(folder, seed):
    """Write 1,100 / 220 / 110 small images of eleven kinds in the course's layout; return the folder.

    What tells the kinds apart is the shape or the pattern, never the colour or the position.
    """
    rng = np.random.default_rng(seed)
    (folder / "food-11").mkdir(parents=True, exist_ok=True)
    write_class_names(folder / "food-11" / "classes.txt", KINDS)
    for part, count in SYNTHETIC.items():
        part_folder = folder / "food-11" / part
        part_folder.mkdir(exist_ok=True)
        for old in part_folder.iterdir():
            old.unlink()
        for number in range(count):
            kind = number % len(KINDS)
            name = f"{number:04d}.jpg" if part == "testing" else f"{kind}_{number // len(KINDS)}.jpg"
            draw(KINDS[kind], rng).save(part_folder / name, quality=95)
    return folder


KINDS = (
    *("disc", "square", "triangle", "cross", "ring", "frame"),
    *("rows", "columns", "diagonals", "chequers", "dots"),
)


def draw(kind, rng):
    """A shape of some size and position, or a pattern of some pitch, in two colours, with noise: an Image."""
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

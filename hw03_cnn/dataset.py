"""The course's folders of images -> arrays.

food-11/training/     {class}_{n}.jpg: the class is the number before the underscore, 0 to 10
food-11/validation/   the same
food-11/testing/      {n}.jpg: no class
food-11/classes.txt   the names of the classes, a line each, from 0 on; only needed for other classes

food-11 has 9,866 / 3,430 / 3,347 photographs of many sizes. Any number of classes, any size, JPEG and PNG
will do; greyscale, palette, CMYK and images that a camera turned are made upright RGB. Labelled images
come in the order of their names, which is the course's; those of testing/ in the order of their numbers.
"""

from scaffold import HELP, BadInput

import numpy as np
from images import image_files, labelled_files, number_of, open_image, read_images, write_class_names
from PIL import Image

LARGEST = 128  # pixels a side, unless told otherwise
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

    Raises BadInput when a name is no number or a number comes twice, or as read_squares does.
    """
    paths = image_files(folder)
    for path in paths:
        if number_of(path) is None:
            raise BadInput(f"{path}: the name is no number, expected {{n}}{path.suffix}; {HELP}.")
    paths.sort(key=number_of)
    ids = np.array([number_of(path) for path in paths], np.int64)
    for index in np.flatnonzero(np.diff(ids) == 0):
        raise BadInput(
            f"{paths[index + 1]} has the number of {paths[index].name}, expected each once; {HELP}."
        )
    return ids, read_squares(paths, size)


def read_squares(paths, size):
    """Decode images, with threads: uint8 (N, size, size, 3). Raises BadInput where one is broken."""
    return np.stack(read_images(paths, lambda path: read_square(path, size), paths[0].parent.name))


def read_square(path, size):
    """One image, upright, RGB, squeezed into a square of size pixels: uint8 (size, size, 3)."""
    upright = open_image(path, side=size)
    if upright.size != (size, size):
        upright = upright.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(upright)


def common_size(folder):
    """The shorter side of most images of a folder, in pixels, but at most LARGEST."""
    paths, _ = labelled_files(folder)
    return int(min(LARGEST, np.median([min(open_image(path).size) for path in paths[:100]])))


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

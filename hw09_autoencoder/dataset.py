"""The course's images -> arrays.

trainX.npy   uint8 (N, 32, 32, 3), RGB, without labels: to learn from, and what is handed in, ids 0 to N - 1
valX.npy     uint8 (500, 32, 32, 3), as many as there are labels
valY.npy     (500,), integers 0 or 1: which of the two groups. Only for scoring

NumPy's own format. A file that holds Python objects is refused: to read it would run what is in it. In place
of trainX.npy or valX.npy may stand a folder trainX/ or valX/ of image files, in the order of their names.
Images of another size are cut to the square in their middle and brought to 32x32.
"""

from scaffold import HELP, BadInput, missing, replacing

import numpy as np
from images import image_files, open_image, read_images
from PIL import Image, ImageOps

SHAPE = (32, 32, 3)  # of an image: rows, columns, RGB


def load_images(path):
    """Read trainX.npy or valX.npy, or the folder of that name: uint8 (n, 32, 32, 3).

    Floats or wider integers are taken if they are whole numbers from 0 to 255. Raises BadInput when the file
    is missing, cut short, empty, or holds something else.
    """
    if not path.is_file() and path.with_suffix("").is_dir():
        return load_files(image_files(path.with_suffix("")))
    images = load_array(path)
    if images.ndim != 4 or images.shape[-1] != SHAPE[-1] or images.dtype.kind not in "uif":
        raise BadInput(f"{path} holds {described(images)}, expected uint8 (N, 32, 32, 3); {HELP}.")
    if 0 in images.shape:
        raise BadInput(f"{path} holds no images; {HELP}.")
    if images.dtype != np.uint8:
        with np.errstate(invalid="ignore"):  # NaN is no uint8, and is caught by the comparison
            wrong = np.argwhere(images.astype(np.uint8) != images)
        if len(wrong):
            index = tuple(int(number) for number in wrong[0])
            raise BadInput(
                f"{path}: image {index[0]} has {images[index]} at row {index[1]}, column {index[2]}, "
                f"expected whole numbers from 0 to 255; {HELP}."
            )
    images = images.astype(np.uint8)
    if images.shape[1:] == SHAPE:
        return images
    return np.stack([resized(Image.fromarray(image)) for image in images])


def files_of(path):
    """A file of one's own, or the image files of a folder in the order of their names: list of paths."""
    return [path] if path.is_file() else image_files(path)


def load_files(paths):
    """The images of some files: uint8 (n, 32, 32, 3). Raises BadInput if one cannot be decoded."""
    return np.stack(read_images(paths, lambda path: resized(open_image(path, side=SHAPE[0])), "images"))


def resized(image):
    """The square in the middle of a PIL image, brought to 32x32: uint8 (32, 32, 3)."""
    return np.asarray(ImageOps.fit(image, SHAPE[1::-1], Image.Resampling.BILINEAR))


def load_several(path):
    """As load_images(), and raises BadInput unless two images differ: else there are no two groups."""
    images = load_images(path)
    if (images == images[0]).all():
        raise BadInput(f"{path} holds one image only, expected at least 2 that differ; {HELP}.")
    return images


def load_labels(path, count):
    """Read valY.npy: int64 (count,), each 0 or 1. Raises BadInput otherwise."""
    labels = load_array(path)
    if labels.shape != (count,) or labels.dtype.kind not in "uif":
        raise BadInput(f"{path} holds {described(labels)}, expected {count} labels, as in valX.npy; {HELP}.")
    wrong = np.flatnonzero(~np.isin(labels, (0, 1)))
    if len(wrong):
        raise BadInput(f"{path}: label {wrong[0]} is {labels[wrong[0]]}, expected 0 or 1; {HELP}.")
    return labels.astype(np.int64)


def load_array(path):
    if not path.is_file():
        raise missing(path)
    try:
        array = np.load(path, allow_pickle=False)
    except PermissionError:
        raise
    except Exception as error:  # NumPy has many words for a damaged header
        raise BadInput(f"{path} is cut short, holds objects, or is not of NumPy's format; {HELP}.") from error
    if not isinstance(array, np.ndarray):
        raise BadInput(f"{path} holds several arrays, expected one; {HELP}.")
    return array


def described(array):
    return f"{array.dtype} {array.shape}"


def make_synthetic(folder, seed, count=300, validation_count=100):
    """Write small views and close-ups as trainX.npy, valX.npy and valY.npy, and return the folder.

    Group 0 is a far thing: a small square before a smooth bluish ground. Group 1 is a near one: coarse
    brownish texture up to the edges. The light differs from image to image by far more than the groups
    do, so whoever compares pixels tells bright images from dark ones. A crop shows which group it is from.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    images, labels = draw_images(rng, count)
    for name, array in zip(("trainX", "valX", "valY"), (images, *draw_images(rng, validation_count))):
        with replacing(folder / f"{name}.npy") as path, open(path, "wb") as file:
            np.save(file, array)
    return folder


def draw_images(rng, count):
    """Images uint8 (count, 32, 32, 3) and their groups int64 (count,), about half and half."""
    labels = rng.integers(0, 2, count)
    light = rng.uniform(60, 200, (count, 1, 1, 1))
    tint = np.where(labels == 0, 1, -1)[:, None, None, None] * np.array([-0.1, 0.0, 0.1])
    ramp = rng.uniform(-0.2, 0.2, (count, 1, 1, 1)) * np.linspace(-1, 1, 32)[:, None, None]
    blocks = rng.normal(0, 0.25, (count, 8, 8, 1)).repeat(4, axis=1).repeat(4, axis=2)
    far = 1 + ramp + rng.normal(0, 0.02, (count, *SHAPE))
    for image in far:
        top, left = rng.integers(4, 20, 2)
        image[top : top + 8, left : left + 8] += rng.uniform(-0.4, 0.4)
    relative = np.where(labels[:, None, None, None] == 0, far, 1 + blocks) + tint
    return np.clip(light * relative, 0, 255).astype(np.uint8), labels

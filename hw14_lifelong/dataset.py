"""The files of three digit data sets -> arrays.

mnist.npz                          Keras' copy of MNIST: x_train uint8 (60000, 28, 28), y_train (60000,), and
                                   x_test, y_test (10000). White digits on black, labels 0..9
train_32x32.mat, test_32x32.mat    SVHN, "cropped digits": X uint8 (32, 32, 3, N), RGB, the image's number
                                   LAST; y (N, 1), labels 1..10, where 10 means the digit 0
usps.h5                            USPS: train/data and test/data float (N, 256), 16x16 by rows, 0..1;
                                   train/target and test/target, labels 0..9
usps.bz2, usps.t.bz2               or USPS as libsvm has it: values -1..1, labels 1..10 for the digits 0..9

Any number of images will do. What is made of them is in tasks.py.
"""

from contextlib import contextmanager

from scaffold import HELP, BadInput, missing, replacing

import h5py
import numpy as np
import scipy.io
from images import cut_out, shrink

DIGITS = 10


def read_mnist(folder):
    """mnist.npz -> ((images uint8 (n, 28, 28), labels), (test images, test labels))."""
    path = folder / "mnist.npz"
    with opened(path, lambda path: np.load(path, allow_pickle=False)) as file:
        return tuple(
            checked(path, array_of(path, file, f"x_{part}"), array_of(path, file, f"y_{part}"), (28, 28))
            for part in ("train", "test")
        )


def read_svhn(folder):
    """{train,test}_32x32.mat -> two pairs of images uint8 (n, 32, 32, 3) and labels."""
    pairs = []
    for part in ("train", "test"):
        path = folder / f"{part}_32x32.mat"
        with opened(path, lambda path: scipy.io.loadmat(path, variable_names=["X", "y"])) as file:
            x, y = array_of(path, file, "X"), array_of(path, file, "y")
        if x.ndim != 4:
            raise BadInput(f"{path}: X has the shape {x.shape}, expected (32, 32, 3, N); {HELP}.")
        images, labels = checked(path, np.moveaxis(x, -1, 0), y.ravel(), (32, 32, 3), first=1)
        pairs.append((images, labels % 10))  # 10 means 0
    return tuple(pairs)


def read_usps(folder):
    """usps.h5, or usps.bz2 and usps.t.bz2 -> two pairs of images uint8 (n, 16, 16) and labels."""
    path, pairs, others = folder / "usps.h5", [], [folder / "usps.bz2", folder / "usps.t.bz2"]
    if not path.is_file() and any(other.is_file() for other in others):
        return tuple(read_libsvm(other) for other in others)
    with opened(path, lambda path: h5py.File(path, "r")) as file:
        for part in ("train", "test"):
            x, y = (array_of(path, file, f"{part}/{key}") for key in ("data", "target"))
            pairs.append(checked(path, grey_levels(path, x, 0), y, (16, 16)))
    return tuple(pairs)


def read_libsvm(path):
    from sklearn.datasets import load_svmlight_file  # here: scikit-learn is slow to import, and rarely needed

    with opened(path, lambda path: load_svmlight_file(str(path), n_features=256)) as (x, y):
        images, labels = checked(path, grey_levels(path, x.toarray(), -1), y, (16, 16), first=1)
    return images, labels - 1


def grey_levels(path, values, lowest):
    """Floats (n, 256) from `lowest` to 1 -> uint8 (n, 16, 16)."""
    if values.ndim != 2 or values.shape[1] != 256 or values.dtype.kind != "f":
        raise BadInput(
            f"{path}: the data are {values.dtype} {values.shape}, expected floats (N, 256); {HELP}."
        )
    wrong = np.argwhere(~((values >= lowest - 1e-6) & (values <= 1 + 1e-6)))  # NaN is wrong too
    if len(wrong):
        row, column = wrong[0]
        raise BadInput(
            f"{path}: row {row}, column {column} of the data is {values[row, column]}, "
            f"expected {lowest} to 1; {HELP}."
        )
    return np.rint((values - lowest) / (1 - lowest) * 255).astype(np.uint8).reshape(-1, 16, 16)


@contextmanager
def opened(path, reader):
    """What the reader makes of a file, closed at the end. Raises BadInput when it is missing or broken."""
    if not path.is_file():
        raise missing(path)
    try:
        file = reader(path)
    except PermissionError:
        raise
    except Exception as error:  # NumPy, SciPy, h5py and scikit-learn each have their own words for it
        raise BadInput(f"{path} is cut short or of another format; {HELP}.") from error
    try:
        yield file
    finally:
        if hasattr(file, "close"):
            file.close()


def array_of(path, file, key):
    """One array of an opened file. Raises BadInput when it is not there or cannot be read to its end."""
    try:
        if key in file:
            return np.asarray(file[key][()] if hasattr(file[key], "id") else file[key])
    except Exception as error:  # a bad checksum, an early end, an array of objects
        raise BadInput(f"{path}: {key} is cut short or no array; {HELP}.") from error
    raise BadInput(f"{path}: {key} is missing; {HELP}.")


def checked(path, images, labels, shape, first=0):
    """The same as uint8 and int64, if they fit together: DIGITS labels from `first` on."""
    if images.shape[1:] != shape or images.dtype != np.uint8:
        expected = " x ".join(map(str, shape))
        raise BadInput(
            f"{path}: images are {images.dtype} {images.shape}, expected uint8, {expected} each; {HELP}."
        )
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "uif":
        raise BadInput(
            f"{path}: labels are {labels.dtype} {labels.shape}, expected a number for each of "
            f"{len(images)} images; {HELP}."
        )
    if len(labels) == 0:
        raise BadInput(f"{path} holds no images; {HELP}.")
    wrong = np.flatnonzero(~np.isin(labels, np.arange(first, first + DIGITS)))
    if len(wrong):
        raise BadInput(
            f"{path}: label {wrong[0]} is {labels[wrong[0]]}, "
            f"expected {first} to {first + DIGITS - 1}; {HELP}."
        )
    return np.ascontiguousarray(images), labels.astype(np.int64)


def read_digit(path):
    """A person's own digit, dark on light or light on dark, as MNIST has it: uint8 (28, 28), white on black.

    What differs from the border's colour is ink. Its box is scaled to 20 pixels and laid into the middle.
    Raises BadInput if it cannot be decoded as an image, or is of one colour.
    """
    return np.pad(shrink(cut_out(path, 1 / 3, "a digit"), 20, path), 4)


READERS = {"mnist": read_mnist, "svhn": read_svhn, "usps": read_usps}


def make_synthetic(folder, seed, count=600, test_count=200):
    """Write drawn digits as mnist.npz, train_32x32.mat, test_32x32.mat and usps.h5, and return the folder.

    They are white on black in the first, lighter or darker than a grey ground in the second, and small and
    faint in the third: who learns the first after the second has a reason to forget the darker half.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {"train": count, "test": test_count}
    arrays = {}
    for part, number in counts.items():
        masks, labels = draw_digits(rng, number, 28)
        arrays[f"x_{part}"] = speckled(rng, 230.0 * masks)
        arrays[f"y_{part}"] = labels.astype(np.uint8)
    with replacing(folder / "mnist.npz") as path, open(path, "wb") as file:
        np.savez(file, **arrays)
    for part, number in counts.items():
        masks, labels = draw_digits(rng, number, 32)
        paper = rng.uniform(110, 150, (number, 1, 1, 3))
        contrast = rng.choice([-100.0, 100.0], (number, 1, 1, 1))
        images = speckled(rng, paper + contrast * masks[..., None])
        y = np.where(labels == 0, 10, labels).astype(np.uint8)[:, None]
        with replacing(folder / f"{part}_32x32.mat") as path, open(path, "wb") as file:
            scipy.io.savemat(file, {"X": np.moveaxis(images, 0, -1), "y": y})
    with replacing(folder / "usps.h5") as path, h5py.File(path, "w") as file:
        for part, number in counts.items():
            masks, labels = draw_digits(rng, number, 16)
            values = speckled(rng, 60 + 120.0 * masks) / np.float32(255)
            file[f"{part}/data"] = values.reshape(number, -1).astype(np.float32)
            file[f"{part}/target"] = labels.astype(np.int32)
    return folder


# Five columns and seven rows a digit, a row a number: 0b01110 is .###.
FONT = [
    (14, 17, 19, 21, 25, 17, 14),
    (4, 12, 4, 4, 4, 4, 14),
    (14, 17, 1, 2, 4, 8, 31),
    (31, 2, 4, 2, 1, 17, 14),
    (2, 6, 10, 18, 31, 2, 2),
    (31, 16, 30, 1, 1, 17, 14),
    (6, 8, 16, 30, 17, 17, 14),
    (31, 1, 2, 4, 8, 8, 8),
    (14, 17, 17, 14, 17, 17, 14),
    (14, 17, 17, 15, 1, 2, 12),
]


def draw_digits(rng, count, size):
    """Digits at random positions: masks bool (count, size, size) and labels int64 (count,)."""
    labels = rng.integers(0, len(FONT), count)
    glyphs = np.array(FONT)[labels][:, :, None] >> np.arange(4, -1, -1) & 1  # (count, 7, 5)
    scale = size // 8
    large = glyphs.repeat(scale, axis=1).repeat(scale, axis=2).astype(bool)
    masks = np.zeros((count, size, size), bool)
    height, width = large.shape[1:]
    for mask, glyph in zip(masks, large):
        top, left = (size - height) // 2 + rng.integers(-1, 2), (size - width) // 2 + rng.integers(-1, 2)
        mask[top : top + height, left : left + width] = glyph
    return masks, labels


def speckled(rng, images):
    """Add noise and round to grey levels, uint8."""
    return np.clip(np.rint(images + rng.normal(0, 20, images.shape)), 0, 255).astype(np.uint8)

"""The course's two arrays of images -> memory-mapped arrays, and a submission's answers -> 0s and 1s.

data.zip of homework 10, from ml2020spring-hw10 on Kaggle:

train.npy    (40000, 32, 32, 3), RGB, floats from -1 to 1: normal images of many kinds, without labels
test.npy     (10000, 32, 32, 3), the same, with anomalies among them

Floats of any size will do, and so will uint8 from 0 to 255; any number of images, and of any one size. In
place of a file may stand a folder train/ or test/ of image files, in the order of their names; they are cut
to the square in their middle and brought to 32x32. An answers.csv (id,anomaly: ids from 1, and 0 or 1), where
there is one, is only ever used to score.
"""

from scaffold import HELP, BadInput, missing, read_csv, replacing

import numpy as np
import pandas as pd
from images import image_files, open_image, read_images
from PIL import Image, ImageOps

CHUNK = 1000  # images that are looked at together
SIZE = 32  # pixels a side of an image from a folder, or of a synthetic one


def load_images(path):
    """Open an array of images without reading it: float or uint8 (N, h, w, 3), memory-mapped.

    Every value is looked at once, some images at a time, so 40,000 images need no memory to speak of.
    Take `as_floats` of a part to use it. Raises BadInput when the file is missing, broken, or holds something
    else: other shapes, other types, NaN, or values beyond -1..1 (uint8: 0..255).
    """
    if not path.is_file() and path.with_suffix("").is_dir():
        paths = image_files(path.with_suffix(""))
        return np.stack(read_images(paths, lambda file: resized(open_image(file, side=SIZE)), "images"))
    if not path.is_file():
        raise missing(path)
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except PermissionError:
        raise
    except Exception as error:  # objects, another format, a file cut short: NumPy has many words for it
        raise BadInput(f"{path} is cut short or no .npy array of numbers; {HELP}.") from error
    if not isinstance(images, np.ndarray):
        images.close()
        raise BadInput(f"{path} is an archive of arrays, expected one array; {HELP}.")
    if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape[1:]:
        raise BadInput(f"{path} has the shape {images.shape}, expected (N, height, width, 3); {HELP}.")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise BadInput(f"{path} is {images.dtype}, expected floats from -1 to 1, or uint8; {HELP}.")
    if len(images) == 0:
        raise BadInput(f"{path} holds no images; {HELP}.")
    for start in range(0, len(images), CHUNK):
        with np.errstate(over="ignore"):  # beyond float32 is infinite, and wrong
            values = as_floats(images[start : start + CHUNK])
        wrong = np.flatnonzero(~(np.abs(values) <= 1 + 1e-3).all(axis=(1, 2, 3)))  # NaN is wrong too
        if len(wrong):
            image = start + wrong[0]
            index = np.argmin(np.abs(values[wrong[0]]).ravel() <= 1 + 1e-3)
            raise BadInput(
                f"{path}: image {image + 1} holds the value {images[image].flat[index]:g}, expected -1 to 1; "
                f"{HELP}."
            )
    return images


def resized(image):
    """The square in the middle of a PIL image, brought to 32x32: uint8 (32, 32, 3)."""
    return np.asarray(ImageOps.fit(image, (SIZE, SIZE), Image.Resampling.BILINEAR))


def as_floats(images):
    """A part of load_images' array as float32 from -1 to 1, in memory."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / 127.5 - 1
    return np.asarray(images, np.float32)


def load_answers(path, count):
    """Read id,anomaly of all `count` test images: int64 (count,), 1 for an anomaly, by rising id.

    Raises BadInput when the file is missing, or does not say 0 or 1 of each image once, or the same of all.
    """
    if not path.is_file():
        raise BadInput(f"{path} is missing; give --answers a CSV file with id,anomaly, or leave it out.")
    table = read_csv(path)
    if not {"id", "anomaly"} <= set(table.columns):
        raise BadInput(f"{path} has the columns {', '.join(table.columns)}; expected id,anomaly.")
    table["id"] = pd.to_numeric(table.id, errors="coerce")
    if sorted(table.id) != list(range(1, count + 1)):
        raise BadInput(f"{path} has {len(table)} ids; expected each of 1 to {count}, the test images, once.")
    words = table.set_index("id").sort_index().anomaly
    anomaly = pd.to_numeric(words, errors="coerce").astype(float)
    wrong = np.flatnonzero(~anomaly.isin([0, 1]))
    if len(wrong):
        raise BadInput(f"{path}: id {wrong[0] + 1} has {str(words.iloc[wrong[0]])[:50]}; expected 0 or 1.")
    if anomaly.nunique() == 1:
        raise BadInput(f"{path} says {anomaly.iloc[0]:g} of every image; expected some of both.")
    return anomaly.to_numpy(np.int64)


def make_synthetic(folder, seed, count=240, test_count=120):
    """Write train.npy, test.npy and answers.csv in the course's format, and return the folder.

    Things that stand upright: a house, a tree and a lamp, of any colours and under more or less noise. The
    anomalies, a quarter of the test, are arrows, which lie on their side, in plainer images: who looks for
    what is hard to copy finds the normal ones.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    anomaly = np.arange(test_count) < test_count // 4
    rng.shuffle(anomaly)
    for name, kinds in (
        ("train.npy", rng.integers(0, 3, count)),
        ("test.npy", np.where(anomaly, 3, rng.integers(0, 3, test_count))),
    ):
        with replacing(folder / name) as path, open(path, "wb") as file:
            np.save(file, draw_things(rng, kinds))
    with replacing(folder / "answers.csv") as path:
        ids = np.arange(1, test_count + 1)
        pd.DataFrame({"id": ids, "anomaly": anomaly.astype(int)}).to_csv(path, index=False)
    return folder


def draw_things(rng, kinds):
    """Draw a house (0), tree (1), lamp (2) or arrow (3) each: int (n,) -> float32 (n, SIZE, SIZE, 3)."""
    kinds = np.asarray(kinds)[:, None, None]
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    shift_y, shift_x = rng.uniform(-3, 3, (2, len(kinds), 1, 1))
    down, right = y - shift_y, x - shift_x  # (n, SIZE, SIZE)
    side = np.abs(right)
    house = (np.abs(down - 4) < 6) & (side < 7) | (np.abs(down + 5) < 4) & (side < down + 9)
    tree = (np.abs(down - 6) < 5) & (side < 2) | (np.hypot(down + 3, right) < 7)
    lamp = (np.abs(down) < 10) & (side < 1.5) | (np.abs(down + 8) < 3) & (side < 6)
    arrow = (np.abs(right) < 10) & (np.abs(down) < 1.5) | (np.abs(right - 7) < 4) & (
        np.abs(down) < 11 - right
    )
    inside = np.choose(kinds, [house, tree, lamp, arrow])[..., None]
    sky, thing = rng.uniform(-0.6, 0.6, (2, len(kinds), 1, 1, 3))
    images = np.where(inside, thing + np.where(thing > sky, 0.4, -0.4), sky)
    noise = np.where(kinds == 3, 0.05, rng.uniform(0.05, 0.25, kinds.shape))[..., None]
    return np.clip(images + noise * rng.normal(size=images.shape), -1, 1).astype(np.float32)

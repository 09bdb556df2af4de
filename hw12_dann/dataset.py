"""A pair of domains in folders of images -> arrays. The course's pair is real_or_drawing:

train_data/0/*.bmp .. train_data/9/*.bmp   photographs, 32x32 in colour; the folder's number is the label
test_data/0/00000.bmp, 00001.bmp, ...      drawings, 28x28 in grey, white on black, without labels; the
                                           file's number is the id of the submission
answers.csv                                not of the course: id,label of the test images. Where it is there
                                           it scores, and no training chooses anything by it

Any number of classes from 0 on, of images, and any one size will do; .png and .jpg are read too. Images
of another size than most are resized to it, and modes are made one, with a line that says so.
"""

from collections import Counter

from scaffold import HELP, BadInput, read_csv, replacing

import numpy as np
import pandas as pd
from images import cut_out, image_files, image_size, numbered_files, open_image, read_images, shrink
from PIL import Image, ImageFilter
from synthetic import SHAPES, coloured_shapes, drawings, photographs, white_shapes

MAX_SIDE = 256  # pixels: larger sets are shrunk
LARGE, OWN = 224, 28  # pixels a side of a person's own drawing, before and after it is shrunk
NAMES = {  # of the classes of real_or_drawing, by how many there are: the course's, and those of stand-ins
    10: ["horse", "bed", "clock", "apple", "cat", "plane", "television", "dog", "dolphin", "spider"],
    8: ["plane", "car", "bird", "cat", "dog", "frog", "horse", "ship"],
    9: ["plane", "car", "bird", "cat", "dog", "frog", "horse", "ship", "truck"],
}


def load_source(folder):
    """train_data -> images uint8 (n, h, w, 3), or (n, h, w, 1) if all are grey, and labels int64 (n,)."""
    root = folder / "train_data"
    if not root.is_dir():
        raise BadInput(f"{root} is missing; {HELP}.")
    names = sorted(path.name for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    if not names:
        raise BadInput(f"{root} is empty, expected a folder for each class: 0, 1, ...; {HELP}.")
    wrong = [name for name in names if not (name.isascii() and name.isdecimal())]
    if wrong:
        raise BadInput(f"{folder / 'train_data' / wrong[0]}: expected a class's number, 0, 1, ...; {HELP}.")
    numbers = sorted(map(int, names))
    if numbers != list(range(len(numbers))) or len(numbers) < 2:
        raise BadInput(
            f"{folder / 'train_data'} has the classes {numbers}, expected 0, 1, ... without a gap; {HELP}."
        )
    paths, labels = [], []
    for name in sorted(names, key=int):
        found = image_files(folder / "train_data" / name)
        paths += found
        labels += [int(name)] * len(found)
    return read_at_one_size(paths, "photographs"), np.array(labels, np.int64)


def load_target(folder):
    """test_data/0, in the order of the files' numbers -> images uint8 (n, h, w, 3) or (n, h, w, 1)."""
    paths, numbers = numbered_files(folder / "test_data" / "0")
    for expected, (number, path) in enumerate(zip(numbers, paths)):
        if number != expected:
            raise BadInput(f"{path}: expected the number {expected} next, without a gap; {HELP}.")
    return read_at_one_size(paths, "drawings")


def load_answers(path, count, classes):
    """answers.csv -> labels int64 (count,), or None if there is no such file."""
    if not path.is_file():
        return None
    table = read_csv(path)
    if not {"id", "label"} <= set(table):
        raise BadInput(f"{path} has no columns id and label; {HELP}.")
    table = table[["id", "label"]].apply(pd.to_numeric, errors="coerce")
    if list(table.id) != list(range(count)) or not table.label.isin(range(classes)).all():
        raise BadInput(
            f"{path}: expected the ids 0 to {count - 1} in order, and labels 0 to {classes - 1}; {HELP}."
        )
    return table.label.to_numpy(np.int64)


def read_at_one_size(paths, what):
    """Read files with a progress bar: uint8 (n, h, w, 1) if all are grey, else (n, h, w, 3).

    The size is that of most images, at most MAX_SIDE pixels a side; the others are resized to it.
    """
    most, _ = Counter(image_size(path) for path in paths).most_common(1)[0]
    scale = min(1, MAX_SIDE / max(most))
    size = tuple(max(1, round(side * scale)) for side in most)
    others = Counter()

    def read(path):
        image = open_image(path, mode=None)
        others[image.size != size] += 1
        return image.mode, np.asarray(image.resize(size, Image.Resampling.BILINEAR))

    modes, images = zip(*read_images(paths, read, what))
    grey = set(modes) == {"L"}
    if len(set(modes)) > 1:
        print(f"{paths[0].parent}: images of the modes L, RGB were all made RGB")
    if others[True]:
        print(f"{paths[0].parent}: {others[True]} images of another size were made {size[0]}x{size[1]}")
    if grey:
        return np.stack(images)[..., None]
    return np.stack([np.stack([one] * 3, axis=-1) if one.ndim == 2 else one for one in images])


def read_drawing(path):
    """A person's own drawing, dark on light or light on dark, as the target has them: uint8 (1, s, s, 1).

    White on black, squared; what differs from the border's grey is drawn. Raises BadInput if nothing is.
    """
    drawing = cut_out(path, 1 / 4, "a drawing").resize((LARGE, LARGE), Image.Resampling.BOX)
    thick = drawing.filter(ImageFilter.MaxFilter(1 + 2 * (LARGE // 56)))  # thin lines survive the shrinking
    return shrink(thick, OWN, path)[None, :, :, None]


def names_of_classes(pair, count):
    """What the labels are called in a pair of domains with so many classes."""
    numbers = [str(number) for number in range(count)]
    return NAMES.get(count, numbers) if pair == "real_or_drawing" else numbers


def make_synthetic(folder, seed, count=240):
    """Write two pairs of four shapes in the course's format, with answers.csv, and return the folder.

    real_or_drawing: coloured shapes, and their outlines. mnist_to_mnistm: white shapes on black, and shapes
    by the recipe of MNIST-M, on coloured grounds. `count` images in each domain.
    """
    rng = np.random.default_rng(seed)
    painters = {
        "real_or_drawing": (photographs, drawings),
        "mnist_to_mnistm": (white_shapes, coloured_shapes),
    }
    for pair, (source, target) in painters.items():
        labels = np.arange(count) % len(SHAPES)
        numbers = [0] * len(SHAPES)
        for image, label in zip(source(rng, labels), labels):
            write_image(folder / pair / "train_data" / str(label) / f"{numbers[label]:05d}.bmp", image)
            numbers[label] += 1
        labels = rng.integers(0, len(SHAPES), count)
        for number, image in enumerate(target(rng, labels)):
            write_image(folder / pair / "test_data" / "0" / f"{number:05d}.bmp", image)
        with replacing(folder / pair / "answers.csv") as path:
            pd.DataFrame({"id": range(count), "label": labels}).to_csv(path, index=False)
    return folder


def write_image(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        Image.fromarray(image.squeeze()).save(temporary)

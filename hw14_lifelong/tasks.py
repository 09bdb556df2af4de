"""--tasks -> a sequence of tasks, all of one shape, and so for one network.

permuted:K stands for K tasks of mnist.npz's images, each with a fixed random order of the pixels, another
one for each task and seed (Kirkpatrick et al. 2017). The digits are the same classes in all tasks.
"""

import re
from dataclasses import dataclass

from scaffold import HELP, BadInput

import numpy as np
from dataset import READERS
from PIL import Image

LEAST = 10  # images of a training file
VALIDATION = 1000  # images cut from a training file, at most a tenth of it
MOST_PERMUTED = 50
SPLIT_SEED = 14  # of the shuffle before the split: the same whatever --seed is


@dataclass(frozen=True)
class Task:
    """Images uint8 (n, h, w, c) and labels int64 (n,), 0..9, three times: they share no image."""

    name: str
    train: tuple
    validation: tuple
    test: tuple


def expand(words):
    """Words of --tasks -> names: ["mnist", "permuted:2"] -> ["mnist", "permuted-1", "permuted-2"]."""
    names = []
    for word in words:
        count = re.fullmatch(r"permuted:(\d{1,3})", word)
        if word in READERS:
            names.append(word)
        elif count and 1 <= int(count[1]) <= MOST_PERMUTED:
            names += [f"permuted-{number}" for number in range(1, int(count[1]) + 1)]
        else:
            raise BadInput(
                f"--tasks {word}: expected {', '.join(READERS)}, "
                f"or permuted:K with K from 1 to {MOST_PERMUTED}."
            )
    if not names:
        raise BadInput("--tasks is empty, expected at least one task.")
    if len(set(names)) < len(names):
        raise BadInput(f"--tasks {' '.join(words)}: expected each task once.")
    return names


def snapshot(number):
    """The file of the network as it was after this task, the first being 1; the last is model.keras."""
    return f"after-{number}.keras"


def only_permuted(names):
    """Whether all tasks are permuted: there is no image left to see, so no convolution and no colour."""
    return all(name.startswith("permuted-") for name in names)


def load_tasks(folder, names, grey=False, seed=0, examples=None):
    """Read the tasks of expand(), with at most `examples` training images each.

    All have one shape: (28, 28, 1) if grey or only permuted, else (32, 32, 3). Raises BadInput when a file is
    missing, cut short, or has another shape or other labels than this module's docstring says.
    """
    grey, raw, tasks = grey or only_permuted(names), {}, []
    for name in names:
        source = name if name in READERS else "mnist"
        if source not in raw:
            raw[source] = READERS[source](folder)
        (images, labels), test = raw[source]
        if len(labels) < LEAST:
            raise BadInput(
                f"{folder}: {source} has {len(labels)} training images, expected at least {LEAST}; {HELP}."
            )
        # Files may be sorted by class: shuffle before the split, with the same seed in every run.
        shuffled = np.random.default_rng(SPLIT_SEED).permutation(len(labels))
        held_out = min(VALIDATION, len(labels) // LEAST)
        chosen = shuffled[held_out:][:examples], shuffled[:held_out]
        parts = [*((images[rows], labels[rows]) for rows in chosen), test]
        if source != name:
            order = permutation(seed, int(name.split("-")[1]))
            parts = [(permute(found, order), labels) for found, labels in parts]
        tasks.append(Task(name, *((reshape(found, grey), labels) for found, labels in parts)))
    return tasks


def permutation(seed, number):
    """The order of the pixels of the task permuted-<number>: int64 (784,)."""
    return np.random.default_rng([seed, number]).permutation(28 * 28)


def permute(images, order):
    """uint8 (n, 28, 28): the pixel order[k] comes to position k; argsort(order) undoes it."""
    return images.reshape(len(images), -1)[:, order].reshape(images.shape)


def reshape(images, grey):
    """uint8 (n, 16, 16), (n, 28, 28) or (n, 32, 32, 3) -> (n, 28, 28, 1) if grey, else (n, 32, 32, 3).

    As in the course, small images get a black margin; a USPS digit stays a fifth smaller than one of MNIST.
    """
    if images.ndim == 4:
        return to_grey_28(images) if grey else images
    margin = ((28 if grey else 32) - images.shape[1]) // 2
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))[..., None]
    return padded if grey else np.repeat(padded, 3, axis=-1)


def to_grey_28(images):
    """uint8 (n, 32, 32, 3) -> grey (n, 28, 28, 1), each pixel the mean of the area that it covers."""
    small = [Image.fromarray(image).convert("L").resize((28, 28), Image.Resampling.BOX) for image in images]
    return np.stack([np.asarray(image) for image in small])[..., None]

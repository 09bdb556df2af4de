"""Batches of images, shuffled and changed anew each epoch by the seed and the epoch alone."""

from dataclasses import dataclass

import keras
import numpy as np
from device import divisible, own_part
from PIL import Image

ASPECT = 4 / 3  # of a crop's sides, at most


class Batches(keras.utils.PyDataset):
    """Batch after batch of (images (b, n, n, 3), 0 to 255, and float32 labels (b, classes)).

    images uint8 (N, n, n, 3), labels int64 (N,); augmentation an Augmentation, or None for the images as they
    are. All batches are full: what is left over waits for another epoch, whose order is another.
    """

    def __init__(self, images, labels, classes, batch_size, seed, augmentation=None, epoch=0):
        super().__init__()
        self.images, self.labels = images, labels
        self.batch_size = min(batch_size, len(divisible(labels)))
        self.one_hot = np.eye(classes, dtype=np.float32)
        self.seed, self.epoch, self.augmentation = seed, epoch, augmentation
        self.shuffle()

    def shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.labels))

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return len(self.labels) // self.batch_size

    def __getitem__(self, number):
        indices = own_part(self.order[number * self.batch_size : (number + 1) * self.batch_size])
        images, labels = self.images[indices], self.one_hot[self.labels[indices]]
        if self.augmentation is None:
            return images, labels
        rng = np.random.default_rng([self.seed, self.epoch, number])
        return self.augmentation(images, labels, (indices + self.epoch) % 2 == 0, rng)


@dataclass(frozen=True)
class Augmentation:
    """Changes of images that leave their classes what they are, drawn anew for each image.

    shift      pixels by which an image moves at most, down and right; what comes in is mirrored at the edge
    turn       degrees by which an image is turned at most; what comes in is black
    smallest   share of the area that a crop has at least (Szegedy et al. 2015)
    side       pixels a side that a crop is scaled to; None: those of the image
    colour     saturation, contrast and brightness are multiplied by 1 - colour to 1 + colour
    cutmix     share of batches in which a box of each image is another's, as is that share of its label
               (Yun et al. 2019)
    """

    shift: int = 0
    turn: float = 0.0
    smallest: float = 1.0
    side: int | None = None
    colour: float = 0.0
    cutmix: float = 0.0

    def __call__(self, images, labels, flipped, rng):
        """images uint8 (b, n, n, 3), labels float32 (b, classes) -> both float32, changed; crops are smaller.

        flipped: bool (b,), the images to mirror.
        """
        if self.shift:
            images = random_shift(images, self.shift, rng)
        if self.turn:
            images = np.stack([random_turn(image, self.turn, rng) for image in images])
        if self.smallest < 1:
            side = self.side or images.shape[1]
            images = np.stack([random_crop(image, self.smallest, side, rng) for image in images])
        images = np.where(flipped[:, None, None, None], images[:, :, ::-1], images).astype(np.float32)
        if self.colour:
            images = random_colour(images, self.colour, rng)
        if rng.random() < self.cutmix:
            images, labels = cutmix(images, labels, rng)
        return images, labels


def random_shift(images, most, rng):
    """Each of uint8 (b, n, n, 3) moved by up to `most` pixels."""
    count, side = images.shape[:2]
    padded = np.pad(images, [(0, 0), (most, most), (most, most), (0, 0)], "reflect")
    top, left = rng.integers(0, 2 * most + 1, (2, count, 1)) + np.arange(side)
    return padded[np.arange(count)[:, None, None], top[:, :, None], left[:, None, :]]


def random_turn(image, most, rng):
    """uint8 (n, n, 3), turned about its centre by up to `most` degrees."""
    return np.asarray(Image.fromarray(image).rotate(rng.uniform(-most, most)))


def random_crop(image, smallest, side, rng):
    """A box of uint8 (n, n, 3), of at least that share of its area, scaled to side x side."""
    area, aspect = rng.uniform(smallest, 1), ASPECT ** rng.uniform(-1, 1)
    width, height = len(image) * np.sqrt(np.minimum(area * np.array([aspect, 1 / aspect]), 1))
    left, top = rng.uniform(0, len(image) - width), rng.uniform(0, len(image) - height)
    box = (left, top, left + width, top + height)
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, box))


def random_colour(images, most, rng):
    """Random saturation, contrast, brightness: distances from grey, mean, black, times about 1; float32."""
    saturation, contrast, brightness = rng.uniform(1 - most, 1 + most, (3, len(images), 1, 1, 1)).astype("f")
    grey = images.mean(axis=3, keepdims=True)
    images = grey + (images - grey) * saturation
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return ((mean + (images - mean) * contrast) * brightness).clip(0, 255)


def cutmix(images, labels, rng):
    """Put a box of one image into another, the same box in a batch, and mix the labels by its area."""
    side, partners = images.shape[1], rng.permutation(len(images))
    half, centre = side * np.sqrt(rng.random()) / 2, rng.uniform(0, side, 2)
    (top, left), (bottom, right) = (
        np.rint((centre + offset).clip(0, side)).astype(int) for offset in (-half, half)
    )
    images[:, top:bottom, left:right] = images[partners, top:bottom, left:right]
    share = np.float32((bottom - top) * (right - left) / side**2)
    return images, (1 - share) * labels + share * labels[partners]

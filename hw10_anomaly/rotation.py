"""Rotation prediction: a task that needs no labels, and that takes knowledge of the objects.

Each image is turned by 0, 90, 180 and 270 degrees, and a network learns to say by how much (Gidaris et al.
2018). To do so it must learn what normal things look like: where they have their wheels, feet and sky. Shown
something else it errs or hesitates, and that is the score (Golan, El-Yaniv 2018; Hendrycks et al. 2019):

    score(image) = - sum over the four rotations of log p(rotation | image, rotated)
"""

import numpy as np
from batches import Images
from device import dealt
from model import ROTATIONS
from scipy.special import log_softmax

MARGIN = 3  # pixels that a training image is moved to each side, at most


def rotated(images):
    """All four turns of square images: (n, s, s, 3) -> (4 n, s, s, 3) and int64 (4 n,), 0..3 quarters.

    First all images unturned, then all by one quarter, and so on, counter-clockwise.
    """
    all_turns = np.concatenate([np.rot90(images, quarters, axes=(1, 2)) for quarters in range(ROTATIONS)])
    return all_turns, np.repeat(np.arange(ROTATIONS), len(images))


def jittered(images, rng):
    """Images moved by up to MARGIN pixels and mirrored at random; the rim is filled by reflection."""
    count, height, width, _ = images.shape
    wide = np.pad(images, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "reflect")
    moved = np.empty_like(images)
    tops, lefts = rng.integers(0, 2 * MARGIN + 1, (2, count))
    mirrored = rng.random(count) < 0.5
    for index, (top, left, mirror) in enumerate(zip(tops, lefts, mirrored)):
        part = wide[index, top : top + height, left : left + width]
        moved[index] = part[:, ::-1] if mirror else part
    return moved


class RotatedImages(Images):
    """Batches of all four turns of batch_size images, jittered in training, and how far each is turned."""

    def prepare(self, images, rng):
        turns, quarters = rotated(jittered(images, rng) if self.training else images)
        order = dealt(len(turns))
        return turns[order], quarters[order]


def rotation_score(logits, quarters):
    """The score of n images from the logits of their 4 n turns, in the order of rotated(): float (n,)."""
    right = log_softmax(logits, axis=1)[np.arange(len(quarters)), quarters]  # (4 n,)
    return -right.reshape(ROTATIONS, -1).sum(axis=0)

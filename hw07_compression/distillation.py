"""Distillation: learn the teacher's probabilities, and not the label alone.

    loss = (1 - alpha) H(label, student) + alpha T^2 KL(teacher at T || student at T)

At temperature T the logits are divided by T, which shows the small probabilities; T^2 keeps the size of the
gradient. Hinton, Vinyals and Dean, https://arxiv.org/abs/1503.02531.

The teacher has to look at the very pixels that the student sees, and long: Beyer et al., "A good teacher is
patient and consistent", https://arxiv.org/abs/2106.05237. Each image is shown in VIEWS versions, one an epoch
in turn: cropped, flipped or not, and in long trainings some with a box of another image (Yun et al., CutMix,
https://arxiv.org/abs/1905.04899). The teacher classifies each version once.
"""

import keras
import numpy as np
from device import divisible
from keras import ops
from model import logits_of
from PIL import Image
from tqdm import tqdm

VIEWS = 16
BORDER = 0.125  # of the side, mirrored around each image before it is cropped
CROPS = 0.6, 1.2  # times the side: the smallest crop and the largest
AT_ONCE = 5000  # images that are changed


class Distillation(keras.losses.Loss):
    """y_true (batch, 2 classes): the one-hot label, then the teacher's logits; y_pred (batch, classes)."""

    def __init__(self, temperature, alpha):
        super().__init__(name="distillation")
        self.temperature, self.alpha = temperature, alpha

    def call(self, y_true, y_pred):
        labels, teacher = ops.split(y_true, 2, axis=-1)  # (batch, classes) each
        hard = -ops.sum(labels * ops.log_softmax(y_pred), axis=-1)  # (batch,)
        likely = ops.log_softmax(teacher / self.temperature)
        student = ops.log_softmax(y_pred / self.temperature)
        soft = ops.sum(ops.exp(likely) * (likely - student), axis=-1)
        return (1 - self.alpha) * hard + self.alpha * self.temperature**2 * soft


def true_class_accuracy(y_true, y_pred):
    """The accuracy by the labels in y_true (batch, 2 classes)."""
    label = ops.argmax(y_true[:, : y_pred.shape[-1]], axis=-1)
    return ops.cast(label == ops.argmax(y_pred, axis=-1), "float32")


def logits(teacher, images):
    """What a teacher says of images, uint8 (N, n, n, 3): float32 (N, classes), up to a constant a row.

    The logarithms, where a teacher ends in a softmax.
    """
    logits = logits_of(teacher, images)
    if (logits >= 0).all() and np.allclose(logits.sum(axis=1), 1, atol=0.02):
        logits = np.log(np.maximum(logits, 1e-7))
    return logits


class Views(keras.utils.PyDataset):
    """Batches of (uint8 images (b, n, n, 3), float32 (b, 2 classes): labels, teacher's logits).

    Epoch e shows the version e modulo `views` of every image, in an order of its own; the share `mixed` of
    them holds a box of another image, and as much of its label. Without a teacher the logits are 0.
    """

    def __init__(self, images, labels, classes, batch_size, seed, teacher=None, views=VIEWS, mixed=0.0):
        super().__init__()
        self.images, self.labels, self.batch_size, self.seed = images, labels, batch_size, seed
        self.one_hot = np.eye(classes, dtype=np.float32)
        self.border = round(BORDER * images.shape[1])
        self.teacher, self.labelled, self.mixed = teacher, False, mixed
        self.targets = np.zeros((views, len(labels), classes), np.float32)
        self.start(0)

    def label_with_teacher(self):
        """Take the teacher's logits of every version, if there is a teacher and it has not been done."""
        if self.labelled or self.teacher is None:
            return
        for view in tqdm(range(len(self.targets)), "the teacher labels", leave=False, ncols=80, disable=None):
            self.start(view)
            for first in range(0, len(self.labels), AT_ONCE):
                indices = np.arange(first, min(first + AT_ONCE, len(self.labels)))
                self.targets[view, indices] = logits(self.teacher, self.augmented(indices))
        self.labelled = True

    def start(self, epoch):
        """Take up an epoch: its version of every image, and its order."""
        count, side = self.images.shape[:2]
        self.epoch, self.view = epoch, epoch % len(self.targets)
        rng = np.random.default_rng([self.seed, 0, self.view])
        self.flipped = rng.random(count) < 0.5
        sides = np.minimum(side * rng.uniform(*CROPS, count), side + 2 * self.border)
        self.crops = squares(rng, sides, -self.border, side + self.border)
        areas = rng.random(count) * (rng.random(count) < self.mixed)
        self.boxes = np.rint(squares(rng, side * np.sqrt(areas), 0, side)).astype(int)
        self.partners = rng.permutation(count)
        self.order = divisible(np.random.default_rng([self.seed, 1, epoch]).permutation(count))

    def on_epoch_end(self):
        self.start(self.epoch + 1)

    def augmented(self, indices):
        """The images of some indices as this epoch shows them: a box of the partner's, a crop, a flip."""
        side, border = self.images.shape[1], self.border
        left, top, right, bottom = self.boxes[indices].T[:, :, None]
        pixels = np.arange(side)
        rows, columns = (top <= pixels) & (pixels < bottom), (left <= pixels) & (pixels < right)  # (b, n)
        inside = rows[:, :, None, None] & columns[:, None, :, None]
        images = np.where(inside, self.images[self.partners[indices]], self.images[indices])
        images = np.pad(images, [(0, 0), (border, border), (border, border), (0, 0)], "reflect")
        crops = zip(images, (self.crops[indices] + border).tolist())
        images = np.stack(
            [
                Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR, crop)
                for image, crop in crops
            ]
        )
        return np.where(self.flipped[indices, None, None, None], images[:, :, ::-1], images)

    def mixed_labels(self, indices):
        """Their labels, float32 (b, classes): the partner has the share of the crop that the box fills."""
        box, crop = self.boxes[indices].T, self.crops[indices].T
        seen = (np.minimum(box[2:], crop[2:]) - np.maximum(box[:2], crop[:2])).clip(0).prod(axis=0)
        share = (seen / (crop[2:] - crop[:2]).prod(axis=0)).astype(np.float32)[:, None]
        own, other = (self.one_hot[self.labels[some]] for some in (indices, self.partners[indices]))
        return (1 - share) * own + share * other

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, number):
        indices = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        targets = [self.mixed_labels(indices), self.targets[self.view, indices]]
        return self.augmented(indices), np.concatenate(targets, axis=1)


def squares(rng, sides, low, high):
    """Squares of sides (n,) at random in that from low to high: (n, 4), left, top, right, bottom."""
    corner = low + rng.random((len(sides), 2)) * (high - low - sides[:, None])
    return np.concatenate([corner, corner + sides[:, None]], axis=1)

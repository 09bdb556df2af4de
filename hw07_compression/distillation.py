"""Distillation: learn what the teacher holds for likely, and not the right answer alone.

    loss = (1 - alpha) H(label, student) + alpha T^2 KL(teacher at T || student at T)

At temperature T the logits are divided by T, which shows the small probabilities; T^2 keeps the size of the
gradient. Hinton, Vinyals and Dean, https://arxiv.org/abs/1503.02531.

The teacher has to look at the very pixels that the student sees. Each image is shown in VIEWS versions,
flipped or not and shifted, one an epoch in turn, and the teacher is asked once about each of them.
"""

import keras
import numpy as np
from device import divisible
from keras import ops
from model import logits_of

VIEWS = 4
SHIFT = 0.125  # of the side, at most
AT_ONCE = 5000  # images that are shifted


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
    """Batches of (uint8 images (b, n, n, 3), float32 (b, 2 classes): one-hot labels, teacher's logits).

    Epoch e shows the version e modulo `views` of every image, in an order of its own. Without a teacher the
    logits are 0.
    """

    def __init__(self, images, labels, classes, batch_size, seed, teacher=None, views=VIEWS):
        super().__init__()
        self.images, self.labels, self.batch_size, self.seed = images, labels, batch_size, seed
        self.one_hot = np.eye(classes, dtype=np.float32)
        self.teacher, self.asked = teacher, False
        self.targets = np.zeros((views, len(labels), classes), np.float32)
        self.start(0)

    def label_with_teacher(self):
        """Let the teacher say what it holds of every version, if there is one and it has not yet."""
        for view in range(0 if self.asked or self.teacher is None else len(self.targets)):
            self.start(view)
            for first in range(0, len(self.labels), AT_ONCE):
                indices = np.arange(first, min(first + AT_ONCE, len(self.labels)))
                self.targets[view, indices] = logits(self.teacher, self.shown(indices))
        self.asked = self.teacher is not None

    def start(self, epoch):
        """Take up an epoch: its version of every image, and its order."""
        count, side = self.images.shape[:2]
        self.epoch, self.view = epoch, epoch % len(self.targets)
        self.reach = round(SHIFT * side)
        rng = np.random.default_rng([self.seed, 0, self.view])
        self.flipped = rng.random(count) < 0.5
        self.shifts = rng.integers(0, 2 * self.reach + 1, (count, 2))
        self.order = divisible(np.random.default_rng([self.seed, 1, epoch]).permutation(count))

    def on_epoch_end(self):
        self.start(self.epoch + 1)

    def shown(self, indices):
        """The images of some indices as this epoch shows them; beyond the border they are mirrored."""
        reach, side = self.reach, self.images.shape[1]
        border = np.pad(self.images[indices], [(0, 0), (reach, reach), (reach, reach), (0, 0)], "reflect")
        rows, columns = (self.shifts[indices, axis, None] + np.arange(side) for axis in (0, 1))  # (b, side)
        columns = np.where(self.flipped[indices, None], columns[:, ::-1], columns)
        return border[np.arange(len(indices))[:, None, None], rows[:, :, None], columns[:, None, :]]

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, number):
        indices = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        targets = [self.one_hot[self.labels[indices]], self.targets[self.view, indices]]
        return self.shown(indices), np.concatenate(targets, axis=1)

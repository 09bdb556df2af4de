"""After each epoch: how well are pictures decoded, and how well do the codes' groups meet the labels?

It only looks. Nothing that it finds comes back to the training, nor stops it, nor picks an epoch.
"""

import time

import keras
import numpy as np
from clustering import accuracy, of_neighbours, two_groups, whitening
from dataset import BadInput
from model import in_batches


class Watch(keras.callbacks.Callback):
    """rows: dicts, one an epoch, of the losses and of three numbers more.

    validation_error : mean squared error of valX, decoded from its own codes, of pixels 0..1, without noise
    accuracy : on valX, of k-means on the whitened codes of trainX
    seconds : of the epoch's training, without this
    """

    def __init__(self, pictures, validation, labels, learning_rate):
        super().__init__()
        self.pictures, self.validation = (part / np.float32(255) for part in (pictures, validation))
        self.labels, self.learning_rate, self.rows = labels, learning_rate, []

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.began
        if not np.isfinite(list(logs.values())).all():
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {self.learning_rate} may be "
                "too large; nothing was written."
            )
        decoded = in_batches(self.model, self.validation)
        codes, others = (in_batches(self.model.encoder, part) for part in (self.pictures, self.validation))
        matrix, offset = whitening(codes)
        known = codes @ matrix + offset
        groups = of_neighbours(others @ matrix + offset, known, two_groups(known, seed=0))
        self.rows.append(
            {
                "epoch": epoch + 1,
                **logs,
                "validation_error": float(np.mean(np.square(decoded - self.validation))),
                "accuracy": accuracy(groups, self.labels),
                "seconds": seconds,
            }
        )

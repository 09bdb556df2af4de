"""The training of one autoencoder, and what is seen of it after each epoch."""

import sys
import time

from scaffold import BadInput

import keras
import numpy as np
import pandas as pd
from clustering import accuracy, member_seed, of_neighbours, two_groups, whitening
from keras import ops
from model import Autoencoder, in_batches

SHOWN = (1, 2, 3, 6, 7, 9)  # images of trainX in reconstructions.png, the course's


def fit(args, number, images, validation, labels):
    """Train one autoencoder. Returns it and its history, a row an epoch."""
    seed = member_seed(args, number)
    keras.utils.set_random_seed(seed)
    model = Autoencoder(args.code_size, args.noise, args.method == "contrastive", seed, number + 1)
    steps = args.epochs * -(-len(images) // args.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    # XLA's code for this network is four times as slow on the CPU as TensorFlow's own.
    model.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    watch = Watch(images, validation, labels, args.learning_rate)
    model.fit(
        images.astype(np.float32) / 255,
        batch_size=args.batch_size,
        epochs=args.epochs,
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[watch],
    )
    return model, pd.DataFrame(watch.rows).assign(member=number + 1)


class Watch(keras.callbacks.Callback):
    """rows: dicts, one an epoch, of the losses and of three numbers more.

    validation_error : mean squared error of valX, decoded from its own codes, of pixels 0..1, without noise
    accuracy : on valX, of k-means on the whitened codes of trainX
    seconds : of the epoch's training, without this
    """

    def __init__(self, images, validation, labels, learning_rate):
        super().__init__()
        self.images, self.validation = (part / np.float32(255) for part in (images, validation))
        self.labels, self.learning_rate, self.rows = labels, learning_rate, []

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.began
        decoded = in_batches(self.model, self.validation)
        codes, others = (in_batches(self.model.encoder, part) for part in (self.images, self.validation))
        if not all(np.isfinite(each).all() for each in (list(logs.values()), codes, others)):
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {self.learning_rate} may be "
                "too large; nothing was written."
            )
        if (codes == codes[0]).all():
            raise BadInput(
                f"epoch {epoch + 1}: all images have the same code, --learning-rate {self.learning_rate} "
                "may be too large; nothing was written."
            )
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


def strip(model, images):
    """The images SHOWN, spoilt as in training, and decoded from that: float32 (3, k, 32, 32, 3), 0..1."""
    clean = images[[number for number in SHOWN if number < len(images)]].astype(np.float32) / 255
    spoilt = model.spoilt(ops.convert_to_tensor(clean))
    rows = (clean, spoilt, model(spoilt))
    return np.clip([ops.convert_to_numpy(row) for row in rows], 0, 1)

"""Batches of images out of a memory-mapped file: no more than a batch is ever in memory."""

import keras
import numpy as np
from dataset import as_floats
from device import divisible


class Images(keras.utils.PyDataset):
    """Batches (images, images): what an autoencoder is shown, and what it shall give back.

    images : load_images' array; rows : int (n,), the images of it to use. In training they are mixed
    anew each epoch. What is drawn depends on the seed, the epoch and the batch alone, so a training that was
    stopped goes on as if it had not been.
    """

    def __init__(self, images, rows, batch_size, training=False, seed=0, epoch=0):
        super().__init__()
        self.images, self.rows, self.batch_size = images, rows, batch_size
        self.training, self.seed, self.epoch = training, seed, epoch
        self.shuffle()

    def shuffle(self):
        mixed = np.random.default_rng([self.seed, self.epoch]).permutation(self.rows)
        self.order = divisible(mixed if self.training else self.rows)

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return -(-len(self.order) // self.batch_size)

    def __getitem__(self, index):
        rows = np.sort(self.order[index * self.batch_size : (index + 1) * self.batch_size])
        rng = np.random.default_rng([self.seed, self.epoch, index])
        return self.prepare(as_floats(self.images[rows]), rng)

    def prepare(self, images, rng):
        return images, images

"""The pictures in batches, shuffled anew each epoch by the seed and the epoch alone."""

import keras
import numpy as np


class Batches(keras.utils.PyDataset):
    """Batch after batch of (uint8 pictures (b, n, n, 3), float32 one-hot labels (b, classes)).

    They are cut from arrays in memory, which takes a hundredth of a step, so no thread reads ahead.
    """

    def __init__(self, pictures, labels, classes, batch_size, seed, epoch=0):
        super().__init__()
        self.pictures, self.labels, self.batch_size = pictures, labels, batch_size
        self.one_hot = np.eye(classes, dtype=np.float32)
        self.seed, self.epoch = seed, epoch
        self.shuffle()

    def shuffle(self):
        self.order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.labels))

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

    def __len__(self):
        return -(-len(self.labels) // self.batch_size)

    def __getitem__(self, number):
        indices = self.order[number * self.batch_size : (number + 1) * self.batch_size]
        return self.pictures[indices], self.one_hot[self.labels[indices]]

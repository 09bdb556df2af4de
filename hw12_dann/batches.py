"""Half source, half target: what fit() asks for."""

import keras
import numpy as np


class Pairs(keras.utils.PyDataset):
    """Batches ((source, target), labels) of `half` pictures of each domain, in an order that depends on the
    seed and the epoch alone. An epoch shows the larger domain once, and the smaller as often as it takes.

    source : uint8 (n, ...). labels : int64 (n,). target : uint8 (m, ...)
    """

    def __init__(self, source, labels, target, half, seed, epoch=0):
        super().__init__()
        self.source, self.labels, self.target, self.half = source, labels, target, half
        self.seed, self.epoch = seed, epoch
        self.shuffle()

    def shuffle(self):
        rng = np.random.default_rng([self.seed, self.epoch])
        count = len(self) * self.half
        self.rows, self.others = (
            np.concatenate([rng.permutation(size) for _ in range(-(-count // size))])
            for size in (len(self.source), len(self.target))
        )

    def __len__(self):
        return max(len(self.source), len(self.target)) // self.half

    def __getitem__(self, number):
        part = slice(number * self.half, (number + 1) * self.half)
        rows, others = self.rows[part], self.others[part]
        pictures = self.source[rows].astype(np.float32), self.target[others].astype(np.float32)
        return pictures, self.labels[rows].astype(np.int32)

    def on_epoch_end(self):
        self.epoch += 1
        self.shuffle()

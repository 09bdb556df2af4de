"""Half source, half target: what fit() asks for."""

import keras
import numpy as np


class Pairs(keras.utils.PyDataset):
    """Batches ((source, target, pseudo), labels) of `half` images of each domain, in an order that depends on
    the seed and the epoch alone. An epoch shows the larger domain once, the smaller as often as it takes;
    with pseudo-labels it shows only images of the target that have one, as often as it takes.

    source : uint8 (n, v, ...), of each image one of its v variants is shown. labels : int64 (n,)
    target : uint8 (m, ...)
    """

    def __init__(self, source, labels, target, half, seed):
        super().__init__()
        self.source, self.labels, self.target, self.half, self.seed = source, labels, target, half, seed
        self.begin(0, np.full(len(target), -1, np.int32))

    def begin(self, epoch, pseudo):
        """Draw the order of an epoch, with the target's pseudo-labels, int32 (m,), -1 for none.

        When there are any, no image without one is shown.
        """
        rng = np.random.default_rng([self.seed, epoch])
        count, self.pseudo = len(self) * self.half, pseudo
        shown = np.flatnonzero(self.pseudo >= 0) if (self.pseudo >= 0).any() else np.arange(len(self.target))
        self.rows, self.others = (
            np.concatenate([rng.permutation(some) for _ in range(-(-count // len(some)))])
            for some in (np.arange(len(self.source)), shown)
        )
        self.variants = rng.integers(self.source.shape[1], size=len(self.rows))

    def __len__(self):
        return max(len(self.source), len(self.target)) // self.half

    def __getitem__(self, number):
        part = slice(number * self.half, (number + 1) * self.half)
        rows, others = self.rows[part], self.others[part]
        source = self.source[rows, self.variants[part]].astype(np.float32)
        images = source, self.target[others].astype(np.float32), self.pseudo[others]
        return images, self.labels[rows].astype(np.int32)

"""Batches of sentence pairs of about one length.

Half of the sentences have less than eight words and the longest has thirty. If all were padded to the
longest, three quarters of the arithmetic would be spent on nothing.
"""

import keras
import numpy as np
from dataset import BOS, PAD

WIDTHS = (5, 6, 7, 8, 9, 10, 12, 16)  # and the longest; <EOS> counts


class Batches(keras.utils.PyDataset):
    """((source, target_in), target_out), int32 (n, width) each: target_in is one word behind.

    source and target are int32 (n, length), as Vocabulary.encode makes them. With shuffle the pairs are mixed
    anew in each epoch, in a way that only the seed and the number of the epoch decide.
    """

    def __init__(self, source, target, batch_size, shuffle=False, seed=0, epoch=0):
        super().__init__()
        self.source, self.target = source, target
        self.batch_size, self.shuffle, self.seed, self.epoch = batch_size, shuffle, seed, epoch
        lengths = np.maximum((source != PAD).sum(axis=1), (target != PAD).sum(axis=1))
        self.widths = [width for width in WIDTHS if width < lengths.max()] + [int(lengths.max())]
        self.buckets = np.searchsorted(self.widths, lengths)
        self.deal()

    def deal(self):
        """Deal the pairs into batches: a list of (width, rows)."""
        rng = np.random.default_rng([self.seed, self.epoch])
        order = rng.permutation(len(self.source)) if self.shuffle else np.arange(len(self.source))
        self.batches = []
        for bucket, width in enumerate(self.widths):
            rows = order[self.buckets[order] == bucket]
            cuts = range(self.batch_size, len(rows), self.batch_size)
            self.batches += [(width, part) for part in np.split(rows, cuts) if len(part)]
        if self.shuffle:
            self.batches = [self.batches[index] for index in rng.permutation(len(self.batches))]
        # Keras concludes from the first two batches which axes vary: let them differ.
        other = next((i for i, (width, _) in enumerate(self.batches) if width != self.batches[0][0]), 0)
        self.batches.insert(min(1, other), self.batches.pop(other))

    def on_epoch_end(self):
        self.epoch += 1
        if self.shuffle:
            self.deal()

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, index):
        width, rows = self.batches[index]
        source, target = (padded(side[rows], width) for side in (self.source, self.target))
        began = np.full((len(rows), 1), BOS, np.int32)
        return (source, np.concatenate([began, target[:, :-1]], axis=1)), target


def padded(ids, width):
    """Cut or fill (n, length) to (n, width)."""
    return np.pad(ids[:, :width], [(0, 0), (0, max(0, width - ids.shape[1]))], constant_values=PAD)

"""Quantisation: write a weight with few bits.

Uniform: the weights of an output channel lie on a grid, weight = (code - zero) step, from the smallest to the
largest. Zero is on the grid, and no weight moves by more than half a step (Jacob et al.,
https://arxiv.org/abs/1712.05877).

Shared: the weights of a layer are one of 2^bits values, found by k-means (Han et al., Deep compression,
https://arxiv.org/abs/1510.00149).
"""

import numpy as np

LEAST, MOST = 2, 8  # bits
ROUNDS = 30  # of k-means, at most


def uniform(rows, bits):
    """Put each row on a grid of its own.

    rows: float32 (channels, weights). Returns codes uint8 (channels, weights), zeros uint8 (channels,) and
    steps float16 (channels,). The codes are made with the steps as they are written, so that the error is at
    most half of them.
    """
    top = 2**bits - 1
    low, high = np.minimum(rows.min(axis=1), 0), np.maximum(rows.max(axis=1), 0)
    zeros = np.rint(-low / np.maximum(high - low, 1e-12) * top)
    zeros = np.clip(zeros, low < 0, top - (high > 0))  # a side that has weights needs a place
    sides = [-low / np.maximum(zeros, 1), high / np.maximum(top - zeros, 1), np.full_like(low, 1e-7)]
    steps = np.max(sides, axis=0)
    written = steps.astype(np.float16)
    steps = np.where(written < steps, np.nextafter(written, np.float16(np.inf)), written)
    codes = np.rint(rows / steps[:, None].astype(np.float32)) + zeros[:, None]
    return codes.clip(0, top).astype(np.uint8), zeros.astype(np.uint8), steps


def from_uniform(codes, zeros, steps):
    """The weights of uniform()'s codes: float32 (channels, weights)."""
    return (codes.astype(np.float32) - zeros[:, None]) * steps[:, None].astype(np.float32)


def shared(values, bits):
    """Find 2^bits values that stand for many: k-means on the line.

    values: float32 (weights,). Returns codes uint8 (weights,) and the codebook float16 (2^bits,), rising.
    Where there are zeros, one entry is zero and stands for them.
    """
    ordered = np.sort(values)
    sums = np.concatenate([[0], np.cumsum(ordered, dtype=np.float64)])
    book = np.linspace(ordered[0], ordered[-1], 2**bits)  # as Deep compression found best
    for _ in range(ROUNDS):
        borders = np.searchsorted(ordered, (book[1:] + book[:-1]) / 2)
        ends = np.concatenate([[0], borders, [len(ordered)]])
        counts = np.diff(ends)
        means = np.where(counts > 0, np.diff(sums[ends]) / np.maximum(counts, 1), book)
        if np.array_equal(means, book):
            break
        book = means
    if (values == 0).any():
        book[np.abs(book).argmin()] = 0
    book = np.sort(book).astype(np.float16)
    codes = np.searchsorted((book[1:].astype(np.float32) + book[:-1]) / 2, values)
    return codes.astype(np.uint8), book

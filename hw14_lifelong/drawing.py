"""Drawn digits, for make_synthetic()."""

import numpy as np

# Five columns and seven rows a digit, a row a number: 0b01110 is .###.
FONT = [
    (14, 17, 19, 21, 25, 17, 14),
    (4, 12, 4, 4, 4, 4, 14),
    (14, 17, 1, 2, 4, 8, 31),
    (31, 2, 4, 2, 1, 17, 14),
    (2, 6, 10, 18, 31, 2, 2),
    (31, 16, 30, 1, 1, 17, 14),
    (6, 8, 16, 30, 17, 17, 14),
    (31, 1, 2, 4, 8, 8, 8),
    (14, 17, 17, 14, 17, 17, 14),
    (14, 17, 17, 15, 1, 2, 12),
]


def draw_digits(rng, count, size):
    """Digits at random places: masks bool (count, size, size) and labels int64 (count,)."""
    labels = rng.integers(0, len(FONT), count)
    glyphs = np.array(FONT)[labels][:, :, None] >> np.arange(4, -1, -1) & 1  # (count, 7, 5)
    scale = size // 8
    large = glyphs.repeat(scale, axis=1).repeat(scale, axis=2).astype(bool)
    masks = np.zeros((count, size, size), bool)
    height, width = large.shape[1:]
    for mask, glyph in zip(masks, large):
        top, left = (size - height) // 2 + rng.integers(-1, 2), (size - width) // 2 + rng.integers(-1, 2)
        mask[top : top + height, left : left + width] = glyph
    return masks, labels


def speckled(rng, pictures):
    """Add noise and round to grey levels, uint8."""
    return np.clip(np.rint(pictures + rng.normal(0, 20, pictures.shape)), 0, 255).astype(np.uint8)

"""Shapes for the synthetic pairs: as photographs, as drawings, as white digits and as coloured ones."""

import numpy as np

SHAPES = ("disc", "square", "triangle", "cross")
PEN = 1.2  # pixels: half the width of a drawing's line


def distances(rng, labels, size):
    """How far each pixel lies outside of its image's shape, in pixels, below 0 inside: (n, size, size)."""
    count = len(labels)
    middle_y, middle_x = size / 2 + rng.uniform(-0.08, 0.08, (2, count, 1, 1)) * size
    radius = rng.uniform(0.24, 0.38, (count, 1, 1)) * size
    angle = rng.uniform(-0.25, 0.25, (count, 1, 1))
    y, x = np.mgrid[:size, :size]
    y, x = y - middle_y, x - middle_x
    down, right = x * np.sin(angle) + y * np.cos(angle), np.abs(x * np.cos(angle) - y * np.sin(angle))
    upright = np.maximum(np.abs(down) - radius, right - radius * 0.3)
    level = np.maximum(np.abs(down) - radius * 0.3, right - radius)
    kinds = [
        np.hypot(down, right) - radius,
        np.maximum(np.abs(down), right) - radius * 0.85,
        np.maximum((2 * right - down - radius) / np.sqrt(5), np.abs(down) - radius),
        np.minimum(upright, level),
    ]
    return np.select([(labels == kind)[:, None, None] for kind in range(len(SHAPES))], kinds)


def noisy(rng, values):
    """Values around 0..255 as uint8, with noise."""
    return np.clip(np.rint(values + rng.normal(0, 6, values.shape)), 0, 255).astype(np.uint8)


def photographs(rng, labels, size=32):
    """Coloured shapes before a ground that fades: uint8 (n, size, size, 3)."""
    inside = (distances(rng, labels, size) < 0)[..., None]
    count = len(labels)
    ground = rng.uniform(20, 120, (count, 1, 1, 3)) + np.linspace(-15, 15, size)[:, None, None]
    return noisy(rng, ground + inside * rng.uniform(70, 130, (count, 1, 1, 3)))


def drawings(rng, labels, size=28):
    """White outlines on black: uint8 (n, size, size, 1)."""
    lines = np.clip(PEN + 0.5 - np.abs(distances(rng, labels, size)), 0, 1)[..., None]
    return np.rint(255 * lines).astype(np.uint8)


def white_shapes(rng, labels, size=28):
    """White shapes on black, three equal channels: uint8 (n, size, size, 3)."""
    inside = np.clip(0.5 - distances(rng, labels, size), 0, 1)[..., None]
    return np.repeat(np.rint(255 * inside), 3, axis=-1).astype(np.uint8)


def coloured_shapes(rng, labels, size=28):
    """The difference of a white shape and a coloured ground, as MNIST-M: uint8 (n, size, size, 3).

    The ground is rather dark, so that most shapes stay brighter: a few hundred images must teach it.
    """
    ramp = rng.uniform(-40, 40, (len(labels), 1, 1, 3)) * np.linspace(-1, 1, size)[:, None]
    ground = rng.uniform(0, 120, (len(labels), 1, 1, 3)) + ramp
    return noisy(rng, np.abs(np.clip(ground, 0, 255) - white_shapes(rng, labels, size)))

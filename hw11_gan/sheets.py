"""Sheets of images: uint8 arrays (n, size, size, 3) -> one image."""

import numpy as np
from PIL import Image

GAP = 2  # white pixels between two images


def sheet(images, columns):
    """Rows of `columns` images each, as a PIL image; the last row may be shorter."""
    size = images.shape[1]
    rows = -(-len(images) // columns)
    cell = size + GAP
    canvas = np.full((rows * cell - GAP, columns * cell - GAP, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * cell, number % columns * cell
        canvas[top : top + size, left : left + size] = image
    return Image.fromarray(canvas)


def walk(first, last, steps):
    """From one noise to another on the sphere between them: (NOISE,) twice -> (steps, NOISE).

    Noises of a hundred normal numbers all have nearly the same length. The straight line between two of them
    leaves that shell, and its middle is a noise that training never drew (White 2016).
    """
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    angle = np.arccos(np.clip(first @ last / (lengths[0] * lengths[1]), -1, 1))
    share = np.linspace(0, 1, steps)[:, None]
    between = (np.sin((1 - share) * angle) * first + np.sin(share * angle) * last) / np.sin(angle)
    return between.astype(np.float32)


def nearest(images, faces):
    """For each image the face that is nearest to it, pixel by pixel, both seen at an eighth of the size.

    Shows whether a generator repeats what it has seen. Returns uint8 of the shape of `images`.
    """
    small = [shrunk(array) for array in (images, faces)]
    squares = np.square(small[1]).sum(axis=1) - 2 * small[0] @ small[1].T
    return faces[np.argmin(squares, axis=1)]


def shrunk(images, times=8):
    """uint8 (n, size, size, 3) -> float64 (n, numbers): the means of squares of `times` pixels a side."""
    count, size = images.shape[:2]
    squares = images.reshape(count, size // times, times, size // times, times, 3)
    return squares.mean(axis=(2, 4)).reshape(count, -1)

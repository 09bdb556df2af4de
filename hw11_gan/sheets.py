"""Sheets of images: uint8 arrays (n, size, size, 3) -> one image, or one file that shows a training."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

GAP = 2  # white pixels between two images
CAPTION = 16  # pixels above a sheet of the flip-book
SECONDS, LAST_SECONDS = 0.3, 3  # that a sheet of it is shown, and the last one


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


def plot_rows(rows, columns):
    """A figure with the first images of each array in a row: {name of the row: (n, size, size, 3)}."""
    figure = Figure(figsize=(columns, 0.85 * len(rows)), layout="constrained", dpi=100)
    for axes, (name, images) in zip(figure.subplots(len(rows), squeeze=False)[:, 0], rows.items()):
        axes.imshow(np.concatenate(list(images[:columns]), axis=1))
        axes.set_ylabel(textwrap.fill(name, 14), rotation=0, ha="right", va="center", fontsize=8)
        axes.set(xticks=[], yticks=[])
    return figure


def write_flip_book(sheets, path):
    """Write the sheets of a training, {epoch: PNG file}, as one GIF that shows them in turn."""
    frames = []
    for epoch, file in sheets.items():
        with Image.open(file) as image:
            frame = Image.new("RGB", (image.width, image.height + CAPTION), "white")
            frame.paste(image, (0, CAPTION))
        ImageDraw.Draw(frame).text((GAP, GAP), f"epoch {epoch} of {max(sheets)}", "black")
        frames.append(frame.quantize(128))
    durations = [1000 * SECONDS] * (len(frames) - 1) + [1000 * LAST_SECONDS]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0)


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

"""Bring both domains to one form: photographs become edges, as in the course, or both keep their colours."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from tqdm import tqdm

GREY = np.array([0.299, 0.587, 0.114])  # ITU-R 601: how bright red, green and blue look

SMOOTHING = 1.5  # pixels, of Canny's Gaussian: outlines stay, textures go
PEN, PRESSURE = 0.7, 1.25  # pixels, of the Gaussian that makes an edge a pen's line; how white it is
INK = 32  # a brighter pixel is drawn on


def prepare(source, target, edges):
    """Two domains in one form, computed once.

    source : uint8 (n, h, w, c). target : uint8 (m, h', w', c'), made h x w if it is of another size
    edges : True, the source becomes grey edges and the target grey; False, both keep their colours
    Returns uint8 (n, h, w, 1) and (m, h, w, 1), or (n, h, w, 3) and (m, h, w, 3) if one has colours.
    """
    _, height, width, channels = source.shape
    if target.shape[1:3] != (height, width):
        print(f"the target's pictures are made {width}x{height}, as the source's")
    channels = 1 if edges else max(channels, target.shape[-1])
    target = as_target(target, (height, width, channels))
    if edges:
        return centred(edges_of(source)), centred(target)
    return with_channels(source, channels), target


def as_target(pictures, shape):
    """uint8 (n, h, w, c) in another shape: resized, made grey, or given three equal channels."""
    height, width, channels = shape
    if pictures.shape[1:3] != (height, width):
        small = [Image.fromarray(picture.squeeze()) for picture in pictures]
        large = [np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR)) for picture in small]
        pictures = np.stack(large).reshape(len(pictures), height, width, -1)
    return with_channels(pictures, channels)


def with_channels(pictures, channels):
    """uint8 (n, h, w, c) -> uint8 (n, h, w, channels): grey, or three equal channels of grey."""
    if channels == 1 and pictures.shape[-1] == 3:
        return np.rint(pictures @ GREY).astype(np.uint8)[..., None]
    return np.repeat(pictures, channels // pictures.shape[-1], axis=-1)


def edges_of(pictures):
    """Canny's edges of pictures uint8 (n, h, w, c) -> uint8 (n, h, w, 1): white on black.

    As thick and as soft as a pen's lines, for a line of one pixel would tell the domains apart.
    """
    from skimage.feature import canny  # here: scikit-image is slow to import, and predict.py needs no edges
    from skimage.filters import gaussian

    def edges(picture):
        return PRESSURE * gaussian(canny(picture[..., 0] / 255, SMOOTHING).astype(float), PEN)

    with ThreadPoolExecutor() as pool:
        grey = with_channels(pictures, 1)
        found = list(tqdm(pool.map(edges, grey), "edges", len(grey), disable=None))
    return np.rint(255 * np.minimum(found, 1))[..., None].astype(np.uint8)


def centred(pictures):
    """uint8 (n, h, w, 1) with the box around all that is drawn moved to the middle."""
    moved = pictures.copy()
    for picture in moved:
        indices = np.argwhere(picture[..., 0] > INK)  # (k, 2)
        if len(indices):
            middle = (indices.min(axis=0) + indices.max(axis=0) + 1) // 2
            shift = np.array(picture.shape[:2]) // 2 - middle
            picture[:] = np.roll(picture, shift, axis=(0, 1))
    return moved

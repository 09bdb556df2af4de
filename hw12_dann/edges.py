"""Bring both domains to one form: photographs become edges, as in the course, or both keep their colours.

No setting of an edge detector suits every photograph: one leaves the clutter of the background, another wipes
the wheels off a car. So each photograph has as many pictures of edges as VARIANTS, and the training draws one
anew each time: what they have in common is the outline, which a drawing has too.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image
from tqdm import tqdm

GREY = np.array([0.299, 0.587, 0.114])  # ITU-R 601: how bright red, green and blue look

CANNY = [  # pixels of the Gaussian; the share of pixels whose gradient is too small, None: a fixed threshold
    (1.5, None),
    (1.0, 0.9),
    (1.5, 0.8),
    (1.5, 0.9),
    (2.0, 0.9),
]
GRADIENTS = [0.7, 1.0, 1.5]  # pixels of the Gaussian: how fast the brightness changes, without a threshold
BRIGHTEST = 0.95  # the share of gradients that are not drawn fully white
VARIANTS = len(CANNY) + len(GRADIENTS)
PEN, PRESSURE = 0.7, 1.25  # pixels, of the Gaussian that makes an edge a pen's line; how white it is
INK = 32  # a brighter pixel is drawn on


def prepare(source, target, edges):
    """Two domains in one form, computed once.

    source : uint8 (n, h, w, c). target : uint8 (m, h', w', c'), made h x w if it is of another size
    edges : True, the source becomes grey edges and the target grey; False, both keep their colours
    Returns the source uint8 (n, v, h, w, 1), v = VARIANTS for edges and otherwise 1, and the target uint8
    (m, h, w, 1); both with 3 channels if one has colours.
    """
    _, height, width, channels = source.shape
    if target.shape[1:3] != (height, width):
        print(f"the target's images are made {width}x{height}, as the source's")
    channels = 1 if edges else max(channels, target.shape[-1])
    target = as_target(target, (height, width, channels), edges)
    return edges_of(source) if edges else with_channels(source, channels)[:, None], target


def as_target(images, shape, edges):
    """The target as it is trained on: uint8 (n, h, w, c) in another shape, resized, grey or in colours.

    edges: the source is made of edges, so what is drawn is moved to the middle, as those are.
    """
    height, width, channels = shape
    if images.shape[1:3] != (height, width):
        small = [Image.fromarray(image.squeeze()) for image in images]
        large = [np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)) for image in small]
        images = np.stack(large).reshape(len(images), height, width, -1)
    images = with_channels(images, channels)
    return centred(images) if edges else images


def with_channels(images, channels):
    """uint8 (n, h, w, c) -> uint8 (n, h, w, channels): grey, or three equal channels of grey."""
    if channels == 1 and images.shape[-1] == 3:
        return np.rint(images @ GREY).astype(np.uint8)[..., None]
    return np.repeat(images, channels // images.shape[-1], axis=-1)


def edges_of(images):
    """Every variant of the edges of images uint8 (n, h, w, c): uint8 (n, VARIANTS, h, w, 1), white on black.

    Canny's lines are made as thick and as soft as a pen's: lines of one pixel would tell the domains apart.
    """
    from skimage import feature, filters  # slow to import, and predict.py needs no edges

    def variants(image):
        grey = image @ GREY if image.shape[-1] == 3 else image[..., 0]
        for smoothing, share in CANNY:
            if share is None:
                lines = feature.canny(grey, smoothing)
            else:
                lines = feature.canny(grey, smoothing, share - 0.1, share, use_quantiles=True)
            yield PRESSURE * filters.gaussian(lines.astype(float), PEN)
        for smoothing in GRADIENTS:
            smooth = filters.gaussian(image, smoothing, channel_axis=-1)
            # of the colour that changes most
            change = np.hypot(*np.gradient(smooth, axis=(0, 1))).max(axis=-1)
            yield change / max(np.quantile(change, BRIGHTEST), 1e-6)

    def edges(image):
        found = np.stack(list(variants(image / 255)))[..., None]
        return np.rint(255 * np.minimum(found, 1)).astype(np.uint8)

    with ThreadPoolExecutor() as pool:
        return np.stack(list(tqdm(pool.map(edges, images), "edges", len(images), ncols=80, disable=None)))


def centred(images):
    """uint8 (n, h, w, 1) with the box around all that is drawn moved to the middle."""
    moved = images.copy()
    for image in moved:
        indices = np.argwhere(image[..., 0] > INK)  # (k, 2)
        if len(indices):
            middle = (indices.min(axis=0) + indices.max(axis=0) + 1) // 2
            shift = np.array(image.shape[:2]) // 2 - middle
            image[:] = np.roll(image, shift, axis=(0, 1))
    return moved

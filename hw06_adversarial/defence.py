"""Passive defences: smooth the picture before the classifier sees it, and hope that it is the attack that
goes.

Nothing is trained and nothing detected. Each maps uint8 (n, h, w, 3) to the same. The slides of homework 6;
Xu et al., "Feature squeezing", 2018; Guo et al., "Countering adversarial images using input transformations",
2018.
"""

import io

import numpy as np
from PIL import Image, ImageFilter


def gaussian(pictures, radius):
    """Blur with a Gaussian whose deviation is `radius` pixels."""
    return each(pictures, lambda picture: picture.filter(ImageFilter.GaussianBlur(radius)))


def median(pictures, size):
    """Replace every value by the median of the size x size around it (size odd)."""
    return each(pictures, lambda picture: picture.filter(ImageFilter.MedianFilter(size)))


def jpeg(pictures, quality):
    """Store as JPEG of that quality, 1..95, and read back: what the eye does not miss is rounded away."""

    def stored(picture):
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return each(pictures, stored)


def each(pictures, change):
    return np.stack([np.asarray(change(Image.fromarray(picture))) for picture in pictures])

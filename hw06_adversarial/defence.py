"""Passive defences: smooth the image before the classifier sees it, and hope that it is the attack that
goes.

Nothing is trained and nothing detected. Each maps uint8 (n, h, w, 3) to the same. The slides of homework 6;
Xu et al., "Feature squeezing", 2018; Guo et al., "Countering adversarial images using input transformations",
2018.
"""

import io

import numpy as np
from PIL import Image, ImageFilter


def gaussian_blur(images, radius):
    """Blur with a Gaussian whose deviation is `radius` pixels."""
    return each(images, lambda image: image.filter(ImageFilter.GaussianBlur(radius)))


def median(images, size):
    """Replace every value by the median of the size x size around it (size odd)."""
    return each(images, lambda image: image.filter(ImageFilter.MedianFilter(size)))


def jpeg(images, quality):
    """Store as JPEG of that quality, 1..95, and read back: what the eye does not miss is rounded away."""

    def stored(image):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file).convert("RGB")

    return each(images, stored)


def each(images, change):
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])

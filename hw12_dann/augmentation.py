"""Augmentation, weak and strong: an image turned, scaled, shifted, mirrored, in other colours.

Images are float32 (n, h, w, c), pixels 0..255, in and out. Everything is in Keras' operations, so it runs
inside the compiled step on any backend.
"""

import math
from dataclasses import dataclass

from keras import ops, random

GREY = 127.5  # the middle of the pixels


@dataclass(frozen=True)
class Augmentation:
    """How far an image is changed. Of each pair the first is for weak augmentation, the second for strong."""

    degrees: tuple  # turned by as much, either way
    scales: tuple  # (smallest, largest)
    shifts: tuple  # of the side, either way
    mirror: bool
    colours: bool  # in strong augmentations: inverted and stretched
    fill: str  # of what comes in from outside: affine_transform's fill_mode, with zeros for "constant"

    def weak(self, images, generator):
        return self.moved(images, generator, 0)

    def strong(self, images, generator):
        images = self.moved(images, generator, 1)
        return recoloured(images, generator) if self.colours else images

    def moved(self, images, generator, strong):
        count, height, width, _ = ops.shape(images)

        def uniform(low, high):
            return random.uniform((count,), low, high, seed=generator)

        angle = uniform(-1.0, 1.0) * math.pi / 180 * self.degrees[strong]
        inverse = 1 / uniform(*self.scales[strong])  # an output pixel says where in the input it looks
        side = ops.sign(uniform(-1.0, 1.0)) if self.mirror else 1.0
        a, b = side * inverse * ops.cos(angle), -inverse * ops.sin(angle)
        c, d = side * inverse * ops.sin(angle), inverse * ops.cos(angle)
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        right = middle_x + uniform(-1.0, 1.0) * self.shifts[strong] * width
        down = middle_y + uniform(-1.0, 1.0) * self.shifts[strong] * height
        # Output (x, y) is input (a x + b y + e, c x + d y + f); the middle looks at (right, down).
        e, f = right - a * middle_x - b * middle_y, down - c * middle_x - d * middle_y
        zero = ops.zeros((count,))
        transform = ops.stack([a, b, e, c, d, f, zero, zero], axis=1)  # (n, 8)
        return ops.image.affine_transform(
            images, transform, interpolation="bilinear", fill_mode=self.fill, fill_value=0.0
        )


def recoloured(images, generator):
    """Invert half of the images; stretch and shift each channel: light on dark, or dark on light."""
    count, _, _, channels = ops.shape(images)
    side = ops.sign(random.uniform((count, 1, 1, 1), -1.0, 1.0, seed=generator))
    gain = random.uniform((count, 1, 1, channels), 0.4, 1.2, seed=generator)
    offset = random.uniform((count, 1, 1, channels), -0.4, 0.4, seed=generator)
    return GREY * (1 + offset) + (images - GREY) * side * gain


EDGES = Augmentation(
    (15, 30), ((0.8, 1.15), (0.6, 1.25)), (0.08, 0.15), mirror=True, colours=False, fill="constant"
)
COLOURS = Augmentation(
    (10, 20), ((0.9, 1.1), (0.8, 1.2)), (0.07, 0.1), mirror=False, colours=True, fill="nearest"
)

"""The mean over several classifiers, and over several versions of each image: test-time augmentation."""

from scaffold import BadInput

import numpy as np
from model import at_other_sizes, load_classifier
from scipy.special import softmax

SHIFTS = [(0, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]  # times STEP, of an image flipped and not
STEP = 1 / 16  # of the side
SIZES = (7 / 9, 8 / 9, 1, 10 / 9)  # times the side to which a model scales its images


def load_models(paths):
    """The classifiers of whole Keras files. Raises BadInput when one is none, or their classes differ."""
    models = []
    for path in paths:
        try:
            models.append(load_classifier(path))
        except BadInput:
            raise
        except ValueError as error:
            raise BadInput(
                f"{path} is no classifier of square RGB images ({error}); give a model.keras of train.py."
            ) from error
        if models[-1].output_shape[1] != models[0].output_shape[1]:
            raise BadInput(
                f"{path} has {models[-1].output_shape[1]} classes, expected {models[0].output_shape[1]} as "
                f"{paths[0]}; give models of the same classes."
            )
    return models


def mean_probabilities(models, images, tta=False):
    """The mean over models of probabilities(): float (N, classes).

    images: for each side that a model takes its images in, uint8 (N, side, side, 3).
    """
    return np.mean([probabilities(model, images[model.input_shape[1]], tta) for model in models], axis=0)


def probabilities(model, images, tta=False):
    """The probability of each class: uint8 (N, n, n, 3) -> float32 (N, classes).

    With tta it is the mean over versions of each image and of its mirror image: of a model that scales its
    images first, as one trained on crops does, at SIZES; of another model shifted to the four corners.
    """
    if not tta:
        versions = [(model, images)]
    elif resized := at_other_sizes(model, SIZES):
        versions = [(other, version) for other in resized for version in (images, images[:, :, ::-1])]
    else:
        versions = [(model, version) for version in shifted(images)]
    outputs = (other.predict(version, batch_size=500, verbose=0) for other, version in versions)
    total = sum(map(normalised, outputs))
    return total / total.sum(axis=1, keepdims=True)


def normalised(outputs):
    """Probabilities of logits (N, classes), or of what is probabilities already: rows that sum to one."""
    already = (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
    return outputs if already else softmax(outputs, axis=1)


def shifted(images):
    """Yield the images as they are and shifted by a step to the four corners, and all that mirrored.

    What a shift lacks at the border is the image mirrored.
    """
    step, side = max(1, round(images.shape[1] * STEP)), images.shape[1]
    bordered = np.pad(images, [(0, 0), (step, step), (step, step), (0, 0)], mode="reflect")
    for version in (bordered, bordered[:, :, ::-1]):
        for down, right in SHIFTS:
            top, left = step * (1 + down), step * (1 + right)
            yield version[:, top : top + side, left : left + side]

"""All that is asked of a classifier about some images.

METHODS, by their names: (model, images, classes, layer) -> maps (n, h, w), large where it matters.
"""

from scaffold import HELP, BadInput

import numpy as np
from device import load_keras
from faithfulness import probability
from filters import activation_maps, dream, strongest
from lime import lime
from model import find_layer, scores_of
from saliency import grad_cam, saliency, smoothgrad
from tqdm import tqdm

METHODS = {
    "saliency": lambda model, images, classes, layer=None: saliency(model, images, classes),
    "SmoothGrad": lambda model, images, classes, layer=None: smoothgrad(model, images, classes),
    "Grad-CAM": grad_cam,
    "LIME": lambda model, images, classes, layer=None: lime(model, images, classes),
}


def load_classifier(path):
    """A classifier of square RGB images, of a whole Keras file. Raises BadInput when it is none."""
    model = load_keras(path)
    try:
        (_, height, width, channels), (_, classes) = map(tuple, (model.input_shape, model.output_shape))
    except (TypeError, ValueError) as error:  # several inputs or outputs, or of other dimensions
        raise BadInput(
            f"{path} takes {model.input_shape} and gives {model.output_shape}, expected square RGB images "
            f"and a number for each class; {HELP}."
        ) from error
    if (height, channels) != (width, 3) or height is None or not isinstance(classes, int) or classes < 2:
        raise BadInput(
            f"{path} takes {model.input_shape[1:]} and says {classes} numbers, expected square RGB images "
            f"and a number for each class; {HELP}."
        )
    model.compile(jit_compile=False)  # compiling takes longer than predicting
    return model


def look(model, images, name, filters, count):
    """What the model makes of images uint8 (n, s, s, 3).

    Returns the layer of this name, or if None the last convolution; the classes that the model predicts (n,);
    the layer's maps (n, rows, columns, k); and which of its filters to look at: those that are given, or if
    None the `count` that respond most. Raises BadInput when there is no such layer or filter.
    """
    layer = find_layer(model, name)
    predicted = np.asarray(scores_of(model, images.astype(np.float32))).argmax(axis=1)
    responses = activation_maps(model, layer, images)
    filters = strongest(responses, count) if filters is None else filters
    for number in filters:
        if not 0 <= number < layer.output.shape[-1]:
            raise BadInput(f"--filters {number}: expected 0 to {layer.output.shape[-1] - 1} of {layer.name}.")
    return layer, predicted, responses, filters


def explain(model, layer, images, classes, filters, seen_by=None):
    """Why these classes (n,)? seen_by: the name of the layer that Grad-CAM looks at, else the last maps.

    Returns {name of a method: maps (n, s, s)}, what the layer's filters look for (filters, s, s, 3), and the
    probabilities of the classes (n,).
    """
    methods = tqdm(METHODS.items(), "maps", ncols=80, disable=None)
    maps = {name: method(model, images, classes, seen_by) for name, method in methods}
    return maps, dream(model, layer, filters), probability(model, images, classes)

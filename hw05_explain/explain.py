"""All that is asked of a classifier about some images.

METHODS, by their names: (model, images, classes, layer, seed) -> maps (n, h, w), large where it matters.
Those of SIGNED are below 0 where an image speaks against the class.
"""

from scaffold import HELP, BadInput

from device import load_keras
from faithfulness import probability
from filters import activation_maps, dream, strongest
from lime import lime
from model import all_scores, depths, find_layer
from saliency import grad_cam, integrated_gradients, saliency, smoothgrad
from tqdm import tqdm

METHODS = {
    "saliency": lambda model, images, classes, layer=None, seed=0: saliency(model, images, classes),
    "SmoothGrad": lambda model, images, classes, layer=None, seed=0: smoothgrad(
        model, images, classes, seed=seed
    ),
    "Grad-CAM": lambda model, images, classes, layer=None, seed=0: grad_cam(model, images, classes, layer),
    "integrated gradients": lambda model, images, classes, layer=None, seed=0: integrated_gradients(
        model, images, classes
    ),
    "LIME": lambda model, images, classes, layer=None, seed=0: lime(model, images, classes, seed=seed),
}
SIGNED = ("integrated gradients", "LIME")


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


def predict_and_activate(model, images, name, filters, count):
    """What the model makes of images uint8 (n, s, s, 3).

    Returns the classes that the model predicts (n,); and of the layer of this name, or if None of those at
    three depths, (the layer, its maps (n, rows, columns, k), which of its filters to look at): the `count`
    that respond most or, in the last layer, those that are given. Raises BadInput when there is no such layer
    or filter.
    """
    seen_by = [find_layer(model, name)] if name else depths(model)
    *_, last = seen_by
    for number in [] if filters is None else filters:
        if not 0 <= number < last.output.shape[-1]:
            raise BadInput(f"--filters {number}: expected 0 to {last.output.shape[-1] - 1} of {last.name}.")
    predicted = all_scores(model, images).argmax(axis=1)
    seen = []
    for layer in seen_by:
        responses = activation_maps(model, layer, images)
        given = filters if layer is last else None
        seen.append((layer, responses, strongest(responses, count) if given is None else given))
    return predicted, seen


def explain(model, images, classes, seen, seen_by=None):
    """Why these classes (n,)? seen: what predict_and_activate() returns. seen_by: Grad-CAM's layer, or None.

    Returns {name of a method: maps (n, s, s)}, what the filters of each layer look for (filters, s, s, 3),
    and the probabilities of the classes (n,).
    """
    methods = tqdm(METHODS.items(), "maps", ncols=80, disable=None)
    maps = {name: method(model, images, classes, seen_by) for name, method in methods}
    dreams = [dream(model, layer, filters) for layer, _, filters in seen]
    return maps, dreams, probability(model, images, classes)

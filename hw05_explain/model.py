"""The classifier that is explained: any whole Keras file, or a small one of this chapter's own.

    shape of the small one        what
    (batch, 32, 32, 3)            pixels, 0 to 255, scaled to -1..1
    (batch, 16, 16, 32)           3 x 3 convolution, batch normalisation, ReLU, pooling
    (batch, 8, 8, 64)             the same
    (batch, 4, 4, 128)            the same
    (batch, 4, 4, 128)            a last convolution, batch normalisation, ReLU
    (batch, 128)                  the mean over the positions
    (batch, classes)              logits

A model's own preprocessing, if it has any, lies inside it: it takes pixels from 0 to 255.
"""

from scaffold import HELP, BadInput

import keras
import numpy as np
from keras import layers, ops

PIXELS = 1_000_000  # that a model is shown at a time
CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D, layers.Conv2DTranspose)
NORMALISATIONS = (layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization)


def build_small(size, classes):
    """pixels (batch, size, size, 3) -> logits (batch, classes)."""
    pixels = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    for number, filters in enumerate((32, 64, 128, 128), 1):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"convolution_{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        if number < 4:
            x = layers.MaxPooling2D(padding="same")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(pixels, layers.Dense(classes, name="logits")(x), name="small")


def at_once(size):
    """How many images of size x size a model is shown at a time: its maps of all are in memory together."""
    return max(1, PIXELS // size**2)


def parts(images):
    """Slices of images (n, size, size, 3), of as many as a model is shown at a time."""
    count = at_once(images.shape[1])
    return [slice(start, start + count) for start in range(0, len(images), count)]


def scores_of(model, pixels):
    """Pixels (n, size, size, 3), 0 to 255 -> (n, classes): logits; after a softmax, log-probabilities."""
    return as_scores(model, model(pixels, training=False))


def all_scores(model, images):
    """The same of any number of images: an array (n, classes)."""
    return np.concatenate(
        [np.asarray(scores_of(model, ops.cast(images[part], "float32"))) for part in parts(images)]
    )


def as_scores(model, outputs):
    last = model.layers[-1]
    while isinstance(last, keras.Model):  # a model inside the model
        last = last.layers[-1]
    ends_with_softmax = isinstance(last, layers.Softmax) or (
        getattr(last, "activation", None) is keras.activations.softmax
    )
    return ops.log(ops.maximum(outputs, 1e-12)) if ends_with_softmax else outputs


def find_layer(model, name=None):
    """The layer of this name, or the last convolution: its outputs are maps (batch, rows, columns, k).

    A model inside the model counts as one layer. Raises BadInput when there is none, or it makes no maps.
    """
    if name is not None:
        inner = [layer for layer in model.layers if not isinstance(layer, layers.InputLayer)]
        found = [layer for layer in inner if layer.name == name]
        if not found:
            names = ", ".join(layer.name for layer in inner)
            raise BadInput(f"--layer {name}: the model has no such layer, expected one of {names}.")
    else:
        found = [model.layers[index] for index in convolutions(model)]
        if not found:
            raise BadInput(
                f"the model {model.name} has no convolution, so it has no maps to look at; {HELP}."
            )
    if len(found[-1].output.shape) != 4:
        raise BadInput(f"--layer {found[-1].name}: its output is {found[-1].output.shape}, expected maps.")
    return found[-1]


def convolutions(model):
    """The indices of the layers that convolve; one whose output has one position has no map to look at."""
    return [
        index
        for index, layer in enumerate(model.layers)
        if convolves(layer) and tuple(layer.output.shape[1:3]) != (1, 1)
    ]


def convolves(layer):
    if isinstance(layer, keras.Model):
        return len(layer.output_shape) == 4 and any(convolves(inner) for inner in layer.layers)
    return isinstance(layer, CONVOLUTIONS)


def last_maps(model):
    """The last layer whose output has the positions of the last convolution: its normalisation's, its ReLU's.

    A convolution before its normalisation has any mean, and a sum of its maps would say little.
    """
    convolution = find_layer(model)
    size = convolution.output.shape[1:3]
    later = model.layers[model.layers.index(convolution) :]
    kept = [layer for layer in later if layer.output.shape[1:3] == size and len(layer.output.shape) == 4]
    return kept[-1]


def depths(model, count=3):
    """The convolutions at `count` depths, from the first to the last: of each the layer that normalises its
    maps, or itself where none does. Maps before their normalisation have any mean and cannot be compared."""
    find_layer(model)  # there is one
    found = convolutions(model)
    chosen = {found[round(position)] for position in np.linspace(0, len(found) - 1, count)}
    return [normalised(model, index) for index in sorted(chosen)]


def normalised(model, index):
    for layer in model.layers[index + 1 :]:
        if isinstance(layer, NORMALISATIONS):
            return layer
        if convolves(layer):
            break
    return model.layers[index]


def with_maps(model, layer):
    """The model with a layer's maps beside its own output: pixels -> [maps, outputs].

    The layers are called anew, for the maps of a model inside of the model belong to the inner one's inputs.
    """
    called = {}

    def call(inner, *args, **kwargs):
        called[inner.name] = inner(*args, **kwargs)
        return called[inner.name]

    if isinstance(model, keras.Sequential):
        inputs = outputs = keras.Input(model.input_shape[1:])
        for inner in model.layers:
            outputs = call(inner, outputs)
    else:
        again = keras.models.clone_model(model, call_function=call, clone_function=lambda inner: inner)
        inputs, outputs = again.inputs, again.outputs[0]
    return keras.Model(inputs, [called[layer.name], outputs])

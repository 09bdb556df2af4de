"""The three networks. All are small: pictures have 28 or 32 pixels a side.

| network       | shapes                                                                             |
|---------------|------------------------------------------------------------------------------------|
| extractor     | (32, 32, c) -> (16, 16, 32) -> (8, 8, 64) -> (4, 4, 128) -> features (2048,)       |
| predictor     | features -> 128 -> logits (classes,)                                               |
| discriminator | features -> 128 -> logit (1,), of being target                                     |

ReLU in between. The features are normalised, each picture's own to mean 0 and deviation 1, or the adversary
would win by making them ever larger. There is no batch normalisation: a batch holds both domains, and their
common mean and deviation would bring the target into the source's labels, even without an adversary.
"""

from scaffold import BadInput

import keras
import numpy as np
from device import load_keras
from keras import layers, ops

FILTERS = (32, 64, 128)
UNITS = 128
SMALLEST = 8  # pixels a side: it is halved three times


def build_extractor(shape, mean, deviation, precision="float32"):
    """A model of pixels 0..255 (n, h, w, c) -> features float32 (n, h / 8 * w / 8 * 128).

    mean, deviation : of all pixels of both domains, which they are brought to 0 and 1 with
    """
    inputs = keras.Input(shape, name="pixels")
    scaling = layers.Rescaling(1 / deviation, -mean / deviation, dtype="float32", name="standardised")
    hidden = scaling(inputs)
    strides = (2, 1, 1)  # the first halves the picture itself: half of all the work would be in full size
    for number, (filters, stride) in enumerate(zip(FILTERS, strides), 1):
        hidden = layers.Conv2D(
            filters,
            3,
            stride,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            dtype=precision,
            name=f"convolution_{number}",
        )(hidden)
        if stride == 1:
            hidden = layers.MaxPooling2D(padding="same", dtype=precision, name=f"pooling_{number}")(hidden)
    hidden = layers.Flatten(name="flatten")(hidden)
    features = layers.LayerNormalization(dtype="float32", name="features")(hidden)
    return keras.Model(inputs, features, name="extractor")


def build_head(size, outputs, name, precision="float32"):
    """A model of features (n, size) -> logits float32 (n, outputs): predictor or discriminator."""
    inputs = keras.Input((size,), name="features")
    hidden = layers.Dense(UNITS, activation="relu", dtype=precision, name="hidden")(inputs)
    return keras.Model(inputs, layers.Dense(outputs, dtype="float32", name="logits")(hidden), name=name)


def whole_model(extractor, predictor):
    """What is saved: pixels 0..255 (n, h, w, c) -> logits (n, classes) and features (n, d)."""
    features = extractor(extractor.input)
    return keras.Model(extractor.input, [predictor(features), features], name="whole")


def load_model(path):
    """Read model.keras. Raises BadInput when it is missing, cut short, or of something else."""
    model = load_keras(path)
    outputs = [len(shape) for shape in model.output_shape] if isinstance(model.output_shape, list) else []
    if outputs != [2, 2] or not all(np.isfinite(weight).all() for weight in model.get_weights()):
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    return model


def outputs_of(model, pictures, batch=500):
    """A whole model's log-probabilities float32 (n, classes) and features (n, d) of pictures uint8."""
    parts = []
    for start in range(0, len(pictures), batch):
        outputs = model(pictures[start : start + batch].astype(np.float32))
        parts.append([ops.convert_to_numpy(ops.cast(output, "float32")) for output in outputs])
    logits, features = (np.concatenate(part) for part in zip(*parts))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), features

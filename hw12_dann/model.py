"""The three networks. All are small: images have 28 or 32 pixels a side.

| network       | shapes                                                                                   |
|---------------|------------------------------------------------------------------------------------------|
| extractor     | (32, 32, c) -> 2 x (16, 16, 32) -> 2 x (8, 8, 64) -> 2 x (4, 4, 128) -> features (2048,) |
| predictor     | features -> 128 -> logits (classes,)                                                     |
| discriminator | features -> 128 -> logit (1,), of being target                                           |

Each convolution is followed by batch normalisation and ReLU. In training, source and target go through it
by themselves, each with its own mean and deviation (Li et al. 2018): a common one would bring the target into
the source's labels, even without an adversary. What is saved has the target's. The features are normalised,
each image's own to mean 0 and deviation 1, or the adversary would win by making them ever larger.
"""

from scaffold import BadInput

import keras
import numpy as np
from device import load_keras
from keras import layers, ops

FILTERS = (32, 64, 128)
UNITS = 128
DROPOUT = 0.3  # of the features, before the predictor
SETTLING = 60  # batches; after them the old statistics weigh less than 0.2 %
MEMORY = 0.9  # of the batch normalisation's running mean and deviation


def build_extractor(shape, mean, deviation, precision="float32"):
    """A model of pixels 0..255 (n, h, w, c) -> features float32 (n, h / 8 * w / 8 * 128).

    mean, deviation : of all pixels of both domains, which they are brought to 0 and 1 with
    """
    inputs = keras.Input(shape, name="pixels")
    scaling = layers.Rescaling(1 / deviation, -mean / deviation, dtype="float32", name="standardised")
    hidden = scaling(inputs)
    for number, filters in enumerate(FILTERS):
        for stride in (1 if number else 2, 1):  # the first halves the image itself, or most work were on it
            convolution = layers.Conv2D(
                filters,
                3,
                stride,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                dtype=precision,
            )
            hidden = layers.BatchNormalization(momentum=MEMORY, dtype=precision)(convolution(hidden))
            hidden = layers.ReLU(dtype=precision)(hidden)
        if number < len(FILTERS) - 1:
            hidden = layers.MaxPooling2D(padding="same", dtype=precision)(hidden)
    hidden = layers.Flatten(name="flatten")(hidden)
    features = layers.LayerNormalization(dtype="float32", name="features")(hidden)
    return keras.Model(inputs, features, name="extractor")


def build_head(size, outputs, name, precision="float32"):
    """A model of features (n, size) -> logits float32 (n, outputs): predictor or discriminator."""
    inputs = keras.Input((size,), name="features")
    hidden = layers.Dropout(DROPOUT, dtype=precision)(inputs)
    hidden = layers.Dense(UNITS, activation="relu", dtype=precision, name="hidden")(hidden)
    return keras.Model(inputs, layers.Dense(outputs, dtype="float32", name="logits")(hidden), name=name)


def whole_model(extractor, predictor):
    """What is saved: pixels 0..255 (n, h, w, c) -> logits (n, classes) and features (n, d)."""
    features = extractor(extractor.input)
    return keras.Model(extractor.input, [predictor(features), features], name="whole")


def recalibrate_batch_norm(extractor, images, batch=128):
    """Give an extractor the mean and deviation of these images, uint8 (n, h, w, c), for its normalisation."""
    trainable = extractor.trainable
    extractor.trainable = True  # or its batch normalisation would not move
    order = np.random.default_rng(0).permutation(len(images))
    for number in range(SETTLING):
        part = np.take(order, range(number * batch, (number + 1) * batch), mode="wrap")
        extractor(images[part].astype(np.float32), training=True)
    extractor.trainable = trainable


def load_model(path):
    """Read model.keras. Raises BadInput when it is missing, cut short, or of something else."""
    model = load_keras(path)
    outputs = [len(shape) for shape in model.output_shape] if isinstance(model.output_shape, list) else []
    if outputs != [2, 2]:
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    return model


def outputs_of(model, images, batch=500):
    """A whole model's log-probabilities float32 (n, classes) and features (n, d) of images uint8."""
    parts = []
    for start in range(0, len(images), batch):
        outputs = model(images[start : start + batch].astype(np.float32))
        parts.append([ops.convert_to_numpy(ops.cast(output, "float32")) for output in outputs])
    logits, features = (np.concatenate(part) for part in zip(*parts))
    return logits - np.logaddexp.reduce(logits, axis=1, keepdims=True), features

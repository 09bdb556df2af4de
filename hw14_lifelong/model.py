"""The two networks. Both have one head for all tasks: the digits are the same ten classes everywhere.

| network for | shapes                                                                         | parameters |
|-------------|--------------------------------------------------------------------------------|-----------:|
| images      | (32, 32, 3) -> (16, 16, 16) -> (8, 8, 32) -> (4, 4, 64) -> 128 -> logits (10,) |    156,074 |
| permuted    | (28, 28, 1) -> 784 -> 400 -> 400 -> logits (10,)                               |    478,410 |

ReLU in between; the convolutions are 3x3 with stride 2. There is no batch normalisation: its running means
would follow the newest task, and so forget the old ones however well the weights are held, and in training
mode an example's gradient depends on the batch that it came in, so there is no per-example gradient to
square. Networks as shallow as these learn well without.
"""

import keras
from dataset import DIGITS
from keras import layers

FILTERS = (16, 32, 64)
HIDDEN = 128  # units after the convolutions
UNITS = 400  # of both layers of the network for permuted pixels


def build_model(shape, permuted):
    """shape: (h, w, c) of an image. Returns a model of pixels 0..255 (n, h, w, c) -> logits (n, 10)."""
    inputs = keras.Input(shape, name="image")
    hidden = layers.Rescaling(1 / 255, name="to_unit")(inputs)
    if permuted:
        hidden = layers.Flatten(name="flatten")(hidden)
        for number in (1, 2):
            hidden = layers.Dense(UNITS, activation="relu", name=f"hidden_{number}")(hidden)
    else:
        for number, filters in enumerate(FILTERS, 1):
            convolution = layers.Conv2D(
                filters, 3, strides=2, padding="same", activation="relu", name=f"convolution_{number}"
            )
            hidden = convolution(hidden)
        hidden = layers.Flatten(name="flatten")(hidden)
        hidden = layers.Dense(HIDDEN, activation="relu", name="hidden")(hidden)
    return keras.Model(inputs, layers.Dense(DIGITS, name="logits")(hidden), name="digits")

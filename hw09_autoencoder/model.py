"""The autoencoder: a residual encoder, a decoder, and what is done to an image before it is encoded.

| encoder                                             | decoder: 4x4 transposed convolutions |
|-----------------------------------------------------|--------------------------------------|
| image (32, 32, 3)                                   | image (32, 32, 3)                    |
| 4x4 convolution, stride 2: (16, 16, 32)             | (16, 16, 32)                         |
| 3x3 convolution, stride 2, and a block: (8, 8, 64)  | (8, 8, 64)                           |
| 3x3 convolution, stride 2, and a block: (4, 4, 128) | (4, 4, 128)                          |
| flatten 2048, or the mean over the positions 128    | (4, 4, 128)                          |
| code (code_size,)                                   | code (code_size,)                    |

Read the left column downwards, the right one upwards. The mean is for views, which have in common what fills
them and not where it is; all else is flattened. A block adds a 3x3 convolution to what came in (He et
al. 2016). Images are 0..1 in both; model.keras takes pixels 0..255 and has the scaling inside.
"""

from scaffold import BadInput

import keras
import numpy as np
from contrast import add_noise, nt_xent, views
from dataset import SHAPE
from device import load_keras
from keras import layers, ops

FILTERS = (32, 64, 128)
PROJECTION = (128, 64)  # units of the layers between the code and the contrastive loss
RECONSTRUCTION = 3.0  # weight of the squared error beside the contrastive loss
MOMENTUM = 0.9  # of the running means: Keras' 0.99 needs more steps than a training here has


def build_encoder(code_size, averaged=False, name="encoder"):
    """A model of images float32 (n, 32, 32, 3), 0..1 -> codes (n, code_size).

    averaged: whether the code is made of the mean over the positions
    """

    def convolution(hidden, filters, kernel, stride, name):
        layer = layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False, name=name)
        return layers.BatchNormalization(momentum=MOMENTUM, name=f"normalization_{name}")(layer(hidden))

    inputs = keras.Input(SHAPE, name="image")
    hidden = layers.ReLU(name="relu_1")(convolution(inputs, FILTERS[0], 4, 2, "convolution_1"))
    for number, filters in enumerate(FILTERS[1:], 2):
        halved = convolution(hidden, filters, 3, 2, f"convolution_{number}")
        hidden = layers.ReLU(name=f"relu_{number}")(halved)
        added = layers.Add(name=f"sum_{number}")(
            [hidden, convolution(hidden, filters, 3, 1, f"block_{number}")]
        )
        hidden = layers.ReLU(name=f"relu_of_sum_{number}")(added)
    flat = layers.GlobalAveragePooling2D(name="mean") if averaged else layers.Flatten(name="flatten")
    hidden = flat(hidden)
    return keras.Model(inputs, layers.Dense(code_size, name="code")(hidden), name=name)


def build_decoder(code_size, name="decoder"):
    """A model of codes (n, code_size) -> images (n, 32, 32, 3), about 0..1."""
    side = SHAPE[0] // 2 ** len(FILTERS)
    inputs = keras.Input((code_size,), name="code")
    hidden = layers.Dense(side * side * FILTERS[-1], activation="relu", name="widen")(inputs)
    hidden = layers.Reshape((side, side, FILTERS[-1]), name="reshape")(hidden)
    for number, filters in reversed(list(enumerate(FILTERS[:-1], 1))):
        wider = layers.Conv2DTranspose(
            filters, 4, strides=2, padding="same", activation="relu", name=f"transposed_{number + 1}"
        )
        hidden = wider(hidden)
    image = layers.Conv2DTranspose(SHAPE[-1], 4, strides=2, padding="same", name="transposed_1")
    return keras.Model(inputs, image(hidden), name=name)


class Autoencoder(keras.Model):
    """Decodes the clean image from a corrupted one's code; with contrast, from a view's, and views agree.

    noise: standard deviation, of pixels 0..1. The corruption is on in training only: at any other time the
    model is decoder(encoder(images)).
    """

    def __init__(self, code_size, noise, contrast, seed, number=1):
        super().__init__(name="autoencoder")
        self.encoder = build_encoder(code_size, contrast, f"encoder_{number}")
        self.decoder = build_decoder(code_size, f"decoder_{number}")
        self.projector = None
        if contrast:
            narrow = [layers.Dense(PROJECTION[0], activation="relu"), layers.Dense(PROJECTION[1])]
            self.projector = keras.Sequential([keras.Input((code_size,)), *narrow], name="projector")
        self.noise, self.generator = noise, keras.random.SeedGenerator(seed)
        self.reconstruction = keras.metrics.Mean(name="reconstruction")
        self.contrast = keras.metrics.Mean(name="contrast") if contrast else None

    def corrupted(self, images):
        """What the encoder sees in training, float32 (n, 32, 32, 3), 0..1."""
        return (add_noise if self.projector is None else views)(images, self.noise, self.generator)

    def call(self, images, training=False):
        """float32 (n, 32, 32, 3), 0..1 -> the decoded images; in training also the views' projections."""
        if not training:
            return self.decoder(self.encoder(images))
        if self.projector is None:
            return self.decoder(self.encoder(self.corrupted(images), training=True))
        both = ops.concatenate([self.corrupted(images), self.corrupted(images)])
        codes = self.encoder(both, training=True)  # together, so that both have one mean and deviation
        # One of the views is decoded: the second would cost as much again, and teach little more.
        return self.decoder(codes[: ops.shape(images)[0]]), self.projector(codes)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        decoded, projections = (y_pred, None) if self.projector is None else y_pred
        squares = ops.mean(ops.square(decoded - x))
        self.reconstruction.update_state(squares)
        if projections is None:
            return squares
        loss = nt_xent(*ops.split(projections, 2))
        self.contrast.update_state(loss)
        return loss + RECONSTRUCTION * squares


def whole_model(members, reductions):
    """One model of all that a training learnt, to be saved: pixels 0..255 (n, 32, 32, 3) -> a list of

    codes : float32 (n, d), the members' codes side by side, each times its reduction's matrix plus its offset
    decoded : float32 (n, 32, 32, 3), about 0..1, by the first member

    members: list of Autoencoder. reductions: for each a matrix (code_size, k) and an offset (k,), or None.
    """
    inputs = keras.Input(SHAPE, name="pixels")
    unit = layers.Rescaling(1 / 255, name="to_unit")(inputs)
    raw = [member.encoder(unit) for member in members]
    codes = []
    for number, (code, reduction) in enumerate(zip(raw, reductions), 1):
        if reduction is not None:
            linear = layers.Dense(reduction[0].shape[1], name=f"reduction_{number}")
            code = linear(code)
            linear.set_weights(reduction)
        codes.append(code)
    joined = layers.Concatenate(name="codes")(codes) if len(codes) > 1 else codes[0]
    return keras.Model(inputs, [joined, members[0].decoder(raw[0])], name="whole")


def load_model(path):
    """Read model.keras. Raises BadInput when it is missing, cut short, or not for these images."""
    model = load_keras(path)
    outputs = [len(shape) for shape in model.output_shape] if isinstance(model.output_shape, list) else []
    if outputs != [2, 4]:
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    if model.input_shape[1:] != SHAPE:
        raise BadInput(f"{path} reads images {model.input_shape[1:]}, expected {SHAPE}; run train.py again.")
    return model


def in_batches(function, images, batch=500):
    """What a model makes of images (n, ...), a batch at a time: float32 (n, ...). Nothing is compiled."""
    parts = [
        ops.convert_to_numpy(function(images[start : start + batch].astype(np.float32)))
        for start in range(0, len(images), batch)
    ]
    return np.concatenate(parts)

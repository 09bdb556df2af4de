"""The networks: images float32 (n, 32, 32, 3), -1..1, in.

autoencoders: what `encoder` makes of an image, `decoder` undoes, the same shapes backwards; a code has
--code-size numbers. Any height and width that 8 divides will do for cnn and vae, any at all for fcn and pca.

| fcn, encoder          | cnn and vae, encoder      | vae, code               | pca, encoder       |
|-----------------------|---------------------------|-------------------------|--------------------|
| flatten 3072          | convolution 4x4, 16x16x32 | mean (code,) and        | flatten 3072       |
| dense 1024, ReLU      | convolution 4x4, 8x8x64   | logarithm of the        | dense (code,)      |
| dense 256, ReLU       | convolution 4x4, 4x4x128  | variance (code,), drawn |                    |
| dense (code,)         | flatten 2048, dense (code,)| in training only       |                    |

rotation: `encoder` makes a map of 4x4x192 features and takes its mean over the positions, 192 numbers; the
logits of the four turns are linear in them. Any height and width that are equal will do.

contrastive: `encoder` makes a map of 4x4x256 features and takes its mean in each quarter of the image, 1024
numbers; two dense layers make the projection of the mean over the quarters, 64 numbers. Any height and width
will do.

These two may compute in bfloat16, as Keras' policy says; their codes, logits and projections are float32.
"""

import math

from scaffold import BadInput

import keras
from device import load_keras
from fused_batch_norm import FusedBatchNormalization
from keras import layers
from vae import Sampling

AUTOENCODERS = ("fcn", "cnn", "vae", "pca")
DENSE_WIDTHS = (1024, 256)
FILTERS = (32, 64, 128)  # of cnn and vae; each halves height and width
CONVOLUTIONS = ((4, 1, 2), (3, 2, 2), (3, 2, 1), (3, 4, 2), (3, 4, 1))  # kernel, times WIDTHS, stride
WIDTHS = {"rotation": 48, "contrastive": 64}  # filters
ROTATIONS = 4
PROJECTION = (256, 64)  # units of the layers between a code and the contrastive loss


def build_autoencoder(network, shape, code_size):
    """A model that gives back the image, of two models: get_layer("encoder") and get_layer("decoder").

    The vae's encoder gives a pair, mean and logarithm of the variance, and its code between them is drawn.
    """
    down, up = {"fcn": dense, "pca": linear}.get(network, convolutional)(shape)
    features = inputs = keras.Input(shape)
    for layer in down:
        features = layer(features)
    names = ("mean", "log_variance") if network == "vae" else ("code",)
    numbers = [layers.Dense(code_size, name=name)(features) for name in names]
    encoder = keras.Model(inputs, numbers if network == "vae" else numbers[0], name="encoder")
    decoder = keras.Sequential([keras.Input((code_size,)), *up], name="decoder")
    images = keras.Input(shape)
    code = encoder(images)
    return keras.Model(images, decoder(Sampling()(code) if network == "vae" else code), name=network)


def linear(shape):
    """What is before the code and after it, as lists of layers: nothing. A dense layer is the components."""
    return [layers.Flatten()], [layers.Dense(math.prod(shape)), layers.Reshape(shape)]


def dense(shape):
    down = [layers.Flatten(), *(layers.Dense(width, "relu") for width in DENSE_WIDTHS)]
    up = [layers.Dense(width, "relu") for width in reversed(DENSE_WIDTHS)]
    return down, [*up, layers.Dense(math.prod(shape), "tanh"), layers.Reshape(shape)]


def convolutional(shape):
    height, width, channels = shape
    smallest = (height // 2 ** len(FILTERS), width // 2 ** len(FILTERS), FILTERS[-1])
    half = {"kernel_size": 4, "strides": 2, "padding": "same"}
    down = [layers.Conv2D(filters, activation="relu", **half) for filters in FILTERS]
    up = [layers.Conv2DTranspose(filters, activation="relu", **half) for filters in reversed(FILTERS[:-1])]
    first = [layers.Dense(math.prod(smallest), "relu"), layers.Reshape(smallest)]
    last = layers.Conv2DTranspose(channels, activation="tanh", **half)
    return [*down, layers.Flatten()], [*first, *up, last]


def set_components(model, mean, components):
    """Make a pca model of principal components: mean (pixels,), components (code, pixels), orthonormal."""
    model.get_layer("encoder").set_weights([components.T, -components @ mean])
    model.get_layer("decoder").set_weights([components, mean])


def build_rotation_network(shape):
    """A model that says how far an image was turned: logits (n, ROTATIONS)."""
    encoder = build_encoder(shape, WIDTHS["rotation"], layers.GlobalAveragePooling2D(dtype="float32"))
    images = keras.Input(shape)
    logits = layers.Dense(ROTATIONS, dtype="float32")(encoder(images))
    return keras.Model(images, logits, name="rotation")


def build_contrastive_network(shape):
    """A model of images float32 (n, h, w, 3) -> the projections of their codes, (n, 64)."""
    quarter = [-(-length // 2**4) for length in shape[:2]]  # the map is an eighth as high and wide
    pooling = layers.AveragePooling2D(quarter, padding="same", dtype="float32")
    encoder = build_encoder(shape, WIDTHS["contrastive"], pooling, layers.Flatten(dtype="float32"))
    images = keras.Input(shape)
    features = CONVOLUTIONS[-1][1] * WIDTHS["contrastive"]
    quarters = layers.Reshape((-1, features), dtype="float32")(encoder(images))
    mean = layers.GlobalAveragePooling1D(dtype="float32")(quarters)
    hidden = layers.Dense(PROJECTION[0], "relu", dtype="float32")(mean)
    projection = layers.Dense(PROJECTION[1], dtype="float32")(hidden)
    return keras.Model(images, projection, name="contrastive")


def build_encoder(shape, width, *pooling):
    """The convolutions of rotation and contrastive, and layers that make a code of their map of features."""
    steps = []
    for kernel, times, stride in CONVOLUTIONS:
        # A training is short: the running means follow within some ten steps, not some hundred.
        steps += [
            layers.Conv2D(times * width, kernel, strides=stride, padding="same", use_bias=False),
            FusedBatchNormalization(momentum=0.9),
            layers.ReLU(),
        ]
    return keras.Sequential([keras.Input(shape), *steps, *pooling], name="encoder")


def build_model(network, shape, code_size):
    """A network by its name: one of AUTOENCODERS, rotation or contrastive."""
    if network == "rotation":
        return build_rotation_network(shape)
    if network == "contrastive":
        return build_contrastive_network(shape)
    return build_autoencoder(network, shape, code_size)


def load_model(path, shape):
    """model.keras, ready for predict(). Raises BadInput when it is missing, broken or of another shape."""
    model = load_keras(path)
    if "encoder" not in [layer.name for layer in model.layers]:
        raise BadInput(f"{path} is no model of this chapter; run train.py again.")
    if model.input_shape[1:] != shape:
        raise BadInput(
            f"{path} was trained for images of {model.input_shape[1:]}, the test set has {shape}; "
            "run train.py on this data set."
        )
    return prepared(model)


def prepared(model):
    """The model, its encoder and decoder made ready for predict(), without XLA: compiling takes longer."""
    for part in (model, *(layer for layer in model.layers if layer.name in ("encoder", "decoder"))):
        part.jit_compile = False
    return model

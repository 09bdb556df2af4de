"""Classifiers of pictures: raw pixels in, log-odds out.

    shape of the default, 32 x 32     what
    (batch, 32, 32, 3)                pixels, 0 to 255
    (batch, 32, 32, 3)                scaled to -1..1; in training flipped and shifted
    (batch, 32, 32, w)                the stem: convolution; w is 32 times --width
    (batch, 16, 16, 2 w)              a stage: convolution, pooling, a residual block of two convolutions
    (batch, 8, 8, 4 w)                the same
    (batch, 4, 4, 8 w)                the same
    (batch, 8 w)                      the largest value of each channel
    (batch, classes)                  log-odds

    arch       what
    resnet     the default: as above
    vgg        stages of two convolutions and pooling, with dropout; the mean of each channel
    plain      the original's: five convolutions, each with pooling, then three dense layers; no normalisation
    shallow    resnet without its residual blocks: a control for the depth
    dense      three dense layers and no convolution: a control for the convolutions

Pictures of 64 pixels and more are halved by the stem; stages halve them further, until 4 x 4 are left.
"""

import keras
from device import load_keras
from fused_batch_norm import FusedBatchNormalization
from keras import layers

LARGE = 64  # pixels
SHIFT = 0.125  # of the side, at most
DROPOUT = 0.2


def build_model(arch, size, classes, width=1.0, augment=True, normalise=True):
    """pixels (batch, size, size, 3), 0 to 255 -> log-odds float32 (batch, classes).

    Flips and shifts happen in training alone.
    """
    pixels = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)
    if augment:
        x = layers.RandomFlip("horizontal", dtype="float32")(x)
        x = layers.RandomTranslation(SHIFT, SHIFT, "reflect", interpolation="nearest", dtype="float32")(x)
    if arch == "plain":
        x = plain(x, width)
    elif arch == "dense":
        x = dense(x, width)
    elif arch == "vgg":
        x = vgg(x, round(32 * width), normalise)
    else:
        x = resnet(x, round(32 * width), normalise, residual=arch == "resnet")
    return keras.Model(pixels, layers.Dense(classes, dtype="float32", name="log_odds")(x), name=arch)


def resnet(x, filters, normalise, residual=True):
    """A stem and stages; x (batch, n, n, 3) -> (batch, 8 filters), or fewer for small pictures."""
    x = convolution(x, filters, normalise, strides=2 if x.shape[1] >= LARGE else 1)
    for stage in range(1, halvings(x.shape[1]) + 1):
        x = convolution(x, filters * 2 ** min(stage, 3), normalise)
        x = layers.MaxPooling2D()(x)
        if residual:
            branch = convolution(x, x.shape[-1], normalise)
            x = layers.Add()([x, convolution(branch, x.shape[-1], normalise)])
    return layers.GlobalMaxPooling2D()(x)


def vgg(x, filters, normalise):
    """Simonyan and Zisserman's habit: two convolutions, pooling, twice the filters."""
    for stage in range(halvings(x.shape[1])):
        for _ in range(2):
            x = convolution(x, filters * 2 ** min(stage + 1, 3), normalise)
        x = layers.Dropout(DROPOUT)(layers.MaxPooling2D()(x))
    return layers.GlobalAveragePooling2D()(x)


def plain(x, width):
    """The original's network."""
    for filters in (64, 128, 256, 512, 512):
        x = convolution(x, round(filters * width), normalise=False)
        x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Flatten()(x)
    for units in (1024, 512):
        x = layers.Dense(round(units * width), activation="relu")(x)
    return x


def dense(x, width):
    """Every pixel with every unit."""
    x = layers.Flatten()(x)
    for _ in range(3):
        x = layers.Dense(round(512 * width), use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def convolution(x, filters, normalise, strides=1):
    """3 x 3, batch normalisation, ReLU."""
    x = layers.Conv2D(
        filters, 3, strides, padding="same", use_bias=not normalise, kernel_initializer="he_normal"
    )(x)
    if normalise:
        x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x)


def halvings(size):
    """How many times a picture can be halved before fewer than 4 x 4 pixels are left, but at least 1."""
    return max(1, (size // 4).bit_length() - 1)


def portable(model):
    """The same model in float32 and of Keras' own layers alone, so that any program can open its file."""

    def own(layer):
        kind = layers.BatchNormalization if isinstance(layer, FusedBatchNormalization) else type(layer)
        return kind.from_config(layer.get_config() | {"dtype": "float32"})

    keras.mixed_precision.set_global_policy("float32")
    copy = keras.models.clone_model(model, clone_function=own)
    copy.set_weights(model.get_weights())
    copy.compile(jit_compile=False)  # compiling takes longer than predicting
    return copy


def load_classifier(path):
    """A classifier of a whole Keras file. Raises ValueError when it is no such file.

    It need not be of this chapter: pixels (batch, size, size, 3) in and (batch, classes) out will do.
    """
    model = load_keras(path)
    if not isinstance(model.input_shape, tuple) or not isinstance(model.output_shape, tuple):
        raise ValueError("it has several inputs or outputs")
    if len(model.input_shape) != 4 or len(model.output_shape) != 2:
        raise ValueError(f"it takes {model.input_shape} and gives {model.output_shape}")
    (_, height, width, channels), _ = model.input_shape, model.output_shape
    if height != width or channels != 3:
        raise ValueError(f"it takes {model.input_shape}")
    model.compile(jit_compile=False)
    return model

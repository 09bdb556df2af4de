"""Image classifiers: raw pixels in, logits out.

    shape of the default, 32 x 32     what
    (batch, 32, 32, 3)                pixels, 0 to 255
    (batch, 32, 32, 3)                scaled to -1..1
    (batch, 31, 31, 24)               patches of 2 x 2 pixels, whitened: a convolution that is not trained
    (batch, 15, 15, 64)               a block: convolution, pooling, and a second convolution
    (batch, 7, 7, 256)                the same
    (batch, 3, 3, 256)                the same
    (batch, 256)                      the largest value of each channel
    (batch, classes)                  logits

    arch       what
    airbench   the default, as above: Keller Jordan's network for CIFAR-10 (2024), with ReLU
    shallow    airbench without the second convolution of each block: a control for the depth
    resnet     a stem, then stages of a convolution, pooling and a residual block (He et al. 2015)
    vgg        stages of two convolutions and pooling, with dropout; the mean of each channel
    plain      the course's sample: five convolutions, each normalised and pooled, then three dense layers
    dense      three dense layers and no convolution: a control for the convolutions

In larger images airbench's patches move by more than one pixel, so that about 32 x 32 are left. resnet and
vgg halve an image until 4 x 4 are left; from 64 pixels on resnet's stem does so too.
"""

import keras
import numpy as np
from device import load_keras
from fused_batch_norm import FusedBatchNormalization
from keras import layers

SIDE = 32  # patches a side, about, whatever the image's size
WIDTHS = (64, 256, 256)  # filters of airbench's blocks
PATCHES = 100_000  # for the covariance of whitening
VARIANCE = 5e-4  # added to each component's, so that noise is not blown up
SCALE = 1 / 9  # of airbench's logits
DROPOUT = 0.2


def build_model(arch, size, classes, width=1.0, normalise=True, whitened=None, identity=True, side=None):
    """pixels (batch, size, size, 3), 0 to 255 -> logits float32 (batch, classes).

    side: scale all images to so many pixels a side first; they may then be of any size. whitened: images
    uint8 (N, size, size, 3) by whose patches airbench's first layer whitens; without it that layer starts at
    random and is trained. identity: its other convolutions start as the identity.
    """
    side = side or size
    pixels = keras.Input((size, size, 3) if side == size else (None, None, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)
    if side != size:
        x = layers.Resizing(side, side, dtype="float32")(x)
    if arch == "plain":
        x = plain(x, width, normalise)
    elif arch == "dense":
        x = dense(x, width)
    elif arch == "vgg":
        x = vgg(x, round(32 * width), normalise)
    elif arch == "resnet":
        x = resnet(x, round(32 * width), normalise)
    else:
        x = airbench(x, max(1, round(size / SIDE)), width, normalise, whitened, arch == "airbench")
    x = layers.Dense(classes, dtype="float32", name="logits")(x)
    if arch not in ("airbench", "shallow"):
        return keras.Model(pixels, x, name=arch)
    x = layers.Rescaling(SCALE, dtype="float32", name="scaled_logits")(x)
    model = keras.Model(pixels, x, name=arch)
    if identity:
        start_as_identity(model)
    return model


def airbench(x, stride, width, normalise, whitened, deep):
    """Whitened patches and three blocks; x (batch, n, n, 3) -> (batch, filters)."""
    patch = max(2, stride)
    whitening = layers.Conv2D(
        8 * patch + 8,
        patch,
        stride,
        use_bias=False,
        trainable=whitened is None,
        kernel_initializer="he_normal",
        name="whitening",
    )
    x = layers.ReLU()(whitening(x))
    if whitened is not None:
        whitening.set_weights([whitening_kernel(whitened, patch, stride)])
    for filters in WIDTHS:
        x = convolution(x, round(filters * width), normalise, pooling=x.shape[1] > 1)
        if deep:
            x = convolution(x, round(filters * width), normalise)
    return layers.GlobalMaxPooling2D()(x)


def whitening_kernel(images, patch, stride):
    """The principal components of patches, each at unit variance, and their negatives.

    images uint8 (N, n, n, 3) -> float32 (patch, patch, 3, filters): ReLU then keeps both signs. Coates and Ng
    2011; page 3 of Jordan's "94% on CIFAR-10 in 3.29 seconds".
    """
    windows = np.lib.stride_tricks.sliding_window_view(images, (patch, patch), axis=(1, 2))
    windows = windows[:, ::stride, ::stride].transpose(0, 1, 2, 4, 5, 3)
    rng = np.random.default_rng(0)
    indices = tuple(rng.integers(0, length, PATCHES) for length in windows.shape[:3])
    patches = windows[indices].reshape(PATCHES, -1) / 127.5 - 1
    variances, components = np.linalg.eigh(patches.T @ patches / PATCHES)
    kept = (8 * patch + 8) // 2
    kernel = components[:, ::-1][:, :kept] / np.sqrt(variances[::-1][:kept] + VARIANCE)
    return np.concatenate([kernel, -kernel], axis=1).reshape(patch, patch, 3, -1).astype(np.float32)


def start_as_identity(model):
    """Initialise each convolution but the first as the identity, on as many filters as it has channels.

    So at the start the blocks lose nothing of what they are shown (Zagoruyko and Komodakis 2017).
    """
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and layer.name != "whitening":
            kernel = np.array(layer.get_weights()[0])
            channels = np.arange(min(kernel.shape[2:]))
            kernel[:, :, :, channels] = 0
            kernel[1, 1, channels, channels] = 1
            layer.kernel.assign(kernel)


def resnet(x, filters, normalise):
    """A stem and stages; x (batch, n, n, 3) -> (batch, 8 filters), or fewer for small images."""
    x = convolution(x, filters, normalise, stride=2 if x.shape[1] >= 2 * SIDE else 1)
    for stage in range(1, halvings(x.shape[1]) + 1):
        x = layers.MaxPooling2D()(convolution(x, filters * 2 ** min(stage, 3), normalise))
        branch = convolution(x, x.shape[-1], normalise)
        x = layers.Add()([x, convolution(branch, x.shape[-1], normalise)])
    return layers.GlobalMaxPooling2D()(x)


def vgg(x, filters, normalise):
    """Two convolutions, pooling, twice the filters (Simonyan and Zisserman 2014)."""
    for stage in range(halvings(x.shape[1])):
        for _ in range(2):
            x = convolution(x, filters * 2 ** min(stage + 1, 3), normalise)
        x = layers.Dropout(DROPOUT)(layers.MaxPooling2D()(x))
    return layers.GlobalAveragePooling2D()(x)


def plain(x, width, normalise):
    """The course's sample network."""
    for filters in (64, 128, 256, 512, 512):
        x = convolution(x, round(filters * width), normalise)
        x = layers.MaxPooling2D(padding="same")(x)
    x = layers.Flatten()(x)
    for units in (1024, 512):
        x = layers.Dense(round(units * width), activation="relu")(x)
    return x


def dense(x, width):
    """A weight for every pixel and unit."""
    x = layers.Flatten()(x)
    for _ in range(3):
        x = layers.Dense(round(512 * width), use_bias=False, kernel_initializer="he_normal")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    return x


def convolution(x, filters, normalise, stride=1, pooling=False):
    """3 x 3, halved by pooling, batch normalisation, ReLU."""
    x = layers.Conv2D(
        filters, 3, stride, padding="same", use_bias=not normalise, kernel_initializer="he_normal"
    )(x)
    if pooling:
        x = layers.MaxPooling2D()(x)
    if normalise:
        x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x)
    return layers.ReLU()(x)


def halvings(size):
    """How many times an image can be halved before fewer than 4 x 4 pixels are left, but at least 1."""
    return max(1, (size // 4).bit_length() - 1)


def portable(model, size, side=None):
    """The same model in float32 and of Keras' own layers alone, so that any program can open its file.

    It takes images of size x size. side: what it scales them to, where build_model was given another.
    """

    def own(layer):
        kind = layers.BatchNormalization if isinstance(layer, FusedBatchNormalization) else type(layer)
        config = layer.get_config() | {"dtype": "float32"}
        if kind is layers.Resizing:
            config |= {"height": side, "width": side}
        return kind.from_config(config)

    keras.mixed_precision.set_global_policy("float32")
    pixels = keras.Input((size, size, 3), name="pixels")
    copy = keras.models.clone_model(model, input_tensors=pixels, clone_function=own)
    copy.set_weights(model.get_weights())
    copy.compile(jit_compile=False)  # compiling takes longer than predicting
    return copy


def at_other_sizes(model, factors):
    """Copies of a classifier that begins with Resizing, one a factor, which resize to factor times its side.

    [] if it has no such layer, or cannot take images of another side: Flatten, or a model inside it.
    """
    own = getattr(model, "layers", ())
    sides = [layer.height for layer in own if isinstance(layer, layers.Resizing)]
    if not sides or any(isinstance(layer, keras.Model | layers.Flatten) for layer in own):
        return []
    return [portable(model, model.input_shape[1], round(factor * sides[0])) for factor in factors]


def load_classifier(path):
    """A classifier of a whole Keras file. Raises ValueError when it is no such file.

    It need not be of this chapter: pixels (batch, size, size, 3) in and logits or probabilities (batch,
    classes) out will do.
    """
    model = load_keras(path)
    if not isinstance(model.input_shape, tuple) or not isinstance(model.output_shape, tuple):
        raise ValueError("it has several inputs or outputs")
    if len(model.input_shape) != 4 or len(model.output_shape) != 2:
        raise ValueError(f"it takes {model.input_shape} and gives {model.output_shape}")
    _, height, width, channels = model.input_shape
    if height is None or height != width or channels != 3:
        raise ValueError(f"it takes {model.input_shape}")
    model.compile(jit_compile=False)
    return model

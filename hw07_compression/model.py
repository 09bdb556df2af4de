"""The student: raw pixels in, logits out, as wide as its plan says.

    shape of the default           what
    (batch, 32, 32, 3)             pixels, 0 to 255, scaled to -1..1
    (batch, 32, 32, 16)            stem: a convolution
    (batch, 16, 16, 32)            stage1: a convolution, pooling; then two convolutions whose result is added
    (batch, 8, 8, 64)              stage2: the same
    (batch, 4, 4, 160)             stage3: the same
    (batch, 160)                   the largest value of each channel
    (batch, classes)               logits

Every convolution is of one kind (see architecture.py), with batch normalisation and ReLU; the stem is
always normal. A plan is a dict that JSON can hold: {"layout", "size", "classes", "kind", "stem": channels,
"stages": [[channels, channels between the two convolutions], ...]}. Pruning makes a smaller plan; the file
holds it.

That is the layout "residual". A copy of homework 3's default has "airbench" (see its model.py): the images
are scaled to "side" pixels; the stem, which whitens patches, is neither trained nor normalised; a stage is a
convolution, pooling and a second convolution, and nothing is added; the logits are divided by 9.
"""

from contextlib import suppress

from scaffold import BadInput

import keras
import numpy as np
from architecture import EPSILON, unit
from device import load_keras
from keras import layers

FILTERS = 16  # of the stem, times --width
LARGE = 64  # pixels a side; from there on the stem takes every second position
AT_ONCE = 500  # images that a model is shown
PATCH, LOGITS = 2, 1 / 9  # of the layout "airbench": pixels a side of a patch in a small image; a scale
MULTIPLE = 8  # channels come in eights: others take a CPU's matrix units about twice as long


def make_plan(size, classes, kind="normal", width=1.0):
    """The plan of a student of a width for square images of a size."""
    stages = max(1, (size // (4 if size < LARGE else 8)).bit_length() - 1)  # until 4 x 4 are left
    times = [min(2**stage, 8) for stage in range(1, stages)] + [10]
    stem, *others = (in_eights(FILTERS * width * many) for many in [1, *times])
    return {
        "layout": "residual",
        "size": size,
        "classes": classes,
        "kind": kind,
        "stem": stem,
        "stages": [[channels, channels] for channels in others],
    }


def in_eights(channels):
    return MULTIPLE * max(1, round(channels / MULTIPLE))


def build_student(plan, folded=False, policy="float32"):
    """pixels (batch, size, size, 3), 0 to 255 -> logits float32 (batch, classes).

    policy: Keras' dtype policy, "float32" or "mixed_bfloat16". A folded student is one for prediction: its
    convolutions have a bias and no batch normalisation.
    """
    keras.config.set_dtype_policy(policy)
    pixels = keras.Input((plan["size"], plan["size"], 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, dtype="float32")(pixels)
    if plan["layout"] == "airbench":
        return keras.Model(pixels, airbench(x, plan, folded))
    x = unit(x, plan["stem"], "normal", "stem", folded, strides=2 if plan["size"] >= LARGE else 1)
    for number, (channels, inner) in enumerate(plan["stages"], 1):
        x = layers.MaxPooling2D()(unit(x, channels, plan["kind"], f"stage{number}", folded))
        branch = unit(x, inner, plan["kind"], f"stage{number}_inner", folded)
        x = layers.Add()([x, unit(branch, channels, plan["kind"], f"stage{number}_outer", folded)])
    x = layers.GlobalMaxPooling2D()(x)
    small = keras.initializers.RandomNormal(stddev=0.01)  # the largest values are large: begin with doubt
    head = layers.Dense(plan["classes"], kernel_initializer=small, dtype="float32", name="head")
    return keras.Model(pixels, head(x))


def airbench(x, plan, folded):
    """The layout "airbench", from the scaled pixels to the logits."""
    if plan["side"] != plan["size"]:
        x = layers.Resizing(plan["side"], plan["side"], dtype="float32")(x)
    stride = patch_stride(plan["size"])
    patch, name = max(PATCH, stride), "stem_convolution"
    whitening = layers.Conv2D(plan["stem"], patch, stride, use_bias=False, name=name)
    whitening.trainable = False
    x = layers.ReLU()(whitening(x))
    for number, filters in enumerate(plan["stages"], 1):
        for part, channels in zip(("", "_inner"), filters):
            x = unit(x, channels, plan["kind"], f"stage{number}{part}", folded, pooling=not part)
    x = layers.Dense(plan["classes"], dtype="float32", name="head")(layers.GlobalMaxPooling2D()(x))
    return layers.Rescaling(LOGITS, dtype="float32")(x)


def patch_stride(size):
    """How many pixels the patches of a larger image are apart."""
    return max(1, round(size / 32))


def units(plan):
    """The names of a student's convolutions that are normalised, in order."""
    stages = range(1, len(plan["stages"]) + 1)
    if plan["layout"] == "airbench":
        return [f"stage{n}{part}" for n in stages for part in ("", "_inner")]
    return ["stem", *(f"stage{n}{part}" for n in stages for part in ("", "_inner", "_outer"))]


def fold(model, plan):
    """The same function without batch normalisation, which is but a scale and a shift: a float32 model.

    gamma (w x - mean) / deviation + beta = (w gamma / deviation) x + (beta - mean gamma / deviation)
    """
    folded, names = build_student(plan, folded=True), units(plan)
    for layer in folded.layers:
        name, *convolves = layer.name.split("_convolution")
        if layer.weights and not (convolves and name in names):
            layer.set_weights(model.get_layer(layer.name).get_weights())
    for name in names:
        gamma, beta, mean, variance = model.get_layer(f"{name}_normalisation").get_weights()
        scale = gamma / np.sqrt(variance + EPSILON)
        shift, first = beta - mean * scale, 0
        for layer in folded.layers:  # one, or one for each group
            if layer.name.startswith(f"{name}_convolution"):
                *before, kernel = model.get_layer(layer.name).get_weights()
                part = slice(first, first := first + kernel.shape[-1])
                layer.set_weights([*before, kernel * scale[part], shift[part]])
    return folded


def load_teacher(path):
    """A classifier of a whole Keras file, of any chapter: raw pixels in, logits or probabilities out.

    Raises BadInput when it is no such file, or takes other than square RGB images.
    """
    model = load_keras(path)
    if not model.built:
        raise BadInput(f"{path} was never built, so it has no input shape; give another teacher.")
    try:
        (_, height, width, channels), (_, classes) = model.input_shape, model.output_shape
    except (TypeError, ValueError) as error:  # several inputs or outputs, or of other dimensions
        raise BadInput(
            f"{path} is no classifier of square RGB images with one input and one output (it takes "
            f"{model.input_shape} and gives {model.output_shape}); give another, or leave out --teacher."
        ) from error
    if channels != 3 or height != width or not height or not classes:
        raise BadInput(
            f"{path} is no classifier of square RGB images (it takes {model.input_shape}, expected "
            "(None, n, n, 3)); give a model.keras, or leave out --teacher."
        )
    return model


def adopt(model, path=None, policy="float32"):
    """A student with the weights of a Keras classifier that is built like one: (student, its plan).

    Raises BadInput, which names `path`, if it is not. Homework 3's default and its --arch resnet are.
    """
    convolutions, normalisations, heads = (
        [layer for layer in model.layers if isinstance(layer, kind)]
        for kind in (layers.Conv2D, layers.BatchNormalization, layers.Dense)
    )
    otherwise = BadInput(f"{path} is not built like a student (see model.py); leave out --from-teacher.")
    bare = len(convolutions) - len(normalisations)  # convolutions without a normalisation: 1 of airbench
    parts = 2 if bare == 1 else 3  # convolutions of a stage
    stages, rest = divmod(len(convolutions) - 1, parts)
    if len(heads) != 1 or bare not in (0, 1) or stages < 1 or rest:
        raise otherwise
    stem, *filters = (layer.filters for layer in convolutions)
    size = model.input_shape[1]
    plan = {"layout": "residual", "size": size, "classes": heads[0].units, "kind": "normal", "stem": stem}
    plan["stages"] = [list(pair) for pair in zip(filters[::parts], filters[1::parts])]
    if bare:
        scaled = [layer.height for layer in model.layers if isinstance(layer, layers.Resizing)]
        plan |= {"layout": "airbench", "side": scaled[0] if scaled else size}
    try:
        student = build_student(plan, policy=policy)
        student.get_layer("head").set_weights(heads[0].get_weights())
        if bare:
            student.get_layer("stem_convolution").set_weights(convolutions[0].get_weights())
        for name, convolution, normalisation in zip(units(plan), convolutions[bare:], normalisations):
            student.get_layer(f"{name}_convolution").set_weights(convolution.get_weights())
            student.get_layer(f"{name}_normalisation").set_weights(normalisation.get_weights())
    except ValueError as error:  # another shape
        raise otherwise from error
    noise = np.random.default_rng(0).integers(0, 256, (2, plan["size"], plan["size"], 3))
    found, expected = (logits_of(one, noise) for one in (fold(student, plan), model))
    if not np.allclose(found, expected, atol=1e-3 * max(1, np.abs(expected).max())):
        raise otherwise
    return student, plan


def inference_copy(model, policy):
    """A copy that says the same sooner, for targets: without batch normalisation where that can be folded.

    In bfloat16 where the policy says so, which rounds the logits to three digits.
    """
    with suppress(BadInput):  # any classifier is welcome
        model = fold(*adopt(model))

    def in_policy(layer):
        own = {"dtype": policy} if isinstance(layer, layers.Layer) else {}  # x / 255 is none
        return type(layer).from_config(layer.get_config() | own)

    copy = keras.models.clone_model(model, clone_function=in_policy)
    copy.set_weights(model.get_weights())
    return copy


def logits_of(model, images):
    """What a model says of images, uint8 (N, n, n, 3): float32 (N, classes).

    Without predict(), which would compile each of a chain's many models and take longer than this does.
    """
    return np.concatenate(
        [
            keras.ops.convert_to_numpy(
                model(images[first : first + AT_ONCE].astype(np.float32), training=False)
            )
            for first in range(0, len(images), AT_ONCE)
        ]
    ).astype(np.float32)


def accuracy(model, images, labels):
    """The share of images that a model names right."""
    return float(np.mean(logits_of(model, images).argmax(axis=1) == labels))

"""The classifiers that are attacked: raw RGB pixels 0..255 in, logits out, weights frozen.

Every classifier here takes the pixels as they stand in the file, so that an epsilon of one grey level is one
grey level whatever the network: its own preprocessing is part of it.

fit_small, the synthetic shapes' classifier:

    input                        (32, 32, 3)     raw pixels
    Rescaling                    (32, 32, 3)     to -1..1
    Conv2D 8, 3x3                (32, 32, 8)     relu
    MaxPooling2D                 (16, 16, 8)
    Conv2D 16, 3x3               (16, 16, 16)    relu
    MaxPooling2D                 (8, 8, 16)
    Flatten, Dense               (4,)            logits
"""

from os.path import expanduser
from pathlib import Path

from scaffold import HELP, BadInput

import keras
import numpy as np
import tensorflow as tf
from device import load_keras

APPLICATIONS = {  # the names that --proxy and --model know: weights from ImageNet, by Keras' download
    "vgg16": (keras.applications.VGG16, keras.applications.vgg16.preprocess_input),
    "vgg19": (keras.applications.VGG19, keras.applications.vgg19.preprocess_input),
    "resnet50": (keras.applications.ResNet50, keras.applications.resnet.preprocess_input),
    "resnet101": (keras.applications.ResNet101, keras.applications.resnet.preprocess_input),
    "densenet121": (keras.applications.DenseNet121, keras.applications.densenet.preprocess_input),
    "densenet169": (keras.applications.DenseNet169, keras.applications.densenet.preprocess_input),
}


def load_proxy(names, folder, shape, classes):
    """Load one classifier or more; several become one that gives the mean of their logits.

    See load_classifier for the arguments. The ensemble is that of Liu et al., "Delving into transferable
    adversarial examples", 2017.
    """
    models = [load_classifier(name, folder, shape, classes) for name in names]
    if len(models) == 1:
        return models[0]
    for number, model in enumerate(models):
        model.name = f"proxy_{number}"  # files may hold models of one name
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Average()([model(inputs) for model in models]))


def load_classifier(name, folder, shape, classes):
    """Load a classifier: a key of APPLICATIONS, or a whole .keras file, as it is named or in `folder`.

    Returns a keras.Model: pixels 0..255 (n, *shape) -> logits (n, classes). A softmax at the end is taken
    off. Raises BadInput if it cannot be had, or does not fit images of `shape` (h, w, 3) or `classes`
    categories.
    """
    if name in APPLICATIONS:
        model = with_preprocessing(*APPLICATIONS[name], "imagenet")
    elif not name.endswith(".keras"):
        known = ", ".join(APPLICATIONS)
        raise BadInput(f"{name!r} is no classifier, expected the path of a .keras file or one of {known}.")
    else:
        model = without_softmax(load_file(name, folder))
    if len(model.inputs) != 1 or len(model.outputs) != 1 or len(model.input_shape) != 4:
        raise BadInput(f"{name} is no classifier of images, expected one image in, one row of scores out.")
    if any(takes not in (None, has) for takes, has in zip(model.input_shape[1:], shape)):
        takes, has = ("x".join(map(str, size)) for size in (model.input_shape[1:], shape))
        raise BadInput(f"{name} takes images of {takes}, but the data set's are {has}; {HELP}.")
    if model.output_shape[1:] != (classes,):
        raise BadInput(
            f"{name} tells {model.output_shape[-1]} classes apart, but categories.csv has {classes}; {HELP}."
        )
    return model


def with_preprocessing(build, preprocess, weights):
    """Build one of Keras' applications with its preprocessing inside and without its softmax."""
    try:
        network = build(weights=weights, classifier_activation=None)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        url = next((word.rstrip(":") for word in str(error).split() if word.startswith("http")), None)
        if url is None:
            raise
        raise BadInput(
            f"{url} could not be downloaded: bring that file to ~/.keras/models, "
            f"or name a whole .keras classifier with raw pixels in; {HELP}."
        ) from error
    inputs = keras.Input(network.input_shape[1:])
    return keras.Model(inputs, network(preprocess(inputs)))


def load_file(name, folder):
    """Load a whole .keras file, as it is named or in `folder`."""
    path = next((path for path in (Path(expanduser(name)), folder / name) if path.is_file()), None)
    if path is None:
        raise BadInput(f"{name} is missing, here and in {folder}; bring a whole Keras classifier, or {HELP}.")
    return load_keras(path)


def without_softmax(model):
    """Give the logits: an attack that climbs a saturated probability finds no gradient."""
    last = model
    while isinstance(last, keras.Model):  # a model inside the model
        last = last.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        last.call = lambda inputs, mask=None: inputs
    if getattr(last, "activation", None) is keras.activations.softmax:
        last.activation = keras.activations.linear
    return model


def logits_of(model, images, batch_size=50):
    """Classify uint8 (n, h, w, 3) in batches: logits, float32 (n, classes)."""
    query = tf.function(lambda batch: model(batch, training=False), reduce_retracing=True)
    starts = range(0, len(images), batch_size)
    return np.concatenate(
        [query(tf.cast(images[start : start + batch_size], tf.float32)) for start in starts]
    )


def softmax(logits):
    """Logits -> probabilities, both NumPy (n, classes)."""
    return keras.ops.convert_to_numpy(keras.ops.softmax(logits))


def fit_small(images, labels, classes, filters, seed):
    """Fit the classifier of the table above, with that many filters in its two convolutions, in seconds."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input(images.shape[1:]),
            keras.layers.Rescaling(1 / 127.5, offset=-1),
            keras.layers.Conv2D(filters[0], 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(filters[1], 3, padding="same", activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dense(classes),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    model.fit(images, labels, batch_size=50, epochs=10, verbose=0)
    return model

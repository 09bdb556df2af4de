"""A network that has learnt to see -> what it sees in a picture: the features that distances.py compares."""

import hashlib
from pathlib import Path

from scaffold import HELP, BadInput, replacing

import keras
import numpy as np
from device import load_keras
from distances import collapse, fid, kid

INCEPTION = "inceptionv3"


def load_features(name, folder):
    """The network of --feature-model, cut where it stops to look at places.

    name : a whole Keras file, looked for as it stands and then in `folder`, that takes pixels 0 to 255; or
        inceptionv3, for keras.applications' with the weights of ImageNet, which is downloaded.
    Returns a model of float32 (batch, h, w, 3), 0 to 255 -> float32 (batch, d): the mean over the places of
    the last layer with maps (batch, rows, columns, d); without such a layer, the model's own outputs.
    Raises BadInput when there is no such file or network, or it takes no pictures.
    """
    if name == INCEPTION:
        try:
            network = keras.applications.InceptionV3(include_top=False)
        except Exception as error:  # urllib, ssl and Keras have a word of their own each
            raise BadInput(
                f"--feature-model {name}: it cannot be downloaded, give a classifier's .keras file; {HELP}."
            ) from error
        pixels = keras.Input((299, 299, 3))
        outputs = network(pixels / 127.5 - 1)
    else:
        path = next((path for path in (Path(name), folder / name) if path.is_file()), None)
        if path is None:
            raise BadInput(f"--feature-model {name}: there is no such file, nor in {folder}; {HELP}.")
        network = load_keras(path)
        pixels, outputs = inputs_and_maps(network, path)
    if len(outputs.shape) == 4:
        outputs = keras.layers.GlobalAveragePooling2D(dtype="float32")(outputs)
    outputs = keras.layers.Flatten(dtype="float32")(outputs)
    model = keras.Model(pixels, outputs, name=INCEPTION if name == INCEPTION else "features")
    model.compile(jit_compile=False)  # compiling takes longer than looking
    return model


def inputs_and_maps(network, path):
    """The pixels that a network takes, and its last maps (batch, rows, columns, d), or else its outputs.

    Models inside of a model count as one layer, whose maps are what they give. Raises BadInput when the
    network does not take RGB pictures of one size, or has several outputs.
    """
    shape = network.input_shape
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[3] != 3 or None in shape[1:]:
        raise BadInput(f"{path} takes {shape}, expected RGB of one size; {HELP}.")
    if isinstance(network.output_shape, (list, dict)):
        raise BadInput(f"{path} has several outputs, expected one; {HELP}.")
    outputs = []

    def kept(layer, *args, **kwargs):
        outputs.append(layer(*args, **kwargs))
        return outputs[-1]

    if isinstance(network, keras.Sequential):
        pixels = x = keras.Input(shape[1:])
        for layer in network.layers:
            x = kept(layer, x)
    else:
        again = keras.models.clone_model(network, call_function=kept, clone_function=lambda layer: layer)
        pixels = again.input
    maps = [
        x for x in outputs if isinstance(x, keras.KerasTensor) and len(x.shape) == 4 and (x.shape[1] or 0) > 1
    ]
    return pixels, maps[-1] if maps else outputs[-1]


def features_of(model, pictures, batch=50):
    """uint8 (n, h, w, 3) of any size -> float32 (n, d)."""
    size, parts = model.input_shape[1:3], []
    for start in range(0, len(pictures), batch):
        chunk = pictures[start : start + batch].astype(np.float32)
        if chunk.shape[1:3] != size:
            chunk = keras.ops.convert_to_numpy(keras.ops.image.resize(chunk, size, antialias=True))
        parts.append(model.predict_on_batch(chunk))
    return np.concatenate(parts)


def features_once(model, pictures, path):
    """features_of(), kept in a file: the same pictures and the same network need no second look."""
    digest = hashlib.sha256(pictures.tobytes())
    for weight in model.get_weights():
        digest.update(weight.tobytes())
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["digest"]) == digest.hexdigest():
                    return file["features"]
        except Exception:  # a damaged archive has many ways to say so
            pass  # the file is damaged: they are computed again
    found = features_of(model, pictures)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, features=found, digest=np.array(digest.hexdigest()))
    return found


def measure(model, aside, pictures, path):
    """Compare generated pictures with the faces kept aside, whose features are kept in a file at `path`.

    Returns kid and its deviation, both times 1000, fid, spread and duplicates: see distances.py. The kernel
    of KID supposes features of about 1, as InceptionV3's are. Those of any other network are divided by one
    number, the root of their mean square over the true faces.
    """
    true, fake = features_once(model, aside, path), features_of(model, pictures)
    if model.name != INCEPTION:
        scale = np.sqrt(np.square(true).mean())
        true, fake = true / scale, fake / scale
    mean, deviation = kid(true, fake)
    spread, duplicates = collapse(true, fake)
    return {
        "kid": 1000 * mean,
        "kid_deviation": 1000 * deviation,
        "fid": fid(true, fake),
        "spread": spread,
        "duplicates": duplicates,
    }

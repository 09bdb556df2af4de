"""How far are generated faces from true ones, and from each other? By the features of a pretrained network.

| function  | what                                                                     | paper              |
|-----------|--------------------------------------------------------------------------|--------------------|
| kid       | squared maximum mean discrepancy, kernel (a.b / d + 1)^3, unbiased       | Binkowski 2018     |
| fid       | Frechet distance of two normal distributions                             | Heusel et al. 2017 |
| collapse  | mean distance of two generated images, as a share of two true images'    |                    |
|           | share of generated images with another nearer than a fifth of that       |                    |

The last two are for collapse: they look at generated images among themselves. The nearest of 500 true faces
is at some three fifths of the mean distance.
"""

from os.path import expanduser
from pathlib import Path

from scaffold import HELP, BadInput, replacing

import keras
import numpy as np
from checkpoint import digest_of
from device import load_keras
from feature_network import train_feature_network

INCEPTION, OWN = "inceptionv3", "features.keras"
SUBSETS, SUBSET = 20, 250  # KID's mean and deviation are over so many draws of so many images
NEAR = 0.2  # of the mean distance of two true images: what is nearer is a duplicate


def choose_features(args, folder, faces):
    """What --feature-model asks for, as load_features() gives it, or None for "none".

    "automatic" is InceptionV3 if it can be had, else the chapter's own, which is trained on the faces, uint8
    (n, size, size, 3), and kept in <out-dir>/features.keras. Says what it is.
    """
    path = args.out_dir / OWN
    if args.feature_model == "none":
        return None
    if args.feature_model not in ("automatic", "own"):
        return load_features(args.feature_model, folder)
    if args.feature_model == "automatic":
        try:
            return load_features(INCEPTION, folder)
        except BadInput:
            print("note: InceptionV3 cannot be downloaded; measured with the chapter's own features instead")
    model = train_feature_network(faces, args.seed)
    with replacing(path) as temporary:
        model.save(temporary)
    return load_features(str(path), folder)


def load_features(name, folder):
    """A network, cut where its outputs have no positions any more.

    name : a whole Keras file, looked for as it stands and then in `folder`, that takes pixels 0 to 255; or
        inceptionv3, for keras.applications' with the weights of ImageNet, which is downloaded.
    Returns a model of float32 (batch, h, w, 3), 0 to 255 -> float32 (batch, d): the mean over the positions
    of the last layer with maps (batch, rows, columns, d); without such a layer, the model's own outputs.
    Raises BadInput when there is no such file or network, or it takes no images.
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
        path = next((path for path in (Path(expanduser(name)), folder / name) if path.is_file()), None)
        if path is None:
            raise BadInput(f"--feature-model {name}: there is no such file, nor in {folder}; {HELP}.")
        network = load_keras(path)
        pixels, outputs = inputs_and_maps(network, path)
    if len(outputs.shape) == 4:
        outputs = keras.layers.GlobalAveragePooling2D(dtype="float32")(outputs)
    outputs = keras.layers.Flatten(dtype="float32")(outputs)
    kind = INCEPTION if name == INCEPTION else "own" if Path(name).name == OWN else "features"
    model = keras.Model(pixels, outputs, name=kind)
    model.compile(jit_compile=False)  # compiling takes longer than looking
    return model


def inputs_and_maps(network, path):
    """The pixels that a network takes, and its last maps (batch, rows, columns, d), or else its outputs.

    Models inside of a model count as one layer, whose maps are what they give. Raises BadInput when the
    network does not take RGB images of one size, or has several outputs.
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


def features_of(model, images, batch=50):
    """uint8 (n, h, w, 3) of any size -> float32 (n, d)."""
    size, parts = model.input_shape[1:3], []
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch].astype(np.float32)
        if chunk.shape[1:3] != size:
            chunk = keras.ops.convert_to_numpy(keras.ops.image.resize(chunk, size, antialias=True))
        parts.append(model.predict_on_batch(chunk))
    return np.concatenate(parts)


def features_once(model, images, path):
    """features_of(), kept in a file: the same images and the same network need no second look."""
    digest = digest_of([images, *model.get_weights()])
    if path.is_file():
        try:
            with np.load(path, allow_pickle=False) as file:
                if str(file["digest"]) == digest:
                    return file["features"]
        except Exception:  # a damaged archive has many ways to say so
            pass  # the file is damaged: they are computed again
    found = features_of(model, images)
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, features=found, digest=np.array(digest))
    return found


def measure(model, held_out, images, path):
    """Compare generated images with the faces kept aside, whose features are kept in a file at `path`.

    Returns kid and its deviation, both times 1000, fid, spread and duplicates: see above. The kernel
    of KID supposes features of about 1, as InceptionV3's are. Those of any other network are divided by one
    number, the root of their mean square over the true faces.
    """
    true, fake = features_once(model, held_out, path), features_of(model, images)
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


def kid(true, fake, seed=0):
    """Features float (n, d) and (m, d) -> the mean and the deviation over SUBSETS draws.

    Being unbiased, it may well be below 0 for two sets of one distribution.
    """
    rng = np.random.default_rng(seed)
    size = min(SUBSET, len(true), len(fake))
    values = [
        discrepancy(true[rng.choice(len(true), size, False)], fake[rng.choice(len(fake), size, False)])
        for _ in range(SUBSETS)
    ]
    return float(np.mean(values)), float(np.std(values))


def discrepancy(x, y):
    """The unbiased estimate from x (n, d) and y (m, d): an image is never compared with itself."""
    of_x, of_y, between = kernel(x, x), kernel(y, y), kernel(x, y)
    n, m = len(x), len(y)
    within = (of_x.sum() - np.trace(of_x)) / (n * (n - 1)) + (of_y.sum() - np.trace(of_y)) / (m * (m - 1))
    return within - 2 * between.mean()


def kernel(a, b):
    """(n, d), (m, d) -> (n, m)."""
    return (a.astype(np.float64) @ b.T.astype(np.float64) / a.shape[1] + 1) ** 3


def fid(true, fake):
    """|mean - mean|^2 + trace(S + T - 2 (S T)^(1/2)), S and T the covariances. Few images make it larger.

    With S = A'A and T = B'B of the centred features A (n, d) and B (m, d), the trace of (S T)^(1/2) is the
    sum of the singular values of A B', which has n x m numbers where a matrix root would need d x d.
    """
    means, roots = [], []
    for features in (true.astype(np.float64), fake.astype(np.float64)):
        means.append(features.mean(axis=0))
        roots.append((features - means[-1]) / np.sqrt(len(features) - 1))
    traces = sum(np.square(root).sum() for root in roots)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(np.square(means[0] - means[1]).sum() + traces - 2 * shared)


def collapse(true, fake):
    """Features -> spread and duplicates. A generator of one image has 0 and 1."""
    of_true, of_fake = distances(true), distances(fake)
    usual = of_true[np.isfinite(of_true)].mean()
    spread = of_fake[np.isfinite(of_fake)].mean() / usual
    return float(spread), float((of_fake.min(axis=1) < NEAR * usual).mean())


def distances(x):
    """(n, d) -> Euclidean distances (n, n); infinity on the diagonal."""
    x = x.astype(np.float64)
    squares = np.square(x).sum(axis=1)
    matrix = np.sqrt(np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0))
    np.fill_diagonal(matrix, np.inf)
    return matrix

"""Images -> scores (large: anomalous), and scores -> how good they are.

| --score     | of             | what makes an image anomalous                      | where         |
|-------------|----------------|----------------------------------------------------|---------------|
| error       | an autoencoder | squared error of the reconstruction, all pixels    | vae.py        |
| elbo        | vae            | an unlikely image: minus the lower bound           | vae.py        |
| neighbours, | any code       | a code far from all others                         | density.py    |
| cosine,     |                |                                                    |               |
| mahalanobis,|                |                                                    |               |
| mixture     |                |                                                    |               |
| rotation    | rotation       | a rotation that the network does not recognise     | rotation.py   |
| comparison  | any code       | a code that the test has more of than training has | comparison.py |
| fine-tuned  | rotation       | the same, of networks that have learnt to tell     | finetuning.py |
"""

from scaffold import BadInput

import numpy as np
from checkpoint import digest_of
from comparison import comparison
from dataset import CHUNK, as_floats
from density import DENSITIES, directions, nearest
from finetuning import folds_of, load_fine_tuned
from keras import ops
from model import AUTOENCODERS, ROTATIONS, load_model
from rotation import rotated, rotation_score
from sklearn.metrics import roc_auc_score
from tqdm import tqdm
from vae import elbo, squared_error

HELD_OUT = 0.1  # share of the training images that nothing is fitted on
KNOWN = 40_000  # training images whose codes are kept, at most
BATCH = 200  # images that a network looks at together
RESAMPLES = 1000  # of a bootstrap


def split(count, seed):
    """Rows of `count` training images: to learn from, and held out. Both sorted, the second never empty."""
    mixed = np.random.default_rng(seed).permutation(count)
    held_out = max(1, round(HELD_OUT * count))
    return np.sort(mixed[held_out:]), np.sort(mixed[:held_out])


def parts(images, rows):
    """These rows of load_images' array as float32, some at a time."""
    for start in tqdm(range(0, len(rows), CHUNK), "images", leave=False, ncols=80, disable=None):
        yield as_floats(images[rows[start : start + CHUNK]])


def predict(model, inputs):
    """model.predict of any inputs (n, ...), filled up to whole batches, so that one shape is compiled."""
    filled = np.concatenate([inputs, np.zeros((-len(inputs) % BATCH, *inputs.shape[1:]), inputs.dtype)])
    found = model.predict(filled, batch_size=BATCH, verbose=0)
    if isinstance(found, list | tuple):
        return [array[: len(inputs)] for array in found]
    return found[: len(inputs)]


def codes_of(model, images, rows):
    """The codes of some images: float32 (n, d).

    A vae's code is its mean. A rotation network's is what it sees in all four turns of the image, side by
    side: square roots, since a few large features would outweigh all others.
    """
    encoder, found = model.get_layer("encoder"), []
    for part in parts(images, rows):
        if model.name == "rotation":
            features = np.sqrt(predict(encoder, rotated(part)[0]))  # (4 n, 192)
            found.append(np.concatenate(np.split(features, ROTATIONS), axis=1))
        else:
            code = predict(encoder, part)
            found.append(code[0] if model.name == "vae" else code)
    return np.concatenate(found)


def load_and_score(folder, metrics, network, training, test, codes):
    """model.keras of a training and its score: (model, that of the test, of held-out training images).

    metrics, network : of the training; codes : float (m, d), of training images. Raises BadInput if the model
    is of another network or other images.
    """
    score, seed = (metrics["arguments"].get(name) for name in ("score", "seed"))
    model = load_model(folder / "model.keras", test.shape[1:])
    if metrics.get("training") != digest_of([training]):
        raise BadInput("train.npy is not what train.py learnt from; run train.py on this data set.")
    if model.name != network:
        raise BadInput(f"{folder / 'metrics.json'} is not of this model.keras; run train.py again.")
    _, held_out = split(len(training), seed)
    fine_tuned = load_fine_tuned(folder, metrics, test) if score == "fine-tuned" else None, seed
    rows = np.arange(len(test))
    return model, *score_images(model, score, codes, test, rows, training, held_out, fine_tuned)


def score_images(model, score, train_codes, images, rows, training, held_out, fine_tuned=(None, 0)):
    """Score test images, and training images that were held out: float (n,), float (k,).

    train_codes : float (m, d), codes of training images; images[rows] : the test's n, training[held_out] : k
    score : a row of the table above that suits the model
    fine_tuned : for the score of this name, fine_tune()'s networks and the seed of their training

    Raises BadInput when the score needs codes, and the network gives every image the same, or overflows.
    """
    both = ((images, rows), (training, held_out))
    if score in DENSITIES or score == "comparison":
        return score_codes(score, train_codes, *(codes_of(model, *some) for some in both))
    if score == "fine-tuned":
        found = tuple(out_of_fold_scores(*fine_tuned, *some) for some in both)
    else:
        of_a_part = {"error": errors, "elbo": bounds, "rotation": rotation_scores}[score]
        found = tuple(np.concatenate([of_a_part(model, part) for part in parts(*some)]) for some in both)
    if not all(np.isfinite(scores).all() for scores in found):
        raise BadInput(
            f"--score {score}: the network gives scores that are not numbers; run train.py with a smaller "
            "--learning-rate."
        )
    return found


def score_codes(score, train_codes, codes, others):
    """The scores of test images and of held-out training images by their codes: see score_images."""
    finite = all(np.isfinite(each).all() for each in (train_codes, codes, others))
    if not finite or (train_codes == train_codes[0]).all():
        raise BadInput(
            f"--score {score}: the codes are all alike or too large, the network has learnt nothing; run "
            "train.py with a smaller --learning-rate, or for more --epochs."
        )
    if score == "comparison":
        return comparison(train_codes, codes, others)
    scores = DENSITIES[score](train_codes, np.concatenate([codes, others]))
    return scores[: len(codes)], scores[len(codes) :]


def out_of_fold_scores(networks, seed, images, rows):
    """The score of fine_tune()'s networks: each image's by the one that has not seen it. Returns float (n,).

    It is the mean of the log-odds of the image and of its mirror image. Images that no network has seen are
    dealt among them.
    """
    log_odds = [predict(networks, part) + predict(networks, part[:, :, ::-1]) for part in parts(images, rows)]
    fold = folds_of(len(rows), seed)[:, None]
    return np.take_along_axis(np.concatenate(log_odds) / 2, fold, axis=1)[:, 0]


def reference_images(model, test, shown, codes, training, train_rows):
    """What stands below each of the test images shown: float (n, h, w, 3), and a word for it."""
    if model.name in AUTOENCODERS:
        return predict(model, as_floats(test[shown])), "given back"
    both = codes, codes_of(model, test, shown)
    _, indices = nearest(*(directions(*both) if model.name == "contrastive" else both), 1)
    return as_floats(training[train_rows[indices[:, 0]]]), "nearest\nin training"


def errors(model, images):
    return ops.convert_to_numpy(squared_error(images, predict(model, images)))


def bounds(model, images):
    mean, log_variance = predict(model.get_layer("encoder"), images)
    drawn = predict(model.get_layer("decoder"), mean)
    return -ops.convert_to_numpy(elbo(images, drawn, mean, log_variance))


def rotation_scores(model, images):
    turns, quarters = rotated(images)
    return rotation_score(predict(model, turns), quarters)


def against_training(scores, held_out):
    """The share of pairs (test, held-out training image) in which the test scores higher: needs no answers.

    0.5: the score sees no difference. If a share s of the test is anomalous and the rest is like the training
    images, then it is 0.5 + s * (ROC-AUC - 0.5), up to chance.
    """
    return auc(np.repeat([1, 0], [len(scores), len(held_out)]), np.concatenate([scores, held_out]))


def auc(anomaly, scores):
    """The share of pairs (anomaly, normal image) in which the anomaly scores higher; a tie counts half."""
    return float(roc_auc_score(anomaly, scores))


def interval(anomaly, scores, seed=0):
    """95% of the AUCs of RESAMPLES bootstrap samples: (low, high). Each kind is drawn from by itself."""
    rng = np.random.default_rng(seed)
    # Sorted once, an AUC is a sum of ranks: each image is then only counted as often as it was drawn.
    of_anomalies, of_normal = np.sort(scores[anomaly == 1]), np.sort(scores[anomaly == 0])
    below = (
        np.searchsorted(of_normal, of_anomalies, "left"),
        np.searchsorted(of_normal, of_anomalies, "right"),
    )
    found = []
    for _ in range(RESAMPLES):
        drawn, times = (
            np.bincount(rng.integers(0, len(kind), len(kind)), minlength=len(kind))
            for kind in (of_anomalies, of_normal)
        )
        passed = np.concatenate([[0], np.cumsum(times)])  # normal images drawn among the lowest 0, 1, 2, ...
        wins = (passed[below[0]] + passed[below[1]]) / 2
        found.append(drawn @ wins / (len(of_anomalies) * len(of_normal)))
    return tuple(float(end) for end in np.percentile(found, [2.5, 97.5]))

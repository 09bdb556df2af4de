"""Training or test? The comparison's question, asked of the whole network instead of its codes.

The codes of a rotation network were made to say how far an image is turned, and a logistic regression has to
take them as they are. Here the network itself goes on to learn which of the two sets an image is from, so its
codes change to tell what the test has more of. What comparison.py says of the answer holds here as well, and
so does this: who has seen an image must not score it. So FOLDS networks are trained, each without a part of
the test, and an image is scored by the one that has not seen it.
"""

import sys

from scaffold import BadInput

import keras
import numpy as np
import pandas as pd
from batches import Images
from checkpoint import Checkpoint, digest_of
from dataset import as_floats
from device import dealt, load_keras
from keras import layers
from records import fingerprint
from rotation import jittered

FOLDS = 3
RATE_FACTOR = 0.5  # times --learning-rate: the network has learnt something already
BATCH_FACTOR = 2  # times --batch-size: here an image is not shown in four rotations
WEIGHT_DECAY = 1e-3


def folds_of(count, seed):
    """The number of the network that leaves out each test image, and is to score it: int (count,)."""
    return np.random.default_rng([seed, count]).permutation(np.arange(count) % FOLDS)


class TrainingAndTest(Images):
    """Batches (images, answers, weights) of training and test images, jittered.

    rows : of the training images, and len(training) + those of the test images
    answers : float32 (n, 1), 1 for an image of the test. weights : (n,), so that the two sets count alike
    """

    def __init__(self, training, test, rows, batch_size, seed, epoch=0):
        self.test, of_test = test, np.mean(rows >= len(training))
        self.weights = np.array([0.5 / (1 - of_test), 0.5 / of_test], np.float32)
        super().__init__(training, rows, batch_size, training=True, seed=seed, epoch=epoch)

    def __getitem__(self, index):
        rows = np.sort(self.order[index * self.batch_size : (index + 1) * self.batch_size])
        of_test = rows >= len(self.images)
        both = self.images[rows[~of_test]], self.test[rows[of_test] - len(self.images)]
        images = np.concatenate([as_floats(part) for part in both])
        images = jittered(images, np.random.default_rng([self.seed, self.epoch, index]))
        order = dealt(len(rows))
        of_test = of_test[order]
        return images[order], of_test.astype(np.float32)[:, None], self.weights[of_test.astype(int)]


def fine_tune(args, model, training, rows, test):
    """Train FOLDS copies of a rotation network's encoder, each without its fold of the test images.

    Returns one model of all: images float32 (n, h, w, 3) -> (n, FOLDS), each network's log-odds that an image
    is of the test; and a history, a row an epoch and network.
    """
    inputs, log_odds, histories = keras.Input(model.input_shape[1:]), [], []
    folds = folds_of(len(test), args.seed)
    data = [np.array(digest_of((training, test)))]  # once for all networks: it reads both files
    for fold in range(FOLDS):
        print(f"training or test? Network {fold + 1} of {FOLDS}", flush=True)
        encoder = keras.models.clone_model(model.get_layer("encoder"))
        encoder.set_weights(model.get_layer("encoder").get_weights())
        encoder.name = f"encoder_{fold + 1}"
        head = layers.Dense(1, dtype="float32", name=f"log_odds_{fold + 1}")
        network = keras.Model(inputs, head(encoder(inputs)))
        seen = np.concatenate([rows, len(training) + np.flatnonzero(folds != fold)])
        histories.append(fit_one(args, network, training, test, seen, fold, data))
        log_odds.append(network.output)
    history = pd.concat(histories).reset_index()
    return keras.Model(inputs, layers.Concatenate(dtype="float32")(log_odds), name="fine_tuned"), history


def fit_one(args, network, training, test, rows, fold, data):
    """Train one network, with --resume from the last finished epoch on. Returns a row an epoch."""
    checkpoint = Checkpoint(args, data, ("answers", "score"), f"checkpoint_{fold + 1}.npz")
    batch_size = BATCH_FACTOR * args.batch_size
    steps = args.epochs * -(-len(rows) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - steps // 20, warmup_target=RATE_FACTOR * args.learning_rate, warmup_steps=steps // 20
    )
    optimizer = keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, weight_decay=WEIGHT_DECAY)
    network.compile(optimizer, keras.losses.BinaryCrossentropy(from_logits=True), jit_compile=False)
    optimizer.build(network.trainable_variables)  # else TensorFlow traces the first step twice
    variables = [*network.variables, *optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    done = len(checkpoint.rows)
    network.fit(
        TrainingAndTest(training, test, rows, batch_size, args.seed, epoch=done),
        initial_epoch=done,
        epochs=args.epochs,
        shuffle=False,  # the batches are mixed already
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[checkpoint.callback(variables)],
    )
    return checkpoint.history().assign(network=fold + 1)


def load_fine_tuned(folder, metrics, test):
    """fine_tuned.keras. Raises BadInput if it is missing, broken, or learnt on another test.npy."""
    path = folder / "fine_tuned.keras"
    if metrics["files"].get(path.name) != (fingerprint(path) if path.is_file() else None):
        raise BadInput(f"{path} is missing or of another training; run train.py to its end.")
    if metrics.get("test") != digest_of([test]):
        raise BadInput(
            "test.npy is not the one that train.py compared with train.npy; run train.py on it, or with "
            "--score rotation, which scores any image."
        )
    networks = load_keras(path)
    if networks.input_shape[1:] != test.shape[1:] or networks.output_shape != (None, FOLDS):
        raise BadInput(f"{path} is no model of this chapter; run train.py again.")
    networks.jit_compile = False
    return networks

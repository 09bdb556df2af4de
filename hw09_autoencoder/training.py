"""The training of one autoencoder, what is seen of it after each epoch, and what is made of all of them."""

import sys

from scaffold import BadInput

import keras
import numpy as np
from checkpoint import Checkpoint
from clustering import accuracy, k_means, member_seed, of_neighbours, part, whitening
from figures import strip_indices
from keras import ops
from model import Autoencoder, in_batches, whole_model


def fit(args, number, images, validation, labels):
    """Train one autoencoder, with --resume from the last finished epoch on.

    number: which of --networks, from 0. Returns the model and its history, a row an epoch.
    """
    seed = member_seed(args, number)
    keras.utils.set_random_seed(seed)
    model = Autoencoder(args.code_size, args.noise, args.method == "contrastive", seed, number + 1)
    model(images[:2] / np.float32(255), training=True)  # builds all weights
    batches = Batches(images.astype(np.float32) / 255, args.batch_size, seed)
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, args.epochs * len(batches))
    # XLA's code for this network is four times as slow on the CPU as TensorFlow's own.
    model.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    variables = [*model.variables, *model.optimizer.variables]
    checkpoint = Checkpoint(args, [images], ("reduce", "clustering"), f"checkpoint_{number + 1}.npz")
    if args.resume:
        checkpoint.restore(variables)
    begin = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: batches.deal(epoch))
    model.fit(
        batches,
        initial_epoch=len(checkpoint.rows),
        epochs=args.epochs,
        shuffle=False,  # the batches are mixed already
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[begin, Watch(args, images, validation, labels), checkpoint.callback(variables)],
    )
    return model, checkpoint.history().reset_index().assign(network=number + 1)


class Batches(keras.utils.PyDataset):
    """Batches of images (n, 32, 32, 3), in an order that depends on the seed and the epoch alone."""

    def __init__(self, images, batch_size, seed):
        super().__init__()
        self.images, self.batch_size, self.seed = images, batch_size, seed
        self.deal(0)

    def deal(self, epoch):
        self.order = np.random.default_rng([self.seed, epoch]).permutation(len(self.images))

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        part = self.images[self.order[index * self.batch_size : (index + 1) * self.batch_size]]
        return (part,)


class Watch(keras.callbacks.Callback):
    """Adds two numbers to the logs of an epoch, and so to history.csv:

    validation_error : mean squared error of valX, decoded from its own codes, of pixels 0..1, without noise
    accuracy : on valX, of k-means on the whitened codes of trainX
    """

    def __init__(self, args, images, validation, labels):
        super().__init__()
        self.images, self.validation = (part / np.float32(255) for part in (images, validation))
        self.labels, self.learning_rate = labels, args.learning_rate

    def on_epoch_end(self, epoch, logs=None):
        decoded = in_batches(self.model, self.validation)
        codes, others = (in_batches(self.model.encoder, part) for part in (self.images, self.validation))
        if not all(np.isfinite(each).all() for each in (list(logs.values()), codes, others)):
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {self.learning_rate} may be "
                "too large."
            )
        if (codes == codes[0]).all():
            raise BadInput(
                f"epoch {epoch + 1}: all images have the same code, --learning-rate {self.learning_rate} "
                "may be too large."
            )
        matrix, offset = whitening(codes)
        train_codes = codes @ matrix + offset
        groups = of_neighbours(others @ matrix + offset, train_codes, k_means(train_codes, seed=0))
        logs["validation_error"] = float(np.mean(np.square(decoded - self.validation)))
        logs["accuracy"] = accuracy(groups, self.labels)


def strip(model, images):
    """The images SHOWN, corrupted as in training, and decoded from that: float32 (3, k, 32, 32, 3), 0..1."""
    clean = images[strip_indices(len(images))].astype(np.float32) / 255
    corrupted = model.corrupted(ops.convert_to_tensor(clean))
    rows = (clean, corrupted, model(corrupted))
    return np.clip([ops.convert_to_numpy(row) for row in rows], 0, 1)


def join(members, images, whitened):
    """The members as one model, whose codes are whitened as those of the images ask: see whole_model()."""
    raw = [in_batches(member.encoder, images / np.float32(255)) for member in members]
    return whole_model(members, [whitening(codes) if whitened else None for codes in raw])


def group(args, model, images, validation, labels):
    """Part trainX in two groups by its codes: what goes into clusters.npz, and the accuracy on valX."""
    codes, validation_codes = (in_batches(lambda x: model(x)[0], each) for each in (images, validation))
    clusters = part(args, codes, images)
    found = of_neighbours(validation_codes, clusters["codes"], clusters["groups"])
    return clusters, accuracy(found, labels)

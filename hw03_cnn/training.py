"""The training: SGD with warm-up and a falling rate, label smoothing and augmentation."""

import sys
from dataclasses import replace

import keras
import numpy as np
from batches import Augmentation, Batches
from checkpoint import Checkpoint
from device import ALONE, divisible, share_batches
from keras import ops
from model import build_model, portable

SMOOTHING = 0.2  # share of a label that goes to the other classes
TEACHER = 0.5  # share of a label that a teacher decides
DECAY = 0.01  # each step w -= rate DECAY w; with momentum 0.9 an L2 penalty of 0.001 has the same effect
WARM_UP = 0.2  # share of the steps in which the rate rises
MIXED, CROPPED_FROM = 30, 60  # epochs from which on images are mixed, and change much
TURN = 15  # degrees, of the course's sample network's images
CROPPED, AFTERWARDS = 7 / 8, 9 / 8  # times the side: of a crop, and of the whole image after the training


def augmentation(epochs, size):
    """Shifts by a tenth of the image; where it is seen often, mixed too; more often, crops and colours."""
    if epochs < CROPPED_FROM:
        return Augmentation(shift=max(1, size // 10), cutmix=0.5 if epochs >= MIXED else 0.0)
    return Augmentation(smallest=0.25, side=round(CROPPED * size), colour=0.4, cutmix=0.7)


def sides(args):
    """Pixels a side of the images that the network is shown in training, and afterwards.

    A crop is scaled up, so that things look larger in training than in whole images. Whole images are
    therefore enlarged after it (Touvron et al. 2019, "Fixing the train-test resolution discrepancy").
    """
    changes = augmentation_of(args)
    if changes is None or changes.side is None:
        return args.image_size, args.image_size
    return changes.side, round(AFTERWARDS * args.image_size)


def augmentation_of(args):
    """The Augmentation of a training, or None; crops keep their size where a network needs one size."""
    if "augmentation" in args.without:
        return None
    if args.arch == "plain":
        return Augmentation(turn=TURN)
    changes = augmentation(args.epochs, args.image_size)
    return replace(changes, side=None) if args.arch == "dense" else changes


def build(args, images, classes):
    """The networks that the flags ask for, untrained: one for each generation.

    images: uint8 (N, n, n, 3), what they are whitened by.
    """
    networks = []
    for generation in range(args.generations):
        keras.utils.set_random_seed(args.seed + generation)
        networks.append(
            build_model(
                args.arch,
                args.image_size,
                classes,
                args.width,
                normalise="normalisation" not in args.without,
                whitened=None if "whitening" in args.without else images,
                identity="identity" not in args.without,
                side=sides(args)[0],
            )
        )
    return networks


def without_training(args, model):
    """The model as it is saved and used: on one device, of Keras' own layers, for whole images."""
    share_batches(*ALONE)
    return portable(model, args.image_size, sides(args)[1])


class Student(keras.Model):
    """A network that learns from a teacher's probabilities of the very image it is shown, and from its label.

    Of one network as teacher and student: Furlanello et al. 2018, "Born-again neural networks".
    """

    def __init__(self, network, teacher):
        super().__init__()
        self.network = network
        # In a function, so that Keras does not train or save it.
        self.teacher_probabilities = lambda images: ops.softmax(teacher(images, training=False))

    def call(self, images, training=False):
        return self.network(images, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        if training:
            y = (1 - TEACHER) * y + TEACHER * ops.stop_gradient(self.teacher_probabilities(x))
        return super().compute_loss(x, y, y_pred, sample_weight, training)


def compiled(args, network, teacher, steps):
    """The network, ready for fit(): by itself or, where there is a teacher, as its Student.

    SGD with Nesterov's momentum, and a learning rate that rises in a line and falls along a cosine. The
    course's sample network has the course's training: Adam at one rate, and labels as they are.
    """
    model = Student(network, teacher) if teacher else network
    if args.arch == "plain":
        smoothing, optimizer = 0.0, keras.optimizers.Adam(args.learning_rate)
    else:
        smoothing = 0.0 if teacher else SMOOTHING  # what a teacher says is smooth enough
        warm_up = round(WARM_UP * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            args.learning_rate / 10,
            steps - warm_up,
            warmup_target=args.learning_rate,
            warmup_steps=warm_up,
        )
        optimizer = keras.optimizers.SGD(rate, 0.9, nesterov=True, weight_decay=DECAY)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=keras.backend.backend() != "tensorflow",  # on a CPU with TensorFlow it halves the speed
    )
    optimizer.build(network.trainable_variables)  # else TensorFlow traces the first step twice
    return model


def fit(args, networks, training, validation, classes):
    """Train one network after the other, the next with the last as its teacher; with --resume from the last
    finished epoch on. Returns the history, a row an epoch, those of all networks in turn."""
    batches = Batches(*training, classes, args.batch_size, args.seed, augmentation_of(args))
    steps = args.epochs * len(batches)
    models = [
        compiled(args, network, teacher, steps) for network, teacher in zip(networks, [None, *networks])
    ]
    checkpoint, variables = Checkpoint(args, training), []
    for network, model in zip(networks, models):
        variables += [*network.variables, *model.optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    batches.epoch = len(checkpoint.rows)
    batches.shuffle()
    one_hot = np.eye(classes, dtype=np.float32)
    for generation, model in enumerate(models):
        done = len(checkpoint.rows) - generation * args.epochs
        model.fit(
            batches,
            validation_data=(divisible(validation[0]), divisible(one_hot[validation[1]])),
            validation_batch_size=len(divisible(range(500))),
            initial_epoch=min(max(0, done), args.epochs),
            epochs=args.epochs,
            shuffle=False,  # Batches does
            verbose=1 if sys.stdout.isatty() else 2,
            callbacks=[checkpoint.callback(variables)],
        )
    return checkpoint.history()


def accuracy(model, images, labels):
    """The share of images, uint8 (N, n, n, 3), whose class the model names."""
    return float(np.mean(model.predict(images, 500, verbose=0).argmax(axis=1) == labels))

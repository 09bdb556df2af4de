"""The training: SGD with a rate that rises and falls, smoothed labels, and an average of the weights."""

import sys

import keras
import numpy as np
from batches import Batches
from checkpoint import Checkpoint

WARM_UP = 2  # epochs in which the learning rate rises, at most a quarter of them
SMOOTHING = 0.1  # share of a label that goes to the other classes
DECAY = 5e-3  # times the rate, past the momentum: ten times what an L2 penalty of the same effect would have
AVERAGED = 200  # steps that the moving average of the weights looks back, at most a tenth of them


def fit(args, model, training, validation, classes):
    """Train, with --resume from the last finished epoch on. Returns the history, a row an epoch.

    SGD with Nesterov's momentum, a learning rate that rises for two epochs and falls along a cosine, smoothed
    labels, and a moving average of the weights, which is what validates and what remains. The original's
    network has the original's training: Adam at one rate, labels as they are, and no average.
    """
    batches = Batches(*training, classes, args.batch_size, args.seed)
    averages = [keras.callbacks.SwapEMAWeights()]
    if args.arch == "plain":
        optimizer, smoothing, averages = keras.optimizers.Adam(args.learning_rate), 0.0, []
    else:
        steps = args.epochs * len(batches)
        warm_up = min(WARM_UP * len(batches), steps // 4)
        rate = keras.optimizers.schedules.CosineDecay(
            args.learning_rate / 10,
            steps - warm_up,
            warmup_target=args.learning_rate,
            warmup_steps=warm_up,
        )
        momentum = 1 - 1 / max(2, min(AVERAGED, steps // 10))
        optimizer, smoothing = (
            keras.optimizers.SGD(
                rate, 0.9, nesterov=True, weight_decay=DECAY, use_ema=True, ema_momentum=momentum
            ),
            SMOOTHING,
        )
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing),
        metrics=[keras.metrics.CategoricalAccuracy(name="accuracy")],
        jit_compile=keras.backend.backend() != "tensorflow",  # on a CPU with TensorFlow it halves the speed
    )
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    checkpoint, variables = Checkpoint(args), [*model.variables, *optimizer.variables]
    if args.resume:
        checkpoint.restore(variables)
    batches.epoch = len(checkpoint.rows)
    batches.shuffle()
    one_hot = np.eye(classes, dtype=np.float32)
    model.fit(
        batches,
        validation_data=(validation[0], one_hot[validation[1]]),
        validation_batch_size=500,
        initial_epoch=len(checkpoint.rows),
        epochs=args.epochs,
        shuffle=False,  # Batches does
        verbose=1 if sys.stdout.isatty() else 2,
        callbacks=[*averages, checkpoint.callback(variables)],
    )
    return checkpoint.history()


def accuracy(model, pictures, labels):
    """The share of pictures, uint8 (N, n, n, 3), that the model names right."""
    return float(np.mean(model.predict(pictures, 500, verbose=0).argmax(axis=1) == labels))

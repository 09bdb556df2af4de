"""The training of the small classifier: Adam with a rate that falls along a cosine."""

import sys

from scaffold import BadInput

import keras
import numpy as np
import pandas as pd
from model import build_small


def build(args, classes):
    """The untrained classifier, of images of --image-size."""
    return build_small(args.image_size, classes)


def fit(args, model, training, validation):
    """Train on (images, labels). Returns the history, a row an epoch."""
    steps = args.epochs * -(-len(training[1]) // args.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps)
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        jit_compile=False,  # on a CPU a step takes longer with it
    )
    model.optimizer.build(model.trainable_variables)  # else TensorFlow traces the first step twice
    fitted = model.fit(
        *training,
        args.batch_size,
        args.epochs,
        validation_data=validation,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    history = pd.DataFrame(fitted.history, index=pd.RangeIndex(1, args.epochs + 1, name="epoch"))
    if not np.isfinite(history.to_numpy()).all():
        raise BadInput(
            f"--learning-rate {args.learning_rate}: the loss is not a number, it may be too large."
        )
    return history

"""The chapter's own features, for whoever has no other network: contrastive learning on the faces themselves.

Two views of each face, changed at random as augment.py does and mirrored, are encoded; among the second views
of all faces in the batch, that of the same face has to be the nearest to the first view, and the other way
round (InfoNCE; SimCLR, Chen et al. 2020, compares each view with the others of its own side too). What tells
faces apart is hair, eyes, pose and colours, and these are then in the features. A KID by such features
compares images measured with the same file, and with nothing else.
"""

import keras
import numpy as np
import tensorflow as tf
from augment import augment, flip
from keras import layers
from tqdm import tqdm

FILTERS = (32, 64, 128, 256)
STEPS, BATCH, LEARNING_RATE = 400, 128, 0.001
TEMPERATURE, CODE = 0.2, 64


def train_feature_network(faces, seed, steps=STEPS):
    """uint8 (n, size, size, 3) -> a model of pixels (batch, size, size, 3), 0 to 255 -> maps."""
    size, rng = faces.shape[1], np.random.default_rng(seed)
    pixels = keras.Input((size, size, 3), name="pixels")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    for filters in FILTERS:
        start = keras.initializers.HeNormal(int(rng.integers(2**31)))  # whatever was drawn for other networks
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu", kernel_initializer=start)(x)
    model = keras.Model(pixels, x, name="feature_network")
    start = keras.initializers.GlorotUniform(int(rng.integers(2**31)))
    code = layers.Dense(CODE, kernel_initializer=start)(layers.GlobalAveragePooling2D()(x))
    codes = keras.Model(pixels, code)
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
    optimizer.build(codes.trainable_variables)

    @tf.function(autograph=False)
    def update(batch, draws):
        with tf.GradientTape() as tape:
            loss = contrastive_loss(
                *(codes(view(batch, seeds), training=True) for seeds in (draws[:2], draws[2:]))
            )
        optimizer.apply(tape.gradient(loss, codes.trainable_variables), codes.trainable_variables)

    for _ in tqdm(range(steps), "own features", leave=False, ncols=80, disable=None):
        chosen = rng.choice(len(faces), min(BATCH, len(faces)), replace=False)
        update(tf.cast(faces[chosen], tf.float32), tf.constant(rng.integers(2**31, size=(4, 2)), tf.int32))
    return model


def view(pixels, seeds):
    """A face as augment.py and a mirror change it: float32 (b, h, w, 3), 0 to 255, twice."""
    changed = augment(flip(pixels / 127.5 - 1, seeds[0]), seeds[1])
    return (tf.clip_by_value(changed, -1, 1) + 1) * 127.5


def contrastive_loss(first, second):
    """-log of the softmax, over all codes of the other view, at the same face's: (b, d) twice -> ()."""
    first, second = (tf.math.l2_normalize(code, axis=1) for code in (first, second))
    logits = first @ tf.transpose(second) / TEMPERATURE
    same = tf.range(tf.shape(logits)[0])
    loss = tf.nn.sparse_softmax_cross_entropy_with_logits
    return tf.reduce_mean(loss(same, logits) + loss(same, tf.transpose(logits))) / 2

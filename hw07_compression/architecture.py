"""Four ways to convolve 3 x 3, from c channels to f, and what each costs.

    kind        weights          what
    normal      9 c f            every output looks at every input
    depthwise   9 c + c f        each channel alone, then 1 x 1 across the channels: two layers
    separable   9 c + c f        the same as one layer of Keras, with the same numbers
    grouped     9 c f / GROUPS   the channels in GROUPS parts that do not see each other

Depthwise and pointwise: Howard et al., MobileNets, https://arxiv.org/abs/1704.04861.
"""

import keras
import numpy as np
from fused_batch_norm import FusedBatchNormalization
from keras import layers

GROUPS = 4
EPSILON = 1e-5  # of batch normalisation
PLAIN = {"padding": "same", "kernel_initializer": "he_normal"}


def unit(x, filters, kind, name, folded=False, strides=1, pooling=False):
    """A convolution of a kind, batch normalisation, ReLU: (batch, n, n, c) -> (batch, n, n, filters).

    A folded unit has a bias where the other has its batch normalisation. With pooling before that, its scales
    stay above 0, since only then the largest value of what is scaled is the scaled largest value.
    """
    name = f"{name}_convolution"
    if kind == "normal":
        x = layers.Conv2D(filters, 3, strides, use_bias=folded, name=name, **PLAIN)(x)
    elif kind == "separable":
        x = layers.SeparableConv2D(filters, 3, use_bias=folded, padding="same", name=name)(x)
    elif kind == "depthwise":
        alone = name.replace("convolution", "depthwise")
        x = layers.DepthwiseConv2D(3, use_bias=False, padding="same", name=alone)(x)
        x = layers.Conv2D(filters, 1, use_bias=folded, name=name, **PLAIN)(x)
    else:
        x = grouped(x, filters, name, folded)
    if pooling:
        x = layers.MaxPooling2D()(x)
    if not folded:
        settings = {"momentum": 0.9, "epsilon": EPSILON, "gamma_constraint": "non_neg" if pooling else None}
        x = FusedBatchNormalization(name=name.replace("convolution", "normalisation"), **settings)(x)
    return layers.ReLU()(x)


def grouped(x, filters, name, folded):
    """Conv2D(groups=GROUPS), part by part: TensorFlow's own takes seconds a step to train on a CPU."""
    parts = [
        layers.Conv2D(filters // GROUPS, 3, use_bias=folded, name=f"{name}_{number}", **PLAIN)(part)
        for number, part in enumerate(keras.ops.split(x, GROUPS, axis=-1))
    ]
    return layers.Concatenate()(parts)


def multiply_adds(model):
    """The multiplications of one image's way through a model: each weight, as often as it is used."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            total += multiply_adds(layer)
        elif isinstance(
            layer, layers.Dense | layers.Conv2D | layers.DepthwiseConv2D | layers.SeparableConv2D
        ):
            indices = np.prod(layer.output.shape[1:-1], dtype=int)  # 1 after pooling
            total += int(indices) * sum(int(np.prod(w.shape)) for w in layer.weights if len(w.shape) > 1)
    return total

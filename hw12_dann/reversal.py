"""The gradient reversal, and how strong it is when (Ganin et al. 2016, sections 4.2 and 5.2.2).

What lies before the reversal climbs the very loss that what lies behind it descends: one network, one pass,
one optimiser, where alternating steps would need two.
"""

from keras import ops

STEEPNESS = 10.0  # gamma of the paper


@ops.custom_gradient
def reverse_gradient(features, strength):
    """The features as they are; backwards, -strength times the gradient.

    features : (n, d). strength : a tensor without dimensions, which may change from step to step.
    """

    def backward(*args, upstream=None):
        if upstream is None:  # TensorFlow and JAX give it by place, PyTorch by name
            (upstream,) = args
        return -ops.cast(strength, upstream.dtype) * upstream, ops.zeros_like(strength)

    return features, backward


def schedule(progress):
    """lambda at a progress of 0..1: from 0 to nearly 1, so that the labels are learnt before the battle."""
    return 2 / (1 + ops.exp(-STEEPNESS * progress)) - 1

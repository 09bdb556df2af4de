"""Pruning: leave out the channels, or the weights, that do least.

A channel is judged by the scale that batch normalisation gives it (Liu et al., Network slimming,
https://arxiv.org/abs/1708.06519) or by the size of its filter (Li et al., https://arxiv.org/abs/1608.08710).
Channels that are added to each other stand or fall together. What is left is a smaller network: the channel
is gone from the convolution that makes it and from those that read it.

A weight is judged by its size (Han et al., https://arxiv.org/abs/1506.02626): the smallest become zero and
stay zero. The network is as large as before, but zeros are cheap to write down.
"""

import keras
import numpy as np
from model import build_student, in_eights, units


def groups(plan):
    """Yield (the units that make the same channels, the units that read them); the head reads the last."""
    if plan["layout"] == "airbench":
        names = units(plan)
        yield from (([maker], [reader]) for maker, reader in zip(names, [*names[1:], "head"]))
        return
    yield ["stem"], ["stage1"]
    last = len(plan["stages"])
    for number in range(1, last + 1):
        name = f"stage{number}"
        yield [name, f"{name}_outer"], [f"{name}_inner", "head" if number == last else f"stage{number + 1}"]
        yield [f"{name}_inner"], [f"{name}_outer"]


def importance(model, makers, rank):
    """How much each channel of a group does: float32 (channels,), the sum over those that make it.

    rank: "scale", |gamma| of the batch normalisation, or "norm", the Euclidean length of the filter.
    """
    total = 0
    for name in makers:
        if rank == "scale":
            total += np.abs(model.get_layer(f"{name}_normalisation").get_weights()[0])
        else:
            kernel = model.get_layer(f"{name}_convolution").get_weights()[-1]
            total += np.sqrt(np.square(kernel).sum(axis=(0, 1, 2)))
    return total


def prune_channels(model, plan, share, rank="scale"):
    """Remove about a share of every group's channels, the least important: the smaller model and its plan.

    What is kept is the nearest multiple of MULTIPLE. The grouped kind cannot lose single channels.
    """
    kept = {"head": np.arange(plan["classes"]), "stem": np.arange(plan["stem"])}
    inputs = {"stem": np.arange(3), "stage1": kept["stem"]}
    for makers, readers in groups(plan):
        worth = importance(model, makers, rank)
        count = min(len(worth), in_eights((1 - share) * len(worth)))
        best = np.sort(np.argsort(-worth, kind="stable")[:count])
        kept |= dict.fromkeys(makers, best)
        inputs |= dict.fromkeys(readers, best)

    stages = range(1, len(plan["stages"]) + 1)
    smaller = plan | {
        "stem": len(kept["stem"]),
        "stages": [[len(kept[f"stage{n}"]), len(kept[f"stage{n}_inner"])] for n in stages],
    }
    pruned = build_student(smaller, policy=model.get_layer("stem_convolution").dtype_policy.name)
    if "stem" not in units(plan):
        pruned.get_layer("stem_convolution").set_weights(model.get_layer("stem_convolution").get_weights())
    head = model.get_layer("head").get_weights()
    pruned.get_layer("head").set_weights([head[0][inputs["head"]], head[1]])
    for name in units(plan):
        for layer in pruned.layers:
            if layer.name == f"{name}_normalisation":
                values = [value[kept[name]] for value in model.get_layer(layer.name).get_weights()]
            elif layer.name in (f"{name}_depthwise", f"{name}_convolution"):
                values = [value[:, :, inputs[name]] for value in model.get_layer(layer.name).get_weights()]
                if layer.name.endswith("_convolution"):  # of a separable layer the last kernel
                    values[-1] = values[-1][..., kept[name]]
            else:
                continue
            layer.set_weights(values)
    return pruned, smaller


class KeepZeros(keras.constraints.Constraint):
    """After each step of training, what was pruned is zero again."""

    def __init__(self, mask):
        self.mask = mask

    def __call__(self, w):
        return w * keras.ops.cast(self.mask, w.dtype)


def prune_weights(model, share):
    """Set the smallest share of each kernel's weights to zero, in place; in training they stay zero."""
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            size = np.abs(keras.ops.convert_to_numpy(variable))
            mask = size > np.quantile(size, share) if share else np.ones(size.shape, bool)
            variable.assign(keras.ops.convert_to_numpy(variable) * mask)
            variable.constraint = KeepZeros(mask)

"""compressed.npz: a whole classifier in one file, which NumPy reads without pickle.

    member   what
    about    JSON in UTF-8, as uint8: {"plan": see model.py, "bits": 2 to 8, "shared": true or false}
    codes    uint8 (weights,): the code of every weight, less its channel's zero, modulo 256
    zeros    uint8 (channels,): see quantisation.py; of kernels whose values are shared none
    steps    float16 (channels,); of kernels whose values are shared 2^bits values
    biases   float16 (channels,)

Kernel after kernel, in the order of the folded model's weights, each with its output channels first. A kernel
of fewer than FEW weights always lies on a grid of 8 bits. It costs little, and the first one's error goes
through all layers: where it whitens, a few of its weights are far larger than the rest. A code
takes a byte here, and the file is packed by DEFLATE, whose Huffman code gives the frequent codes near zero
fewer bits than `bits`: the third step of Deep compression (Han et al., https://arxiv.org/abs/1510.00149).
"""

import json

from scaffold import BadInput, replacing

import numpy as np
from model import build_student, logits_of
from quantisation import LEAST, MOST, from_uniform, shared, uniform

FEW = 1000  # weights of a kernel


def code_of(weights, bits, codebook):
    """How a kernel of so many weights is written: bits a weight, and whether its values are shared."""
    return (MOST, False) if weights < FEW else (bits, codebook)


def channels_first(shape):
    """The order of axes that puts a kernel's output channels first; of (3, 3, c, 1), depthwise, that is c."""
    last = len(shape) - (2 if shape[-1] == 1 else 1)
    return [last, *(axis for axis in range(len(shape)) if axis != last)]


def write_compressed(path, folded, plan, bits, codebook=False):
    """Write a folded model with so many bits a weight, on a grid or, with `codebook`, as shared values.

    Returns the file's size in bytes.
    """
    codes, zeros, steps, biases = [], [np.empty(0, np.uint8)], [], []
    for weight in folded.get_weights():
        if weight.ndim == 1:
            biases.append(weight.astype(np.float16))
            continue
        axes = channels_first(weight.shape)
        rows = weight.transpose(axes).reshape(weight.shape[axes[0]], -1)  # (channels, weights)
        own_bits, sharing = code_of(rows.size, bits, codebook)
        if sharing:
            found, own = shared(rows.ravel(), own_bits)
            middle = np.full(1, len(own) // 2, np.uint8)
        else:
            found, middle, own = uniform(rows, own_bits)
            zeros.append(middle)
        codes.append((found.reshape(len(middle), -1) - middle[:, None]).ravel())  # uint8 goes round at 256
        steps.append(own)
    about = json.dumps({"plan": plan, "bits": bits, "shared": codebook})
    members = {"codes": codes, "zeros": zeros, "steps": steps, "biases": biases}
    with replacing(path) as temporary:
        np.savez_compressed(
            temporary,
            about=np.frombuffer(about.encode(), np.uint8),
            **{name: np.concatenate(arrays) for name, arrays in members.items()},
        )
    return path.stat().st_size


def write_within(path, folded, plan, limit, bits=None, codebook=False):
    """Write with the most bits that fit a limit in bytes, or with `bits`. Returns (bits, the file's size).

    Where nothing fits, the smallest file is left, and its size is above the limit.
    """
    for tried in [bits] if bits else range(MOST, LEAST - 1, -1):
        size = write_compressed(path, folded, plan, tried, codebook)
        if size <= limit:
            break
    return tried, size


def read_compressed(path):
    """The classifier of a file, ready to predict, and its plan. Raises BadInput when it is no such file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(file["about"].tobytes().decode())
            streams = {name: Stream(file[name]) for name in ("codes", "zeros", "steps", "biases")}
        plan, bits, codebook = about["plan"], about["bits"], about["shared"]
        check_plan(plan, len(streams["codes"].values))
        model = build_student(plan, folded=True)
        weights = []
        for weight in model.weights:
            if len(weight.shape) == 1:
                weights.append(streams["biases"].take(weight.shape[0]).astype(np.float32))
                continue
            axes = channels_first(weight.shape)
            shape = [weight.shape[axis] for axis in axes]
            codes = streams["codes"].take(int(np.prod(shape))).reshape(shape[0], -1)
            if code_of(codes.size, bits, codebook)[1]:
                book = streams["steps"].take(2**bits).astype(np.float32)
                rows = book[codes + np.uint8(2**bits // 2)]
            else:
                zeros, steps = (streams[name].take(shape[0]) for name in ("zeros", "steps"))
                rows = from_uniform(codes + zeros[:, None], zeros, steps)
            weights.append(rows.reshape(shape).transpose(np.argsort(axes)))
        if not all(np.isfinite(weight).all() for weight in weights):
            raise ValueError("weights that are no numbers")
        model.set_weights(weights)
        for name, stream in streams.items():
            if stream.rest:
                raise ValueError(f"{stream.rest} {name} too many")
    except PermissionError:
        raise
    except (Exception, RecursionError) as error:  # a damaged archive has many ways to say so
        raise BadInput(
            f"{path} is cut short or no compressed.npz ({str(error)[:100] or type(error).__name__}); "
            "run train.py again."
        ) from error
    return model, plan


LARGEST_SIDE = 2048  # pixels
LARGEST_GROUPS = 64  # of a convolution, whose kernel is so much smaller than its channels multiplied


def classes_of(model, images):
    """The class that a model names for each image, uint8 (N, n, n, 3): int64 (N,)."""
    return logits_of(model, images).argmax(axis=1)


def check_plan(plan, codes):
    """Raise ValueError if a plan asks for a network far larger than the codes of its weights could fill."""
    channels = [plan["stem"], *(number for stage in plan["stages"] for number in stage), plan["classes"]]
    largest = max(before * after for before, after in zip(channels, channels[1:]))
    side = max(plan["size"], plan.get("side", 0))
    if not 0 < side <= LARGEST_SIDE or min(channels) < 1 or largest > LARGEST_GROUPS * codes:
        raise ValueError(f"a plan that {codes} codes cannot fill")


class Stream:
    """An array that is read from its beginning to its end."""

    def __init__(self, values):
        self.values, self.rest = values, len(values)

    def take(self, count):
        first = len(self.values) - self.rest
        if count > self.rest:
            raise ValueError(f"{count - self.rest} values are missing")
        self.rest -= count
        return self.values[first : first + count]

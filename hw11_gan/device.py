"""Not part of the lesson: Keras on the device that is there. The same file in each chapter that has it."""

import contextlib
import functools
import logging
import os
import re
import sys
import tempfile
from pathlib import Path

from scaffold import NO_MEMORY, BadInput

import numpy as np

PROCESSES, PROCESS = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"  # see own_part()
EDITED = ValueError, AttributeError, TypeError, ImportError, IsADirectoryError, RecursionError  # keras.json
ALONE = 1, 1  # share_batches(*ALONE): nothing is shared
sharing = []  # names of the devices that share each batch


@contextlib.contextmanager
def quiet():
    """Keep what libraries write to file descriptor 2 from the user, unless the block fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            yield
        except (BadInput, MemoryError):  # end in a sentence that says what they may have said, too
            raise
        except Exception:
            file.seek(0)
            os.write(before, file.read())
            raise
        finally:
            os.dup2(before, 2)
            os.close(before)


def start_keras(seed=None, full_precision=True, tensorflow=False, share=ALONE):
    """Import Keras and its backend without their start-up lines; return the device and precision in words.

    full_precision: False computes in bfloat16 where the hardware has units for it. tensorflow: the chapter
    takes gradients by TensorFlow, whatever KERAS_BACKEND says. share: --devices and --batch-size, for
    share_batches().
    """
    if tensorflow:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    backend = os.environ["KERAS_BACKEND"]
    together = backend == "jax" and PROCESSES in os.environ and share != ALONE  # predict.py waits for nobody
    if together and not os.environ.get(PROCESS, "").isdecimal():
        raise BadInput(f"{PROCESSES} is set: expected the number of this process, from 0 on, in {PROCESS}.")
    if backend not in ("tensorflow", "jax"):
        raise BadInput(f"KERAS_BACKEND={backend}: expected tensorflow or jax, or leave it unset.")
    # XLA ends the process at a flag that it does not know, and only says so on file descriptor 2.
    with contextlib.nullcontext() if backend == "jax" and "XLA_FLAGS" in os.environ else quiet():
        try:
            import keras

            if together:
                keras.distribution.initialize()  # before any computation
            cards = [name for name in keras.distribution.list_devices() if not name.startswith("cpu")]
            keras.random.uniform((), dtype="float32")
        except ModuleNotFoundError as error:
            if backend == "tensorflow":  # not chosen, but ours: see LIBRARIES
                raise
            raise BadInput(f"KERAS_BACKEND={backend}: {error}; install it, or unset the variable.") from error
        except EDITED as error:
            if re.search(NO_MEMORY, str(error)):
                raise MemoryError from error
            raise BadInput(
                f"Keras does not start ({error}); if keras.json was edited, of ~/.keras or KERAS_HOME, "
                "remove it."
            ) from error
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    keras.config.set_floatx("float32")  # whatever ~/.keras/keras.json says
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")
    half = not full_precision and has_bfloat16(cards)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if half else "float32")
    if seed is not None:
        keras.utils.set_random_seed(seed)
    share_batches(*share)
    device = ", ".join(cards[:1]) or f"processor with {os.cpu_count()} cores"
    if len(sharing) > 1:
        part = share[1] // len(sharing)
        device = f"{len(sharing)} devices ({', '.join(sharing)}), each with {part} of {share[1]} in a batch"
    return f"{device}, {backend}, {'bfloat16' if half else 'float32'}"


def share_batches(count, size):
    """Let `count` devices of one kind share each batch of fit(), of `size` examples; note them in `sharing`.

    Each has a copy of the weights and takes its part of the batch, and the gradient is the mean of theirs.
    TensorFlow does it by MirroredStrategy, and batch normalisation sees a part; JAX does it by DataParallel,
    and batch normalisation sees the whole batch. With count None all devices that divide the batch take part.
    Raises BadInput where there are fewer, or they do not divide it.
    """
    import keras

    backend, names = keras.backend.backend(), keras.distribution.list_devices()
    count = count or max(some for some in range(1, len(names) + 1) if size % some == 0)
    if count > len(names):
        raise BadInput(f"--devices {count}: expected at most {len(names)} ({', '.join(names)}).")
    if size % count:
        raise BadInput(f"--devices {count}: expected a divisor of the {size} examples of a batch.")
    sharing[:] = names[:count]
    if backend == "jax":
        parallel = keras.distribution.DataParallel(devices=sharing, auto_shard_dataset=False)
        keras.distribution.set_distribution(parallel if count > 1 else None)
    else:
        import tensorflow as tf

        tf.distribute.experimental_set_strategy(mirrored(*sharing) if count > 1 else None)


@functools.cache
def mirrored(*names):
    """TensorFlow's strategy for the devices: one object, as a network trains only in its own."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(names)


def divisible(rows):
    """The rows without the last few, so that all devices that share a batch get as many."""
    count = max(1, len(sharing))
    return rows[: len(rows) // count * count]


def replicas():
    """How many parts of a batch are computed apart: one a device on TensorFlow; JAX sees the whole batch."""
    return max(1, len(sharing)) if os.environ["KERAS_BACKEND"] == "tensorflow" else 1


def dealt(rows):
    """The indices of a batch of so many rows, dealt out in turn: so each device's part is like the whole."""
    return [row for first in range(replicas()) for row in range(first, rows, replicas())]


def train_on_batch(model, x, y=None):
    """model.train_on_batch() of arrays x and labels y, which the devices share. Returns the loss."""
    if replicas() == 1:  # JAX shares by itself
        return model.train_on_batch(x, y)
    import keras
    import tensorflow as tf

    if model.train_function is None:
        model.compute_loss(x, y, model(x))  # builds the model and its loss, as Keras cannot of parts

    def own(rows):
        parts = np.split(rows, replicas())
        return tf.distribute.get_strategy().experimental_distribute_values_from_function(
            lambda device: tf.constant(parts[device.replica_id_in_sync_group])
        )

    return model.train_on_batch(*keras.tree.map_structure(own, (x, y), none_is_leaf=False))


def own_part(rows):
    """The rows of a batch that this process brings: all, or each n-th where n processes of JAX share it.

    Each may run on a machine of its own. The variables of the environment are Keras': see
    keras.distribution.initialize.
    """
    if os.environ["KERAS_BACKEND"] != "jax":
        return rows
    return rows[int(os.environ.get(PROCESS, 0)) :: int(os.environ.get(PROCESSES, 1))]


def has_bfloat16(cards):
    """Whether the processor, or the first card, has units for bfloat16."""
    if cards and "tensorflow" in sys.modules:
        import tensorflow as tf

        details = tf.config.experimental.get_device_details(tf.config.list_physical_devices("GPU")[0])
        return details.get("compute_capability", (0, 0)) >= (8, 0)
    with contextlib.suppress(OSError):
        return bool(cards) or bool(re.search("amx_bf16|avx512_bf16", Path("/proc/cpuinfo").read_text()))
    return False


def load_keras(path):
    """A model of a whole Keras file. Raises BadInput if it is none, or a weight is no number, and OSError if
    it may not be read."""
    import keras

    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, or name another file.")
    open(path, "rb").close()  # PermissionError, which Keras would call something else
    try:
        model = keras.saving.load_model(path, compile=False)
        finite = all(np.isfinite(keras.ops.convert_to_numpy(weight)).all() for weight in model.weights)
    except (Exception, RecursionError) as error:  # Keras says in many ways that a file is not its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(
            f"{path} is no whole Keras model ({reason}); give a file that train.py wrote."
        ) from error
    if not finite:
        raise BadInput(f"{path} has weights that are no numbers; run train.py again, or give another file.")
    return model

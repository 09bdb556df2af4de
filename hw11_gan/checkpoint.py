"""Not part of the lesson: what --resume goes on from. The file is the same in each chapter that has it."""

import hashlib
import json
import time

from scaffold import FREE_FLAGS, BadInput, replacing

import keras
import numpy as np
import pandas as pd

PART = 1000  # rows that are read at a time


class Checkpoint:
    """checkpoint.npz, from which --resume goes on: variables of Keras, and `rows`, a dict an epoch.

    `state` holds what else the next epoch needs, in words of JSON. Where the order of the examples depends on
    the seed and the epoch alone, a training that was stopped and resumed ends with the numbers of one that
    was not.
    """

    def __init__(self, args, data=(), free=(), name="checkpoint.npz"):
        """data: the arrays to learn from, which are to be the same when the training goes on.

        free: names of flags that may differ then, beside its folders.
        """
        self.path, self.rows, self.state = args.out_dir / name, [], {}
        self.data = digest_of(data)
        flags = {name: value for name, value in vars(args).items() if name not in {*FREE_FLAGS, *free}}
        self.flags = json.loads(json.dumps(flags, default=str))

    def save(self, variables):
        content = {"flags": self.flags, "data": self.data, "rows": self.rows, "state": self.state}
        words = json.dumps(content, default=float)
        arrays = [np.array(variable.numpy()) for variable in variables]
        with replacing(self.path) as path:
            np.savez(path, *arrays, words=np.array(words), digest=np.array(digest_of(arrays, words)))

    def restore(self, variables):
        """Give the variables what save() wrote; keep all as it is if there is no file.

        Raises BadInput if the file is damaged, or of a training with other flags, network or data.
        """
        if not self.path.is_file():
            return
        try:
            with open(self.path, "rb") as file, np.load(file, allow_pickle=False) as found:
                arrays = [found[f"arr_{index}"] for index in range(len(found.files) - 2)]
                words, digest = str(found["words"]), str(found["digest"])
            if digest != digest_of(arrays, words):
                raise ValueError("edited")
            content = json.loads(words)
            flags, data, rows, state = (content[name] for name in ("flags", "data", "rows", "state"))
        except PermissionError:
            raise
        except (Exception, RecursionError) as error:  # a damaged archive has many ways to say so
            raise BadInput(f"{self.path} is damaged or not of this chapter; leave out --resume.") from error
        words_first = sorted(self.flags.items(), key=lambda item: not isinstance(item[1], str))
        for name, value in words_first:  # numbers often follow from a method
            if flags.get(name) != value:
                flag = "--" + name.rstrip("_").replace("_", "-")
                raise BadInput(
                    f"{self.path} is of a training with {flag} {flags.get(name)}, "
                    f"expected {value}; give the same flags, or leave out --resume."
                )
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise BadInput(f"{self.path} is of another network or other classes; leave out --resume.")
        if data != self.data:
            raise BadInput(f"{self.path} is of a training on other data; leave out --resume.")
        for variable, array in zip(variables, arrays):
            variable.assign(array)
        self.rows, self.state = rows, state

    def add(self, epoch, row):
        """Append a row of history.csv. Raises BadInput if a number of it is not finite."""
        if not np.isfinite([value for value in row.values() if isinstance(value, float)]).all():
            raise BadInput(
                f"epoch {epoch}: the loss is not a number, --learning-rate {self.flags.get('learning_rate')} "
                f"may be too large; {self.path.parent} holds what was before."
            )
        self.rows.append(row)

    def callback(self, variables, also=None):
        """A callback of fit(): after each epoch it adds a row, calls also() and saves the variables."""
        checkpoint = self

        class EveryEpoch(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                self.began, self.processor = time.perf_counter(), time.process_time()

            def on_epoch_end(self, epoch, logs=None):
                seconds = {
                    "seconds": time.perf_counter() - self.began,
                    "processor": time.process_time() - self.processor,
                }
                row = {name: float(value) for name, value in logs.items()} | seconds
                checkpoint.add(epoch + 1, row)
                if also:
                    also()
                checkpoint.save(variables)

        return EveryEpoch()

    def history(self, index="epoch"):
        """The rows as a DataFrame, numbered from 1."""
        return pd.DataFrame(self.rows, index=pd.RangeIndex(1, len(self.rows) + 1, name=index))


def digest_of(arrays, words=""):
    """A digest of arrays and words, by which others are known: a file that was edited, or other data."""
    digest = hashlib.sha256(words.encode())
    for array in map(np.atleast_1d, arrays):
        for start in range(0, len(array), PART):  # an array that is a file is not read as a whole
            digest.update(np.ascontiguousarray(array[start : start + PART]))
    return digest.hexdigest()

"""What --resume goes on from: checkpoint.npz, whole at any moment, with all that the next epoch needs.

It holds the variables of the model, the state of its random numbers among them, those of the optimiser, the
state of Python's random numbers, by which Keras mixes the batches, and the rows of history.csv. Which pairs
make a batch depends on the seed and the epoch alone. So a training that was stopped and resumed ends with the
very numbers of one that was not.
"""

import json
import random
import time

import keras
import numpy as np
from dataset import BadInput, replacing

FREE = {"data_dir", "out_dir", "synthetic", "resume"}  # flags that may differ when a training goes on


class Checkpoint(keras.callbacks.Callback):
    """Write checkpoint.npz after each epoch; `rows` are dicts, one an epoch."""

    def __init__(self, path, args):
        super().__init__()
        self.path, self.rows = path, []
        self.words = {name: value for name, value in vars(args).items() if name not in FREE}

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(list(logs.values())).all():
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {self.words['learning_rate']} "
                f"may be too large; {self.path.parent} holds what was before."
            )
        self.rows.append({**logs, "seconds": time.perf_counter() - self.began})
        words = np.array(
            json.dumps({"arguments": self.words, "rows": self.rows, "random": random.getstate()})
        )
        arrays = [keras.ops.convert_to_numpy(variable) for variable in variables(self.model)]
        with replacing(self.path) as beside:
            np.savez(beside, *arrays, words=words)

    def restore(self, model):
        """Give the model the state of the last finished epoch, if there is one.

        Raises BadInput when the file is cut short, or of a training with other flags or other data.
        """
        if not self.path.is_file():
            return
        try:
            with np.load(self.path, allow_pickle=False) as file:
                found = json.loads(str(file["words"]))
                arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
            before, rows = found["arguments"], found["rows"]
            version, state, spare = found["random"]
        except Exception as error:  # a damaged archive has many ways to say so
            raise BadInput(f"{self.path} is cut short or not of this chapter; leave out --resume.") from error
        for name, value in self.words.items():
            if before.get(name) != value:
                raise BadInput(
                    f"{self.path} is of a training with --{name.replace('_', '-')} {before.get(name)}, "
                    f"expected {value}; give the same flags, or leave out --resume."
                )
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables(model)]:
            raise BadInput(f"{self.path} is of other words or another network; leave out --resume.")
        for variable, array in zip(variables(model), arrays):
            variable.assign(array)
        random.setstate((version, tuple(state), spare))
        self.rows = rows


def variables(model):
    return [*model.variables, *model.optimizer.variables]

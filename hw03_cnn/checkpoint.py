"""What --resume goes on from: checkpoint.npz, whole at any moment, with all that the next epoch needs.

It holds the variables of the model, the state of its random numbers among them, those of the optimiser, with
the moving average of the weights, and the rows of history.csv. The order of the pictures depends on the seed
and the epoch alone. So a training that was stopped and resumed ends with the numbers of one that was not.
"""

import json
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
        self.flags = {name: value for name, value in vars(args).items() if name not in FREE}

    def state(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(list(logs.values())).all():
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {self.flags['learning_rate']} "
                f"may be too large; {self.path.parent} holds what was before."
            )
        self.rows.append({**logs, "seconds": time.perf_counter() - self.began})
        words = np.array(json.dumps({"flags": self.flags, "rows": self.rows}))
        with replacing(self.path) as beside:
            np.savez(beside, *map(keras.ops.convert_to_numpy, self.state()), words=words)

    def restore(self, model):
        """Give the model the state after the last finished epoch, if there is a file.

        Raises BadInput when the file is cut short, or of a training with other flags or another network.
        """
        self.set_model(model)
        if not self.path.is_file():
            return
        try:
            with np.load(self.path, allow_pickle=False) as file:
                words = json.loads(str(file["words"]))
                arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
            flags, rows = words["flags"], words["rows"]
        except Exception as error:  # a damaged archive has many ways to say so
            raise BadInput(f"{self.path} is cut short or not of this chapter; leave out --resume.") from error
        for name, value in self.flags.items():
            if flags.get(name) != value:
                raise BadInput(
                    f"{self.path} is of a training with --{name.replace('_', '-')} {flags.get(name)}, "
                    f"expected {value}; give the same flags, or leave out --resume."
                )
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in self.state()]:
            raise BadInput(f"{self.path} is of other classes or another network; leave out --resume.")
        for variable, array in zip(self.state(), arrays):
            variable.assign(array)
        self.rows = rows

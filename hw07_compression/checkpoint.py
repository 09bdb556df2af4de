"""What --resume goes on from: a file for each stage of the chain, written after each of its epochs.

It holds every variable of the model and of the optimiser, and the rows of history.csv; the pictures that an
epoch shows depend on the seed and the epoch alone. So a stopped training that goes on ends with the numbers
of one that was never stopped. A stage that had ended is read and not trained again.
"""

import json
import time

import numpy as np
from dataset import BadInput, replacing
from keras import callbacks, ops


class StageCheckpoint(callbacks.Callback):
    """Writes `path` after each epoch; `rows` are the stage's epochs, dicts of numbers.

    flags: what the stage's numbers depend on; a file of other flags is refused.
    """

    def __init__(self, path, flags):
        super().__init__()
        self.path, self.flags, self.rows = path, flags, []

    def variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(list(logs.values())).all():
            raise BadInput(
                f"--learning-rate {self.flags['learning_rate']}: the loss is not a number after epoch "
                f"{epoch + 1}, it may be too large."
            )
        self.rows.append({**logs, "seconds": time.perf_counter() - self.started})
        about = np.array(json.dumps([self.flags, self.rows]))
        with replacing(self.path) as beside:
            np.savez(beside, *(ops.convert_to_numpy(variable) for variable in self.variables()), about=about)

    def take_up(self, model):
        """Bring a compiled model to where its stage stopped. Without a file nothing happens.

        Raises BadInput when the file is cut short, or is of other flags or another network.
        """
        self.set_model(model)
        if not self.path.is_file():
            return
        try:
            with np.load(self.path, allow_pickle=False) as file:
                flags, rows = json.loads(str(file["about"]))
                values = [file[f"arr_{number}"] for number in range(len(file.files) - 1)]
        except Exception as error:  # a damaged archive has many ways to say so
            raise BadInput(f"{self.path} is cut short or no checkpoint; leave out --resume.") from error
        other = [name for name in self.flags if flags.get(name) != self.flags[name]]
        if other:
            raise BadInput(
                f"{self.path} is of --{other[0].replace('_', '-')} {flags.get(other[0])}, expected "
                f"{self.flags[other[0]]}; give the same flags, or leave out --resume."
            )
        variables = self.variables()
        if [value.shape for value in values] != [tuple(variable.shape) for variable in variables]:
            raise BadInput(f"{self.path} is of another network or other classes; leave out --resume.")
        for variable, value in zip(variables, values):
            variable.assign(value)
        self.rows = rows

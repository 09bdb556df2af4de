"""What --resume goes on from: checkpoint.npz, whole at any moment, with all that the next epoch needs."""

import json
import time

import keras
import numpy as np
from dataset import BadInput, replacing

FREE = {
    "data_dir",
    "out_dir",
    "synthetic",
    "answers",
    "score",
    "resume",
}  # may differ when a training goes on


class EveryEpoch(keras.callbacks.Callback):
    """Write checkpoint.npz after each epoch: the model's and the optimiser's variables, and the history."""

    def __init__(self, path, args):
        super().__init__()
        self.path, self.rows = path, []  # a dict an epoch
        self.flags = {name: value for name, value in vars(args).items() if name not in FREE}

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        if not np.isfinite(list(logs.values())).all():
            raise BadInput(
                f"epoch {epoch + 1}: the loss is not a number, --learning-rate {self.flags['learning_rate']} "
                f"may be too large; {self.path.parent} holds what was before."
            )
        seconds, processor = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        self.rows.append({**logs, "seconds": seconds, "processor": processor})
        words = np.array(json.dumps({"arguments": self.flags, "rows": self.rows}))
        arrays = [keras.ops.convert_to_numpy(variable) for variable in self.variables()]
        with replacing(self.path) as beside:
            np.savez(beside, *arrays, words=words)

    def variables(self):
        return [*self.model.variables, *self.model.optimizer.variables]

    def restore(self, model):
        """Give a compiled model the state of the last finished epoch, if there is one.

        Raises BadInput when the file is cut short, or of a training with other flags or pictures.
        """
        self.set_model(model)
        if not self.path.is_file():
            return
        try:
            with np.load(self.path, allow_pickle=False) as file:
                found = json.loads(str(file["words"]))
                arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
            before, rows = found["arguments"], found["rows"]
        except Exception as error:  # a damaged archive has many ways to say so
            raise BadInput(f"{self.path} is cut short or not of this chapter; leave out --resume.") from error
        for name, value in self.flags.items():
            if before.get(name) != value:
                raise BadInput(
                    f"{self.path} is of a training with --{name.replace('_', '-')} {before.get(name)}, "
                    f"expected {value}; give the same flags, or leave out --resume."
                )
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in self.variables()]:
            raise BadInput(f"{self.path} is of pictures of another size; leave out --resume.")
        for variable, array in zip(self.variables(), arrays):
            variable.assign(array)
        self.rows = rows

"""What --resume goes on from: checkpoint.npz, written after every epoch whose losses were numbers.

It holds all variables of the networks and the optimiser, the state of the random generator among them,
and the rows of history.csv. The batches depend on seed and epoch alone, so a training that was stopped and
resumed ends with the very numbers of one that was not.
"""

import json
import time

import keras
import numpy as np
from dataset import BadInput, replacing

FREE = {"data_dir", "out_dir", "synthetic", "resume"}  # flags that may differ when a training goes on


class EveryEpoch(keras.callbacks.Callback):
    """Writes the checkpoint after an epoch; ends the training in a sentence when a loss is no number."""

    def __init__(self, path, args):
        super().__init__()
        self.path, self.arguments, self.rows = path, json.loads(json.dumps(vars(args), default=str)), []

    def variables(self, model):
        return [*model.variables, *model.optimizer.variables]

    def restore(self, model):
        """Set a compiled, built model to the checkpoint, if there is one.

        Raises BadInput when it is cut short, or of other flags or another network.
        """
        if not self.path.is_file():
            return
        try:
            with np.load(self.path, allow_pickle=False) as file:
                words = json.loads(str(file["words"]))
                arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
            before, self.rows = words["arguments"], words["rows"]
        except Exception as error:  # a damaged archive has many ways to say so
            raise BadInput(f"{self.path} is cut short or not of this chapter; leave out --resume.") from error
        for name, value in self.arguments.items():
            if name not in FREE and before.get(name) != value:
                flag = "--" + name.rstrip("_").replace("_", "-")
                raise BadInput(
                    f"{self.path} is of a training with {flag} {before.get(name)}, expected {value}; "
                    "give the same flags, or leave out --resume."
                )
        variables = self.variables(model)
        if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
            raise BadInput(f"{self.path} is of pictures or classes of another size; leave out --resume.")
        for variable, array in zip(variables, arrays):
            variable.assign(array)

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter(), time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        if not np.isfinite(logs["label_loss"] + logs["domain_loss"]):
            kept = f"the last good epoch is in {self.path}" if self.rows else "no epoch was finished"
            raise BadInput(
                f"Epoch {len(self.rows) + 1}: a loss became NaN or infinite, {kept}; "
                "try a smaller --learning-rate."
            )

    def on_epoch_end(self, epoch, logs=None):
        seconds, processor = time.perf_counter() - self.began[0], time.process_time() - self.began[1]
        row = {name: float(value) for name, value in logs.items() if name != "loss"}
        self.rows.append({**row, "seconds": seconds, "processor": processor})
        words = json.dumps({"arguments": self.arguments, "rows": self.rows})
        with replacing(self.path) as path:
            arrays = [keras.ops.convert_to_numpy(variable) for variable in self.variables(self.model)]
            np.savez(path, *arrays, words=np.array(words))

"""What --resume goes on from: checkpoint.npz, whole at any moment, with all that the next epoch needs.

It holds the variables of the model, of the optimiser and of the penalty, and a Progress. What is random
depends on the seed, the task and the epoch alone, so a training that was stopped and resumed ends with the
very numbers of one that was not.
"""

import json
from dataclasses import asdict, dataclass, field

import numpy as np
from dataset import BadInput, replacing

FREE = {"data_dir", "out_dir", "synthetic", "resume"}  # flags that may differ when a training goes on


@dataclass
class Progress:
    """How far a training has come, beside its weights: rows of history.csv and of the two matrices."""

    history: list = field(default_factory=list)  # a dict an epoch
    cross_entropy: list = field(default_factory=list)  # (tasks finished + 1, tasks), on the test parts
    accuracy: list = field(default_factory=list)


def save(path, args, variables, progress):
    """Write checkpoint.npz."""
    words = json.dumps({"arguments": vars(args), "progress": asdict(progress)}, default=str)
    with replacing(path) as beside:
        np.savez(beside, *[variable.numpy() for variable in variables], words=np.array(words))


def restore(path, args, variables):
    """Give the variables what save() wrote and return the Progress; a new one if there is no file.

    Raises BadInput when the file is cut short, or of a training with other flags or another network.
    """
    if not path.is_file():
        return Progress()
    try:
        with np.load(path, allow_pickle=False) as file:
            words = json.loads(str(file["words"]))
            arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
        before, progress = words["arguments"], Progress(**words["progress"])
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is cut short or not of this chapter; leave out --resume.") from error
    for name, value in vars(args).items():
        if name not in FREE and before.get(name) != value:
            raise BadInput(
                f"{path} is of a training with --{name.replace('_', '-')} {before.get(name)}, "
                f"expected {value}; give the same flags, or leave out --resume."
            )
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise BadInput(f"{path} is of another network than model.py builds; leave out --resume.")
    for variable, array in zip(variables, arrays):
        variable.assign(array)
    return progress

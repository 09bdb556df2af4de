"""What --resume goes on from: checkpoint.npz, whole at any moment, with all that the next tasks need.

It holds the weights, the optimiser's variables and the rows of history.csv. Which tasks come between two rows
depends on the seed and the row alone, so a training that was stopped and resumed ends with the very numbers
of one that was not.
"""

import json

import numpy as np
from dataset import BadInput, replacing

FREE = {"data_dir", "out_dir", "resume"}  # flags that may differ when a training goes on


def save_state(path, args, variables, rows):
    """Write checkpoint.npz: variables of Keras, rows are dicts."""
    words = json.dumps({"arguments": vars(args), "rows": rows}, default=str)
    with replacing(path) as beside:
        np.savez(beside, *[variable.numpy() for variable in variables], words=np.array(words))


def restore_state(path, args, variables):
    """Give the variables what save_state wrote, and return the rows; none if there is no file.

    Raises BadInput when the file is cut short, or of a training with other flags or another network.
    """
    if not path.is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as file:
            words = json.loads(str(file["words"]))
            arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
        before, rows = words["arguments"], words["rows"]
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is cut short or not of this chapter; leave out --resume.") from error
    for name in ("task", "method", *vars(args)):  # these two first: others follow from them
        value = getattr(args, name)
        if name not in FREE and before.get(name) != value:
            raise BadInput(
                f"{path} is of a training with --{name.replace('_', '-')} {before.get(name)}, "
                f"expected {value}; give the same flags, or leave out --resume."
            )
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables]:
        raise BadInput(f"{path} is of other characters or another network; leave out --resume.")
    for variable, array in zip(variables, arrays):
        variable.assign(array)
    return rows

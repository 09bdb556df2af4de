"""What --resume goes on from: checkpoint.npz, whole at any moment, with all that the next epoch needs.

It holds the variables of the two networks, of the averaged generator and of both optimisers, the number of
the step, and the rows of history.csv. All that is drawn depends on the seed and the step alone. So a training
that was stopped and resumed ends with the very numbers of one that was not, whichever loop goes on.
"""

import json

import numpy as np
from dataset import BadInput, replacing

FREE = {"data_dir", "out_dir", "synthetic", "epochs", "loop", "feature_model", "resume"}  # may differ


def keep(path, args, pair, rows):
    """Write checkpoint.npz."""
    words = json.dumps({"arguments": vars(args), "rows": rows}, default=str)
    with replacing(path) as beside:
        np.savez(beside, *[variable.numpy() for variable in pair.variables], words=np.array(words))


def go_on(path, args, pair):
    """Give the pair what keep() wrote, and return the rows; [] if there is no file.

    Raises BadInput when the file is cut short, or of another --loss, size, or any other flag but FREE.
    """
    if not path.is_file():
        return []
    try:
        with np.load(path, allow_pickle=False) as file:
            words = json.loads(str(file["words"]))
            arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
        before, rows = words["arguments"], list(words["rows"])
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is cut short or not of this chapter; leave out --resume.") from error
    for name, value in vars(args).items():
        if name not in FREE and before.get(name) != value:
            raise BadInput(
                f"{path} is of a training with --{name.replace('_', '-')} {before.get(name)}, "
                f"expected {value}; give the same flags, or leave out --resume."
            )
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in pair.variables]:
        raise BadInput(f"{path} is of other networks than model.py builds; leave out --resume.")
    for variable, array in zip(pair.variables, arrays):
        variable.assign(array)
    return rows

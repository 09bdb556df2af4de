"""What --resume goes on from: one file that is whole at any moment, with everything that an update needs.

checkpoint.npz holds the weights, the optimiser's variables and the Progress after the last finished update.
Where the episodes stood is not in it: new ones begin, with other seeds.
"""

import json
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from environment import BadInput, replacing

FREE = {"data_dir", "out_dir", "resume", "iterations"}  # flags that may differ when a training goes on


@dataclass
class Progress:
    """How far a training has come, beside its weights."""

    rows: list = field(default_factory=list)  # a dict an update
    returns: list = field(default_factory=list)  # of the last 100 episodes
    evaluation: float = 0.0  # the last
    best: float = -np.inf  # the best, which model.keras is of
    seconds: dict = field(
        default_factory=lambda: {"environment": 0.0, "policy": 0.0, "update": 0.0, "evaluation": 0.0}
    )

    def note(self, steps, returns, losses, seconds):
        """Add a row for an update: steps and seconds since the start, returns of the episodes just ended."""
        self.returns = [*self.returns, *returns][-100:]
        policy_loss, value_loss, entropy = (float(loss) for loss in losses)
        self.rows.append(
            {
                "steps": steps,
                "episodes": self.last("episodes") + len(returns),
                "mean_return": float(np.mean(self.returns)) if self.returns else np.nan,
                "evaluation": self.evaluation,
                "policy_loss": policy_loss,
                "value_loss": value_loss,
                "entropy": entropy,
                "seconds": seconds,
            }
        )

    def last(self, name):
        return self.rows[-1][name] if self.rows else 0

    def line(self):
        return (
            f"update {len(self.rows)}, {self.last('steps'):,} steps: return of the last 100 episodes "
            f"{self.last('mean_return'):.1f}, greedy {self.evaluation:.1f}"
        )

    def history(self):
        """The rows as a DataFrame."""
        return pd.DataFrame(self.rows, index=pd.RangeIndex(1, len(self.rows) + 1, name="update"))


def variables(learner):
    return [*learner.model.weights, *learner.optimizer.variables]


def save(path, args, learner, progress):
    """Write checkpoint.npz."""
    words = json.dumps({"arguments": vars(args), **vars(progress)}, default=str)
    arrays = [variable.numpy() for variable in variables(learner)]
    with replacing(path) as beside:
        np.savez(beside, *arrays, words=np.array(words))


def restore(path, args, learner):
    """Give the learner the state that save wrote, and return the Progress; start anew if there is none.

    Raises BadInput when the file is cut short, or of a training with other flags or another network.
    """
    if not path.is_file():
        return Progress()
    try:
        with np.load(path, allow_pickle=False) as file:
            words = json.loads(str(file["words"]))
            arrays = [file[f"arr_{place}"] for place in range(len(file.files) - 1)]
        before = words.pop("arguments")
        progress = Progress(**words)
    except Exception as error:  # a damaged archive has many ways to say so
        raise BadInput(f"{path} is cut short or not of this chapter; leave out --resume.") from error
    for name in ("world", "method", *vars(args)):  # these two first: others follow from them
        value = getattr(args, name)
        if name not in FREE and before.get(name) != value:
            flag = "--" + name.replace("_", "-")
            raise BadInput(
                f"{path} is of a training with {flag} {before.get(name)}, expected {value}; "
                "give the same flags, or leave out --resume."
            )
    if [array.shape for array in arrays] != [tuple(variable.shape) for variable in variables(learner)]:
        raise BadInput(f"{path} is of another network than model.py builds; leave out --resume.")
    for variable, array in zip(variables(learner), arrays):
        variable.assign(array)
    return progress

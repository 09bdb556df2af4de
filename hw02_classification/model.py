"""From the columns of a person to the log-odds of an income over 50,000 dollars.

| --method   | its features | log-odds                                    | made by       |
|------------|--------------|---------------------------------------------|---------------|
| generative | engineered   | w.x + b; x'Qx + w.x + b if separate         | generative.py |
| logistic   | engineered   | w.x + b                                     | logistic.py   |
| best       | plain        | a baseline plus the leaves of 500 trees     | boosting.py   |

Shapes: columns (n, d) -> features (n, f) -> log-odds (n,). "plain" features are the columns as they are;
"engineered" adds, for each column of more than two values, its logarithm and thresholds (see Features).
"""

from dataclasses import dataclass

from scaffold import BadInput

import boosting
import numpy as np
from logistic import sigmoid

THRESHOLDS = 160  # of a column, at most
STATISTICS = ("numeric", "threshold_columns", "thresholds", "mean", "scale", "usual")  # of the training rows


@dataclass
class Features:
    """What a model sees of the columns. Every statistic comes from the rows given to fit, and no others."""

    columns: list  # d names
    engineered: bool
    normalised: bool
    numeric: np.ndarray = None  # the indices of the columns with more than two values
    threshold_columns: np.ndarray = None  # (t,): the index of the column of each threshold
    thresholds: np.ndarray = None  # (t,): quantiles of the numeric columns' positive values
    mean: np.ndarray = None
    scale: np.ndarray = None
    usual: np.ndarray = None  # (d,): the mean of each column

    def fit(self, x):
        """x float32 (n, d). Returns self."""
        self.usual = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        many = [index for index in range(x.shape[1]) if self.engineered and len(np.unique(x[:, index])) > 2]
        self.numeric = np.array(many, dtype=np.int64)
        found = [quantiles(x[:, index]) for index in self.numeric]
        self.threshold_columns = np.repeat(self.numeric, [len(some) for some in found])
        self.thresholds = np.concatenate([np.zeros(0, np.float32), *found])
        self.mean, self.scale = np.zeros(1), np.ones(1)
        if self.normalised:
            raw = self(x)
            self.mean = raw.mean(axis=0, dtype=np.float64)
            self.scale = np.maximum(raw.std(axis=0, dtype=np.float64), 1e-3)  # a constant column stays small
        return self

    def __call__(self, x):
        """x float32 (n, d) -> features float32 (n, f).

        An amount such as a capital gain is zero for most and spans five orders of magnitude for the rest: its
        logarithm makes the rest a straight line, and a 1 for each threshold that it reaches lets the line
        change at any of them: a sum of steps.
        """
        value = x[:, self.numeric]
        logarithms = np.sign(value) * np.log1p(np.abs(value))
        raw = np.column_stack(
            [x, logarithms, (x[:, self.threshold_columns] >= self.thresholds).astype(x.dtype)]
        )
        return ((raw - self.mean.astype(x.dtype)) / self.scale.astype(x.dtype)) if self.normalised else raw

    def names(self):
        """The names of the f features."""
        logarithms = [f"log {self.columns[index]}" for index in self.numeric]
        steps = [
            f"{self.columns[index]} >= {value:g}"
            for index, value in zip(self.threshold_columns, self.thresholds)
        ]
        return [*self.columns, *logarithms, *steps]


def quantiles(values):
    """The different ones of THRESHOLDS quantiles of the positive values (n,), the smallest first: float32."""
    positive = values[values > 0]
    shares = np.arange(THRESHOLDS) / THRESHOLDS
    return np.unique(np.quantile(positive, shares) if len(positive) else positive).astype(np.float32)


@dataclass
class Model:
    """The features, and what one of the three methods found."""

    method: str
    features: Features
    parameters: dict

    def log_odds(self, x):
        """Columns float32 (n, d) -> log-odds of label 1, (n,)."""
        return score(self.parameters, self.features(x))

    def probability(self, x):
        """Columns float32 (n, d) -> probability of label 1, (n,)."""
        return sigmoid(self.log_odds(x))

    def reasons(self, x):
        """What each column adds to the log-odds of a person x float32 (1, d): (d,).

        It is the difference to the log-odds of the same person with that column at its mean.
        """
        without = np.repeat(x, x.shape[1], axis=0)
        np.fill_diagonal(without, self.features.usual)
        return self.log_odds(x) - self.log_odds(without)

    def save(self, path):
        np.savez_compressed(path, method=self.method, **vars(self.features), **self.parameters)


def score(parameters, z):
    """Features (n, f) -> log-odds (n,), by trees, a quadric or a plane, whichever the parameters describe."""
    if "root" in parameters:
        *_, last = boosting.raw_scores(parameters, z)
        return last
    linear = z @ parameters["weights"] + parameters["bias"]
    if "quadratic" in parameters:
        linear = linear + np.einsum("ni,ni->n", z @ parameters["quadratic"], z)
    return linear


def load_model(path):
    """Read what Model.save wrote. Raises BadInput when it is missing, cut short or something else."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        method = str(arrays.pop("method"))
        features = Features(
            arrays.pop("columns").tolist(),
            bool(arrays.pop("engineered")),
            bool(arrays.pop("normalised")),
            *(arrays.pop(name) for name in STATISTICS),
        )
        model = Model(method, features, arrays)
        fits = np.isfinite(model.log_odds(np.ones((1, len(features.columns)), np.float32))).all()
    except Exception:  # a damaged archive has many ways to say so
        fits = False
    if not fits:
        raise BadInput(f"{path} is cut short or not a model of this chapter; run train.py again.")
    return model

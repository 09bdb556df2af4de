"""From the columns of a person to the log-odds of an income over 50,000 dollars.

| --method   | its features | log-odds                                    | made by       |
|------------|--------------|---------------------------------------------|---------------|
| generative | engineered   | w.x + b; x'Qx + w.x + b if separate         | generative.py |
| logistic   | engineered   | w.x + b                                     | logistic.py   |
| best       | plain        | a baseline plus the leaves of 500 trees     | boosting.py   |

Shapes: columns (n, d) -> features (n, f) -> log-odds (n,). "plain" features are the columns as they are;
"engineered" adds, for each column of more than two values, its logarithm and eleven bins (see Features).
"""

from dataclasses import dataclass

from scaffold import BadInput

import boosting
import numpy as np
from logistic import sigmoid


@dataclass
class Features:
    """What a model sees of the columns. Every statistic comes from the rows given to fit, and no others."""

    columns: list  # d names
    engineered: bool
    normalised: bool
    numeric: np.ndarray = None  # the indices of the columns with more than two values
    edges: np.ndarray = None  # (numeric, 10): the deciles of each numeric column's positive values
    mean: np.ndarray = None
    scale: np.ndarray = None
    usual: np.ndarray = None  # (d,): the mean of each column

    def fit(self, x):
        """x float32 (n, d). Returns self."""
        self.usual = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        many = [index for index in range(x.shape[1]) if self.engineered and len(np.unique(x[:, index])) > 2]
        self.numeric = np.array(many, dtype=np.int64)
        self.edges = np.full((len(self.numeric), 10), np.inf, np.float32)
        for index, edges in zip(self.numeric, self.edges):
            positive = x[x[:, index] > 0, index]
            if len(positive):
                edges[:] = np.quantile(positive, np.arange(10) / 10)
        self.mean, self.scale = np.zeros(1), np.ones(1)
        if self.normalised:
            raw = self(x)
            self.mean = raw.mean(axis=0, dtype=np.float64)
            self.scale = np.maximum(raw.std(axis=0, dtype=np.float64), 1e-3)  # a constant column stays small
        return self

    def __call__(self, x):
        """x float32 (n, d) -> features float32 (n, f).

        An amount such as a capital gain is zero for most and spans five orders of magnitude for the rest: its
        logarithm makes the rest a straight line, and one bin for zero (and less) and ten for the deciles
        above let it bend.
        """
        raw = [x]
        for index, edges in zip(self.numeric, self.edges):
            value = x[:, index]
            raw.append((np.sign(value) * np.log1p(np.abs(value)))[:, None])
            bins = np.searchsorted(edges, value, side="right")  # 0 for zero and less, 1 to 10 for the deciles
            raw.append((bins[:, None] == np.arange(len(edges) + 1)).astype(x.dtype))
        raw = np.column_stack(raw)
        return ((raw - self.mean.astype(x.dtype)) / self.scale.astype(x.dtype)) if self.normalised else raw

    def names(self):
        """The names of the f features."""
        names = list(self.columns)
        for index in self.numeric:
            column = self.columns[index]
            names += [f"log {column}", f"{column}: zero", *(f"{column}: decile {i}" for i in range(1, 11))]
        return names


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
            *(arrays.pop(name) for name in ("numeric", "edges", "mean", "scale", "usual")),
        )
        model = Model(method, features, arrays)
        fits = np.isfinite(model.log_odds(np.ones((1, len(features.columns)), np.float32))).all()
    except Exception:  # a damaged archive has many ways to say so
        fits = False
    if not fits:
        raise BadInput(f"{path} is cut short or not a model of this chapter; run train.py again.")
    return model

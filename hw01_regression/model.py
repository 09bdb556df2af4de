"""A model of the next hour: which features it makes of a window, and what it predicts from them.

| --method        | features of a window (18, 9)                           | features | parameters         |
|-----------------|--------------------------------------------------------|----------|--------------------|
| linear, adagrad | every reading                                          | (162,)   | w (162), b         |
| bilinear        | every reading, kept as a matrix                        | (18, 9)  | w1 (18), w2 (9), b |
| best            | 7 hours, faults held; 36 products of the last readings | (162,)   | w (162), b         |

Every feature is standardised by the mean and the standard deviation of the windows that the model was fitted
on; both are part of the model and of model.npz.
"""

from dataclasses import asdict, dataclass

from scaffold import BadInput

import numpy as np
from dataset import HOURS, ITEMS
from gradient_descent import bilinear, linear

MAY_BE_ZERO = ("PM2.5", "RAINFALL")  # clean air, a dry hour; any other item's zero counts as a silent sensor


def hold_faults(windows, items):
    """Replace each faulty reading by the last good one before it in its window, or the first after it.

    A reading below zero is a fault for every item (Fengyuan has no frost), and so is a zero of the items that
    are never zero in air. An item without one good reading stays as it is. Nothing outside the window is
    looked at, so that a test window is treated as a training window is.

    windows (n, items, hours) with items as named -> the same shape.
    """
    never_zero = np.array([item not in MAY_BE_ZERO for item in items])[:, None]
    good = (windows > 0) | ((windows == 0) & ~never_zero)
    hours = np.arange(windows.shape[2])
    before = np.maximum.accumulate(np.where(good, hours, -1), axis=2)
    first = good.argmax(axis=2)[..., None]
    return np.take_along_axis(windows, np.where(before >= 0, before, first), axis=2)


@dataclass
class Model:
    """Settings, the statistics of the raw features, and what gradient descent found."""

    items: tuple  # which items it looks at ...
    hours: int  # ... and for how many hours before the one to predict
    bilinear: bool = False  # weigh items and hours apart instead of every reading
    hold: bool = False  # replace faulty readings
    products: bool = False  # add each item's last reading times PM2.5's level, and times its change
    mean: np.ndarray = None
    scale: np.ndarray = None
    parameters: dict = None

    def raw_features(self, windows):
        """windows (n, 18, 9) -> (n, items, hours) if bilinear, else (n, items x hours [+ 2 items])."""
        x = windows[:, [ITEMS.index(item) for item in self.items], -self.hours :]
        if self.hold:
            x = hold_faults(x, self.items)
        if self.bilinear:
            return x
        raw = x.reshape(len(x), x.shape[1] * x.shape[2])
        if self.products:
            dust, last = x[:, self.items.index("PM2.5")], x[:, :, -1]
            change = dust[:, -1] - dust[:, max(-2, -self.hours)]  # none where the model sees one hour
            raw = np.column_stack([raw, last * dust[:, -1:], last * change[:, None]])
        return raw

    def fit_scale(self, raw):
        """Take mean and deviation from the raw features of the training windows: of each, or of each item."""
        axes = (0, 2) if self.bilinear else 0
        self.mean = raw.mean(axis=axes, keepdims=True)
        self.scale = np.maximum(raw.std(axis=axes, keepdims=True), 1e-6)

    def standardise(self, raw):
        """Raw features -> the features that the parameters weigh."""
        return (raw - self.mean) / self.scale

    def item_means(self):
        """The mean of each of the 18 items in the training windows; 0 for one that the model does not see."""
        means, count = np.zeros(len(ITEMS)), len(self.items)
        readings = self.mean.ravel() if self.bilinear else self.mean.ravel()[: count * self.hours]
        means[[ITEMS.index(item) for item in self.items]] = readings.reshape(count, -1).mean(axis=1)
        return means

    def start(self):
        """Parameters before the first step: zeros, but for w2; two factors that are both zero never move."""
        items, readings = len(self.items), len(self.items) * self.hours
        if self.bilinear:
            weights = {"item_weights": np.zeros(items), "hour_weights": np.full(self.hours, 1 / self.hours)}
        else:
            weights = {"weights": np.zeros(readings + 2 * items if self.products else readings)}
        return {**weights, "bias": np.zeros(())}

    def predict(self, windows):
        """windows (n, 18, 9) -> PM2.5 of the next hour, (n,) in ug/m3."""
        return (bilinear if self.bilinear else linear)(
            self.parameters, self.standardise(self.raw_features(windows))
        )

    def save(self, path):
        arrays = asdict(self)
        np.savez(path, **arrays.pop("parameters"), **arrays)


def load_model(path):
    """Read what Model.save wrote. Raises BadInput when it is missing, cut short or something else."""
    if not path.is_file():
        raise BadInput(f"{path} is missing; run train.py first, with the same --out-dir.")
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        settings = {
            "items": tuple(arrays.pop("items").tolist()),
            "hours": int(arrays.pop("hours")),
            **{name: bool(arrays.pop(name)) for name in ("bilinear", "hold", "products")},
        }
        model = Model(**settings, mean=arrays.pop("mean"), scale=arrays.pop("scale"), parameters=arrays)
        found = {name: value.shape for name, value in arrays.items()}
        fits = found == {name: value.shape for name, value in model.start().items()}
        fits &= np.isfinite(model.predict(np.ones((1, len(ITEMS), HOURS)))).all()
    except Exception:  # a damaged archive has many ways to say so
        fits = False
    if not fits:
        raise BadInput(f"{path} is cut short or not a model of this chapter; run train.py again.")
    return model

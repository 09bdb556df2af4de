"""The training: one fit by gradient descent, and the folds that leave one month out."""

from functools import partial

from scaffold import BadInput

import numpy as np
from dataset import LARGEST, SPACING, hours_within
from gradient_descent import bilinear, bilinear_gradient, linear, linear_gradient, minimise
from model import Model
from tqdm import tqdm

BANDS = 4  # of predictions, from low to high, each with its own interval
INTERVAL = (0.05, 0.95)  # quantiles of the errors


class Learner:
    """A recipe with the flags, and the raw features of all training windows, which every fit cuts from."""

    def __init__(self, args, recipe, windows, targets):
        self.args, self.recipe, self.windows, self.targets = args, recipe, windows, targets
        self.raw = self.model().raw_features(windows)

    def model(self):
        recipe, args = self.recipe, self.args
        return Model(tuple(args.features), args.hours, recipe.bilinear, recipe.hold, recipe.products)

    def fit(self, rows, asked, validation):
        """Fit one model on the training windows `rows`, and on the hours within `asked`, windows to predict.

        Returns it, and its predictions of the training windows `validation` after each epoch, (epochs, n).
        """
        args, recipe, model, predictions = self.args, self.recipe, self.model(), []
        raw, targets = self.raw[rows], self.targets[rows]
        if recipe.test_weight:
            earlier, later = hours_within(asked, args.hours)
            again = [model.raw_features(earlier)] * recipe.test_weight
            raw, targets = np.concatenate([raw, *again]), np.concatenate([targets, *[later] * len(again)])
        model.fit_scale(raw)
        x = model.standardise(self.raw[validation])
        forward, gradient = (bilinear, bilinear_gradient) if recipe.bilinear else (linear, linear_gradient)
        with np.errstate(over="ignore", invalid="ignore"):  # a descent that diverges is refused below
            model.parameters = minimise(
                partial(gradient, loss=recipe.loss, l2=args.l2),
                model.start(),
                model.standardise(raw),
                targets,
                rule=recipe.rule(args.learning_rate),
                epochs=args.epochs,
                batch_size=args.batch_size,
                rng=np.random.default_rng(args.seed),
                average=recipe.average,
                after_epoch=lambda parameters: predictions.append(forward(parameters, x)),
            )
        if not (np.abs(predictions) <= LARGEST**2).all():  # NaN is not
            flags = f"--learning-rate {args.learning_rate}" + f" or --l2 {args.l2}" * (args.l2 > 0)
            raise BadInput(f"{flags} is too large: the descent diverged.")
        return model, np.array(predictions)

    def leave_one_month_out(self, months):
        """Predict each training window by a model that was fitted without its month: (epochs, n).

        Where a model learns from the hours within the windows that it has to predict, those of a month are
        predicted in twelve parts, in each of which they are twelve hours apart.
        """
        predictions, parts = np.empty((self.args.epochs, len(months))), 1
        if self.recipe.test_weight:
            parts = SPACING
        for month in tqdm(np.unique(months), desc="leave one month out", ncols=80, disable=None):
            rows = np.flatnonzero(months == month)
            for part in range(parts):
                left_out = rows[part::parts]
                _, predictions[:, left_out] = self.fit(months != month, self.windows[left_out], left_out)
            error = rmse(predictions[-1, rows] - self.targets[rows])
            tqdm.write(f"{month} left out   RMSE {error:.2f}")
        return predictions


def rmse(errors):
    """Errors (..., n) -> the root of the mean of their squares, (...)."""
    return np.sqrt(np.mean(errors**2, axis=-1))


def intervals(predictions, errors):
    """For each of four bands of predictions, from low to high: where 90 % of the errors lie, in ug/m3."""
    bands = np.array_split(np.argsort(predictions, kind="stable"), BANDS)
    edges = [float(predictions[band[-1]]) for band in bands[:-1]]
    quantiles = [np.quantile(errors[band], INTERVAL).tolist() for band in bands]
    return [
        {"up_to": upper, "low": low, "high": high} for upper, (low, high) in zip([*edges, None], quantiles)
    ]

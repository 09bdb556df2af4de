"""What adaptation is worth: a learner's predictions for queries after some steps, and how good they are."""

from scaffold import BadInput

import numpy as np
import tensorflow as tf
from device import load_keras
from maml import adapt
from methods import loss_of, worth_compiling
from model import Learner
from scipy.special import softmax
from tasks import RANGE, Batch, Episodes, Waves, with_views

CHUNK = 60  # tasks at once; of several views fewer
GRID = 201  # points of a curve, from -5 to 5
SCORED = {"sine": 1, "omniglot": 10}  # steps of adaptation


def load_learner(path):
    """Read the model.keras of a training. Raises BadInput when it is missing, cut short or not ours."""
    learner = load_keras(path)
    if not isinstance(learner, Learner):
        raise BadInput(f"{path} is not a model of this chapter; run train.py again.")
    return learner


class Evaluator:
    """Adapts a learner to tasks and predicts their queries, after each number of steps in `steps`.

    Drawings are predicted with two kinds of batch statistics. "transductive": those of all queries of a task,
    as in the papers, so that a prediction depends on the other queries. "inductive": those of the support
    set, so that it does not. Sine tasks have no such statistics. A learner of several views adapts to views
    of each support drawing, and a query's logits are the mean over its views.
    """

    def __init__(self, learner, steps, tasks, ways=None, views=None):
        """tasks: how many will be evaluated; their classes and views are the learner's, if not given."""
        self.learner, self.steps = learner, steps
        self.ways, self.views = ways or learner.ways, views or learner.views
        self.statistics = ("transductive",) if learner.task == "sine" else ("transductive", "inductive")
        self.compiled = worth_compiling(self.answer, tasks, xla=learner.task == "omniglot")

    def answer(self, batch):
        learner, items = self.learner, batch.support_x.shape[1]
        start = [tf.convert_to_tensor(w) for w in learner.start]
        begin = learner.initial(start, batch.support_x, batch.support_y, self.ways)
        support = [(batch.support_x, batch.support_y)] * max(self.steps)
        rates = learner.rates(learner.factors)
        path = adapt(loss_of(learner), begin, rates, support, learner.adapted)
        predictions = [tf.stack([learner.forward(path[step], batch.query_x) for step in self.steps])]
        if "inductive" in self.statistics:
            x = tf.concat([batch.support_x, batch.query_x], axis=1)
            inductive = [learner.forward(path[step], x, support_size=items)[:, items:] for step in self.steps]
            predictions.append(tf.stack(inductive))
        return tf.stack(predictions)

    def predict(self, batch):
        """{statistics: float32 (len(steps), T, m, ways)}: logits, or y of the sine."""
        parts, views = [], self.views
        for first in range(0, len(batch.support_x), CHUNK // views):
            part = with_views(Batch(*(array[first : first + CHUNK // views] for array in batch)), views)
            logits = self.compiled(Batch(*map(tf.convert_to_tensor, part))).numpy()
            parts.append(logits.reshape(*logits.shape[:3], views, -1, logits.shape[-1]).mean(axis=3))
        return dict(zip(self.statistics, np.concatenate(parts, axis=2)))

    def score(self, batch):
        """{statistics: float64 (len(steps), T)}: the share of a task's queries that is right, or its MSE."""
        measure = squared_error if self.learner.task == "sine" else accuracy
        return {name: measure(found, batch.query_y) for name, found in self.predict(batch).items()}


def accuracy(logits, y):
    """Logits (..., m, ways), classes (..., m) -> the share of the m that is right (...)."""
    return np.mean(np.argmax(logits, axis=-1) == y, axis=-1)


def squared_error(predictions, y):
    """Values (..., m, 1) twice -> the mean over the m points (...)."""
    return np.mean((predictions.astype(np.float64) - y) ** 2, axis=(-1, -2))


def interval(scores):
    """Half the width of the 95 % interval of the mean of scores (n,)."""
    return float(1.96 * np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0


def play_episodes(learner, characters, args):
    """Adapt to episodes of {name of a character: drawings} and read their queries. args: those of predict.py.

    Returns the names (episodes, ways), the Batch, the classes that the queries of the first episode are read
    as (m,), and two dicts by kind of statistics: the accuracies (episodes,) and half their 95 % interval.
    """
    episodes = Episodes(characters, args.ways, args.shots, args.queries)
    chosen, indices = episodes.choose(np.random.default_rng(args.seed), args.episodes)
    batch = episodes.gather(episodes.look_up(indices))
    predictions = Evaluator(learner, [args.steps], args.episodes, args.ways).predict(batch)
    scores = {kind: accuracy(logits[0], batch.query_y) for kind, logits in predictions.items()}
    intervals = {kind: interval(found) for kind, found in scores.items()}
    names, read_as = np.array(list(characters))[chosen], predictions["transductive"][0, 0].argmax(axis=-1)
    return names, batch, read_as, scores, intervals


def read_drawings(learner, characters, drawings, steps):
    """Adapt to {name of a character: its drawings} and read others, each by itself.

    drawings: {name: uint8 (28, 28)}, 255 is ink. Returns probabilities (drawings, characters).
    """
    support, query = np.concatenate(list(characters.values())), np.stack(list(drawings.values()))
    y = np.repeat(np.arange(len(characters), dtype=np.int32), [len(found) for found in characters.values()])
    batch = Batch(
        *(support[None, ..., None] / np.float32(255), y[None]),
        *(query[None, ..., None] / np.float32(255), np.zeros((1, len(query)), np.int32)),
    )
    predictions = Evaluator(learner, [steps], 1, len(characters)).predict(batch)
    return softmax(predictions["inductive"][0, 0], axis=1)


def draw_wave(seed, shots, phase):
    """Points x and y of a wave, float32 (shots, 1) each; phase: a key of tasks.PHASES."""
    wave = Waves(shots, 1, phase).draw(np.random.default_rng(seed), 1)
    return wave.support_x[0], wave.support_y[0]


def fit_wave(learner, points, most_steps):
    """Adapt to points x and y, float32 (n, 1) each.

    Returns the points, the grid (GRID,), {number of steps: y on the grid} and {number of steps: mean squared
    error at the points}. Raises BadInput when the adaptation diverges.
    """
    x = np.linspace(*RANGE, GRID, dtype=np.float32)[:, None]
    steps = sorted({0, 1, most_steps})
    batch = Batch(points[0][None], points[1][None], x[None], np.zeros_like(x)[None])
    curves = Evaluator(learner, steps, 1).predict(batch)["transductive"][:, 0, :, 0]  # (steps, GRID)
    if not np.isfinite(curves).all():
        raise BadInput(f"--steps {most_steps}: the adaptation diverges on these points; take fewer steps.")
    there = batch._replace(query_x=points[0][None], query_y=points[1][None])
    errors = Evaluator(learner, steps, 1).score(there)["transductive"][:, 0]
    return points, x[:, 0], dict(zip(steps, curves)), dict(zip(steps, errors))

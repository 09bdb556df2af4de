"""What adaptation is worth: predictions for queries after some steps, and how good they are."""

import numpy as np
import tensorflow as tf
from maml import adapt
from methods import loss_of, worth_compiling
from tasks import Batch

CHUNK = 50  # tasks at once


class Evaluator:
    """Adapts a learner to tasks and predicts their queries, after each number of steps in `steps`.

    Drawings are predicted with two kinds of batch statistics. "transductive": those of all queries of a task,
    as in the papers, so that a prediction depends on the other queries. "inductive": those of the support
    set, so that it does not. Sine tasks have no such statistics.
    """

    def __init__(self, learner, steps, tasks, ways=None):
        """tasks: how many will be asked about; ways: their classes, unless the learner's own."""
        self.learner, self.steps, self.ways = learner, steps, ways or learner.ways
        self.statistics = ("transductive",) if learner.task == "sine" else ("transductive", "inductive")
        self.compiled = worth_compiling(self.answer, tasks, xla=learner.task == "omniglot")

    def answer(self, batch):
        learner, items = self.learner, batch.support_x.shape[1]
        start = [tf.convert_to_tensor(w) for w in learner.start]
        begin = learner.initial(start, batch.support_x, batch.support_y, self.ways)
        support = [(batch.support_x, batch.support_y)] * max(self.steps)
        rates = learner.rates(learner.factors)
        path = adapt(loss_of(learner), begin, rates, support, learner.adapted)
        answers = [tf.stack([learner.forward(path[step], batch.query_x) for step in self.steps])]
        if "inductive" in self.statistics:
            x = tf.concat([batch.support_x, batch.query_x], axis=1)
            inductive = [learner.forward(path[step], x, support_size=items)[:, items:] for step in self.steps]
            answers.append(tf.stack(inductive))
        return tf.stack(answers)

    def predict(self, batch):
        """{statistics: float32 (len(steps), T, m, ways)}: logits, or y of the sine."""
        parts = []
        for first in range(0, len(batch.support_x), CHUNK):
            part = Batch(*(tf.convert_to_tensor(array[first : first + CHUNK]) for array in batch))
            parts.append(self.compiled(part).numpy())
        return dict(zip(self.statistics, np.concatenate(parts, axis=2)))

    def score(self, batch):
        """{statistics: float64 (len(steps), T)}: the share of a task's queries that is right, or its MSE."""
        measure = squared_error if self.learner.task == "sine" else accuracy
        return {name: measure(answers, batch.query_y) for name, answers in self.predict(batch).items()}


def accuracy(logits, y):
    """Logits (..., m, ways), classes (..., m) -> the share of the m that is right (...)."""
    return np.mean(np.argmax(logits, axis=-1) == y, axis=-1)


def squared_error(predictions, y):
    """Values (..., m, 1) twice -> the mean over the m points (...)."""
    return np.mean((predictions.astype(np.float64) - y) ** 2, axis=(-1, -2))


def interval(scores):
    """Half the width of the 95 % interval of the mean of scores (n,)."""
    return float(1.96 * np.std(scores, ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0

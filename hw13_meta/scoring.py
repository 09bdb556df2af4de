"""What adaptation is worth: predictions for queries after some steps, and how good they are."""

import numpy as np
import tensorflow as tf
from maml import adapt, spread
from methods import loss_of, worth_compiling
from tasks import Batch

CHUNK = 50  # tasks at once


class Judge:
    """Adapts a learner to tasks and asks for their queries, after each number of steps in `steps`.

    Drawings are asked in two ways. "together": the batch statistics are those of all queries of a task, as in
    the papers; so what else is asked helps to read a query (transductive). "alone": they are those of the
    support set, and each query is read the same whatever else is asked. Sine tasks have no such statistics.
    """

    def __init__(self, learner, steps, tasks):
        self.learner, self.steps = learner, steps
        self.ways_to_ask = ("together",) if learner.task == "sine" else ("together", "alone")
        self.compiled = worth_compiling(self.answer, tasks, xla=learner.task == "omniglot")

    def answer(self, batch):
        learner, items = self.learner, batch.support_x.shape[1]
        start = spread([tf.convert_to_tensor(w) for w in learner.start], batch.support_x.shape[0])
        support = [(batch.support_x, batch.support_y)] * max(self.steps)
        rates = learner.rates(learner.factors)
        path = adapt(loss_of(learner), start, rates, support, learner.moving)
        answers = [tf.stack([learner.forward(path[step], batch.query_x) for step in self.steps])]
        if "alone" in self.ways_to_ask:
            x = tf.concat([batch.support_x, batch.query_x], axis=1)
            alone = [learner.forward(path[step], x, known=items)[:, items:] for step in self.steps]
            answers.append(tf.stack(alone))
        return tf.stack(answers)

    def predict(self, batch):
        """{way to ask: float32 (len(steps), T, m, ways)}: logits, or y of the sine."""
        parts = []
        for first in range(0, len(batch.support_x), CHUNK):
            part = Batch(*(tf.convert_to_tensor(array[first : first + CHUNK]) for array in batch))
            parts.append(self.compiled(part).numpy())
        return dict(zip(self.ways_to_ask, np.concatenate(parts, axis=2)))

    def score(self, batch):
        """{way to ask: float64 (len(steps), T)}: the share of a task's queries that is right, or its MSE."""
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

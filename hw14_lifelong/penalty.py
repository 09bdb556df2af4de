"""The quadratic penalty: lambda / 2 * sum of Omega * (theta - theta*)^2, lambda the strength.

After task k, each weight has an importance Omega_k and a value theta*_k. Two ways to keep one penalty for
all:

- The sum of the tasks' penalties, which is EWC as published. A sum of parabolas is a parabola: its importance
  is the sum of the Omega_k, its anchor the mean of the theta*_k weighted by Omega_k, and the rest does not
  depend on theta. So nothing is lost, and K tasks cost what one costs.
- Only the latest weights as the anchor, the importances summed, the old ones faded by `decay`: online EWC
  (Schwarz et al. 2018), MAS and SCP. The latest weights already compromise between all tasks.
"""

import numpy as np
import tensorflow as tf


class Penalty:
    """Holds a list of weights. There is nothing to hold until the first add()."""

    def __init__(self, weights, strength):
        self.weights, self.strength = weights, strength
        self.importance = [tf.Variable(0 * weight.numpy(), trainable=False) for weight in weights]
        self.anchor = [tf.Variable(weight.numpy(), trainable=False) for weight in weights]

    def __call__(self):
        """The penalty, a scalar. Its gradient is strength * importance * (weight - anchor)."""
        parts = [
            tf.reduce_sum(importance * tf.square(weight - anchor))
            for weight, importance, anchor in zip(self.weights, self.importance, self.anchor)
        ]
        return self.strength / 2 * tf.add_n(parts)

    def add(self, importance, decay=1.0, latest=False):
        """Hold the weights as they are now, as much as `importance` says, beside what was held before.

        latest: the anchor moves to the weights as they are now; otherwise it becomes the weighted mean.
        """
        for weight, held, anchor, new in zip(self.weights, self.importance, self.anchor, importance):
            now, old = weight.numpy(), decay * held.numpy()
            total = old + new
            mean = (old * anchor.numpy() + new * now) / np.where(total > 0, total, 1)
            anchor.assign(now if latest else np.where(total > 0, mean, now))
            held.assign(total)

    @property
    def variables(self):
        return [*self.importance, *self.anchor]

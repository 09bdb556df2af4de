"""What the three models share: two vocabularies, a loss that does not count padding, a way to decode.

A decoder is asked for a token at a time: a Chinese character, or a word. start(source, limit) encodes the
sentences (n, s) and returns `encoded`, which stays the same at every step, and `state`, which each step
replaces. step(words, time, encoded, state) goes from the tokens chosen last, (n,), to the logits of the next
ones, (n, Chinese tokens), and the new state. Both are lists of tensors, or of such lists, whose first axis
counts hypotheses, so that decoding can repeat and reorder them without knowing what they are.
attend(source, target_in) is where the model looks at each step, (n, t, s), or None: of several layers it is
the last, of several heads or networks the mean.
"""

import math

import keras
from dataset import PAD
from device import replicas
from keras import ops


class Translator(keras.Model):
    """call((source, target_in)): int32 (n, s) and (n, t) -> logits float32 (n, t, Chinese tokens).

    smoothing: the share of the target probability that label smoothing spreads over all words.
    r_drop: the weight of R-Drop's term (Wu et al. 2021), for batches that hold every pair twice; 0: none.
    """

    sampled = False  # no scheduled sampling

    def __init__(self, english, chinese, units, dropout, smoothing=0.1, r_drop=0.0):
        super().__init__()
        self.english, self.chinese = list(english), list(chinese)
        self.units, self.rate, self.smoothing, self.r_drop = units, dropout, smoothing, r_drop
        scale = keras.initializers.RandomNormal(stddev=units**-0.5)
        self.source_embedding = keras.layers.Embedding(len(self.english), units, scale)
        self.target_embedding = keras.layers.Embedding(len(self.chinese), units, scale)
        self.bias = self.add_weight(shape=(len(self.chinese),), initializer="zeros", name="bias")
        self.dropout = keras.layers.Dropout(dropout)

    def build(self, input_shape):
        """Nothing is left to do: each __init__ ends with a call that makes all weights."""

    def embed(self, embedding, words):
        """The words' embeddings, made large enough to be the input of a layer: about 1 in size."""
        return embedding(words) * self.units**0.5

    def logits(self, outputs):
        """(..., units) -> (..., Chinese tokens): by the product with each token's embedding, and a bias."""
        return ops.matmul(outputs, ops.transpose(self.target_embedding.embeddings)) + self.bias

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean cross-entropy of the tokens that are no padding.

        In training with label smoothing and, where r_drop is not 0, plus r_drop / 2 times the mean of the
        two Kullback-Leibler divergences between the predictions p and q for the two halves of the batch: the
        same pairs with other units dropped. KL(p, q) + KL(q, p) = sum (p - q) (log p - log q).
        """
        log_probability = ops.log_softmax(ops.cast(y_pred, "float32"))
        loss = -ops.take_along_axis(log_probability, y[..., None], axis=-1)[..., 0]
        if training:
            loss += self.smoothing * (-ops.mean(log_probability, axis=-1) - loss)
        if training and self.r_drop:
            log_p, log_q = ops.split(log_probability, 2, axis=0)
            divergence = ops.sum((ops.exp(log_p) - ops.exp(log_q)) * (log_p - log_q), axis=-1) / 2
            # Of both passes together, as in the paper, where the cross-entropy is the sum of two, too.
            loss += self.r_drop / 2 * ops.concatenate([divergence, divergence])
        real = ops.cast(y != PAD, loss.dtype)
        mean = ops.sum(loss * real) / ops.maximum(ops.sum(real), 1)
        return mean / replicas()  # TensorFlow adds up the losses of the devices that share a batch

    def get_config(self):
        return {
            "english": self.english,
            "chinese": self.chinese,
            "units": self.units,
            "dropout": self.rate,
            "smoothing": self.smoothing,
            "r_drop": self.r_drop,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)


@keras.saving.register_keras_serializable(package="hw08_seq2seq")
class Ensemble(keras.Model):
    """Several translators of the same words, whose probabilities are averaged at every step."""

    def __init__(self, members):
        super().__init__()
        self.members, self.english, self.chinese = list(members), members[0].english, members[0].chinese
        self((ops.zeros((1, 2), "int32"), ops.zeros((1, 2), "int32")))

    def build(self, input_shape):
        """Nothing to do: the members are built."""

    def call(self, inputs, training=False):
        return log_mean([member(inputs, training=training) for member in self.members])

    def attend(self, source, target):
        weights = [member.attend(source, target) for member in self.members]
        weights = [found for found in weights if found is not None]
        return sum(weights) / len(weights) if weights else None

    def start(self, source, limit):
        encoded, state = zip(*(member.start(source, limit) for member in self.members))
        return list(encoded), list(state)

    def step(self, words, time, encoded, state):
        steps = [member.step(words, time, *parts) for member, *parts in zip(self.members, encoded, state)]
        logits, state = zip(*steps)
        return log_mean(logits), list(state)

    def get_config(self):
        return {"members": [keras.saving.serialize_keras_object(member) for member in self.members]}

    @classmethod
    def from_config(cls, config):
        return cls([keras.saving.deserialize_keras_object(member) for member in config["members"]])


def log_mean(logits):
    """Several logits of one shape (..., words) -> the logarithm of their mean probabilities."""
    log_probabilities = [ops.log_softmax(ops.cast(some, "float32")) for some in logits]
    return ops.logsumexp(ops.stack(log_probabilities), axis=0) - math.log(len(logits))

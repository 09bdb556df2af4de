"""What the three models share: two vocabularies, a loss that does not count padding, a way to decode.

A decoder is asked for a word at a time: start(source, limit) reads the sentence, and step(words, time, state)
goes from the words chosen last to the logits of the next ones. A state is a list of tensors whose first axis
counts hypotheses, so that beam search can repeat and reorder them without knowing what they are.
attend(source, target_in) is where the model looks at each step, (n, t, s), or None if it looks nowhere.
"""

import keras
from dataset import PAD
from keras import ops


class Translator(keras.Model):
    """call((source, target_in)): int32 (n, s) and (n, t) -> logits float32 (n, t, Chinese words)."""

    sampled = False  # no scheduled sampling

    def __init__(self, english, chinese, units, dropout, smoothing=0.1):
        super().__init__()
        self.english, self.chinese = list(english), list(chinese)
        self.units, self.rate, self.smoothing = units, dropout, smoothing
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
        """(..., units) -> (..., Chinese words): how alike is it to each word's embedding?"""
        return ops.matmul(outputs, ops.transpose(self.target_embedding.embeddings)) + self.bias

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean cross-entropy of the words that are no padding; in training, with label smoothing."""
        log_probability = ops.log_softmax(y_pred)
        loss = -ops.take_along_axis(log_probability, y[..., None], axis=-1)[..., 0]
        if training:
            loss += self.smoothing * (-ops.mean(log_probability, axis=-1) - loss)
        real = ops.cast(y != PAD, loss.dtype)
        return ops.sum(loss * real) / ops.maximum(ops.sum(real), 1)

    def get_config(self):
        return {
            "english": self.english,
            "chinese": self.chinese,
            "units": self.units,
            "dropout": self.rate,
            "smoothing": self.smoothing,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**config)

"""Additive attention (Bahdanau, Cho, Bengio 2015): which words of the sentence matter for the next one?"""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="hw08_seq2seq")
class AdditiveAttention(keras.layers.Layer):
    """score = v . tanh(W query + U key), a softmax over the words that are no padding, and their mean."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.query_map = keras.layers.Dense(units, use_bias=False)
        self.key_map = keras.layers.Dense(units)
        scale = keras.initializers.RandomNormal(stddev=units**-0.5)
        self.v = self.add_weight(shape=(units,), initializer=scale, name="v")

    def keys(self, memory):
        """U key, (n, s, units), which is the same at every step and so computed once."""
        return self.key_map(memory)

    def call(self, query, keys, memory, mask):
        """query (n, q), keys (n, s, units), memory (n, s, m), mask (n, s), 0 on padding.

        Returns the context (n, m) and the weights (n, s), which are 0 on padding and sum to 1.
        """
        scores = ops.sum(self.v * ops.tanh(self.query_map(query)[:, None] + keys), axis=-1)
        weights = ops.softmax(ops.where(mask > 0, scores, -1e9))
        return ops.einsum("ns,nsm->nm", weights, memory), weights

    def get_config(self):
        return {**super().get_config(), "units": self.units}

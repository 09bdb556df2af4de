"""The transformer (Vaswani et al. 2017), with the norm before each part.

| part          | shapes                                                                               |
|---------------|--------------------------------------------------------------------------------------|
| encoder       | words (n, s) -> embedding and position (n, s, u) -> blocks -> encoded (n, s, u)      |
| decoder       | words (n, t) -> embedding and position (n, t, u) -> blocks -> logits (n, t, words)   |
| a block       | x + self-attention(norm x); decoder: + attention to the encoded; + feed-forward      |

In training all steps are computed at once, behind a causal mask. In decoding each block keeps the keys and
values of the steps before, so a step computes one position and looks back at those.
"""

import keras
import numpy as np
from dataset import PAD
from keras import ops
from translator import Translator

LAYERS = 2  # blocks on each side
HEADS = 4


def positions(times, units):
    """Times (t,) -> their sines and cosines of wavelengths from 2 pi to 10,000 times that, (t, units)."""
    wavelengths = ops.convert_to_tensor(10_000.0 ** (np.arange(0, units, 2) / units), "float32")
    angles = times[:, None] / wavelengths
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


class MultiHeadAttention(keras.layers.Layer):
    """softmax(Q K^T / sqrt(d)) V, in each of the heads with its own maps to d = units / heads numbers."""

    def __init__(self, units, heads, dropout, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads
        self.query_map, self.key_map, self.value_map, self.output_map = (
            keras.layers.Dense(units) for _ in range(4)
        )
        self.dropout = keras.layers.Dropout(dropout)

    def split(self, x):
        """(n, t, u) -> (n, heads, t, d)."""
        count, times, units = ops.shape(x)
        return ops.transpose(ops.reshape(x, (count, times, self.heads, units // self.heads)), (0, 2, 1, 3))

    def keys_values(self, x):
        """What can be attended to, x (n, s, u) -> keys and values, (n, heads, s, d) each."""
        return self.split(self.key_map(x)), self.split(self.value_map(x))

    def call(self, x, keys_values, visible, training=False):
        """Queries from x (n, t, u); visible (n or 1, t or 1, s) says which keys each may attend to.

        Returns the attended values (n, t, u), and the mean over the heads of the weights (n, t, s), which are
        0 for keys that are not visible, and sum to 1.
        """
        keys, values = keys_values
        queries = self.split(self.query_map(x))
        scores = ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2))) / queries.shape[-1] ** 0.5
        weights = ops.softmax(ops.where(visible[:, None], scores, -1e9))
        attended = ops.matmul(self.dropout(weights, training=training), values)
        attended = ops.reshape(ops.transpose(attended, (0, 2, 1, 3)), ops.shape(x))
        return self.output_map(attended), ops.mean(weights, axis=1)


class Block(keras.layers.Layer):
    """One block; a decoder's, if it attends to the encoded sentence."""

    def __init__(self, units, heads, dropout, decoder, **kwargs):
        super().__init__(**kwargs)
        self.self_norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.self_attention = MultiHeadAttention(units, heads, dropout)
        if decoder:
            self.cross_norm = keras.layers.LayerNormalization(epsilon=1e-6)
            self.cross_attention = MultiHeadAttention(units, heads, dropout)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.widen = keras.layers.Dense(4 * units, activation="relu")
        self.narrow = keras.layers.Dense(units)
        self.dropout = keras.layers.Dropout(dropout)

    def keys_values(self, x):
        """Keys and values of the block's own inputs x (n, t, u), for its self-attention."""
        return self.self_attention.keys_values(self.self_norm(x))

    def call(self, x, past, visible, encoded=None, mask=None, training=False):
        """x (n, t, u); past: keys and values for self-attention, where visible (n or 1, t or 1, p) allows.

        encoded: keys and values of the encoded sentence, of which mask (n, s) is false on padding.
        Returns x, and the weights of the attention to the encoded sentence (n, t, s), or None.
        """
        attended, _ = self.self_attention(self.self_norm(x), past, visible, training=training)
        x, weights = x + self.dropout(attended, training=training), None
        if encoded is not None:
            attended, weights = self.cross_attention(
                self.cross_norm(x), encoded, mask[:, None], training=training
            )
            x = x + self.dropout(attended, training=training)
        wide = self.dropout(self.widen(self.norm(x)), training=training)
        return x + self.dropout(self.narrow(wide), training=training), weights


@keras.saving.register_keras_serializable(package="hw08_seq2seq")
class Transformer(Translator):
    """`layers` blocks and a norm on each side."""

    def __init__(self, english, chinese, units, dropout, layers=LAYERS, heads=HEADS, **kwargs):
        super().__init__(english, chinese, units, dropout, **kwargs)
        self.heads = heads
        self.encoder = [Block(units, heads, dropout, decoder=False) for _ in range(layers)]
        self.decoder = [Block(units, heads, dropout, decoder=True) for _ in range(layers)]
        self.encoder_norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.decoder_norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self((ops.zeros((1, 2), "int32"), ops.zeros((1, 2), "int32")))

    def add_positions(self, embedding, words, time=0, training=False):
        """Words (n, t) at the times time, time + 1, ... -> embeddings and positions, (n, t, u)."""
        times = ops.cast(time + ops.arange(ops.shape(words)[1]), "float32")
        x = self.embed(embedding, words)
        x = x + ops.cast(positions(times, self.units), x.dtype)
        return self.dropout(x, training=training)

    def encode(self, source, training=False):
        """Sentences (n, s) -> mask (n, s), and for each block of the decoder their keys and values."""
        mask = source != PAD
        x = self.add_positions(self.source_embedding, source, training=training)
        for block in self.encoder:
            x, _ = block(x, block.keys_values(x), mask[:, None], training=training)
        encoded = self.encoder_norm(x)
        return mask, [block.cross_attention.keys_values(encoded) for block in self.decoder]

    def decode(self, source, target, training=False):
        """All steps at once, none seeing what follows: outputs (n, t, u), weights (n, t, s)."""
        mask, encoded = self.encode(source, training)
        times = ops.arange(ops.shape(target)[1])
        causal = (times[:, None] >= times)[None]
        x = self.add_positions(self.target_embedding, target, training=training)
        for block, keys_values in zip(self.decoder, encoded):
            x, weights = block(x, block.keys_values(x), causal, keys_values, mask, training=training)
        return self.decoder_norm(x), weights

    def call(self, inputs, training=False):
        outputs, _ = self.decode(*inputs, training=training)
        return self.logits(outputs)

    def attend(self, source, target):
        return self.decode(source, target)[1]

    def start(self, source, limit):
        """The state: empty caches of each block's keys and values, for `limit` steps."""
        heads = self.heads, limit, self.units // self.heads
        nothing = ops.zeros((ops.shape(source)[0], *heads))
        return list(self.encode(source)), [[nothing, nothing] for _ in self.decoder]

    def step(self, words, time, encoded, state):
        (mask, encoded), state = encoded, list(state)
        visible = (ops.arange(ops.shape(state[0][0])[2]) <= time)[None, None]
        x = self.add_positions(self.target_embedding, words[:, None], time)
        for index, block in enumerate(self.decoder):
            state[index] = [
                ops.slice_update(past, [0, 0, time, 0], new)
                for past, new in zip(state[index], block.keys_values(x))
            ]
            x, _ = block(x, state[index], visible, encoded[index], mask)
        return self.logits(self.decoder_norm(x))[:, 0], state

    def get_config(self):
        return {**super().get_config(), "layers": len(self.encoder), "heads": self.heads}

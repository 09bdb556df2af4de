"""The transformer (Vaswani et al. 2017) from Keras' MultiHeadAttention, with the norm before each part.

| part          | shapes                                                                               |
|---------------|--------------------------------------------------------------------------------------|
| encoder       | words (n, s) -> embedding and position (n, s, u) -> blocks -> memory (n, s, u)       |
| decoder       | words (n, t) -> embedding and position (n, t, u) -> blocks -> logits (n, t, words)   |
| a block       | x + self-attention(norm x); decoder: + attention to the memory; + feed-forward       |

In training all steps are computed at once, behind a causal mask. In decoding each block keeps the normed
inputs of the steps before, so a step computes one position and looks back at those.
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


@keras.saving.register_keras_serializable(package="hw08_seq2seq")
class Block(keras.layers.Layer):
    """One block; a decoder's, if it attends to a memory."""

    def __init__(self, units, heads, dropout, decoder, **kwargs):
        super().__init__(**kwargs)
        self.self_norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.self_attention = keras.layers.MultiHeadAttention(heads, units // heads, dropout=dropout)
        if decoder:
            self.memory_norm = keras.layers.LayerNormalization(epsilon=1e-6)
            self.memory_attention = keras.layers.MultiHeadAttention(heads, units // heads, dropout=dropout)
        self.norm = keras.layers.LayerNormalization(epsilon=1e-6)
        self.widen = keras.layers.Dense(4 * units, activation="relu")
        self.narrow = keras.layers.Dense(units)
        self.dropout = keras.layers.Dropout(dropout)

    def call(self, x, past, visible, memory=None, mask=None, training=False):
        """x (n, t, u); past (n, p, u) is what self-attention looks at, where visible (n, t, p) allows.

        Returns x, and the mean over the heads of the attention to the memory (n, t, s), or None.
        """
        seen = self.self_attention(self.self_norm(x), past, attention_mask=visible, training=training)
        x = x + self.dropout(seen, training=training)
        weights = None
        if memory is not None:
            seen, weights = self.memory_attention(
                self.memory_norm(x),
                memory,
                attention_mask=mask[:, None],
                training=training,
                return_attention_scores=True,
            )
            x, weights = x + self.dropout(seen, training=training), ops.mean(weights, axis=1)
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
        x = self.embed(embedding, words) + positions(times, self.units)
        return self.dropout(x, training=training)

    def encode(self, source, training=False):
        """The memory (n, s, u) of sentences (n, s), and its mask."""
        mask = source != PAD
        x = self.add_positions(self.source_embedding, source, training=training)
        for block in self.encoder:
            x, _ = block(x, block.self_norm(x), mask[:, None], training=training)
        return self.encoder_norm(x), mask

    def decode(self, source, target, training=False):
        """All steps at once, none seeing what follows: outputs (n, t, u), weights (n, t, s)."""
        memory, mask = self.encode(source, training)
        times = ops.arange(ops.shape(target)[1])
        causal = (times[:, None] >= times)[None]
        x = self.add_positions(self.target_embedding, target, training=training)
        for block in self.decoder:
            x, weights = block(x, block.self_norm(x), causal, memory, mask, training=training)
        return self.decoder_norm(x), weights

    def call(self, inputs, training=False):
        outputs, _ = self.decode(*inputs, training=training)
        return self.logits(outputs)

    def attend(self, source, target):
        return self.decode(source, target)[1]

    def start(self, source, limit):
        """Read the sentences (n, s); the state is the memory, its mask and each block's inputs so far."""
        memory, mask = self.encode(source)
        past = ops.zeros((ops.shape(source)[0], limit, self.units))
        return [memory, mask, *[past for _ in self.decoder]]

    def step(self, words, time, state):
        memory, mask, *pasts = state
        visible = (ops.arange(ops.shape(pasts[0])[1]) <= time)[None, None]
        x = self.add_positions(self.target_embedding, words[:, None], time)
        for index, block in enumerate(self.decoder):
            pasts[index] = ops.slice_update(pasts[index], [0, time, 0], block.self_norm(x))
            x, _ = block(x, pasts[index], visible, memory, mask)
        return self.logits(self.decoder_norm(x))[:, 0], [memory, mask, *pasts]

    def get_config(self):
        return {**super().get_config(), "layers": len(self.encoder), "heads": self.heads}

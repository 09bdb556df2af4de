"""Sequence to sequence with LSTMs (Sutskever et al. 2014), with or without attention (Bahdanau et al. 2015).

| part                | shapes                                                                         |
|---------------------|--------------------------------------------------------------------------------|
| encoder, both ways  | words (n, s) -> embedding (n, s, u), added: memory; last states (n, u)         |
| decoder, a step     | embedding (n, u), with attention also a context (n, u) -> LSTM state (n, u)    |
| output              | state, context, embedding -> (n, u) -> logits (n, Chinese words)               |

Training and decoding take the same step, DecoderCell. In training the word that goes in is the right one, or,
in scheduled sampling, now and then the most probable one of the model itself: ScheduledSamplingCell.
"""

import keras
from attention import AdditiveAttention
from dataset import PAD
from keras import ops
from sampling import ScheduledSamplingCell
from translator import Translator


@keras.saving.register_keras_serializable(package="hw08_seq2seq")
class DecoderCell(keras.layers.Layer):
    """A step: call(embedded (n, u), state) -> output (n, u), new state.

    The state is [h, c] and, with attention, the encoded source: keys, memory and mask, which no step changes.
    """

    def __init__(self, units, attention, **kwargs):
        super().__init__(**kwargs)
        self.state_size, self.output_size = [units, units], units
        self.attention = AdditiveAttention(units) if attention else None
        self.lstm = keras.layers.LSTMCell(units)
        self.mix = keras.layers.Dense(units, activation="tanh")

    def build(self, input_shape):
        """Nothing to do: the parts make their weights when they are first called."""

    def call(self, embedded, state):
        h, c, *encoded = state
        inputs = embedded
        if self.attention is not None:
            context, _ = self.attention(h, *encoded)
            inputs = ops.concatenate([embedded, context], axis=-1)
        _, (h, c) = self.lstm(inputs, [h, c])
        return self.mix(ops.concatenate([h, inputs], axis=-1)), [h, c, *encoded]


@keras.saving.register_keras_serializable(package="hw08_seq2seq")
class Recurrent(Translator):
    """With or without attention. `sampled`: training now and then feeds the model its own words."""

    def __init__(self, english, chinese, units, dropout, attention, sampled=False, **kwargs):
        super().__init__(english, chinese, units, dropout, **kwargs)
        self.sampled = sampled
        self.encoder = keras.layers.Bidirectional(
            keras.layers.LSTM(units // 2, return_sequences=True, return_state=True)
        )
        self.bridge = keras.layers.Dense(2 * units, activation="tanh")
        self.cell = DecoderCell(units, attention)
        self.teacher_forced = keras.layers.RNN(self.cell, return_sequences=True)
        self.sampling_cell = ScheduledSamplingCell(self.cell, self.most_probable)
        self.scheduled = keras.layers.RNN(self.sampling_cell, return_sequences=True)
        self((ops.zeros((1, 2), "int32"), ops.zeros((1, 2), "int32")))

    def start(self, source, limit=None, training=False):
        """Read the sentences (n, s); the state of DecoderCell before the first word."""
        mask = source != PAD
        embedded = self.dropout(self.embed(self.source_embedding, source), training=training)
        memory, *last = self.encoder(embedded, mask=mask, training=training)
        last = ops.concatenate([last[0], last[2]], axis=-1)  # the outputs, not the LSTMs' inner cells
        state = ops.split(self.bridge(last), 2, axis=-1)
        if self.cell.attention is None:
            return state
        memory = embedded + self.dropout(memory, training=training)  # the words as well as their surroundings
        return [*state, self.cell.attention.keys(memory), memory, ops.cast(mask, memory.dtype)]

    def step(self, words, time, state):
        outputs, state = self.cell(self.embed(self.target_embedding, words), state)
        return self.logits(outputs), state

    def most_probable(self, outputs):
        """The embedding of the word that the model would say, (n, u)."""
        return self.embed(self.target_embedding, ops.argmax(self.logits(outputs), axis=-1))

    def attend(self, source, target):
        if self.cell.attention is None:
            return None
        state, weights = self.start(source), []
        for words in ops.unstack(target, axis=1):
            h, _, *encoded = state
            weights.append(self.cell.attention(h, *encoded)[1])
            _, state = self.step(words, None, state)
        return ops.stack(weights, axis=1)

    def call(self, inputs, training=False):
        source, target = inputs
        state = self.start(source, training=training)
        embedded = self.dropout(self.embed(self.target_embedding, target), training=training)
        if training and self.sampled:
            outputs = self.scheduled(
                self.sampling_cell.draw_mask(embedded), initial_state=[embedded[:, 0], *state]
            )
        else:
            outputs = self.teacher_forced(embedded, initial_state=state)
        return self.logits(self.dropout(outputs, training=training))

    def get_config(self):
        attention = self.cell.attention is not None
        return {**super().get_config(), "attention": attention, "sampled": self.sampled}

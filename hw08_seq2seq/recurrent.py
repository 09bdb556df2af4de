"""Sequence to sequence with LSTMs (Sutskever et al. 2014), with or without attention (Bahdanau et al. 2015).

Additive attention weighs the encoder's states for the next word.

| part                | shapes                                                                         |
|---------------------|--------------------------------------------------------------------------------|
| encoder, both ways  | words (n, s) -> embedding (n, s, u), + outputs: memory; last states (n, u)      |
| decoder, a step     | embedding (n, u), with attention also a context (n, u) -> LSTM state (n, u)    |
| output              | state, context, embedding -> (n, u) -> logits (n, Chinese words)               |

Training and decoding take the same step, DecoderCell. With teacher forcing the decoder is always fed the
right last word, and never learns what to do after a wrong one of its own. Scheduled sampling (Bengio et al.
2015) draws for every word which is fed: the right one, or the most probable one of the model itself. The
probability of the right one falls during the training, by one of train.py's SCHEDULES.
"""

import keras
from dataset import PAD
from keras import ops
from translator import Translator


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


class ScheduledSamplingCell(keras.layers.Layer):
    """A cell around the decoder's, whose input is the true last word or the most probable one by itself.

    Its input is the right word's embedding and a mask, (n, u + 1); its state is the embedding of the model's
    own last word, then the decoder's.
    """

    def __init__(self, cell, most_probable, **kwargs):
        super().__init__(**kwargs)
        self.cell, self.most_probable = cell, most_probable
        self.state_size, self.output_size = [cell.output_size, *cell.state_size], cell.output_size
        self.teacher_forcing = self.add_weight(
            shape=(), initializer="ones", trainable=False, autocast=False, name="teaching"
        )
        self.seeds = keras.random.SeedGenerator()

    def build(self, input_shape):
        """Nothing to do: the cell inside makes its weights when it is first called."""

    def draw_mask(self, embedded):
        """(n, t, u) -> (n, t, u + 1): with a mask, 1 for the right word."""
        draws = keras.random.uniform(ops.shape(embedded[..., :1]), seed=self.seeds)
        return ops.concatenate([embedded, ops.cast(draws < self.teacher_forcing, embedded.dtype)], axis=-1)

    def call(self, inputs, state):
        target, mask = inputs[:, :-1], inputs[:, -1:]
        own, *state = state
        output, state = self.cell(mask * target + (1 - mask) * own, state)
        return output, [self.most_probable(output), *state]


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
        """Keys, encoded words and mask of sentences (n, s), and the LSTM's [h, c] before the first word."""
        mask = source != PAD
        embedded = self.dropout(self.embed(self.source_embedding, source), training=training)
        memory, *last = self.encoder(embedded, mask=mask, training=training)
        last = ops.concatenate([last[0], last[2]], axis=-1)  # the outputs, not the LSTMs' inner cells
        state = ops.split(self.bridge(last), 2, axis=-1)
        if self.cell.attention is None:
            return [], state
        memory = embedded + self.dropout(memory, training=training)  # the words as well as their surroundings
        return [self.cell.attention.keys(memory), memory, ops.cast(mask, memory.dtype)], state

    def step(self, words, time, encoded, state):
        outputs, (h, c, *_) = self.cell(self.embed(self.target_embedding, words), [*state, *encoded])
        return self.logits(outputs), [h, c]

    def most_probable(self, outputs):
        """The embedding of the word that the model would say, (n, u)."""
        return self.embed(self.target_embedding, ops.argmax(self.logits(outputs), axis=-1))

    def attend(self, source, target):
        if self.cell.attention is None:
            return None
        (encoded, state), weights = self.start(source), []
        for words in ops.unstack(target, axis=1):
            weights.append(self.cell.attention(state[0], *encoded)[1])
            _, state = self.step(words, None, encoded, state)
        return ops.stack(weights, axis=1)

    def call(self, inputs, training=False):
        source, target = inputs
        encoded, state = self.start(source, training=training)
        embedded = self.dropout(self.embed(self.target_embedding, target), training=training)
        if training and self.sampled:
            outputs = self.scheduled(
                self.sampling_cell.draw_mask(embedded), initial_state=[embedded[:, 0], *state, *encoded]
            )
        else:
            outputs = self.teacher_forced(embedded, initial_state=[*state, *encoded])
        return self.logits(self.dropout(outputs, training=training))

    def get_config(self):
        attention = self.cell.attention is not None
        return {**super().get_config(), "attention": attention, "sampled": self.sampled}


class ScheduledSampling(keras.callbacks.Callback):
    """Set the model's `teacher_forcing` before every batch, by a schedule: a function of the share done."""

    def __init__(self, schedule, epochs, batches):
        super().__init__()
        self.schedule, self.steps, self.batches = schedule, epochs * batches, batches

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        done = (self.epoch * self.batches + batch) / self.steps
        self.model.sampling_cell.teacher_forcing.assign(self.schedule(done))

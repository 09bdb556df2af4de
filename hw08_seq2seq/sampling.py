"""Feeding the decoder its own words, by the chances of schedules.py (Bengio et al. 2015)."""

import keras
from keras import ops
from schedules import SCHEDULES


@keras.saving.register_keras_serializable(package="hw08_seq2seq", name="OwnWords")  # as in saved models
class ScheduledSamplingCell(keras.layers.Layer):
    """A cell around the decoder's, whose input is the true last word or the most probable one by itself.

    Its input is the right word's embedding and a coin, (n, u + 1); its state is the embedding of the model's
    own last word, then the decoder's.
    """

    def __init__(self, cell, most_probable, **kwargs):
        super().__init__(**kwargs)
        self.cell, self.most_probable = cell, most_probable
        self.state_size, self.output_size = [cell.output_size, *cell.state_size], cell.output_size
        self.teaching = self.add_weight(shape=(), initializer="ones", trainable=False, name="teaching")
        self.seeds = keras.random.SeedGenerator()

    def build(self, input_shape):
        """Nothing to do: the cell inside makes its weights when it is first called."""

    def draw_mask(self, embedded):
        """(n, t, u) -> (n, t, u + 1): a coin more, 1 for the right word."""
        coins = keras.random.uniform(ops.shape(embedded[..., :1]), seed=self.seeds)
        return ops.concatenate([embedded, ops.cast(coins < self.teaching, embedded.dtype)], axis=-1)

    def call(self, inputs, state):
        right, coin = inputs[:, :-1], inputs[:, -1:]
        own, *state = state
        output, state = self.cell(coin * right + (1 - coin) * own, state)
        return output, [self.most_probable(output), *state]


class ScheduledSampling(keras.callbacks.Callback):
    """Set the model's `teaching` before every batch, by a schedule."""

    def __init__(self, schedule, epochs, batches):
        super().__init__()
        self.schedule, self.steps, self.batches = SCHEDULES[schedule], epochs * batches, batches

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        done = (self.epoch * self.batches + batch) / self.steps
        self.model.sampling_cell.teaching.assign(self.schedule(done))

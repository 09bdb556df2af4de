"""Decoding: from the logits of the next word to a whole sentence.

Greedy decoding takes the most probable word at every step. The most probable sentence may begin otherwise, so
beam search keeps the best few beginnings side by side. Both decode a batch of sentences in one loop of the
graph, and neither ever chooses <PAD>, <BOS> or <UNK>. A sentence of s source tokens ends after 2 s +
MAX_EXTRA_TOKENS words at the latest.
"""

import keras
import numpy as np
from dataset import BOS, EOS, PAD, UNK, Vocabulary
from keras import ops

MAX_EXTRA_TOKENS = 10
ALPHA = 1.5  # of the length's power, chosen on the course's validation.txt
NEVER = -1e9  # a log-probability
SENTENCES = 128  # decoded at a time


class Decoding(keras.Model):
    """A translator with a way to decode, compiled once: greedy for a beam of 1, else beam search."""

    def __init__(self, translator, beam=1):
        super().__init__()
        self.translator, self.beam = translator, beam
        self.compile(jit_compile=False)

    def call(self, inputs):
        """(source, alpha), int32 (n, s) and float32 (n,) -> int32 (n, longest); <PAD> after <EOS>."""
        source, alpha = inputs
        if self.beam == 1:
            return greedy(self.translator, source)
        return beam_search(self.translator, source, self.beam, alpha)

    def translate(self, source, alpha=ALPHA):
        """Decode source, int32 (n, length), padded: a list of n lists of words.

        Sentences of one length are decoded together, which changes the time and nothing else.
        """
        chinese, lengths = Vocabulary(self.translator.chinese), (source != PAD).sum(axis=1)
        order, sentences = np.argsort(lengths, kind="stable"), [None] * len(source)
        for start in range(0, len(source), SENTENCES):
            rows = order[start : start + SENTENCES]
            alphas = np.full(len(rows), alpha, "float32")
            found = self.predict_on_batch((source[rows, : lengths[rows].max()], alphas))
            for row, ids in zip(rows, found):
                sentences[row] = chinese.decode(ids)
        return sentences


def greedy(translator, source):
    """The most probable word at each step."""
    limits, limit = longest(source)
    state = translator.start(source, limit)
    words = ops.zeros_like(source[:, 0], "int32") + BOS

    def unfinished(time, words, done, chosen, *state):
        return ops.logical_and(time < limit, ops.logical_not(ops.all(done)))

    def advance(time, words, done, chosen, *state):
        logits, state = translator.step(words, time, list(state))
        words = ops.cast(ops.argmax(allowed(logits, time, limits), axis=-1), "int32")
        words = ops.where(done, PAD, words)
        chosen = ops.slice_update(chosen, [0, time], words[:, None])
        return (time + 1, words, ops.logical_or(done, words == EOS), chosen, *state)

    chosen = ops.zeros((ops.shape(source)[0], limit), "int32")
    return ops.while_loop(unfinished, advance, (0, words, words == EOS, chosen, *state))[3]


def beam_search(translator, source, beam, alpha):
    """Keep the `beam` best beginnings of each sentence, by their log-probability / length ** alpha.

    A sum of log-probabilities falls with every word, so without the length (alpha 0) short sentences would
    win (Wu et al. 2016). A beginning that has ended stays among the best until better ones push it out.
    alpha: a number, or one for each sentence, (n,).
    """
    count, vocabulary = ops.shape(source)[0], len(translator.chinese)
    alpha = ops.reshape(alpha, (-1, 1))
    limits, limit = longest(source)
    state = [ops.repeat(part, beam, axis=0) for part in translator.start(source, limit)]
    first = ops.arange(count)[:, None] * beam  # where each sentence's hypotheses begin in the state
    only_pad = ops.where(ops.arange(vocabulary) == PAD, 0.0, NEVER)

    def unfinished(time, words, done, *rest):
        return ops.logical_and(time < limit, ops.logical_not(ops.all(done)))

    def advance(time, words, done, scores, lengths, chosen, *state):
        logits, state = translator.step(ops.reshape(words, [-1]), time, list(state))
        gains = allowed(ops.log_softmax(logits), time, ops.repeat(limits, beam))
        gains = ops.where(done[..., None], only_pad, ops.reshape(gains, (-1, beam, vocabulary)))
        lengths = lengths + ops.cast(ops.logical_not(done), "float32")
        sums = scores[..., None] + gains
        ranks = sums / lengths[..., None] ** alpha[..., None]
        _, best = ops.top_k(ops.reshape(ranks, (-1, beam * vocabulary)), beam)
        best = ops.cast(best, "int32")
        parents, words = best // vocabulary, best % vocabulary

        scores = ops.take_along_axis(ops.reshape(sums, (-1, beam * vocabulary)), best, axis=1)
        lengths, done = (ops.take_along_axis(part, parents, axis=1) for part in (lengths, done))
        chosen = ops.take_along_axis(chosen, parents[..., None], axis=1)
        chosen = ops.slice_update(chosen, [0, 0, time], words[..., None])
        state = [ops.take(part, ops.reshape(first + parents, [-1]), axis=0) for part in state]
        return (time + 1, words, ops.logical_or(done, words == EOS), scores, lengths, chosen, *state)

    words = ops.zeros((count, beam), "int32") + BOS
    scores = ops.zeros((count, beam)) + ops.where(
        ops.arange(beam) == 0, 0.0, NEVER
    )  # one beginning, not `beam`
    chosen = ops.zeros((count, beam, limit), "int32")
    start = (0, words, words == EOS, scores, ops.zeros((count, beam)), chosen, *state)
    _, _, _, scores, lengths, chosen, *_ = ops.while_loop(unfinished, advance, start)
    best = ops.argmax(scores / lengths**alpha, axis=1)
    return ops.take_along_axis(chosen, best[:, None, None], axis=1)[:, 0]


def longest(source):
    """The number of words (n,) after which each sentence ends, and the largest of them."""
    limits = 2 * ops.sum(ops.cast(source != PAD, "int32"), axis=1) + MAX_EXTRA_TOKENS
    return limits, ops.max(limits)


def allowed(scores, time, limits):
    """Scores (n, words) -> the same, NEVER for <PAD>, <BOS> and <UNK>, and at its limit for all but <EOS>."""
    numbers = ops.arange(scores.shape[-1])
    banned = ops.logical_or(numbers < EOS, numbers == UNK)
    last = (time + 1 >= limits)[:, None]
    return ops.where(ops.logical_or(banned, ops.logical_and(last, numbers != EOS)), NEVER, scores)

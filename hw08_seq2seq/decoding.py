"""Decoding: from the probabilities of the next word to a whole sentence.

Greedy decoding takes the most probable word at every step, beam search the best of several beginnings. Both
look for the most probable sentence. Minimum Bayes risk decoding (Kumar, Byrne 2004; by samples: Eikema, Aziz
2020) looks for the one that is expected to score best: it draws sentences at random, as the model finds them
probable, and takes the one whose mean score is highest when each that was drawn is the reference in turn.
"""

import keras
import numpy as np
from beam_search import MAX_EXTRA_TOKENS, allowed, beam_search, length_limits, repeated
from bleu import bleu_matrix
from dataset import BOS, EOS, PAD, Vocabulary
from keras import ops
from model import load_models

ALPHA = 2.0  # exponent of the length in beam search's score, chosen on the course's validation.txt
TEMPERATURE = 0.85  # of what is drawn; chosen there, too
BEAM_WEIGHT = 0.1  # of beam search's sentence, relative to all samples together
SENTENCES = 128  # decoded at a time


class Sampler(keras.Model):
    """A translator that draws sentences, compiled once."""

    def __init__(self, translator, temperature):
        super().__init__()
        self.translator, self.temperature = translator, temperature
        self.compile(jit_compile=False)

    def call(self, inputs):
        return sample(self.translator, *inputs, self.temperature)


class BeamSearch(keras.Model):
    """A translator with beam search, compiled once."""

    def __init__(self, translator, beam):
        super().__init__()
        self.translator, self.beam = translator, beam
        self.compile(jit_compile=False)

    def call(self, inputs):
        source, alpha = inputs
        return beam_search(self.translator, source, self.beam, alpha)


def sample(translator, source, uniform, temperature=TEMPERATURE):
    """source int32 (n, s), uniform float32 (n, m, longest) -> m sentences each, int32 (n, m, longest).

    A number, evenly distributed in [0, 1), decides a word: the first at which the sum of the words'
    probabilities is above it. The probabilities are the softmax of the logits / temperature; with a
    temperature of 0 the word is the most probable one, which is greedy decoding. <PAD> follows <EOS>.
    """
    times = ops.shape(uniform)[1]
    limits, limit = length_limits(source)
    encoded, state = repeated(translator.start(source, limit), times)
    limits, uniform = ops.repeat(limits, times), ops.reshape(uniform, (-1, ops.shape(uniform)[2]))
    words = ops.zeros_like(limits) + BOS

    def unfinished(time, words, done, chosen, state):
        return ops.logical_and(time < limit, ops.logical_not(ops.all(done)))

    def advance(time, words, done, chosen, state):
        logits, state = translator.step(words, time, encoded, state)
        logits = allowed(logits, time, limits)
        if temperature:
            sums = ops.cumsum(ops.softmax(logits / temperature), axis=-1)
            words = ops.sum(ops.cast(sums <= uniform[:, time, None] * sums[:, -1:], "int32"), axis=-1)
        else:
            words = ops.cast(ops.argmax(logits, axis=-1), "int32")
        words = ops.where(done, PAD, words)
        chosen = ops.slice_update(chosen, [0, time], words[:, None])
        return time + 1, words, ops.logical_or(done, words == EOS), chosen, state

    start = 0, words, words == EOS, ops.zeros((ops.shape(words)[0], limit), "int32"), state
    chosen = ops.while_loop(unfinished, advance, start)[3]
    return ops.reshape(chosen, (-1, times, limit))


def load_decoding(paths, folder, beam, samples):
    """The Decoding of the models in these files, joined as one; see load_models()."""
    return Decoding(load_models(paths, folder), beam, samples)


class Decoding:
    """How sentences are translated: by beam search, and with samples by minimum Bayes risk.

    beam: hypotheses of beam search; 1 is greedy. samples: sentences that each network draws; 0: beam search
    alone. Else its best is among those that are compared, too, and weighs BEAM_WEIGHT times all samples.
    """

    def __init__(self, translator, beam, samples=0, temperature=TEMPERATURE):
        self.translator, self.samples = translator, samples
        self.chinese = Vocabulary(translator.chinese)
        self.search = BeamSearch(translator, beam)
        self.networks = getattr(translator, "members", [translator])
        self.samplers = [Sampler(network, temperature) for network in self.networks] if samples else []

    def translate(self, source, alpha=ALPHA):
        """Decode source, int32 (n, length), padded: a list of n lists of words.

        Sentences of about one length are decoded together, which changes the time and nothing else.
        """
        lengths = (source != PAD).sum(axis=1)
        order, sentences = np.argsort(lengths, kind="stable"), [None] * len(source)
        for start in range(0, len(source), SENTENCES):
            rows = order[start : start + SENTENCES]
            found = self.translate_batch(source[rows, : lengths[rows].max()], alpha)
            for row, words in zip(rows, found):
                sentences[row] = words
        return sentences

    def translate_batch(self, source, alpha):
        alphas = np.full(len(source), alpha, "float32")
        best = [self.chinese.decode(ids) for ids in self.search.predict_on_batch((source, alphas))[:, 0]]
        shape = 2 * source.shape[1] + MAX_EXTRA_TOKENS, self.samples
        drawn = [[] for _ in source]
        for number, sampler in enumerate(self.samplers):
            seeds = [[number, *sentence[sentence != PAD]] for sentence in source]  # wherever it stands
            uniform = [np.random.default_rng(seed).random(shape, "float32").T for seed in seeds]
            for words, ids in zip(drawn, sampler.predict_on_batch((source, np.stack(uniform)))):
                words += map(self.chinese.decode, ids)
        return [
            least_risk([words, *samples], [BEAM_WEIGHT * len(samples), *[1] * len(samples)])
            if samples
            else words
            for words, samples in zip(best, drawn)
        ]


def least_risk(sentences, weights):
    """Of sentences, lists of words, the one with the highest weighted mean of BLEU@1 against all of them."""
    texts = {}
    for words, weight in zip(sentences, weights):
        first, sum_ = texts.get("".join(words), (words, 0))
        texts["".join(words)] = first, sum_ + weight
    scores = bleu_matrix(list(texts)) @ [weight for _, weight in texts.values()]
    return list(texts.values())[int(np.argmax(scores))][0]

"""Beam search: the most probable word need not begin the most probable sentence.

So the `beam` best beginnings are kept side by side, each is extended by every word, and the best of these are
kept. None is ever extended by <PAD>, <BOS> or <UNK>. A sentence of s source tokens, <EOS> among them, ends
after 2 s + MAX_EXTRA_TOKENS tokens at the latest.
"""

import numpy as np
from dataset import BOS, EOS, PAD, UNK
from keras import ops, tree
from scipy.special import log_softmax

MAX_EXTRA_TOKENS = 10
NEVER = -1e9  # a log-probability


def plain_beam_search(translator, source, beam, alpha):
    """Beam search for one sentence, int32 (s,), to be read; beam_search() finds the same, and is fast.

    Returns the best words, <EOS> included, by their log-probability / length ** alpha.
    """
    limit = 2 * int((source != PAD).sum()) + MAX_EXTRA_TOKENS
    hypotheses = [((), 0.0)]  # words and their log-probability

    def rank(hypothesis):
        return hypothesis[1] / len(hypothesis[0]) ** alpha

    for time in range(limit):
        extended = [hypothesis for hypothesis in hypotheses if hypothesis[0][-1:] == (EOS,)]  # has ended
        for words, log_probability in hypotheses:
            if words[-1:] == (EOS,):
                continue
            logits = translator((source[None], np.array([[BOS, *words]])))[0, -1]
            log_probabilities = log_softmax(np.asarray(logits))
            log_probabilities[[PAD, BOS, UNK]] = NEVER
            for word in [EOS] if time + 1 == limit else np.argsort(-log_probabilities)[:beam]:
                extended.append(((*words, int(word)), log_probability + log_probabilities[word]))
        hypotheses = sorted(extended, key=rank, reverse=True)[:beam]
    return list(hypotheses[0][0])


def beam_search(translator, source, beam, alpha):
    """A batch of sentences (n, s) in one loop of the graph -> int32 (n, beam, longest), the best first.

    A sum of log-probabilities falls with every word, so without the length (alpha 0) short sentences would
    win (Wu et al. 2016). A beginning that has ended stays among the best until better ones push it out.
    alpha: a number, or one for each sentence, (n,). <PAD> follows <EOS>.
    """
    count, vocabulary = ops.shape(source)[0], len(translator.chinese)
    alpha = ops.reshape(alpha, (-1, 1))
    limits, limit = length_limits(source)
    encoded, state = repeated(translator.start(source, limit), beam)
    first = ops.arange(count)[:, None] * beam  # where each sentence's hypotheses begin in the state
    only_pad = ops.where(ops.arange(vocabulary) == PAD, 0.0, NEVER)

    def unfinished(time, words, done, *rest):
        return ops.logical_and(time < limit, ops.logical_not(ops.all(done)))

    def advance(time, words, done, scores, lengths, chosen, state):
        logits, state = translator.step(ops.reshape(words, [-1]), time, encoded, state)
        log_probabilities = allowed(ops.log_softmax(logits), time, ops.repeat(limits, beam))
        log_probabilities = ops.where(
            done[..., None], only_pad, ops.reshape(log_probabilities, (-1, beam, vocabulary))
        )
        lengths = lengths + ops.cast(ops.logical_not(done), "float32")
        sums = scores[..., None] + log_probabilities
        ranks = sums / lengths[..., None] ** alpha[..., None]
        _, best = ops.top_k(ops.reshape(ranks, (-1, beam * vocabulary)), beam)
        best = ops.cast(best, "int32")
        parents, words = best // vocabulary, best % vocabulary

        scores = ops.take_along_axis(ops.reshape(sums, (-1, beam * vocabulary)), best, axis=1)
        lengths, done = (ops.take_along_axis(part, parents, axis=1) for part in (lengths, done))
        chosen = ops.take_along_axis(chosen, parents[..., None], axis=1)
        chosen = ops.slice_update(chosen, [0, 0, time], words[..., None])
        rows = ops.reshape(first + parents, [-1])
        state = tree.map_structure(lambda part: ops.take(part, rows, axis=0), state)
        return (time + 1, words, ops.logical_or(done, words == EOS), scores, lengths, chosen, state)

    words = ops.zeros((count, beam), "int32") + BOS
    scores = ops.zeros((count, beam)) + ops.where(
        ops.arange(beam) == 0, 0.0, NEVER
    )  # one beginning, not `beam`
    chosen = ops.zeros((count, beam, limit), "int32")
    start = (0, words, words == EOS, scores, ops.zeros((count, beam)), chosen, state)
    _, _, _, scores, lengths, chosen, _ = ops.while_loop(unfinished, advance, start)
    order = ops.argsort(-scores / lengths**alpha, axis=1)
    return ops.take_along_axis(chosen, order[..., None], axis=1)


def repeated(parts, times):
    """Each row of all tensors in nested lists, `times` times."""
    return tree.map_structure(lambda part: ops.repeat(part, times, axis=0), parts)


def length_limits(source):
    """The number of words (n,) after which each sentence ends, and the largest of them."""
    limits = 2 * ops.sum(ops.cast(source != PAD, "int32"), axis=1) + MAX_EXTRA_TOKENS
    return limits, ops.max(limits)


def allowed(scores, time, limits):
    """Scores (n, words) -> the same, NEVER for <PAD>, <BOS> and <UNK>, and at its limit for all but <EOS>."""
    numbers = ops.arange(scores.shape[-1])
    banned = ops.logical_or(numbers < EOS, numbers == UNK)
    last = (time + 1 >= limits)[:, None]
    return ops.where(ops.logical_or(banned, ops.logical_and(last, numbers != EOS)), NEVER, scores)

"""How good is a translation? BLEU (Papineni et al. 2002): how much of it stands in the reference, too.

BLEU@1 is the course's measure: of each sentence the share of its characters that the reference has as well,
times a penalty for being shorter, averaged over the sentences. Corpus BLEU-4 counts runs of up to four
characters over all sentences together: sacrebleu computes it, as papers do.
"""

import re
from collections import Counter

import numpy as np
import pandas as pd
from sacrebleu.metrics import BLEU


def characters(text):
    """Split Chinese text in characters; a run of Latin letters or digits is one, as the course has it."""
    return re.findall(r"[A-Za-z0-9]+|\S", text)


def sentence_bleu(translation, reference):
    """BLEU with weights (1, 0, 0, 0) of one sentence, both str: 0 to 1."""
    hypothesis, truth = characters(translation), characters(reference)
    if not hypothesis:
        return 0.0
    matches = sum(
        (Counter(hypothesis) & Counter(truth)).values()
    )  # a character counts as often as in the reference
    brevity_penalty = min(1.0, np.exp(1 - len(truth) / len(hypothesis)))
    return float(brevity_penalty * matches / len(hypothesis))


def bleu_matrix(texts):
    """sentence_bleu() of each text as the translation and each as the reference: float64 (n, n).

    Row i, column j is the score of text i when text j is the reference.
    """
    bags = pd.DataFrame([Counter(characters(text)) for text in texts]).fillna(0).to_numpy()
    lengths = np.maximum(bags.sum(axis=1), 1e-9)  # an empty text matches nothing
    matches = np.minimum(bags[:, None], bags[None]).sum(axis=2)
    brevity_penalty = np.exp(np.minimum(0, 1 - lengths[None] / lengths[:, None]))
    return brevity_penalty * matches / lengths[:, None]


def bleu_1(translations, references):
    """The mean of the sentences' BLEU: the course's BLEU@1."""
    return float(np.mean([sentence_bleu(*pair) for pair in zip(translations, references)]))


def corpus_bleu_4(translations, references):
    """sacrebleu's corpus BLEU with its tokenizer for Chinese: 0 to 100."""
    return BLEU(tokenize="zh").corpus_score(translations, [references]).score

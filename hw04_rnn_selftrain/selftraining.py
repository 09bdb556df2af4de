"""Self-training: a teacher labels what it is sure of, and the student learns from that as if it were true.

Yarowsky (1995); Lee, "Pseudo-Label" (2013); the course's homework 4. A student that believes its own mistakes
only grows surer of them. Three things help: each round brings lines that were never looked at; the teacher is
not the student as the last step left it but a moving average of it (Tarvainen and Valpola's mean teacher,
2017); and a second reader, who looks at the tweet from another side, has to be asked too (Blum and Mitchell's
co-training, 1998), since the two seldom make the same mistake.
"""

import numpy as np
from scipy.special import expit, logit
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

MOST = 200_000  # n-grams of a kind, the most frequent


def pseudo_labels(probabilities, threshold=None):
    """What a student shall learn from a teacher: indices, int64 (M,), and labels there, float64 (M,).

    With a threshold, only where the teacher is sure: where the probability of "positive" is over it or under
    1 - threshold, and the label is 1 or 0. Without, the probability itself is each line's label: a student of
    soft labels also learns how sure to be (Hinton et al., "Distilling the knowledge", 2015).
    """
    probabilities = np.asarray(probabilities, np.float64)
    if threshold is None:
        return np.arange(len(probabilities)), probabilities
    indices = np.flatnonzero((probabilities > threshold) | (probabilities < 1 - threshold))
    return indices, (probabilities[indices] > 0.5).astype(np.float64)


def agreed(first, second):
    """What two readers say together: probabilities (N,) and (N,) -> float64 (N,), of their mean logits.

    Where they differ it is nearer to 0.5 than the surer of the two.
    """
    both = np.clip(np.asarray([first, second], np.float64), 1e-6, 1 - 1e-6)
    return expit(logit(both).mean(axis=0))


def second_reader(sentences, labels):
    """A logistic regression on TF-IDF of words, pairs of words, and runs of 2 to 5 characters in a word.

    It knows no order, but reads "soooo" and "loool" and words that no vector is of. Returns a scikit-learn
    pipeline, fitted to sentences, list of str, and labels, int (N,).
    """
    words = TfidfVectorizer(token_pattern=r"\S+", ngram_range=(1, 2), sublinear_tf=True, max_features=MOST)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, max_features=MOST)
    reader = make_pipeline(make_union(words, characters), LogisticRegression(C=3, max_iter=1000))
    return reader.fit(sentences, labels)


def fresh_lines(size, count, number, seed):
    """The indices of the unlabelled lines of round `number` (from 1 on): int64 (count,), or (size,) if there
    are fewer.

    The lines are taken in a random order, the same for a seed, and none twice before all were taken once.
    """
    count = min(count, size)
    order = np.random.default_rng(seed).permutation(size)
    return np.take(order, range((number - 1) * count, number * count), mode="wrap")

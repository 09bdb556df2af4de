"""A logistic regression on n-grams: runs of one or two words, and of two to five characters in a word.

It knows no order beyond two words, but it has features for "soooo" and "loool" and for words that the network
never saw. Each n-gram is hashed to one of BUCKETS numbers (the hashing trick, Weinberger et al. 2009), so no
list of n-grams has to be kept: two that meet in one bucket share a weight. With
n_1 and n_2 the numbers of a tweet's different n-grams of words and of characters, its logit is

    z = sum over its n-grams of words of w_i / sqrt(n_1)  +  the same of characters, w_i / sqrt(n_2)  +  b
"""

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from tqdm import tqdm

BUCKETS = 2**18  # of each of the two kinds
PENALTIES = (0.1, 0.3, 1.0, 3.0)  # scikit-learn's C: small is strong
MIN_LABELS = 10  # of each class, to choose a penalty by
AT_ONCE = 1024  # tweets
WIDTH = 512  # a multiple of it: shapes are few, each of which JAX compiles anew
KINDS = [
    HashingVectorizer(n_features=BUCKETS, alternate_sign=False, norm=None, binary=True, **settings)
    for settings in (
        {"token_pattern": r"\S+", "ngram_range": (1, 2)},
        {"analyzer": "char_wb", "ngram_range": (2, 5)},
    )
]


def hashed(sentences):
    """Which n-grams are in sentences, list of N str: a sparse (N, 2 BUCKETS) of 0 and 1, first words'."""
    return sparse.hstack([kind.transform(sentences) for kind in KINDS], format="csr")


def numbered(sentences):
    """Each sentence's n-grams by their number from 1 on: int32 (N, n), padded with 0 at the end to the most
    of one, rounded up to a multiple of WIDTH."""
    table = hashed(sentences)
    widest = max(1, np.diff(table.indptr).max())
    rows = np.zeros((len(sentences), -(-widest // WIDTH) * WIDTH), np.int32)
    for row, start, end in zip(rows, table.indptr, table.indptr[1:]):
        row[: end - start] = table.indices[start:end] + 1
    return rows


def fit_ngrams(sentences, labels):
    """Fit the logistic regression to sentences, list of N str, and labels, int (N,).

    Returns the weights w, float64 (2 BUCKETS,), and b, float. A rare n-gram may have a larger weight than a
    frequent one: the penalty is on w_i divided by the n-gram's inverse document frequency (TF-IDF). A tenth
    of these labels chooses how strong it is, then all are learnt from.
    """
    parts = range(0, len(sentences), AT_ONCE)
    bar = tqdm(parts, "n-grams", leave=False, ncols=80, disable=None)
    table = sparse.vstack([hashed(sentences[start : start + AT_ONCE]) for start in bar], format="csr")
    frequency = np.asarray(table.sum(axis=0)).ravel()
    inverse = np.log((1 + len(sentences)) / (1 + frequency)) + 1
    halves = []
    for half in (table[:, :BUCKETS], table[:, BUCKETS:]):
        count = np.maximum(np.asarray(half.sum(axis=1)).ravel(), 1)
        halves.append(sparse.diags(1 / np.sqrt(count)) @ half)
    features = sparse.hstack(halves, format="csr") @ sparse.diags(inverse)
    logistic = LogisticRegression(max_iter=1000)
    if np.bincount(labels).min() >= MIN_LABELS:
        tenth = StratifiedShuffleSplit(1, test_size=max(2, len(labels) // 10), random_state=0)
        search = GridSearchCV(logistic, {"C": PENALTIES}, scoring="neg_log_loss", cv=tenth, refit=False)
        logistic.set_params(**search.fit(features, labels).best_params_)
    fitted = logistic.fit(features, labels)
    return fitted.coef_[0] * inverse, fitted.intercept_[0]

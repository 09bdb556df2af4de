"""Novelty by a classifier of training against test images.

The training set is known to be normal. The test set is a mixture: normal images, and a few that are not. No
one says which, but the mixture as a whole can be compared with the training set: where the test has more
images than expected, the anomalies are. A classifier of "training or test?" learns the ratio of the two
densities,

    p(code | test) / p(code | training) = 1 - share + share * p(code | anomaly) / p(code | training),

and that rises with the ratio that one would like to know, whatever the share: sorting by the one sorts by the
other. This is semi-supervised novelty detection (Blanchard, Lee, Scott 2010). It looks at the test images,
as a density does not, and at no label. And it must not look at the image that it scores: each fifth of the
test is scored by a classifier that learnt from the rest.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
STRENGTH = 1e-3  # scikit-learn's C: the smaller, the nearer to 0 the weights are kept


def comparison(train_codes, codes, others, seed=0):
    """The log-odds that a code is of the test set rather than of the training set; larger: more anomalous.

    train_codes : float (m, d), codes of training images; codes : float (n, d), of the test
    others : float (k, d), codes of neither, such as of held-out training images
    Returns (n,) and (k,): each test image is scored by the one classifier of FOLDS that has not seen it,
    and the others by the mean of them all.
    """
    scores, of_others = np.empty(len(codes)), np.zeros(len(others))
    folds = KFold(FOLDS, shuffle=True, random_state=seed)
    # A part of the training set is left out as well, so that all classifiers see the two in one proportion.
    for (train_rows, _), (rows, left_out) in zip(folds.split(train_codes), folds.split(codes)):
        seen = np.concatenate([train_codes[train_rows], codes[rows]])
        of_test = np.repeat([0, 1], [len(train_rows), len(rows)])
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=200))
        classifier.fit(seen, of_test)
        scores[left_out] = classifier.decision_function(codes[left_out])
        of_others += classifier.decision_function(others) / FOLDS
    return scores, of_others

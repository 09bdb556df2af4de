"""The novelty of a code: four scores from the codes of training images; large is far from them.

| function    | the score                                              | the density it assumes       |
|-------------|--------------------------------------------------------|------------------------------|
| neighbours  | mean distance to the NEIGHBOURS nearest training codes | none                         |
| cosine      | the same between their directions, see directions()    | none                         |
| mahalanobis | distance to the mean, in deviations                    | one Gaussian                 |
| mixture     | minus the log density of the first COMPONENTS          | KINDS Gaussians              |
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

NEIGHBOURS = 5
KINDS = 8  # Gaussians of a mixture
COMPONENTS = 32  # of a code that a mixture is made of, at most


def nearest(train_codes, codes, count=NEIGHBOURS):
    """The nearest training codes (m, d) to each of codes (n, d): distances and indices, (n, count)."""
    count = min(count, len(train_codes))
    return NearestNeighbors(n_neighbors=count, algorithm="brute").fit(train_codes).kneighbors(codes)


def neighbours(train_codes, codes):
    """float (m, d), (n, d) -> (n,)."""
    return nearest(train_codes, codes)[0].mean(axis=1)


def cosine(train_codes, codes):
    """float (m, d), (n, d) -> (n,), 0 to 2."""
    return neighbours(*directions(train_codes, codes))


def directions(train_codes, codes):
    """Both as vectors of length 1, so that the square of their distance is 2 - 2 * cosine.

    They are whitened before: else the few components that vary most would settle all angles.
    """
    return tuple(normalize(some) for some in whitened(train_codes, codes, train_codes.shape[1]))


def whitened(train_codes, codes, components):
    """Both as uncorrelated components of deviation 1 among the training codes."""
    components = min(components, *train_codes.shape)
    space = PCA(components, whiten=True, svd_solver="full", random_state=0).fit(train_codes)
    kept = space.explained_variance_ > 1e-7 * space.explained_variance_[0]  # a dead unit has none
    return space.transform(train_codes)[:, kept], space.transform(codes)[:, kept]


def mahalanobis(train_codes, codes):
    """float (m, d), (n, d) -> (n,). A direction in which the training codes do not vary plays no part."""
    _, codes = whitened(train_codes, codes, train_codes.shape[1])
    return np.sqrt(np.square(codes).sum(axis=1))


def mixture(train_codes, codes):
    """float (m, d), (n, d) -> (n,), in nats."""
    train_codes, codes = whitened(train_codes, codes, COMPONENTS)
    kinds = min(KINDS, len(train_codes))
    return -GaussianMixture(kinds, reg_covar=1e-3, random_state=0).fit(train_codes).score_samples(codes)


DENSITIES = {"neighbours": neighbours, "cosine": cosine, "mahalanobis": mahalanobis, "mixture": mixture}

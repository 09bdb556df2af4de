"""How far are generated faces from true ones, and from each other? By the features of a network.

| function  | what                                                                     | paper              |
|-----------|--------------------------------------------------------------------------|--------------------|
| kid       | squared maximum mean discrepancy, kernel (x.y / d + 1)^3, unbiased       | Binkowski 2018     |
| fid       | Frechet distance of two normal distributions                             | Heusel et al. 2017 |
| collapse  | mean distance of two generated images, as a share of two true images'|                    |
|           | share of generated images with another nearer than a fifth of that     |                    |

The last two are for collapse: they look at generated images among themselves. The nearest of 500 true faces
is at some three fifths of the mean distance.
"""

import numpy as np

SUBSETS, SUBSET = 20, 250  # KID's mean and deviation are over so many draws of so many images
NEAR = 0.2  # of the mean distance of two true images: what is nearer is a duplicate


def kid(true, fake, seed=0):
    """Features float (n, d) and (m, d) -> the mean and the deviation over SUBSETS draws.

    Being unbiased, it may well be below 0 for two sets of one distribution.
    """
    rng = np.random.default_rng(seed)
    size = min(SUBSET, len(true), len(fake))
    values = [
        discrepancy(true[rng.choice(len(true), size, False)], fake[rng.choice(len(fake), size, False)])
        for _ in range(SUBSETS)
    ]
    return float(np.mean(values)), float(np.std(values))


def discrepancy(x, y):
    """The unbiased estimate from x (n, d) and y (m, d): an image is never compared with itself."""
    of_x, of_y, between = kernel(x, x), kernel(y, y), kernel(x, y)
    n, m = len(x), len(y)
    within = (of_x.sum() - np.trace(of_x)) / (n * (n - 1)) + (of_y.sum() - np.trace(of_y)) / (m * (m - 1))
    return within - 2 * between.mean()


def kernel(x, y):
    """(n, d), (m, d) -> (n, m)."""
    return (x.astype(np.float64) @ y.T.astype(np.float64) / x.shape[1] + 1) ** 3


def fid(true, fake):
    """|mean - mean|^2 + trace(S + T - 2 (S T)^(1/2)), S and T the covariances. Few images make it larger.

    With S = A'A and T = B'B of the centred features A (n, d) and B (m, d), the trace of (S T)^(1/2) is the
    sum of the singular values of A B', which has n x m numbers where a matrix root would need d x d.
    """
    means, roots = [], []
    for features in (true.astype(np.float64), fake.astype(np.float64)):
        means.append(features.mean(axis=0))
        roots.append((features - means[-1]) / np.sqrt(len(features) - 1))
    traces = sum(np.square(root).sum() for root in roots)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(np.square(means[0] - means[1]).sum() + traces - 2 * shared)


def collapse(true, fake):
    """Features -> spread and duplicates. A generator of one image has 0 and 1."""
    of_true, of_fake = distances(true), distances(fake)
    usual = of_true[np.isfinite(of_true)].mean()
    spread = of_fake[np.isfinite(of_fake)].mean() / usual
    return float(spread), float((of_fake.min(axis=1) < NEAR * usual).mean())


def distances(x):
    """(n, d) -> Euclidean distances (n, n); infinity on the diagonal."""
    x = x.astype(np.float64)
    squares = np.square(x).sum(axis=1)
    matrix = np.sqrt(np.maximum(squares[:, None] + squares - 2 * x @ x.T, 0))
    np.fill_diagonal(matrix, np.inf)
    return matrix

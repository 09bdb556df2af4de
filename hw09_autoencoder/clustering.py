"""Codes by a saved model; and from codes to two groups, without a label: by t-SNE, k-means, a graph's cut."""

import contextlib
import io
import re
import warnings

from scaffold import BadInput

import numpy as np
from model import in_batches, load_model
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from tqdm import tqdm

WHITENED = 32  # directions of a code that are kept, at most
SHARE = 0.99  # of the variance that they hold together; the rest is noise, and would be blown up
NEIGHBOURS = 10  # nearest training images, of one of them itself too: in the graph, or to vote on a group
STRENGTH = 0.1  # scikit-learn's C of the refined cut: the smaller, the nearer to 0 the weights are kept
PERPLEXITY = 30  # of t-SNE: about how many neighbours a point has


def encode(folder, train_codes, *sets):
    """The codes of sets of images, uint8 (n, 32, 32, 3), by the model.keras of a folder: float32 (n, d) each.

    train_codes: float32 (m, d), of its clusters.npz. Raises BadInput when these are of another model.
    """
    model = load_model(folder / "model.keras")
    if model.output_shape[0][1:] != train_codes.shape[1:]:
        raise BadInput(f"{folder / 'clusters.npz'} is of another model.keras; run train.py again.")
    return [in_batches(lambda x: model(x)[0], images) for images in sets]


def whitening(codes, size=WHITENED, share=SHARE):
    """The matrix (d, k) and offset (k,) after which the codes' first k principal directions have variance 1.

    codes: float32 (n, d). codes @ matrix + offset has mean 0 and covariance 1. k is the fewest directions
    that hold this share of the variance, and at most `size`.
    """
    mean = codes.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(np.cov(codes - mean, rowvar=False, ddof=0))
    variances, directions = variances[::-1], directions[:, ::-1]  # the widest first
    held = np.cumsum(variances) / np.sum(variances)
    kept = min(size, 1 + np.searchsorted(held, share), np.sum(variances > 1e-9 * variances[0]))
    matrix = directions[:, :kept] / np.sqrt(variances[:kept])
    return matrix.astype(np.float32), (-mean @ matrix).astype(np.float32)


def on_a_plane(codes, seed):
    """t-SNE: points float32 (n, 2), where near codes are near; far ones are just anywhere else.

    codes: float32 (n, d), n at least 2. Takes half a minute for 5,000 codes.
    """
    if codes.shape[1] == 1:  # whitening may leave one direction, and the points begin with two
        codes = np.pad(codes, ((0, 0), (0, 1)))
    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    with tqdm(total=1000, desc=f"t-SNE of {len(codes)} codes", ncols=80, disable=None) as bar:
        way = TSNE(2, perplexity=perplexity, init="pca", random_state=seed, verbose=2, max_iter=bar.total)
        with contextlib.redirect_stdout(Iterations(bar)):
            return way.fit_transform(codes)


class Iterations(io.StringIO):
    """In place of standard output: what scikit-learn's t-SNE prints of its iterations moves a bar."""

    def __init__(self, bar):
        super().__init__()
        self.bar = bar

    def write(self, text):
        if found := re.search(r"Iteration (\d+)", text):
            self.bar.update(int(found[1]) - self.bar.n)
        return len(text)


def k_means(points, seed):
    """k-means with two means, the best of 20 starts: float32 (n, d) -> int64 (n,), 0 or 1."""
    return KMeans(2, n_init=20, random_state=seed).fit_predict(points).astype(np.int64)


def normalised_cut(points, seed):
    """Cut the graph of nearest neighbours where few edges are in the way: float32 (n, d) -> int64 (n,).

    Each point is joined with its NEIGHBOURS nearest, itself among them. Of all cuts in two parts, 0 and 1,
    the one is sought whose cut edges are the smallest share of the edges of each part: the normalised cut of
    Shi and Malik 2000. The second eigenvector of the graph's normalised Laplacian says nearly which it is
    (von Luxburg 2007).
    """
    count = min(NEIGHBOURS, len(points) - 1)
    way = SpectralClustering(
        2, affinity="nearest_neighbors", n_neighbors=count, assign_labels="cluster_qr", random_state=seed
    )
    with warnings.catch_warnings():  # a graph of several pieces is cut between them
        warnings.filterwarnings("ignore", "Graph is not fully connected")
        return way.fit_predict(points).astype(np.int64)


def refined_cut(points, seed):
    """The cut, and a border that its sure points teach: float32 (n, d) -> int64 (n,), 0 or 1.

    The cut's border is ragged. A logistic regression learns the groups of the points whose NEIGHBOURS nearest
    others are all in their own group, and predicts those of all points: self-labelling, the last step of Van
    Gansbeke et al. 2020. Done again with its own answers it would drift: once is enough.
    """
    groups = normalised_cut(points, seed)
    count = min(NEIGHBOURS + 1, len(points))  # a point is the nearest to itself
    near = NearestNeighbors(n_neighbors=count).fit(points).kneighbors(points, return_distance=False)
    inner = (groups[near] == groups[:, None]).all(axis=1)
    if len(set(groups[inner])) < 2:
        return groups
    return LogisticRegression(C=STRENGTH, max_iter=300).fit(points[inner], groups[inner]).predict(points)


CLUSTERINGS = {"k-means": k_means, "cut": normalised_cut, "refined": refined_cut}


def part(args, codes, images):
    """Cluster the codes, float32 (n, d), of trainX: what goes into clusters.npz, a dict of arrays.

    codes : as they came, those of several networks side by side
    groups : int64 (n,), 0 the bluer one
    points : float32 (n, 2), by t-SNE, if --reduce tsne
    """
    arrays = {"codes": codes}
    if args.reduce == "tsne":
        arrays["points"] = on_a_plane(codes, args.seed)
    groups = CLUSTERINGS[args.clustering](arrays.get("points", codes), args.seed)
    return {**arrays, "groups": named(groups, images)}


def named(groups, images):
    """Turn the groups over if needed, so that 0 is that of the bluer images (blue less red, on average).

    groups: int64 (n,), images: uint8 (n, h, w, 3). A rule must say which group is called 0, and it must not
    look at labels.
    """
    blueness = images[..., 2].mean(axis=(1, 2)) - images[..., 0].mean(axis=(1, 2))
    if groups.min() == groups.max():
        return groups
    return groups if blueness[groups == 0].mean() >= blueness[groups == 1].mean() else 1 - groups


def of_neighbours(codes, train_codes, groups):
    """The group of most of a code's NEIGHBOURS nearest among the training images.

    codes: float32 (n, d), train_codes: (m, d), groups: int64 (m,). Returns int64 (n,). This is how any image
    gets its group, one of valX too: t-SNE has no point for an image that was not there.
    """
    count = min(NEIGHBOURS, len(train_codes))
    return KNeighborsClassifier(count).fit(train_codes, groups).predict(codes).astype(np.int64)


def accuracy(groups, labels):
    """The share that agrees, under the better of the two namings: 0.5 to 1. A clustering has no names."""
    share = float(np.mean(groups == labels))
    return max(share, 1 - share)


def member_seed(args, number):
    """The seed of an autoencoder: no two trainings of as many networks with other --seed share one."""
    return (args.seed * args.networks + number) % 2**31


def on_one_plane(shown):
    """{name: (codes, groups, what these are)} -> what plot_embedding() takes, by one t-SNE of all codes."""
    codes = [of for of, *_ in shown.values()]
    points = np.split(on_a_plane(np.concatenate(codes), seed=0), np.cumsum([len(of) for of in codes])[:-1])
    return {f"t-SNE, {name}": (of, *rest) for of, (name, (_, *rest)) in zip(points, shown.items())}

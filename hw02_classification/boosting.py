"""Gradient-boosted trees, grown by scikit-learn and kept as tables of numbers.

scikit-learn can keep a fitted model only as a pickle, which breaks with the next version and may run anything
when it is loaded. A boosted model is no more than a list of tables with one row a node, so it is kept as
that: model.npz needs NumPy alone, and whoever reads raw_scores() knows how a tree decides.

Follows Friedman 2001 and, for the histograms, Ke et al. 2017 (LightGBM).
"""

import os

import numpy as np
from tqdm import tqdm

BOOSTERS = 2  # grown apart, of which the mean log-odds count
CHUNK = 50  # trees between two ticks of the progress bar
# Threads that wait soon fall asleep: where others use the processor, spinning takes three times as long.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def grow(x, y, count, learning_rate, l2=0.0, seed=0):
    """Grow `count` trees on x (n, d), y (n,) of 0 and 1, each by every one of BOOSTERS.

    Returns a dict of arrays. A row of "feature", "threshold", "left", "right" and "value" is a node; "root"
    (count x BOOSTERS,) says where each tree begins; a leaf has left = right = itself; "baseline" () is the
    log-odds before the first tree.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # here: the NumPy methods start at once

    boosters = [
        HistGradientBoostingClassifier(
            learning_rate=learning_rate,
            l2_regularization=l2,
            max_leaf_nodes=63,
            max_features=0.1,  # of the columns, drawn anew at each split: trees that differ make a better sum
            early_stopping=False,
            warm_start=True,
            random_state=BOOSTERS * seed + number,
        )
        for number in range(BOOSTERS)
    ]
    with tqdm(total=count, desc="trees", ncols=80, disable=None) as bar:
        for grown in [*range(CHUNK, count, CHUNK), count]:
            for booster in boosters:
                booster.set_params(max_iter=grown).fit(x, y)
            bar.update(grown - bar.n)
    rounds = zip(*(booster._predictors for booster in boosters))
    tables = [trees[0].nodes for grown_together in rounds for trees in grown_together]
    root = np.cumsum([0, *map(len, tables)])
    nodes = np.concatenate(tables)
    tree = np.repeat(
        root[:-1], np.diff(root)
    )  # the root of each node's tree: children are counted from there
    leaf, itself = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
    return {
        "baseline": np.asarray(boosters[0]._baseline_prediction).reshape(()),
        "root": root[:-1],
        "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        "threshold": nodes["num_threshold"],
        "left": np.where(leaf, itself, tree + nodes["left"]),
        "right": np.where(leaf, itself, tree + nodes["right"]),
        "value": nodes["value"] / BOOSTERS,
    }


def raw_scores(trees, x):
    """Yield the log-odds (n,) of x (n, d) after each tree of every booster; all rows descend at once."""
    left, right = trees["left"], trees["right"]
    score = np.full(len(x), trees["baseline"])
    for number, root in enumerate(trees["root"], 1):
        node = np.full(len(x), root)
        walking = np.arange(len(x))  # the rows that are not on a leaf yet
        while len(walking):
            here = node[walking]
            goes_left = x[walking, trees["feature"][here]] <= trees["threshold"][here]
            there = np.where(goes_left, left[here], right[here])
            node[walking] = there
            walking = walking[left[there] != there]
        score = score + trees["value"][node]
        if number % BOOSTERS == 0:
            yield score

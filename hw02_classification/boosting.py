"""Gradient-boosted trees, grown by scikit-learn and kept as tables of numbers.

scikit-learn can keep a fitted model only as a pickle, which breaks with the next version and may run anything
when it is loaded. A boosted model is no more than a list of tables with one row a node, so it is kept as
that: model.npz needs NumPy alone, and whoever reads raw_scores() knows how a tree decides.

Follows Friedman 2001 and, for the histograms, Ke et al. 2017 (LightGBM).
"""

import numpy as np


def grow(x, y, iterations, learning_rate, l2=0.0, seed=0):
    """Grow one tree an iteration on x (n, d), y (n,) of 0 and 1.

    Returns a dict of arrays. A row of "feature", "threshold", "left", "right" and "value" is a node; "root"
    (trees,) says where each tree begins; a leaf has left = right = itself; "baseline" () is the log-odds
    before the first tree.
    """
    from sklearn.ensemble import (
        HistGradientBoostingClassifier,
    )  # here, so that the NumPy methods start at once

    booster = HistGradientBoostingClassifier(
        max_iter=iterations,
        learning_rate=learning_rate,
        l2_regularization=l2,
        max_leaf_nodes=63,
        max_features=0.1,  # of the columns, drawn anew at each split: trees that differ make a better sum
        early_stopping=False,
        random_state=seed,
    ).fit(x, y)
    tables = [trees[0].nodes for trees in booster._predictors]
    root = np.cumsum([0, *map(len, tables)])
    nodes = np.concatenate(tables)
    tree = np.repeat(
        root[:-1], np.diff(root)
    )  # the root of each node's tree: children are counted from there
    leaf, itself = nodes["is_leaf"].astype(bool), np.arange(len(nodes))
    return {
        "baseline": np.asarray(booster._baseline_prediction).reshape(()),
        "root": root[:-1],
        "feature": np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        "threshold": nodes["num_threshold"],
        "left": np.where(leaf, itself, tree + nodes["left"]),
        "right": np.where(leaf, itself, tree + nodes["right"]),
        "value": nodes["value"],
    }


def raw_scores(trees, x):
    """Yield the log-odds (n,) of x (n, d) after each tree; all rows walk down it at once, each to a leaf."""
    left, right = trees["left"], trees["right"]
    score = np.full(len(x), trees["baseline"])
    for root in trees["root"]:
        node = np.full(len(x), root)
        walking = np.arange(len(x))  # the rows that are not on a leaf yet
        while len(walking):
            here = node[walking]
            goes_left = x[walking, trees["feature"][here]] <= trees["threshold"][here]
            there = np.where(goes_left, left[here], right[here])
            node[walking] = there
            walking = walking[left[there] != there]
        score = score + trees["value"][node]
        yield score

"""XGBoost's trees as our own: read once, they forecast a row in microseconds, without the library's checks each call.

XGBoost sends a row to the first child where its value lies below the threshold, ours where it does not lie above: the
greatest number below the threshold, in single precision, makes both the same for every row.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from models.families.forest import Forest, Tree


def trees_of(booster: Any) -> tuple[list[Tree], float]:
    """Trees of a booster with one output, and the constant that their sum is added to."""
    told = json.loads(bytes(booster.save_raw("json")))["learner"]
    trees = []
    for tree in told["gradient_booster"]["model"]["trees"]:
        feature, split, left, value = breadth_first(tree)
        below = np.nextafter(split.astype(np.float32), np.float32(-np.inf), dtype=np.float32)
        threshold = np.where(feature >= 0, below, 0.0).astype(np.float32)
        trees.append(Tree(feature, threshold, left, value.astype(np.float32)[:, None]))
    return trees, float(str(told["learner_model_param"]["base_score"]).strip("[]").split(",")[0])


def forest_of(boosters: list[Any]) -> tuple[Forest, np.ndarray]:
    """Boosters of zones (None: no trees) as one forest, and their constants, shape (Z,)."""
    read = [([], 0.0) if booster is None else trees_of(booster) for booster in boosters]
    base = np.array([constant for _, constant in read], dtype=np.float32)
    return Forest.build([trees for trees, _ in read], per_zone=1, values=1), base


def breadth_first(tree: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A tree of XGBoost's JSON, its nodes in an order in which the second child follows the first.

    Returns
    -------
    ndarray of int, shape (nodes,)
        Feature tested, -1 at a leaf.
    ndarray, shape (nodes,)
        Threshold, 0 at a leaf.
    ndarray of int, shape (nodes,)
        First child, -1 at a leaf.
    ndarray, shape (nodes,)
        Value of a leaf, 0 elsewhere.
    """
    lefts, rights = tree["left_children"], tree["right_children"]
    order, place = [0], 0
    first: dict[int, int] = {}
    while place < len(order):
        node = order[place]
        if lefts[node] >= 0:
            first[node] = len(order)
            order += [lefts[node], rights[node]]
        place += 1
    inner = np.array([lefts[node] >= 0 for node in order])
    split = np.array([tree["split_conditions"][node] for node in order])
    feature = np.where(inner, [tree["split_indices"][node] for node in order], -1)
    left = np.array([first.get(node, -1) for node in order])
    return feature, np.where(inner, split, 0.0), left, np.where(inner, 0.0, split)

"""Bagged trees: the mean of many trees of one zone, each grown on its own draw of blocks of rows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.families.forest import ForestLearner, Tree
from models.families.forest_kernels import add_values
from models.families.growing import Grower, Growth, held_out_trust
from models.families.pairs import pairs_of
from models.rows import Rows


class BaggedTrees(ForestLearner):
    """Random forest or extra-trees on blocks of rows, after a ridge line.

    Blocks of consecutive rows are drawn with replacement (as neighbouring rows are nearly copies of each other, single
    rows would make all trees alike). The trees' mean is taken as far as it held on the rows that they had not seen.

    Parameters
    ----------
    trees, max_leaves, max_depth : int
    min_leaf : int
        Origins in a leaf.
    features : float
        Share of the features that each split chooses among.
    extra : bool
        One random cut a feature (extra-trees), not the best one.
    blocks : int
        Blocks that the rows are cut into.
    shrink : float
        Rows of its parent's forecast that each node is thought to hold besides.
    linear_first, max_bin, budget
        As in `BoostedTrees` and `DecisionTree`.

    References
    ----------
    Breiman (2001), doi:10.1023/A:1010933404324; Geurts, Ernst & Wehenkel (2006), doi:10.1007/s10994-006-6226-1;
    Kunsch (1989), doi:10.1214/aos/1176347265 (blocks)
    """

    family = "bagged_trees"
    rank = 6.0
    losses = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({
        "trees": 40, "max_leaves": 64, "max_depth": 12, "min_leaf": 20, "features": 0.4, "extra": True, "blocks": 32,
        "shrink": 5.0, "max_bin": 32, "budget": 8_000, "linear_first": True,
    })  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({
        "max_leaves": (16, 64, 256), "features": (0.2, 0.4), "extra": (True, False), "linear_first": (True, False),
    })  # fmt: skip

    def _grow(self, rows: Rows, rest: np.ndarray) -> list[list[Tree]]:
        wanted, horizons = self.settings, rest.shape[2]
        pairs = pairs_of(rows, rest, 0, wanted["budget"])
        if pairs.size == 0:
            return [[]]
        growth = Growth(
            max_leaves=wanted["max_leaves"], max_depth=wanted["max_depth"],
            min_leaf=max(2, round(wanted["min_leaf"] * horizons * pairs.share)), max_bin=wanted["max_bin"],
            shrink=wanted["shrink"],
        )  # fmt: skip
        grower = Grower(pairs, horizons, growth, self.seed)
        tries = max(1, round(wanted["features"] * rows.width))
        rng = np.random.default_rng(self.seed)
        block = pairs.origin * wanted["blocks"] // (int(pairs.origin[-1]) + 1)
        first = np.searchsorted(block, np.arange(wanted["blocks"] + 1))
        grown, added, times = [], np.zeros(pairs.size), np.zeros(pairs.size)
        for _ in range(wanted["trees"]):
            drawn = np.sort(rng.integers(wanted["blocks"], size=wanted["blocks"]))
            order = np.concatenate([np.arange(first[k], first[k + 1]) for k in drawn])
            if order.size == 0:
                continue
            tree = grower.tree(order, leaves=wanted["max_leaves"], tries=tries, extra=wanted["extra"])
            out = np.flatnonzero(~np.isin(block, drawn))
            add_values(grower.bins, pairs.horizon, out, tree.feature, tree.cut, tree.left, tree.value, added)
            times[out] += 1
            grown.append(tree)
        trust = held_out_trust(pairs.y, added / np.maximum(times, 1), pairs.horizon, horizons)
        return [[grower.finished(tree, trust / len(grown)) for tree in grown]]

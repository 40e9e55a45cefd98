"""A small decision tree for each zone, whose leaves hold a forecast for every horizon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.errors import SettingsError
from models.families.first_line import FirstLine
from models.families.forest import ForestLearner, Tree
from models.families.growing import Grower, Growth
from models.families.pairs import pairs_of
from models.rows import Rows


@dataclass(frozen=True)
class Decision:
    """One question on the way to a leaf.

    Attributes
    ----------
    feature : str
        By `Layout.names`.
    threshold, value : float
        In the feature's own scale.
    above : bool
        Whether the value lies above the threshold.
    before, after : float
        Mean of the node that asks and of the one that the answer leads to.
    """

    feature: str
    threshold: float
    value: float
    above: bool
    before: float
    after: float


@dataclass(frozen=True)
class Rule:
    """One leaf: all conditions that lead there, and what is forecast then.

    Attributes
    ----------
    conditions : tuple of (str, float or None, float or None)
        Feature, above what, at most what (None: unlimited); one entry a feature.
    forecast : tuple of float, length S
    """

    conditions: tuple[tuple[str, float | None, float | None], ...]
    forecast: tuple[float, ...]


class DecisionTree(ForestLearner):
    """Regression tree (CART), cut back to the size that blocked validation chooses.

    Parameters
    ----------
    max_leaves, max_depth : int
        Limits of its size; the leaves are chosen from 1 to `max_leaves`.
    min_leaf : int
        Pairs of origin and horizon in a leaf, for each horizon that there is.
    max_bin : int
        Bins of a feature.
    shrink : float
        Rows of its parent's forecast that each node is thought to hold besides (hierarchical shrinkage).
    loss : {"squared", "absolute"}
        Leaves hold means or medians.
    folds : int
        Blocks of consecutive rows left out in turn to choose the size, and how far each horizon trusts the tree; 0
        takes `max_leaves` and the leaves' forecasts as they are.
    standard_errors : float
        The smallest tree within so many standard errors of the best is taken.
    budget : int
        Pairs of origin and horizon it learns from, evenly thinned.
    first_line : {"none", "own", "all"}
        What the tree corrects: nothing (then leaves hold forecasts), a ridge line on the zone's own last readings
        (damped persistence), or one on all features.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees; Agarwal et al. (2022), Hierarchical
    Shrinkage (ICML, arXiv:2202.00858).
    """

    family = "tree"
    rank = 2.0
    losses = ("absolute", "squared")
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({
        "max_leaves": 32, "max_depth": 8, "min_leaf": 15, "max_bin": 64, "shrink": 10.0, "loss": "absolute", "folds": 5,
        "standard_errors": 0.5, "budget": 20_000, "first_line": "own",
    })  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({
        "max_leaves": (8, 16, 32, 64), "min_leaf": (30, 15), "loss": ("squared", "absolute"),
        "first_line": ("own", "none", "all"),
    })  # fmt: skip

    def _first_line(self, rows: Rows, y: np.ndarray) -> FirstLine | None:
        kind = self.settings["first_line"]
        if kind not in ("none", "own", "all"):
            raise SettingsError(f"first_line={kind!r} of {self.family}: allowed are none, own, all")
        return None if kind == "none" else FirstLine.fit(rows, y, own=kind == "own")

    def _grow(self, rows: Rows, rest: np.ndarray) -> list[list[Tree]]:
        wanted, horizons = self.settings, rest.shape[2]
        pairs = pairs_of(rows, rest, 0, wanted["budget"])
        if pairs.size == 0:
            return [[]]
        growth = Growth(
            max_leaves=wanted["max_leaves"], max_depth=wanted["max_depth"],
            min_leaf=max(1, round(wanted["min_leaf"] * horizons * pairs.share)), max_bin=wanted["max_bin"],
            shrink=wanted["shrink"], median=wanted["loss"] == "absolute",
        )  # fmt: skip
        grower = Grower(pairs, horizons, growth, self.seed)
        leaves, trust = growth.max_leaves, np.ones(horizons)
        if wanted["folds"]:
            leaves, trust = grower.validated(wanted["folds"], wanted["standard_errors"])
        return [[grower.finished(grower.tree(np.arange(pairs.size), leaves=leaves), trust)]]

    def path(self, rows: Rows, place: int, horizon: int = 0) -> list[Decision]:
        """Questions that lead to one forecast, from the root down.

        Parameters
        ----------
        rows : Rows
            One origin and one zone.
        place : int
            Place of the zone among those fitted on.
        horizon : int
            Place in `rows.layout.steps`.
        """
        tree, mine = self._tree(place), int(self.horizon_places(rows)[horizon])
        x, node, found = rows.at(horizon)[0, 0], 0, []
        while tree is not None and tree.feature[node] >= 0:
            feature, threshold = int(tree.feature[node]), tree.threshold[node]
            above = bool(x[feature] > threshold)
            child = int(tree.left[node]) + above
            before, after = float(tree.value[node, mine]), float(tree.value[child, mine])
            name = rows.layout.names[feature]
            found.append(Decision(name, float(threshold), float(x[feature]), above, before, after))
            node = child
        return found

    def rules(self, place: int) -> list[Rule]:
        """All leaves of a zone's tree, from low answers to high ones; a zone without data has no rule."""
        assert self.layout is not None
        tree, names, found = self._tree(place), self.layout.names, []
        if tree is None:
            return []
        open_nodes: list[tuple[int, dict[int, tuple[float | None, float | None]]]] = [(0, {})]
        while open_nodes:
            node, box = open_nodes.pop()
            feature = int(tree.feature[node])
            if feature < 0:
                conditions = tuple((names[f], low, high) for f, (low, high) in box.items())
                found.append(Rule(conditions, tuple(float(v) for v in tree.value[node])))
                continue
            low, high = box.get(feature, (None, None))
            threshold, child = float(tree.threshold[node]), int(tree.left[node])
            open_nodes.append((child + 1, {**box, feature: (threshold, high)}))
            open_nodes.append((child, {**box, feature: (low, threshold)}))
        return found

    def _tree(self, place: int) -> Tree | None:
        assert self.forest is not None
        return next(iter(self.forest.trees_of(place)), None)

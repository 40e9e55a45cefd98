"""A model tree for each zone: a ridge line, and a shallow tree whose leaves bend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.families.first_line import FirstLine
from models.families.forest import thresholds
from models.families.growing import validated_size
from models.families.model_tree_kernels import grow_lines, leaf_forecast, line_forecasts_by_size, node_lines
from models.families.pairs import Pairs, binned, pairs_of
from models.learner import Learner, State
from models.rows import Rows


class ModelTree(Learner):
    """Two to six leaves with a line in each, where blocked validation says that one line is not enough.

    The root is a ridge line on all features, one a horizon. A split is the one after which two lines (on the few
    features that move the root's line most) leave least over; a leaf's line is the root's, its slopes on those few
    features changed by a ridge line on what is left over, and drawn to its parent's (as M5 smooths).

    Parameters
    ----------
    max_leaves : int
        The leaves are chosen from 1 to it.
    min_leaf : int
        Origins in a leaf.
    line_features : int
        Features whose slopes a leaf may change.
    leaf_ridge : float
        Rows that hold back each change of a slope.
    smooth : float
        Rows of its parent's line that each node is thought to hold besides (M5 takes 15).
    max_bin, folds, standard_errors, budget
        As in `DecisionTree`.

    References
    ----------
    Quinlan (1992), Learning with Continuous Classes (5th Australian Joint Conference on AI, 343-348); Wang & Witten
    (1997), Inducing Model Trees for Continuous Classes (ECML).
    """

    family = "model_tree"
    rank = 3.0
    losses = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({
        "max_leaves": 6, "min_leaf": 60, "line_features": 4, "leaf_ridge": 100.0, "smooth": 30.0,
        "max_bin": 16, "folds": 4, "standard_errors": 0.5, "budget": 8_000,
    })  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({
        "max_leaves": (2, 4, 6), "line_features": (2, 4, 8), "leaf_ridge": (100.0, 30.0),
    })  # fmt: skip

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        self.line: FirstLine | None = None
        self.feature = np.zeros(0, dtype=np.int16)  # (nodes,) of all zones' trees, as in `forest.Forest`
        self.threshold = np.zeros(0, dtype=np.float32)
        self.left = np.zeros(0, dtype=np.int16)
        self.tree = np.zeros(1, dtype=np.int64)  # (Z + 1,) first node of each zone
        self.lines = np.zeros((0, 0, 0), dtype=np.float32)  # (nodes, S, k + 1) changes of the root's line
        self.chosen = np.zeros((0, 0), dtype=np.int64)  # (Z, k) features of the leaves' lines

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """As the contract says; zone by zone."""
        self.layout = rows.layout
        zones, horizons = rows.shape[1:]
        self.line = FirstLine.fit(rows, y)
        k = min(int(self.settings["line_features"]), rows.width)
        self.chosen = np.zeros((zones, k), dtype=np.int64)
        grown = []
        for z in range(zones):
            place = np.array([z])
            mine = rows.pick(place)
            rest = y[:, place] - self.line.predict(mine, place)
            pairs = pairs_of(mine, rest, 0, self.settings["budget"])
            if pairs.size == 0:
                grown.append(_Lines.none(horizons, k))
                continue
            slopes = np.array([self.line.line(z, s)[:-1] for s in range(horizons)])
            strength = np.abs(slopes).mean(axis=0) * pairs.x.std(axis=0)
            self.chosen[z] = np.sort(np.argsort(-strength, kind="stable")[:k])
            grown.append(self._grow(pairs, self.chosen[z], horizons))
        self._join(grown)
        return self

    def _grow(self, pairs: Pairs, chosen: np.ndarray, horizons: int) -> _Lines:
        wanted = self.settings
        bins, edges, used = binned(pairs.x, wanted["max_bin"])
        lines_x = np.column_stack([pairs.x[:, chosen], np.ones(pairs.size, dtype=np.float32)])
        error = np.ones(horizons)
        for s in range(horizons):
            mine = pairs.y[pairs.horizon == s]
            error[s] = max(float(np.sqrt((mine.astype(float) ** 2).mean())), 1e-6) if mine.size else 1.0
        y = pairs.y / error[pairs.horizon]  # so that near and far horizons count alike
        min_leaf = max(2 * lines_x.shape[1], round(wanted["min_leaf"] * horizons * pairs.share))

        def grow(order: np.ndarray, leaves: int) -> tuple[np.ndarray, ...]:
            tables = [np.empty(2 * leaves - 1, dtype=np.int64) for _ in range(6)]
            nodes = grow_lines(
                bins, lines_x, y, order, used, wanted["max_bin"], leaves, min_leaf, wanted["leaf_ridge"], *tables
            )
            feature, cut, left, start, stop, rank = (table[:nodes] for table in tables)
            lines = node_lines(
                lines_x, y, pairs.horizon, horizons, order, left, start, stop, wanted["leaf_ridge"], wanted["smooth"]
            )
            return feature, cut, left, rank, lines

        def held_out(out: np.ndarray, known: np.ndarray) -> np.ndarray:
            feature, cut, left, rank, lines = grow(known, wanted["max_leaves"])
            found: np.ndarray = line_forecasts_by_size(
                bins, lines_x, pairs.horizon, out, feature, cut, left, rank, lines, wanted["max_leaves"]
            )
            return found

        leaves, trust = int(wanted["max_leaves"]), np.ones(horizons)
        if leaves > 1 and wanted["folds"] > 1:
            leaves, trust = validated_size(
                replace(pairs, y=y), horizons, held_out, wanted["folds"], wanted["standard_errors"], absolute=False
            )
        feature, cut, left, _, lines = grow(np.arange(pairs.size), leaves)
        return _Lines(feature, thresholds(feature, cut, edges), left, lines * (trust * error)[:, None])

    def _join(self, grown: list[_Lines]) -> None:
        self.feature = np.concatenate([g.feature for g in grown]).astype(np.int16)
        self.threshold = np.concatenate([g.threshold for g in grown]).astype(np.float32)
        self.left = np.concatenate([g.left for g in grown]).astype(np.int16)
        self.lines = np.concatenate([g.lines for g in grown]).astype(np.float32)
        self.tree = np.cumsum([0, *(g.feature.size for g in grown)], dtype=np.int64)

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """As the contract says."""
        places = np.arange(self.tree.size - 1) if places is None else np.asarray(places, dtype=np.int64)
        assert self.line is not None
        held, horizons = self.line.held(rows, places), self.horizon_places(rows)
        bent = leaf_forecast(
            held.common, held.ahead, places, horizons, self.feature, self.threshold, self.left, self.tree, self.lines,
            self.chosen,
        )  # fmt: skip
        return self.line.predict(rows, places) + bent

    def leaf(self, x: np.ndarray, place: int) -> int:
        """Leaf that a row of features (`Rows.at`) leads to in a zone's tree: 0 is the root; -1 without a tree."""
        root, end = self.tree[place], self.tree[place + 1]
        if root == end:
            return -1
        node = 0
        while (feature := self.feature[root + node]) >= 0:
            node = int(self.left[root + node]) + int(x[feature] > self.threshold[root + node])
        return node

    def leaf_line(self, place: int, leaf: int, horizon: int) -> np.ndarray:
        """Line of a leaf, shape (F1 + F2 + 1,): by `Layout.names`, the constant last; `horizon` as fitted on."""
        assert self.line is not None
        line = self.line.line(place, horizon)
        if leaf >= 0:
            change = self.lines[self.tree[place] + leaf, horizon]
            line[self.chosen[place]] += change[:-1]
            line[-1] += change[-1]
        return line

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """Terms of the leaf's line."""
        assert self.line is not None
        x = self.line.held(rows, np.array([place])).at(horizon)[0, 0]
        mine = int(self.horizon_places(rows)[horizon])
        return np.append(x, 1.0) * self.leaf_line(place, self.leaf(x, place), mine)

    def leaves(self) -> np.ndarray:
        """Leaves of each zone's tree, shape (Z,)."""
        return np.array([int((self.feature[a:b] < 0).sum()) for a, b in zip(self.tree, self.tree[1:])])

    def pick(self, places: np.ndarray) -> Self:
        """As the contract says."""
        part = type(self)(seed=self.seed, **self.settings)
        assert self.line is not None
        part.layout, part.line, part.chosen = self.layout, self.line.pick(places), self.chosen[places]
        spans = [slice(self.tree[place], self.tree[place + 1]) for place in places]
        part._join([_Lines(self.feature[s], self.threshold[s], self.left[s], self.lines[s]) for s in spans])
        return part

    def n_parameters(self) -> int:
        """As the contract says: the root's lines, splits, and the changes in the leaves of trees that split."""
        inner = self.feature >= 0
        split = np.repeat(self.leaves() > 1, np.diff(self.tree))
        changes = int((~inner & split).sum()) * int(np.prod(self.lines.shape[1:]))
        assert self.line is not None
        return self.line.n_parameters() + 2 * int(inner.sum()) + changes

    def state(self) -> State:
        """As the contract says."""
        assert self.line is not None
        meta, arrays, _ = self.line.state()
        return meta, arrays | {name: getattr(self, name) for name in _STORED}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """As the contract says."""
        self.line = FirstLine.restored(meta, arrays, self.layout)
        for name in _STORED:
            setattr(self, name, arrays[name])


_STORED = ("feature", "threshold", "left", "tree", "lines", "chosen")


@dataclass(frozen=True, eq=False)
class _Lines:
    """One zone's tree: feature, threshold, first child (nodes,) and changes of the root's line (nodes, S, k + 1)."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    lines: np.ndarray

    @classmethod
    def none(cls, horizons: int, k: int) -> _Lines:
        """No tree."""
        empty = np.zeros(0)
        return cls(empty, empty, empty, np.zeros((0, horizons, k + 1)))

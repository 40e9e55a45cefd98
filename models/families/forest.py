"""Forests: the trees of many zones in a few flat arrays, and the learner that all families of trees are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from models.families.first_line import FirstLine
from models.families.forest_kernels import forest_forecast, forest_shares
from models.learner import Learner, State
from models.rows import Rows


@dataclass(frozen=True, eq=False)
class Tree:
    """One tree; parents precede their children.

    Attributes
    ----------
    feature : ndarray of int, shape (nodes,)
        Feature tested (a place in `Layout.names`), -1 at a leaf.
    threshold : ndarray of float32, shape (nodes,)
        Values above it go to the second child.
    left : ndarray of int, shape (nodes,)
        First child; the second follows it.
    value : ndarray of float32, shape (nodes, V)
        One for all horizons, or one a horizon; inner nodes have theirs too.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    value: np.ndarray

    @classmethod
    def constant(cls, value: np.ndarray) -> Tree:
        """A root alone."""
        none = np.full(1, -1)
        return cls(none, np.zeros(1, np.float32), none, np.atleast_2d(np.asarray(value, dtype=np.float32)))

    @classmethod
    def cut(cls, feature: np.ndarray, cut: np.ndarray, left: np.ndarray, value: np.ndarray, edges: np.ndarray) -> Tree:
        """From cuts between bins (`edges`, shape (F, max_bin - 1))."""
        value = value.reshape(feature.size, -1).astype(np.float32)
        return cls(feature, thresholds(feature, cut, edges), left, value)


def thresholds(feature: np.ndarray, cut: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Threshold of each node, float32: the upper edge of its last bin below (see `pairs.binned`), 0 at a leaf."""
    inner = feature >= 0
    return np.where(inner, edges[np.maximum(feature, 0), np.where(inner, cut, 0)], 0.0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Forest:
    """Sums of trees, one for each zone (`per_zone` 1) or for each zone and horizon (`per_zone` S).

    Attributes
    ----------
    per_zone : int
    feature, threshold, left : ndarray, shape (nodes,)
        As in `Tree`, all trees behind one another.
    value : ndarray of float32, shape (nodes, V)
    tree : ndarray of int, shape (trees + 1,)
        First node of each tree.
    owner : ndarray of int, shape (Z * per_zone + 1,)
        First tree of each zone (and horizon).
    """

    per_zone: int
    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    value: np.ndarray
    tree: np.ndarray
    owner: np.ndarray

    @classmethod
    def build(cls, owners: Sequence[Sequence[Tree]], *, per_zone: int, values: int) -> Forest:
        """From the trees of each zone (and horizon), in order; an owner without trees forecasts 0."""
        trees = [tree for mine in owners for tree in mine]

        def joined(name: str, dtype: type, shape: tuple[int, ...] = (0,)) -> np.ndarray:
            return np.concatenate([np.zeros(shape, dtype), *(getattr(tree, name) for tree in trees)]).astype(dtype)

        return cls(
            per_zone,
            joined("feature", np.int16),
            joined("threshold", np.float32),
            joined("left", np.int16),
            joined("value", np.float32, (0, values)),
            np.cumsum([0, *(tree.feature.size for tree in trees)], dtype=np.int64),
            np.cumsum([0, *(len(mine) for mine in owners)], dtype=np.int64),
        )

    @property
    def zones(self) -> int:
        """How many zones it serves."""
        return (self.owner.size - 1) // self.per_zone

    def predict(self, rows: Rows, places: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        """Sums of the trees, shape (n, Z, S), for zones and horizons at these places."""
        found: np.ndarray = forest_forecast(
            rows.common, rows.ahead, places, horizons, self.per_zone, self.feature, self.threshold, self.left,
            self.value, self.tree, self.owner,
        )  # fmt: skip
        return found

    def shares(self, x: np.ndarray, place: int, horizon: int) -> np.ndarray:
        """What the splits on each feature add, shape (F + 1,), the mean last (Saabas 2014, treeinterpreter)."""
        mine = place * self.per_zone + (0 if self.per_zone == 1 else horizon)
        column = horizon if self.per_zone == 1 else 0
        found: np.ndarray = forest_shares(
            x, column, self.owner[mine], self.owner[mine + 1], self.feature, self.threshold, self.left, self.value,
            self.tree,
        )  # fmt: skip
        return found

    def trees_of(self, owner: int) -> list[Tree]:
        """Trees of one zone (and horizon)."""
        found = []
        for t in range(self.owner[owner], self.owner[owner + 1]):
            part = slice(self.tree[t], self.tree[t + 1])
            found.append(Tree(self.feature[part], self.threshold[part], self.left[part], self.value[part]))
        return found

    def pick(self, places: np.ndarray) -> Forest:
        """The trees of some zones."""
        owners = (np.asarray(places)[:, None] * self.per_zone + np.arange(self.per_zone)).ravel()
        trees = [self.trees_of(int(owner)) for owner in owners]
        return Forest.build(trees, per_zone=self.per_zone, values=self.value.shape[1])

    def n_parameters(self) -> int:
        """Feature and threshold of each split, values of each leaf."""
        leaves = int((self.feature < 0).sum())
        return 2 * (self.feature.size - leaves) + leaves * self.value.shape[1]

    def arrays(self) -> dict[str, np.ndarray]:
        """What `Forest(per_zone, **arrays)` takes."""
        return {name: getattr(self, name) for name in ("feature", "threshold", "left", "value", "tree", "owner")}


class ForestLearner(Learner):
    """Trees of each zone's own, after a ridge line where `linear_first` is set."""

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        self.forest: Forest | None = None
        self.line: FirstLine | None = None

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """As the contract says; zone by zone, so that memory does not grow with their number."""
        self.layout = rows.layout
        _, zones, horizons = rows.shape
        self.line = self._first_line(rows, y)
        owners: list[list[Tree]] = []
        for z in range(zones):
            place = np.array([z])
            rest = y[:, place]
            if self.line is not None:
                rest = rest - self.line.predict(rows.pick(place), place)
            owners += self._grow(rows.pick(place), rest)
        per_zone = len(owners) // max(zones, 1) or 1
        self.forest = Forest.build(owners, per_zone=per_zone, values=horizons if per_zone == 1 else 1)
        return self

    def _first_line(self, rows: Rows, y: np.ndarray) -> FirstLine | None:
        return FirstLine.fit(rows, y) if self.settings["linear_first"] else None

    @abstractmethod
    def _grow(self, rows: Rows, rest: np.ndarray) -> list[list[Tree]]:
        """Trees of one zone: a list of them with a value a horizon, or a list for each horizon."""

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """As the contract says."""
        assert self.forest is not None
        places = np.arange(self.forest.zones) if places is None else np.asarray(places, dtype=np.int64)
        out = self.forest.predict(rows, places, self.horizon_places(rows))
        return out if self.line is None else out + self.line.predict(rows, places)

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """The line's terms and the change of the trees' values from node to node."""
        assert self.forest is not None
        mine = int(self.horizon_places(rows)[horizon])
        x = np.ascontiguousarray(rows.at(horizon)[0, 0], dtype=np.float32)
        out = self.forest.shares(x, place, mine)
        return out if self.line is None else out + self.line.shares(rows, horizon, place)

    def pick(self, places: np.ndarray) -> Self:
        """As the contract says."""
        assert self.forest is not None
        part = type(self)(seed=self.seed, **self.settings)
        part.layout, part.forest = self.layout, self.forest.pick(places)
        part.line = None if self.line is None else self.line.pick(places)
        return part

    def n_parameters(self) -> int:
        """As the contract says."""
        assert self.forest is not None
        return self.forest.n_parameters() + (0 if self.line is None else self.line.n_parameters())

    def state(self) -> State:
        """As the contract says."""
        assert self.forest is not None
        meta, arrays, _ = ({}, {}, {}) if self.line is None else self.line.state()
        return {**meta, "per_zone": self.forest.per_zone}, {**arrays, **self.forest.arrays()}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """As the contract says."""
        self.line = FirstLine.restored(meta, arrays, self.layout)
        trees = {name: value for name, value in arrays.items() if not name.startswith("line_")}
        self.forest = Forest(int(meta["per_zone"]), **trees)

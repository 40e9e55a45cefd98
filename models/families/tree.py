"""A decision tree with rules in words: how the share of today's deviation that usually lasts is corrected.

The forecast of each horizon is what usually lasts of the present deviation and of the last day's mean (two shares a
horizon), plus what the leaf adds. One tree serves all horizons: a leaf holds a correction for each.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.design import Design
from models.families.learned import LearnedForecaster
from models.features import Rows
from models.panel import Panel

MAX_LEAVES = 24
MIN_LEAF = 40  # rows, about ten hours of a 15-minute panel
MAX_DEPTH = 6
_SPLIT_ROWS = 4000  # rows that splits are searched on; leaf values take all rows


class TreeForecaster(LearnedForecaster):
    """Persistence by horizon, corrected by one regression tree.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees.
    """

    family = "tree"
    n_parts = 2

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self.lasting = np.zeros((0, 2))  # (S, 2) shares of the last reading and the last day's mean that last
        self.feature = np.zeros(0, dtype=np.int64)  # (nodes,) feature tested, -1 at a leaf
        self.threshold = np.zeros(0)
        self.children = np.zeros((0, 2), dtype=np.int64)  # at most the threshold; above it
        self.value = np.zeros((0, 0))  # (nodes, S) mean correction
        self.rows_seen = np.zeros(0, dtype=np.int64)  # (nodes,) training rows

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "max_leaves": MAX_LEAVES, "min_leaf": MIN_LEAF, "leaves": self.leaves}

    @property
    def leaves(self) -> int:
        """Number of leaves."""
        return int((self.feature < 0).sum())

    def _learn_rows(self, design: Design) -> None:
        from sklearn.tree import DecisionTreeRegressor

        rows, outcome = design.rows, design.outcome
        n, zones, horizons = outcome.shape
        y = outcome.reshape(n * zones, horizons)
        self.lasting = design.lasting
        rest = _fill(y - rows.mood.reshape(n * zones, 2) @ self.lasting.T, design.steps)
        spread = np.sqrt(np.maximum((rest**2).mean(axis=0), 1e-12))
        x = self._inputs(rows)
        some = slice(None, None, max(1, x.shape[0] // _SPLIT_ROWS))
        tree = DecisionTreeRegressor(
            max_leaf_nodes=MAX_LEAVES, min_samples_leaf=MIN_LEAF, max_depth=MAX_DEPTH, random_state=self.seed
        )
        fitted = tree.fit(x[some], (rest / spread)[some]).tree_
        self.feature = np.where(fitted.children_left < 0, -1, fitted.feature).astype(np.int64)
        self.threshold = fitted.threshold.astype(float)
        self.children = np.column_stack([fitted.children_left, fitted.children_right]).astype(np.int64)
        path = fitted.decision_path(x)
        self.rows_seen = np.asarray(path.sum(axis=0)).ravel().astype(np.int64)
        # a leaf's mean leans on 0 as if MIN_LEAF rows of "no correction" were in it: few rows, small correction
        self.value = (path.T @ rest) / (self.rows_seen + MIN_LEAF)[:, None]

    def _inputs(self, rows: Rows) -> np.ndarray:
        """Features of a tree, shape (n * Z, F), float32: the common ones and the clock of the very next interval."""
        n, zones, width = rows.common.shape
        clock = rows.ahead[:, :, 0, 3:8]
        return np.concatenate([rows.common, clock], axis=2).reshape(n * zones, width + 5).astype(np.float32)

    def input_names(self) -> tuple[str, ...]:
        """Names of the tree's features."""
        assert self.featuriser is not None
        names = self.featuriser.names
        ahead = len(names) - 11
        return (*names[:ahead], *names[ahead + 3 : ahead + 8])

    def leaf(self, x: np.ndarray) -> np.ndarray:
        """Leaf of each row of features, shape (n,)."""
        node = np.zeros(x.shape[0], dtype=np.int64)
        for _ in range(MAX_DEPTH):
            feature = self.feature[node]
            inner = feature >= 0
            right = x[np.arange(node.size), np.maximum(feature, 0)] > self.threshold[node]
            node = np.where(inner, self.children[node, right.astype(np.int64)], node)
        return node

    def _parts(self, panel, known, places, steps, bench=None):  # type: ignore[no-untyped-def]
        """As the contract says; the clock of the very next interval is always among the features."""
        assert self.featuriser is not None and self.profile is not None
        horizons = np.array([self.anchors.index(step) for step in steps])
        if bench is not None and tuple(steps) == self.anchors:
            rows = bench.validation_rows(self._design_end, known)
        else:
            rows = self.featuriser.rows(panel, known, (1,), places)
        return self._predict(rows, places, horizons) * self.profile.scale[places][:, None]

    def _predict(self, rows: Rows, places: np.ndarray, horizons: np.ndarray) -> np.ndarray:
        n, zones, _ = rows.common.shape
        added = self.value[self.leaf(self._inputs(rows))][:, horizons].reshape(n, zones, horizons.size)
        return np.stack([rows.mood @ self.lasting[horizons].T, added])

    def _n_parameters(self) -> int:
        assert self.profile is not None
        inner = int((self.feature >= 0).sum())
        return 2 * inner + self.leaves * self.value.shape[1] + self.lasting.size + self.profile.mean.size

    def path(self, x: np.ndarray) -> list[tuple[int, str, float, bool]]:
        """Decisions of one row of features: node, feature, threshold, whether the value lay above."""
        names, node, found = self.input_names(), 0, []
        while self.feature[node] >= 0:
            above = bool(x[self.feature[node]] > self.threshold[node])
            found.append((node, names[self.feature[node]], float(self.threshold[node]), above))
            node = int(self.children[node, int(above)])
        return found

    def _contributions(
        self, panel: Panel, known: np.ndarray, place: int, anchor: int
    ) -> list[tuple[str, float, float]]:
        """Each decision adds the change of the mean correction from node to node (Saabas, 2014)."""
        assert self.featuriser is not None and self.profile is not None
        rows = self.featuriser.rows(panel, known, (1,), np.array([place]))
        horizon = self.anchors.index(anchor)
        lasts, scale = self.profile.scale[place] * self.trust[:, horizon]
        x = self._inputs(rows)[0]
        now, day = rows.mood[0, 0]
        share_now, share_day = self.lasting[horizon]
        found = [
            ("intercept", 1.0, float(self.value[0, horizon]) * scale),
            ("own_lag_0", float(now), float(now * share_now * lasts)),
            ("own_mean_24h", float(day), float(day * share_day * lasts)),
        ]
        nodes = [node for node, *_ in self.path(x)] + [int(self.leaf(x[None])[0])]
        for (node, name, _, _), after in zip(self.path(x), nodes[1:]):
            change = float(self.value[after, horizon] - self.value[node, horizon]) * scale
            found.append((name, float(x[self.feature[node]]), change))
        return found

    def _state(self) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]:
        meta, arrays, blobs = super()._state()
        return meta, arrays | {f"tree_{key}": getattr(self, key) for key in _STORED}, blobs

    def _restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        super()._restore(meta, arrays, blobs)
        for key in _STORED:
            setattr(self, key, arrays[f"tree_{key}"])


_STORED = ("lasting", "feature", "threshold", "children", "value", "rows_seen")


def _fill(rest: np.ndarray, steps: tuple[int, ...]) -> np.ndarray:
    """Missing horizons of a row take the value of the nearest horizon that is known, or 0."""
    heard = np.isfinite(rest)
    order = np.argsort(np.abs(np.subtract.outer(np.log(steps), np.log(steps))), axis=1, kind="stable")
    out = np.where(heard, rest, 0.0)
    for s in range(rest.shape[1]):
        open_rows = np.flatnonzero(~heard[:, s])
        if open_rows.size:
            known = heard[open_rows][:, order[s]]
            first = order[s][np.argmax(known, axis=1)]
            out[open_rows, s] = np.where(known.any(axis=1), np.where(heard, rest, 0.0)[open_rows, first], 0.0)
    return out

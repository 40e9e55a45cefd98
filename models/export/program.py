"""Program: what a micromodel computes from one row of features, as a sum of simple parts.

Every exportable family comes down to these parts (see `families`); each exporter writes the parts in its own language,
and `Program.deviation` is what they are checked against. Single precision throughout.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from models.errors import HorizonError


class Part(ABC):
    """One summand of the forecast deviation of S horizons, from rows of F features."""

    @abstractmethod
    def value(self, x: np.ndarray) -> np.ndarray:
        """Shape (n, S) from features by horizon, (n, S, F)."""

    @abstractmethod
    def used(self) -> np.ndarray:
        """Which features count, bool, shape (F,)."""

    @abstractmethod
    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Part:
        """The same on some features (places, all that are used among them) and for some horizons."""

    @abstractmethod
    def operations(self) -> int:
        """Multiplications, additions, comparisons and exponentials of one forecast of all horizons, at most."""


@dataclass(frozen=True, eq=False)
class Range:
    """Least and greatest value that each feature is held to, shape (S, F); infinite where it is not held."""

    low: np.ndarray
    high: np.ndarray

    def held(self, x: np.ndarray) -> np.ndarray:
        """Features held within the range."""
        return np.minimum(np.maximum(x, self.low), self.high)

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Range:
        """Of some features and horizons."""
        return Range(self.low[horizons][:, keep], self.high[horizons][:, keep])


@dataclass(frozen=True, eq=False)
class Lines(Part):
    """A constant (S,) and weights (S, F) on features held within a range."""

    weight: np.ndarray
    constant: np.ndarray
    range: Range

    def value(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(np.einsum("nsf,sf->ns", self.range.held(x), self.weight) + self.constant)

    def used(self) -> np.ndarray:
        return np.asarray((self.weight != 0).any(axis=0))

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Lines:
        return Lines(self.weight[horizons][:, keep], self.constant[horizons], self.range.narrow(keep, horizons))

    def operations(self) -> int:
        return int(4 * self.weight.shape[0] * self.used().sum())


@dataclass(frozen=True, eq=False)
class Curves(Part):
    """Rounded hinges u^2 / (1 + u), u = (x - knot)+ / spread, less an offset and held within a range; weights (S, B).

    `feature`, `knot`, `spread`, `offset`, `low`, `high` have shape (B,).
    """

    weight: np.ndarray
    feature: np.ndarray
    knot: np.ndarray
    spread: np.ndarray
    offset: np.ndarray
    low: np.ndarray
    high: np.ndarray
    width: int

    def value(self, x: np.ndarray) -> np.ndarray:
        over = np.maximum(x[..., self.feature] - self.knot, 0.0) / self.spread
        bend = np.clip(over * over / (1.0 + over) - self.offset, self.low, self.high)
        return np.asarray(np.einsum("nsb,sb->ns", bend, self.weight))

    def used(self) -> np.ndarray:
        return np.isin(np.arange(self.width), self.feature[(self.weight != 0).any(axis=0)])

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Curves:
        there = np.isin(self.feature, keep)
        columns = {name: getattr(self, name)[there] for name in ("knot", "spread", "offset", "low", "high")}
        return Curves(
            self.weight[horizons][:, there], np.searchsorted(keep, self.feature[there]), width=keep.size, **columns
        )

    def operations(self) -> int:
        return int(10 * self.weight.size)


@dataclass(frozen=True, eq=False)
class Trees(Part):
    """Sums of trees by horizon, and a constant (S,).

    Attributes
    ----------
    feature : ndarray of int, shape (nodes,)
        Tested, -1 at a leaf; F stands for the horizon itself, whose value is `step` (S,).
    threshold : ndarray of float32, shape (nodes,)
    left : ndarray of int, shape (nodes,)
        First child, counted from the tree's root; the second follows it.
    leaf : ndarray of float32, shape (nodes, V)
        V is 1, or S with a column for each horizon.
    roots : tuple of ndarray of int, length S
        First node of each tree of a horizon.
    reaching : bool
        Whether a value equal to the threshold goes to the second child (XGBoost), not to the first.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    leaf: np.ndarray
    roots: tuple[np.ndarray, ...]
    constant: np.ndarray
    step: np.ndarray
    width: int
    reaching: bool = False

    def value(self, x: np.ndarray) -> np.ndarray:
        n, horizons = x.shape[:2]
        out = np.zeros((n, horizons)) + self.constant
        for s, roots in enumerate(self.roots):
            row = np.column_stack([x[:, s], np.full(n, self.step[s], dtype=np.float32)])
            for root in roots:
                out[:, s] += self.leaf[self.leaves(row, int(root)), s if self.leaf.shape[1] > 1 else 0]
        return out

    def leaves(self, row: np.ndarray, root: int) -> np.ndarray:
        """Node that each row (n, F + 1) ends in, in a tree."""
        node = np.full(len(row), root)
        while (inner := self.feature[node] >= 0).any():
            at = node[inner]
            x, limit = row[inner, self.feature[at]], self.threshold[at]
            node[inner] = root + self.left[at] + (x >= limit if self.reaching else x > limit)
        return node

    def nodes(self, root: int) -> list[int]:
        """Nodes of a tree, parents first."""
        found, todo = [], [root]
        while todo:
            node = todo.pop(0)
            found.append(node)
            if self.feature[node] >= 0:
                todo += [root + int(self.left[node]), root + int(self.left[node]) + 1]
        return found

    def depth(self, root: int) -> int:
        """Most questions on the way to a leaf."""
        deep = {root: 0}
        for node in self.nodes(root):
            if self.feature[node] >= 0:
                for child in (0, 1):
                    deep[root + int(self.left[node]) + child] = deep[node] + 1
        return max(deep.values())

    def used(self) -> np.ndarray:
        reached = [n for root in {int(r) for roots in self.roots for r in roots} for n in self.nodes(root)]
        return np.isin(np.arange(self.width), self.feature[np.array(reached, dtype=np.int64)])

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Trees:
        move = np.append(np.searchsorted(keep, np.arange(self.width)), keep.size)
        feature = np.where(self.feature >= 0, move[np.maximum(self.feature, 0)], -1)
        leaf = self.leaf if self.leaf.shape[1] == 1 else self.leaf[:, horizons]
        roots = tuple(self.roots[int(s)] for s in horizons)
        return Trees(
            feature, self.threshold, self.left, leaf, roots, self.constant[horizons], self.step[horizons], keep.size,
            self.reaching,
        )  # fmt: skip

    def operations(self) -> int:
        return int(sum(3 * self.depth(int(root)) + 1 for roots in self.roots for root in roots))


@dataclass(frozen=True, eq=False)
class BentLines(Part):
    """A tree whose leaves hold lines (nodes, S, k + 1) on the features `chosen` (k,), the constant last."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    line: np.ndarray
    chosen: np.ndarray
    range: Range

    def value(self, x: np.ndarray) -> np.ndarray:
        x = self.range.held(x).astype(np.float32)
        n, horizons, width = x.shape
        out = np.zeros((n, horizons))
        tree = self.tree(horizons, width)
        for s in range(horizons):
            node = tree.leaves(x[:, s], 0)
            line = self.line[node, s]
            out[:, s] = (line[:, :-1] * x[:, s, self.chosen]).sum(axis=1) + line[:, -1]
        return out

    def tree(self, horizons: int, width: int) -> Trees:
        """The tree alone."""
        none = np.zeros((self.feature.size, 1), np.float32)
        roots = tuple(np.zeros(1, np.int64) for _ in range(horizons))
        empty = np.zeros(horizons)
        return Trees(self.feature, self.threshold, self.left, none, roots, empty, empty, width)

    def used(self) -> np.ndarray:
        width = self.range.low.shape[1]
        asked = np.isin(np.arange(width), self.feature)
        return asked | np.isin(np.arange(width), self.chosen)

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> BentLines:
        feature = np.where(self.feature >= 0, np.searchsorted(keep, np.maximum(self.feature, 0)), -1)
        chosen = np.searchsorted(keep, self.chosen)
        return BentLines(
            feature, self.threshold, self.left, self.line[:, horizons], chosen, self.range.narrow(keep, horizons)
        )

    def operations(self) -> int:
        horizons, k = self.line.shape[1:]
        return int(horizons * (3 * self.tree(1, 1).depth(0) + 2 * k + 2 * self.used().sum()))


@dataclass(frozen=True, eq=False)
class Regimes(Part):
    """Lines of K regimes (S, K, B + 1) on the features `bent` (B,), mixed by a softmax gate (F, K) and (K,)."""

    gate: np.ndarray
    offset: np.ndarray
    bends: np.ndarray
    bent: np.ndarray
    range: Range

    def value(self, x: np.ndarray) -> np.ndarray:
        x = self.range.held(x)
        score = x @ self.gate + self.offset
        share = np.exp(score - score.max(axis=2, keepdims=True))
        share /= share.sum(axis=2, keepdims=True)
        line = np.einsum("nsb,skb->nsk", x[..., self.bent], self.bends[..., :-1]) + self.bends[..., -1]
        return np.asarray((share * line).sum(axis=2))

    def used(self) -> np.ndarray:
        found = np.asarray((self.gate != 0).any(axis=1))
        found[self.bent] |= (self.bends[..., :-1] != 0).any(axis=(0, 1))
        return found

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Regimes:
        there = np.isin(self.bent, keep)
        bends = self.bends[horizons][:, :, np.append(np.flatnonzero(there), self.bent.size)]
        bent = np.searchsorted(keep, self.bent[there])
        return Regimes(self.gate[keep], self.offset, bends, bent, self.range.narrow(keep, horizons))

    def operations(self) -> int:
        horizons, count, bent = self.bends.shape
        asked = int((self.gate != 0).any(axis=1).sum())
        return int(horizons * (count * (2 * asked + 2 * bent + 4) + 2 * self.used().sum()))


@dataclass(frozen=True, eq=False)
class Network(Part):
    """A hidden layer or two of rectified units on standardised features: out (S, H) after `threshold` (S, H).

    Attributes
    ----------
    centre, scale : ndarray, shape (F,)
    most : float
        Standard deviations that a feature is held within.
    inner : ndarray, shape (F, H)
    deep : ndarray, shape (H, H), or None
    deep_threshold : ndarray, shape (H,), or None
    """

    centre: np.ndarray
    scale: np.ndarray
    most: float
    inner: np.ndarray
    threshold: np.ndarray
    out: np.ndarray
    deep: np.ndarray | None = None
    deep_threshold: np.ndarray | None = None

    def value(self, x: np.ndarray) -> np.ndarray:
        z = np.clip((x - self.centre) / self.scale, -self.most, self.most)
        layer = np.maximum(z @ self.inner + self.threshold, 0.0)
        if self.deep is not None and self.deep_threshold is not None:
            layer = np.maximum(layer @ self.deep + self.deep_threshold, 0.0)
        return np.asarray((layer * self.out).sum(axis=2))

    def used(self) -> np.ndarray:
        return np.asarray((self.inner != 0).any(axis=1))

    def narrow(self, keep: np.ndarray, horizons: np.ndarray) -> Network:
        return Network(
            self.centre[keep], self.scale[keep], self.most, self.inner[keep], self.threshold[horizons],
            self.out[horizons], self.deep, self.deep_threshold,
        )  # fmt: skip

    def operations(self) -> int:
        horizons, hidden = self.out.shape
        deep = 0 if self.deep is None else 2 * hidden * hidden
        return int(horizons * (2 * hidden * self.inner.shape[0] + deep + 4 * hidden + 4 * self.inner.shape[0]))


@dataclass(frozen=True, eq=False)
class Program:
    """A micromodel's whole computation after its features.

    Attributes
    ----------
    family : str
    names : tuple of str, length F
        Features, the first `n_common` the same for all horizons.
    steps : tuple of int, length S
    parts : tuple of Part
    start : ndarray, shape (S,)
        Share of the last deviation (`own_lag_0`) that a forecast starts from.
    scale : float
        Of deviations, on the model's scale.
    offsets : ndarray, shape (S, Q)
        Of quantiles, in usual absolute deviations.
    """

    family: str
    names: tuple[str, ...]
    n_common: int
    steps: tuple[int, ...]
    parts: tuple[Part, ...]
    start: np.ndarray
    scale: float
    offsets: np.ndarray

    def deviation(self, x: np.ndarray) -> np.ndarray:
        """Deviation from the usual (n, S) on the model's scale, from features (n, S, F)."""
        total = x[..., self.names.index("own_lag_0")] * self.start
        for part in self.parts:
            total = total + part.value(x)
        return np.asarray(total * self.scale)

    def used(self) -> np.ndarray:
        """Which features count, bool, shape (F,)."""
        found = np.zeros(len(self.names), dtype=bool)
        found[self.names.index("own_lag_0")] = True
        for part in self.parts:
            found |= part.used()
        return found

    def operations(self) -> int:
        """Of one forecast of all horizons, features and intervals not among them."""
        return sum(part.operations() for part in self.parts) + 2 * len(self.steps)

    def narrow(self, steps: tuple[int, ...] | None = None) -> Program:
        """The same with the features that count alone, and for some of the horizons (None: all).

        Raises
        ------
        HorizonError
            For a horizon that it was not fitted for.
        """
        strange = [step for step in steps or () if step not in self.steps]
        if strange:
            raise HorizonError(f"steps {strange} are not among those of the model: {self.steps}")
        horizons = np.array([self.steps.index(step) for step in (self.steps if steps is None else steps)])
        keep = np.flatnonzero(self.used())
        return Program(
            self.family, tuple(self.names[k] for k in keep), int((keep < self.n_common).sum()),
            tuple(self.steps[k] for k in horizons), tuple(part.narrow(keep, horizons) for part in self.parts),
            self.start[horizons], self.scale, self.offsets[horizons],
        )  # fmt: skip

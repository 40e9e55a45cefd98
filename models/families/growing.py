"""One zone's tree with a value for each horizon: grown, then cut back to the size that blocked validation chose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.families.forest import Tree
from models.families.forest_kernels import errors_by_size, node_values, partition
from models.families.pairs import Pairs, binned
from models.families.tree_kernels import grow, pack


@dataclass(frozen=True)
class Growth:
    """How a tree is grown.

    Attributes
    ----------
    max_leaves, max_depth, min_leaf : int
        `min_leaf` counts pairs of origin and horizon.
    max_bin : int
    shrink : float
        Rows of the parent's value that each node is thought to hold besides.
    median : bool
        Leaves hold medians, not means.
    """

    max_leaves: int
    max_depth: int
    min_leaf: int
    max_bin: int
    shrink: float
    median: bool = False


class Grower:
    """Grows trees on the pairs of one zone."""

    def __init__(self, pairs: Pairs, horizons: int, growth: Growth, seed: int) -> None:
        self.pairs, self.horizons, self.growth = pairs, horizons, growth
        self.bins, self.edges, self.used = binned(pairs.x, growth.max_bin)
        self._packed = np.empty(pairs.size, dtype=np.int64)
        self._target = pairs.y.astype(np.float64)
        self._target -= self._target.mean()
        self._scale = pack(self._target, self._packed)
        self._state = np.array([seed], dtype=np.uint64)

    def tree(self, order: np.ndarray, *, leaves: int, tries: int = 0, extra: bool = False) -> _Grown:
        """Grow on some of the pairs (they may repeat): the split that helps most first."""
        growth, size = self.growth, 2 * leaves - 1
        feature, cut, left, start, stop, rank = (np.empty(size, dtype=np.int64) for _ in range(6))
        order = np.array(order, dtype=np.int64)
        nodes = grow(
            self.bins, self._packed, self._scale, order, self.used, growth.max_bin, leaves, growth.max_depth,
            growth.min_leaf, 0.0, 1e-9, tries or self.used.size, extra, self._state, feature, cut, left, start, stop,
            rank,
        )  # fmt: skip
        value = node_values(
            self.pairs.y, self.pairs.horizon, self.horizons, order, nodes, left, start, stop, growth.shrink,
            growth.median,
        )  # fmt: skip
        return _Grown(feature[:nodes], cut[:nodes], left[:nodes], rank[:nodes], value)

    def validated_leaves(self, folds: int, standard_errors: float) -> int:
        """Leaves with the least error on blocks of consecutive origins left out in turn.

        The smallest tree wins that is as good, see `smallest_as_good`.
        """
        most = self.growth.max_leaves
        if most == 1 or self.pairs.size < 4 * self.growth.min_leaf or folds < 2:
            return 1
        n = int(self.pairs.origin[-1]) + 1
        block = self.pairs.origin * folds // n
        errors = np.zeros((folds, most))
        for fold in range(folds):
            out = np.flatnonzero(block == fold)
            grown = self.tree(np.flatnonzero(block != fold), leaves=most)
            errors[fold] = errors_by_size(
                self.bins, self.pairs.y, self.pairs.horizon, out, grown.feature, grown.cut, grown.left, grown.rank,
                grown.value, most, self.growth.median,
            ) / max(out.size, 1)  # fmt: skip
        return smallest_as_good(errors, standard_errors)

    def finished(self, grown: _Grown, factor: float = 1.0) -> Tree:
        """As a tree with thresholds, its values times `factor`."""
        return Tree.cut(grown.feature, grown.cut, grown.left, factor * grown.value, self.edges)

    def sorted_pairs(self, grown: _Grown, order: np.ndarray) -> list[np.ndarray]:
        """Pairs of each node."""
        order = np.array(order, dtype=np.int64)
        start, stop = np.zeros(grown.left.size, np.int64), np.zeros(grown.left.size, np.int64)
        partition(self.bins, order, grown.left.size, grown.feature, grown.cut, grown.left, start, stop)
        return [order[a:b] for a, b in zip(start, stop)]


@dataclass(frozen=True, eq=False)
class _Grown:
    """A tree on bins: feature, last bin below, first child, splits before it and values of each node."""

    feature: np.ndarray
    cut: np.ndarray
    left: np.ndarray
    rank: np.ndarray
    value: np.ndarray


def smallest_as_good(errors: np.ndarray, standard_errors: float) -> int:
    """The fewest leaves whose error lies within so many standard errors of the least.

    Parameters
    ----------
    errors : ndarray, shape (folds, sizes)
        Mean held-out error with 1, 2, ... leaves.
    standard_errors : float
        Of the difference to the best size, over the folds (after Breiman et al. 1984, section 3.4.3).
    """
    mean = errors.mean(axis=0)
    best = int(mean.argmin())
    spread = (errors - errors[:, [best]]).std(axis=0, ddof=1) / np.sqrt(errors.shape[0])
    return int(np.flatnonzero(mean <= mean[best] + standard_errors * spread)[0]) + 1

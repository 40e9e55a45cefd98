"""One zone's tree with a value for each horizon: grown, then cut back to the size that blocked validation chose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.families.forest import Tree
from models.families.forest_kernels import forecasts_by_size, node_values
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

    def validated(self, folds: int, standard_errors: float) -> tuple[int, np.ndarray]:
        """Leaves, and how far each horizon trusts them (S,), from blocks of consecutive origins left out in turn."""
        most = self.growth.max_leaves
        if most == 1 or self.pairs.size < 4 * self.growth.min_leaf:
            return 1, np.ones(self.horizons)

        def held_out(out: np.ndarray, known: np.ndarray) -> np.ndarray:
            grown = self.tree(known, leaves=most)
            found: np.ndarray = forecasts_by_size(
                self.bins, self.pairs.horizon, out, grown.feature, grown.cut, grown.left, grown.rank, grown.value, most
            )
            return found

        return validated_size(self.pairs, self.horizons, held_out, folds, standard_errors, self.growth.median)

    def finished(self, grown: _Grown, factor: float | np.ndarray = 1.0) -> Tree:
        """As a tree with thresholds, its values times `factor` (one, or one a horizon)."""
        return Tree.cut(grown.feature, grown.cut, grown.left, factor * grown.value, self.edges)


@dataclass(frozen=True, eq=False)
class _Grown:
    """A tree on bins: feature, last bin below, first child, splits before it and values of each node."""

    feature: np.ndarray
    cut: np.ndarray
    left: np.ndarray
    rank: np.ndarray
    value: np.ndarray


def validated_size(
    pairs: Pairs,
    horizons: int,
    held_out: Callable[[np.ndarray, np.ndarray], np.ndarray],
    folds: int,
    standard_errors: float,
    absolute: bool,
) -> tuple[int, np.ndarray]:
    """Leaves with the least error on blocks left out in turn, and how far each horizon trusts that tree.

    Parameters
    ----------
    pairs : Pairs
    horizons : int
    held_out : callable
        Forecasts (m, sizes) of pairs `out` by trees of 1, 2, ... leaves grown on pairs `known`.
    folds : int
        Blocks of consecutive origins.
    standard_errors : float
        See `smallest_as_good`.
    absolute : bool
        Judge by the absolute error, not the squared one.

    Returns
    -------
    int
    ndarray, shape (S,)
        See `held_out_trust`.
    """
    block = pairs.origin * folds // (int(pairs.origin[-1]) + 1)
    parts = [(np.flatnonzero(block == fold), np.flatnonzero(block != fold)) for fold in range(folds)]
    parts = [(out, known) for out, known in parts if out.size and known.size]
    if len(parts) < 2:
        return 1, np.ones(horizons)
    forecasts = np.concatenate([held_out(out, known) for out, known in parts])
    gap = np.abs(pairs.y[:, None] - forecasts)
    rows = np.cumsum([0, *(out.size for out, _ in parts)])
    errors = np.array([(gap[a:b] if absolute else gap[a:b] ** 2).mean(axis=0) for a, b in pairwise(rows)])
    leaves = smallest_as_good(errors, standard_errors)
    return leaves, held_out_trust(pairs.y, forecasts[:, leaves - 1], pairs.horizon, horizons)


def held_out_trust(y: np.ndarray, forecast: np.ndarray, horizon: np.ndarray, horizons: int) -> np.ndarray:
    """Factor from 0 to 1 by which forecasts of rows that were not learned from come closest to them, shape (S,).

    Least squares, by horizon, drawn to 0 as if a hundredth of the outcomes' sum of squares were noise in the forecasts
    (assumption).
    """
    both = np.bincount(horizon, y * forecast, horizons)
    own = np.bincount(horizon, forecast.astype(float) ** 2, horizons)
    whole = np.bincount(horizon, y.astype(float) ** 2, horizons)
    return np.asarray(np.clip(both / np.maximum(own + 0.01 * whole, 1e-12), 0.0, 1.0))


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

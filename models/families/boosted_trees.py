"""Gradient-boosted shallow trees, a booster for each zone and horizon, from our own kernel.

Histograms of whole numbers over 32 bins suit a zone's size (some thousand rows), where libraries spend much of their
time on setting up and on wide histograms; `zonewise benchmark models --only throughput` puts them side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np

from models.errors import SettingsError
from models.families.boosting_kernels import QUANTILE, SQUARED, boost
from models.families.forest import ForestLearner, Tree
from models.families.growing import smallest_as_good
from models.families.pairs import binned
from models.rows import Rows

_BLOCKS = 32  # blocks of consecutive rows that samples are drawn from, about days on eight weeks; assumption


class BoostedTrees(ForestLearner):
    """Gradient boosting on binned features, after a ridge line.

    Parameters
    ----------
    loss : {"squared", "absolute", "pinball"}
        Leaves hold means, medians or quantiles of what is left over.
    level : float
        Of the quantile, with loss "pinball".
    rounds, eta, max_depth, min_leaf, max_bin
        Trees, their step, depth, least rows in a leaf, bins of a feature (at most 256).
    shrink : float
        Rows of no error that each leaf is thought to hold besides.
    sample : float
        Share of the blocks of consecutive rows that a tree learns from.
    features : float
        Share of the features that a split chooses among.
    patience : int
        Rounds without a better error on left-out rows before it stops; 0 takes all `rounds`.
    folds : int
        Blocks of consecutive rows left out in turn to choose the rounds, then all rows are learned from. Below 2, the
        last `holdout` of the rows tell when to stop, and nothing is learned from them: fewer fits, fewer rows.
    standard_errors : float
        With folds: the fewest rounds within so many standard errors of the best are taken.
    linear_first : bool
        Whether trees correct a ridge line (`Ridge`, its penalty chosen by validation) or do all.

    References
    ----------
    Friedman (2001), doi:10.1214/aos/1013203451; Friedman (2002), doi:10.1016/S0167-9473(01)00065-2
    """

    family = "boosted_trees"
    rank = 4.9
    losses = ("absolute", "squared", "pinball")
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({
        "loss": "absolute", "level": 0.5, "rounds": 100, "eta": 0.1, "max_depth": 4, "min_leaf": 30, "max_bin": 32,
        "shrink": 5.0, "sample": 0.7, "features": 0.7, "patience": 10, "folds": 3, "standard_errors": 0.5,
        "holdout": 0.2, "linear_first": True,
    })  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {
            "max_depth": (2, 3, 4, 5),
            "eta": (0.05, 0.1),
            "min_leaf": (10, 30, 100),
            "loss": ("squared", "absolute"),
            "linear_first": (True, False),
        }
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_boosting(self.family, self.settings)

    def _grow(self, rows: Rows, rest: np.ndarray) -> list[list[Tree]]:
        bins, edges, used = binned(rows.common[:, 0], self.settings["max_bin"])
        owners: list[list[Tree]] = []
        for s in range(rest.shape[2]):
            known = np.isfinite(rest[:, 0, s])
            if not known.any():
                owners.append([])
                continue
            far, far_edges, far_used = binned(rows.ahead[:, 0, s], self.settings["max_bin"])
            wide = np.concatenate([bins, far], axis=1)[known]
            owners.append(
                self._boost(wide, rest[known, 0, s], np.concatenate([used, far_used]), np.vstack([edges, far_edges]))
            )
        return owners

    def _boost(self, bins: np.ndarray, y: np.ndarray, used: np.ndarray, edges: np.ndarray) -> list[Tree]:
        wanted = self.settings
        bins, y = np.ascontiguousarray(bins), np.ascontiguousarray(y, dtype=np.float32)
        rounds, n_train = int(wanted["rounds"]), y.size
        if wanted["patience"] > 0 and y.size >= 4 * wanted["min_leaf"]:
            if wanted["folds"] > 1:
                rounds = self._validated_rounds(bins, y, used)
            else:
                n_train = y.size - int(y.size * wanted["holdout"])
        feature, cut, left, value, nodes, constant, _ = self._run(bins, y, used, n_train, rounds)
        trees = [Tree.constant(np.array([constant]))]
        for t in range(len(nodes)):
            k = nodes[t]
            if k > 1:
                trees.append(Tree.cut(feature[t, :k], cut[t, :k], left[t, :k], value[t, :k], edges))
        return trees

    def _validated_rounds(self, bins: np.ndarray, y: np.ndarray, used: np.ndarray) -> int:
        """Rounds with the least error on blocks of consecutive rows left out in turn; fewer if they are as good."""
        folds, rounds = int(self.settings["folds"]), int(self.settings["rounds"])
        block = np.arange(y.size) * folds // y.size
        errors = np.zeros((folds, rounds + 1))
        for fold in range(folds):
            known, out = np.flatnonzero(block != fold), np.flatnonzero(block == fold)
            order = np.concatenate([known, out])
            found = self._run(bins[order], y[order], used, known.size, rounds)[-1]
            ran = int(np.isfinite(found).sum())
            errors[fold, :ran] = found[:ran]
            errors[fold, ran:] = found[ran - 1]  # it stopped, as more rounds made it worse
        return smallest_as_good(errors, float(self.settings["standard_errors"])) - 1

    def _run(self, bins: np.ndarray, y: np.ndarray, used: np.ndarray, n_train: int, rounds: int) -> tuple[Any, ...]:
        wanted = self.settings
        found: tuple[Any, ...] = boost(
            bins, y, n_train, used, wanted["max_bin"], rounds, wanted["patience"], wanted["eta"], wanted["max_depth"],
            wanted["min_leaf"], wanted["shrink"], SQUARED if wanted["loss"] == "squared" else QUANTILE,
            wanted["level"] if wanted["loss"] == "pinball" else 0.5, wanted["sample"], _BLOCKS,
            max(1, round(wanted["features"] * used.size)), self.seed,
        )  # fmt: skip
        return found


def check_boosting(family: str, settings: Mapping[str, Any]) -> None:
    """`SettingsError` naming all settings of boosting that are out of range."""
    limits = {
        "rounds": (1, 10_000), "eta": (1e-6, 1), "max_depth": (1, 10), "min_leaf": (1, 1e9), "max_bin": (2, 256),
        "shrink": (0, 1e9), "sample": (1e-6, 1), "features": (1e-6, 1), "patience": (0, 1e9), "holdout": (0, 0.9),
        "level": (1e-6, 1 - 1e-6), "budget": (1, 1e12),
    }  # fmt: skip
    faults = [
        f"{name}={settings[name]!r} (allowed: {low:g} to {high:g})"
        for name, (low, high) in limits.items()
        if name in settings and not low <= settings[name] <= high
    ]
    losses = ("squared", "absolute", "pinball")
    if "loss" in settings and settings["loss"] not in losses:
        faults.append(f"loss={settings['loss']!r} (allowed: {', '.join(losses)})")
    if faults:
        raise SettingsError(f"settings of {family} out of range: {'; '.join(faults)}")

"""One booster for the whole city: all zones' rows, told apart by what each zone is like."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.families.boosted_trees import check_boosting
from models.families.boosted_xgboost import (
    booster_parameters,
    folded_shap,
    restored,
    step_feature,
    stored,
    thinned,
    train,
)
from models.families.first_line import FirstLine
from models.learner import Learner, State
from models.rows import Rows

_CHUNK_ROWS = 200_000  # rows (origin, zone, horizon) that are put together at a time to forecast


class PooledXGBoost(Learner):
    """A citywide macromodel: one booster for all zones and horizons.

    Parameters
    ----------
    loss, level, rounds, eta, max_depth, max_bin, patience, holdout, min_child_weight, shrink, sample, features
        As in `XGBoost`.
    linear_first : bool
        Whether trees correct one ridge line for all zones (a line a horizon) or do all.
    zone_line : bool
        With `linear_first`, a line for each zone and horizon.
    groups : int
        Boosters: horizons that follow each other share one, told of the horizon. What tells of the next hour says
        little of the next day, and one booster for both serves neither.
    budget : int
        Rows (origin, zone, horizon) that a booster learns from, evenly thinned over all of them.

    Notes
    -----
    A zone's further features are those given to `fit` and statistics of its own history: mean, spread, how much of a
    deviation lasts to the next origin, and slope and leftover of the outcome on the last reading (target statistics;
    Micci-Barreca 2001, doi:10.1145/507533.507538).

    References
    ----------
    Chen & Guestrin (2016), doi:10.1145/2939672.2939785;
    Montero-Manso & Hyndman (2021), doi:10.1016/j.ijforecast.2021.03.004
    """

    family = "macro_xgboost"
    scope = "city"
    rank = 8.0
    losses = ("absolute", "squared", "pinball")
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({
        "loss": "absolute", "level": 0.5, "rounds": 300, "eta": 0.08, "max_depth": 6, "min_child_weight": 30.0,
        "max_bin": 64, "shrink": 5.0, "sample": 0.7, "features": 0.6, "patience": 15, "holdout": 0.15,
        "linear_first": True, "zone_line": False, "groups": 4, "budget": 150_000,
    })  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({
        "loss": ("squared", "absolute"), "linear_first": (True, False), "zone_line": (False, True),
        "max_depth": (4, 6, 8), "min_child_weight": (30.0, 100.0), "eta": (0.04, 0.08),
    })  # fmt: skip

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        check_boosting(self.family, self.settings)
        self.line: FirstLine | None = None
        self.extra = np.zeros((0, 0), dtype=np.float32)  # (Z, E) what each zone is like
        self._boosters: list[Any] = []

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """As the contract says."""
        self.layout, wanted = rows.layout, self.settings
        zones = rows.shape[1]
        given = np.zeros((zones, 0)) if zone_features is None else np.nan_to_num(np.asarray(zone_features, float))
        self.extra = np.column_stack([zone_statistics(rows, y), given]).astype(np.float32)
        self.line, self._boosters = None, []
        if not np.isfinite(y).any():
            return self
        if wanted["linear_first"]:
            self.line = FirstLine.fit(rows, y, pooled=not wanted["zone_line"])
        every = np.arange(zones)
        for horizons in self._groups():
            part = rows.horizons(horizons)
            origin, zone, horizon = thinned(y[:, :, horizons], wanted["budget"])
            if origin.size == 0:
                self._boosters.append(None)
                continue
            target = y[:, :, horizons][origin, zone, horizon].astype(np.float32)
            if self.line is not None:
                target = target - self._line(part, every)[origin, zone, horizon]
            x = self._inputs(part, every, origin, zone, horizon)
            self._boosters.append(train(wanted, x, target, origin, self.seed))
        return self

    def _groups(self) -> list[np.ndarray]:
        """Places of the horizons that share a booster."""
        assert self.layout is not None
        count = len(self.layout.steps)
        return np.array_split(np.arange(count), max(1, min(int(self.settings["groups"]), count)))

    def _group_of(self, rows: Rows) -> np.ndarray:
        """Which booster serves each horizon of `rows`."""
        group = np.concatenate([np.full(part.size, k) for k, part in enumerate(self._groups())])
        return np.asarray(group[self.horizon_places(rows)])

    def _inputs(
        self, rows: Rows, places: np.ndarray, origin: np.ndarray, zone: np.ndarray, horizon: np.ndarray
    ) -> np.ndarray:
        """Features of these rows: as in `Layout.names`, the horizon, what the zone is like."""
        step = step_feature(rows.layout)[horizon]
        parts = [rows.common[origin, zone], rows.ahead[origin, zone, horizon], step[:, None]]
        return np.concatenate([*parts, self.extra[places[zone]]], axis=1, dtype=np.float32)

    def _line(self, rows: Rows, places: np.ndarray) -> np.ndarray:
        """Values of the lines, shape (n, Z, S); a chunk of origins at a time."""
        assert self.line is not None
        chunk = max(1, _CHUNK_ROWS // max(1, places.size * rows.shape[2]))
        parts = [self.line.predict(rows.take(slice(k, k + chunk)), places) for k in range(0, rows.shape[0], chunk)]
        return np.concatenate(parts)

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """As the contract says; a chunk of origins at a time."""
        places = np.arange(self.extra.shape[0]) if places is None else np.asarray(places, dtype=np.int64)
        n, zones, horizons = rows.shape
        out = np.zeros((n, zones, horizons), dtype=np.float32)
        if not self._boosters:
            return out
        group = self._group_of(rows)
        chunk = max(1, _CHUNK_ROWS // max(1, zones * horizons))
        for first in range(0, n, chunk):
            part = rows.take(slice(first, first + chunk))
            m = part.shape[0]
            for k in np.unique(group):
                if self._boosters[k] is None:
                    continue
                here = np.flatnonzero(group == k)
                some = part.horizons(here)
                origin, zone, horizon = (a.ravel() for a in np.indices((m, zones, here.size)))
                added = self._boosters[k].inplace_predict(self._inputs(some, places, origin, zone, horizon))
                out[first : first + m, :, here] = added.reshape(m, zones, here.size)
            if self.line is not None:
                out[first : first + m] += self.line.predict(part, places)
        return out

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """The line's terms and XGBoost's own SHAP values (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9).

        What the horizon and the zone's further features add is in the constant.
        """
        out = np.zeros(rows.width + 1)
        if not self._boosters:
            return out
        booster = self._boosters[int(self._group_of(rows)[horizon])]
        here = (np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.array([horizon]))
        if booster is not None:
            out += folded_shap(booster, self._inputs(rows, np.array([place]), *here)[0], rows.width)
        if self.line is not None:
            out += self.line.shares(rows, horizon, place)
        return out

    def pick(self, places: np.ndarray) -> Self:
        """As the contract says; the booster serves all zones."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout, part.extra, part._boosters = self.layout, self.extra[places], self._boosters
        part.line = None if self.line is None else self.line.pick(places)
        return part

    def n_parameters(self) -> int:
        """As the contract says."""
        return (
            booster_parameters(self._boosters)
            + (0 if self.line is None else self.line.n_parameters())
            + int(self.extra.size)
        )

    def state(self) -> State:
        """As the contract says; the booster in XGBoost's own UBJSON."""
        meta, arrays, _ = ({}, {}, {}) if self.line is None else self.line.state()
        arrays["extra"] = self.extra
        return {**meta, "boosters": len(self._boosters)}, arrays, stored(self._boosters)

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """As the contract says."""
        self.extra = arrays["extra"]
        self.line = FirstLine.restored(meta, arrays, self.layout)
        self._boosters = restored(blobs, int(meta["boosters"]))


def zone_statistics(rows: Rows, y: np.ndarray) -> np.ndarray:
    """Statistics of each zone's outcomes at the first horizon, shape (Z, 5), 0 where unknown.

    Mean, standard deviation, correlation with the outcome of the origin before, slope on the last reading (the first
    common feature) and standard deviation of what that leaves over.
    """
    first = y[:, :, 0].astype(np.float64)
    known = np.isfinite(first)
    mean = _mean(first, known)
    rest = np.where(known, first - mean, 0.0)
    variance = _mean(rest**2, known)
    both = known[1:] & known[:-1]
    lasting = _mean(rest[1:] * rest[:-1], both) / np.maximum(variance, 1e-9)
    last = rows.common[:, :, 0] if rows.common.shape[2] else np.zeros_like(first)
    slope = _mean(last * rest, known) / np.maximum(_mean(last**2, known), 1e-9)
    left = np.sqrt(np.maximum(_mean((rest - slope * last) ** 2, known), 0.0))
    return np.column_stack([mean, np.sqrt(variance), lasting, slope, left])


def _mean(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mean over the known origins, 0 where there are none."""
    return np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)

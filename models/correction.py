"""Correction: what a mix still misses, learned from its own out-of-fold errors.

The shares of a mix are the same at every moment. Where its error leans one way in moments that can be told beforehand
(the last change, what the neighbours and the zone's other quantities just did, how far the members disagree), one
booster for all zones and each horizon learns how far. It is kept only where it served on blocks of days that neither it
nor the shares had seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from models.calendar import Calendar
from models.families.boosted_xgboost import booster_parameters, restored, stored, thinned, train
from models.panel import Panel
from models.scale import to_scale
from models.validation import Validation
from models.weights import mixed, spread_of

BUDGET = 100_000  # rows (origin, zone) that a booster learns from, evenly thinned (assumed)
BLOCKS = 3  # of days, each corrected by what the others teach (assumed)
LEAST_GAIN = 0.003  # of the mean absolute error, over the blocks; and more than their standard error (assumed)
LEAST_STRETCHES = 25  # horizons that a block holds end to end: errors closer to each other are nearly one (assumed)
LEAST_ROWS = 1_000  # readings that a booster is learned from, at least (assumed)
N_NEAR = 3  # neighbours that are looked at one by one (assumed)
_REACH = 3  # steps that are looked back
_CHUNK = 200_000  # rows that are put together at a time to forecast
_FILE = "correction."
_SETTINGS: Mapping[str, Any] = MappingProxyType({
    "loss": "absolute", "level": 0.5, "rounds": 300, "eta": 0.05, "max_depth": 6, "min_child_weight": 50.0,
    "max_bin": 64, "shrink": 5.0, "sample": 0.7, "features": 0.6, "patience": 15, "holdout": 0.2,
})  # fmt: skip


@dataclass(frozen=True, eq=False)
class Moments:
    """What a correction looks at, of some zones of a panel.

    Attributes
    ----------
    first : int
        Position of the first row of the panel that is held.
    grid : ndarray of float32, shape (T, Z)
        The target on the model's scale, over each zone's usual swing; gaps `nan`.
    near : ndarray of float32, shape (T, N_NEAR + 1, Z)
        The same of the nearest neighbours, and their weighted mean; `nan` where there is none.
    others : ndarray of float32, shape (O, T, Z)
        The zone's other quantities.
    calendar : Calendar
        Of the panel.
    swing : ndarray of float32, shape (Z,)
    """

    first: int
    grid: np.ndarray
    near: np.ndarray
    others: np.ndarray
    calendar: Calendar
    swing: np.ndarray

    @classmethod
    def of(
        cls, panel: Panel, target: str, zone_ids: Sequence[str], swing: np.ndarray, others: Sequence[str],
        known: np.ndarray,
    ) -> Moments:  # fmt: skip
        """What forecasts from some last known positions look at; quantities that the panel lacks are gaps."""
        first, stop = max(int(known.min()) - _REACH, 0), int(known.max()) + 1
        columns = panel.columns(zone_ids)
        swing = np.asarray(swing, dtype=np.float32)
        every = to_scale(target, panel.values[target][first:stop]).astype(np.float32)
        reach = np.maximum(panel.neighbours[columns], 0.0).astype(np.float32)  # (Z, N)
        heard = np.isfinite(every)
        near = np.full((len(every), N_NEAR + 1, len(columns)), np.nan, dtype=np.float32)
        total, share = np.where(heard, every, 0.0) @ reach.T, heard.astype(np.float32) @ reach.T
        np.divide(total, share, out=near[:, N_NEAR], where=share > 1e-6)
        nearest = np.argsort(-reach, axis=1, kind="stable")[:, :N_NEAR]
        for k in range(nearest.shape[1]):
            there = np.flatnonzero(reach[np.arange(len(columns)), nearest[:, k]] > 0)
            near[:, k, there] = every[:, nearest[there, k]]
        rest = np.full((len(others), len(every), len(columns)), np.nan, dtype=np.float32)
        for k, name in enumerate(others):
            if name in panel.values:
                rest[k] = to_scale(name, panel.values[name][first:stop, columns])
        return cls(first, every[:, columns] / swing, near / swing, rest, panel.calendar, swing)

    def rows(
        self, known: np.ndarray, place: np.ndarray, step: int, level: np.ndarray, spread: np.ndarray
    ) -> np.ndarray:
        """Features (N, F) of forecasts `level` (N,) with members' `spread` (N,), a step ahead of `known`, by zone."""
        before = [np.maximum(known - k - self.first, 0) for k in (0, 1, _REACH)]
        now, last, older = (self.grid[k, place] for k in before)
        near, near_last = (self.near[k, :, place] for k in before[:2])
        other, other_last = (self.others[:, k, place].T for k in before[:2])
        level = level / self.swing[place]
        hour = 24.0 * self.calendar.step_of_day[known + step] / self.calendar.steps_per_day
        own = [now, now - last, last - older, level, level - now, spread / self.swing[place], hour.astype(np.float32)]
        parts = [np.stack(own, axis=1), near - now[:, None], near - near_last, other, other - other_last]
        return np.concatenate(parts, axis=1, dtype=np.float32)


class Correction:
    """Boosters of a mix's leftover error, one a horizon; None where none was worth keeping.

    Attributes
    ----------
    boosters : list of length S
    others : tuple of str
        Quantities besides the target that are looked at.
    """

    def __init__(self, boosters: Sequence[Any], others: Sequence[str]) -> None:
        self.boosters, self.others = list(boosters), tuple(others)

    @property
    def corrected(self) -> list[int]:
        """Places of the horizons that are corrected."""
        return [k for k, booster in enumerate(self.boosters) if booster is not None]

    @classmethod
    def learn(
        cls, moments: Moments, others: Sequence[str], steps: Sequence[int], levels: np.ndarray, record: Validation,
        shares: Callable[[np.ndarray], np.ndarray], *, seed: int,
    ) -> tuple[Correction, np.ndarray]:  # fmt: skip
        """Learn from out-of-fold forecasts.

        Parameters
        ----------
        moments : Moments
        others : sequence of str
            As in `moments`.
        steps : sequence of int, length S
        levels : ndarray, shape (M, n, Z, S)
            The members' forecasts on the model's scale.
        record : Validation
            Origins, oldest first, and readings.
        shares : callable
            Weights (M, Z, S) of the mix by the rows, bool (n,), that they may be learned from.
        seed : int

        Returns
        -------
        Correction
        ndarray, shape (n, Z, S)
            What the corrected mix would have forecast in each block of days, had it known the other blocks alone;
            `nan` at horizons that are not corrected.
        """
        known, n = record.known, record.known.size
        span = _spanned(known)
        often = [s for s, step in enumerate(steps) if span >= BLOCKS * LEAST_STRETCHES * step]
        if not often:
            return cls([None] * len(steps), others), np.full(record.reading.shape, np.nan)
        block = np.arange(n) * BLOCKS // n
        unseen = np.full(record.reading.shape, np.nan)
        gains = np.zeros((BLOCKS, len(steps)))
        for k in range(BLOCKS):
            rest, own = block != k, block == k
            level, spread = _mix(levels, shares(rest))
            error = record.reading - level
            for s in often:
                step = steps[s]
                booster = _learned(moments, known, step, level[:, :, s], spread[:, :, s], error[:, :, s], rest, seed)
                if booster is None:
                    continue
                added = _added(booster, moments, known[own], step, level[own, :, s], spread[own, :, s])
                unseen[own, :, s] = level[own, :, s] + added
                gains[k, s] = _gain(error[own, :, s], added, moments.swing)
        luck = gains.std(axis=0, ddof=1) / np.sqrt(BLOCKS)
        worth = gains.mean(axis=0) >= np.maximum(LEAST_GAIN, luck)
        every = np.ones(n, dtype=bool)
        level, spread = _mix(levels, shares(every))
        error = record.reading - level
        boosters = [
            _learned(moments, known, step, level[:, :, s], spread[:, :, s], error[:, :, s], every, seed)
            if worth[s] else None
            for s, step in enumerate(steps)
        ]  # fmt: skip
        unseen[:, :, ~worth] = np.nan
        return cls(boosters, others), unseen

    def predict(
        self, moments: Moments, known: np.ndarray, steps: Sequence[int], horizons: Sequence[int], level: np.ndarray,
        spread: np.ndarray,
    ) -> np.ndarray:  # fmt: skip
        """What to add to forecasts, (n, Z, S), on the model's scale; `horizons` are the steps' places in `boosters`."""
        out = np.zeros(level.shape)
        for s, (step, horizon) in enumerate(zip(steps, horizons)):
            booster = self.boosters[horizon]
            if booster is not None:
                out[:, :, s] = _added(booster, moments, known, step, level[:, :, s], spread[:, :, s])
        return out

    def n_parameters(self) -> int:
        """Numbers that were learned."""
        return booster_parameters(self.boosters)

    def state(self) -> tuple[dict[str, Any], dict[str, bytes]]:
        """JSON values, and boosters as UBJSON."""
        meta = {"horizons": len(self.boosters), "others": list(self.others)}
        return meta, {f"{_FILE}{name}": blob for name, blob in stored(self.boosters).items()}

    @classmethod
    def restore(cls, meta: Mapping[str, Any], blobs: Mapping[str, bytes]) -> Correction:
        """Inverse of `state`."""
        own = {name.removeprefix(_FILE): blob for name, blob in blobs.items() if name.startswith(_FILE)}
        return cls(restored(own, int(meta["horizons"])), meta["others"])


def _mix(levels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What members' forecasts (M, n, Z, S) mix to, and how far they disagree, (n, Z, S) each."""
    middle = mixed(levels, weights)
    return middle, spread_of(levels, weights, middle)


def _spanned(known: np.ndarray) -> float:
    """Steps that origins cover: gaps between the parts that they lie in do not count."""
    apart = np.diff(known)
    return float(np.minimum(apart, 2 * np.median(apart)).sum()) if apart.size else 0.0


def _learned(
    moments: Moments, known: np.ndarray, step: int, level: np.ndarray, spread: np.ndarray, error: np.ndarray,
    rows: np.ndarray, seed: int,
) -> Any:  # fmt: skip
    """A booster of the errors (n, Z) of some origins, in the zones' swings; None where too few were read."""
    origin, place, _ = thinned(np.where(rows[:, None], error, np.nan)[:, :, None], BUDGET)
    if origin.size < LEAST_ROWS:
        return None
    x = moments.rows(known[origin], place, step, level[origin, place], spread[origin, place])
    return train(_SETTINGS, x, (error[origin, place] / moments.swing[place]).astype(np.float32), origin, seed)


def _added(
    booster: Any, moments: Moments, known: np.ndarray, step: int, level: np.ndarray, spread: np.ndarray
) -> np.ndarray:
    """What a booster adds to forecasts (n, Z); some origins at a time."""
    zones = level.shape[1]
    out = np.empty(level.shape)
    chunk = max(1, _CHUNK // max(zones, 1))
    for first in range(0, len(level), chunk):
        part = slice(first, first + chunk)
        origin, place = (a.ravel() for a in np.indices(level[part].shape))
        x = moments.rows(known[part][origin], place, step, level[part].ravel(), spread[part].ravel())
        out[part] = (booster.inplace_predict(x) * moments.swing[place]).reshape(-1, zones)
    return out


def _gain(error: np.ndarray, added: np.ndarray, swing: np.ndarray) -> float:
    """By what share what is added makes the mean absolute error (n, Z) smaller; zones count alike."""
    heard = np.isfinite(error)
    before, after = (np.abs(np.where(heard, one, 0.0) / swing).sum() for one in (error, error - added))
    return 1.0 - float(after / max(before, 1e-12))

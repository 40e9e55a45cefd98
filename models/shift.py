"""Shift: what a family loses in zones and periods that it has not learned from.

`leave_zones_out` learns from some zones and forecasts the others; `leave_period_out` learns from everything but a
month, or the last days, and forecasts those. Both return losses by row, which `models.significance` compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.errors import SettingsError, ShortHistoryError
from models.learner import Learner
from models.rows import Rows
from models.tuning.folds import LEAST_ROWS
from models.tuning.scoring import as_class, longest, point_losses


@dataclass(frozen=True, eq=False)
class NewZones:
    """Losses in zones while they were left out; every array of losses has shape (n, Z, S), `nan` without an outcome.

    Attributes
    ----------
    loss : ndarray
        Of the learner that saw nothing of the zone.
    known : ndarray
        Of the same family when it learned from the zone, too.
    usual : ndarray
        Of the forecast "as usual".
    part : ndarray of int, shape (Z,)
        Which zones were left out together.
    donor : ndarray of int, shape (Z, K)
        Places of the zones whose part of the learner each zone borrowed, most similar first.
    """

    loss: np.ndarray
    known: np.ndarray
    usual: np.ndarray
    part: np.ndarray
    donor: np.ndarray

    @property
    def price(self) -> np.ndarray:
        """What being new costs: the share by which the loss is above that of a known zone, by zone and horizon."""
        return np.nanmean(self.loss, axis=0) / np.maximum(np.nanmean(self.known, axis=0), 1e-12) - 1

    @property
    def skill(self) -> np.ndarray:
        """Share of the usual value's loss saved in a new zone, by zone and horizon."""
        return 1 - np.nanmean(self.loss, axis=0) / np.maximum(np.nanmean(self.usual, axis=0), 1e-12)


def leave_zones_out(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    test: Rows,
    y_test: np.ndarray,
    *,
    zone_features: np.ndarray | None = None,
    parts: int = 5,
    donors: int = 1,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    loss: str | float = "absolute",
) -> NewZones:
    """Leave every zone out once, learn from the others, forecast it.

    Parameters
    ----------
    family : str or class of Learner
    rows, y
        Learned from, (n, Z, S).
    test, y_test
        Scored, later rows of the same zones.
    zone_features : ndarray or None, shape (Z, E)
        What each zone is like; tells which zones are similar. None takes what the rows say without any outcome: mean,
        spread and correlation with the first of each common feature over the rows learned from.
    parts : int
        The zones are left out in so many groups, drawn by `seed`; 5 learns from 80 %.
    donors : int
        A zone that was left out borrows the coefficients (scope "zone") or the vector (scope "city") of so many of the
        most similar zones learned from, and averages their forecasts.
    settings, seed, loss
        As for `models.tuning.tune`.

    Raises
    ------
    SettingsError
        Naming every argument that cannot be followed.

    Notes
    -----
    A new zone's rows are in its own scale, so that its usual day is taken as known: what is left out is what a learner
    takes from outcomes. Readings of a zone that was left out may still be inputs of its neighbours, as they would be on
    the day when its detector is new.
    """
    kind = as_class(family)
    zones = rows.shape[1]
    faults = []
    if y.shape != rows.shape or y_test.shape != test.shape:
        faults.append(f"outcomes have shapes {y.shape} and {y_test.shape}; the rows {rows.shape} and {test.shape}")
    if rows.shape[1:] != test.shape[1:]:
        faults.append(f"rows have {rows.shape[1:]} zones and horizons, test rows {test.shape[1:]}")
    if not 2 <= parts <= zones:
        faults.append(f"parts={parts}; between 2 and the number of zones, {zones}")
    elif not 1 <= donors <= zones - -(-zones // parts):
        faults.append(f"donors={donors}; between 1 and the zones learned from, {zones - -(-zones // parts)}")
    if zone_features is not None and len(zone_features) != zones:
        faults.append(f"zone_features of {len(zone_features)} zones; the rows have {zones}")
    if faults:
        raise SettingsError("zones cannot be left out: " + "; ".join(faults))
    settings = dict(settings or {})
    like = _standard(rows_alike(rows) if zone_features is None else np.asarray(zone_features, dtype=float))
    part = np.empty(zones, dtype=np.int64)
    part[np.random.default_rng(seed).permutation(zones)] = np.arange(zones) * parts // zones
    donor = np.empty((zones, donors), dtype=np.int64)
    forecast = np.zeros(test.shape, dtype=np.float32)
    for k in range(parts):
        out, stay = np.flatnonzero(part == k), np.flatnonzero(part != k)
        learner = kind(seed=seed, **settings)
        learner.fit(rows.pick(stay), y[:, stay], zone_features=None if zone_features is None else zone_features[stay])
        near = nearest(like[out], like[stay], donors)
        donor[out] = stay[near]
        new = test.pick(out)
        forecast[:, out] = np.mean([learner.predict(new, near[:, j]) for j in range(donors)], axis=0)
    whole = kind(seed=seed, **settings).fit(rows, y, zone_features=zone_features)
    return NewZones(
        point_losses(y_test, forecast, loss), point_losses(y_test, whole.predict(test), loss),
        point_losses(y_test, np.zeros((), np.float32), loss), part, donor,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class NewPeriod:
    """Losses in a period that was left out; losses have shape (m, Z, S), `nan` without an outcome.

    Attributes
    ----------
    loss : ndarray
        Of the learner that saw nothing of the period.
    usual : ndarray
        Of the forecast "as usual".
    rows : ndarray of int, shape (m,)
        Places of the rows scored.
    learned : int
        Rows learned from.
    """

    loss: np.ndarray
    usual: np.ndarray
    rows: np.ndarray
    learned: int

    @property
    def skill(self) -> np.ndarray:
        """Share of the usual value's loss saved, by zone and horizon."""
        return 1 - np.nanmean(self.loss, axis=0) / np.maximum(np.nanmean(self.usual, axis=0), 1e-12)


def leave_period_out(
    family: str | type[Learner],
    rows: Rows,
    y: np.ndarray,
    *,
    period: np.ndarray,
    leave: Sequence[int] | None = None,
    last: int | None = None,
    past_only: bool = False,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
    loss: str | float = "absolute",
    zone_features: np.ndarray | None = None,
) -> NewPeriod:
    """Leave some periods out, learn from the rest, forecast them.

    Parameters
    ----------
    family, rows, y, settings, seed, loss, zone_features
        As for `models.tuning.tune`.
    period : ndarray of int, shape (n,)
        Which period each row is in: its month, its local day.
    leave : sequence of int or None
        Periods left out.
    last : int or None
        Leave the last so many out; give this or `leave`.
    past_only : bool
        Learn from what came before the first period left out alone; otherwise later rows teach, too, which asks how a
        model does in a season that it has not seen, not how it would have done then.

    Raises
    ------
    SettingsError
        Naming every argument that cannot be followed.
    ShortHistoryError
        If fewer than 20 rows are left to learn from.

    Notes
    -----
    Rows within the longest horizon of a period left out, on either side, are not learned from: their outcomes lie in
    it, or the outcomes forecast lie in their past.
    """
    kind = as_class(family)
    faults = []
    if y.shape != rows.shape:
        faults.append(f"y has shape {y.shape}; the rows have {rows.shape}")
    if np.shape(period) != rows.shape[:1]:
        faults.append(f"period has shape {np.shape(period)}; one number for each of {rows.shape[0]} rows")
    numbers = np.unique(period)
    if (leave is None) == (last is None):
        faults.append("give either `leave` or `last`")
    elif leave is not None and (missing := sorted(set(map(int, leave)) - set(numbers.tolist()))):
        faults.append(f"no rows in periods {missing}; there are {numbers[:3].tolist()} to {int(numbers[-1])}")
    elif last is not None and not 1 <= last < numbers.size:
        faults.append(f"last={last}; between 1 and {numbers.size - 1}")
    if faults:
        raise SettingsError("no period can be left out: " + "; ".join(faults))
    out = np.isin(period, numbers[-last:] if last is not None else np.asarray(leave))
    scored = np.flatnonzero(out)
    blocked = _within(out, longest(rows))
    if past_only:
        blocked[scored[0] :] = True
    kept = np.flatnonzero(~blocked)
    if kept.size < LEAST_ROWS:
        raise ShortHistoryError(
            f"{kept.size} rows are left to learn from, {scored.size} are left out and {longest(rows)} on either side;"
            f" at least {LEAST_ROWS}: leave a shorter period out"
        )
    learner = kind(seed=seed, **(settings or {}))
    learner.fit(rows.take(kept), y[kept], zone_features=zone_features)
    forecast = learner.predict(rows.take(scored))
    usual = point_losses(y[scored], np.zeros((), np.float32), loss)
    return NewPeriod(point_losses(y[scored], forecast, loss), usual, scored, int(kept.size))


def nearest(of: np.ndarray, among: np.ndarray, count: int) -> np.ndarray:
    """Places in `among` (M, E) of the `count` nearest to each of `of` (N, E), shape (N, count), nearest first."""
    out = np.empty((of.shape[0], count), dtype=np.int64)
    for k, row in enumerate(of):
        out[k] = np.argsort(((among - row) ** 2).sum(axis=1), kind="stable")[:count]
    return out


def rows_alike(rows: Rows) -> np.ndarray:
    """What rows say of each zone without outcomes: mean, spread, correlation with the first feature, (Z, 3 F1)."""
    x = rows.common
    mean, spread = x.mean(axis=0, dtype=float), x.std(axis=0, dtype=float)
    both = np.einsum("nz,nzf->zf", x[:, :, 0], x, dtype=float) / x.shape[0] - mean[:, :1] * mean
    with_first = both / np.maximum(spread[:, :1] * spread, 1e-9)
    return np.concatenate([mean, spread, with_first], axis=1)


def _within(marked: np.ndarray, reach: int) -> np.ndarray:
    """Whether any row at most `reach` away is marked."""
    count = np.concatenate([[0], np.cumsum(marked)])
    at = np.arange(marked.size)
    return count[np.minimum(at + reach + 1, marked.size)] > count[np.maximum(at - reach, 0)]


def _standard(features: np.ndarray) -> np.ndarray:
    """Columns with mean 0 and spread 1; unknown values count as the mean."""
    known = np.isfinite(features)
    n = np.maximum(known.sum(axis=0), 1)
    off = np.where(known, features - np.where(known, features, 0).sum(axis=0) / n, 0.0)
    spread = np.sqrt((off**2).sum(axis=0) / n)
    return off / np.where(spread > 1e-12, spread, 1.0)

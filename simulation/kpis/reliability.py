"""Reliability of travel: how much the time of a journey differs from day to day.

The days are the replications (and the days of each): the same hour of the same journey under other luck. The standard
deviation is the measure of appraisal guides (OECD/ITF 2016, doi:10.1787/9789282107898-en, reviews them); planning time
and buffer index are those of US FHWA (2006), Travel Time Reliability: Making It There On Time, All The Time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import t as student

COLUMNS = ("quantity", "scope", "zone_id", "unit", "base", "scenario_value", "effect", "lower", "upper", "n")


def reliability_effects(
    base_s: Sequence[np.ndarray],
    changed_s: Sequence[np.ndarray],
    weight: np.ndarray,
    zone_ids: Sequence[str],
    *,
    hours: int = 1,
    confidence: float = 0.90,
) -> pd.DataFrame:
    """How reliability changes, for the city and by zone of origin.

    A figure of a journey is computed over days for each hour of day by itself, so that the daily rhythm does not count
    as unreliability, then averaged over hours and journeys by their trips.

    Parameters
    ----------
    base_s, changed_s : sequences of ndarray, shape (D * hours, P, P), length n
        Times from place to place of each replication, days one after the other, s.
    weight : ndarray, shape (P, P)
        Trips.
    zone_ids : sequence of str
        Of the first places.
    hours : int
        Hours of each day.
    confidence : float

    Returns
    -------
    DataFrame
        `travel_time_sd_s` and `travel_time_cv` with intervals by the jackknife over replications (pairs left out one at
        a time; Efron & Stein 1981, doi:10.1214/aos/1176345462); `planning_time_index` (95th percentile over the least
        time) and `buffer_index` (95th percentile over the mean, less 1) without, since no resampling of a handful of
        days tells how sure a 95th percentile is. Empty where there are fewer than two days.
    """
    n = len(base_s)
    before, after = np.stack(base_s), np.stack(changed_s)  # (n, K, P, P)
    if n == 0 or (n * before.shape[1]) // hours < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    zones = len(zone_ids)
    rows = []
    for name, unit, figure, sure in _FIGURES:
        values = [_by_origin(figure(_days(side, hours)), weight, zones) for side in (before, after)]
        half = np.full(zones + 1, np.nan)
        effect = values[1] - values[0]
        if sure and n > 2:
            left = np.stack([
                np.subtract(*(_by_origin(figure(_days(np.delete(side, k, axis=0), hours)), weight, zones)
                              for side in (after, before)))
                for k in range(n)
            ])  # fmt: skip
            spread = np.sqrt((n - 1) / n * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
            half = student.ppf(0.5 + confidence / 2, n - 1) * spread
        for k in range(zones + 1):
            scope, zone = ("city", "") if k == zones else ("zone", str(zone_ids[k]))
            rows.append((
                name, scope, zone, unit, values[0][k], values[1][k], effect[k], effect[k] - half[k],
                effect[k] + half[k], n,
            ))  # fmt: skip
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table[table["effect"].notna()].reset_index(drop=True)


def _days(times: np.ndarray, hours: int) -> np.ndarray:
    """(n, D * hours, P, P) as (days in all, hours, P, P)."""
    n, k, p, _ = times.shape
    return times.reshape(n * (k // hours), hours, p, p).astype(float)


def _sd(t: np.ndarray) -> np.ndarray:
    return np.asarray(t.std(axis=0, ddof=1)) if len(t) > 1 else np.full(t.shape[1:], np.nan)


def _cv(t: np.ndarray) -> np.ndarray:
    return _over(_sd(t), t.mean(axis=0))


def _planning(t: np.ndarray) -> np.ndarray:
    return _over(np.quantile(t, 0.95, axis=0), t.min(axis=0))


def _buffer(t: np.ndarray) -> np.ndarray:
    return _over(np.quantile(t, 0.95, axis=0), t.mean(axis=0)) - 1.0


def _over(value: np.ndarray, base: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(value, base, out=np.full(value.shape, np.nan), where=base > 0))


Figure = Callable[[np.ndarray], np.ndarray]
_FIGURES: tuple[tuple[str, str, Figure, bool], ...] = (
    ("travel_time_sd_s", "s", _sd, True), ("travel_time_cv", "1", _cv, True),
    ("planning_time_index", "1", _planning, False), ("buffer_index", "1", _buffer, False),
)  # fmt: skip


def _by_origin(value: np.ndarray, weight: np.ndarray, zones: int) -> np.ndarray:
    """Means by trips from each zone, then over all places. (hours, P, P) to (zones + 1,)."""
    known = np.isfinite(value)
    total = (np.where(known, value, 0.0) * weight).sum(axis=(0, 2))
    trips = (known * weight).sum(axis=(0, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.append((total / trips)[:zones], total.sum() / trips.sum())

"""Which method reconciles: chosen for each horizon on errors left out, so that the city is not made worse.

Optimal weights rest on covariances that a few weeks tell badly: where all zones err together, what does not add up is
small, and MinT magnifies it. So each method is judged on thirds of the record that its own weights did not see. The
city's own forecast is kept, and the others made to fit it, unless a method makes the city better clear of chance (the
one-sided 95 % bound of Student's t over stretches of days as long as the horizon reaches; six ask for twice a standard
error, many for 1.64); of those that may serve, the one that errs least over the levels does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from models.reconciling.projection import METHODS, Method, error_matrix, mapping
from models.tuning.scoring import standard_error

KEPT: Method = "city_kept"
_FOLDS = 3
_SURE = 0.95


def chosen_methods(
    upper: np.ndarray, errors: np.ndarray, day: np.ndarray, reach: Sequence[int] | None = None
) -> tuple[Method, ...]:
    """The method for each horizon.

    Parameters
    ----------
    upper : ndarray, shape (M, Z)
        See `Hierarchy.upper`; the first row is the city's.
    errors : ndarray, shape (n, M + Z, S)
        Of the base forecasts out of fold, oldest first; `nan` where there was no reading.
    day : ndarray of int, shape (n,)
        Local day of each row.
    reach : sequence of int or None, length S
        Whole days that each horizon spans: forecasts so far ahead err alike on as many days more. None takes 0.

    Returns
    -------
    tuple of str, length S
    """
    spans = [1 + more for more in reach or (0,) * errors.shape[2]]
    return tuple(_chosen(upper, errors[:, :, s], day, span) for s, span in enumerate(spans))


def _chosen(upper: np.ndarray, errors: np.ndarray, day: np.ndarray, span: int) -> Method:
    days = np.unique(day)
    if days.size < _FOLDS:
        return KEPT
    fold = np.searchsorted(days, day) * _FOLDS // days.size
    base = _daily(np.abs(errors), errors, day, len(upper))
    best, least = KEPT, np.inf
    for method in METHODS:
        left = np.full_like(errors, np.nan)
        for k in range(_FOLDS):
            w = error_matrix(method, upper, errors[fold != k])
            left[fold == k] = reconciled_errors(upper, w, errors[fold == k])
        daily = _daily(np.abs(left), errors, day, len(upper))
        gain = daily[:, 0] - base[:, 0]
        known = _means(gain[np.isfinite(gain)], span)
        clear = known.size > 1 and known.mean() < -_bound(known.size) * float(standard_error(known[:, None])[0])
        total = float(np.nanmean(daily))
        if (method == KEPT or clear) and total < least:
            best, least = method, total
    return best


def _means(gain: np.ndarray, span: int) -> np.ndarray:
    """Means of consecutive stretches of at least `span` days."""
    count = gain.size // span
    return np.array([part.mean() for part in np.array_split(gain, count)]) if count else gain[:0]


def _bound(parts: int) -> float:
    """Standard errors that a gain over some independent stretches of days must exceed."""
    return float(stats.t.ppf(_SURE, parts - 1))


def reconciled_errors(upper: np.ndarray, w: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Errors (n, N) that forecasts reconciled with the matrix `w` would have had; a gap counts as no error."""
    both = np.vstack([upper, np.eye(upper.shape[1])]) @ mapping(upper, w)
    out: np.ndarray = np.where(np.isfinite(errors), np.nan_to_num(errors) @ both.T, np.nan)
    return out


def _daily(loss: np.ndarray, errors: np.ndarray, day: np.ndarray, uppers: int) -> np.ndarray:
    """Mean loss by day and level (city, districts, zones), shape (days, 3), in the nodes' own mean errors."""
    unit = np.nanmean(np.abs(errors), axis=0)
    share = loss / np.where(unit > 0, unit, 1.0)
    place = np.unique(day, return_inverse=True)[1]
    parts: Sequence[slice] = (slice(0, 1), slice(1, uppers), slice(uppers, None))
    out = np.full((int(place.max()) + 1, len(parts)), np.nan)
    for column, part in enumerate(parts):
        block = share[:, part]
        known = np.isfinite(block)
        total = np.bincount(place, np.where(known, block, 0.0).sum(axis=1), len(out))
        count = np.bincount(place, known.sum(axis=1).astype(float), len(out))
        out[:, column] = np.divide(total, count, out=np.full(len(out), np.nan), where=count > 0)
    return out

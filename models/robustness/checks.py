"""Checks: running statistics of readings that tell a fault from a day like others, each up to its own time.

Every statistic is compared with what hardly any reading reached while habits were learned, so that little of what is
sound is refused; how much, is measured.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.monitoring.inputs import runs, same_as_last

WINDOWS_H = (1.0, 6.0, 24.0)  # over which what companions do not explain is averaged (assumed)
NOISE_H = 6.0  # and over which its size is (assumed)
CLOCK_H = 24.0  # over which a clock is compared with the usual day (assumed)
SLIPS_MIN = (-120, -60, -30, -15, 15, 30, 60, 120)  # that a clock may be wrong by, minutes
STUCK_H = 1.0  # shortest run of one value that is believed to be stuck (assumed)
UNIT_H = 6.0  # over which readings are held against what is expected, to tell a wrong unit (assumed)
#: Miles an hour for km/h, m/s for km/h, m/s for mph, quarter hours for hours, minutes for hours, days for hours.
UNIT_FACTORS = (1.609344, 3.6, 2.2369363, 4.0, 60.0, 24.0, 1000.0)
UNIT_NEAR = 0.12  # largest distance of log ratios that is still that factor (assumed)
#: Share of good readings whose statistic lies below what is called large, before the margin. Of 0.995, 0.998, 0.999 and
#: 1 the smallest that keeps the cost on clean readings under half a percent (measured by `life/robustness`).
GOOD_SHARE = 0.998
LEAST_HEARD = 0.5  # of a window's readings, without which nothing is said (assumed)


def moving(values: np.ndarray, width: int, least: float = LEAST_HEARD) -> np.ndarray:
    """Means of the last `width` rows of (t, Z), gaps left out; `nan` where fewer than a share `least` is known."""
    known = np.isfinite(values)
    total = np.cumsum(np.where(known, values, 0.0), axis=0)
    count = np.cumsum(known, axis=0)
    total[width:] -= total[:-width].copy()
    count[width:] -= count[:-width].copy()
    return np.where(count >= max(1.0, least * width), total / np.maximum(count, 1), np.nan)


def rows_of(hours: float, step_s: int) -> int:
    """Steps in some hours, at least 1."""
    return max(1, round(hours * 3600 / step_s))


def level_statistics(left: np.ndarray, step_s: int) -> np.ndarray:
    """Mean of what is left over each of `WINDOWS_H`, shape (W, t, Z)."""
    return np.stack([moving(np.clip(left, -50, 50), rows_of(hours, step_s)) for hours in WINDOWS_H])


def noise_statistic(left: np.ndarray, step_s: int) -> np.ndarray:
    """Mean size of the steps from reading to reading of what is left, shape (t, Z)."""
    step = np.abs(np.diff(np.clip(left, -50, 50), axis=0, prepend=np.nan))
    return moving(step, max(2, rows_of(NOISE_H, step_s)))


def run_lengths(reading: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of one value above 0, and of zeros, as steps beyond the first, shape (t, Z) each."""
    same = same_as_last(reading)
    at_zero = reading == 0
    gap = ~np.isfinite(reading)  # a gap does not end a run
    above = runs(np.where(gap, True, same & ~at_zero)) * ~gap
    return above, runs(np.where(gap, True, same & at_zero)) * ~gap


def slips(step_s: int) -> tuple[int, ...]:
    """`SLIPS_MIN` that are whole steps of the grid, in steps."""
    return tuple(m * 60 // step_s for m in SLIPS_MIN if m * 60 % step_s == 0)


def clock_statistics(
    value: np.ndarray, usual_at: Callable[[int], np.ndarray], around: np.ndarray, scale: np.ndarray, step_s: int
) -> np.ndarray:
    """How much better the last day fits a clock that is wrong by each slip, shape (L, t, Z).

    Parameters
    ----------
    value : ndarray, shape (t, Z)
        On the target's scale.
    usual_at : callable
        Usual values (t, Z) of so many steps before each row, on the target's scale.
    around : ndarray, shape (t, Z)
        Deviation that companions make one expect, in `scale`.
    scale : ndarray, shape (Z,)

    Notes
    -----
    The share of the squared misfit to the usual day that goes away when the usual day is moved by the slip: readings
    that are shown `l` late fit what was usual `l` before. On a holiday the day moves for the companions, too: what they
    share is taken off first.
    """
    width = rows_of(CLOCK_H, step_s)
    now = moving(np.minimum(((value - usual_at(0)) / scale - around) ** 2, 25.0), width)
    found = []
    for slip in slips(step_s):
        beside = shifted(around, max(slip, 0))
        then = moving(np.minimum(((value - usual_at(slip)) / scale - beside) ** 2, 25.0), width)
        found.append(np.maximum(1.0 - then / np.maximum(now, 1e-9), 0.0))
    return np.stack(found) if found else np.zeros((0, *value.shape))


def ratio_statistic(value: np.ndarray, expected: np.ndarray, step_s: int) -> np.ndarray:
    """Logarithm of what was read over what was to be expected in the last hours, both in the target's unit (t, Z)."""
    both = np.isfinite(value) & np.isfinite(expected)
    width = rows_of(UNIT_H, step_s)
    read = moving(np.where(both, value, np.nan), width)
    wait = moving(np.where(both, expected, np.nan), width)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((read > 0) & (wait > 0), np.log(read / wait), np.nan)


def nearest_factor(ratio: np.ndarray) -> np.ndarray:
    """Factor between units that a log ratio lies at; `nan` where there is none near."""
    known = np.log(np.concatenate([UNIT_FACTORS, 1 / np.asarray(UNIT_FACTORS)]))
    away = np.abs(np.nan_to_num(ratio, nan=99.0)[..., None] - known)
    best = away.argmin(axis=-1)
    near = np.take_along_axis(away, best[..., None], axis=-1)[..., 0] <= UNIT_NEAR
    return np.where(near, np.exp(known[best]), np.nan)


def shifted(array: np.ndarray, rows: int) -> np.ndarray:
    """Row `t - rows` at row `t`, the first row before that; `rows` is not negative."""
    return array[np.maximum(np.arange(len(array)) - rows, 0)]


def largest(statistic: np.ndarray, margin: float) -> np.ndarray:
    """`margin` times what `GOOD_SHARE` of a zone's statistics stay below, or those of half of the zones: (..., Z)."""
    known = np.isfinite(statistic)
    own = np.quantile(np.where(known, np.abs(statistic), 0.0), GOOD_SHARE, axis=-2)
    heard = known.any(axis=-2)
    shared = np.array([np.median(o[h]) if h.any() else np.inf for o, h in zip(_flat(own), _flat(heard))])
    return np.asarray(margin * np.maximum(own, shared.reshape(*own.shape[:-1], 1)))


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1, array.shape[-1])


def above(statistic: np.ndarray, limit: np.ndarray) -> np.ndarray:
    """Whether each exceeds its limit (..., Z); what is not known does not."""
    return np.asarray(np.nan_to_num(np.abs(statistic)) > limit[..., None, :])

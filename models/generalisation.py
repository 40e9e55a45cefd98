"""Generalisation: how much worse the test part came out than the validation, and whether data or model is to blame.

The naive model learns next to nothing, so that its own gap is what the data did (*shift*); what a model's gap exceeds
it by is *optimism*: the validation promised more than the model keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from models.backtest import block_sums
from models.errors import SettingsError
from models.tuning.scoring import standard_error

EXPLAIN_OPTIMISM = 0.03  # optimism above this share asks for an explanation (assumption)


@dataclass(frozen=True, eq=False)
class GapReport:
    """Gaps between validation and test as shares of the validation's loss, with intervals.

    Every array has shape (Z + 1, H); row 0 holds all zones together. `(1 + total) = (1 + shift) (1 + optimism)`.

    Attributes
    ----------
    total, shift, optimism : ndarray
        0.05: 5 % more loss in the test part than in the validation.
    low, high : ndarray
        Interval of `optimism` at `level`.
    shift_low, shift_high : ndarray
        Interval of `shift`.
    """

    total: np.ndarray
    shift: np.ndarray
    optimism: np.ndarray
    low: np.ndarray
    high: np.ndarray
    shift_low: np.ndarray
    shift_high: np.ndarray
    level: float

    @property
    def to_explain(self) -> np.ndarray:
        """Where optimism is above 3 % and clear of chance, shape (Z + 1, H)."""
        return (self.optimism > EXPLAIN_OPTIMISM) & (self.low > 0)

    def words(self, zone: int = -1, horizon: int = 0) -> str:
        """One horizon in a sentence, of all zones together (-1) or of the zone at a place."""
        at = (zone + 1, horizon)
        if not np.isfinite(self.total[at]):
            return "the gap between validation and test cannot be told: nothing was scored in one of them"
        total, shift, optimism = (100 * float(part[at]) for part in (self.total, self.shift, self.optimism))
        low, high = 100 * float(self.low[at]), 100 * float(self.high[at])
        return (
            f"the test part lost {abs(total):.1f} % {'more' if total >= 0 else 'less'} than the validation:"
            f" {shift:+.1f} % because the data changed (the naive model's own gap), {optimism:+.1f} % optimism"
            f" ({100 * self.level:.0f} % interval {low:.1f} to {high:.1f})"
            + ("; this asks for an explanation" if self.to_explain[at] else "")
        )


def generalisation_gap(
    validation: np.ndarray,
    naive_validation: np.ndarray,
    day_validation: np.ndarray,
    test: np.ndarray,
    naive_test: np.ndarray,
    day_test: np.ndarray,
    *,
    level: float = 0.9,
) -> GapReport:
    """Split the gap between validation and test losses into shift of the data and optimism.

    Parameters
    ----------
    validation, naive_validation : ndarray, shape (n, Z, H)
        Losses of the model and of the naive model on the rows of the validation, in one unit; `nan` where there are
        none. The naive model should fail of the same causes: "as last reading" at short horizons, "as usual" at long
        ones; a poor choice of it widens the interval of what is left.
    day_validation : ndarray of int, shape (n,)
        Day of each row, never falling.
    test, naive_test, day_test
        The same of the test part.
    level : float
        Of the intervals.

    Raises
    ------
    SettingsError
        If shapes do not fit.

    Notes
    -----
    Gaps are logarithms of ratios of mean losses, so that they add up. Their variance is that of the days' shares in
    them (linearised, corrected for dependence from day to day, see `standard_error`), validation and test apart; the
    interval takes Student's t with Welch's degrees of freedom (Welch 1947, doi:10.1093/biomet/34.1-2.28). With the same
    model at work in both, only optimism above chance is left to explain.
    """
    shapes = [part.shape for part in (validation, naive_validation, test, naive_test)]
    if shapes[0] != shapes[1] or shapes[2] != shapes[3] or shapes[0][1:] != shapes[2][1:] or len(shapes[0]) != 3:
        raise SettingsError(
            f"losses have shapes {shapes}; the first two and the last two must be alike, all (n, zones, horizons) with"
            " the same zones and horizons"
        )
    parts = [_logs(validation, naive_validation, day_validation), _logs(test, naive_test, day_test)]
    total = parts[1].model - parts[0].model
    shift = parts[1].naive - parts[0].naive
    reach, shift_reach = (
        _reach([getattr(p, name) for p in parts], [p.days for p in parts], level) for name in ("se", "naive_se")
    )
    optimism = total - shift
    return GapReport(
        total=np.expm1(total),
        shift=np.expm1(shift),
        optimism=np.expm1(optimism),
        low=np.expm1(optimism - reach),
        high=np.expm1(optimism + reach),
        shift_low=np.expm1(shift - shift_reach),
        shift_high=np.expm1(shift + shift_reach),
        level=level,
    )


@dataclass(frozen=True, eq=False)
class _Logs:
    """Logarithms of mean losses of one part, shape (Z + 1, H), and errors of their difference and of the naive one."""

    model: np.ndarray
    naive: np.ndarray
    se: np.ndarray
    naive_se: np.ndarray
    days: np.ndarray


def _logs(model: np.ndarray, naive: np.ndarray, day: np.ndarray) -> _Logs:
    known = np.isfinite(model) & np.isfinite(naive)
    block = np.unique(day, return_inverse=True)[1]
    sums = [block_sums(np.where(known, loss, 0.0), block) for loss in (model, naive)]
    sums.append(block_sums(known, block))
    m, n, count = (np.concatenate([s.sum(axis=1, keepdims=True), s], axis=1) for s in sums)
    heard = count.sum(axis=0)
    usable = (heard > 0) & (m.sum(axis=0) > 0) & (n.sum(axis=0) > 0)
    scale = np.where(usable, heard, np.nan)
    mean_m, mean_n = m.sum(axis=0) / scale, n.sum(axis=0) / scale
    days = (count > 0).sum(axis=0)
    own, other = m / (mean_m * scale / len(m)), n / (mean_n * scale / len(n))
    size = count / (scale / len(count))
    return _Logs(
        np.log(mean_m), np.log(mean_n), _spread(own - other, usable), _spread(other - size, usable), days
    )  # fmt: skip


def _spread(share: np.ndarray, usable: np.ndarray) -> np.ndarray:
    return np.where(usable, standard_error(np.where(usable, share, 0.0)), np.nan)


def _reach(errors: list[np.ndarray], days: list[np.ndarray], level: float) -> np.ndarray:
    """Half the width of an interval for a difference of two parts."""
    squares = [error**2 for error in errors]
    total = squares[0] + squares[1]
    apart = sum(square**2 / np.maximum(n - 1, 1) for square, n in zip(squares, days))
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = np.where(apart > 0, total**2 / apart, 1.0)
    freedom = np.where(np.isfinite(freedom), freedom, 1.0)
    return stats.t.ppf((1 + level) / 2, np.maximum(freedom, 1.0)) * np.sqrt(total)

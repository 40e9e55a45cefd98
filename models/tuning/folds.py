"""Rolling folds: fit on the rows before, score on the block after, with a gap so that no outcome is known too early."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.errors import SettingsError, ShortHistoryError

FIRST_SHARE = 0.5  # of the rows that the first fold may fit on: assumption, half of the history is a history
LEAST_ROWS = 20  # to fit on; assumption: below it no family can tell a setting from another


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows to fit on and rows to score, both contiguous; `fit.stop + gap <= score.start`."""

    fit: slice
    score: slice


def rolling_folds(
    n: int, *, folds: int = 3, gap: int, first: float = FIRST_SHARE, day: np.ndarray | None = None
) -> tuple[Fold, ...]:
    """Folds with a rolling origin over `n` rows, oldest first.

    Parameters
    ----------
    n : int
        Rows, one a step.
    folds : int
        Blocks scored, of about equal length; together they are the rows after the first `first * n`.
    gap : int
        Rows left out between those fitted on and those scored: the longest horizon in rows, so that every outcome
        fitted on was known when the first scored forecast was made.
    first : float, 0 to 1
        Share of the rows before the first block scored.
    day : ndarray of int, shape (n,), or None
        Local day of each row, not falling: blocks then begin with a day, where there are at least as many days as
        folds to score.

    Raises
    ------
    SettingsError
        Naming every argument out of range.
    ShortHistoryError
        If the first fold has fewer than 20 rows to fit on, or a block has none to score.

    References
    ----------
    Tashman (2000), doi:10.1016/S0169-2070(00)00065-0 (rolling origins);
    Bergmeir & Benitez (2012), doi:10.1016/j.ins.2011.12.028 (a gap against dependence)

    Examples
    --------
    >>> [(f.fit.stop, f.score.start, f.score.stop) for f in rolling_folds(100, folds=2, gap=4)]
    [(46, 50, 75), (71, 75, 100)]
    """
    faults = []
    if folds < 1:
        faults.append(f"folds={folds}, at least 1")
    if gap < 0:
        faults.append(f"gap={gap} rows, at least 0")
    if not 0 < first < 1:
        faults.append(f"first={first:g}, between 0 and 1")
    if day is not None and np.shape(day) != (n,):
        faults.append(f"day has shape {np.shape(day)}, one number for each of the {n} rows")
    elif day is not None and n and (np.diff(day) < 0).any():
        faults.append("day falls; rows are oldest first")
    if faults:
        raise SettingsError("folds cannot be made of these: " + "; ".join(faults))
    cuts = np.round(np.linspace(first * n, n, folds + 1)).astype(int)
    if day is not None and n:
        cuts = _at_days(cuts, np.flatnonzero(np.diff(day, prepend=day[0] - 1)))
    if cuts[0] - gap < LEAST_ROWS or (np.diff(cuts) < 1).any():
        raise ShortHistoryError(
            f"{n} rows are too few for {folds} folds: the first would fit on {max(cuts[0] - gap, 0)} rows (at least"
            f" {LEAST_ROWS}; {gap} are left out before the block scored, the longest horizon) and the blocks scored"
            f" have {np.diff(cuts).tolist()}; take fewer folds, shorter horizons or a longer history"
        )
    return tuple(Fold(slice(0, int(a) - gap), slice(int(a), int(b))) for a, b in pairwise(cuts))


def blocks_of(n: int, day: np.ndarray | None, parts: int = 10) -> np.ndarray:
    """Block of each of `n` rows scored, numbered from 0: its day, or one of `parts` where days are not known or one."""
    if day is not None and day[-1] > day[0]:
        return np.unique(day, return_inverse=True)[1]
    return np.arange(n) * min(parts, n) // max(n, 1)


def _at_days(cuts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Cuts moved to the nearest start of a day, where they stay apart."""
    nearest = starts[np.abs(starts[None, :] - cuts[:-1, None]).argmin(axis=1)]
    moved = np.append(nearest, cuts[-1])
    return moved if (np.diff(moved) > 0).all() and moved[0] > 0 else cuts

"""Changepoints: days on which a zone's level changed for good, with what is not known of date and size.

The best division of the days into stretches of one level, found exactly; each further change must lower the squared
error by more than a penalty that grows with what a mean of such days scatters by.

References
----------
Killick et al. (2012), doi:10.1080/01621459.2012.737745 (penalised least squares, found exactly)
Hansen (2000), doi:10.1111/1468-0262.00124 (interval of a date)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from models.outlook.memory import fitted, held, noise, whitened
from models.outlook.trend import SEASON_DAYS, design

LEAST_DAYS = 28  # known days without which no change is looked for (assumed)
SHORTEST = 7  # days that a level must last to be one (assumed)
#: Penalty of a change in long-run variances and logarithms of the number of days; false alarms are measured with it.
PENALTY = 3.0
_FEW = 30.0  # days at which the penalty is doubled, since the scatter itself is little known (assumed)
LEVEL = 0.9
#: 90 % point of the likelihood ratio of a date: -2 log(1 - sqrt(0.9)) (Hansen 2000).
_DATE = 5.94


@dataclass(frozen=True)
class Change:
    """One change of level.

    Attributes
    ----------
    day, first, last : int
        First day of the new level, and the earliest and latest that fit as well; counted from 1970-01-01.
    size, low, high : float
        New level less the old one, in the target's unit, with an interval of 90 %.
    """

    day: int
    first: int
    last: int
    size: float
    low: float
    high: float


def changes(day: np.ndarray, value: np.ndarray, *, penalty: float = PENALTY) -> list[Change]:
    """Changes of level in one zone's daily values, oldest first.

    Parameters
    ----------
    day : ndarray of int, shape (D,)
        Without a gap.
    value : ndarray, shape (D,)
        `nan` for gaps.
    penalty : float

    Notes
    -----
    A steady trend looks like many small steps: where a straight line tells the days better than steps do, by the
    Bayesian information criterion, there are none.
    """
    known = np.isfinite(value)
    if known.sum() < LEAST_DAYS:
        return []
    at, y = day[known], held(value)[known]
    if at[-1] - at[0] >= SEASON_DAYS:
        wave = design(at, (), slope=False, seasons=True)
        y = y - wave[:, 1:] @ fitted(wave, y, at)[0][1:]
    full = np.full(day.size, np.nan)
    full[known] = y
    _, sigma = noise(full)
    if not np.isfinite(sigma) or sigma <= 0:
        return []
    doubt = 1 + (_FEW / y.size) ** 2
    cuts = divided(y, penalty * doubt * sigma**2 * np.log(y.size))
    if not cuts or _steady(at, y, cuts):
        return []
    edges = [0, *cuts, y.size]
    return [_told(at, y, edges[k], edges[k + 1], edges[k + 2], sigma) for k in range(len(cuts))]


def divided(value: np.ndarray, cost: float) -> list[int]:
    """Places at which a new level begins: the division of least squared error plus `cost` a change."""
    n = value.size
    total, square = np.concatenate([[0.0], np.cumsum(value)]), np.concatenate([[0.0], np.cumsum(value**2)])
    best, back = np.full(n + 1, np.inf), np.zeros(n + 1, dtype=np.int64)
    best[0] = -cost
    for end in range(SHORTEST, n + 1):
        start = np.arange(0, end - SHORTEST + 1)
        mean = (total[end] - total[start]) ** 2 / (end - start)
        found = best[start] + square[end] - square[start] - mean + cost
        back[end] = int(np.argmin(found))
        best[end] = found[back[end]]
    cuts: list[int] = []
    end = n
    while back[end] > 0:
        end = int(back[end])
        cuts.append(end)
    return cuts[::-1]


def _steady(day: np.ndarray, value: np.ndarray, cuts: list[int]) -> bool:
    """Whether a straight line tells the days better than steps."""
    line = design(day, (), slope=True, seasons=False)
    level = design(day, tuple(int(day[c]) for c in cuts), slope=False, seasons=False)
    memory = fitted(level, value, day)[2]  # the same for both: a step that is missed looks like memory
    return bool(_criterion(line, value, day, memory, 0) <= _criterion(level, value, day, memory, len(cuts)))


def _criterion(x: np.ndarray, y: np.ndarray, day: np.ndarray, memory: float, dates: int) -> float:
    moved = whitened(np.column_stack([x, y]), day, memory)
    beta = np.linalg.lstsq(moved[:, :-1], moved[:, -1], rcond=None)[0]
    rest = float(((moved[:, -1] - moved[:, :-1] @ beta) ** 2).sum())
    return y.size * np.log(max(rest, 1e-300)) + (x.shape[1] + dates) * np.log(y.size)


def _told(day: np.ndarray, value: np.ndarray, a: int, cut: int, b: int, sigma: float) -> Change:
    """Size and date of the change at `cut` between the changes (or ends) at `a` and `b`."""
    part = value[a:b]
    size = float(value[cut:b].mean() - value[a:cut].mean())
    half = float(norm.ppf(0.5 + LEVEL / 2) * sigma * np.sqrt(1 / (cut - a) + 1 / (b - cut)))
    inside = np.arange(1, part.size)
    total = np.cumsum(part)[:-1]
    fit = total**2 / inside + (part.sum() - total) ** 2 / (part.size - inside)
    near = inside[fit[cut - a - 1] - fit <= _DATE * sigma**2]
    return Change(
        day=int(day[cut]), first=int(day[a + near.min()]), last=int(day[a + near.max()]), size=size, low=size - half,
        high=size + half,
    )  # fmt: skip

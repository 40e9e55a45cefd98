"""Horizons: the anchors that models are fitted for, on any step, and what lies between them.

A horizon of h seconds refers to the interval that ends h after the forecast origin; in steps, 1 is the very next
interval. Anchors are fixed in time, so that a 5-minute, a 15-minute and an hourly panel are asked the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.errors import HorizonError

#: Anchor horizons, in steps of 15 minutes: dense in the next hours, sparser to a day.
ANCHOR_STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96)
_ANCHOR_UNIT_S = 900


def anchor_steps(step_s: int) -> tuple[int, ...]:
    """Anchor horizons in steps of `step_s` seconds: the very next interval, then the anchors that fall on the grid.

    Examples
    --------
    >>> anchor_steps(3600)
    (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24)
    """
    steps = {anchor * _ANCHOR_UNIT_S // step_s for anchor in ANCHOR_STEPS if anchor * _ANCHOR_UNIT_S % step_s == 0}
    return tuple(sorted(steps | {1, 86_400 // step_s}))


def horizon_steps(horizons_s: Sequence[int], step_s: int) -> tuple[int, ...]:
    """Horizons in steps; `HorizonError` for one that is no multiple of the step."""
    wrong = [h for h in horizons_s if h <= 0 or h % step_s]
    if wrong:
        raise HorizonError(f"horizon(s) {wrong} s must be positive multiples of the step, {step_s} s")
    return tuple(int(h) // step_s for h in horizons_s)


def between(anchors: Sequence[int], steps: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each step lies between two anchors: index of the one below, of the one above, and the share of the latter.

    Raises
    ------
    HorizonError
        If a step is below 1 or beyond the last anchor.
    """
    grid, wanted = np.asarray(anchors), np.asarray(steps)
    if wanted.size == 0 or wanted.min() < 1 or wanted.max() > grid[-1]:
        raise HorizonError(f"steps {list(steps)[:5]} must lie within 1 and {grid[-1]}, the last anchor")
    above = np.searchsorted(grid, wanted)
    below = np.where(grid[above] == wanted, above, np.maximum(above - 1, 0))
    span = np.maximum(grid[above] - grid[below], 1)
    return below, above, (wanted - grid[below]) / span


def followed(grid: np.ndarray, aim: np.ndarray, *, end: int | None = None) -> np.ndarray:
    """What a grid holds at the positions aimed at: shape (n, Z, S), of the grid's kind.

    Parameters
    ----------
    grid : ndarray of float, shape (T, Z)
    aim : ndarray of int, shape (n, S)
        Origins plus steps.
    end : int or None
        Positions from here on count as not happened yet; None takes the grid's length.

    Returns
    -------
    ndarray, shape (n, Z, S)
        `nan` before the grid and from `end` on.
    """
    inside = (aim >= 0) & (aim < (len(grid) if end is None else end))
    found = np.where(inside[..., None], grid[np.where(inside, aim, 0)], grid.dtype.type(np.nan))
    return np.asarray(found.transpose(0, 2, 1))

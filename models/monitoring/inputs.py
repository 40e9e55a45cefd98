"""Faults of the readings themselves: none for too long, the very same for too long, outside what can be.

These are facts, not guesses; the reference only tells how long a silence or a calm is usual in a zone.
"""

from __future__ import annotations

import numpy as np

MOST_H = 24.0  # a day of silence, or of the very same reading, is news whatever was usual (assumed)


def runs(flag: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
    """Length of the run of true values that ends at each row, shape (n, Z), going on from a run `before` (Z,)."""
    n = flag.shape[0]
    if n == 0:
        return np.zeros(flag.shape, dtype=np.int64)
    row = np.arange(1, n + 1)[:, None]
    last_false = np.maximum.accumulate(np.where(flag, 0, row), axis=0)
    found = row - last_false
    if before is not None:
        found = found + np.where(last_false == 0, before, 0)
    return np.asarray(np.where(flag, found, 0), dtype=np.int64)


def same_as_last(reading: np.ndarray, last: np.ndarray | None = None) -> np.ndarray:
    """Whether each reading is exactly the one heard before it, shape (n, Z); `last` (Z,) was heard before the first."""
    begin = np.full((1, reading.shape[1]), np.nan) if last is None else last[None]
    every = np.concatenate([begin, reading])
    row = np.maximum.accumulate(np.where(np.isfinite(every), np.arange(len(every))[:, None], 0), axis=0)
    heard = np.take_along_axis(every, row, axis=0)
    return np.asarray(reading == heard[:-1])


def longest_missing(reading: np.ndarray) -> np.ndarray:
    """Longest run of gaps in each column, steps."""
    return np.asarray(runs(~np.isfinite(reading)).max(axis=0, initial=0))


def longest_same(reading: np.ndarray) -> np.ndarray:
    """Longest run of one reading in each column, steps beyond the first; gaps between do not end it."""
    same = same_as_last(reading)
    return np.asarray(runs(same).max(axis=0, initial=0))


def run_limits(longest: np.ndarray, *, least_h: float, step_s: int) -> np.ndarray:
    """Run that is an alarm, in steps (Z,): longer than any usual one, at least `least_h`, at most a day."""
    least, most = np.ceil(least_h * 3600 / step_s), np.ceil(MOST_H * 3600 / step_s)
    return np.asarray(np.clip(longest + 1, max(least, 2), max(most, 2)), dtype=np.int64)

"""Gram matrices of every zone and horizon by block of time: all that a ridge line needs to know of its rows.

Sums over contiguous blocks of the history are made once; leaving a block out is a subtraction, so that penalties are
chosen by blocked cross-validation without touching the rows again, and a day of new rows is an addition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.families.gram_kernels import add_rows, leave_out_masked, pack_own
from models.rows import Rows

#: Bytes that the rows and matrices of the zones worked on together may take.
CHUNK_BYTES = 16_000_000
#: Up to as many rows are faster added one by one than by a matrix product.
FEW_ROWS = 8


@dataclass(frozen=True, eq=False)
class Blocks:
    """Sums of products of (1, features, outcome) over blocks of the history, of some zones.

    Attributes
    ----------
    whole : ndarray of float32, shape (Z, S, K, P, P)
        Over all rows of each of K contiguous blocks; P = 1 + F1 + F2 + 1.
    judged : ndarray of float32, shape (Z, S, K, P, P)
        Without the rows next to another block, whose outcomes reach into it.
    """

    whole: np.ndarray
    judged: np.ndarray


def zone_chunks(rows: Rows, folds: int) -> Iterator[slice]:
    """Zones, some at a time, so that what is worked on stays within `CHUNK_BYTES`."""
    n, zones, horizons = rows.shape
    f1, f2 = rows.common.shape[2], rows.ahead.shape[3]
    each = 4 * (-(-n // folds) * (1 + f1 + horizons * (f2 + 1)) + 2 * folds * horizons * (2 + f1 + f2) ** 2)
    size = max(1, CHUNK_BYTES // each)
    for first in range(0, zones, size):
        yield slice(first, min(first + size, zones))


def block_bounds(n: int, folds: int) -> np.ndarray:
    """Where contiguous blocks begin and end, shape (K + 1,); fewer than `folds` where there are few rows."""
    return np.linspace(0, n, max(1, min(folds, n)) + 1).astype(np.int64)


def blocks_of(rows: Rows, y: np.ndarray, bounds: np.ndarray, gap: int) -> Blocks:
    """Sums over each block of time.

    Parameters
    ----------
    rows : Rows
        n origins, oldest first.
    y : ndarray, shape (n, Z, S)
        Rows where it is `nan` are left out, horizon by horizon.
    bounds : ndarray of int, shape (K + 1,)
        Where blocks begin and end.
    gap : int
        Rows beside another block that are not judged: as many as the farthest horizon has steps keep every outcome
        judged apart from those learned from (held below a quarter of a block).

    References
    ----------
    Racine (2000), doi:10.1016/S0304-4076(00)00030-0 (leaving out blocks of dependent data, with a gap)
    """
    gap = min(gap, int(np.diff(bounds).min()) // 4)
    _, zones, horizons = rows.shape
    width = rows.width + 2
    whole = np.empty((zones, horizons, bounds.size - 1, width, width), np.float32)
    for k, (a, b) in enumerate(pairwise(bounds)):
        _sums(rows.common[a:b], rows.ahead[a:b], y[a:b], whole[:, :, k])
    if not gap or bounds.size < 3:
        return Blocks(whole, whole)
    judged = whole.copy()
    for k, (a, b) in enumerate(pairwise(bounds)):
        beside = np.r_[a : a + gap if a else a, b - gap if b < bounds[-1] else b : b]
        edge = (rows.common[beside], rows.ahead[beside], y[beside])
        if beside.size <= FEW_ROWS:
            add_rows(*edge, -1.0, judged[:, :, k])
        else:
            out = np.empty((zones, horizons, width, width), np.float32)
            _sums(*edge, out)
            judged[:, :, k] -= out
    return Blocks(whole, judged)


def _sums(common: np.ndarray, ahead: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    """Sums of products over rows, into `out`, shape (Z, S, P, P)."""
    n, zones, horizons, f2 = ahead.shape
    p1 = 1 + common.shape[2]
    own = np.empty((zones, n, 1 + horizons * (f2 + 1)), np.float32)
    complete = pack_own(ahead, y, own)
    by_zone, turned = common.transpose(1, 0, 2), common.transpose(1, 2, 0)
    cross = np.matmul(turned, own)
    out[:, :, 0, 0] = n
    out[:, :, 1:p1, 0] = out[:, :, 0, 1:p1] = cross[:, None, :, 0]
    out[:, :, 1:p1, 1:p1] = np.matmul(turned, by_zone)[:, None]
    if not complete:
        leave_out_masked(common, y, out)
    mixed = cross[:, :, 1:].reshape(zones, p1 - 1, horizons, f2 + 1)
    out[:, :, 1:p1, p1:] = mixed.transpose(0, 2, 1, 3)
    out[:, :, p1:, 1:p1] = mixed.transpose(0, 2, 3, 1)
    if horizons == 1:
        square = np.matmul(own.transpose(0, 2, 1), own)
        out[:, 0, p1:, p1:] = square[:, 1:, 1:]
        out[:, 0, p1:, 0] = out[:, 0, 0, p1:] = square[:, 0, 1:]
        return
    own = own[:, :, 1:].reshape(zones, n, horizons, f2 + 1)
    out[:, :, p1:, 0] = out[:, :, 0, p1:] = own.sum(axis=1)
    by_horizon = own.transpose(0, 2, 1, 3)
    out[:, :, p1:, p1:] = np.matmul(by_horizon.transpose(0, 1, 3, 2), by_horizon)

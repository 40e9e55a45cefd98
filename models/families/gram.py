"""Gram matrices of every zone and horizon by block of time: all that a ridge line needs to know of its rows.

Sums over contiguous blocks of the history are made once; leaving a block out is a subtraction, so that penalties are
chosen by blocked cross-validation without touching the rows again, and a day of new rows is an addition.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import as_strided

from models.families.gram_kernels import LANES, add_rows, leave_out_masked
from models.families.pack_kernels import pack_rows, widen
from models.rows import Rows

#: Bytes that the matrices of the zones worked on together may take.
CHUNK_BYTES = 4_000_000
#: Bytes of the rows laid out at once: they are to stay in a processor's own cache.
SLAB_BYTES = 600_000
#: Origins laid out at once, about.
TILE = 96
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
    low, high : ndarray of float32, shape (Z, F1 + S * F2), or None
        Range of each feature of `Rows.flat` over all rows; None where blocks were put together otherwise.
    """

    whole: np.ndarray
    judged: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None


def zone_chunks(rows: Rows, folds: int) -> Iterator[slice]:
    """Zones, some at a time, so that what is worked on stays within `CHUNK_BYTES`.

    As many more as fill the lanes of the kernels twice, and no more than fill them.
    """
    _, zones, horizons = rows.shape
    each = 4 * 2 * folds * horizons * (2 + rows.width) ** 2
    fills = max(2, CHUNK_BYTES // each * horizons // LANES)
    size = max(1, fills * LANES // horizons)
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
    source = _Source(rows, y)
    _, zones, horizons = rows.shape
    shape = (zones, horizons, bounds.size - 1, source.width, source.width)
    whole = np.empty(shape, np.float32)
    for k, (a, b) in enumerate(pairwise(bounds.tolist())):
        source.sums([(a, b)], whole[:, :, k])
    seen = source.low, source.high
    if not gap or bounds.size < 3:
        return Blocks(whole, whole, *seen)
    judged = whole.copy()
    edge = np.empty((zones, horizons, *shape[3:]), np.float32)
    for k, (a, b) in enumerate(pairwise(bounds.tolist())):
        beside = [(a, a + gap)] * (k > 0) + [(b - gap, b)] * (k + 2 < bounds.size)
        if gap * len(beside) <= FEW_ROWS:
            at = np.concatenate([np.arange(*part) for part in beside])
            add_rows(rows.common[at], rows.ahead[at], y[at], -1.0, judged[:, :, k])
        else:
            source.sums(beside, edge)
            judged[:, :, k] -= edge
    return Blocks(whole, judged, *seen)


class _Source:
    """Rows that are read in the order in which they are stored, and what is noticed on the way.

    Attributes
    ----------
    width : int
        Of a Gram matrix, P.
    low, high : ndarray of float32, shape (Z, F1 + S * F2)
        Range of each feature in the rows read so far.
    """

    def __init__(self, rows: Rows, y: np.ndarray) -> None:
        _, self.zones, self.horizons = rows.shape
        self.f1, self.f2 = rows.common.shape[2], rows.ahead.shape[3]
        self.rows, self.y, self.width = rows, y, rows.width + 2
        self.common, self.common_step = _flat(rows.common)
        self.ahead, self.ahead_step = _flat(rows.ahead)
        sizes = self.zones * self.f1, self.zones * self.horizons * self.f2
        self._low = [np.full(size, np.inf, np.float32) for size in sizes]
        self._high = [np.full(size, -np.inf, np.float32) for size in sizes]

    @property
    def low(self) -> np.ndarray:
        return np.concatenate([part.reshape(self.zones, -1) for part in self._low], axis=1)

    @property
    def high(self) -> np.ndarray:
        return np.concatenate([part.reshape(self.zones, -1) for part in self._high], axis=1)

    def sums(self, parts: list[tuple[int, int]], out: np.ndarray) -> None:
        """Sums of products over the origins from a to b of each part, into `out`, shape (Z, S, P, P)."""
        f1, f2, horizons = self.f1, self.f2, self.horizons
        p1, own = 1 + f1, horizons * (f2 + 1)
        tiles = [
            tile for a, b in parts for tile in pairwise(np.linspace(a, b, 1 - (a - b) // TILE, dtype=int).tolist())
        ]
        longest = max((b - a for a, b in tiles), default=1)
        # One column more than is filled: a product of a matrix with its own transpose is left to a slower routine.
        wide = -(-(p1 + own + 1) // 4) * 4
        group = max(1, min(self.zones, SLAB_BYTES // (4 * longest * wide)))
        slab = np.zeros((group, longest, wide), np.float32)
        cross = np.zeros((self.zones, self.width if horizons == 1 else p1, wide), np.float32)
        square = np.zeros((self.zones, horizons if horizons > 1 else 0, f2 + 1, f2 + 2), np.float32)
        complete = True
        for a, b in tiles:
            for z in range(0, self.zones, group):
                part = slab[: min(group, self.zones - z), : b - a]
                some = slice(z, z + part.shape[0])
                complete &= self._read(a, b, z, part)
                cross[some] += np.matmul(part[:, :, : cross.shape[1]].transpose(0, 2, 1), part)
                if horizons > 1:
                    by_horizon = _windows(part[:, :, p1:], horizons, f2 + 1, f2 + 2)
                    square[some] += np.matmul(by_horizon[..., : f2 + 1].transpose(0, 1, 3, 2), by_horizon)
        if horizons == 1:
            out[:, 0] = cross[:, :, : self.width]
            return
        out[:, :, :p1, :p1] = cross[:, None, :, :p1]
        if not complete:
            for a, b in parts:
                leave_out_masked(self.rows.common[a:b], self.y[a:b], out)
        mixed = cross[:, :, p1 : p1 + own].reshape(self.zones, p1, horizons, f2 + 1)
        out[:, :, :p1, p1:] = mixed.transpose(0, 2, 1, 3)
        out[:, :, p1:, :p1] = mixed.transpose(0, 2, 3, 1)
        out[:, :, p1:, p1:] = square[..., : f2 + 1]

    def _read(self, a: int, b: int, z: int, slab: np.ndarray) -> bool:
        """Lay out origins a to b of the zones from z on; whether all their outcomes are known."""
        each = self.f1, self.horizons * self.f2
        for flat, step, size, low, high in zip(
            (self.common, self.ahead), (self.common_step, self.ahead_step), each, self._low, self._high
        ):
            some = slice(z * size, (z + slab.shape[0]) * size)
            widen(flat, step, a, b, z * size, low[some], high[some])
        steps = self.common_step, self.ahead_step
        return bool(pack_rows(self.common, steps[0], self.ahead, steps[1], self.y, a, b, z, self.f1, self.f2, slab))


def _flat(array: np.ndarray) -> tuple[np.ndarray, int]:
    """A row-wise array, or a range of its second axis, as all values behind it, and how many lie between origins."""
    inner = int(np.prod(array.shape[1:]))
    if array.size == 0 or not array[0].flags.c_contiguous or array.strides[0] % array.itemsize or array.strides[0] < 0:
        array = np.ascontiguousarray(array)
    step = array.strides[0] // array.itemsize
    if array.size == 0:
        return array.reshape(-1), step
    flat = as_strided(array, ((len(array) - 1) * step + inner,), (array.itemsize,), writeable=False)
    return flat, step


def _windows(columns: np.ndarray, count: int, every: int, width: int) -> np.ndarray:
    """Columns (z, n, .) as overlapping windows (z, count, n, width) that begin `every` so many columns."""
    zone, row, column = columns.strides
    shape = (columns.shape[0], count, columns.shape[1], width)
    return as_strided(columns, shape, (zone, every * column, row, column), writeable=False)

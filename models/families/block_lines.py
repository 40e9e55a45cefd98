"""Ridge lines of many zones from second moments kept by block of time, validated by leaving blocks out.

Everything that a line and its validation need is in the products of the columns [features, 1, outcome], summed by
block: the moments without a block are the total less that block's, and a line's squared error on a block follows from
its moments alone. The rows are read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from models.rows import Rows

CHUNK_BYTES = 96e6  # a chunk of zones' features, about; assumption
FLOOR = 0.05  # a feature's mean square counts as at least this in its penalty: features are about N(0, 1); assumption


def zone_chunks(rows: Rows, extra_columns: int = 2) -> Iterator[slice]:
    """Slices of zones whose features for one horizon take about `CHUNK_BYTES`."""
    n, zones, _ = rows.shape
    size = max(1, int(CHUNK_BYTES / max(1, 4 * n * (rows.width + extra_columns))))
    for start in range(0, zones, size):
        yield slice(start, min(start + size, zones))


def design(rows: Rows, zones: slice, horizon: int) -> np.ndarray:
    """Features of one horizon and a constant, by zone: float32, shape (Z, n, F + 1)."""
    common, ahead = rows.common[:, zones], rows.ahead[:, zones, horizon]
    n, count, f1 = common.shape
    x = np.ones((count, n, f1 + ahead.shape[2] + 1), dtype=np.float32)
    x[:, :, :f1] = common.transpose(1, 0, 2)
    x[:, :, f1:-1] = ahead.transpose(1, 0, 2)
    return x


def block_moments(x: np.ndarray, y: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Second moments of [x, y] by block, rows with unknown `y` left out.

    Parameters
    ----------
    x : ndarray of float32, shape (Z, n, P)
    y : ndarray, shape (Z, n)
        `nan` where unknown.
    edges : ndarray of int, shape (B + 1,)

    Returns
    -------
    ndarray of float64, shape (B, Z, P + 1, P + 1)
    """
    known = np.isfinite(y)
    zones, _, width = x.shape
    found = np.empty((len(edges) - 1, zones, width + 1, width + 1))
    both = np.empty((zones, int(np.diff(edges).max(initial=0)), width + 1), dtype=np.float32)
    for block, (start, stop) in enumerate(pairwise(edges)):
        part = both[:, : stop - start]
        part[:, :, :width] = x[:, start:stop]
        part[:, :, width] = np.where(known[:, start:stop], y[:, start:stop], 0.0)
        if not known[:, start:stop].all():
            part *= known[:, start:stop, None]
        found[block] = part.transpose(0, 2, 1) @ part
    return found


def penalties(total: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Penalty of each column at strength 1, in the units of the moments, shape (..., P).

    Parameters
    ----------
    total : ndarray, shape (..., P, P)
        Moments of the columns.
    n : ndarray, shape (...)
        Rows with a known outcome.
    """
    rows = np.maximum(n, 1.0)[..., None]
    return np.maximum(np.diagonal(total, axis1=-2, axis2=-1), FLOOR * rows)


def leave_out(moments: np.ndarray) -> np.ndarray:
    """Moments without each block, and with all of them last: shape (B + 1, ...)."""
    total = moments.sum(axis=0)
    return np.concatenate([total - moments, total[None]])


def squared_error(moments: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Sum of squared errors of lines on the rows behind `moments`: (..., P + 1, P + 1) and (..., P) give (...)."""
    gram, cross, power = moments[..., :-1, :-1], moments[..., :-1, -1], moments[..., -1, -1]
    fitted = np.einsum("...p,...pq,...q->...", line, gram, line, optimize=True)
    return np.maximum(power - 2.0 * np.einsum("...p,...p->...", line, cross) + fitted, 0.0)


def ridge_path(
    moments: np.ndarray,
    strengths: tuple[float, ...],
    *,
    judged: np.ndarray | None = None,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge lines without each block and with all, at each strength, and their left-out errors.

    Parameters
    ----------
    moments : ndarray, shape (B, Z, P + 1, P + 1)
        Of [features, outcome] by block, at least two blocks.
    strengths : tuple of float
        Multiples of `penalties`.
    judged : ndarray or None, shape as `moments`
        Of the rows of each block that count for its left-out error; None judges all of them.
    rows : ndarray or None, shape (B + 1, Z)
        Known outcomes behind each of `leave_out`; None where the last feature is a constant 1 that tells.

    Returns
    -------
    lines : ndarray, shape (len(strengths), B + 1, Z, P)
        The last of the second axis saw every block.
    errors : ndarray, shape (len(strengths), B, Z)
        Squared error on the block left out, summed over its rows.

    References
    ----------
    Hoerl & Kennard (1970), doi:10.1080/00401706.1970.10488634
    """
    train = leave_out(moments)
    judged = moments if judged is None else judged
    gram, cross = train[..., :-1, :-1], train[..., :-1, -1]
    width = gram.shape[-1]
    diagonal = penalties(gram, gram[..., -1, -1] if rows is None else rows)
    lines = np.empty((len(strengths), *cross.shape))
    errors = np.empty((len(strengths), *moments.shape[:2]))
    at = np.arange(width)
    for k, strength in enumerate(strengths):
        system = gram.copy()
        system[..., at, at] += strength * diagonal + 1e-9
        lines[k] = np.linalg.solve(system, cross[..., None])[..., 0]
        errors[k] = squared_error(judged, lines[k, :-1])
    return lines, errors


def choose(errors: np.ndarray) -> np.ndarray:
    """Place of the smallest left-out error by zone, (K, B, Z) -> (Z,); of equals the last, the most cautious."""
    total = errors.sum(axis=1)
    return len(total) - 1 - np.argmin(total[::-1], axis=0)


def of_zone(values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """`values[chosen[z], ..., z, :]` for each zone: (K, M, Z, P) and (Z,) give (M, Z, P)."""
    return np.moveaxis(values[chosen, :, np.arange(len(chosen))], 0, 1)


def feature_range(rows: Rows) -> np.ndarray:
    """Least and largest value of each feature by zone over all horizons, shape (Z, F1 + F2, 2)."""
    ends = [
        np.concatenate([end(rows.common, axis=0), end(rows.ahead, axis=(0, 2))], axis=1) for end in (np.min, np.max)
    ]
    return np.stack(ends, axis=2)


def clipped(rows: Rows, ends: np.ndarray) -> Rows:
    """The rows with features held within the range that was learned from: a line knows nothing beyond."""
    f1 = rows.common.shape[2]
    common = np.clip(rows.common, ends[:, :f1, 0], ends[:, :f1, 1])
    ahead = np.clip(rows.ahead, ends[:, None, f1:, 0], ends[:, None, f1:, 1])
    return Rows(common, ahead, rows.layout)


def forecasts(rows: Rows, lines: np.ndarray) -> np.ndarray:
    """What lines forecast: coefficients (Z, S, F + 1), constant last, give float32 of shape (n, Z, S)."""
    f1 = rows.common.shape[2]
    first = rows.common.transpose(1, 0, 2) @ lines[:, :, :f1].transpose(0, 2, 1)
    second = np.einsum("nzsf,zsf->nzs", rows.ahead, lines[:, :, f1:-1])
    return (first.transpose(1, 0, 2) + second + lines[None, :, :, -1]).astype(np.float32)

"""From trip ends to trips: gravity with a friction of travel time, balanced to the totals that are known."""

from __future__ import annotations

import numpy as np

from simulation.errors import DemandError


def balance(
    seed: np.ndarray,
    row_totals: np.ndarray,
    column_totals: np.ndarray,
    *,
    iterations: int = 200,
    tolerance: float = 1e-9,
) -> np.ndarray:
    """Scale rows and columns of a seed matrix to totals (iterative proportional fitting; Furness 1965).

    Parameters
    ----------
    seed : ndarray, shape (n, m)
        At least 0; where it is 0 there will be no trips.
    row_totals, column_totals : ndarray, shape (n,) and (m,)
        Columns are first scaled to the rows' sum.

    Returns
    -------
    ndarray, shape (n, m)
        Columns hold exactly; rows within `tolerance`, or as near as the zeros of the seed allow.

    Raises
    ------
    DemandError
        If a total is negative.

    References
    ----------
    Furness (1965), Traffic Engineering and Control 7, 458-460; Deming & Stephan (1940), doi:10.1214/aoms/1177731829
    """
    rows, columns = np.asarray(row_totals, float), np.asarray(column_totals, float)
    if (rows < 0).any() or (columns < 0).any():
        raise DemandError("trip ends must not be negative")
    matrix = np.asarray(seed, float).copy()
    if rows.sum() <= 0 or columns.sum() <= 0 or matrix.sum() <= 0:
        return np.zeros_like(matrix)
    columns = columns * rows.sum() / columns.sum()
    for _ in range(iterations):
        sums = matrix.sum(axis=1)
        matrix *= np.divide(rows, sums, out=np.zeros_like(rows), where=sums > 0)[:, None]
        sums = matrix.sum(axis=0)
        matrix *= np.divide(columns, sums, out=np.zeros_like(columns), where=sums > 0)[None, :]
        if np.abs(matrix.sum(axis=1) - rows).max() <= tolerance * max(rows.sum(), 1.0):
            break
    return matrix


def friction(time_s: np.ndarray, *, scale_s: float) -> np.ndarray:
    """Willingness to drive a time: exp(-time / scale), 0 where there is no way (Wilson 1971, doi:10.1068/a030001)."""
    return np.where(np.isfinite(time_s), np.exp(-np.minimum(time_s, 1e6) / scale_s), 0.0)

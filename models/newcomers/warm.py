"""Warm lines: a zone's ridge line that starts from what other zones' rows say and moves to its own as days come in.

Donors' rows enter the new zone's Gram matrix as so many days of its own. That is a ridge towards the donors' line, held
in those directions in which the donors' features vary, so that what they never saw is learned from own rows alone.
"""

from __future__ import annotations

import numpy as np

from models.families.gram import blocks_of
from models.families.gram_kernels import ridge_lines
from models.rows import Rows

#: Days of own rows that all donors' rows together may count for, tried from trusting oneself to trusting others.
WORTH_DAYS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
PENALTY = 0.003  # rows' worth a row, on standardised features: donors' rows are many (assumed)


def grams(rows: Rows, y: np.ndarray, bounds: np.ndarray | None = None) -> np.ndarray:
    """Sums of products of (1, features, outcome) by zone, horizon and block of rows, shape (Z, S, K, P, P).

    Parameters
    ----------
    rows : Rows
    y : ndarray, shape (n, Z, S)
        `nan` leaves a row out.
    bounds : ndarray of int or None, shape (K + 1,)
        Where blocks begin and end; None takes one.
    """
    edges = np.array([0, rows.shape[0]]) if bounds is None else np.asarray(bounds)
    return blocks_of(rows, np.ascontiguousarray(y, dtype=np.float32), edges, 0).whole


def prior_of(gram: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Donors' matrices (D, S, P, P) as one row's worth each, weighted: shape (S, P, P) in float64.

    The first entry of each is 1, so that `prior * rows` counts as so many rows.
    """
    gram = np.asarray(gram, dtype=np.float64)
    n = np.maximum(gram[:, :, :1, :1], 1.0)
    heard = (gram[:, :, 0, 0] > 0) * share[:, None]
    weight = heard / np.maximum(heard.sum(axis=0), 1e-12)
    return np.einsum("dspq,ds->spq", gram / n, weight)


def warm_lines(own: np.ndarray, prior: np.ndarray, worth_rows: np.ndarray) -> np.ndarray:
    """Lines (S, P - 1), constant first, of own sums and the prior's, which counts as `worth_rows` (S,) rows."""
    both = own + prior * worth_rows[:, None, None]
    width = both.shape[-1]
    ease = np.ones(width)
    return ridge_lines(np.ascontiguousarray(both), np.full(both.shape[0], PENALTY), ease).astype(np.float64)


def squares(gram: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Sum of squared errors of lines (S, P - 1) over the rows behind sums (S, P, P), shape (S,)."""
    full = np.concatenate([lines, np.full((lines.shape[0], 1), -1.0)], axis=1)
    return np.maximum(np.einsum("sp,spq,sq->s", full, np.asarray(gram, dtype=np.float64), full), 0.0)

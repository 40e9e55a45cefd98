"""Inequality of what residents have, by the Gini coefficient."""

from __future__ import annotations

import numpy as np


def gini(value: np.ndarray, people: np.ndarray) -> float:
    """Gini coefficient of a quantity over residents: 0 equal, near 1 if one has all; nan without people or quantity.

    From the weighted Lorenz curve (Cowell 2011, Measuring Inequality, 3rd ed.,
    doi:10.1093/acprof:osobl/9780199594030.001.0001).

    Parameters
    ----------
    value : ndarray, shape (n,)
        At least 0; nan is left out.
    people : ndarray, shape (n,)

    Examples
    --------
    >>> gini(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    0.25
    """
    known = np.isfinite(value) & (people > 0)
    value, people = value[known], people[known]
    if not value.size or not (value * people).sum() > 0:
        return float("nan")
    order = np.argsort(value, kind="stable")
    share = np.cumsum(people[order]) / people.sum()
    lorenz = np.cumsum((value * people)[order]) / (value * people).sum()
    below = np.diff(share, prepend=0.0) * (lorenz + np.concatenate([[0.0], lorenz[:-1]]))
    return float(1.0 - below.sum())

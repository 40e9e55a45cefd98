"""Plans that no other beats in every objective, and the volume that they dominate.

Less is better throughout. The hypervolume is that of Zitzler & Thiele (1999, doi:10.1109/4235.797969), as pymoo
computes it (extra `search`).
"""

from __future__ import annotations

import numpy as np

from simulation.search.errors import SearchError


def not_dominated(values: np.ndarray) -> np.ndarray:
    """Rows that no other row beats; of equal rows the first. bool, shape (n,).

    Parameters
    ----------
    values : ndarray, shape (n, objectives)
    """
    values = np.asarray(values, dtype=float)
    _, first = np.unique(values, axis=0, return_index=True)
    kept = np.zeros(len(values), dtype=bool)
    rows = values[first]
    order = np.argsort(rows.sum(axis=1), kind="stable")
    front: list[int] = []
    for (
        k
    ) in order:  # whoever dominates a row has a smaller sum, so it is in the front already, or beaten by one that is
        if front and (rows[front] <= rows[k]).all(axis=1).any():
            continue
        front.append(int(k))
    kept[first[front]] = True
    return kept


def hypervolume(values: np.ndarray, reference: np.ndarray) -> float:
    """Volume between a set of rows and the reference point that they all lie below.

    Parameters
    ----------
    values : ndarray, shape (n, objectives)
    reference : ndarray, shape (objectives,)

    Raises
    ------
    SearchError
        If pymoo is not installed.
    """
    try:
        from pymoo.indicators.hv import HV
    except ImportError as error:
        raise SearchError("a search needs pymoo: pip install 'zonewise[search]'") from error
    inside = np.asarray(values, dtype=float)
    inside = inside[(inside < reference).all(axis=1)]
    if not len(inside):
        return 0.0
    return float(HV(ref_point=np.asarray(reference, dtype=float))(inside[not_dominated(inside)]))


def reference_point(values: np.ndarray) -> np.ndarray:
    """The worst of every objective and a tenth of its range beyond, shape (objectives,)."""
    low, high = values.min(axis=0), values.max(axis=0)
    return np.asarray(high + 0.1 * np.maximum(high - low, 1e-9))

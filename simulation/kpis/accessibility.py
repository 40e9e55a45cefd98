"""Accessibility: how many jobs and shops can be reached by car within some minutes.

The cumulative-opportunity measure (Geurs & van Wee 2004, doi:10.1016/j.jtrangeo.2003.10.005).
"""

from __future__ import annotations

import numpy as np

MINUTES = (10, 20, 30)


def reached(skim_s: np.ndarray, opportunities: np.ndarray, minutes: float) -> np.ndarray:
    """Opportunities within some minutes of each place, mean over the hours. Shape (Z,).

    Parameters
    ----------
    skim_s : ndarray, shape (K, Z, Z)
        Travel times of K hours, s; nan is out of reach.
    opportunities : ndarray, shape (Z,)
        Jobs or shops of each place.

    Examples
    --------
    >>> skim = np.array([[[60.0, 660.0], [540.0, np.nan]]])
    >>> reached(skim, np.array([5.0, 100.0]), 10.0)
    array([5., 5.])
    """
    with np.errstate(invalid="ignore"):
        within = skim_s <= 60.0 * minutes
    return np.asarray((within.astype(float) @ opportunities).mean(axis=0))

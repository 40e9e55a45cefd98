"""Intervals: split conformal quantiles, by zone and horizon, with a pooled fallback.

A residual (reading less forecast, from forecasts that never saw the reading) is divided by how far readings usually
stray at that time of day; the quantiles of these scores, taken with the finite-sample correction ceil((n + 1) q),
give the intervals. Lower and upper sides are separate, because errors are skewed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
MIN_OWN = 60  # scores below which a zone's horizon borrows all zones' scores


@dataclass(frozen=True, eq=False)
class ConformalIntervals:
    """Offsets by zone, horizon and quantile, in units of the usual deviation.

    Attributes
    ----------
    offsets : ndarray, shape (Z, S, Q)
        Non-decreasing along Q.

    References
    ----------
    Lei et al. (2018), doi:10.1080/01621459.2017.1307116 (split conformal, locally weighted);
    Romano, Patterson & Candes (2019), arXiv:1905.03222 (both tails apart).
    """

    offsets: np.ndarray

    @classmethod
    def fit(cls, scores: np.ndarray, *, quantiles: tuple[float, ...] = QUANTILES) -> ConformalIntervals:
        """Offsets from scores of shape (n, Z, S), `nan` where there was no reading.

        A horizon of a zone with fewer than `MIN_OWN` scores takes the quantiles of all zones at that horizon; where
        nobody has any, the offsets are those of a unit Laplace distribution, whose mean absolute deviation is 1. The
        median stays where the model put it: moving it by the median of a few days' scores made errors larger by up to
        3 % on Beijing's air and on METR-LA's speeds.
        """
        pooled = corrected_quantiles(scores.reshape(-1, 1, scores.shape[2]), quantiles)
        laplace = np.array([np.log(2 * q) if q <= 0.5 else -np.log(2 - 2 * q) for q in quantiles])
        pooled = np.where(np.isnan(pooled), laplace, pooled)
        own = corrected_quantiles(scores, quantiles)
        few = np.isfinite(scores).sum(axis=0) < MIN_OWN
        offsets = np.where(few[..., None] | np.isnan(own), pooled, own)
        levels = np.asarray(quantiles)
        offsets = np.where(
            levels < 0.5, np.minimum(offsets, 0.0), np.where(levels > 0.5, np.maximum(offsets, 0.0), 0.0)
        )
        return cls(np.maximum.accumulate(offsets, axis=2))


def corrected_quantiles(scores: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Conformal quantiles along axis 0 of (n, Z, S), `nan` left out: shape (Z, S, Q).

    The upper half takes the ceil((n + 1) q)-th smallest score, the lower half the mirror image, the median the plain
    median. With too few scores for a level the outermost score is widened by half its distance to the median.
    """
    ordered = np.sort(scores, axis=0)  # nan go last
    n = np.isfinite(scores).sum(axis=0)
    padded = np.concatenate([ordered, np.full((1, *ordered.shape[1:]), np.nan)])

    def ranked(rank: np.ndarray) -> np.ndarray:
        place = np.where(n > 0, np.clip(rank, 1, np.maximum(n, 1)) - 1, ordered.shape[0])
        return np.take_along_axis(padded, place[None], axis=0)[0]

    middle = 0.5 * (ranked((n + 1) // 2) + ranked(n // 2 + 1))
    found = []
    for q in quantiles:
        if q == 0.5:
            found.append(middle)
            continue
        upper = np.ceil((n + 1) * max(q, 1 - q) - 1e-9).astype(np.int64)
        edge = ranked(upper if q > 0.5 else n + 1 - upper)
        found.append(np.where(upper > n, edge + 0.5 * (edge - middle), edge))
    return np.stack(found, axis=-1)

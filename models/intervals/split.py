"""Split conformal quantiles by zone and horizon, each leaning on all zones as far as its own errors are few.

A residual (reading less forecast, from forecasts that never saw the reading) is divided by what is usual there and
then: a *score*. The quantiles of these scores, taken with the finite-sample correction ceil((n + 1) q), give the
intervals. Lower and upper sides are separate, because errors are skewed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

QUANTILES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
#: Independent scores beyond a quantile that must speak for a zone's own shape before it counts half (assumed).
LEAN_TAIL = 10.0
#: The same for a zone's own size of errors, in independent scores (assumed).
LEAN_SIZE = 40.0
_MOST_POOLED = 200_000  # scores that the pooled quantiles of a horizon are taken from; more, and they are thinned


@dataclass(frozen=True, eq=False)
class ConformalIntervals:
    """Offsets by zone, horizon and quantile, in units of the score's denominator.

    Attributes
    ----------
    offsets : ndarray, shape (Z, S, Q)
        Non-decreasing along Q; 0 at the median.

    References
    ----------
    Lei et al. (2018), doi:10.1080/01621459.2017.1307116 (split conformal, locally weighted);
    Romano, Patterson & Candes (2019), arXiv:1905.03222 (both tails apart).
    """

    offsets: np.ndarray

    @classmethod
    def fit(
        cls,
        scores: np.ndarray,
        *,
        quantiles: tuple[float, ...] = QUANTILES,
        steps: np.ndarray | tuple[int, ...] | None = None,
        lean_tail: float = LEAN_TAIL,
        lean_size: float = LEAN_SIZE,
    ) -> ConformalIntervals:
        """Offsets from scores.

        A zone's quantile is a mean of two: that of its own scores, and that of all zones' scores at the horizon, each
        divided by its zone's size of errors (mean absolute score) and multiplied by this zone's. Its own counts the
        more the more independent scores lie beyond the quantile; its size of errors leans on the city's likewise.
        Where nobody has any score, the offsets are those of a unit Laplace distribution, whose mean absolute deviation
        is 1. The median stays where the model put it: a few days' scores would move it by luck.

        Parameters
        ----------
        scores : ndarray, shape (n, Z, S)
            Out of fold; `nan` where there was no reading.
        quantiles : tuple of float, length Q
            Increasing, within 0 and 1.
        steps : array of int or None, shape (S,)
            Horizons in origins: forecasts of s steps ahead from s consecutive origins share most of their errors and
            count as one. None takes each score as independent.
        lean_tail, lean_size : float
            How many independent scores weigh as much as the city; 0 trusts each zone alone.

        Notes
        -----
        Offsets below the median are at most 0, those above at least 0. Leaning trades the exact coverage of a zone
        alone, which holds on average over calibration samples, for less scatter of the coverage between zones.
        """
        n_zones, horizons = scores.shape[1:]
        levels = np.asarray(quantiles)
        apart = np.ones(horizons) if steps is None else np.maximum(1.0, np.asarray(steps, dtype=float))
        known = np.isfinite(scores)
        count = known.sum(axis=0) / apart  # (Z, S) independent scores
        size, typical = _sizes(scores, count, lean_size)
        shape = np.stack([_pooled_shape(scores[..., h], size[:, h], quantiles) for h in range(horizons)])
        laplace = np.array([np.log(2 * q) if q <= 0.5 else -np.log(2 - 2 * q) for q in quantiles])
        shape = np.where(np.isnan(shape), laplace, shape)
        pooled = np.where(np.isnan(size), np.where(np.isnan(typical), 1.0, typical), size)[..., None] * shape
        own = corrected_quantiles(scores, quantiles)
        beyond = count[..., None] * np.minimum(levels, 1 - levels)
        share = np.where(np.isnan(own), 0.0, beyond / np.maximum(beyond + lean_tail, 1e-12))
        offsets = np.where(share > 0, share * np.where(np.isnan(own), 0.0, own) + (1 - share) * pooled, pooled)
        return cls(in_order(offsets.reshape(n_zones, horizons, -1), levels))


def in_order(offsets: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Offsets held at or below 0 below the median, at 0 there, at or above 0 beyond, and made non-decreasing."""
    held = np.where(levels < 0.5, np.minimum(offsets, 0.0), np.where(levels > 0.5, np.maximum(offsets, 0.0), 0.0))
    return np.asarray(np.maximum.accumulate(held, axis=-1))


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


def _sizes(scores: np.ndarray, count: np.ndarray, lean: float) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute score of each zone and horizon (Z, S), leaning on the typical one of all zones (S,)."""
    known = np.isfinite(scores)
    total = np.abs(np.where(known, scores, 0.0)).sum(axis=0, dtype=np.float64)
    number = known.sum(axis=0)
    own = np.where(number > 0, total / np.maximum(number, 1), np.nan)
    log = np.where(own > 0, np.log(np.maximum(own, 1e-12)), np.nan)
    speaks = np.isfinite(log)
    weight = np.where(speaks, count, 0.0)
    heard = weight.sum(axis=0)
    centre = np.where(heard > 0, (weight * np.where(speaks, log, 0.0)).sum(axis=0) / np.maximum(heard, 1e-12), np.nan)
    share = count / np.maximum(count + lean, 1e-12)
    mixed = np.where(speaks, share * np.where(speaks, log, 0.0) + (1 - share) * centre, centre)
    return np.exp(mixed), np.exp(centre)


def _pooled_shape(scores: np.ndarray, size: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Quantiles (Q,) of all zones' scores (n, Z) of a horizon, each in units of its zone's size of errors (Z,)."""
    thin = max(1, -(-scores.size // _MOST_POOLED))
    part = scores[::thin] if scores.shape[0] >= 50 * thin else scores.reshape(-1)[::thin]
    if part.ndim == 2:
        flat = (part / size).reshape(-1)
    else:
        flat = part / np.tile(size, scores.shape[0])[::thin]
    return np.asarray(corrected_quantiles(flat[:, None, None], quantiles)[0, 0])

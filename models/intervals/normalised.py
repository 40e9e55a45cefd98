"""Locally adaptive spread: how large an error is to be expected here and now, as the denominator of a score.

Errors come in bouts: large ones follow large ones, and a forecast far from the usual day errs more than one close to
it. A line for the logarithm of the expected absolute error, on a few features known at the forecast origin, says so;
it is learned from out-of-fold scores for all zones in one batch, each zone leaning on the city.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.intervals.normalised_kernels import recent_means

#: Positions over which recent errors are averaged (assumption: hours, a day, a week on an hourly grid).
MEMORIES = (4.0, 24.0, 168.0)
ZONE_LEAN = 200.0  # independent scores that weigh as much as the city in a zone's coefficients (assumption)
RIDGE = 20.0  # independent scores' worth of belief that a feature says nothing (assumption)
_ROUNDS = 6  # Fisher scoring steps; the line moves by less than 1e-3 after four
_LARGEST_RATIO = 8.0  # an error counts at most so many times the expected one, lest one broken reading rule the line
_SPAN = 2.0  # a spread lies within exp(-2) and exp(2) of the usual one at the horizon (assumption)
_FEATURE_SPAN = 3.0
_MOST_POOLED = 200_000


@dataclass(frozen=True, eq=False)
class SpreadModel:
    """Expected absolute score: exp(constant + features . coefficients), by zone and horizon.

    Attributes
    ----------
    coefficients : ndarray, shape (Z, S, F + 1)
        The constant last.

    Notes
    -----
    Fitted by Fisher scoring of the gamma quasi-likelihood with a log link, log(m) + |r| / m, whose information matrix
    does not depend on the coefficients: one factorisation serves all rounds. Zones take one such set of rounds from
    the city's line with a ridge towards it.

    References
    ----------
    Lei et al. (2018), doi:10.1080/01621459.2017.1307116 (locally weighted conformal prediction);
    McCullagh & Nelder (1989), doi:10.1007/978-1-4899-3242-6 (gamma models with a log link).
    """

    coefficients: np.ndarray

    @classmethod
    def fit(
        cls, scores: np.ndarray, features: np.ndarray, *, steps: np.ndarray | tuple[int, ...] | None = None
    ) -> SpreadModel:
        """Learn from out-of-fold scores.

        Parameters
        ----------
        scores : ndarray, shape (n, Z, S)
            Residuals by their usual size; `nan` where there was no reading.
        features : ndarray, shape (n, Z, S, F)
            Known at the origin, about -3 to 3; 0 and `nan` say nothing. See `spread_features`.
        steps : array of int or None, shape (S,)
            Horizons in origins; that many scores in a row count as one. None: each counts.
        """
        n_zones, horizons = scores.shape[1:]
        width = features.shape[-1] + 1
        apart = np.ones(horizons) if steps is None else np.maximum(1.0, np.asarray(steps, dtype=float))
        out = np.zeros((n_zones, horizons, width))
        for h in range(horizons):
            x, r = _design(features[:, :, h]), np.abs(scores[:, :, h]).astype(np.float32)
            heard = np.isfinite(r)
            r = np.where(heard, r, 0.0)
            x = x * heard[..., None]
            thin = max(1, -(-r.size // _MOST_POOLED))
            city = _rounds(x[::thin].reshape(1, -1, width), r[::thin].reshape(1, -1), RIDGE * apart[h] / thin, None)
            x, r = np.ascontiguousarray(x.transpose(1, 0, 2)), np.ascontiguousarray(r.T)
            out[:, h] = _rounds(x, r, ZONE_LEAN * apart[h], np.repeat(city, n_zones, axis=0))
        return cls(out)

    def spread(self, features: np.ndarray) -> np.ndarray:
        """Expected absolute score, above 0: shape (n, Z, S), float32."""
        beta = self.coefficients.astype(np.float32)
        x = _finite(features)
        wander = np.zeros(x.shape[:-1], dtype=np.float32)
        for f in range(x.shape[-1]):  # in this order for one origin and for a thousand, so that a replay is exact
            wander += x[..., f] * beta[..., f]
        return np.asarray(np.exp(np.clip(wander, -_SPAN, _SPAN) + beta[..., -1]))

    def pick(self, places: np.ndarray) -> SpreadModel:
        """Some of the zones."""
        return SpreadModel(self.coefficients[places])

    @classmethod
    def out_of_fold(
        cls,
        scores: np.ndarray,
        features: np.ndarray,
        *,
        steps: np.ndarray | tuple[int, ...] | None = None,
        blocks: int = 4,
    ) -> np.ndarray:
        """Spread of each row by a model of the other blocks of time, shape (n, Z, S), so that quantiles do not flatter.

        Next to a block's edges, rows whose intervals overlap it are left out of the fit.
        """
        n = scores.shape[0]
        far = 0 if steps is None else int(max(steps))
        out = np.empty(scores.shape, dtype=np.float32)
        edges = np.linspace(0, n, blocks + 1).astype(int)
        for a, b in pairwise(edges):
            rest = np.ones(n, dtype=bool)
            rest[max(0, a - far) : b + far] = False
            if not np.isfinite(scores[rest]).any():
                rest[:] = True
            out[a:b] = cls.fit(scores[rest], features[rest], steps=steps).spread(features[a:b])
        return out


@dataclass(frozen=True, eq=False)
class SpreadFeatures:
    """What is typical of each zone, against which the features of `SpreadModel` are told; fitted before the origin.

    Attributes
    ----------
    level, stray : ndarray, shape (Z,)
        Typical usual value and usual absolute deviation, on the model's scale.
    size : ndarray, shape (Z, S)
        Typical absolute score.
    """

    level: np.ndarray
    stray: np.ndarray
    size: np.ndarray

    @classmethod
    def fit(cls, usual: np.ndarray, stray: np.ndarray, scores: np.ndarray) -> SpreadFeatures:
        """From arrays (n, Z, S) of the part that calibrates."""
        size = _mean(np.abs(scores), 0)
        size = np.where(size > 0, size, np.where(np.isfinite(city := _mean(size, 0)) & (city > 0), city, 1.0))
        level = np.abs(usual).mean(axis=(0, 2)).astype(float) + 1e-9
        return cls(level, np.exp(np.log(np.maximum(stray, 1e-9)).mean(axis=(0, 2))).astype(float), size)

    def pick(self, places: np.ndarray) -> SpreadFeatures:
        """Of some of the zones."""
        return SpreadFeatures(self.level[places], self.stray[places], self.size[places])

    def make(
        self, level: np.ndarray, usual: np.ndarray, stray: np.ndarray, recent: RecentErrors | None = None
    ) -> np.ndarray:
        """Features of forecasts (n, Z, S).

        Parameters
        ----------
        level, usual, stray : ndarray, shape (n, Z, S)
            Point forecast, usual value and usual absolute deviation at the time forecast for, on the model's scale.
        recent : RecentErrors or None
            From `recent_errors`; None where the forecaster does not follow its own errors.

        Returns
        -------
        ndarray of float32, shape (n, Z, S, 4 + M + 1)
            How far the forecast lies above and below the usual (square roots of usual deviations, which tame the
            ends); logarithms of the usual deviation (which undo or stress the time of day) and of the forecast against
            what is typical; of the recent errors against the typical size, weighted by what they rest on; and the
            latest errors of the shortest horizon, which are the first to know.
        """
        off = (level - usual) / stray
        with np.errstate(invalid="ignore"):
            height = np.log((np.abs(level) + 0.1 * self.level[:, None]) / (1.1 * self.level[:, None]))
            wide = np.log(np.maximum(stray, 1e-9) / self.stray[:, None])
            parts = [np.sqrt(np.maximum(off, 0.0)), np.sqrt(np.maximum(-off, 0.0)), wide, height]
        lately = np.zeros((*level.shape, len(MEMORIES) + 1))
        if recent is not None:
            with np.errstate(divide="ignore", invalid="ignore"):
                log = np.log((recent.means + 0.02 * self.size[..., None]) / (1.02 * self.size[..., None]))
            log = np.where(np.isfinite(log), recent.weights * log, 0.0)
            lately[..., :-1] = log
            lately[..., -1] = log[:, :, :1, 0]
        out = np.concatenate([np.stack(parts, axis=-1), lately], axis=-1)
        return np.asarray(np.clip(_finite(out), -_FEATURE_SPAN, _FEATURE_SPAN), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class RecentErrors:
    """Mean absolute scores known at each origin.

    Attributes
    ----------
    means, weights : ndarray, shape (n, Z, S, M)
        Exponentially weighted over `MEMORIES` positions (`nan` where nothing was known), and the weight that each
        rests on, 0 to 1: missing readings make it small.
    """

    means: np.ndarray
    weights: np.ndarray


def recent_errors(
    scores: np.ndarray,
    known: np.ndarray,
    steps: np.ndarray | tuple[int, ...],
    *,
    memories: tuple[float, ...] = MEMORIES,
) -> RecentErrors:
    """Recent absolute scores by zone and horizon; a score counts from the origin at which its reading was known.

    Parameters
    ----------
    scores : ndarray, shape (n, Z, S)
        Score of the forecast made at each origin; what was not known at an origin is not looked at there.
    known : ndarray of int, shape (n,)
        Last known position at each origin, increasing.
    steps : array of int, shape (S,)
        Horizons in positions.
    memories : tuple of float, length M
        In positions: scores of sparse origins fade faster from one to the next.
    """
    n, zones, horizons = scores.shape
    shape = (zones, horizons, len(memories))
    means, weights = np.empty((n, *shape)), np.empty((n, *shape))
    total, mass = np.zeros(shape), np.zeros(shape)
    told, last = np.zeros(horizons, dtype=np.int64), np.full(horizons, -1, dtype=np.int64)
    recent_means(
        np.asarray(known, dtype=np.int64), np.asarray(steps, dtype=np.int64), np.abs(scores).astype(float),
        np.asarray(memories, dtype=float), total, mass, told, last, means, weights, 0,
    )  # fmt: skip
    return RecentErrors(means, weights)


def _design(features: np.ndarray) -> np.ndarray:
    """Features (n, Z, F) with a constant as the last column, float32, no gaps."""
    one = np.ones((*features.shape[:2], 1), dtype=np.float32)
    return np.concatenate([_finite(features), one], axis=2)


def _finite(features: np.ndarray) -> np.ndarray:
    return np.nan_to_num(np.asarray(features, dtype=np.float32), nan=0.0, posinf=_FEATURE_SPAN, neginf=-_FEATURE_SPAN)


def _rounds(x: np.ndarray, r: np.ndarray, ridge: float, start: np.ndarray | None) -> np.ndarray:
    """Coefficients (B, F) of log E|r| on x (B, n, F) for B batches, by Fisher scoring with a ridge towards `start`."""
    width = x.shape[2]
    weight = x[..., -1].astype(np.float64)
    if start is None:
        most = np.array([_LARGEST_RATIO * np.median(a[w > 0]) if (w > 0).any() else 0.0 for a, w in zip(r, weight)])
        mean = (np.minimum(r, most[:, None]) * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
        start = np.zeros((x.shape[0], width))
        start[:, -1] = np.log(np.maximum(mean, 1e-6))
        pull = np.full(width, ridge)
        pull[-1] = 1e-6
    else:
        pull = np.full(width, ridge)
    gram = np.matmul(x.transpose(0, 2, 1), x).astype(np.float64)
    inverse = np.linalg.inv(gram + np.diag(pull) + 1e-9 * np.eye(width))
    beta = start.copy()
    for _ in range(_ROUNDS):
        line = np.matmul(x, beta[..., None].astype(np.float32))[..., 0]
        ratio = np.minimum(r / np.exp(np.clip(line, -10.0, 10.0)), _LARGEST_RATIO)
        gradient = np.matmul(x.transpose(0, 2, 1), (ratio - x[..., -1])[..., None])[..., 0] - pull * (beta - start)
        beta = beta + np.clip(np.matmul(inverse, gradient[..., None])[..., 0], -1.0, 1.0)
    return np.asarray(beta)


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=axis) / np.maximum(count, 1), np.nan)

"""Significance: which of two models is better in which zone, as far as the days of a test part can tell.

Losses of both models on the same rows are summed by day (`PairSums`), days are resampled together for all zones
(`paired_test`); `diebold_mariano` is a cross-check that resamples nothing. `models.verdicts` corrects for the number
of zones and says the outcome in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from models.backtest import block_sums, bootstrap_weights
from models.errors import SettingsError

_PIECE = 2_000_000  # numbers of a resample held at once
_TAIL = 10  # resamples beyond the statistic below which the tail is that of Student's t


@dataclass(frozen=True, eq=False)
class PairSums:
    """Losses of two models summed by day over the rows where both are known.

    Attributes
    ----------
    a, b, count : ndarray, shape (D, Z, H)
    """

    a: np.ndarray
    b: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, loss_a: np.ndarray, loss_b: np.ndarray, day: np.ndarray) -> PairSums:
        """From losses (n, Z, H), `nan` where there is none, and the day of each row (n,), which never falls.

        A test part of fewer than five days can tell little by days; number parts of a day then (6 hours: assumption),
        and read the outcome with more doubt, for what lasts through a day is no longer seen.

        Raises
        ------
        SettingsError
            If the shapes differ or the days fall.
        """
        faults = []
        if loss_a.shape != loss_b.shape or loss_a.ndim != 3:
            faults.append(f"losses have shapes {loss_a.shape} and {loss_b.shape}; both (n, zones, horizons)")
        if np.shape(day) != loss_a.shape[:1]:
            faults.append(f"day has shape {np.shape(day)}; one for each of {loss_a.shape[0]} rows")
        elif (np.diff(day) < 0).any():
            faults.append("day falls; rows are oldest first")
        if faults:
            raise SettingsError("losses cannot be paired: " + "; ".join(faults))
        known = np.isfinite(loss_a) & np.isfinite(loss_b)
        block = np.unique(day, return_inverse=True)[1]
        a, b = (block_sums(np.where(known, loss, 0.0), block) for loss in (loss_a, loss_b))
        return cls(a, b, block_sums(known, block))

    def pooled(self) -> PairSums:
        """All zones as one, shape (D, 1, H)."""
        return PairSums(*(part.sum(axis=1, keepdims=True) for part in (self.a, self.b, self.count)))


@dataclass(frozen=True, eq=False)
class PairedTest:
    """Two models' losses compared by zone and horizon; every array has shape (Z, H), `nan` where nothing was scored.

    Attributes
    ----------
    mean_a, mean_b : ndarray
        Mean losses.
    difference : ndarray
        `mean_a - mean_b`: below 0 the first model is better.
    se : ndarray
        Standard error of the difference.
    low, high : ndarray
        Interval of the difference at `level`.
    p : ndarray
        Two-sided p-value of "no difference", not corrected for the number of zones.
    count : ndarray
        Rows scored.
    days, block : int
        Days, and length of the blocks of days that were resampled.
    level : float
    """

    mean_a: np.ndarray
    mean_b: np.ndarray
    difference: np.ndarray
    se: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    count: np.ndarray
    days: int
    block: int
    level: float

    @property
    def share(self) -> np.ndarray:
        """The difference as a share of the second model's loss."""
        return self.difference / np.where(self.mean_b > 0, self.mean_b, np.nan)

    @property
    def freedom(self) -> int:
        """Independent blocks less one."""
        return max(-(-self.days // self.block) - 1, 0)


def paired_test(
    sums: PairSums, *, level: float = 0.9, draws: int = 999, seed: int = 0, block: int | None = None
) -> PairedTest:
    """Studentised circular block bootstrap of the difference of two mean losses, for all zones and horizons at once.

    Parameters
    ----------
    sums : PairSums
    level : float
        Of the intervals.
    draws : int
        Resamples; zones are resampled together.
    seed : int
    block : int or None
        Days in a block; None takes as many as the dependence from day to day asks for, see `block_length`.

    Notes
    -----
    A resampled difference is divided by its own standard error, since a percentile interval of a few days is too
    narrow; the tests hold its misses on simulated days. Where fewer than 10 resamples lie beyond the statistic, the
    tail is that of Student's t, stretched to meet them, so that p-values go below 1 / draws, as many zones need. Fewer
    than two days give `nan`.

    What it cannot cure: where the differences of single days are very skewed, so that a few days decide everything, a
    few weeks are too few for the far tail that hundreds of independent zones need, and more false verdicts pass Holm's
    correction than it promises.

    References
    ----------
    Politis & Romano (1992), in LePage & Billard (eds), "Exploring the limits of bootstrap" (circular blocks);
    Hall (1988), doi:10.1214/aos/1176350933 (studentised intervals)
    """
    if not 0 < level < 1 or draws < 19:
        raise SettingsError(f"level={level:g} and draws={draws}; a level lies between 0 and 1, draws are at least 19")
    gap = sums.a - sums.b
    days, *shape = gap.shape
    length = block_length(gap) if block is None else int(np.clip(block, 1, max(days // 2, 1)))
    columns = int(np.prod(shape))
    flat, heard = gap.reshape(days, columns), np.asarray(sums.count, dtype=float).reshape(days, columns)
    found = np.full((4, columns), np.nan)  # standard error, p, low, high
    n = heard.sum(axis=0)
    mean = np.divide(flat.sum(axis=0), n, out=np.full(columns, np.nan), where=n > 0)
    if days >= 2:
        weights = _weights(days, length, draws, seed)
        step = max(_PIECE // draws, 1)
        for first in range(0, columns, step):
            part = slice(first, first + step)
            found[:, part] = _resampled(flat[:, part], heard[:, part], mean[part], weights, length, level)
    mean_a, mean_b = (
        np.divide(s.sum(axis=0), n.reshape(shape), out=np.full(shape, np.nan), where=n.reshape(shape) > 0)
        for s in (sums.a, sums.b)
    )
    se, p, low, high = (part.reshape(shape) for part in found)
    return PairedTest(
        mean_a, mean_b, mean.reshape(shape), se, low, high, p, n.reshape(shape).astype(np.int64), days, length, level
    )


def block_length(gap: np.ndarray) -> int:
    """Days that go together in the differences (D, ...), from their correlation from day to day over all columns.

    The optimal length of circular blocks for an autoregression of order one with correlation r,
    (6 r^2 / (1 - r^2)^2)^(1/3) D^(1/3), at most a quarter of the days.

    References
    ----------
    Politis & White (2004), doi:10.1081/ETR-120028836, corrected by Patton et al. (2009),
    doi:10.1080/07474930802459016; Kendall (1954), doi:10.1093/biomet/41.3-4.403 (small-sample bias of r).
    """
    days = gap.shape[0]
    if days < 8:
        return 1
    off = gap.reshape(days, -1) - gap.reshape(days, -1).mean(axis=0)
    square = (off**2).sum(axis=0)
    live = square > 0
    if not live.any():
        return 1
    r = float(np.mean((off[1:] * off[:-1]).sum(axis=0)[live] / square[live]))
    r = float(np.clip(r + (1 + 3 * max(r, 0.0)) / days, 0.0, 0.8))
    return int(np.clip(round((6 * r**2 / (1 - r**2) ** 2 * days) ** (1 / 3)), 1, days // 4))


@dataclass(frozen=True, eq=False)
class SeedSpread:
    """How much a difference depends on the seed: shares of the second model's loss, shape (Z, H).

    Attributes
    ----------
    mean, sd : ndarray
        Over seeds; `sd` is `nan` for one seed.
    agree : ndarray
        Share of the seeds whose difference has the sign of the mean.
    """

    mean: np.ndarray
    sd: np.ndarray
    agree: np.ndarray


def between_seeds(tests: Sequence[PairedTest]) -> SeedSpread:
    """Spread over seeds of what `paired_test` found for each."""
    shares = np.stack([test.share for test in tests])
    mean = shares.mean(axis=0)
    sd = shares.std(axis=0, ddof=1) if len(tests) > 1 else np.full(mean.shape, np.nan)
    return SeedSpread(mean, sd, (np.sign(shares) == np.sign(mean)).mean(axis=0))


def diebold_mariano(
    loss_a: np.ndarray, loss_b: np.ndarray, steps: Sequence[int], *, lags: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Statistic and two-sided p-value of "no difference" by zone and horizon, shape (Z, H).

    Parameters
    ----------
    loss_a, loss_b : ndarray, shape (n, Z, H)
        On the same rows, one a step; gaps are left out of the sums.
    steps : sequence of int, length H
        Horizons in steps.
    lags : int or None
        Autocovariances in the variance, with falling weights; None takes the larger of the horizon less one and
        1.3 sqrt(n). Dependence that lasts longer (a whole day) makes p-values too small: give as many lags then.

    Notes
    -----
    Many lags make the variance itself uncertain: p-values are those of Student's t with 1.5 n / lags degrees of
    freedom.

    References
    ----------
    Diebold & Mariano (1995), doi:10.1080/07350015.1995.10524599; Newey & West (1987), doi:10.2307/1913610;
    Lazarus et al. (2018), doi:10.1080/07350015.2018.1506926 (lags and degrees of freedom);
    Harvey et al. (1997), doi:10.1016/S0169-2070(96)00719-4 (small samples)
    """
    n, zones, horizons = loss_a.shape
    statistic, p = (np.full((zones, horizons), np.nan) for _ in range(2))
    for h, step in enumerate(steps):
        most = min(max(step - 1, int(np.ceil(1.3 * np.sqrt(n)))) if lags is None else lags, n - 1)
        off = (loss_a[:, :, h] - loss_b[:, :, h]).astype(float)
        known = np.isfinite(off)
        count = known.sum(axis=0)
        mean = np.where(known, off, 0).sum(axis=0) / np.maximum(count, 1)
        off = np.where(known, off - mean, 0.0)
        variance = (off**2).sum(axis=0)
        for lag in range(1, most + 1):
            variance += 2 * (1 - lag / (most + 1)) * np.einsum("nz,nz->z", off[lag:], off[:-lag])
        m = np.maximum(count, 2)
        small = np.sqrt(np.maximum((m + 1 - 2 * step + step * (step - 1) / m) / m, 1e-12))
        error = np.sqrt(np.maximum(variance, 0.0)) / m
        usable = (count > max(2, step)) & (error > 0)
        statistic[:, h] = np.where(usable, mean / np.where(usable, error, 1.0) * small, np.nan)
        p[:, h] = 2 * stats.t.sf(np.abs(statistic[:, h]), np.minimum(1.5 * n / (most + 1), m - 1))
    return statistic, p


def _weights(days: int, length: int, draws: int, seed: int) -> np.ndarray:
    """How often the block that begins with each day is drawn in each resample, shape (draws, days)."""
    if length == 1:
        return bootstrap_weights(days, draws=draws, seed=seed)
    blocks = -(-days // length)
    return np.random.default_rng(seed).multinomial(blocks, np.full(days, 1 / days), size=draws).astype(float)


def _resampled(
    gap: np.ndarray, heard: np.ndarray, mean: np.ndarray, weights: np.ndarray, length: int, level: float
) -> np.ndarray:
    """Standard error, p, low and high of the differences of some columns, shape (4, columns)."""
    days = gap.shape[0]
    n = heard.sum(axis=0)
    if length > 1:
        blocks = (np.arange(days)[:, None] + np.arange(length)) % days
        gap, heard = gap[blocks].sum(axis=1), heard[blocks].sum(axis=1)
    drawn = float(weights[0].sum())
    small = drawn / (drawn - 1)
    centre = np.nan_to_num(mean)
    freedom = np.maximum(np.minimum(drawn, (heard > 0).sum(axis=0)) - 1, 1)
    gap = gap - centre * heard  # what is resampled is small then, and its square is not lost in that of the mean
    se = np.sqrt(small * (gap**2).sum(axis=0) / length) / np.maximum(n, 1)
    count = weights @ heard
    usable = count > 0
    count = np.where(usable, count, 1.0)
    again = weights @ gap / count
    square = weights @ gap**2 - 2 * again * (weights @ (gap * heard)) + again**2 * (weights @ heard**2)
    own = np.sqrt(small * np.maximum(square, 0.0)) / count
    live = own > 1e-6 * np.maximum(se, 1e-300)
    away = np.abs(again) / np.where(live, own, 1.0)
    away = np.where(usable, np.where(live, away, np.inf), 0.0)  # a resample of one day over says nothing against chance
    statistic = np.abs(centre) / np.where(se > 0, se, 1.0)
    statistic = np.where(se > 0, statistic, np.where(centre == 0, 0.0, np.inf))
    draws = weights.shape[0]
    beyond = (away >= statistic).sum(axis=0)
    ordered = np.sort(away, axis=0)
    edge, reach = ordered[draws - 1 - _TAIL], ordered[min(int(np.ceil(level * (draws + 1))), draws) - 1]
    reach = np.where(np.isfinite(reach), reach, stats.t.ppf((1 + level) / 2, freedom))  # two or three days
    t_edge = stats.t.isf(0.5 * (_TAIL + 1) / (draws + 1), freedom)
    stretch = np.minimum(1.0, t_edge / np.maximum(edge, 1e-300))
    tail = 2 * stats.t.sf(stretch * np.minimum(statistic, 1e9), freedom)
    p = (1 + beyond) / (draws + 1)
    p = np.where(beyond < _TAIL, np.minimum(p, tail), p)
    p = np.where(se > 0, p, np.where(centre == 0, 1.0, 1 / (draws + 1)))
    out = np.stack([se, p, centre - reach * se, centre + reach * se])
    return np.where((n > 0) & ((heard > 0).sum(axis=0) >= 2), out, np.nan)

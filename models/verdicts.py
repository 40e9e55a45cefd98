"""Verdicts: which model is better in which zone, corrected for the number of zones, in words.

"No difference" is a verdict too, and says how large a difference would have been seen. The tests themselves are those
of `models.significance`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from models.errors import SettingsError
from models.significance import PairedTest

CORRECTIONS = ("holm", "bh", "by", "none")
POWER = 0.8  # with which the smallest visible difference would have been seen (convention: Cohen 1992,
# doi:10.1037/0033-2909.112.1.155)


def corrected(p: np.ndarray, method: str = "holm") -> np.ndarray:
    """p-values corrected for their number along the first axis (zones), shape of `p`; `nan` stays and does not count.

    Parameters
    ----------
    p : ndarray, shape (Z, ...)
    method : "holm", "bh", "by" or "none"
        "holm": the chance of any false verdict stays below the level, however zones depend on each other; "bh" and
        "by": the expected share of false ones among the verdicts does, "by" however they depend.

    Raises
    ------
    SettingsError
        For another method.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70; Benjamini & Hochberg (1995),
    doi:10.1111/j.2517-6161.1995.tb02031.x; Benjamini & Yekutieli (2001), doi:10.1214/aos/1013699998

    Examples
    --------
    >>> corrected(np.array([0.01, 0.04, 0.03]))
    array([0.03, 0.06, 0.06])
    """
    if method not in CORRECTIONS:
        raise SettingsError(f"there is no correction {method!r}; there are {CORRECTIONS}")
    out = np.array(p, dtype=float)
    if method == "none":
        return out
    columns = out.reshape(out.shape[0], -1)
    for k in range(columns.shape[1]):
        known = np.isfinite(columns[:, k])
        if known.any():
            values = columns[known, k]
            columns[known, k] = (
                _holm(values) if method == "holm" else stats.false_discovery_control(values, method=method)
            )
    return columns.reshape(out.shape)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Who is better where.

    Attributes
    ----------
    winner : ndarray of int8, shape (Z, H)
        -1: the first model, 1: the second, 0: no difference, or it cannot be told.
    p : ndarray, shape (Z, H)
        Corrected.
    visible : ndarray, shape (Z, H)
        Smallest difference, as a share of the second model's loss, that would have been called one in four of five
        such test parts, at the level that one more zone would have had to reach.
    """

    test: PairedTest
    names: tuple[str, str]
    method: str
    alpha: float
    winner: np.ndarray
    p: np.ndarray
    visible: np.ndarray

    def words(self, zone: int, horizon: int = 0) -> str:
        """The verdict of one zone and horizon in a sentence."""
        test, at = self.test, (zone, horizon)
        share = 100 * float(test.share[at])
        if not np.isfinite(share) or not np.isfinite(test.p[at]):
            return f"cannot be told: {test.days} days of test with {int(test.count[at])} readings are too few"
        low, high = sorted(100 * float(edge[at]) / float(test.mean_b[at]) for edge in (test.low, test.high))
        better, worse = (
            f"{100 * test.level:.0f} % interval {-high:.1f} to {-low:.1f}",
            (f"{100 * test.level:.0f} % interval {low:.1f} to {high:.1f}"),
        )
        first, second = self.names
        if self.winner[at] < 0:
            return f"the {first} is better by {-share:.1f} % ({better})"
        if self.winner[at] > 0:
            return f"the {second} is better by {share:.1f} % ({worse})"
        text = f"no difference: the {first} had {abs(share):.1f} % {'less' if share < 0 else 'more'} loss ({worse})"
        seen = float(self.visible[at])
        if not seen < 1:
            return text + f"; {test.days} days are too few to see any"
        return text + f"; {100 * seen:.1f} % or more would probably have been seen"

    def summary(self, horizon: int = 0) -> str:
        """How many zones each model wins."""
        won = self.winner[:, horizon]
        told = np.isfinite(self.p[:, horizon])
        text = (
            f"the {self.names[0]} is better in {(won < 0).sum()} of {won.size} zones, the {self.names[1]} in"
            f" {(won > 0).sum()}, no difference in {((won == 0) & told).sum()}"
        )
        return text + (f"; {(~told).sum()} cannot be told" if not told.all() else "")


def verdicts(
    test: PairedTest,
    *,
    names: tuple[str, str] = ("micromodel", "macromodel"),
    method: str = "holm",
    alpha: float = 0.1,
    least: float = 0.0,
) -> Verdicts:
    """Verdicts by zone, corrected for the number of zones at each horizon.

    Parameters
    ----------
    test : PairedTest
    names : tuple of str
        Of the first and second model.
    method : str
        See `corrected`.
    alpha : float
        What the correction keeps: the chance of any false verdict ("holm"), or the share of false ones ("bh", "by").
    least : float
        Differences below this share of the second model's loss are called none, however certain.
    """
    adjusted = corrected(test.p, method)
    clear = (adjusted <= alpha) & (np.abs(test.share) >= least)
    winner = np.where(clear, np.sign(test.difference), 0).astype(np.int8)
    need = _next_level(test.p, adjusted, method, alpha)
    freedom = max(test.freedom, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = np.where(test.se > 0, 0.5 * (test.high - test.low) / test.se, 0.0)  # what is called lies outside it, too
    reach = np.maximum(stats.t.ppf(1 - need / 2, freedom), wide) + stats.t.ppf(POWER, freedom)
    visible = np.maximum(reach * test.se / np.where(test.mean_b > 0, test.mean_b, np.nan), least)
    return Verdicts(test, names, method, alpha, winner, adjusted, visible)


def _holm(p: np.ndarray) -> np.ndarray:
    """Step-down corrected p-values of a vector."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * (p.size - np.arange(p.size)))
    out = np.empty(p.size)
    out[order] = np.minimum(stepped, 1.0)
    return out


def _next_level(p: np.ndarray, adjusted: np.ndarray, method: str, alpha: float) -> np.ndarray:
    """The p-value below which one more zone would have been called different, shape (1, ...)."""
    zones = np.maximum(np.isfinite(p).sum(axis=0, keepdims=True), 1)
    called = (adjusted <= alpha).sum(axis=0, keepdims=True)
    if method == "none":
        return np.full(zones.shape, alpha)
    if method == "holm":
        return alpha / np.maximum(zones - called, 1)
    level = alpha * np.minimum(called + 1, zones) / zones
    if method == "by":
        level = level / np.vectorize(lambda m: (1 / np.arange(1, m + 1)).sum())(zones)
    return level

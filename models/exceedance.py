"""Exceedance: how likely the target passes a limit, zone by zone and horizon by horizon, and whether to believe it.

Two ways: `from_quantiles` reads the chance off forecast quantiles; `ExceedanceClassifier` learns it directly by
logistic regression. Zones with few episodes above the limit lean on the city's coefficients, as far as their own
evidence is thin; chances are calibrated on stretches of time that the coefficients have not seen. Where there are too
few episodes to learn or to check anything, the answer is `nan` and `note` says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from models.errors import NotFittedError, SettingsError
from models.families.block_lines import CHUNK_BYTES
from models.families.gram import block_bounds
from models.logistic import chance, log_odds, logistic_lines
from models.reliability import brier, brier_skill, log_score, probability_scores, reliability, roc_auc
from models.rows import Layout, Rows

__all__ = [
    "ExceedanceClassifier", "brier", "brier_skill", "from_quantiles", "log_score", "probability_scores", "reliability",
    "roc_auc",
]  # fmt: skip

#: Where a chance comes from.
STATUS = ("too few episodes in the city", "the city's coefficients", "the zone's own coefficients")
POOL_CASES = 60_000  # rows, spread over zones and time, that the city's coefficients are learned from; assumption
CLIP = 8.0  # features beyond so many usual swings count as that many; assumption


def from_quantiles(levels: np.ndarray, quantiles: np.ndarray, limit: np.ndarray | float) -> np.ndarray:
    """Chance that the target exceeds a limit, from forecast quantiles.

    Between quantiles the distribution function is a straight line; beyond the outermost the tails fall exponentially,
    with the density that the outermost pair of quantiles ends with.

    Parameters
    ----------
    levels : ndarray, shape (Q,)
        Rising, between 0 and 1, at least two.
    quantiles : ndarray, shape (..., Q)
        In the target's unit; crossing ones are sorted first.
    limit : ndarray or float, shape (...)
        Same unit.

    Returns
    -------
    ndarray, shape (...)
        Between 0 and 1; `nan` where a quantile is `nan`.

    Raises
    ------
    SettingsError
        If the levels do not rise within 0..1 or do not match the quantiles.

    Examples
    --------
    >>> from_quantiles(np.array([0.1, 0.5, 0.9]), np.array([10.0, 20.0, 40.0]), 30.0).round(3)
    np.float64(0.3)
    """
    levels = np.asarray(levels, dtype=float)
    q = np.sort(np.asarray(quantiles, dtype=float), axis=-1)
    if levels.ndim != 1 or len(levels) < 2 or np.any(np.diff(levels) <= 0) or levels[0] <= 0 or levels[-1] >= 1:
        raise SettingsError(f"levels={levels.tolist()}: at least two, rising, above 0 and below 1")
    if q.shape[-1] != len(levels):
        raise SettingsError(f"quantiles of shape {q.shape} do not match {len(levels)} levels: the last axis must")
    limit = np.broadcast_to(np.asarray(limit, dtype=float), q.shape[:-1])
    width = np.maximum(np.diff(q, axis=-1), 1e-9 * (1.0 + np.abs(q[..., :1])))
    right = np.clip((q <= limit[..., None]).sum(axis=-1), 1, len(levels) - 1)
    left = np.take_along_axis(q, (right - 1)[..., None], axis=-1)[..., 0]
    gap = np.take_along_axis(width, (right - 1)[..., None], axis=-1)[..., 0]
    below = levels[right - 1] + (levels[right] - levels[right - 1]) * np.clip((limit - left) / gap, 0.0, 1.0)
    first, last = np.diff(levels)[0] / width[..., 0], np.diff(levels)[-1] / width[..., -1]
    with np.errstate(over="ignore", under="ignore"):
        low = levels[0] * np.exp(np.minimum((limit - q[..., 0]) * first / levels[0], 0.0))
        high = (1 - levels[-1]) * np.exp(np.minimum(-(limit - q[..., -1]) * last / (1 - levels[-1]), 0.0))
    p = np.where(limit < q[..., 0], 1.0 - low, np.where(limit >= q[..., -1], high, 1.0 - below))
    return np.where(np.isfinite(q).all(axis=-1), p, np.nan)


class ExceedanceClassifier:
    """Calibrated chance that a limit is exceeded, for every zone and horizon in one batch.

    Parameters
    ----------
    seed : int
        Kept for the record: nothing here is random.
    **settings
        `strength` (ridge penalty of the city's coefficients, in cases), `borrow` (how many cases the city's
        coefficients weigh against a zone's own; 0.01 would leave a zone on its own), `blocks` of time left out in turn
        for the calibration, `least_episodes` (separate runs above the limit that a zone needs for coefficients and a
        calibration of its own, and the city for any answer), `gap` (steps below the limit that end an episode),
        `calibrate_borrow` (cases that the city's calibration weighs against a zone's own).

    Raises
    ------
    SettingsError
        Naming every setting that does not exist or is out of range.

    Notes
    -----
    Logistic regression with a Gaussian prior around the city's coefficients, then Platt scaling (Platt 1999) of
    out-of-fold log odds, with a prior around the city's scaling. A zone's chances depend on the other zones' outcomes
    through these priors: that is what lets a zone with few events have a model at all.

    Examples
    --------
    >>> sorted(ExceedanceClassifier().settings)
    ['blocks', 'borrow', 'calibrate_borrow', 'gap', 'least_episodes', 'strength']
    """

    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"strength": 30.0, "borrow": 100.0, "blocks": 5, "least_episodes": 10, "gap": 6, "calibrate_borrow": 100.0}
    )
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"borrow": (1000.0, 300.0, 100.0, 30.0, 10.0), "strength": (300.0, 30.0)}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        s: dict[str, Any] = {**self.defaults, **settings}
        faults = [f"no setting {name!r}" for name in sorted(set(settings) - set(self.defaults))]
        faults += [
            f"{name}={s[name]!r}: a number above 0"
            for name in ("strength", "borrow", "calibrate_borrow")
            if not float(s[name]) > 0
        ]
        faults += [
            f"{name}={s[name]!r}: a whole number from {least}"
            for name, least in (("blocks", 2), ("least_episodes", 1), ("gap", 1))
            if int(s[name]) < least
        ]
        if faults:
            raise SettingsError(f"exceedance: {'; '.join(faults)}; there are {sorted(self.defaults)}")
        self.seed, self.settings = int(seed), s
        self.layout: Layout | None = None
        self.arrays: dict[str, np.ndarray] = {}

    def fit(self, rows: Rows, y_exceed: np.ndarray, *, extra: np.ndarray | None = None) -> Self:
        """Learn; rows are oldest first.

        Parameters
        ----------
        rows : Rows
            n origins, Z zones, S horizons.
        y_exceed : ndarray, shape (n, Z, S)
            1 where the limit was exceeded, 0 where not, `nan` where unknown.
        extra : ndarray of float32 or None, shape (n, Z, S, E)
            Further features of about unit size, given to `predict_proba` too: e.g. (limit - usual value at the time
            forecast for) / zone's scale, or the log odds from `from_quantiles`.
        """
        self.layout = rows.layout
        n, zones, horizons = rows.shape
        width = rows.width + 1 + (0 if extra is None else extra.shape[3])
        self.arrays = {
            "lines": np.zeros((zones, horizons, width)),
            "platt": np.tile(np.array([0.0, 1.0]), (zones, horizons, 1)),
            "share": np.full((zones, horizons), np.nan),
            "episodes": np.zeros((zones, horizons), dtype=np.int64),
            "cases": np.zeros((zones, horizons), dtype=np.int64),
            "status": np.zeros((zones, horizons), dtype=np.int64),
        }
        edges = block_bounds(n, int(self.settings["blocks"]))
        for horizon in range(horizons):
            self._fit_horizon(rows, np.asarray(y_exceed[:, :, horizon].T, dtype=np.float64), horizon, extra, edges)
        return self

    def _fit_horizon(
        self, rows: Rows, y: np.ndarray, horizon: int, extra: np.ndarray | None, edges: np.ndarray
    ) -> None:
        a, s = self.arrays, self.settings
        known = np.isfinite(y)
        a["cases"][:, horizon] = known.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            a["share"][:, horizon] = np.where(known, y, 0.0).sum(axis=1) / known.sum(axis=1)
        # where the limit is passed mostly, what is rare is that it is not
        rare = np.where(a["share"][:, horizon, None] > 0.5, y == 0.0, y == 1.0)
        a["episodes"][:, horizon] = _runs(rare, int(s["gap"]))
        least = int(s["least_episodes"])
        if a["episodes"][:, horizon].sum() < least or len(edges) < 3:
            return
        a["status"][:, horizon] = np.where(a["episodes"][:, horizon] >= least, 2, 1)
        chunk = max(1, int(CHUNK_BYTES / (4 * max(1, y.shape[1]) * a["lines"].shape[2])))
        slices = [slice(k, min(k + chunk, len(y))) for k in range(0, len(y), chunk)]
        odds = np.zeros(y.shape)
        # the last round sees every block and is kept; the others forecast the block that they have not seen
        for block in range(len(edges)):
            seen = np.ones(y.shape[1], dtype=bool)
            if block < len(edges) - 1:
                seen[edges[block] : edges[block + 1]] = False
            pooled = self._pooled(rows, y, horizon, extra, seen)
            for part in slices:
                x = _features(rows, part, horizon, extra)
                own = a["status"][part, horizon] == 2
                lines = np.tile(pooled, (x.shape[0], 1))
                if own.any():
                    target = np.where(seen, y[part][own], np.nan)
                    weight = float(s["borrow"]) * _unit(a["share"][part, horizon][own])
                    lines[own] = logistic_lines(x[own], target, prior=pooled, precision=weight[:, None])
                if block < len(edges) - 1:
                    held = slice(edges[block], edges[block + 1])
                    odds[part, held] = (x[:, held] @ lines.astype(np.float32)[:, :, None])[:, :, 0]
                else:
                    a["lines"][part, horizon] = lines
        self._calibrate(odds, y, horizon)

    def _pooled(
        self, rows: Rows, y: np.ndarray, horizon: int, extra: np.ndarray | None, seen: np.ndarray
    ) -> np.ndarray:
        """The city's coefficients, (P,), from rows spread evenly over zones and time."""
        at = np.flatnonzero(seen)
        every = max(1, (len(at) * len(y)) // POOL_CASES)
        parts = [
            (_features(rows.take(at[z % every :: every]), slice(z, z + 1), horizon, None if extra is None else
             extra[at[z % every :: every]])[0], y[z, at[z % every :: every]])
            for z in range(len(y))
        ]  # fmt: skip
        x, target = np.concatenate([x for x, _ in parts])[None], np.concatenate([t for _, t in parts])[None]
        base = np.clip(np.nanmean(target) if np.isfinite(target).any() else 0.5, 1e-4, 1 - 1e-4)
        prior = np.append(np.zeros(x.shape[2] - 1), log_odds(base))
        precision = np.append(np.full(x.shape[2] - 1, float(self.settings["strength"]) * base * (1 - base)), 1e-3)
        return logistic_lines(x, target, prior=prior, precision=precision)[0]

    def _calibrate(self, odds: np.ndarray, y: np.ndarray, horizon: int) -> None:
        """Platt scaling of out-of-fold log odds: the city's, then each zone's around it."""
        pair = np.stack([np.ones(odds.shape), np.clip(odds, -CLIP, CLIP)], axis=2).astype(np.float32)
        unit = np.array([0.0, 1.0])
        city = logistic_lines(pair.reshape(1, -1, 2), y.reshape(1, -1), prior=unit, precision=np.full(2, 1.0))[0]
        city = city if city[1] > 0 else np.array([city[0], 0.0])
        weight = float(self.settings["calibrate_borrow"]) * _unit(self.arrays["share"][:, horizon])
        own = logistic_lines(pair, y, prior=city, precision=weight[:, None])
        own = np.where(own[:, 1:] > 0, own, city)
        own = np.where((self.arrays["status"][:, horizon] == 2)[:, None], own, city)
        self.arrays["platt"][:, horizon] = own

    def predict_proba(
        self, rows: Rows, places: np.ndarray | None = None, *, extra: np.ndarray | None = None
    ) -> np.ndarray:
        """Calibrated chances, shape (n, len(places), S); `nan` where there were too few episodes to learn from.

        Parameters
        ----------
        rows : Rows
            Of the zones at `places` alone, in that order, and of horizons fitted on.
        places : ndarray of int or None
            Places of these zones among those fitted on; None takes all.
        extra : ndarray or None, shape (n, len(places), S, E)
            As given to `fit`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        SettingsError
            If the number of extra features differs from those learned with.
        """
        if self.layout is None:
            raise NotFittedError("the exceedance classifier has not been fitted; call fit(rows, y_exceed) first")
        place = np.arange(rows.shape[1]) if places is None else np.asarray(places)
        given = rows.width + 1 + (0 if extra is None else extra.shape[3])
        if given != self.arrays["lines"].shape[2]:
            raise SettingsError(
                f"learned from {self.arrays['lines'].shape[2]} features (extra ones and a constant included), asked"
                f" with {given}: give the same features and `extra` as to fit"
            )
        out = np.full(rows.shape, np.nan)
        for k, step in enumerate(rows.layout.steps):
            at = self.layout.steps.index(step)
            lines, platt = self.arrays["lines"][place, at].astype(np.float32), self.arrays["platt"][place, at]
            x = _features(rows, slice(0, len(place)), k, extra)
            odds = np.clip((x @ lines[:, :, None])[:, :, 0].astype(np.float64), -CLIP, CLIP)
            p = chance(platt[:, :1] + platt[:, 1:] * odds)
            out[:, :, k] = np.where(self.arrays["status"][place, at][:, None] > 0, p, np.nan).T
        return out

    def note(self, place: int, horizon: int) -> str:
        """In a sentence, what the chance of one zone and horizon (by place) rests on, or why there is none."""
        cases, episodes = int(self.arrays["cases"][place, horizon]), int(self.arrays["episodes"][place, horizon])
        seen = f"{episodes} separate episode{'' if episodes == 1 else 's'} in {cases} known cases"
        status = int(self.arrays["status"][place, horizon])
        if status == 0:
            every = int(self.arrays["episodes"][:, horizon].sum())
            return f"No chance is given: {seen} here and {every} in the whole city are too few to learn from or check."
        if status == 1:
            return f"Too few of its own ({seen}): the chance rests on what holds across the city; treat it as a guide."
        return f"The chance rests on {seen} here, with some support from the rest of the city."

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """JSON values and arrays that `restore` needs."""
        if self.layout is None:
            raise NotFittedError("the exceedance classifier has not been fitted; call fit(rows, y_exceed) first")
        layout = {"common": self.layout.common, "ahead": self.layout.ahead, "steps": self.layout.steps}
        return {
            "seed": self.seed, "settings": self.settings, "layout": {k: list(v) for k, v in layout.items()}
        }, dict(self.arrays)  # fmt: skip

    @classmethod
    def restore(cls, meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        """Inverse of `state`."""
        classifier = cls(seed=meta["seed"], **meta["settings"])
        layout = meta["layout"]
        classifier.layout = Layout(tuple(layout["common"]), tuple(layout["ahead"]), tuple(layout["steps"]))
        classifier.arrays = dict(arrays)
        return classifier


def _features(rows: Rows, zones: slice, horizon: int, extra: np.ndarray | None) -> np.ndarray:
    """Clipped features of one horizon, extra ones, and a constant: float32, shape (Z, n, P)."""
    parts = [rows.common[:, zones], rows.ahead[:, zones, horizon]]
    if extra is not None:
        parts.append(np.asarray(extra[:, zones, horizon], dtype=np.float32))
    parts.append(np.ones((*parts[0].shape[:2], 1), dtype=np.float32))
    return np.clip(np.concatenate(parts, axis=2), -CLIP, CLIP).transpose(1, 0, 2)


def _unit(share: np.ndarray) -> np.ndarray:
    """Information that one case carries about a coefficient at this share of events, p (1 - p)."""
    p = np.clip(np.nan_to_num(share, nan=0.5), 1e-3, 1 - 1e-3)
    return p * (1.0 - p)


def _runs(happened: np.ndarray, gap: int) -> np.ndarray:
    """Separate runs of each row of (Z, n): a run starts where it happened after `gap` steps in which it did not."""
    n = happened.shape[1]
    total = np.concatenate([np.zeros((len(happened), 1), dtype=np.int64), np.cumsum(happened, axis=1)], axis=1)
    before = total[:, :-1] - total[:, np.maximum(np.arange(n) - gap, 0)]
    return (happened & (before == 0)).sum(axis=1)

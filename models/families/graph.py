"""Graph: readings propagated over the neighbourhood, weighed by few shared parameters.

A zone's own past enters lag by lag. What its neighbours read enters as (weight of the hop) x (temporal filter): with
H hops and L lags H + L numbers a horizon and filter instead of H * L, in the manner of a simplified graph convolution
(Wu et al. 2019, arXiv:1902.07153), whose propagation is done beforehand by the features. How much faster than recent
readings old ones are shrunk, how strongly, and how many filters are needed is learned by zone and horizon on blocks of
time left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

import numpy as np

from models.errors import SettingsError
from models.families.gram import Blocks, block_bounds, blocks_of, zone_chunks
from models.families.gram_kernels import left_out_errors, ridge_lines
from models.families.lines import LineLearner
from models.families.ridge import easing
from models.learner import State
from models.rows import Layout, Rows

#: What a forecast is made of, in the order of `GraphLearner.reach`.
PARTS = ("own past", "1 hop", "2 hops", "the rest")
_PROPAGATED = re.compile(r"(neighbours|hop(\d+)|near\d+)_lag_(\d+)")


def propagated(layout: Layout) -> tuple[np.ndarray, tuple[str, ...], np.ndarray]:
    """Places of the propagated readings among `layout.names`: the hops (one a row) by their common lags.

    Returns
    -------
    places : ndarray of int, shape (H, L)
        Those lags that every hop has, from 0 without a gap; H = 0 where there is none.
    who : tuple of str, length H
        `neighbours`, `hop2`, ..., `near1`, ...
    distance : ndarray of int, shape (H,)
        Hops away.
    """
    found: dict[str, dict[int, int]] = {}
    for place, name in enumerate(layout.common):
        if match := _PROPAGATED.fullmatch(name):
            found.setdefault(match[1], {})[int(match[3])] = place
    who = tuple(sorted(found, key=lambda name: (_distance(name), name)))
    shared = set.intersection(*(set(found[name]) for name in who)) if who else set()
    lags = sorted(shared)
    places = np.array([[found[name][lag] for lag in lags] for name in who], dtype=np.int64).reshape(len(who), len(lags))
    return places, who, np.array([_distance(name) for name in who], dtype=np.int64)


def part_of(layout: Layout) -> np.ndarray:
    """Place in `PARTS` of each of `layout.names`."""
    parts = np.full(len(layout.names), 3, dtype=np.int64)
    for place, name in enumerate(layout.names):
        if name.startswith(("own_", "ahead_day", "ahead_week")) and name != "ahead_weekend":
            parts[place] = 0
        elif match := re.match(r"(neighbours|near\d+|hop\d+)_", name):
            parts[place] = min(_distance(match[1]), 2)
    return parts


class GraphLearner(LineLearner):
    """Own readings lag by lag, neighbours' by hop weight x temporal filter; all else by a ridge line. One a zone.

    Settings
    --------
    penalties : list of float
        Tried, as in `ridge`.
    decays : list of float
        Tried: growth of the penalty with each lag, as a power of e; 0 shrinks all lags alike.
    hop_decay : float
        Growth of the penalty with each hop beyond the first, as a power of e.
    filters : list of int
        Tried, fewest first: temporal filters that all hops share. The hops' lags are free of each other (as in a ridge
        line) where that forecasts left-out blocks better.
    folds : int
        Contiguous blocks of the history, each left out once.
    spared : mapping of str to float
        Features that are penalised this much in comparison with the others (1), as in `ridge`.
    sweeps : int
        Of the alternation between hop weights and filters.

    Notes
    -----
    Hop weights A and filters F minimise, by alternating least squares on the second moments, the squared error plus a
    ridge penalty on the coefficients A F'. Where the rows carry no neighbours it is a ridge line.
    """

    family: ClassVar[str] = "graph"
    scope: ClassVar[Literal["zone", "city"]] = "zone"
    rank: ClassVar[float] = 4.0
    losses: ClassVar[tuple[str, ...]] = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"penalties": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0), "decays": (0.0, 0.5, 1.0),
         "hop_decay": 0.5, "filters": (1, 2), "folds": 5, "spared": {"own_lag_0": 0.01}, "sweeps": 6}
    )  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"filters": ((1,), (1, 2), ()), "hop_decay": (1.0, 0.5, 0.0), "decays": ((0.0,), (0.0, 0.5, 1.0))}
    )

    shares: np.ndarray
    used: np.ndarray

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        s = self.settings
        rules = (
            ("penalties", "at least one, each above 0", len(s["penalties"]) > 0 and min(s["penalties"]) > 0),
            ("decays", "at least one, each 0 or more", len(s["decays"]) > 0 and min(s["decays"]) >= 0),
            ("hop_decay", "0 or more", float(s["hop_decay"]) >= 0),
            ("filters", "whole numbers from 1", all(int(k) >= 1 for k in s["filters"])),
            ("folds", "a whole number from 2", int(s["folds"]) >= 2),
        )
        faults = [f"{name}={s[name]!r}: {text}" for name, text, fine in rules if not fine]
        if faults:
            raise SettingsError(f"{self.family}: " + "; ".join(faults))

    def _learn(self, rows: Rows, y: np.ndarray) -> None:
        n, zones, horizons = rows.shape
        count = zones if self.scope == "zone" else 1
        self.coefficient = np.zeros((count, horizons, rows.width + 1), np.float32)
        self.shares = np.zeros((count, horizons, len(PARTS)), np.float32)
        self.used = np.zeros((count, horizons), np.int32)  # filters; 0 where lags of hops are free of each other
        folds = int(self.settings["folds"])
        bounds, gap = block_bounds(n, folds), max(rows.layout.steps)
        pooled: Blocks | None = None
        for some in zone_chunks(rows, folds):
            part = Rows(rows.common[:, some], rows.ahead[:, some], rows.layout)
            blocks = blocks_of(part, y[:, some], bounds, gap)
            self._see(part, some)
            if self.scope == "zone":
                self._keep(some, blocks)
                continue
            whole, judged = (each.sum(axis=0, keepdims=True, dtype=float) for each in (blocks.whole, blocks.judged))
            pooled = Blocks(whole, judged) if pooled is None else Blocks(pooled.whole + whole, pooled.judged + judged)
        if pooled is not None:
            self._keep(slice(0, 1), pooled)

    def _keep(self, zones: slice, blocks: Blocks) -> None:
        """Learn the lines of some zones from their Gram matrices."""
        assert self.layout is not None and self.coefficient is not None
        count, horizons, folds, width, _ = blocks.whole.shape
        whole = blocks.whole.reshape(count * horizons, folds, width, width)
        judged = blocks.judged.reshape(whole.shape)
        tried = np.asarray(self.settings["penalties"], whole.dtype)
        eases = self._eases(self.layout)
        error = left_out_errors(whole, judged, tried, eases.astype(whole.dtype)).reshape(len(whole), -1)
        best = error.argmin(axis=1)
        way, penalty = best // tried.size, tried[best % tried.size].astype(float)
        total = whole.sum(axis=1, dtype=float)
        lines = np.zeros((len(whole), width - 1), np.float32)
        for k in np.unique(way):
            at = np.flatnonzero(way == k)
            lines[at] = ridge_lines(total[at], penalty[at], eases[k])
        lines, used = self._fewer(whole, judged, lines, error.min(axis=1), penalty[:, None] * eases[way])
        self.coefficient[zones] = lines.reshape(count, horizons, -1)
        self.used[zones] = used.reshape(count, horizons)
        self.shares[zones] = _variance_shares(total, lines, part_of(self.layout)).reshape(count, horizons, -1)

    def _eases(self, layout: Layout) -> np.ndarray:
        """How hard the constant, each feature and the outcome are penalised, for each decay: (decays, P)."""
        places, _, distance = propagated(layout)
        own = layout.lags("own")
        eases = np.tile(easing(layout, self.settings["spared"]), (len(self.settings["decays"]), 1))
        for ease, decay in zip(eases, self.settings["decays"], strict=True):
            ease[1 + own] *= np.exp(float(decay) * np.arange(len(own)))
            far = float(self.settings["hop_decay"]) * (distance - 1)[:, None]
            ease[1 + places] *= np.exp(float(decay) * np.arange(places.shape[1])[None, :] + far)
        return eases

    def _fewer(
        self, whole: np.ndarray, judged: np.ndarray, lines: np.ndarray, error: np.ndarray, penalty: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Lines (N, P - 1) of fewer parameters where they forecast left-out blocks as well, and their filters (N,)."""
        assert self.layout is not None
        places = propagated(self.layout)[0]
        tried = sorted({int(k) for k in self.settings["filters"] if int(k) < min(places.shape)})
        used = np.zeros(len(whole), np.int32)
        if not tried:
            return lines, used
        total = whole.sum(axis=1, dtype=float)
        left_out = np.zeros((len(tried), len(whole)))
        for fold in range(whole.shape[1]):
            for k, line in enumerate(self._factorised(total - whole[:, fold], penalty, places, tried)):
                both = np.concatenate([line, np.full((len(line), 1), -1.0)], axis=1)
                left_out[k] += np.einsum("np,npq,nq->n", both, judged[:, fold].astype(float), both, optimize=True)
        final = self._factorised(total, penalty, places, tried)
        best = error
        for k, count in enumerate(tried):
            better = (left_out[k] < best) & (total[:, 0, 0] > 0)
            best = np.where(better, left_out[k], best)
            used = np.where(better, count, used)
            lines = np.where(better[:, None], final[k], lines)
        return lines.astype(np.float32), used

    def _factorised(
        self, gram: np.ndarray, penalty: np.ndarray, places: np.ndarray, tried: list[int]
    ) -> list[np.ndarray]:
        """Lines (N, P - 1), constant first, for each number of filters, from Gram matrices and penalties (N, P)."""
        cov, cross, middle, swing = _standardised(gram)
        width = cov.shape[-1]
        inside = places.ravel()
        outside = np.setdiff1d(np.arange(width), inside)
        system = cov.copy()
        system[:, np.arange(width), np.arange(width)] += penalty[:, 1:-1] + 1e-9
        side = system[:, outside[:, None], inside]
        both = np.linalg.solve(
            system[:, outside[:, None], outside], np.concatenate([side, cross[:, outside, None]], axis=2)
        )
        # what is left of the propagated readings once the rest has had its say (Schur complement)
        inner = system[:, inside[:, None], inside] - side.swapaxes(1, 2) @ both[..., :-1]
        target = cross[:, inside] - (side.swapaxes(1, 2) @ both[..., -1:])[..., 0]
        found = []
        for count in tried:
            beta = np.empty_like(cross)
            beta[:, inside] = c = _alternated(
                inner, target, len(places), places.shape[1], count, int(self.settings["sweeps"])
            )
            beta[:, outside] = both[..., -1] - (both[..., :-1] @ c[..., None])[..., 0]
            beta = np.where(swing > 0, beta / np.where(swing > 0, swing, 1.0), 0.0)
            constant = middle[:, -1] - (beta * middle[:, :-1]).sum(axis=1)
            found.append(np.concatenate([constant[:, None], beta], axis=1))
        return found

    def n_parameters(self) -> int:
        """Coefficients one by one; those of propagated readings by (hops + lags) of each filter where they share."""
        assert self.layout is not None
        hops, lags = propagated(self.layout)[0].shape
        saved = np.where(self.used > 0, hops * lags - self.used * (hops + lags), 0)
        return int(np.count_nonzero(self._own_lines()) - np.maximum(saved, 0).sum())

    def reach(self, place: int) -> list[dict[str, float]]:
        """Shares of the forecast's variance, by horizon: from the own past, from 1 hop, 2 hops and more, and the rest.

        Parameters
        ----------
        place : int
            Place of the zone (any for scope "city").

        Returns
        -------
        list of dict
            For each horizon `step` and a share by each of `PARTS`; the shares sum to 1, or are all 0 where the
            forecast never moves. A share is the covariance of a part with the forecast over the forecast's variance on
            the rows learned from, so that it can fall a little below 0 or rise above 1 where parts counteract.
        """
        assert self.layout is not None
        shares = self.shares[0 if self.scope == "city" else place]
        return [
            {"step": float(step), **{part: float(share) for part, share in zip(PARTS, row, strict=True)}}
            for step, row in zip(self.layout.steps, shares, strict=True)
        ]

    def state(self) -> State:
        meta, arrays, blobs = super().state()
        return meta, {**arrays, "coefficient": self._own_lines(), "shares": self.shares, "used": self.used}, blobs

    def _own_lines(self) -> np.ndarray:
        return super().lines()


class PooledGraphLearner(GraphLearner):
    """The same with one set of hop weights and filters for the whole city."""

    family: ClassVar[str] = "macro_graph"
    scope: ClassVar[Literal["zone", "city"]] = "city"

    def lines(self) -> np.ndarray:
        """The city's lines, the same for every zone."""
        lines = self._own_lines()
        return np.broadcast_to(lines, (len(self.low), *lines.shape[1:]))

    def pick(self, places: np.ndarray) -> Self:
        """The part that serves some of the zones: the same lines, and the ranges of these zones' features."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout, part.coefficient, part.shares, part.used = self.layout, self.coefficient, self.shares, self.used
        part.low, part.high = self.low[places].copy(), self.high[places].copy()
        return part


def _standardised(gram: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Correlations (N, F, F) and with the outcome (N, F), means (N, F + 1) and deviations (N, F) of the features."""
    n = np.maximum(gram[:, 0, 0], 1.0)[:, None]
    middle = gram[:, 0, 1:] / n
    cov = gram[:, 1:, 1:] / n[..., None] - middle[:, :, None] * middle[:, None, :]
    power = np.diagonal(cov, axis1=1, axis2=2)[:, :-1]
    varies = power > 1e-6 * (power + middle[:, :-1] ** 2) + 1e-12
    swing = np.where(varies, np.sqrt(np.maximum(power, 0.0)), 0.0)
    unit = np.where(varies, 1.0 / np.where(varies, swing, 1.0), 0.0)
    return cov[:, :-1, :-1] * unit[:, :, None] * unit[:, None, :], cov[:, :-1, -1] * unit, middle, swing


def _alternated(inner: np.ndarray, target: np.ndarray, hops: int, lags: int, filters: int, sweeps: int) -> np.ndarray:
    """Minimise c'Gc - 2c't over c = vec(A F') with A (hops, r), F (lags, r) by alternation, from the full solution's
    leading singular vectors; (N, hops * lags)."""
    free = np.linalg.solve(inner, target[..., None])[..., 0]
    left, size, right = np.linalg.svd(free.reshape(-1, hops, lags), full_matrices=False)
    a = left[..., :filters]
    f = (size[..., :filters, None] * right[..., :filters, :]).swapaxes(-1, -2)
    g = inner.reshape(-1, hops, lags, hops, lags)
    t = target.reshape(-1, hops, lags)
    for _ in range(sweeps):
        f = _half(np.einsum("nhlgm,nhr,ngs->nlrms", g, a, a, optimize=True), t.swapaxes(-1, -2) @ a)
        f = np.linalg.qr(f)[0]  # the filters keep the shape, the hop weights the size
        a = _half(np.einsum("nhlgm,nlr,nms->nhrgs", g, f, f, optimize=True), t @ f)
    return (a @ f.swapaxes(-1, -2)).reshape(target.shape)


def _half(system: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Solve for one factor while the other stands still: (N, k, r, k, r) and (N, k, r)."""
    n, k, r = side.shape
    matrix = system.reshape(n, k * r, k * r).copy()
    ridge = 1e-10 * (1.0 + np.trace(matrix, axis1=1, axis2=2)[:, None])
    matrix[:, np.arange(k * r), np.arange(k * r)] += ridge
    return np.linalg.solve(matrix, side.reshape(n, k * r, 1))[..., 0].reshape(side.shape)


def _variance_shares(gram: np.ndarray, lines: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Covariance of each part with the forecast over the forecast's variance, (N, len(PARTS))."""
    cov, _, _, swing = _standardised(gram)
    beta = lines[:, 1:] * swing
    each = beta * np.einsum("npq,nq->np", cov, beta)
    total = each.sum(axis=1)
    shares = np.stack([each[:, parts == part].sum(axis=1) for part in range(len(PARTS))], axis=1)
    moves = total > 1e-9
    return np.where(moves[:, None], shares / np.where(moves, total, 1.0)[:, None], 0.0)


def _distance(who: str) -> int:
    """Hops away: `hop2` is 2, all else 1."""
    return int(who[3:]) if who.startswith("hop") else 1

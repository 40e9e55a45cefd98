"""Graph: readings propagated over the neighbourhood, weighed by few shared parameters.

A zone's own past enters lag by lag. What its neighbours read enters as (weight of the hop) x (temporal filter): with
H hops and L lags H + L numbers a horizon instead of H * L, in the manner of a simplified graph convolution (Wu et al.
2019, arXiv:1902.07153), whose propagation is done beforehand by the features. How much faster than recent readings old
ones are shrunk (`decay`) is learned by zone and horizon on blocks of time left out, as is the strength of all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

import numpy as np

from models.errors import SettingsError
from models.families.block_lines import (
    block_edges,
    block_moments,
    choose,
    clipped,
    design,
    feature_range,
    forecasts,
    leave_out,
    of_zone,
    penalties,
    squared_error,
    zone_chunks,
)  # fmt: skip
from models.learner import Learner, State
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


class GraphLearner(Learner):
    """Own readings lag by lag, neighbours' by hop weight x temporal filter; all else by a ridge line. One a zone.

    Notes
    -----
    Minimises, by alternating least squares on the second moments, the squared error plus a ridge penalty on the
    coefficients C = A F' (hops x lags, rank `filters`) and on the rest. Without neighbours in the rows it is a ridge
    line. Settings: `strengths` (penalties tried, in shares of a feature's sum of squares), `decays` (growths of the
    penalty a lag, tried), `hop_decay` (growth of the penalty a hop beyond the first), `filters`, `blocks` of time that
    are left out in turn, `sweeps` of the alternation.
    """

    family: ClassVar[str] = "graph"
    scope: ClassVar[Literal["zone", "city"]] = "zone"
    rank: ClassVar[float] = 4.0
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"strengths": [0.0001, 0.001, 0.01, 0.05, 0.2, 1.0, 10.0, 1000.0], "decays": [0.0, 0.4, 1.0], "hop_decay": 1.0,
         "filters": 2, "blocks": 5, "sweeps": 6}
    )  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"filters": (1, 2, 3), "hop_decay": (1.0, 0.0), "blocks": (5,)}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        faults = [
            f"{name}={self.settings[name]!r}: {text}"
            for name, text, fine in (
                ("strengths", "at least one, each above 0", _all(self.settings["strengths"], above=0.0)),
                ("decays", "at least one, each at least 0", _all(self.settings["decays"], above=-1e-12)),
                ("filters", "a whole number of at least 1", int(self.settings["filters"]) >= 1),
                ("blocks", "a whole number of at least 2", int(self.settings["blocks"]) >= 2),
            )
            if not fine
        ]
        if faults:
            raise SettingsError(f"{self.family}: " + "; ".join(faults))
        self.lines = np.zeros((0, 0, 1), dtype=np.float32)
        self.shares = np.zeros((0, 0, len(PARTS)), dtype=np.float32)
        self.chosen = np.zeros((0, 0, 2), dtype=np.float32)
        self.ends = np.zeros((0, 0, 2), dtype=np.float32)

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn; see `Learner.fit`."""
        self.layout = rows.layout
        n, zones, horizons = rows.shape
        count = zones if self.scope == "zone" else 1
        self.lines = np.zeros((count, horizons, rows.width + 1), dtype=np.float32)
        self.shares = np.zeros((count, horizons, len(PARTS)), dtype=np.float32)
        self.chosen = np.zeros((count, horizons, 2), dtype=np.float32)
        self.ends = feature_range(rows)
        if self.scope == "city":
            self.ends = np.stack([self.ends[..., 0].min(axis=0), self.ends[..., 1].max(axis=0)], axis=1)[None]
        edges = block_edges(n, int(self.settings["blocks"]))
        for horizon in range(horizons):
            pooled: np.ndarray | None = None
            for chunk in zone_chunks(rows):
                moments = block_moments(design(rows, chunk, horizon), y[:, chunk, horizon].T, edges)
                if self.scope == "zone":
                    self._keep(chunk, horizon, moments)
                else:
                    pooled = moments.sum(axis=1, keepdims=True) + (0.0 if pooled is None else pooled)
            if pooled is not None:
                self._keep(slice(0, 1), horizon, pooled)
        return self

    def _keep(self, zones: slice, horizon: int, moments: np.ndarray) -> None:
        """Learn the lines of some zones from their moments."""
        assert self.layout is not None
        if len(moments) < 2:
            return
        places, _, distance = propagated(self.layout)
        strengths = [float(s) for s in self.settings["strengths"]]
        decays = [float(d) for d in self.settings["decays"]] if places.size else [0.0]
        tried = [(strength, decay) for strength in strengths for decay in sorted(decays)]
        train = leave_out(moments)
        lines = np.empty((len(tried), *train.shape[:2], train.shape[-1] - 1))
        for k, (strength, decay) in enumerate(tried):
            lines[k] = self._lines(train, strength, decay, places, distance)
        errors = squared_error(moments, lines[:, :-1])
        chosen = choose(errors)
        final = of_zone(lines, chosen)[-1]
        self.lines[zones, horizon] = final
        self.chosen[zones, horizon] = np.array(tried)[chosen]
        self.shares[zones, horizon] = _variance_shares(moments.sum(axis=0), final, part_of(self.layout))

    def _lines(
        self, train: np.ndarray, strength: float, decay: float, places: np.ndarray, distance: np.ndarray
    ) -> np.ndarray:
        """Coefficients (..., P) of the moments (..., P + 1, P + 1) for one strength and decay."""
        assert self.layout is not None
        gram, cross = train[..., :-1, :-1], train[..., :-1, -1]
        width = gram.shape[-1]
        penalty = strength * penalties(gram, gram[..., -1, -1]) + 1e-9
        at = np.arange(width)
        inside = places.ravel()
        if not inside.size:
            system = gram.copy()
            system[..., at, at] += penalty
            return np.linalg.solve(system, cross[..., None])[..., 0]
        hops, lags = places.shape
        own = self.layout.lags("own")
        penalty[..., own] *= np.exp(decay * np.arange(len(own)))
        growth = np.exp(
            decay * np.arange(lags)[None, :] + float(self.settings["hop_decay"]) * np.maximum(distance - 1, 0)[:, None]
        ).ravel()
        outside = np.setdiff1d(at, inside)
        system = gram[..., outside[:, None], outside]
        system[..., np.arange(len(outside)), np.arange(len(outside))] += penalty[..., outside]
        side = gram[..., outside[:, None], inside]
        both = np.linalg.solve(system, np.concatenate([side, cross[..., outside, None]], axis=-1))
        # what is left of the propagated readings once the rest has had its say (Schur complement)
        inner = gram[..., inside[:, None], inside] - side.swapaxes(-1, -2) @ both[..., :-1]
        target = cross[..., inside] - (side.swapaxes(-1, -2) @ both[..., -1:])[..., 0]
        inner[..., np.arange(len(inside)), np.arange(len(inside))] += penalty[..., inside] * growth
        c = _factorised(inner, target, hops, lags, int(self.settings["filters"]), int(self.settings["sweeps"]))
        line = np.empty_like(cross)
        line[..., inside] = c
        line[..., outside] = both[..., -1] - (both[..., :-1] @ c[..., None])[..., 0]
        return line

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts; see `Learner.predict`."""
        ends = self.ends if places is None or self.scope == "city" else self.ends[places]
        return forecasts(clipped(rows, ends), self._of(rows, places))

    def _of(self, rows: Rows, places: np.ndarray | None) -> np.ndarray:
        lines = self.lines[:, self.horizon_places(rows)]
        if self.scope == "city":
            return np.repeat(lines, rows.shape[1], axis=0)
        return lines if places is None else lines[places]

    def pick(self, places: np.ndarray) -> Self:
        """The part that serves some of the zones."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout = self.layout
        keep = np.asarray(places) if self.scope == "zone" else np.array([0])
        part.lines, part.shares = self.lines[keep], self.shares[keep]
        part.chosen, part.ends = self.chosen[keep], self.ends[keep]
        return part

    def n_parameters(self) -> int:
        """Own and other coefficients one by one, the propagated ones by (hops + lags) of each filter."""
        assert self.layout is not None
        hops, lags = propagated(self.layout)[0].shape
        filters = min(int(self.settings["filters"]), hops, lags)
        each = len(self.layout.names) + 1 - hops * lags + filters * (hops + lags)
        return int(self.lines.shape[0] * self.lines.shape[1] * each)

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

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """Coefficient times feature, and the constant; see `Learner.contributions`."""
        line = self._of(rows, np.array([place]))[0, horizon].astype(np.float64)
        ends = self.ends[[0 if self.scope == "city" else place]]
        return line * np.append(clipped(rows, ends).at(horizon)[0, 0], 1.0)

    def state(self) -> State:
        """See `Learner.state`."""
        return {}, {"lines": self.lines, "shares": self.shares, "chosen": self.chosen, "ends": self.ends}, {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """See `Learner.restore`."""
        self.lines, self.shares = arrays["lines"], arrays["shares"]
        self.chosen, self.ends = arrays["chosen"], arrays["ends"]


class PooledGraphLearner(GraphLearner):
    """The same with one set of hop weights and filters for the whole city."""

    family: ClassVar[str] = "macro_graph"
    scope: ClassVar[Literal["zone", "city"]] = "city"


def _factorised(inner: np.ndarray, target: np.ndarray, hops: int, lags: int, filters: int, sweeps: int) -> np.ndarray:
    """Minimise c'Gc - 2c't over c = vec(A F') with A (hops, r), F (lags, r) by alternation, from the full solution's
    leading singular vectors; (..., hops * lags)."""
    free = np.linalg.solve(inner, target[..., None])[..., 0]
    if filters >= min(hops, lags):
        return free
    shape = target.shape[:-1]
    left, size, right = np.linalg.svd(free.reshape(*shape, hops, lags), full_matrices=False)
    a = left[..., :filters]
    f = (size[..., :filters, None] * right[..., :filters, :]).swapaxes(-1, -2)
    g = inner.reshape(*shape, hops, lags, hops, lags)
    t = target.reshape(*shape, hops, lags)
    for _ in range(sweeps):
        f = _half(np.einsum("...hlgm,...hr,...gs->...lrms", g, a, a, optimize=True), t.swapaxes(-1, -2) @ a)
        f = np.linalg.qr(f)[0]  # the filters keep the shape, the hop weights the size
        a = _half(np.einsum("...hlgm,...lr,...ms->...hrgs", g, f, f, optimize=True), t @ f)
    return (a @ f.swapaxes(-1, -2)).reshape(target.shape)


def _half(system: np.ndarray, side: np.ndarray) -> np.ndarray:
    """Solve for one factor while the other stands still: (..., k, r, k, r) and (..., k, r)."""
    k, r = side.shape[-2:]
    matrix = system.reshape(*side.shape[:-2], k * r, k * r).copy()
    ridge = 1e-10 * (1.0 + np.trace(matrix, axis1=-2, axis2=-1)[..., None])
    matrix[..., np.arange(k * r), np.arange(k * r)] += ridge
    return np.linalg.solve(matrix, side.reshape(*side.shape[:-2], k * r, 1))[..., 0].reshape(side.shape)


def _variance_shares(moments: np.ndarray, lines: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """Covariance of each part with the forecast over the forecast's variance, (Z, len(PARTS))."""
    n = np.maximum(moments[:, -2, -2], 1.0)
    mean = moments[:, :-1, -2] / n[:, None]
    cov = moments[:, :-1, :-1] / n[:, None, None] - mean[:, :, None] * mean[:, None, :]
    each = lines * np.einsum("zpq,zq->zp", cov, lines)
    total = each.sum(axis=1)
    shares = np.stack([each[:, :-1][:, parts == part].sum(axis=1) for part in range(len(PARTS))], axis=1)
    moves = total > 1e-9
    return np.where(moves[:, None], shares / np.where(moves, total, 1.0)[:, None], 0.0)


def _distance(who: str) -> int:
    """Hops away: `hop2` is 2, all else 1."""
    return int(who[3:]) if who.startswith("hop") else 1


def _all(values: Any, *, above: float) -> bool:
    return len(values) > 0 and all(float(value) > above for value in values)

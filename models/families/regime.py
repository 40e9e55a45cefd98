"""Regimes: a few recurring states of a zone, each with a line of its own, mixed by how much the moment is like each.

States (own deviation and trend, the last day, neighbours, weather, what is usual at the time forecast for) are put in
soft clusters, zone by zone; the outcome plays no part in that. A regime's line is the zone's common line plus a small
correction shrunk towards none. How many regimes a zone has, one included, is decided on blocks of time left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

import numpy as np

from models.errors import SettingsError
from models.families import regime_kernels as kernels
from models.families.block_lines import (
    block_moments,
    choose,
    clipped,
    design,
    feature_range,
    forecasts,
    of_zone,
    ridge_path,
    zone_chunks,
)  # fmt: skip
from models.families.gram import block_bounds, blocks_of
from models.families.gram_kernels import left_out_errors, ridge_lines
from models.families.ridge import easing
from models.learner import Learner, State
from models.rows import Layout, Rows

SAMPLE = 600  # states a zone's clusters are found from, evenly spread over time and horizons; assumption
ROWS_EACH = 100  # origins for each feature whose coefficient may differ between regimes; assumption
EM_SWEEPS = 25  # assumption; clusters of so few states have settled by then
FIRST_SWEEPS = 4  # after which the likeliest start is carried on with; assumption
LEAST_AXIS = 0.1  # least variance that an axis of the standardised states is divided by; assumption
LEAST_SPREAD = 0.02  # least variance within a regime, of whitened states; assumption

_STATE = (
    "own_lag_0", "own_mean_24h", "neighbours_lag_0", "ahead_usual", "ahead_change", "weather_wind_speed_mps",
    "weather_temperature_c", "weather_precipitation_mm_per_h",
)  # fmt: skip
_BENT = (
    "own_lag_0", "own_mean_1h", "own_mean_24h", "neighbours_lag_0", "ahead_day", "ahead_change", "own_lag_1",
    "near1_lag_0", "hop2_lag_0", "ahead_day_mean", "ahead_week", "own_lag_2",
)  # fmt: skip


def state_map(layout: Layout) -> tuple[tuple[str, ...], np.ndarray]:
    """What a state is made of: names, and the linear map (F1 + F2, d) from features to them."""
    names = [name for name in _STATE if name in layout.names]
    if "own_lag_0" not in names:
        names = [*layout.names[: min(4, len(layout.names))]]
    matrix = np.zeros((len(layout.names), len(names) + 1), dtype=np.float32)
    for k, name in enumerate(names):
        matrix[layout.names.index(name), k] = 1.0
    own = layout.lags("own")
    if len(own) < 2 or "own_lag_0" not in names:
        return tuple(names), matrix[:, :-1]
    back = min(3, len(own) - 1)
    matrix[own[0], -1], matrix[own[back], -1] = 1.0, -1.0
    return (*names, "own_trend"), matrix


def bent_features(layout: Layout, count: int) -> np.ndarray:
    """Places in `layout.names` of the features whose coefficients differ between regimes: at most `count`."""
    named = [layout.names.index(name) for name in _BENT if name in layout.names]
    others = [k for k, name in enumerate(layout.names) if k not in named and not re.match(r"ahead_(sin|cos)", name)]
    return np.array((named + others)[:count], dtype=np.int64)


class RegimeLearner(Learner):
    """Soft regimes of each zone with a line each, shrunk towards the zone's common line.

    Notes
    -----
    A mixture of experts (Jacobs et al. 1991, doi:10.1162/neco.1991.3.1.79) whose gate is a Gaussian mixture of the
    state alone. Settings: `most` regimes tried, `bent` features at most (besides a constant) whose coefficients may
    differ between regimes, one for every `ROWS_EACH` origins, `penalties` and `spared` of the common line (as in
    `ridge`), `shrinks` of the corrections tried (ridge penalty in shares of a feature's sum of squares), `blocks` of
    time left out in turn, `caution` (standard errors over the blocks by which more regimes must be better than one).
    """

    family: ClassVar[str] = "regime"
    scope: ClassVar[Literal["zone", "city"]] = "zone"
    rank: ClassVar[float] = 4.0
    losses: ClassVar[tuple[str, ...]] = ("squared",)
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType(
        {"most": 4, "bent": 24, "shrinks": (0.05, 0.2, 1.0, 5.0, 1000.0), "blocks": 5, "caution": 1.0,
         "penalties": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0), "spared": {"own_lag_0": 0.01}}
    )  # fmt: skip
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType(
        {"most": (1, 2, 4), "bent": (8, 24, 60), "caution": (1.0, 0.0)}
    )

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        super().__init__(seed=seed, **settings)
        s = self.settings
        rules = (
            ("most", "a whole number from 1", int(s["most"]) >= 1),
            ("bent", "a whole number from 0", int(s["bent"]) >= 0),
            ("penalties", "at least one, each above 0", len(s["penalties"]) and min(s["penalties"]) > 0),
            ("shrinks", "at least one, each above 0", len(s["shrinks"]) and min(s["shrinks"]) > 0),
            ("blocks", "a whole number from 2", int(s["blocks"]) >= 2),
            ("caution", "0 or more", float(s["caution"]) >= 0),
        )
        faults = [f"{name}={s[name]!r}: {text}" for name, text, fine in rules if not fine]
        if faults:
            raise SettingsError("regime: " + "; ".join(faults))
        self.arrays: dict[str, np.ndarray] = {}

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn; see `Learner.fit`."""
        self.layout = rows.layout
        n, zones, horizons = rows.shape
        names, matrix = state_map(rows.layout)
        bent = bent_features(rows.layout, min(int(self.settings["bent"]), n // ROWS_EACH))
        most = int(self.settings["most"])
        self.arrays = {
            "ends": feature_range(rows),
            "lines": np.zeros((zones, horizons, rows.width + 1), dtype=np.float32),
            "bends": np.zeros((zones, horizons, most, len(bent) + 1), dtype=np.float32),
            "centres": np.zeros((zones, most, len(names))),
            "shares": np.tile(np.eye(1, most), (zones, 1)),
            "slopes": np.zeros((zones, most, len(names))),
            "offsets": np.tile(np.where(np.arange(most) == 0, 0.0, -np.inf), (zones, 1)),
            "middle": np.zeros((zones, len(names)), dtype=np.float32),
            "whiten": np.tile(np.eye(len(names), dtype=np.float32), (zones, 1, 1)),
        }
        edges = block_bounds(n, int(self.settings["blocks"]))
        if len(edges) > 2:
            for chunk in zone_chunks(rows, extra_columns=most * (len(bent) + 1)):
                self._fit_zones(rows, y, chunk, matrix, bent, edges)
        return self

    def _fit_zones(
        self, rows: Rows, y: np.ndarray, chunk: slice, matrix: np.ndarray, bent: np.ndarray, edges: np.ndarray
    ) -> None:
        """Clusters, common lines, and corrections by regime of some zones."""
        a, (n, _, horizons) = self.arrays, rows.shape
        zones = a["lines"][chunk].shape[0]
        sample = self._sample(rows, chunk, matrix)
        a["middle"][chunk] = middle = sample.mean(axis=1)
        a["whiten"][chunk] = whiten = _whitening(sample - middle[:, None])
        splits = np.argsort(sample, axis=1, kind="stable").transpose(2, 0, 1)
        sample = np.ascontiguousarray((sample - middle[:, None]) @ whiten)
        found = {count: _clusters(sample, splits, count) for count in range(2, int(self.settings["most"]) + 1)}
        lines = self._common(rows, y, chunk, edges)
        errors = {count: np.zeros((horizons, len(edges) - 1, zones)) for count in (1, *found)}
        bends = {count: np.zeros((zones, horizons, count, len(bent) + 1)) for count in found}
        # rows beside another block have outcomes that reach into it: learned from, but not judged
        gap = min(max(rows.layout.steps), int(np.diff(edges).min()) // 4)
        beside = np.concatenate([np.arange(edge - gap, edge + gap) for edge in edges[1:-1]])
        for horizon in range(horizons):
            x = design(rows, chunk, horizon)
            target = y[:, chunk, horizon].T
            fitted = [x[:, a:b] @ lines[k][:, horizon, :, None] for k, (a, b) in enumerate(pairwise(edges))]
            rest = target - np.concatenate(fitted, axis=1)[:, :, 0]
            kept = rest.copy()
            kept[:, beside] = np.nan
            state = (x[:, :, :-1] @ matrix - middle[:, None]) @ whiten
            z = x[:, :, np.append(bent, x.shape[2] - 1)]
            errors[1][horizon] = _by_block(np.nan_to_num(kept) ** 2, edges)
            known = np.isfinite(rest)
            each = _by_block(known.astype(np.float64), edges)
            rest_known = np.concatenate([each.sum(axis=0) - each, each.sum(axis=0)[None]])
            for count, cluster in found.items():
                r = kernels.responsibilities(state, cluster["slopes"], cluster["offsets"])
                gated = (r[:, :, :, None] * z[:, :, None, :]).reshape(zones, n, -1)
                path, left_out = ridge_path(
                    block_moments(gated, rest, edges),
                    tuple(self.settings["shrinks"]),
                    judged=block_moments(gated, kept, edges),
                    rows=rest_known,
                )
                chosen = choose(left_out)
                bends[count][:, horizon] = of_zone(path, chosen)[-1].reshape(zones, count, -1)
                errors[count][horizon] = left_out[chosen, :, np.arange(zones)].T
        self._decide(chunk, found, errors, bends)

    def _sample(self, rows: Rows, chunk: slice, matrix: np.ndarray) -> np.ndarray:
        """States spread evenly over time, going through the horizons in turn: (Z, m, d)."""
        n, _, horizons = rows.shape
        at = np.unique(np.linspace(0, n - 1, min(n, SAMPLE)).astype(np.int64))
        common = rows.common[at, chunk]
        ahead = np.stack([rows.ahead[i, chunk, k % horizons] for k, i in enumerate(at)])
        return np.concatenate([common, ahead], axis=2).transpose(1, 0, 2) @ matrix

    def _common(self, rows: Rows, y: np.ndarray, chunk: slice, edges: np.ndarray) -> np.ndarray:
        """Keep the common lines; return the lines without each block, shape (K, Z, S, P), constant last.

        They are those of `ridge`: the penalty with which left-out blocks are forecast best, the last reading spared.
        """
        part = Rows(rows.common[:, chunk], rows.ahead[:, chunk], rows.layout)
        blocks = blocks_of(part, y[:, chunk], edges, max(rows.layout.steps))
        count, horizons, folds, width, _ = blocks.whole.shape
        whole = blocks.whole.reshape(-1, folds, width, width)
        ease = easing(rows.layout, self.settings["spared"])
        tried = np.asarray(self.settings["penalties"], np.float32)
        errors = left_out_errors(whole, blocks.judged.reshape(whole.shape), tried, ease[None].astype(np.float32))
        penalty = tried[errors[:, 0].argmin(axis=1)].astype(float)
        total = whole.sum(axis=1, dtype=float)
        lines = [ridge_lines(total - whole[:, k], penalty, ease) for k in range(folds)]
        lines.append(ridge_lines(total, penalty, ease))
        found = np.roll(np.stack(lines), -1, axis=2).reshape(folds + 1, count, horizons, -1)
        self.arrays["lines"][chunk] = found[-1]
        return found[:-1]

    def _decide(
        self,
        chunk: slice,
        found: dict[int, dict[str, np.ndarray]],
        errors: dict[int, np.ndarray],
        bends: dict[int, np.ndarray],
    ) -> None:
        """Keep each zone's number of regimes that gains most on left-out blocks, at the horizons that clearly gain."""
        best, caution = np.zeros(errors[1].shape[2]), float(self.settings["caution"])
        for count, cluster in found.items():
            each = errors[1] - errors[count]
            gain = np.where(_clear(each, caution)[:, None], each, 0.0).sum(axis=0)
            better = _clear(gain[None], caution)[0] & (gain.mean(axis=0) > best)
            best = np.where(better, gain.mean(axis=0), best)
            bent = bends[count] * _clear(each, caution).T[:, :, None, None]
            for zone in np.flatnonzero(better):
                at = chunk.start + zone
                for name, value in cluster.items():
                    self.arrays[name][at] = -np.inf if name == "offsets" else 0.0
                    self.arrays[name][at, :count] = value[zone]
                self.arrays["bends"][at] = 0.0
                self.arrays["bends"][at, :, :count] = bent[zone]

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts; see `Learner.predict`."""
        part = self if places is None else self.pick(places)
        at, rows = self.horizon_places(rows), clipped(rows, part.arrays["ends"])
        out = forecasts(rows, part.arrays["lines"][:, at])
        bends = part.arrays["bends"][:, at]
        moved = np.flatnonzero(np.any(bends, axis=(1, 2, 3)))
        if not moved.size:
            return out
        part, some, bends = part.pick(moved), rows.pick(moved), bends[moved]
        bent = bent_features(rows.layout, self.arrays["bends"].shape[3] - 1)
        for horizon in range(rows.shape[2]):
            x = design(some, slice(0, len(moved)), horizon)
            r = part._shares_at(x)
            by_regime = x[:, :, np.append(bent, x.shape[2] - 1)] @ bends[:, horizon].transpose(0, 2, 1)
            out[:, moved, horizon] += (r * by_regime).sum(axis=2).T
        return out

    def _shares_at(self, x: np.ndarray) -> np.ndarray:
        """Responsibilities of designs, (Z, n, K)."""
        assert self.layout is not None
        a = self.arrays
        state = (x[:, :, :-1] @ state_map(self.layout)[1] - a["middle"][:, None]) @ a["whiten"]
        return kernels.responsibilities(state, a["slopes"], a["offsets"])

    def responsibility(self, rows: Rows, place: int) -> np.ndarray:
        """How much each moment is like each regime of one zone.

        Parameters
        ----------
        rows : Rows
            Of that zone alone.
        place : int

        Returns
        -------
        ndarray of float32, shape (n, S, K)
            Each row sums to 1; 0 for regimes that the zone does not have.
        """
        part = self.pick(np.array([place]))
        rows = clipped(rows, part.arrays["ends"])
        each = [part._shares_at(design(rows, slice(0, 1), horizon))[0] for horizon in range(rows.shape[2])]
        return np.stack(each, axis=1)

    def regimes(self, place: int) -> list[dict[str, Any]]:
        """Each regime of a zone, the most frequent first, in features' words.

        Returns
        -------
        list of dict
            `regime` (its place), `share` of time, `centre` (mean of each state feature, in the rows' units) and
            `differs` (coefficients beside the common line's by feature, the constant last, mean over the horizons).
            One regime of share 1 where the zone has but one.
        """
        assert self.layout is not None
        a, names = self.arrays, state_map(self.layout)[0]
        bent = [self.layout.names[k] for k in bent_features(self.layout, self.arrays["bends"].shape[3] - 1)]
        found = []
        for k in np.argsort(-a["shares"][place], kind="stable"):
            if a["shares"][place, k] <= 0:
                continue
            centre = a["middle"][place] + np.linalg.solve(a["whiten"][place].T, a["centres"][place, k])
            differs = a["bends"][place, :, k].mean(axis=0)
            found.append(
                {"regime": int(k), "share": float(a["shares"][place, k]),
                 "centre": dict(zip(names, map(float, centre), strict=True)),
                 "differs": dict(zip([*bent, "constant"], map(float, differs), strict=True))}
            )  # fmt: skip
        return found

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """Coefficient of that moment (regimes' lines mixed) times feature, and the constant."""
        at = int(self.horizon_places(rows)[horizon])
        part = self.pick(np.array([place]))
        x = design(clipped(rows, part.arrays["ends"]), slice(0, 1), horizon)
        line = part.arrays["lines"][0, at].astype(np.float64)
        bent = np.append(bent_features(rows.layout, self.arrays["bends"].shape[3] - 1), rows.width)
        line[bent] += part._shares_at(x)[0, 0] @ part.arrays["bends"][0, at]
        return line * x[0, 0]

    def pick(self, places: np.ndarray) -> Self:
        """The part that serves some of the zones."""
        part = type(self)(seed=self.seed, **self.settings)
        part.layout = self.layout
        part.arrays = {name: values[places] for name, values in self.arrays.items()}
        return part

    def n_parameters(self) -> int:
        """Coefficients of the common lines, and where a zone has regimes, centres, shares and corrections."""
        a = self.arrays
        regimes = (a["shares"] > 0).sum(axis=1)
        more = np.where(regimes > 1, regimes, 0)
        each = a["centres"].shape[2] + 1 + a["bends"].shape[1] * a["bends"].shape[3]
        return int(a["lines"].size + (more * each).sum())

    def state(self) -> State:
        """See `Learner.state`."""
        return {}, dict(self.arrays), {}

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """See `Learner.restore`."""
        self.arrays = dict(arrays)


def _whitening(centred: np.ndarray) -> np.ndarray:
    """Maps (Z, d, d) from centred states to uncorrelated axes of about unit variance, the longest first.

    Axes along which nothing much happens are blown up only so far (`LEAST_AXIS`).
    """
    swing = centred.std(axis=1)
    swing = np.where(swing > 1e-3, swing, 1.0)
    scaled = centred / swing[:, None]
    power, axes = np.linalg.eigh(scaled.transpose(0, 2, 1) @ scaled / max(centred.shape[1], 1))
    power, axes = power[:, ::-1], axes[:, :, ::-1]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    axes = axes * np.where(largest < 0, -1.0, 1.0) / np.sqrt(np.maximum(power, LEAST_AXIS))[:, None]
    return (axes / swing[:, :, None]).astype(np.float32)


def _clusters(sample: np.ndarray, splits: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """`centres` (Z, K, d), `shares` (Z, K), and the gate's `slopes` and `offsets`, of whitened states (Z, m, d).

    Each state feature in turn is split at its quantiles to start from (`splits`, places in order, (d, Z, m)); the
    start that is likeliest after a few sweeps is carried on with.
    """
    zones, m, d = sample.shape
    likeliest = np.full(zones, -np.inf)
    centres, shares = np.zeros((zones, count, d)), np.full((zones, count), 1.0 / count)
    edges = [m * k // count for k in range(count + 1)]
    for order in splits:
        tried, weights = np.zeros((zones, count, d)), np.full((zones, count), 1.0 / count)
        for k in range(count):
            part = order[:, edges[k] : max(edges[k + 1], edges[k] + 1), None]
            tried[:, k] = np.take_along_axis(sample, part, axis=1).mean(axis=1)
        likelihood = kernels.mixtures(sample, tried, weights, FIRST_SWEEPS, LEAST_SPREAD)[2]
        better = likelihood > likeliest
        likeliest[better], centres[better], shares[better] = likelihood[better], tried[better], weights[better]
    slopes, offsets, _ = kernels.mixtures(sample, centres, shares, EM_SWEEPS, LEAST_SPREAD)
    return {"centres": centres, "shares": shares, "slopes": slopes, "offsets": offsets}


def _clear(gain: np.ndarray, caution: float) -> np.ndarray:
    """Whether the mean gain over blocks is more than `caution` standard errors above 0: (S, B, Z) to (S, Z)."""
    doubt = gain.std(axis=1, ddof=1) / np.sqrt(gain.shape[1])
    return gain.mean(axis=1) > caution * doubt


def _by_block(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sums by block of time, (Z, n) -> (B, Z)."""
    return np.stack([values[:, a:b].sum(axis=1) for a, b in pairwise(edges)])

"""LightGBM on all series at once, and one a zone: a direct model for every horizon, tuned on the validation part.

Errors count as in the panel's unit whatever the scale of a zone: rows weigh by the zone's SD (absolute loss) or its
square (squared loss).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from app.benchmarks.models.inputs import Inputs
from app.benchmarks.models.split import BenchmarkPanel

Array = np.ndarray

LOSSES = MappingProxyType({"L2": "regression", "L1": "regression_l1"})
#: What trees may be about: the reading in the zone's scale, its change from the last one, its excess over the usual,
#: and its excess over the last one moved along with the usual.
ABOUT = ("reading", "change", "usual", "drift")
MOST_ROUNDS, PATIENCE = 600, 25
#: Rows that tries learn from, are judged on, and that the chosen setting learns from.
TUNE_ROWS, JUDGE_ROWS, FIT_ROWS = 50_000, 25_000, 120_000


@dataclass(frozen=True)
class Shape:
    """A setting to try."""

    about: str = "change"
    leaves: int = 31
    least: int = 50
    rate: float = 0.08
    columns: float = 0.6
    ridge: float = 0.0

    def parameters(self, loss: str, seed: int) -> dict[str, Any]:
        """As LightGBM takes them."""
        return {
            "objective": LOSSES[loss], "num_leaves": self.leaves, "min_data_in_leaf": self.least,
            "learning_rate": self.rate, "feature_fraction": self.columns, "lambda_l2": self.ridge, "max_bin": 127,
            "bagging_fraction": 0.8, "bagging_freq": 1, "num_threads": 1, "seed": seed, "deterministic": True,
            "force_col_wise": True, "verbosity": -1,
        }  # fmt: skip


#: Six settings, each under both losses: twelve tries a horizon.
SHAPES = (
    Shape("change"),
    Shape("reading"),
    Shape("drift"),
    Shape("change", leaves=12, least=200, rate=0.1),
    Shape("usual", leaves=12, least=200, rate=0.1),
    Shape("usual", leaves=31, least=300, rate=0.04, columns=0.3, ridge=20.0),
)
ZONE_SHAPES = (
    Shape("change", leaves=7, least=30, rate=0.08, columns=0.5),
    Shape("usual", leaves=7, least=30, rate=0.08, columns=0.5),
    Shape("drift", leaves=15, least=30, rate=0.08, columns=0.5),
)
#: Rounds of a zone's model: at this rate and size its error hardly moves between 60 and 150 (assumed, not tuned).
ZONE_ROUNDS = 80


class Source(Protocol):
    """Where features come from; see `Inputs`."""

    bench: BenchmarkPanel
    scale: Array
    mean: Array
    last: Array

    def aim(self, known: Array, step: int) -> Array:
        """Readings `step` after."""
        ...

    def rows(self, known: Array, step: int) -> Array:
        """Features."""
        ...

    def usual(self, known: Array, at: Array) -> Array:
        """Usual value of the times `at`."""
        ...

    def learned(self, step: int, *, most_rows: int) -> Array:
        """Origins to learn from."""
        ...


@dataclass(frozen=True)
class Try:
    """A setting, its rounds by early stopping, and its error on the validation part."""

    shape: Shape
    loss: str
    rounds: int
    mae: float
    mse: float


@dataclass
class Tuned:
    """Best settings by step and loss, and CPU seconds they took."""

    best: dict[tuple[int, str], Try] = field(default_factory=dict)
    tries: int = 0
    cpu_s: float = 0.0


def tune(source: Source, steps: Sequence[int], *, shapes: Sequence[Shape] = SHAPES, seed: int = 1) -> Tuned:
    """Try every shape under both losses at some steps.

    Parameters
    ----------
    source : Source
        Of `BenchmarkPanel.validation()`: its test part is where tries are judged.
    steps : sequence of int
    """
    import lightgbm

    start, tuned = time.process_time(), Tuned()
    for step in steps:
        known = source.learned(step, most_rows=TUNE_ROWS)
        judged = _thin(source.bench, JUDGE_ROWS)
        x, x_judged = _flat(source.rows(known, step)), _flat(source.rows(judged, step))
        data = None
        for shape in shapes:
            for loss in LOSSES:
                train, keep = _targets(source, known, step, shape.about, loss)
                test, kept = _targets(source, judged, step, shape.about, loss)
                if data is None or not keep.all():
                    data = lightgbm.Dataset(x[keep], params={"max_bin": 127, "verbosity": -1}, free_raw_data=False)
                    data.construct()
                data.set_label(train[0][keep]).set_weight(train[1][keep])
                valid = lightgbm.Dataset(
                    x_judged[kept], label=test[0][kept], weight=test[1][kept], reference=data, free_raw_data=False
                )
                model = lightgbm.train(
                    shape.parameters(loss, seed), data, num_boost_round=MOST_ROUNDS, valid_sets=[valid],
                    callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
                )  # fmt: skip
                rounds = max(1, model.best_iteration)
                sd = np.broadcast_to(source.scale, (len(judged), len(source.scale))).ravel()[kept]
                error = (model.predict(x_judged[kept], num_iteration=rounds) - test[0][kept]) * sd
                found = Try(shape, loss, rounds, float(np.abs(error).mean()), float((error**2).mean()))
                tuned.tries += 1
                old = tuned.best.get((step, loss))
                if old is None or _better(found, old):
                    tuned.best[step, loss] = found
    tuned.cpu_s = time.process_time() - start
    return tuned


def forecast(source: Source, tuned: Tuned, loss: str, *, most_rows: int = FIT_ROWS, seed: int = 1) -> Array:
    """Learn from the whole training part with the settings found, and forecast every origin: shape (n, Z, S)."""
    import lightgbm

    bench = source.bench
    out = np.empty((len(bench.origins), len(bench.zone_ids), len(bench.steps)))
    for k, step in enumerate(bench.steps):
        found = nearest(tuned, step, loss)
        known = source.learned(step, most_rows=most_rows)
        (y, weight), keep = _targets(source, known, step, found.shape.about, loss)
        data = lightgbm.Dataset(_flat(source.rows(known, step))[keep], label=y[keep], weight=weight[keep])
        model = lightgbm.train(found.shape.parameters(loss, seed), data, num_boost_round=found.rounds)
        told = model.predict(_flat(source.rows(bench.origins, step)))
        told = np.asarray(told).reshape(out.shape[:2]) + _base(source, bench.origins, step, found.shape.about)
        out[:, :, k] = told * source.scale + source.mean
    return out


def forecast_zones(
    source: Inputs, chosen: tuple[Shape, str], *, steps: Sequence[int], zones: Sequence[int], seed: int = 1
) -> Array:
    """One model a zone; steps between those fitted are interpolated. `nan` for the other zones; shape (n, Z, S)."""
    import lightgbm

    bench, (shape, loss) = source.bench, chosen
    found_at = np.full((len(bench.origins), len(bench.zone_ids), len(steps)), np.nan)
    for k, step in enumerate(steps):
        known = source.learned(step, most_rows=FIT_ROWS)
        x, x_told = source.rows(known, step), source.rows(bench.origins, step)
        y = source.aim(known, step) - _base(source, known, step, shape.about)
        base = _base(source, bench.origins, step, shape.about)
        for zone in zones:
            keep = np.isfinite(y[:, zone])
            if keep.sum() < 2 * shape.least:
                found_at[:, zone, k] = base[:, zone]
                continue
            data = lightgbm.Dataset(x[keep, zone], label=y[keep, zone])
            model = lightgbm.train(shape.parameters(loss, seed), data, num_boost_round=ZONE_ROUNDS)
            found_at[:, zone, k] = np.asarray(model.predict(x_told[:, zone])) + base[:, zone]
    return interpolated(found_at, steps, bench.steps) * source.scale[:, None] + source.mean[:, None]


def nearest(tuned: Tuned, step: int, loss: str) -> Try:
    """Setting of the nearest step that was tuned."""
    at = min({s for s, name in tuned.best if name == loss}, key=lambda s: (abs(s - step), s))
    return tuned.best[at, loss]


def interpolated(values: Array, at: Sequence[int], steps: Sequence[int]) -> Array:
    """Along the last axis from the steps `at` to `steps`, linearly."""
    if tuple(at) == tuple(steps):
        return values
    place = np.interp(steps, at, np.arange(len(at)))
    low = np.minimum(place.astype(np.int64), len(at) - 2) if len(at) > 1 else np.zeros(len(steps), dtype=np.int64)
    part = place - low
    return values[..., low] * (1.0 - part) + values[..., np.minimum(low + 1, len(at) - 1)] * part


def _better(a: Try, b: Try) -> bool:
    return a.mae < b.mae if a.loss == "L1" else a.mse < b.mse


def _thin(bench: BenchmarkPanel, most_rows: int) -> Array:
    from app.benchmarks.models.inputs import thinned

    return thinned(bench.origins, len(bench.zone_ids), bench.panel.steps_per_day, most_rows=most_rows)


def _flat(grid: Array) -> Array:
    return grid.reshape(-1, grid.shape[-1])


def _base(source: Source, known: Array, step: int, about: str) -> Array:
    """What a tree's value is added to, in the zone's scale, shape (n, Z)."""
    if about == "reading":
        return np.zeros((len(known), len(source.scale)), dtype=np.float32)
    last = source.last[known]
    if about == "change":
        return last
    usual = source.usual(known, known + step)
    if about == "drift":
        usual = last + usual - source.usual(known, known)
    return np.where(np.isfinite(usual), usual, last)


def _targets(source: Source, known: Array, step: int, about: str, loss: str) -> tuple[tuple[Array, Array], Array]:
    """Target and weight of each row, and whether it has one."""
    y = (source.aim(known, step) - _base(source, known, step, about)).ravel()
    scale = source.scale / source.scale.mean()
    weight = np.broadcast_to(scale if loss == "L1" else scale**2, (len(known), len(scale))).ravel()
    return (y, weight), np.isfinite(y)

"""The honest comparison: micromodels, macromodel, mixes, families and baselines on the same rows of a test part.

Same origins, same readings, same information for all; uncertainty from resampling whole days, since errors within a
day go together. A zone's verdict may be "tie".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schemas import SCORES, validate
from data.units import DISPLAY
from models.backtest import METRICS, DailySums, TestRows, block_sums, bootstrap_weights, bounds
from models.choosing import SCORED_HORIZONS_S
from models.contract import Forecaster
from models.horizons import between, horizon_steps
from models.intervals import QUANTILES
from models.metrics import mase_scale
from models.panel import Panel
from models.training import Training

DRAWS = 500
FIRST = ("in_use", "micromodel", "macromodel", "mix")
TIE_SHARE = 0.01  # of the macromodel's error
_MEDIAN = QUANTILES.index(0.5)
_CALLS = 60


@dataclass(frozen=True, eq=False)
class Comparison:
    """What the comparison found.

    Attributes
    ----------
    scores : DataFrame
        Table `scores`, period "test"; zone_id "" holds all zones; lower and upper are 90 % bootstrap bounds.
    paired : DataFrame
        zone_id, target, horizon_s, n, micro_mae, macro_mae, difference (micro less macro), lower, upper, verdict.
    costs : DataFrame
        model, target, zones, fit_seconds, latency_ms_p50, latency_ms_p99, bytes; a latency is that of one forecast of
        all anchors, by a micromodel for its zone, by the macromodel for the whole city.
    hourly : DataFrame
        model, target, horizon_s, hour (local), mae, n.
    """

    scores: pd.DataFrame
    paired: pd.DataFrame
    costs: pd.DataFrame
    hourly: pd.DataFrame
    horizons_s: tuple[int, ...]

    def verdict(self) -> str:
        """The outcome in words: who wins where, by how much, and at what cost."""
        lines = []
        for target, rows in self.paired.groupby("target", sort=False):
            name = DISPLAY.get(str(target), ("", 1.0, 1, str(target)))[3]
            for horizon, part in rows.groupby("horizon_s"):
                wins = part["verdict"].value_counts()
                gap = part["difference"].sum() / part["macro_mae"].sum()
                better = "less" if gap < 0 else "more"
                lines.append(
                    f"{name}, {_ahead(float(horizon))} ahead: micromodels win {wins.get('micromodel', 0)} of"
                    f" {len(part)} zones, the macromodel {wins.get('macromodel', 0)}, {wins.get('tie', 0)} are ties;"
                    f" over all zones the micromodels have {100 * abs(gap):.1f} % {better} error."
                )
        if len(self.costs):
            total = self.costs.groupby("model")["fit_seconds"].sum()
            if {"micromodel", "macromodel"} <= set(total.index):
                lines.append(
                    f"Training took {total['micromodel']:.1f} s of processor time for all micromodels and"
                    f" {total['macromodel']:.1f} s for the macromodels."
                )
        return "\n".join(lines)


def compare(
    panel: Panel,
    training: Training,
    *,
    test_from: pd.Timestamp | None = None,
    test_to: pd.Timestamp | None = None,
    horizons_s: Sequence[int] = SCORED_HORIZONS_S,
    seed: int = 0,
    draws: int = DRAWS,
    progress: Callable[[int, int, str], None] | None = None,
) -> Comparison:
    """Score every model of a training on a test part that none has seen.

    Parameters
    ----------
    panel : Panel
        With the readings of the training and of the test part.
    training : Training
    test_from, test_to : Timestamp or None
        UTC; None takes the training's own start of the test and the panel's end.
    horizons_s : sequence of int
        Horizons, s.
    seed : int
        Of the bootstrap.
    draws : int
        Resamples of the days.

    Raises
    ------
    ShortHistoryError
        If the test part holds no origins, or begins before the training part ended.
    """
    from models.errors import ShortHistoryError

    test_from = training.test_from if test_from is None else test_from
    test_to = panel.origin(len(panel) - 1) if test_to is None else test_to
    if test_from < training.train_end:
        raise ShortHistoryError(
            f"the test part begins {test_from}, before the training part ended {training.train_end}"
        )
    horizons_s = tuple(h for h in horizons_s if h % panel.step_s == 0)
    steps = horizon_steps(horizons_s, panel.step_s)
    scores, paired, hourly, costs = [], [], [], []
    targets = list(dict.fromkeys(target for _, target in training.micromodels))
    for k, target in enumerate(targets):
        zones = list(training.zones(target))
        rows = TestRows.of(panel, target=target, zone_ids=zones, test_from=test_from, test_to=test_to, steps=steps)
        end = int(panel.known(training.train_end)[0]) + 1
        history = panel.values[target][:end, panel.columns(zones)]
        scale = mase_scale(history, season=panel.steps_per_day)
        forecasts = model_forecasts(panel, training, target, zones, rows.known, steps)
        weights = bootstrap_weights(int(rows.day.max()) + 1, draws=draws, seed=seed)
        for model, forecast in forecasts.items():
            sums = DailySums.of(rows, forecast, scale).pooled()
            scores.append(_score_table(model, target, ["", *zones], horizons_s, sums, weights, seed))
            hourly.append(_hourly_table(model, target, horizons_s, rows, forecast))
        if "macromodel" in forecasts:
            paired.append(_paired_table(target, zones, horizons_s, rows, forecasts, weights))
        costs += _costs(panel, training, target, zones, rows.known)
        if progress is not None:
            progress(k + 1, len(targets), "Comparing on the test week")
    return Comparison(
        scores=validate(pd.concat(scores, ignore_index=True), SCORES),
        paired=pd.concat(paired, ignore_index=True) if paired else pd.DataFrame(columns=_PAIRED),
        costs=pd.DataFrame(costs),
        hourly=pd.concat(hourly, ignore_index=True),
        horizons_s=horizons_s,
    )


def model_levels(
    panel: Panel, training: Training, target: str, zones: Sequence[str], known: np.ndarray, steps: Sequence[int]
) -> dict[str, np.ndarray]:
    """Point forecasts of every model at the same origins, (n, Z, S) on the model's scale: `in_use`, `micromodel`,
    `macromodel`, `mix`, then every candidate and baseline by name."""
    found: dict[str, np.ndarray] = {}
    points: dict[int, np.ndarray] = {}
    for (name, of), model in {**training.baselines, **training.candidates}.items():
        if of == target:
            points[id(model)] = found[name] = model._point(panel, known, model.places(zones), steps)[0]
    chosen = [training.micromodels[zone, target].name for zone in zones]
    found["micromodel"] = np.stack([found[family][:, k] for k, family in enumerate(chosen)], axis=1)
    if target in training.macromodels:
        found["macromodel"] = points[id(training.macromodels[target])]
    if target in training.mixes:
        found["mix"] = _mixed(training.mixes[target], points, zones, panel, known, steps)
    found["in_use"] = _in_use(training, target, zones, found)
    return {name: found[name] for name in (*FIRST, *(n for n in found if n not in FIRST)) if name in found}


def model_forecasts(
    panel: Panel, training: Training, target: str, zones: Sequence[str], known: np.ndarray, steps: Sequence[int]
) -> dict[str, np.ndarray]:
    """Quantiles of every model at the same origins: name to (n, Z, S, Q)."""
    levels = model_levels(panel, training, target, zones, known, steps)
    every = {**training.baselines, **training.candidates}
    models = {name: model for (name, of), model in every.items() if of == target}
    if target in training.macromodels:
        models["macromodel"] = training.macromodels[target]
    if target in training.mixes:
        models["mix"] = training.mixes[target]
    found = {
        name: model.around(panel, levels[name], known, model.places(zones), steps) for name, model in models.items()
    }
    chosen = [training.micromodels[zone, target].name for zone in zones]
    found["micromodel"] = np.stack([found[family][:, k] for k, family in enumerate(chosen)], axis=1)
    found["in_use"] = _in_use(training, target, zones, found)
    return {name: found[name] for name in levels}


def _mixed(mix, points, zones, panel, known, steps):  # type: ignore[no-untyped-def]
    """Point forecasts of a mix from those that its members have made already, (n, Z, S) on the model's scale."""
    below, above, share = between(mix.anchors, steps)
    weights = mix.weights[:, mix.places(zones)]
    weights = weights[:, :, below] + share * (weights[:, :, above] - weights[:, :, below])
    total = np.zeros((known.size, len(zones), len(steps)))
    for member, weight in zip(mix.members, weights):
        if id(member) not in points:
            points[id(member)] = member._point(panel, known, member.places(zones), steps)[0]
        total += points[id(member)] * weight
    return total


def _in_use(training: Training, target: str, zones: Sequence[str], found: dict[str, np.ndarray]) -> np.ndarray:
    """Forecasts of whichever model serves each zone: the automatic choice."""
    rows = training.choices[training.choices["target"] == target].set_index("zone_id")["model_in_use"]
    return np.stack([found[str(rows[zone])][:, k] for k, zone in enumerate(zones)], axis=1)


def _score_table(
    model: str,
    target: str,
    zones: Sequence[str],
    horizons_s: Sequence[int],
    sums: DailySums,
    weights: np.ndarray,
    seed: int,
) -> pd.DataFrame:
    """One model's rows of the `scores` table."""
    shape = (len(METRICS), len(zones), len(horizons_s))
    value, lower, upper = (np.empty(shape) for _ in range(3))
    for k, metric in enumerate(METRICS):
        value[k] = sums.value(metric)
        lower[k], upper[k] = bounds(sums.value(metric, weights))
    m, z, h = (axis.ravel() for axis in np.indices(shape))
    return pd.DataFrame(
        {
            "model": model,
            "zone_id": np.asarray(zones, dtype=object)[z],
            "target": target,
            "horizon_s": np.asarray(horizons_s, dtype=float)[h],
            "metric": np.asarray(METRICS, dtype=object)[m],
            "period": "test",
            "seed": seed,
            "value": value.ravel(),
            "lower": lower.ravel(),
            "upper": upper.ravel(),
            "n": np.broadcast_to(sums.count.sum(axis=0), shape).ravel().astype(np.int64),
        }
    )


_PAIRED = (
    "zone_id", "target", "horizon_s", "n", "micro_mae", "macro_mae", "difference", "lower", "upper", "verdict"
)  # fmt: skip


def _paired_table(
    target: str,
    zones: Sequence[str],
    horizons_s: Sequence[int],
    rows: TestRows,
    forecasts: dict[str, np.ndarray],
    weights: np.ndarray,
) -> pd.DataFrame:
    """Micromodel against macromodel by zone and horizon, the days resampled together for both."""
    known = np.isfinite(rows.actual)
    actual = np.where(known, rows.actual, 0.0)
    micro, macro = (
        block_sums(known * np.abs(actual - forecasts[name][..., _MEDIAN]), rows.day)
        for name in ("micromodel", "macromodel")
    )
    count = block_sums(known, rows.day)
    heard = np.tensordot(weights, count, axes=1)
    gap = np.tensordot(weights, micro - macro, axes=1)
    low, high = bounds(np.divide(gap, heard, out=np.full_like(heard, np.nan), where=heard > 0))
    n = np.maximum(count.sum(axis=0), 1)
    micro_mae, macro_mae = micro.sum(axis=0) / n, macro.sum(axis=0) / n
    difference = micro_mae - macro_mae
    tie = ~((low > 0) | (high < 0)) | (np.abs(difference) < TIE_SHARE * macro_mae)
    verdict = np.where(tie, "tie", np.where(difference < 0, "micromodel", "macromodel"))
    z, h = (axis.ravel() for axis in np.indices(difference.shape))
    table = {
        "zone_id": np.asarray(zones, dtype=object)[z], "target": target,
        "horizon_s": np.asarray(horizons_s, dtype=float)[h], "n": count.sum(axis=0).ravel().astype(np.int64),
        "micro_mae": micro_mae.ravel(), "macro_mae": macro_mae.ravel(), "difference": difference.ravel(),
        "lower": low.ravel(), "upper": high.ravel(), "verdict": verdict.ravel(),
    }  # fmt: skip
    return pd.DataFrame(table)


def _hourly_table(
    model: str, target: str, horizons_s: Sequence[int], rows: TestRows, forecast: np.ndarray
) -> pd.DataFrame:
    """Error by local hour of the interval forecast for, all zones together."""
    error = np.abs(rows.actual - forecast[..., _MEDIAN])
    parts = []
    for k, horizon in enumerate(horizons_s):
        known = np.isfinite(error[:, :, k])
        total = np.bincount(rows.hour[:, k], np.where(known, error[:, :, k], 0).sum(axis=1), 24)
        n = np.bincount(rows.hour[:, k], known.sum(axis=1), 24)
        parts.append(
            pd.DataFrame(
                {
                    "model": model,
                    "target": target,
                    "horizon_s": float(horizon),
                    "hour": np.arange(24),
                    "mae": np.where(n > 0, total / np.maximum(n, 1), np.nan),
                    "n": n.astype(np.int64),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _costs(
    panel: Panel, training: Training, target: str, zones: Sequence[str], known: np.ndarray
) -> list[dict[str, object]]:
    """Fit time, latency of one forecast, and size, by kind of model."""
    groups: dict[str, list[Forecaster]] = {"micromodel": [training.micromodels[z, target] for z in zones]}
    if target in training.macromodels:
        groups["macromodel"] = [training.macromodels[target]]
    seconds = {"micromodel": sum(training.seconds[f, target] for f in {m.name for m in groups["micromodel"]})}
    for (name, of), model in {**training.candidates, **training.baselines}.items():
        if of == target:
            groups[name] = [model.one(zone) for zone in zones] if model.scope == "zone" else [model]
            seconds[name] = training.seconds.get((name, target), float("nan"))
            if groups.get("macromodel", [None])[0] is model:
                seconds["macromodel"] = seconds[name]
    rows = []
    for name, models in groups.items():
        p50, p99 = latency_ms(panel, models, known)
        rows.append(
            {"model": name, "target": target, "zones": len(zones), "fit_seconds": float(seconds[name]),
             "latency_ms_p50": p50, "latency_ms_p99": p99,
             "bytes": float(sum(sum(map(len, m.save().values())) for m in models))}
        )  # fmt: skip
    return rows


def latency_ms(
    panel: Panel, models: Sequence[Forecaster], known: np.ndarray, *, calls: int = _CALLS
) -> tuple[float, float]:
    """Median and 99th percentile of real calls that forecast all anchors from one origin, ms."""
    taken = []
    for k in range(calls):
        model = models[k % len(models)]
        origin = pd.DatetimeIndex([panel.origin(int(known[(k * 37) % known.size]))])
        started = time.perf_counter()
        model.forecast(panel, origins=origin)
        taken.append(1e3 * (time.perf_counter() - started))
    return float(np.median(taken[3:])), float(np.percentile(taken[3:], 99))


def _ahead(horizon_s: float) -> str:
    return f"{horizon_s / 60:g} min" if horizon_s < 3600 else f"{horizon_s / 3600:g} h"

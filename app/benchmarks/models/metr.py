"""What METR-LA is asked besides all families: cheap micromodels, fewer inputs, other days, new sensors, masked gaps.

Errors are averaged over the steps up to the horizon, as T-GCN's were.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.direct import Split, compiled
from app.benchmarks.models.library import AS_LEARNED, AUTOMATIC, run_library
from app.benchmarks.models.score import Score, scores
from app.benchmarks.models.split import BenchmarkPanel
from models.errors import ShortHistoryError
from models.shift import nearest, rows_alike

Array = np.ndarray
Figures = list[dict[str, Any]]

#: Pure micromodels of all sensors, features included: CPU seconds, and RMSE in mph by figure.
CPU_LIMIT_S = 2.0
RMSE_LIMITS = {"15 min": 5.10, "30 min": 5.95, "45 min": 6.55, "60 min": 7.0}
#: Families whose coefficients are fitted on a zone's own target alone, by the loss that they minimise.
MICRO = {"ridge": "squared", "elastic_net": "squared", "quantile_linear": "absolute"}
DAILY = ("ridge", "quantile_linear", "elastic_net", "macro_xgboost")
MACRO = "macro_xgboost"
FIRST_DAY = 4
#: Runs of which the fastest is told: the processor may be shared.
REPEATS = 2


def metr_figures(bench: BenchmarkPanel, *, seed: int) -> Figures:
    """All of them; see the functions."""
    whole = Split.of(bench)
    macro, _ = whole.fit(MACRO, seed=seed)
    return [
        *micro_figures(bench, seed=seed),
        *lag_figures(bench, seed=seed),
        *daily_figures(bench, seed=seed),
        *new_sensor_figures(whole, whole.told(macro), seed=seed),
        *masked_figures(whole, whole.told(macro), seed=seed),
        *quoted_figures(bench),
    ]


def micro_figures(bench: BenchmarkPanel, *, seed: int) -> Figures:
    """Linear micromodels, a row a family; that chosen is the one with the least RMSE on the validation part.

    Targets are of squared losses: the absolute loss is the better one for MAE, and takes several passes.
    """
    compiled(bench.validation(), tuple(MICRO))
    before, split, figures = Split.of(bench.validation()), Split.of(bench), []
    judged = {
        family: _mean(scores(before.bench, before.told(before.fit(family, seed=seed)[0])), "rmse") for family in MICRO
    }
    chosen = min(judged, key=lambda family: judged[family])
    features_s = min(split.features_s, *(Split.of(bench).features_s for _ in range(REPEATS - 1)))
    for family, loss in MICRO.items():
        runs = [split.fit(family, seed=seed) for _ in range(REPEATS)]
        head = f"{bench.name}: pure micromodels, {family}, {loss} loss{', chosen' if family == chosen else ''}"
        squared = loss == "squared"
        figures += [
            figure(f"{head}, CPU of features and fit", features_s + min(spent for _, spent in runs), "s",
                   target=CPU_LIMIT_S if squared else None, n=len(bench.zone_ids), seed=seed),
            figure(f"{head}, validation RMSE", judged[family], bench.unit, seed=seed),
        ]  # fmt: skip
        found = scores(bench, split.told(runs[0][0]))
        figures += _rows(head, bench, found, seed, RMSE_LIMITS if squared else None)
    return figures


def lag_figures(bench: BenchmarkPanel, *, seed: int) -> Figures:
    """With 12 lags and the neighbours' last readings alone: no yesterday, no clock, no usual day."""
    split, figures = Split.of_lags(bench), []
    for family in ("ridge", "quantile_linear", "macro_mlp"):
        learner, _ = split.fit(family, seed=seed)
        head = f"{bench.name}: 12 lags and neighbours only, {family}"
        figures += _rows(head, bench, scores(bench, split.told(learner)), seed)
    return figures


def daily_figures(bench: BenchmarkPanel, *, seed: int) -> Figures:
    """Every whole day from the fourth as the test part: families, and the automatic choice among them."""
    figures: Figures = []
    for number, day in enumerate(bench.each_day(FIRST_DAY), start=FIRST_DAY):
        try:
            forecasts = run_library(day, families=DAILY, seed=seed).forecasts
            wanted: tuple[str, ...] = (*DAILY, AUTOMATIC, AS_LEARNED)
        except ShortHistoryError:  # three days behind: too few to choose on, so that no choice is told
            split = Split.of(day)
            forecasts = {family: split.told(split.fit(family, seed=seed)[0]) for family in DAILY}
            wanted = DAILY
        for name in wanted:
            figures += _rows(f"{bench.name}: day {number} as test, {name}", bench, scores(day, forecasts[name]), seed)
    return figures


def new_sensor_figures(split: Split, known: Array, *, seed: int) -> Figures:
    """A fifth of the sensors is new: the macromodel has not learned from them, a micromodel comes from a donor.

    Parameters
    ----------
    split : Split
    known : ndarray, shape (m, Z, S)
        Forecasts of the macromodel that has learned from all.

    Notes
    -----
    What a new sensor borrows, a zone's vector or its coefficients, is that of the sensor most like it in its inputs.
    Its usual day is taken as known, as in `models.shift`.
    """
    bench = split.bench
    out = bench.left_out(seed=seed)
    stay = np.setdiff1d(np.arange(len(bench.zone_ids)), out)
    like = rows_alike(split.rows)
    like = (like - like.mean(axis=0)) / np.maximum(like.std(axis=0), 1e-9)
    donor = nearest(like[out], like[stay], 1)[:, 0]
    new = split.test.pick(out)
    told = {"macromodel that knew them": known}
    for kind, family in (("macromodel without them", MACRO), ("micromodels of donors", "ridge")):
        learner, _ = split.fit(family, seed=seed, zones=stay)
        told[kind] = _placed(split.level(learner.predict(new, donor), out), out, known)
    own, _ = split.fit("ridge", seed=seed, zones=out)
    told["micromodels of their own"] = _placed(split.level(own.predict(new), out), out, known)
    head = f"{bench.name}: {out.size} sensors left out"
    figures = []
    for kind, forecast in told.items():
        figures += _rows(f"{head}, {kind}", bench, scores(bench, forecast, zones=out), seed)
    return figures


def masked_figures(split: Split, macro: Array, *, seed: int) -> Figures:
    """Without what the publisher filled in: as a score alone, and as an input, too."""
    bench = split.bench
    ridge, _ = split.fit("ridge", seed=seed)
    bare = Split.of(bench.without_filled())
    figures: Figures = []
    for family, before in (("ridge", split.told(ridge)), (MACRO, macro)):
        learner, _ = bare.fit(family, seed=seed)
        head = f"{bench.name}: {family}"
        figures += _rows(f"{head}, unmasked", bench, scores(bench, before), seed)
        figures += _rows(f"{head}, scored masked", bench, scores(bench, before, masked=True), seed)
        masked = scores(bench, bare.told(learner), masked=True)
        figures += _rows(f"{head}, learned and scored masked", bench, masked, seed)
    return figures


def quoted_figures(bench: BenchmarkPanel) -> Figures:
    """Published figures, which were not measured here."""
    return [
        figure(f"{bench.name} {task}: {who}, quoted from memory", value, bench.unit)
        for who, by_task in bench.quoted.items()
        for task, value in by_task.items()
    ]


def _rows(
    head: str, bench: BenchmarkPanel, found: dict[str, Score], seed: int, limits: dict[str, float] | None = None
) -> Figures:
    """RMSE and MAE of every figure of the panel."""
    made: Figures = []
    for task, score in found.items():
        target = None if limits is None else limits.get(task)
        made.append(figure(f"{head}, {task}, RMSE", score.rmse, bench.unit, target=target, n=score.n, seed=seed))
        made.append(figure(f"{head}, {task}, MAE", score.mae, bench.unit, n=score.n, seed=seed))
    return made


def _mean(found: dict[str, Score], measure: str) -> float:
    return float(np.mean([getattr(score, measure) for score in found.values()]))


def _placed(values: Array, places: Array, like: Array) -> Array:
    """Values of some zones in an array of all, `nan` elsewhere."""
    full = np.full(like.shape, np.nan)
    full[:, places] = values
    return full

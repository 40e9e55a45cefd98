"""Lifecycle costs: many micromodels against one macromodel, from the first training to the recovery from a shift.

On each panel, real ones, a made one and the simulated toy town, 20 zones (all where there are fewer) learn; then 3 of
them change for good (see `altered.shifted`): they read 0.6 of what they would have read two hours before. From then on,
every 24 hours, one keeper learns the micromodels of the three zones again, another the whole macromodel, both from the
same readings: all there are, or the last week alone, or the days since the shift (at least 4). A third does nothing.
**Before** is the error that the same model makes at the same hours on the panel that did not change (times 0.6, since
the readings are scaled): a rainy day hits both alike. **Recovered** is the end of the first 24 hours, counted from the
shift, over which the error of the three zones lies within 10 % of that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from app.benchmarks.models.altered import made_city, shifted, some_zones
from app.benchmarks.models.panels import load, narrowed
from app.benchmarks.models.simulated import simulated_panel
from data.errors import InputError
from models.contract import Forecaster
from models.costs import latency_ms
from models.errors import NoDataError
from models.intervals import QUANTILES
from models.panel import Panel
from models.training import Training, train

ZONES, CHANGED = 20, (3, 10, 16)
FACTOR, LATER_S = 0.6, 7200
WITHIN = 1.10
WEEK_DAYS = 7
ALL_DAYS = 10_000
FEW_DAYS = 4  # the shortest history that a model learns from
CALLS = 100
HORIZONS_S = (900, 3600)  # scored; an hourly panel has the second alone
#: Days learned from, and days after the shift, by panel; what a panel is too short for is cut.
PANELS: dict[str, tuple[int, int]] = {
    "metr": (5, 2),
    "scats": (13, 7),
    "no2": (56, 14),
    "auckland": (56, 14),
    "made": (28, 10),
    "simulated": (28, 10),
}
_MEDIAN = QUANTILES.index(0.5)


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of every panel that is there."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {"notes": []}
    for name in narrowed(PANELS, panels):
        try:
            panel, target, train_end, last = _panel(name, seed)
        except InputError as error:
            told["notes"].append(f"{name}: {error}")
            continue
        made, table = lifecycle(name, panel, target, train_end, last, seed=seed)
        figures += made
        told[name] = table
    if not figures:
        raise InputError("; ".join(told["notes"]))
    return {"figures": figures, **told}


def _panel(name: str, seed: int) -> tuple[Panel, str, int, int]:
    """A panel of at most 20 zones, its target, where training ends, and where all ends."""
    before, after = PANELS[name]
    if name == "made":
        panel, target, end = made_city(zones=ZONES, days=before + after, seed=seed), "speed_mps", 0
        end = before * panel.steps_per_day
    elif name == "simulated":
        panel, target = simulated_panel(zones=ZONES, days=before + after, seed=seed), "flow_veh_per_h"
        end = before * panel.steps_per_day
    else:
        bench = load(name)
        panel, target, end = some_zones(bench.panel, ZONES), bench.target, bench.test_from
        end -= end % panel.steps_per_day if name == "metr" else 0
    start = max(0, end - before * panel.steps_per_day)
    last = min(len(panel), end + after * panel.steps_per_day)
    return panel.during(start, last), target, end - start, last - start


def lifecycle(
    name: str, panel: Panel, target: str, end: int, last: int, *, seed: int
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Costs and recovery on one panel; training and shift are at position `end`."""
    steps = tuple(s // panel.step_s for s in HORIZONS_S if s % panel.step_s == 0)
    begun = time.process_time()
    training = train(panel, targets=(target,), train_end=panel.times[end], steps=steps, seed=seed)
    whole_s = time.process_time() - begun
    zones = training.zones(target)
    micro = {zone: training.micromodels[zone, target] for zone in zones}
    macro = training.macromodels[target]
    costs = _costs(panel, training, target, micro, macro, end)
    figures = [figure(f"{name}: all candidates trained and chosen, CPU", whole_s, "s", n=len(zones), seed=seed)]
    for what, (small, big, unit) in costs.items():
        figures += [
            figure(f"{name}: micromodels, {what}", small, unit, n=len(zones), seed=seed),
            figure(f"{name}: macromodel, {what}", big, unit, n=len(zones), seed=seed),
        ]
    found = recovery(panel, target, training, end, last, steps)
    for keeper, outcome in found.items():
        head = f"{name}: {keeper}"
        hours = outcome.hours
        figures += [
            figure(f"{head}, error of the changed zones in the first day over before", outcome.days[0], "1", seed=seed),
            figure(f"{head}, the same in the last day", outcome.days[-1], "1", n=len(outcome.days), seed=seed),
            figure(f"{head}, hours until recovered (-1: not within {24 * len(outcome.days)})",
                   -1.0 if hours is None else float(hours), "h", seed=seed),
            figure(f"{head}, error of the other zones over before, last day", outcome.others[-1], "1", seed=seed),
            figure(f"{head}, retraining, CPU a day", outcome.cpu_s, "s", n=len(outcome.days), seed=seed),
        ]  # fmt: skip
    told = {
        "zones": len(zones), "changed": [zones[k] for k in CHANGED if k < len(zones)], "macromodel": macro.name,
        "families": pd.Series([m.name for m in micro.values()]).value_counts().to_dict(),
        "by_day": {keeper: {"changed": o.days, "others": o.others} for keeper, o in found.items()},
    }  # fmt: skip
    return figures, told


def _costs(
    panel: Panel, training: Training, target: str, micro: dict[str, Forecaster], macro: Forecaster, end: int
) -> dict[str, tuple[float, float, str]]:
    """What micromodels and macromodel cost: by name, both values and the unit."""
    past = panel.until(end)
    chosen = {model.name for model in micro.values()}
    seconds = {name: s for (name, of), s in training.seconds.items() if of == target}
    known = np.arange(end, len(panel) - 1)
    zones = list(micro)
    one = latency_ms(panel, list(micro.values()), known, calls=CALLS)
    batch = [training.candidates.get((n, target)) or training.baselines[n, target] for n in chosen]
    every = latency_of(lambda origin: [m.forecast(panel, origins=origin) for m in batch], panel, known)
    city_one = latency_of(lambda origin: macro.forecast(panel, origins=origin, zone_ids=zones[:1]), panel, known)
    city = latency_ms(panel, [macro], known, calls=CALLS)
    sizes = [model.complexity() for model in micro.values()], macro.complexity()
    again = [_refit(model, past)[1] for model in list(micro.values())[:5]]
    return {
        "initial training with validation, CPU": (sum(seconds[n] for n in chosen), seconds[macro.name], "s"),
        "retraining for one zone, CPU": (float(np.median(again)), _refit(macro, past)[1], "s"),
        "stored": (sum(s["bytes"] for s in sizes[0]), sizes[1]["bytes"], "bytes"),
        "parameters": (sum(s["parameters"] for s in sizes[0]), sizes[1]["parameters"], "1"),
        "one zone's forecast, p50": (one[0], city_one[0], "ms"),
        "one zone's forecast, p99": (one[1], city_one[1], "ms"),
        "all zones' forecasts, p50": (every[0], city[0], "ms"),
        "all zones' forecasts, p99": (every[1], city[1], "ms"),
    }


def latency_of(call: Callable[[pd.DatetimeIndex], object], panel: Panel, known: np.ndarray) -> tuple[float, float]:
    """Median and 99th percentile of a call from one origin, ms."""
    taken = []
    for k in range(CALLS):
        origin = pd.DatetimeIndex([panel.origin(int(known[(k * 37) % known.size]))])
        begun = time.perf_counter()
        call(origin)
        taken.append(1e3 * (time.perf_counter() - begun))
    return float(np.median(taken[3:])), float(np.percentile(taken[3:], 99))


def _refit(model: Forecaster, past: Panel) -> tuple[Forecaster, float]:
    begun = time.process_time()
    again = model.refit(past, train_end=past.origin(len(past) - 1))
    return again, time.process_time() - begun


@dataclass(frozen=True)
class Recovery:
    """Error over before by day after the shift, of the changed zones and of the others; hours until recovered, CPU."""

    days: list[float]
    others: list[float]
    hours: int | None
    cpu_s: float


def recovery(
    panel: Panel, target: str, training: Training, end: int, last: int, steps: tuple[int, ...]
) -> dict[str, Recovery]:
    """How long every keeper takes, see the module."""
    zones = training.zones(target)
    columns = panel.columns(zones)
    places = [k for k in CHANGED if k < len(zones)]
    later = LATER_S // panel.step_s
    changed = shifted(panel, target, columns[places], end, factor=FACTOR, later=later)
    micro: list[Forecaster] = [training.micromodels[zone, target] for zone in zones]
    macro: list[Forecaster] = [training.macromodels[target]]
    day = panel.steps_per_day
    whole = range(end, last - day + 1, day)
    keepers: dict[str, tuple[list[Forecaster], list[int], int]] = {
        "micromodels left alone": (micro, [], 0),
        "macromodel left alone": (macro, [], 0),
        "micromodels of 3 zones again daily from all days": (micro, places, ALL_DAYS),
        "macromodel again daily from all days": (macro, [0], ALL_DAYS),
        "micromodels of 3 zones again daily from the last week": (micro, places, WEEK_DAYS),
        "macromodel again daily from the last week": (macro, [0], WEEK_DAYS),
        "micromodels of 3 zones again daily from the days since, at least 4": (micro, places, FEW_DAYS),
        "macromodel again daily from the days since, at least 4": (macro, [0], FEW_DAYS),
    }
    before = {id(kind): _run(panel, target, kind, zones, None, 0, whole, steps)[0] for kind in (micro, macro)}
    alone = _run(changed, target, micro, zones, None, 0, whole, steps)[0]
    some = tuple(zones[k] for k in places)
    found = {}
    for name, (models, again, days) in keepers.items():
        if models is micro:  # the other zones' micromodels are left alone by every keeper
            error, cpu = alone.copy(), 0.0
            if again:
                own = [micro[k] for k in again]
                error[:, places], cpu = _run(changed, target, own, some, days, end, whole, steps)
        else:
            error, cpu = _run(changed, target, models, zones, days if again else None, end, whole, steps)
        old = before[id(models)].copy()
        old[later:, places] = FACTOR * old[:-later, places]  # what was read two hours before, scaled
        old[:later, places] = np.nan
        found[name] = _recovery(error, old, places, day, panel.step_s, cpu / len(whole))
    return found


def _run(
    panel: Panel, target: str, models: list[Forecaster], zones: tuple[str, ...], days: int | None, since: int,
    whole: range, steps: tuple[int, ...],
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Absolute errors (n, Z), mean over the steps, and the processor seconds of learning again.

    Every model learns again each day, from the last `days`, all there are (`ALL_DAYS`), or, with `FEW_DAYS`, those
    since the shift if they are more; with None no model does.
    """
    models, cpu, parts = list(models), 0.0, []
    day = panel.steps_per_day
    grid = panel.values[target][:, panel.columns(zones)]
    for start in whole if days is not None else (whole[0],):
        for k in range(len(models)) if start > whole[0] and days is not None else ():
            assert days is not None
            first = start - days * day
            if days == FEW_DAYS:
                first = min(since, first)
            try:
                models[k], taken = _refit(models[k], panel.during(max(first, 0), start))
            except NoDataError:  # a zone that hardly reported lately keeps what it has
                continue
            cpu += taken
        known = np.arange(start - 1, start - 1 + (day if days is not None else day * len(whole)))
        origins = panel.origins(known)
        point = np.concatenate([m.forecast(panel, origins=origins, steps=steps)[..., _MEDIAN] for m in models], axis=1)
        aim = known[:, None] + np.asarray(steps)
        actual = np.where((aim < len(panel))[:, None, :], grid[np.minimum(aim, len(panel) - 1)].swapaxes(1, 2), np.nan)
        parts.append(np.abs(actual - point))
    error = np.concatenate(parts)
    count = np.isfinite(error).sum(axis=2)
    mean = np.divide(np.nansum(error, axis=2), count, out=np.full(count.shape, np.nan), where=count > 0)
    return mean, cpu


def _recovery(
    error: np.ndarray, before: np.ndarray, places: list[int], day: int, step_s: int, cpu_s: float
) -> Recovery:
    """From errors (n, Z) of every step after the shift, and those without it."""
    both = np.isfinite(error) & np.isfinite(before)
    error, before = np.where(both, error, 0.0), np.where(both, before, 0.0)
    rest = [z for z in range(error.shape[1]) if z not in places]

    def ratio(rows: slice, some: list[int]) -> float:
        return float(error[rows][:, some].sum() / max(before[rows][:, some].sum(), 1e-9))

    count = error.shape[0] // day
    by_day = [slice(k * day, (k + 1) * day) for k in range(count)]
    per_hour = max(1, 3600 // step_s)
    ends = range(day, error.shape[0] + 1, per_hour)
    hours = next((e * step_s // 3600 for e in ends if ratio(slice(e - day, e), places) <= WITHIN), None)
    return Recovery([ratio(d, places) for d in by_day], [ratio(d, rest) for d in by_day], hours, cpu_s)

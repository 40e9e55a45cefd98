"""How long one forecast of one zone takes: the whole call, from a panel and an origin to quantiles of all horizons."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from models.design import Workbench
from models.forecasting import LearnedForecaster
from models.panel import Panel

Array = np.ndarray

LINES = ("ridge", "elastic_net", "quantile_linear")
TREES = ("tree", "model_tree", "bagged_trees", "boosted_trees", "xgboost")
LIMIT_MS = 1.0
ZONES, DAYS, TRAIN_DAYS, STEP_S = 30, 14, 10, 900
CALLS, WARM = 300, 20


def latency_figures(*, seed: int, families: Sequence[str] = (*LINES, *TREES)) -> list[dict[str, Any]]:
    """Median and 99th percentile of `Forecaster.forecast` over 300 origins, by family.

    Notes
    -----
    The forecaster is that of one zone (`Forecaster.one`); the panel holds 30 zones, their neighbours, a second target
    and the weather. Garbage is collected as it is in service. The target is of processor time, all threads counted, as
    a shared machine makes wall time long by what others do; wall time stands beside.
    """
    panel = made_panel(seed=seed)
    spd = panel.steps_per_day
    past, end = panel.until(TRAIN_DAYS * spd), panel.times[TRAIN_DAYS * spd]
    zone = panel.zone_ids[ZONES // 4]
    bench = Workbench(past, target="flow_veh_per_h", zone_ids=panel.zone_ids)
    origins = [pd.DatetimeIndex([panel.origin(TRAIN_DAYS * spd - 1 + k)]) for k in range(CALLS)]
    found: list[dict[str, Any]] = []
    for family in families:
        model = LearnedForecaster(family, seed=seed)
        model.fit(past, target="flow_veh_per_h", zone_ids=panel.zone_ids, train_end=end, bench=bench)
        spent, wall = timed(model.one(zone).bare(), panel, origins)
        head = f"forecast of one zone, {len(model.anchors)} horizons, {family}"
        found += [
            figure(f"{head}, processor time, median", float(np.median(spent)), "ms", n=CALLS, seed=seed),
            figure(f"{head}, processor time, p99", float(np.quantile(spent, 0.99)), "ms", target=LIMIT_MS, n=CALLS,
                   seed=seed),
            figure(f"{head}, wall time, median", float(np.median(wall)), "ms", n=CALLS, seed=seed),
            figure(f"{head}, wall time, p99", float(np.quantile(wall, 0.99)), "ms", n=CALLS, seed=seed),
        ]  # fmt: skip
    return found


def timed(model: LearnedForecaster, panel: Panel, origins: Sequence[pd.DatetimeIndex]) -> tuple[Array, Array]:
    """Processor and wall time of each call, ms, after some that warm up."""
    for origin in origins[:WARM]:
        model.forecast(panel, origins=origin)
    spent, wall = np.empty(len(origins)), np.empty(len(origins))
    for k, origin in enumerate(origins):
        begun, started = time.process_time(), time.perf_counter()
        model.forecast(panel, origins=origin)
        wall[k], spent[k] = time.perf_counter() - started, time.process_time() - begun
    return 1e3 * spent, 1e3 * wall


def made_panel(*, seed: int, zones: int = ZONES, days: int = DAYS) -> Panel:
    """Flows and speeds of a made ring of zones: two peaks a day, a mood that lasts, noise, gaps, weather."""
    rng = np.random.default_rng(seed)
    steps = 86_400 // STEP_S
    t = days * steps
    hour = np.arange(t) % steps * STEP_S / 3600
    wave = np.exp(-0.5 * ((hour - 8) / 1.5) ** 2) + 1.2 * np.exp(-0.5 * ((hour - 17) / 2.0) ** 2)
    mood, shock = np.zeros((t, zones)), rng.standard_normal((t, zones))
    for k in range(1, t):
        mood[k] = 0.97 * mood[k - 1] + 0.02 * shock[k]
    flow = rng.uniform(200, 900, zones) * (0.2 + wave[:, None]) * np.exp(mood + 0.05 * rng.standard_normal((t, zones)))
    speed = 14.0 - 0.005 * flow + 0.3 * rng.standard_normal((t, zones))
    flow[rng.random((t, zones)) < 0.02] = np.nan
    near = np.zeros((zones, zones))
    for k in range(zones):
        near[k, [(k - 2) % zones, (k - 1) % zones, (k + 1) % zones, (k + 2) % zones]] = 0.25
    return Panel(
        times=pd.date_range("2024-03-04", periods=t, freq=pd.Timedelta(seconds=STEP_S), tz="UTC"),
        zone_ids=tuple(f"zone {k + 1:02d}" for k in range(zones)),
        values={"flow_veh_per_h": flow, "speed_mps": speed}, timezone="Europe/Berlin", country="DE", step_s=STEP_S,
        neighbours=near,
        weather={"precipitation_mm_per_h": rng.gamma(0.2, 1.0, t), "temperature_c": 9.0 + 4.0 * np.sin(hour / 3.8)},
    )  # fmt: skip

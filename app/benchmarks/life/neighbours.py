"""Part `neighbours`: what the wider view is worth: the same families with and without neighbours' readings."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.cut import around_test, following
from app.benchmarks.models.panels import load
from models.design import Workbench
from models.forecasting import LearnedForecaster
from models.intervals import QUANTILES
from models.significance import PairSums, paired_test

STEPS = {"metr": (3, 6, 12), "scats": (1, 4, 96), "pm25": (1, 6, 24), "no2": (1, 6, 24)}
FAMILIES = ("ridge", "macro_xgboost")
TRAIN_DAYS, TEST_DAYS = 365, 120  # of long panels
ORIGINS = 1_500
MEDIAN = QUANTILES.index(0.5)


def measure(*, seed: int) -> dict[str, Any]:
    """Error with neighbours over error without, by panel, family and horizon, with its 90 % interval by days."""
    figures: list[dict[str, Any]] = []
    for name, steps in STEPS.items():
        bench = load(name)
        panel, start = around_test(bench, train_days=TRAIN_DAYS, test_days=TEST_DAYS)
        zones = panel.sensed(bench.target)
        known = np.arange(start - 1, len(panel) - min(steps))
        known = known[:: max(1, -(-known.size // ORIGINS))]
        origins = panel.origins(known)
        actual = following(panel.values[bench.target], known, steps)[:, panel.columns(zones)]
        end, past = panel.origin(start - 1), panel.until(start)
        day = panel.calendar.day[known + 1]
        for family in FAMILIES:
            losses: list[np.ndarray] = []
            for wide in (True, False):
                table = Workbench(past, target=bench.target, zone_ids=zones, steps=steps, neighbours=wide)
                model = LearnedForecaster(family, seed=seed).fit(
                    past, target=bench.target, zone_ids=zones, train_end=end, steps=steps, bench=table
                )
                losses.append(np.abs(model.forecast(panel, origins=origins)[..., MEDIAN] - actual))
            every = paired_test(PairSums.of(losses[0], losses[1], day).pooled(), seed=seed)
            each = np.nanmean(losses[0], axis=0) < np.nanmean(losses[1], axis=0)
            for s, step in enumerate(steps):
                head = f"{name} {step * panel.step_s / 3600:g} h: {family}"
                figures += [
                    figure(f"{head}, with neighbours over without, MAE", 1 + float(every.share[0, s]), "1",
                           n=int(every.count[0, s]), seed=seed, lower=1 + float(every.low[0, s] / every.mean_b[0, s]),
                           upper=1 + float(every.high[0, s] / every.mean_b[0, s])),
                    figure(f"{head}, zones that gain", float(each[:, s].mean()), "1", n=len(zones), seed=seed),
                ]  # fmt: skip
    return {"figures": figures, "steps": STEPS, "families": FAMILIES}

"""Part `neighbours`: what the wider view is worth: the same families with and without neighbours' readings.

Families are those that compete by default (`candidates("quick")`), each learned once from the whole training part; of
long panels the last year before the test part, and its first 120 days, count.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.cut import around_test, following
from app.benchmarks.models.panels import load, narrowed
from models.candidates import candidates
from models.design import Workbench
from models.scale import from_scale
from models.significance import PairSums, paired_test

STEPS = {"metr": (3, 6, 12), "scats": (1, 4, 96), "pm25": (1, 6, 24), "no2": (1, 6, 24)}
FAMILIES = ("ridge", "macro_ridge", "macro_xgboost")
TRAIN_DAYS, TEST_DAYS = 365, 120  # of long panels
ORIGINS = 1_500


def measure(*, seed: int, panels: Sequence[str] = ()) -> dict[str, Any]:
    """Error with neighbours over error without, by panel, family and horizon, with its 90 % interval by days."""
    figures: list[dict[str, Any]] = []
    for name in narrowed(STEPS, panels):
        steps = STEPS[name]
        bench = load(name)
        panel, start = around_test(bench, train_days=TRAIN_DAYS, test_days=TEST_DAYS)
        zones = panel.sensed(bench.target)
        known = np.arange(start - 1, len(panel) - min(steps))
        known = known[:: max(1, -(-known.size // ORIGINS))]
        actual = following(panel.values[bench.target], known, steps)[:, panel.columns(zones)]
        end, past = panel.origin(start - 1), panel.until(start)
        day = panel.calendar.day[known + 1]
        losses: dict[str, list[np.ndarray]] = {family: [] for family in FAMILIES}
        for wide in (True, False):
            table = Workbench(past, target=bench.target, zone_ids=zones, steps=steps, neighbours=wide)
            for candidate in candidates("quick"):
                if candidate.name in losses:
                    model = candidate.forecaster(seed)
                    _, stop, _ = model.begin(past, bench.target, zones, end, None, steps, table)
                    model._learn(table, stop)  # intervals and validation play no part in what is measured
                    point = from_scale(bench.target, model._point(panel, known, np.arange(len(zones)), steps))
                    losses[candidate.name].append(np.abs(point - actual))
        for family, (with_them, without) in losses.items():
            every = paired_test(PairSums.of(with_them, without, day).pooled(), seed=seed)
            each = np.nanmean(with_them, axis=0) < np.nanmean(without, axis=0)
            for s, step in enumerate(steps):
                head = f"{name} {step * panel.step_s / 3600:g} h: {family}"
                figures += [
                    figure(f"{head}, with neighbours over without, MAE", 1 + float(every.share[0, s]), "1",
                           n=int(every.count[0, s]), seed=seed, lower=1 + float(every.low[0, s] / every.mean_b[0, s]),
                           upper=1 + float(every.high[0, s] / every.mean_b[0, s])),
                    figure(f"{head}, zones that gain", float(each[:, s].mean()), "1", n=len(zones), seed=seed),
                ]  # fmt: skip
    return {"figures": figures, "steps": STEPS, "families": FAMILIES}

"""Part `reconciliation`: do zone, district and city forecasts add up, and what does it cost or gain the city?

Flows of SCATS detectors (sums) and air of the Beijing stations (means), out of sample; every level has models of its
own, and forecasts of all methods rest on the same base forecasts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.cut import after, following
from app.benchmarks.models.panels import load
from models.reconciling import METHODS, Hierarchy, Reconciler, reconcile, weights_for
from models.reconciling.projection import error_matrix
from models.significance import PairSums, paired_test

STEPS = {"scats": (1, 4, 96), "pm25": (1, 6, 24)}
NAMES = {"scats": ("15 min", "1 h", "24 h"), "pm25": ("1 h", "6 h", "24 h")}
TRAIN_DAYS = 365  # of long panels
ORIGINS = 2_000
CHOSEN = "chosen"
INTERVAL = (0, -1)  # places of the 90 % interval's quantiles


def measure(*, seed: int) -> dict[str, Any]:
    """Coherence, and city-level errors of each method in comparison with the city's own model."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    for name, steps in STEPS.items():
        bench = load(name)
        panel, target = bench.panel, bench.target
        first = max(0, bench.test_from - TRAIN_DAYS * panel.steps_per_day)
        panel, start = after(panel, first), bench.test_from - first
        zones = panel.sensed(target, share=0.9)
        weight, mean = weights_for(target, panel.zones, zones)
        near = panel.neighbours[np.ix_(*(panel.columns(zones),) * 2)]
        hierarchy = Hierarchy.of(zones, touching=near, weight=weight, mean=mean)
        model = Reconciler.fit(
            panel, target=target, hierarchy=hierarchy, train_end=panel.origin(start - 1), steps=steps, seed=seed
        )
        known = np.arange(start - 1, len(panel) - min(steps))
        known = known[:: max(1, -(-known.size // ORIGINS))]
        origins = panel.origins(known)
        found = model.forecast(panel, origins=origins)
        actual = following(model.readings(panel), known, steps)
        gap = np.abs(found.point[:, : hierarchy.uppers] - _added(hierarchy, found.point)).max()
        figures.append(
            figure(f"{name}: largest gap between an aggregate and its zones, share of the mean",
                   float(gap / np.nanmean(found.point)), "1", target=1e-12, n=found.point.size, seed=seed)
        )  # fmt: skip
        made, told[name] = _compared(name, model, found, actual, panel.calendar.day[known + 1], seed)
        figures += made
        told[name] |= {"zones": len(zones), "districts": len(hierarchy.districts), "rows": int(known.size)}
    return {"figures": figures, "panels": told}


def _added(hierarchy: Hierarchy, point: np.ndarray) -> np.ndarray:
    zones = point[:, hierarchy.uppers :]
    return np.einsum("uz,nzs->nus", hierarchy.upper, zones)


def _compared(name, model, found, actual, day, seed):  # type: ignore[no-untyped-def]
    """Figures of the chosen method, and errors of all by level."""
    uppers = model.hierarchy.uppers
    levels = {"city": slice(0, 1), "districts": slice(1, uppers), "zones": slice(uppers, None)}
    points = {"base": found.base, CHOSEN: found.point}
    for method in METHODS:
        points[method] = np.stack(
            [
                reconcile(found.base[:, :, s], model.hierarchy.upper,
                          error_matrix(method, model.hierarchy.upper, model.errors[:, :, s]))
                for s in range(len(model.steps))
            ], axis=2,
        )  # fmt: skip
    told = {
        method: {
            level: [round(float(v), 4) for v in np.nanmean(np.abs(p - actual)[:, part], axis=(0, 1))]
            for level, part in levels.items()
        }
        for method, p in points.items()
    }
    figures = []
    loss = {key: np.abs(points[key] - actual) for key in ("base", CHOSEN)}
    for level, part in levels.items():
        test = paired_test(PairSums.of(loss[CHOSEN][:, part], loss["base"][:, part], day).pooled(), seed=seed)
        for s, horizon in enumerate(NAMES[name]):
            value = round(1 + float(test.share[0, s]), 9)
            figures.append(
                figure(
                    f"{name} {horizon}: {level}, reconciled over unreconciled MAE", value, "1",
                    target=1.0 if level == "city" else None, n=int(test.count[0, s]), seed=seed,
                    lower=1 + float(test.low[0, s] / test.mean_b[0, s]),
                    upper=1 + float(test.high[0, s] / test.mean_b[0, s]),
                )
            )  # fmt: skip
    low, high = (found.quantiles[:, 0, :, k] for k in INTERVAL)
    city = actual[:, 0]
    inside = np.where(np.isfinite(city), (city >= low) & (city <= high), np.nan)
    for s, horizon in enumerate(NAMES[name]):
        held = float(np.nanmean(inside[:, s]))
        figures.append(
            figure(f"{name} {horizon}: coverage of the city's 90 % interval", held, "1", n=int(day.size), seed=seed)
        )  # fmt: skip
    return figures, told | {"methods": dict(zip(NAMES[name], model.methods))}

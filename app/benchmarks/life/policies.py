"""Part `policies`: when to train again: never, each week, each day, or when a monitor says so.

Pedestrians of central Auckland, hour by hour through twelve weeks that no model had seen: as they were, and with a
changed world in three of the counters from the fourth week on (half as many people, six hours later).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.panels import load
from models.forecasting import LearnedForecaster
from models.monitoring import reference_of
from models.monitoring.policies import Policy, Replay, replay

HISTORY_DAYS, LIVED_DAYS, CHANGE_DAY, CHANGED = 120, 84, 21, 3
STEPS = (1, 6)
EVERY = (
    Policy(kind="never"),
    Policy(kind="fixed", every_days=7),
    Policy(kind="fixed", every_days=1),
    Policy(kind="on drift"),
)


def measure(*, seed: int) -> dict[str, Any]:
    """Cost and accuracy of each policy on the same readings."""
    bench = load("auckland")
    day = bench.panel.steps_per_day
    begin = bench.test_from - HISTORY_DAYS * day
    panel = bench.panel.during(begin, bench.test_from + LIVED_DAYS * day)
    start = HISTORY_DAYS * day
    zones = panel.until(start).sensed(bench.target, share=0.8)
    change = start + CHANGE_DAY * day
    places = np.sort(np.random.default_rng(seed).choice(len(zones), CHANGED, replace=False))
    values = panel.values[bench.target].copy()
    columns = panel.columns([zones[k] for k in places])
    values[change:, columns] = 0.5 * panel.values[bench.target][change - 6 : -6][:, columns]
    changed = replace(panel, values={**panel.values, bench.target: values})
    figures, told = [], {}
    for world, lived in (("as it was", panel), ("three changed counters", changed)):
        model = LearnedForecaster("ridge", seed=seed).fit(
            lived.until(start), target=bench.target, zone_ids=zones, train_end=lived.times[start], steps=STEPS
        )
        reference = reference_of(model, lived.until(start))
        found = {policy.name: replay(model, lived, reference, policy, start=start) for policy in EVERY}
        told[world] = {name: _told(one, places, CHANGE_DAY * day) for name, one in found.items()}
        figures += _figures(world, found, places, CHANGE_DAY * day, seed)
    return {"figures": figures, "policies": told, "zones": len(zones)}


def _told(one: Replay, places: np.ndarray, change: int) -> dict[str, float]:
    after = slice(change, None)
    return {
        "mae": one.mae(), "mae_changed_zones_after": one.mae(places, after), "trainings": float(len(one.retrained)),
        "zone_trainings": float(one.zone_trainings), "cpu_s": one.cpu_s, "watch_cpu_s": one.watch_s,
        "alarms": float(one.alarms),
    }  # fmt: skip


def _figures(world: str, found: dict[str, Replay], places: np.ndarray, change: int, seed: int) -> list[dict[str, Any]]:
    figures, never = [], found["never"]
    for name, one in found.items():
        head = f"policies: {world}, {name}"
        figures += [
            figure(f"{head}, zones trained", float(one.zone_trainings), "1", seed=seed),
            figure(f"{head}, CPU of training and watching", one.cpu_s + one.watch_s, "s"),
            figure(f"{head}, MAE over never", one.mae() / never.mae(), "1", n=int(np.isfinite(one.error).sum())),
        ]
        if world != "as it was":
            after = slice(change, None)
            ratio = one.mae(places, after) / never.mae(places, after)
            figures.append(figure(f"{head}, MAE of changed zones after the change over never", ratio, "1"))
    return figures

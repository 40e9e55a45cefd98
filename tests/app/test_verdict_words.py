"""What a comparison concludes is stored without what a clock measured, and told with it."""

from __future__ import annotations

import pandas as pd

from app.commands.jobs import verdict_of
from data.store.workspace import Workspace

COSTS = pd.DataFrame({
    "model": ["micromodel", "macromodel"], "target": "speed_mps", "fit_seconds": [1.5, 2.5], "bytes": [1000.0, 2000.0],
    "fit_energy_j": [18.0, 30.0], "latency_ms_p50": [0.5, 1.0], "latency_ms_p99": [0.9, 2.0],
    "retrain_seconds": [float("nan"), float("nan")],
})  # fmt: skip


def stored(space: Workspace, told: dict) -> str:
    with space.runs.write("comparison", told) as run:
        run.table("costs", COSTS)
        run.json("verdict", told)
    return space.runs.list()[0]["id"]


def test_costs_are_told_from_their_table_after_the_verdict(tmp_path):
    space = Workspace(tmp_path)
    first, second, *_ = verdict_of(space, stored(space, {"text": "Nobody wins.", "costs": False})).splitlines()
    assert first == "Nobody wins."
    assert second.startswith("Training took 1.5 s of processor time for all micromodels and 2.5 s")


def test_a_verdict_of_an_earlier_release_tells_its_costs_once(tmp_path):
    space = Workspace(tmp_path)
    text = "Nobody wins.\nTraining took 9.0 s."
    assert verdict_of(space, stored(space, {"text": text})) == text

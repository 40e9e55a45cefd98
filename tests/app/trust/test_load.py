"""The load, small: planners on a served workspace, a study that is really at work, and a slope that tells growth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.benchmarks.trust import load

pytestmark = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc of Linux")


def test_two_planners_are_answered_while_a_study_is_at_work(workspace, monkeypatch):
    """A study that failed at once would be told of, and would not count as at work."""
    monkeypatch.setattr(load, "LEAST_STUDY", 0.5)
    for name, value in (("PLANNERS", "2"), ("SECONDS", "12"), ("WORKSPACE", str(workspace.root))):
        monkeypatch.setenv(f"ZONEWISE_LOAD_{name}", value)
    told = load.measure(seed=1)
    found = {one["name"]: one for one in told["figures"]}
    assert found["load_errors"]["value"] == 0, told["faults"]
    assert all("failed" not in study for study in told["studies"]), told["studies"]
    assert found["load_study_at_work"]["met"], told["studies"]
    assert found["load_memory"]["value"] > 50 and found["load_memory_slope"]["target"] is None
    assert told["requests"]["callback"] > 5 and found["load_first_use_slowest"]["value"] > 0


def test_the_slope_is_that_of_the_second_half():
    """100 MB while caches fill, then 1 MB in 5 s, which is 360 MB in half an hour."""
    first = [(5.0 * k, 100.0 + 10.0 * k) for k in range(10)]
    second = [(5.0 * k, 200.0 + k) for k in range(10, 20)]
    assert load._slope(first + second) == pytest.approx(360.0)
    assert np.isnan(load._slope(first[:2]))

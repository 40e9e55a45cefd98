"""Parts narrowed to some panels, and panels to their last days."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.benchmarks import run_parts
from app.benchmarks.life import transfer
from app.benchmarks.models.cut import recent
from app.benchmarks.models.panels import narrowed
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.panel import Panel


def test_a_part_keeps_those_of_its_panels_that_are_wanted_in_its_own_order():
    assert narrowed(("metr", "scats", "pm25"), ()) == ("metr", "scats", "pm25")
    assert narrowed(("metr", "scats", "pm25"), ("pm25", "metr", "strange")) == ("metr", "pm25")
    with pytest.raises(InputError, match="no panel no2 here; there are: metr, scats"):
        narrowed(("metr", "scats"), ("no2",))


def test_wanted_panels_reach_the_parts_that_take_them(monkeypatch):
    seen = {}

    def measure(*, seed, panels=()):
        seen.update(seed=seed, panels=panels)
        return {"figures": [{"name": "one"}]}

    monkeypatch.setattr(transfer, "measure", measure)
    told = run_parts("life", ["--only", "transfer", "--panels", "scats", "metr", "--seed", "7"])
    assert seen == {"seed": 7, "panels": ("scats", "metr")} and told["cpu_s"]["transfer"] >= 0


def test_the_last_days_before_the_test_part_stay_and_the_test_part_is_whole():
    """Ten days of which the last two are tested: three days to learn from begin on the sixth."""
    times = pd.date_range("2026-01-01", periods=240, freq="1h", tz="UTC").as_unit("us")
    flow = np.arange(240.0)[:, None]
    panel = Panel(times, ("Z1",), {"flow_veh_per_h": flow}, "UTC", 3600, neighbours=np.zeros((1, 1)))
    bench = BenchmarkPanel(
        name="made", panel=panel, target="flow_veh_per_h", test_from=192, horizons={"1 h": (1,)}, unit="veh/h"
    )
    found = recent(bench, train_days=3)
    assert found.test_from == 72 and found.panel.times[0] == times[120] and len(found.panel) == 120
    assert recent(bench, train_days=30).test_from == 192

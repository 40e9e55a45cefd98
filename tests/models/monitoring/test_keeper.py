"""The keeper of a zone's model: trains when its policy says so, and not otherwise."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.forecasting import LearnedForecaster
from models.monitoring import Keeper, Monitor, reference_of, watched
from models.monitoring.policies import Policy
from models.panel import Panel

DAYS, LEARNED, PER_DAY = 40, 20, 24


@pytest.fixture(scope="module")
def town():
    """Two zones, hour by hour; from day 22 on Z1 reads half as much, six hours later."""
    rng = np.random.default_rng(1)
    hour = np.arange(DAYS * PER_DAY)
    usual = 500 + 300 * np.sin(2 * np.pi * (hour % 24 - 6) / 24)
    flow = usual[:, None] + rng.normal(0, 25, (hour.size, 2))
    flow[22 * PER_DAY :, 0] = 0.5 * flow[22 * PER_DAY - 6 : -6, 0]
    times = pd.date_range("2026-01-05", periods=hour.size, freq="1h", tz="UTC").as_unit("us")
    panel = Panel(times, ("Z1", "Z2"), {"flow_veh_per_h": flow}, "UTC", 3600, neighbours=np.zeros((2, 2)))
    end = LEARNED * PER_DAY
    model = LearnedForecaster("ridge", seed=1).fit(
        panel.until(end), target="flow_veh_per_h", zone_ids=("Z1", "Z2"), train_end=panel.times[end], steps=(1, 6)
    )
    return panel, model, reference_of(model, panel.until(end))


def lived(town, zone, policy):
    """The keeper of a zone after all days."""
    panel, model, reference = town
    place = np.array([model.zone_ids.index(zone)])
    own = model.one(zone)
    monitor = Monitor(own.target, (zone,), reference.pick(place))
    keeper = Keeper(policy, own, monitor)
    for day in range(LEARNED, DAYS):
        begin, end = day * PER_DAY, (day + 1) * PER_DAY
        monitor.observe(watched(keeper.serving, panel, begin, end))
        keeper.day_ended(panel.until(end), end)
    return keeper


def test_a_fixed_policy_trains_every_so_many_days(town):
    """Twenty days, every six: after days 6, 12 and 18 of them."""
    keeper = lived(town, "Z2", Policy(kind="fixed", every_days=6))
    assert keeper.trained == [(LEARNED + k) * PER_DAY for k in (6, 12, 18)] and keeper.cpu_s > 0
    assert pd.Timestamp(keeper.serving.train_end) > pd.Timestamp(keeper.model.train_end)


def test_never_trains_never(town):
    assert lived(town, "Z1", Policy(kind="never")).trained == []


def test_on_drift_the_changed_zone_learns_from_what_came_since_and_the_other_rests(town):
    """First at the end of the fifth day of the changed world or soon after; the error falls by more than half."""
    changed, calm = (lived(town, zone, Policy(kind="on drift")) for zone in ("Z1", "Z2"))
    assert calm.trained == []
    assert 27 * PER_DAY <= changed.trained[0] <= 30 * PER_DAY
    panel = town[0]
    late = [
        np.nanmean(np.abs(watched(m, panel, 35 * PER_DAY, 40 * PER_DAY).error))
        for m in (changed.model, changed.serving)
    ]
    assert late[1] < 0.5 * late[0]


def test_a_keeper_without_a_monitor_has_nothing_to_ask(town):
    panel, model, _ = town
    keeper = Keeper(replace(Policy(), kind="on drift"), model.one("Z1"))
    assert keeper.day_ended(panel, len(panel)) is None

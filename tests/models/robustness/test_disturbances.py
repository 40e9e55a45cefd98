"""Faults put into readings are what they say, where they say."""

import numpy as np
import pandas as pd
import pytest

from models.errors import PanelError, SettingsError
from models.panel import Panel
from models.robustness import Disturbance, apart, disturbed


@pytest.fixture
def panel() -> Panel:
    """Three zones in a row, hourly; zone k reads 10 k + hour."""
    times = pd.date_range("2025-03-03", periods=72, freq="h", tz="UTC").as_unit("us")
    values = np.arange(72.0)[:, None] + np.array([0.0, 10.0, 20.0])
    row = np.array([[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]])
    return Panel(times, ("a", "b", "c"), {"flow_veh_per_h": values}, step_s=3600, neighbours=row)


def told(panel: Panel, kind: str, strength: float) -> np.ndarray:
    fault = Disturbance(kind=kind, strength=strength)
    out = disturbed(panel, "flow_veh_per_h", fault, zone_ids=["b"], episodes=[(30, 40)], seed=1)
    return out.values["flow_veh_per_h"]


@pytest.mark.parametrize("kind", ["noise", "gaps", "blocks", "silent", "stuck", "bias", "drift", "replay", "late"])
def test_a_fault_changes_nothing_beside_its_zone_and_time(panel, kind):
    """Zones a and c, and b before 30 and from 40 on, stay bit for bit; within, something changes."""
    found, given = told(panel, kind, 1.0 if kind != "late" else 60.0), panel.values["flow_veh_per_h"]
    outside = np.ones(given.shape, dtype=bool)
    outside[30:40, 1] = False
    assert np.array_equal(found[outside], given[outside])
    if kind not in ("silent", "stuck"):  # which begin an hour later by their strength
        assert not np.array_equal(found[30:40, 1], given[30:40, 1], equal_nan=True)
    else:
        assert found[30, 1] == given[30, 1]


def test_faults_follow_their_definitions(panel):
    """At 30 zone b reads 40: an hour late it shows 39, replayed from yesterday 16, times 1.609 64.4, stuck 39."""
    assert told(panel, "late", 60)[30:40, 1].tolist() == list(range(39, 49))
    assert told(panel, "replay", 1)[30, 1] == 16
    assert told(panel, "factor", 1.609344)[30, 1] == pytest.approx(64.37376)
    assert set(told(panel, "stuck", 0)[30:40, 1]) == {39.0}
    spread = np.std(np.arange(72.0))
    assert told(panel, "bias", 2)[35, 1] == pytest.approx(45 + 2 * spread)
    assert told(panel, "drift", 24)[31, 1] == pytest.approx(41 + 2 * spread)
    assert np.isnan(told(panel, "silent", 3)[33:40, 1]).all() and np.isfinite(told(panel, "silent", 3)[30:33, 1]).all()


def test_noise_has_the_power_that_was_asked_for():
    """0 dB: noise spreads like the readings; 20 dB: a tenth of it. 20,000 readings tell it to 2 %."""
    times = pd.date_range("2025-01-01", periods=20_000, freq="h", tz="UTC").as_unit("us")
    values = 1e4 + np.random.default_rng(0).standard_normal((20_000, 1))
    panel = Panel(times, ("a",), {"flow_veh_per_h": values}, step_s=3600)
    for decibels, share in ((0.0, 1.0), (20.0, 0.1)):
        fault = Disturbance(kind="noise", strength=decibels)
        found = disturbed(panel, "flow_veh_per_h", fault, zone_ids=["a"], episodes=[(0, 20_000)], seed=3)
        assert np.std(found.values["flow_veh_per_h"] - values) == pytest.approx(share, rel=0.02)


def test_the_same_seed_gives_the_same_fault(panel):
    """Bit for bit; another seed differs."""
    fault = Disturbance(kind="noise", strength=0.0)
    same = [disturbed(panel, "flow_veh_per_h", fault, zone_ids=["b"], episodes=[(0, 72)], seed=s) for s in (1, 1, 2)]
    first, again, other = (p.values["flow_veh_per_h"] for p in same)
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_zones_apart_are_no_neighbours(panel):
    """Of a row of three either the ends or the middle."""
    for seed in range(6):
        assert set(apart(panel, panel.zone_ids, seed=seed)) in ({"a", "c"}, {"b"})


def test_what_cannot_be_is_refused_with_all_faults(panel):
    """An unknown kind, a share above 1, an episode beyond the end."""
    with pytest.raises(SettingsError, match=r"fog.*noise"):
        Disturbance(kind="fog", strength=1.0)
    with pytest.raises(SettingsError, match="at most 1"):
        Disturbance(kind="gaps", strength=1.5)
    with pytest.raises(PanelError, match="0 to 72"):
        disturbed(panel, "flow_veh_per_h", Disturbance(kind="bias", strength=1), zone_ids=["b"], episodes=[(70, 80)],
                  seed=1)  # fmt: skip

"""The outlook says what is there: trends, steps, drivers, upkeep and the worth of sensors, each with its doubt."""

import re

import numpy as np
import pandas as pd
import pytest

from models.errors import NoDataError, PanelError
from models.forecasting import LearnedForecaster
from models.outlook import Daily, outlook, sensor_worth
from models.outlook.sensors import fitted
from models.outlook.upkeep import upkeep
from models.panel import Panel

TARGET, DAYS = "flow_veh_per_h", 84


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Six hourly zones, 12 weeks: zone a rises by 14 a week, b steps up by 60 on day 40, the others stay."""
    rng = np.random.default_rng(8)
    n = DAYS * 24
    hour, day = np.arange(n) % 24, np.arange(n) // 24
    usual = 400 + 150 * np.sin(2 * np.pi * (hour - 8) / 24)
    values = usual[:, None] + 15 * rng.standard_normal((n, 6)) + 8 * rng.standard_normal((DAYS, 6))[day]
    values[:, 0] += 2.0 * (day - DAYS / 2)
    values[:, 1] += 60.0 * (day >= 40)
    times = pd.date_range("2025-01-06", periods=n, freq="h", tz="UTC").as_unit("us")
    zones = pd.DataFrame({"zone_id": list("abcdef"), "x_m": np.arange(6) * 500.0, "y_m": 0.0})
    return Panel(times, tuple("abcdef"), {TARGET: values}, step_s=3600, zones=zones)


def test_daily_values_are_free_of_the_hour(panel):
    """A quiet zone's days scatter by 8 and 15 / sqrt(24) = 3: together 8.6, though hours swing by 106."""
    daily = Daily.of(panel, TARGET)
    assert daily.value.shape == (DAYS, 6)
    assert np.std(daily.value[:, 3]) == pytest.approx(8.6, rel=0.3)
    assert daily.level[3] == pytest.approx(400, abs=6)


def test_the_trend_and_the_step_are_told_in_words(panel):
    """Zone a rises by 14 a week, 61 a month; b rose on day 40, 15 February 2025; d does neither."""
    found = outlook(panel, TARGET)
    table = found.table.set_index("zone_id")
    assert table.loc["a", "trend"] == "rising"
    assert table.loc["a", "trend_low"] < 14 < table.loc["a", "trend_high"]
    assert table.loc["b", "changes"] == 1 and table.loc["b", "last_change"] == "2025-02-15"
    assert table.loc["b", "last_size_low"] < 60 < table.loc["b", "last_size_high"]
    assert table.loc["d", "changes"] == 0
    assert re.search(r"Flow is rising by about (5|6)\d\.\d veh/h a month.*9 in 10 sure", found.sentences["a"][0])
    assert any("On 2025-02-15" in line and "rose" in line for line in found.sentences["b"])
    assert any("no sudden change" in line for line in found.sentences["d"])
    assert found.changes["zone_id"].tolist() == ["b"]


def test_models_add_what_they_lean_on_and_what_to_do(panel):
    """A fresh model is left alone; an alarm on the sensor sends somebody there, in its zone alone."""
    end = panel.origin(70 * 24 - 1)
    model = LearnedForecaster("ridge", seed=1).fit(
        panel, target=TARGET, zone_ids=("c", "d"), train_end=end, steps=(1, 6)
    )
    alarms = pd.DataFrame(
        {"zone_id": ["d"], "target": [TARGET], "state": ["open"], "advice": ["check the sensor"],
         "size_text": ["no reading for 30.0 h"]}
    )  # fmt: skip
    found = outlook(panel, TARGET, models={"c": model, "d": model}, alarms=alarms, zone_ids=("c", "d"))
    table = found.table.set_index("zone_id")
    assert table.loc["c", "upkeep"] == "leave it" and table.loc["d", "upkeep"] == "check the sensor"
    assert table.loc["c", "error_growth"] == pytest.approx(1, abs=0.25)
    assert table.loc["c", "age_days"] == pytest.approx(14)
    assert any("no reading for 30.0 h" in line for line in found.sentences["d"])


def test_a_model_that_errs_twice_as_much_is_to_be_trained_again(panel):
    """After training zone c's readings get noise of 60 instead of 15: errors grow far beyond 10 %."""
    begin = 70 * 24
    model = LearnedForecaster("ridge", seed=1).fit(
        panel, target=TARGET, zone_ids=("c",), train_end=panel.origin(begin - 1), steps=(1,)
    )
    values = panel.values[TARGET].copy()
    values[begin:, 2] += 60 * np.random.default_rng(0).standard_normal(len(values) - begin)
    worse = Panel(panel.times, panel.zone_ids, {TARGET: values}, step_s=3600)
    found = upkeep(model, worse, "c", step=1)
    assert found.verdict == "train again" and found.low > 1.5
    assert "times that before" in found.reason


def test_sensors_are_worth_most_where_nobody_else_can_tell():
    """Zones a to g lie together and share a mood, h is far away and alone: it is first, though it swings no more."""
    rng = np.random.default_rng(3)
    n = 40 * 24
    mood = np.zeros(n)
    for t in range(1, n):
        mood[t] = 0.9 * mood[t - 1] + np.sqrt(1 - 0.81) * rng.standard_normal()
    own = np.roll(mood, 400)  # the same swing at another time
    values = 100 + 20 * np.column_stack([mood + 0.2 * rng.standard_normal(n) for _ in range(7)] + [own])
    zones = pd.DataFrame({"zone_id": list("abcdefgh"), "x_m": [*np.arange(7) * 200.0, 50_000.0], "y_m": 0.0})
    times = pd.date_range("2025-01-06", periods=n, freq="h", tz="UTC").as_unit("us")
    panel = Panel(times, tuple("abcdefgh"), {"pedestrians_per_h": values}, step_s=3600, zones=zones)
    table = sensor_worth(panel, "pedestrians_per_h").set_index("zone_id")
    assert table["rank"].idxmin() == "h"
    assert table.loc["d", "explained"] > 0.8 > table.loc["h", "explained"]
    assert table.loc["h", "error_measured"] > 2 * table.loc["d", "error_measured"]
    blank = values.copy()
    blank[:, 3] = np.nan
    unseen = Panel(times, panel.zone_ids, {"pedestrians_per_h": blank}, step_s=3600, zones=zones)
    again = sensor_worth(unseen, "pedestrians_per_h").set_index("zone_id")
    assert not again.loc["d", "monitored"] and np.isnan(again.loc["d", "error_measured"])
    assert again.loc["d", "error_told"] == pytest.approx(table.loc["d", "error_told"], rel=0.01)
    assert again["city_gain"].idxmax() == "h" and again.loc["d", "city_gain"] > 0


def test_reach_and_share_of_their_own_are_recovered():
    """Correlations 0.7 exp(-d / 1000 m) of twenty places: the nugget is 0.3, the length within a grid step (60 %)."""
    x = np.sort(np.random.default_rng(0).uniform(0, 4000, 20))
    apart = np.abs(x[:, None] - x)
    field = fitted(0.7 * np.exp(-apart / 1000), apart)
    assert field.nugget == pytest.approx(0.3, abs=0.11) and 500 < field.length_m < 2000


def test_what_is_not_there_is_said(panel):
    """An unknown target; three zones."""
    with pytest.raises(PanelError, match="no2"):
        outlook(panel, "no2_ug_per_m3")
    few = Panel(panel.times, ("a", "b", "c"), {TARGET: panel.values[TARGET][:, :3]}, step_s=3600)
    with pytest.raises(NoDataError, match="at least 4"):
        sensor_worth(few, TARGET)
    assert (outlook(few, TARGET).table["sensor_rank"] == 0).all()

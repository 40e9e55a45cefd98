"""Tables onto one grid, and what was known when."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.errors import PanelError, UnknownZoneError
from models.panel import Panel, neighbour_weights

T0 = pd.Timestamp("2025-03-03T00:00Z")


def rows(*items: tuple[str, int, float]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "zone_id": [z for z, _, _ in items],
            "time": [T0 + pd.Timedelta(minutes=m) for _, m, _ in items],
            "speed_mps": [v for _, _, v in items],
        }
    )


def test_missing_rows_become_gaps():
    panel = Panel.from_table(rows(("A", 0, 1.0), ("A", 15, 2.0), ("A", 45, 4.0), ("B", 15, 9.0)))
    assert panel.step_s == 900
    np.testing.assert_array_equal(panel.values["speed_mps"][:, 0], [1.0, 2.0, np.nan, 4.0])
    np.testing.assert_array_equal(panel.values["speed_mps"][:, 1], [np.nan, 9.0, np.nan, np.nan])


def test_the_order_of_rows_does_not_matter():
    found = synthetic_city.tables(zones=3, days=2)
    shuffled = found["zone_state"].sample(frac=1.0, random_state=1)
    a, b = Panel.from_table(found["zone_state"]), Panel.from_table(shuffled)
    for name in a.values:
        np.testing.assert_array_equal(a.values[name], b.values[name])


def test_intervals_known_by_an_instant_are_counted():
    """Two intervals of a quarter of an hour: none at 00:14, one at 00:15, both from 00:30 on."""
    panel = Panel.from_table(rows(("A", 0, 1.0), ("A", 15, 2.0)))
    counts = [panel.known_by(T0 + pd.Timedelta(minutes=m)) for m in (-60, 14, 15, 30, 500)]
    assert counts == [0, 0, 1, 2, 2]


def test_a_value_is_known_at_the_end_of_its_interval():
    """The interval that starts 00:00 is known at 00:15 and not a second sooner."""
    panel = Panel.from_table(rows(("A", 0, 1.0), ("A", 15, 2.0), ("A", 30, 3.0)))
    stamps = [T0, T0 + pd.Timedelta(seconds=899), T0 + pd.Timedelta(seconds=900), T0 + pd.Timedelta(minutes=31)]
    assert panel.known(pd.DatetimeIndex(stamps)).tolist() == [-1, -1, 0, 1]
    assert panel.origin(0) == T0 + pd.Timedelta(minutes=15)


def test_origins_of_positions_are_what_known_tells_the_positions_of():
    """Position -1 is known at the grid's begin, 00:00, and position 2, the interval from 00:30, at 00:45."""
    panel = Panel.from_table(rows(("A", 0, 1.0), ("A", 15, 2.0), ("A", 30, 3.0)))
    found = panel.origins(np.array([-1, 2]))
    assert list(found) == [T0, T0 + pd.Timedelta(minutes=45)] == [panel.origin(-1), panel.origin(2)]
    assert panel.known(found).tolist() == [-1, 2]


def test_the_first_step_counts_the_grid_from_1970():
    """A grid of 900 s that begins 45 minutes after 1970-01-01: three steps."""
    early = pd.Timestamp("1970-01-01T00:45Z")
    table = rows(("A", 0, 1.0), ("A", 15, 2.0)).assign(time=[early, early + pd.Timedelta(minutes=15)])
    assert Panel.from_table(table).first_step == 3


def test_times_off_the_grid_and_repeated_keys_are_refused():
    with pytest.raises(PanelError, match="off the grid"):
        Panel.from_table(rows(("A", 0, 1.0), ("A", 15, 2.0), ("A", 22, 3.0), ("A", 30, 3.0)))
    with pytest.raises(PanelError, match="repeats"):
        Panel.from_table(rows(("A", 0, 1.0), ("A", 15, 2.0), ("A", 15, 3.0)))
    with pytest.raises(PanelError, match="speed_mps"):
        Panel.from_table(pd.DataFrame({"zone_id": ["A"], "time": [T0]}))


def test_times_without_a_zone_are_refused():
    table = rows(("A", 0, 1.0), ("A", 15, 2.0))
    with pytest.raises(PanelError, match="time zone"):
        Panel.from_table(table.assign(time=table["time"].dt.tz_localize(None)))


def test_zones_that_the_table_does_not_have_are_refused():
    zones = pd.DataFrame({"zone_id": ["A"]})
    with pytest.raises(UnknownZoneError, match="B"):
        Panel.from_table(rows(("A", 0, 1.0), ("B", 15, 2.0)), zones=zones)


def test_neighbour_weights_are_shares_of_the_border():
    """Borders of 300 and 100 m: three quarters and one quarter."""
    adjacency = pd.DataFrame(
        {
            "zone_id": ["A", "A", "B", "C"],
            "neighbour_zone_id": ["B", "C", "A", "A"],
            "border_m": [300.0, 100.0, 300.0, 100.0],
            "distance_m": 500.0,
        }
    )
    weights = neighbour_weights(adjacency, ["A", "B", "C", "D"])
    np.testing.assert_allclose(weights[0], [0, 0.75, 0.25, 0])
    assert weights[3].sum() == 0


def test_hourly_weather_holds_until_the_next_hour():
    weather = pd.DataFrame({"time": [T0, T0 + pd.Timedelta(hours=1)], "wind_speed_mps": [3.0, 5.0]})
    panel = Panel.from_table(rows(*[("A", 15 * k, 1.0) for k in range(6)]), weather=weather)
    assert panel.weather["wind_speed_mps"].tolist() == [3.0, 3.0, 3.0, 3.0, 5.0, 5.0]


def test_a_cut_panel_holds_nothing_later(city):
    part = city.until(100)
    assert len(part) == 100
    assert all(len(v) == 100 for v in (*part.values.values(), *part.weather.values()))

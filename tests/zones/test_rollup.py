"""Links and sensors to zones: Edie's definitions, and what sensors make of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import ZONE_STATE, ZONE_TRUTH, validate
from zones import SensorRollup, ZoneRollup, sensor_rollup, zone_traffic
from zones.errors import ZoneError

LINKS = pd.DataFrame(
    {"link_id": [0, 1, 2], "length_m": [100.0, 300.0, 600.0], "lanes": [1.0, 2.0, 1.0],
     "free_flow_speed_mps": [10.0, 15.0, 20.0]}
)  # fmt: skip
LINK_ZONE = pd.DataFrame(
    {"link_id": [0, 1, 1, 2], "zone_id": ["Z01", "Z01", "Z02", "Z02"], "share": [1.0, 0.5, 0.5, 1.0]}
)
ZONES = ["Z01", "Z02"]
T0 = pd.Timestamp("2026-03-02T06:00", tz="UTC")


def _state(rows):
    table = pd.DataFrame(rows, columns=["link_id", "step", "vehicle_class", "vehicle_distance_m", "vehicle_time_s"])
    times = (T0 + pd.to_timedelta(table["step"] * 900, unit="s")).astype("datetime64[us, UTC]")
    return table.assign(time=times).drop(columns="step")


def test_zone_traffic_follows_edie():
    """Z01: 100 m of link 0 (1000 m, 200 s) and half of link 1 (600 m, 40 s of 1200 m, 80 s): 250 m of street.

    speed 1600 / 240; flow 1600 / (250 x 900) x 3600; density 240 / (250 x 900) x 1000; free time 100 + 40 s.
    """
    rollup = ZoneRollup(LINK_ZONE, LINKS, ZONES)
    found = rollup.traffic(np.array([1000.0, 1200.0, 0.0]), np.array([200.0, 80.0, 0.0]), 900.0)
    assert found["vehicle_distance_m"][0] == pytest.approx(1600.0)
    assert found["speed_mps"][0] == pytest.approx(1600 / 240)
    assert found["flow_veh_per_h"][0] == pytest.approx(1600 / (250 * 900) * 3600)
    assert found["density_veh_per_km"][0] == pytest.approx(240 / (250 * 900) * 1000)
    assert found["delay_s_per_km"][0] == pytest.approx((240 - 140) / 1.6)
    assert found["travel_time_index"][0] == pytest.approx(240 / 140)


def test_flow_is_speed_times_density():
    rollup = ZoneRollup(LINK_ZONE, LINKS, ZONES)
    found = rollup.traffic(np.array([900.0, 800.0, 700.0]), np.array([100.0, 90.0, 50.0]), 900.0)
    product = found["speed_mps"] * 3.6 * found["density_veh_per_km"]
    assert found["flow_veh_per_h"] == pytest.approx(product)


def test_a_jammed_link_weighs_by_the_vehicles_in_it():
    """10 vehicles crawl 10 m in 900 s each, one drives 600 m in 30 s: 700 m in 9030 s, not the mean of 0.011 and 20."""
    links, where = (
        LINKS.iloc[[0, 2]].assign(link_id=[0, 1]),
        pd.DataFrame({"link_id": [0, 1], "zone_id": "Z01", "share": 1.0}),
    )
    found = ZoneRollup(where, links, ["Z01"]).traffic(np.array([100.0, 600.0]), np.array([9000.0, 30.0]), 900.0)
    assert found["speed_mps"][0] == pytest.approx(700 / 9030)


def test_where_nobody_drove_speed_is_unknown_and_flow_is_zero():
    found = ZoneRollup(LINK_ZONE, LINKS, ZONES).traffic(np.zeros(3), np.zeros(3), 900.0)
    for name in ("speed_mps", "delay_s_per_km", "travel_time_index"):
        assert np.isnan(found[name]).all()
    for name in ("flow_veh_per_h", "density_veh_per_km"):
        assert (found[name] == 0.0).all()


def test_a_zone_is_never_faster_than_its_streets():
    """1000 m booked in 0.1 s, as when a vehicle enters at the interval's very end: free flow is 10 m/s."""
    found = ZoneRollup(LINK_ZONE, LINKS, ZONES).traffic(np.array([1000.0, 0, 0]), np.array([0.1, 0, 0]), 900.0)
    assert found["speed_mps"][0] == pytest.approx(10.0)
    assert found["delay_s_per_km"][0] == 0.0
    assert found["travel_time_index"][0] == 1.0
    assert found["vehicle_time_s"][0] == pytest.approx(0.1)


def test_changed_speeds_change_what_free_flow_is():
    rollup, distance, time = ZoneRollup(LINK_ZONE, LINKS, ZONES), np.array([1000.0, 0, 0]), np.array([100.0, 0, 0])
    found = rollup.traffic(distance, time, 900.0, free_flow_speed_mps=np.array([20.0, 15.0, 20.0]))
    assert found["delay_s_per_km"][0] == pytest.approx(50.0)
    assert found["travel_time_index"][0] == pytest.approx(2.0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e6)), min_size=3, max_size=3))
def test_whatever_is_booked_fits_the_tables(pairs):
    state = _state([(k, k % 2, "car", d, t) for k, (d, t) in enumerate(pairs)])
    table = zone_traffic(state, LINK_ZONE, LINKS, step_s=900.0)
    found = table[["speed_mps", "delay_s_per_km", "travel_time_index"]]
    validate(table.assign(flow_veh_per_h=0.0, density_veh_per_km=0.0), ZONE_TRUTH)
    assert found.isna().all(axis=1).equals(found.isna().any(axis=1))


amount = st.floats(0.0, 1e6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(amount, amount), min_size=3, max_size=3))
def test_distance_and_time_are_conserved(pairs):
    distance, time = (np.array(column) for column in zip(*pairs))
    found = ZoneRollup(LINK_ZONE, LINKS, ZONES).traffic(distance, time, 900.0)
    assert found["vehicle_distance_m"].sum() == pytest.approx(distance.sum())
    assert found["vehicle_time_s"].sum() == pytest.approx(time.sum())


def test_many_intervals_at_once_equal_one_at_a_time():
    rng = np.random.default_rng(7)
    distance, time = rng.uniform(0, 1e4, (3, 5)), rng.uniform(1, 1e3, (3, 5))
    rollup = ZoneRollup(LINK_ZONE, LINKS, ZONES)
    together = rollup.traffic(distance, time, 900.0)
    for k in range(5):
        alone = rollup.traffic(distance[:, k], time[:, k], 900.0)
        for name, values in alone.items():
            assert together[name][:, k] == pytest.approx(values), name


def test_the_table_adds_vehicle_classes_and_fills_quiet_intervals():
    state = _state([(0, 0, "car", 600.0, 60.0), (0, 0, "bus", 400.0, 140.0), (2, 1, "car", 10.0, 1.0)])
    table = zone_traffic(state, LINK_ZONE, LINKS)
    assert table[["zone_id", "time"]].to_numpy().tolist() == [
        [zone, T0 + pd.Timedelta(900 * k, unit="s")] for zone in ZONES for k in (0, 1)
    ]
    first = table.iloc[0]
    assert first["speed_mps"] == pytest.approx(1000 / 200)
    assert first["flow_veh_per_h"] == pytest.approx(1000 / (250 * 900) * 3600)
    assert table.iloc[1]["flow_veh_per_h"] == 0.0
    assert np.isnan(table.iloc[1]["speed_mps"])


def test_one_interval_needs_its_length():
    state = _state([(0, 0, "car", 600.0, 60.0)])
    with pytest.raises(ZoneError, match="step_s"):
        zone_traffic(state, LINK_ZONE, LINKS)
    assert len(zone_traffic(state, LINK_ZONE, LINKS, step_s=900.0)) == 2


def test_unknown_links_and_zones_are_named():
    with pytest.raises(ZoneError, match="link 9"):
        ZoneRollup(LINK_ZONE.assign(link_id=[0, 1, 1, 9]), LINKS, ZONES)
    with pytest.raises(ZoneError, match="zone Z02"):
        ZoneRollup(LINK_ZONE, LINKS, ["Z01"])


SENSORS = pd.DataFrame(
    {
        "sensor_id": ["L1", "L2", "A1", "A2"], "kind": ["loop", "loop", "air", "air"],
        "zone_id": ["Z01", "Z01", "Z01", "Z02"], "link_id": [0, 1, -1, -1],
    }
)  # fmt: skip


def test_sensors_weigh_flow_by_lane_length_and_speed_by_vehicles():
    """Weights 100 x 1 and 300 x 2 lanes: (100 x 400 + 600 x 800) / 700; speed 280 km a h / (4000 + 24000) s a h."""
    rollup = SensorRollup(SENSORS, LINKS, ZONES)
    nan = np.nan
    found = rollup.values(
        {
            "flow_veh_per_h": np.array([400.0, 800.0, nan, nan]), "speed_mps": np.array([10.0, 10.0, nan, nan]),
            "no2_ug_per_m3": np.array([nan, nan, 30.0, 40.0]),
        }
    )  # fmt: skip
    assert found["flow_veh_per_h"][0] == pytest.approx((100 * 400 + 600 * 800) / 700)
    assert found["speed_mps"][0] == pytest.approx(10.0)
    assert np.isnan(found["flow_veh_per_h"][1])
    assert found["no2_ug_per_m3"].tolist() == [30.0, 40.0]


def test_speed_of_sensors_is_a_harmonic_mean():
    """Equal flow times length at 5 and 20 m/s: 2 / (1/5 + 1/20) = 8 m/s."""
    found = SensorRollup(SENSORS, LINKS, ZONES).values(
        {"flow_veh_per_h": np.array([300.0, 100.0, 0, 0]), "speed_mps": np.array([5.0, 20.0, np.nan, np.nan])}
    )
    assert found["speed_mps"][0] == pytest.approx(8.0)


def test_silent_sensors_are_left_out_and_not_counted_as_zero():
    found = SensorRollup(SENSORS, LINKS, ZONES).values({"flow_veh_per_h": np.array([np.nan, 800.0, np.nan, np.nan])})
    assert found["flow_veh_per_h"][0] == 800.0


def test_readings_flagged_as_faulty_are_left_out():
    state = pd.DataFrame(
        {
            "sensor_id": ["L1", "L2", "A2"], "time": pd.Series([T0] * 3).astype("datetime64[us, UTC]"),
            "flow_veh_per_h": [400.0, 9e3, np.nan], "speed_mps": [9.0, 1.0, np.nan],
            "no2_ug_per_m3": [np.nan, np.nan, 25.0], "fault": [None, "stuck", None],
        }
    )  # fmt: skip
    table = validate(sensor_rollup(state, SENSORS, LINKS), ZONE_STATE).set_index("zone_id")
    assert table.loc["Z01", "flow_veh_per_h"] == 400.0
    assert table.loc["Z01", "speed_mps"] == 9.0
    assert table.loc["Z02", "no2_ug_per_m3"] == 25.0
    assert np.isnan(table.loc["Z02", "flow_veh_per_h"])


def test_readings_of_unknown_sensors_and_sensors_in_unknown_places_are_refused():
    state = pd.DataFrame({"sensor_id": ["X"], "time": [T0], "flow_veh_per_h": [1.0]})
    with pytest.raises(ZoneError, match="sensor X"):
        sensor_rollup(state, SENSORS, LINKS)
    with pytest.raises(ZoneError, match="sensor L2 stands in zone Z01, link 77"):
        SensorRollup(SENSORS.assign(link_id=[0, 77, -1, -1]), LINKS, ZONES)


def test_rows_in_any_order_over_many_intervals_give_the_same_table():
    """100 intervals are rolled up in blocks; shuffled rows, and rows split in two, change nothing."""
    rng = np.random.default_rng(0)
    rows = [(link, step, "car", *rng.random(2) * 100) for step in range(100) for link in range(3)]
    table = _state(rows)
    halves = pd.concat([table.assign(**{c: table[c] / 2 for c in ("vehicle_distance_m", "vehicle_time_s")})] * 2)
    found = zone_traffic(table, LINK_ZONE, LINKS)
    for other in (table.sample(frac=1.0, random_state=1), halves):
        pd.testing.assert_frame_equal(zone_traffic(other, LINK_ZONE, LINKS), found)
    one = table[table["vehicle_class"] == "car"].iloc[150:153]  # interval 50
    alone = zone_traffic(one, LINK_ZONE, LINKS, step_s=900.0)
    there = found[found["time"] == one["time"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, there)


def test_a_row_of_an_unknown_link_is_refused():
    with pytest.raises(ZoneError, match="first link 77"):
        zone_traffic(_state([(0, 0, "car", 1, 1), (77, 1, "car", 1, 1)]), LINK_ZONE, LINKS)

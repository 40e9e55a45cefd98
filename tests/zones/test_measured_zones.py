"""Zones of real sensors: quality flags, Voronoi cells, roll-up without streets, map matching."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from zones import adjacency
from zones.errors import ZoneError
from zones.map_matching import match_sensors
from zones.measured import measured_zone_state, on_step
from zones.sensor_quality import flagged, quality_report
from zones.sensor_zones import sensor_zones, weighted_adjacency, zones_from_polygons


def table_of(values: dict[str, list[float]], name: str = "speed_mps", step: str = "15min") -> pd.DataFrame:
    parts = []
    for sensor, series in values.items():
        times = pd.date_range("2025-03-03", periods=len(series), freq=step, tz="UTC").as_unit("us")
        parts.append(pd.DataFrame({"sensor_id": sensor, "time": times, name: series}))
    return pd.concat(parts, ignore_index=True).astype({"sensor_id": "str"})


def places_of(lon: list[float], lat: list[float], kind: str = "loop") -> pd.DataFrame:
    ids = pd.Series([f"s{k}" for k in range(len(lon))], dtype="str")
    return pd.DataFrame({"sensor_id": ids, "kind": kind, "name": ids, "lon": lon, "lat": lat})


def test_a_sensor_that_repeats_itself_for_three_hours_is_stuck_from_then_on():
    """20 readings of 15 minutes alike: the first eleven pass, from the twelfth (three hours) they are stuck."""
    rng = np.random.default_rng(1)
    series = rng.uniform(10, 20, 200)
    series[100:120] = 15.5
    code = flagged(table_of({"a": series.tolist()}), step_s=900).code["speed_mps"]
    assert np.flatnonzero(code == 2).tolist() == list(range(111, 120))


def test_rounded_readings_that_repeat_by_chance_are_not_stuck_and_zeros_never_are():
    """Values of 1 to 3 ug/m3 repeat half of the time; an empty street counts nothing all night."""
    rng = np.random.default_rng(2)
    air = table_of({"a": rng.integers(1, 4, 2000).astype(float).tolist()}, "no2_ug_per_m3", "1h")
    assert (flagged(air, step_s=3600).code["no2_ug_per_m3"] == 2).sum() <= 3
    night = table_of({"a": [0.0] * 40 + rng.uniform(1, 9, 60).tolist()}, "flow_veh_per_h")
    assert not flagged(night, step_s=900).code["flow_veh_per_h"].any()


def test_a_lone_jump_is_a_spike_and_a_jam_is_none():
    """100 among readings near 10 that go on as before is a spike; a fall to 2 that stays is a jam."""
    rng = np.random.default_rng(3)
    series = 10 + rng.normal(0, 0.3, 200)
    series[50], series[120:140] = 50.0, 2.0 + rng.normal(0, 0.1, 20)
    series[180] = -4.0
    code = flagged(table_of({"a": series.tolist()}), step_s=900).code["speed_mps"]
    assert np.flatnonzero(code == 3).tolist() == [50]
    assert np.flatnonzero(code == 1).tolist() == [180]


def test_the_report_counts_gaps_of_the_common_span():
    """Sensor b reports 2 of 4 steps: half of its readings are gaps; c, known by its place alone, has none at all."""
    table = table_of({"a": [1.0, 2.0, 3.0, 4.0], "b": [5.0, np.nan, 6.0, np.nan]})
    places = pd.Series({"a": "ok", "b": "far", "c": "missing"})
    report = quality_report(table, flagged(table, step_s=900), places, step_s=900, duplicates={"b": 2})
    report = report.set_index("sensor_id")
    assert report["gaps_share"].tolist() == [0.0, 0.5, 1.0]
    assert report["duplicates_dropped"].tolist() == [0, 2, 0]
    assert report["coordinates"].tolist() == ["ok", "far", "missing"]


def test_each_sensor_lies_in_its_own_cell_and_cells_do_not_overlap():
    rng = np.random.default_rng(4)
    places = places_of(rng.uniform(24.9, 25.0, 30).tolist(), rng.uniform(60.1, 60.2, 30).tolist())
    zones, zone_of = sensor_zones(places)
    points = gpd.GeoSeries(gpd.points_from_xy(places["lon"], places["lat"]), crs=4326).to_crs(zones.crs)
    shape = zones.set_index("zone_id").geometry
    assert all(shape[zone_of[s]].covers(p) for s, p in zip(places["sensor_id"], points))
    assert zones.area.sum() == pytest.approx(shapely.union_all(zones.geometry.to_numpy()).area, rel=1e-9)
    assert len(adjacency(zones)) >= 2 * 29


def test_groups_are_as_many_as_asked_and_one_place_is_one_zone():
    places = places_of([24.90, 24.901, 24.95, 24.951, 24.951, np.nan], [60.1, 60.1, 60.2, 60.2, 60.2, np.nan])
    zones, zone_of = sensor_zones(places, count=2)
    assert len(zones) == 2
    assert zone_of["s0"] == zone_of["s1"] != zone_of["s2"] == zone_of["s4"]
    assert "s5" not in zone_of.index
    assert len(sensor_zones(places)[0]) == 4
    with pytest.raises(ZoneError, match="no sensor has a place"):
        sensor_zones(places.assign(lon=np.nan))


def test_a_sensor_outside_all_given_polygons_has_no_zone():
    shapes = gpd.GeoDataFrame({"name": ["west"]}, geometry=[shapely.box(24.9, 60.1, 24.95, 60.2)], crs=4326)
    zones, zone_of = zones_from_polygons(shapes, places_of([24.92, 24.99], [60.15, 60.15]))
    assert zones["name"].tolist() == ["west"]
    assert zone_of.to_dict() == {"s0": zones["zone_id"].iloc[0]}


def test_given_weights_are_means_over_the_sensors_of_two_zones():
    """Zone of s0, s1 and zone of s2: (0.8 + 0.4) / 2 = 0.6 one way, nothing the other."""
    zones, zone_of = sensor_zones(places_of([24.9, 24.901, 25.0], [60.1, 60.1, 60.1]), count=2)
    weights = np.array([[1, 0.5, 0.8], [0.5, 1, 0.4], [0, 0, 1.0]])
    near = weighted_adjacency(weights, ["s0", "s1", "s2"], zone_of, zones)
    assert near["weight"].tolist() == pytest.approx([0.6])
    assert near["zone_id"].iloc[0] == zone_of["s0"]
    with pytest.raises(ZoneError, match="3 x 3"):
        weighted_adjacency(weights[:2], ["s0", "s1", "s2"], zone_of, zones)


def test_speeds_join_by_their_harmonic_mean_and_half_the_readings_are_needed():
    """10 and 30 m/s: 2 / (1/10 + 1/30) = 15; of three readings of the second quarter hour one is there: a gap."""
    series = [10.0, 30.0, np.nan, 20.0, np.nan, np.nan]
    out = on_step(table_of({"a": series}, step="5min"), given_s=300, step_s=900)
    assert out["speed_mps"].iloc[0] == pytest.approx(15.0)
    assert np.isnan(out["speed_mps"].iloc[1])


def test_a_silent_counter_is_not_an_empty_street():
    """Counters usually at 300 and 100: their mean is 200; while the large one is silent, 100 still means 200."""
    table = table_of({"a": [300.0, 300.0, np.nan], "b": [100.0, 100.0, 100.0]}, "flow_veh_per_h")
    state = measured_zone_state(table, pd.Series({"a": "Z1", "b": "Z1"}), ["Z1", "Z2"])
    values = state.set_index(["zone_id", "time"])["flow_veh_per_h"]
    assert values["Z1"].tolist() == pytest.approx([200.0, 200.0, 200.0])
    assert values["Z2"].isna().all()


def test_the_direction_of_traffic_chooses_the_carriageway():
    """Two links 6 m apart, east and west; the sensor lies nearer to the eastbound one but counts westbound traffic."""
    lines = [shapely.LineString([(0, 0), (200, 0)]), shapely.LineString([(200, 6), (0, 6)])]
    moved = [shapely.transform(line, lambda xy: xy + np.array([385_000, 6_672_000])) for line in lines]
    links = gpd.GeoDataFrame({"link_id": [0, 1], "road_class": "primary"}, geometry=moved, crs="EPSG:32635")
    spot = gpd.GeoSeries([shapely.Point(385_100, 6_672_001)], crs="EPSG:32635").to_crs(4326).iloc[0]
    sensor = places_of([spot.x, spot.x, 30.0], [spot.y, spot.y, 60.0])
    matched = match_sensors(sensor.assign(bearing_deg=[270.0, np.nan, 270.0]), links)
    assert matched["link_id"].tolist() == [1, 0, -1]
    assert matched["status"].tolist() == ["matched", "ambiguous", "none"]
    assert matched["distance_m"].tolist()[:2] == pytest.approx([5.0, 1.0], abs=0.01)

"""Tags of roads: speeds, lanes, directions, access, and the defaults behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.readers.osm_tags import directions, free_flow_mps, lanes_of, road_classes, speed_limit_kmh, why_not_drivable


@pytest.mark.parametrize(
    ("text", "kmh"),
    [
        ("50", 50.0), ("50 km/h", 50.0), ("50kmh", 50.0), ("30 mph", 48.28032), ("30mph", 48.28032), ("FI:urban", 50.0),
        ("FI:rural", 80.0), ("AT:zone30", 30.0), ("DE:zone:30", 30.0), ("DE:30", 30.0), ("GB:nsl_single", 96.56),
        ("GB:zone20", 32.18688), ("XX:urban", 50.0), ("walk", 7.0), ("40;60", 40.0), ("60|none|40", 40.0),
        ("none", None), ("signals", None), ("variable", None), ("", None), (None, None), ("0", None), ("5000", None),
        ("FI:nonsense", None), ("fast", None), ("20 knots", 37.04),
    ],
)  # fmt: skip
def test_a_limit_is_read_in_every_way_people_write_it(text, kmh):
    found = speed_limit_kmh(text)
    assert found is None if kmh is None else found == pytest.approx(kmh, rel=1e-6)


@given(st.text(max_size=30))
def test_no_limit_however_odd_breaks_the_reader(text):
    found = speed_limit_kmh(text)
    assert found is None or 3.0 <= found <= 150.0


def test_urban_limits_are_driven_at_nine_tenths_and_faster_ones_in_full():
    """0.9 x 50 km/h = 12.5 m/s; 80 km/h = 22.2 m/s (MATSim's rule below 51 km/h)."""
    assert free_flow_mps({"highway": "primary", "maxspeed": "50"}, forward=True) == pytest.approx(12.5)
    assert free_flow_mps({"highway": "primary", "maxspeed": "80"}, forward=True) == pytest.approx(80 / 3.6)


def test_without_a_limit_the_road_class_decides():
    assert free_flow_mps({"highway": "residential"}, forward=True) == pytest.approx(40 / 3.6)
    assert free_flow_mps({"highway": "living_street", "maxspeed": "none"}, forward=True) == pytest.approx(10 / 3.6)


def test_a_limit_for_one_direction_counts_there_alone():
    tags = {"highway": "primary", "maxspeed": "80", "maxspeed:backward": "60"}
    assert free_flow_mps(tags, forward=True) == pytest.approx(80 / 3.6)
    assert free_flow_mps(tags, forward=False) == pytest.approx(60 / 3.6)


@pytest.mark.parametrize(
    ("tags", "both_ways", "ahead", "back"),
    [
        ({"lanes": "4"}, True, 2.0, 2.0),
        ({"lanes": "3"}, True, 1.5, 1.5),
        ({"lanes": "3", "lanes:backward": "1"}, True, 2.0, 1.0),
        ({"lanes:forward": "2", "lanes:backward": "1"}, True, 2.0, 1.0),
        ({"lanes": "1"}, True, 1.0, 1.0),
        ({"lanes": "2"}, False, 2.0, 2.0),
        ({"lanes": "2;3"}, False, 2.5, 2.5),
        ({"lanes": "many"}, False, None, None),
        ({}, True, None, None),
        ({"lanes": "99"}, False, 12.0, 12.0),
        ({"lanes": "3", "lanes:psv": "1"}, False, 2.0, 2.0),
        ({"lanes": "6", "lanes:bus": "2"}, True, 2.0, 2.0),
        ({"lanes": "4", "lanes:psv:forward": "1"}, True, 1.0, 2.0),
        ({"lanes": "1", "lanes:psv": "1"}, False, 1.0, 1.0),
    ],
)
def test_lanes_of_a_two_way_street_are_shared_between_its_directions(tags, both_ways, ahead, back):
    assert lanes_of(tags, forward=True, both_ways=both_ways) == ahead
    assert lanes_of(tags, forward=False, both_ways=both_ways) == back


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"highway": "residential"}, (True, True)),
        ({"highway": "residential", "oneway": "yes"}, (True, False)),
        ({"highway": "residential", "oneway": "-1"}, (False, True)),
        ({"highway": "residential", "oneway": "reversible"}, (True, True)),
        ({"highway": "residential", "junction": "roundabout"}, (True, False)),
        ({"highway": "residential", "junction": "roundabout", "oneway": "no"}, (True, True)),
        ({"highway": "motorway"}, (True, False)),
        ({"highway": "motorway_link"}, (True, False)),
        ({"highway": "motorway", "oneway": "no"}, (True, True)),
        ({"highway": "trunk"}, (True, True)),
    ],
)
def test_directions_follow_the_tag_then_roundabouts_and_motorways(tags, expected):
    assert directions(tags) == expected


@pytest.mark.parametrize(
    ("tags", "open_"),
    [
        ({"highway": "primary"}, True), ({"highway": "tertiary_link"}, True), ({"highway": "living_street"}, True),
        ({"highway": "footway"}, False), ({"highway": "cycleway"}, False), ({"highway": "construction"}, False),
        ({"highway": "service"}, False), ({"highway": "residential", "access": "private"}, False),
        ({"highway": "residential", "access": "no"}, False), ({"highway": "residential", "motor_vehicle": "no"}, False),
        ({"highway": "residential", "access": "no", "motor_vehicle": "yes"}, True),
        ({"highway": "residential", "motor_vehicle": "destination"}, True), ({}, False),
        ({"highway": "residential", "area": "yes"}, False),
        ({"highway": "residential", "vehicle": "no", "motorcar": "designated"}, True),
    ],
)  # fmt: skip
def test_cars_drive_where_streets_are_open_to_them(tags, open_):
    assert (why_not_drivable(tags) is None) == open_


def test_each_class_has_defaults_whose_backward_wave_is_slower_than_its_traffic():
    """Wave speed q / (k_j - q / v) stays below v if q < k_j v / 2."""
    for road in road_classes().values():
        assert road.capacity_veh_per_s < 0.5 * road.jam_density_veh_per_m * road.free_flow_mps, road.name


def test_defaults_name_a_source_for_every_fact():
    from importlib.resources import files

    import pandas as pd

    table = pd.read_csv(str(files("data").joinpath("defaults/road_classes.csv")))
    sources = table.filter(like="_source")
    assert sources.shape[1] == 4
    assert sources.notna().all(axis=None)

"""Tags of roads: speeds, lanes, directions, access, and the defaults behind them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.readers.osm_speed import free_flow_mps, speed_limit_kmh
from data.readers.osm_tags import directions, is_destination_only, lanes_of, road_classes, why_not_drivable


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


@pytest.mark.parametrize(
    ("tags", "ahead", "back"),
    [
        ({"lanes": "3", "lanes:both_ways": "1"}, 1.0, 1.0),
        ({"lanes": "5", "lanes:both_ways": "1", "lanes:forward": "2"}, 2.0, 2.0),
        ({"lanes": "3", "turn:lanes:forward": "left|through;right"}, 2.0, 1.0),
        ({"lanes": "3", "turn:lanes:backward": "left|through;right"}, 1.0, 2.0),
        ({"turn:lanes:forward": "left|through;right"}, 2.0, None),
        ({"lanes": "6", "lanes:psv:forward": "1"}, 2.0, 3.0),
        ({"lanes:forward": "3", "lanes:backward": "2", "bus:lanes:forward": "||designated"}, 2.0, 2.0),
        ({"lanes": "4", "busway": "lane"}, 1.0, 1.0),
        ({"lanes": "99999999999999999999"}, None, None),
        ({"lanes:forward": "0", "lanes": "2"}, 1.0, 2.0),
    ],
)
def test_lanes_in_the_middle_and_for_buses_are_taken_off_and_turn_lanes_share_the_rest(tags, ahead, back):
    """`lanes` counts all of them: 3 with one in the middle leave one each way; 3 with two to turn from, 2 and 1."""
    assert lanes_of(tags, forward=True, both_ways=True) == ahead
    assert lanes_of(tags, forward=False, both_ways=True) == back


@pytest.mark.parametrize(
    ("tags", "kmh"),
    [
        ({"source:maxspeed": "AT:rural"}, 100.0), ({"zone:maxspeed": "DE:30"}, 27.0),
        ({"maxspeed:type": "GB:nsl_single"}, 96.56), ({"zone:traffic": "de:urban"}, 45.0),
        ({"maxspeed": "70", "source:maxspeed": "AT:rural"}, 70.0), ({"maxspeed": "none"}, 130.0),
        ({"maxspeed:conditional": "30 @ (22:00-06:00)"}, 48.0), ({"source:maxspeed": "sign"}, 48.0),
        ({"maxspeed:hgv": "60"}, 48.0), ({"maxspeed": "RU:urban"}, 60.0),
    ],
)  # fmt: skip
def test_the_kind_of_limit_speaks_where_no_number_does(tags, kmh):
    """Of a trunk or primary road: 0.9 of the limit below 51 km/h; without a limit the class's default."""
    highway = "trunk" if tags.get("maxspeed") == "none" else "primary"
    assert free_flow_mps({"highway": highway, **tags}, forward=True) == pytest.approx(kmh / 3.6)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"oneway": "reverse"}, (False, True)), ({"oneway": "alternating"}, (True, True)),
        ({"oneway:motor_vehicle": "yes", "oneway": "no"}, (True, False)),
        ({"motor_vehicle:backward": "no"}, (True, False)), ({"vehicle:forward": "private"}, (False, True)),
        ({"access:forward": "no", "access:backward": "no"}, (True, True)), ({"oneway:bicycle": "yes"}, (True, True)),
    ],
)  # fmt: skip
def test_a_direction_may_be_closed_to_cars_alone(tags, expected):
    """Closed both ways by direction tags is a contradiction: the way's own access tag decides such things."""
    assert directions({"highway": "residential", **tags}) == expected


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({"highway": "construction", "construction": "primary"}, "under construction"),
        ({"highway": "proposed"}, "not built yet"), ({"highway": "road"}, "road of unknown class"),
        ({"highway": "residential", "access": "agricultural;forestry"}, "closed to motor traffic"),
        ({"highway": "residential", "motor_vehicle": "agricultural;destination"}, None),
        ({"highway": "residential", "access": "bus"}, "closed to motor traffic"),
        ({"highway": "primary", "construction": "primary"}, None),
    ],
)  # fmt: skip
def test_why_a_way_is_not_driven_on_is_told(tags, reason):
    assert why_not_drivable(tags) == reason


def test_streets_for_residents_are_known_as_such():
    assert is_destination_only({"highway": "residential", "access": "destination"})
    assert is_destination_only({"highway": "residential", "motor_vehicle": "delivery;residents"})
    assert not is_destination_only({"highway": "residential", "access": "destination", "motor_vehicle": "yes"})
    assert not is_destination_only({"highway": "residential"})

"""Zones around sensors, and administrative units."""

from __future__ import annotations

import logging

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cities import toy_city
from zones import link_zone, make_zones, nearest, partition
from zones.errors import ZoneError


@pytest.fixture(scope="module")
def town():
    return toy_city(7)


def _sensors(town, places, **columns):
    corner = shapely.get_coordinates(town.links.geometry.to_numpy()).min(axis=0)
    points = shapely.points(np.asarray(places, dtype=float) + corner)
    return gpd.GeoDataFrame(columns, geometry=points, crs=town.links.crs)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(-300, 1500), st.floats(-300, 1500)), min_size=1, max_size=25))
def test_every_street_lies_in_the_zone_of_its_nearest_sensor_and_zones_tile_the_city(town, places):
    sensors = _sensors(town, places)
    zones = make_zones(town.links, kind="voronoi", sensors=sensors)
    assert shapely.coverage_is_valid(zones.geometry.to_numpy())
    overlap = shapely.area(zones.geometry.to_numpy()).sum() - shapely.union_all(zones.geometry.to_numpy()).area
    assert overlap == pytest.approx(0.0, abs=1.0)
    shares = link_zone(town.links, zones)
    assert shares.groupby("link_id")["share"].sum().to_numpy() == pytest.approx(1.0, abs=1e-12)
    middle = shapely.centroid(town.links.geometry.to_numpy())
    gap = shapely.distance(middle[:, None], sensors.geometry.to_numpy()[None, :])
    members = zones.set_index("zone_id")["sensor_ids"].str.split(",")
    own = [list(map(int, members[zone])) for zone in nearest(middle, zones)]
    reached = np.array([gap[k, ids].min() for k, ids in enumerate(own)])
    assert (reached <= gap.min(axis=1) + 2.0).all()  # places are told apart by the metre


def test_two_sensors_halve_the_town(town):
    """At 300 m and 900 m of 1,200 m: the border runs through the middle, and names are the sensors'."""
    sensors = _sensors(town, [(300, 600), (900, 600)], sensor_id=["a", "b"], name=["Western", "Eastern"])
    zones = make_zones(town.links, kind="voronoi", sensors=sensors.to_crs(4326))
    assert zones["name"].tolist() == ["Western", "Eastern"]
    assert zones["sensor_ids"].tolist() == ["a", "b"]
    assert zones["area_m2"].to_numpy() == pytest.approx(zones["area_m2"].mean(), rel=0.01)


def test_sensors_at_one_place_share_a_zone_and_it_is_told(town, caplog):
    sensors = _sensors(town, [(300, 600), (300.2, 600.1), (900, 600)], sensor_id=["a", "b", "c"])
    with caplog.at_level(logging.WARNING):
        zones = make_zones(town.links, kind="voronoi", sensors=sensors)
    assert zones["sensor_ids"].tolist() == ["a,b", "c"]
    assert "share a zone: a,b" in caplog.text


def test_a_single_sensor_has_the_whole_city(town):
    zones = make_zones(town.links, kind="voronoi", sensors=_sensors(town, [(9e5, 9e5)]))
    assert zones["area_m2"].tolist() == pytest.approx([partition.city_area(town.links).area])


def test_a_sensor_to_which_no_street_is_nearest_is_told(town, caplog):
    sensors = _sensors(town, [(600, 600), (600, -4000)], sensor_id=["near", "far"])
    with caplog.at_level(logging.WARNING):
        zones = make_zones(town.links, kind="voronoi", sensors=sensors)
    assert zones["sensor_ids"].tolist() == ["near"]
    assert "no street is nearest: far" in caplog.text


def test_sensors_that_cannot_have_zones_are_refused_with_every_fault(town):
    lines = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (1, 1)]), shapely.Point(1, 1), None])
    with pytest.raises(ZoneError, match=r"rows \[0, 2\] are no points; they have no coordinate system"):
        make_zones(town.links, kind="voronoi", sensors=lines)
    with pytest.raises(ZoneError, match="there are no sensors"):
        make_zones(town.links, kind="voronoi", sensors=_sensors(town, np.zeros((0, 2))))


def _units(town, names, spans):
    west, south, _, north = partition.city_area(town.links).bounds
    boxes = [shapely.box(west + a, south, west + b, north) for a, b in spans]
    return gpd.GeoDataFrame({"name": names}, geometry=boxes, crs=town.links.crs)


def test_rows_of_one_name_are_one_administrative_unit(town):
    """West and East of Ford on either side of Mill: two units, Ford in two parts, with all of the city between them."""
    units = _units(town, ["Ford", "Mill", "Ford"], [(0, 400), (400, 900), (900, 2000)])
    zones = make_zones(town.links, kind="administrative", polygons=units)
    assert sorted(zones["name"]) == ["Ford", "Mill"]
    ford = zones.set_index("name").geometry["Ford"]
    assert shapely.get_num_geometries(ford) == 2
    assert zones["area_m2"].sum() == pytest.approx(partition.city_area(town.links).area, rel=1e-9)


def test_administrative_units_need_names(town):
    units = _units(town, ["Ford", None], [(0, 400), (400, 2000)])
    with pytest.raises(ZoneError, match=r"1 administrative unit.*row 1"):
        make_zones(town.links, kind="administrative", polygons=units)
    with pytest.raises(ZoneError, match=r"need a column 'name'; found \['label'\]"):
        make_zones(town.links, kind="administrative", polygons=units.rename(columns={"name": "label"}))


def test_a_request_that_contradicts_itself_is_refused_with_every_fault(town):
    with pytest.raises(ZoneError) as caught:
        make_zones(
            town.links, kind="voronoi", count=0, cell_m=3.0, compactness=2.0, polygons=_units(town, ["a"], [(0, 9)])
        )
    text = str(caught.value)
    for part in (
        "count=0",
        "cell_m=3",
        "cell_m is for squares",
        "compactness=2",
        "needs sensors",
        "polygons are given",
    ):
        assert part in text
    with pytest.raises(ZoneError, match="kind='functional' needs dynamics"):
        make_zones(town.links, kind="functional")
    with pytest.raises(ZoneError, match=r"kind='round'; allowed: hex, square, polygons, administrative, voronoi, func"):
        make_zones(town.links, kind="round")

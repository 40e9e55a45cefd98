"""Ids and names of zones."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from zones.naming import reading_order, street_names, zone_ids


def _streets(rows):
    return gpd.GeoDataFrame(
        {"name": [row[0] for row in rows], "road_class": [row[1] for row in rows]},
        geometry=[shapely.LineString(row[2]) for row in rows],
        crs="EPSG:3067",
    )


NORTH, SOUTH = shapely.box(0, 100, 100, 200), shapely.box(0, 0, 100, 100)


def test_ids_have_as_many_digits_as_they_need():
    assert zone_ids(3) == ["Z01", "Z02", "Z03"]
    assert zone_ids(120)[0] == "Z001"


def test_rows_are_read_from_the_north_even_where_they_are_uneven():
    shapes = np.array(
        [shapely.box(x, y + 8 * (x % 200 == 100), x + 100, y + 100) for y in (0, 100) for x in (0, 100, 200)]
    )
    assert reading_order(shapes).tolist() == [3, 4, 5, 0, 1, 2]


def test_a_main_street_names_a_zone_before_a_longer_lane():
    """40 m of primary street weigh 160, 90 m of residential street 90."""
    streets = _streets(
        [("High street", "primary", [(0, 150), (40, 150)]), ("Long lane", "residential", [(0, 110), (90, 110)])]
    )
    assert street_names(np.array([NORTH]), streets) == ["High street"]


def test_a_street_through_two_zones_names_the_second_by_its_side():
    streets = _streets([("High street", "primary", [(50, 20), (50, 200)])])
    assert street_names(np.array([NORTH, SOUTH]), streets) == ["High street", "High street (south)"]


def test_a_second_street_of_some_weight_is_preferred_to_a_compass_point():
    streets = _streets(
        [("High street", "primary", [(50, 20), (50, 200)]), ("Low street", "primary", [(0, 50), (60, 50)])]
    )
    assert street_names(np.array([NORTH, SOUTH]), streets) == ["High street", "Low street"]


def test_zones_without_a_named_street_are_named_by_where_they_lie():
    streets = _streets([(None, "primary", [(50, 20), (50, 200)]), ("", "primary", [(50, 20), (50, 200)])])
    assert street_names(np.array([NORTH, SOUTH]), streets) == ["Quarter in the north", "Quarter in the south"]


def test_a_lone_zone_without_a_named_street_is_the_centre():
    streets = _streets([(None, "primary", [(50, 120), (50, 200)])])
    assert street_names(np.array([NORTH]), streets) == ["Quarter in the centre"]


def test_names_stay_unique_however_often_a_street_returns():
    shapes = np.array([shapely.box(x, y, x + 100, y + 100) for y in range(0, 500, 100) for x in range(0, 500, 100)])
    lines = [[(x, y + 50), (x + 100, y + 50)] for y in range(0, 500, 100) for x in range(0, 500, 100)]
    names = street_names(shapes, _streets([("Ring", "primary", line) for line in lines]))
    assert len(set(names)) == 25

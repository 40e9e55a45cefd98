"""What places are used for, and what the base map draws."""

from __future__ import annotations

import math

import pytest
import shapely

from data.readers.coast import land_and_sea
from data.readers.osm import read_osm
from data.readers.places import building_category, floors_of, land_category, poi_category, read_places

STREET = {"highway": "residential"}


@pytest.mark.parametrize(
    ("tags", "category"),
    [
        ({"building": "apartments"}, "residential"), ({"building": "yes"}, "mixed"),
        ({"building": "yes", "shop": "books"}, "retail"), ({"building": "yes", "tourism": "hotel"}, "hotel"),
        ({"building": "commercial"}, "office"), ({"building": "roof"}, "minor"),
        ({"building": "yes", "amenity": "school"}, "school"), ({"building": "whatever"}, "mixed"),
    ],
)  # fmt: skip
def test_a_building_is_what_it_is_called_or_what_it_holds(tags, category):
    assert building_category(tags) == category


@pytest.mark.parametrize(
    ("tags", "category"),
    [
        ({"shop": "bakery"}, "retail"), ({"shop": "vacant"}, None), ({"amenity": "bench"}, None),
        ({"amenity": "cafe"}, "food"), ({"office": "company"}, "office"), ({"amenity": "parking"}, "parking"),
        ({"healthcare": "dentist"}, "health"), ({"tourism": "museum"}, "culture"), ({}, None),
    ],
)  # fmt: skip
def test_a_poi_is_somewhere_that_people_go(tags, category):
    assert poi_category(tags) == category


def test_leisure_speaks_before_land_use():
    assert land_category({"landuse": "residential", "leisure": "park"}) == "park"
    assert land_category({"natural": "water"}) == "water"
    assert land_category({"natural": "tree_row"}) is None


@pytest.mark.parametrize(
    ("tags", "floors"),
    [({"building:levels": "5"}, 5.0), ({"height": "16 m"}, 5.0), ({"building:levels": "0.5"}, 1.0),
     ({"building:levels": "many", "height": "6.4"}, 2.0)],
)  # fmt: skip
def test_floors_come_from_levels_or_height(tags, floors):
    assert floors_of(tags) == pytest.approx(floors)


@pytest.mark.parametrize("tags", [{}, {"building:levels": "?"}, {"building:levels": "-2"}, {"height": "9999"}])
def test_floors_that_nobody_told_stay_unknown(tags):
    assert math.isnan(floors_of(tags))


def test_places_have_areas_in_square_metres(write_osm):
    """A house of 20 m x 20 m on three floors, and a kiosk."""
    square = {10: (0, 10), 11: (20, 10), 12: (20, 30), 13: (0, 30)}
    path = write_osm(
        {1: (0, 0), 2: (100, 0), 3: (5, 50, {"shop": "kiosk"}), 4: (9, 9, {"amenity": "bench"}), **square},
        [([1, 2], STREET), ([10, 11, 12, 13, 10], {"building": "house", "building:levels": "3"})],
    )
    places = read_places(read_osm(path), "EPSG:32635")
    assert places[["kind", "category"]].to_numpy().tolist() == [["building", "residential"], ["poi", "retail"]]
    assert places["area_m2"].tolist() == pytest.approx([400.0, 0.0], rel=1e-2)
    assert places["floors"].iloc[0] == 3.0


def test_an_extract_without_places_gives_an_empty_table(write_osm):
    places = read_places(read_osm(write_osm({1: (0, 0), 2: (100, 0)}, [([1, 2], STREET)])), "EPSG:32635")
    assert len(places) == 0
    assert list(places.columns) == ["kind", "category", "area_m2", "floors", "geometry"]


FRAME = shapely.box(0, 0, 10, 10)


def test_land_lies_to_the_left_of_a_coastline():
    """A coast from south to north has the land in the west."""
    land, sea = land_and_sea([shapely.LineString([(4, -1), (4, 11)])], FRAME)
    assert land.equals(shapely.box(0, 0, 4, 10))
    assert sea.equals(shapely.box(4, 0, 10, 10))


def test_a_coastline_that_ends_inside_is_led_on_to_the_edge():
    land, sea = land_and_sea([shapely.LineString([(4, -1), (4, 8)])], FRAME)
    assert land.area == pytest.approx(40.0, rel=1e-3)
    assert sea.area == pytest.approx(60.0, rel=1e-3)


def test_an_island_is_land_and_the_water_around_it_sea():
    """A ring drawn anticlockwise has its land inside."""
    land, sea = land_and_sea([shapely.LineString([(4, 4), (6, 4), (6, 6), (4, 6), (4, 4)])], FRAME)
    assert land.area == pytest.approx(4.0)
    assert sea.area == pytest.approx(96.0)


def test_without_a_coastline_all_is_land():
    assert land_and_sea([], FRAME) == (FRAME, None)
    assert land_and_sea([shapely.LineString([(20, 0), (20, 9)])], FRAME) == (FRAME, None)

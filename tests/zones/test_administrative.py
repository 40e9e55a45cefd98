"""Administrative units: one level of several, one zone a name."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from data.cities import toy_city
from zones.administrative import one_level
from zones.errors import ZoneError


@pytest.fixture(scope="module")
def town():
    return toy_city(5)


def _boundaries(town, rows):
    """Strips of the town from `a` to `b` m east of its corner; kind, level, name."""
    west, south, _, north = town.links.total_bounds
    shapes = [shapely.box(west + a, south - 50, west + b, north + 50) for *_, a, b in rows]
    table = pd.DataFrame([row[:3] for row in rows], columns=["kind", "admin_level", "name"])
    table["admin_level"] = table["admin_level"].astype("Int64")
    return gpd.GeoDataFrame(table, geometry=shapes, crs=town.links.crs).to_crs(4326)


def test_the_finest_level_that_covers_the_town_is_taken(town):
    """Level 8 is the whole town, 9 its halves; 10 has three parts of the west alone, 350 of 800 m: too little."""
    rows = [
        ("administrative", 8, "Town", -50, 850), ("administrative", 9, "West", -50, 390),
        ("administrative", 9, "East", 390, 850), ("administrative", 10, "A", -50, 120),
        ("administrative", 10, "B", 120, 210), ("administrative", 10, "C", 210, 350),
        ("administrative", 9, "Elsewhere", 9000, 9900),
    ]  # fmt: skip
    assert set(one_level(_boundaries(town, rows), town.links)["name"]) == {"West", "East"}


def test_places_serve_where_they_are_finer(town):
    rows = [
        ("administrative", 8, "Town", -50, 850), ("place", pd.NA, "Old", -50, 300), ("place", pd.NA, "New", 300, 850),
    ]  # fmt: skip
    assert set(one_level(_boundaries(town, rows), town.links)["name"]) == {"Old", "New"}


def test_where_no_level_covers_the_town_it_is_said_what_each_covers(town):
    """Two of five columns of streets, and 210 of 800 m of each row: (2 / 5 + 210 / 800) / 2 = 33 %."""
    part = _boundaries(town, [("administrative", 10, "A", -50, 210)])
    with pytest.raises(ZoneError, match=r"administrative 10: 1 with 33% of the streets"):
        one_level(part, town.links)
    with pytest.raises(ZoneError, match="found: none"):
        one_level(part.iloc[:0], town.links)

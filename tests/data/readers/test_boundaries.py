"""Boundaries of districts and places: which become polygons, with which names and levels."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from data.errors import CityError, FileFormatError, InputError
from data.readers.boundaries import read_boundaries

SHARED = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[4] / "shared" / "data")) / "osm"
#: Two squares of 100 m side by side, 2-3 their common side; the west square is closed by ways 100 and 101.
NODES = {1: (0, 0), 2: (100, 0), 3: (100, 100), 4: (0, 100), 5: (200, 0), 6: (200, 100)}
WAYS = [([2, 1, 4, 3], {}), ([2, 3], {}), ([2, 5, 6, 3], {"note": "east"})]


def _district(name, ways, **tags):
    members = [("outer", "way", way) for way in ways]
    return ({"type": "boundary", "boundary": "administrative", "name": name, **tags}, members)


def test_relations_of_several_ways_become_named_polygons_with_their_level(write_osm):
    """100 m x 100 m is 10,000 m2, in either district."""
    relations = [_district("West", [100, 101], admin_level="9"), _district("East", [101, 102], admin_level="9")]
    found = read_boundaries(write_osm(NODES, WAYS, relations=relations))
    assert found["name"].tolist() == ["East", "West"]
    assert found["admin_level"].tolist() == [9, 9]
    assert found["kind"].unique().tolist() == ["administrative"]
    assert found.to_crs(3067).area.to_numpy() == pytest.approx([1e4, 1e4], rel=1e-2)


def test_a_boundary_that_does_not_close_in_the_file_is_left_out(write_osm):
    relations = [_district("West", [100], admin_level="8"), _district("East", [101, 102], admin_level="8")]
    assert read_boundaries(write_osm(NODES, WAYS, relations=relations))["name"].tolist() == ["East"]


def test_level_and_kind_choose(write_osm):
    relations = [
        _district("West", [100, 101], admin_level="9"), _district("East", [101, 102], admin_level="ten"),
        ({"type": "boundary", "boundary": "postal_code", "postal_code": "00100"}, [("outer", "way", 100),
                                                                                 ("outer", "way", 101)]),
    ]  # fmt: skip
    ways = [*WAYS, ([1, 2, 3, 4, 1], {"place": "suburb", "name": "Old town"}), ([2, 5, 6, 3, 2], {"place": "square"})]
    path = write_osm(NODES, ways, relations=relations)
    assert read_boundaries(path)["name"].tolist() == ["West", "East", "Old town", "00100"]
    assert read_boundaries(path, admin_level=9)["name"].tolist() == ["West"]
    assert read_boundaries(path, kind="postal_code")["name"].tolist() == ["00100"]
    assert read_boundaries(path)["admin_level"].isna().tolist() == [False, True, True, True]


def test_a_file_without_boundaries_gives_an_empty_table(write_osm):
    found = read_boundaries(write_osm(NODES, [([1, 2], {"highway": "residential"})]))
    assert len(found) == 0
    assert found.crs.to_epsg() == 4326


def test_missing_damaged_and_contradictory_requests_are_told(tmp_path, write_osm):
    with pytest.raises(CityError, match="no file"):
        read_boundaries(tmp_path / "nowhere.osm")
    bad = tmp_path / "bad.osm"
    bad.write_bytes(b"<osm><way")
    with pytest.raises(FileFormatError, match="damaged"):
        read_boundaries(bad)
    with pytest.raises(InputError, match="postal_code"):
        read_boundaries(bad, kind="parish")


@pytest.mark.skipif(not (SHARED / "andorra.osm.pbf").is_file(), reason=f"no extract of Andorra in {SHARED}")
def test_andorra_has_its_parishes():
    found = read_boundaries(SHARED / "andorra.osm.pbf", admin_level=7)
    assert {"Andorra la Vella", "Encamp", "Ordino"} <= set(found["name"])

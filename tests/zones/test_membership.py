"""Links and points in zones."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from zones import adjacency, link_zone, nearest
from zones.errors import ZoneError

CRS = "EPSG:3067"


def _zones(*shapes):
    centre = shapely.centroid(np.array(shapes))
    return gpd.GeoDataFrame(
        {
            "zone_id": [f"Z{k + 1:02d}" for k in range(len(shapes))],
            "x_m": shapely.get_x(centre),
            "y_m": shapely.get_y(centre),
        },
        geometry=list(shapes),
        crs=CRS,
    )


def _links(*lines):
    return gpd.GeoDataFrame({"link_id": range(len(lines))}, geometry=[shapely.LineString(x) for x in lines], crs=CRS)


WEST_EAST = _zones(shapely.box(0, 0, 100, 100), shapely.box(100, 0, 200, 100))


def _rows(links, zones=WEST_EAST):
    return [tuple(row) for row in link_zone(links, zones).to_numpy().tolist()]


def test_a_link_is_shared_by_its_length_in_each_zone():
    assert _rows(_links([(70, 50), (170, 50)])) == [(0, "Z01", pytest.approx(0.3)), (0, "Z02", pytest.approx(0.7))]


def test_a_link_along_the_border_belongs_half_to_each_side():
    assert _rows(_links([(100, 10), (100, 90)])) == [(0, "Z01", 0.5), (0, "Z02", 0.5)]


def test_what_sticks_out_of_the_zones_counts_where_the_rest_lies():
    assert _rows(_links([(150, 50), (400, 50)])) == [(0, "Z02", 1.0)]


def test_a_link_outside_belongs_to_the_nearest_zone():
    assert _rows(_links([(300, 50), (400, 50)], [(-90, 0), (-10, 0)])) == [(0, "Z02", 1.0), (1, "Z01", 1.0)]


def test_a_link_that_only_touches_a_zone_is_not_in_it():
    assert _rows(_links([(50, 50), (100, 50)])) == [(0, "Z01", 1.0)]


coordinate = st.floats(-150.0, 350.0)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(coordinate, coordinate, coordinate, coordinate), min_size=1, max_size=8))
def test_shares_of_every_link_sum_to_one(ends):
    links = _links(*[[(a, b), (c + 1.0, d)] for a, b, c, d in ends])
    table = link_zone(links, WEST_EAST)
    total = table.groupby("link_id")["share"].sum()
    assert total.index.tolist() == list(range(len(ends)))
    assert total.to_numpy() == pytest.approx(1.0, abs=1e-12)
    assert (table["share"] > 0).all()


def test_points_belong_to_the_zone_around_them_or_the_nearest_one():
    points = gpd.GeoSeries(
        [shapely.Point(10, 10), shapely.Point(190, 10), shapely.Point(900, 0), shapely.Point(100, 5)]
    )
    assert nearest(points, WEST_EAST).tolist() == ["Z01", "Z02", "Z02", "Z01"]
    assert nearest(points.to_numpy()[:0], WEST_EAST).tolist() == []


def test_other_coordinates_and_no_zones_are_refused():
    links = _links([(0, 0), (9, 9)])
    with pytest.raises(ZoneError, match="EPSG:32635"):
        link_zone(links, WEST_EAST.set_crs("EPSG:32635", allow_override=True))
    with pytest.raises(ZoneError, match="no zones"):
        link_zone(links, WEST_EAST.iloc[:0])
    with pytest.raises(ZoneError, match="no zones"):
        nearest(np.array([shapely.Point(0, 0)]), WEST_EAST.iloc[:0])


def test_neighbours_share_a_border_and_corners_do_not_count():
    """Four squares of 100 m: each has two neighbours at 100 m, and a corner with the third."""
    boxes = [shapely.box(x, y, x + 100, y + 100) for y in (0, 100) for x in (0, 100)]
    table = adjacency(_zones(*boxes))
    pairs = set(zip(table["zone_id"], table["neighbour_zone_id"]))
    assert pairs == {(f"Z0{a}", f"Z0{b}") for a, b in [(1, 2), (2, 1), (1, 3), (3, 1), (2, 4), (4, 2), (3, 4), (4, 3)]}
    assert table["border_m"].tolist() == [100.0] * 8
    assert table["distance_m"].tolist() == [100.0] * 8


def test_a_single_zone_has_no_neighbour():
    assert len(adjacency(_zones(shapely.box(0, 0, 1, 1)))) == 0

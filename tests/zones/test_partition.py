"""Cutting the city: cells that meet exactly, hold streets, and come in the number asked for."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data import toy as toy_town
from zones import partition
from zones.errors import ZoneError


def _grid_links(size=5):
    return toy_town.toy_links(size).set_crs(toy_town.CRS, allow_override=True)


def test_the_area_reaches_fifty_metres_beyond_the_streets():
    """A grid of 800 m x 800 m grows by 50 m on each side; its blocks of 200 m are filled."""
    area = partition.city_area(_grid_links())
    assert area.bounds == pytest.approx((-50, -50, 850, 850), abs=6)
    assert area.area == pytest.approx(900**2, rel=0.02)
    assert len(area.interiors) == 0


def test_without_links_or_projection_there_is_no_area():
    links = _grid_links()
    with pytest.raises(ZoneError, match="no links"):
        partition.city_area(links.iloc[:0])
    with pytest.raises(ZoneError, match="projected"):
        partition.city_area(gpd.GeoDataFrame(geometry=links.geometry.to_numpy(), crs=4326))


def test_hexagons_are_those_of_h3(helsinki):
    import h3

    area = partition.city_area(helsinki.links)
    cells = partition.hexagons(area, helsinki.links.crs, 9)
    assert shapely.coverage_is_valid(cells.polygons)
    assert shapely.area(cells.polygons).sum() == pytest.approx(area.area, rel=1e-9)
    whole = np.isclose(shapely.area(cells.polygons), cells.full_area_m2, rtol=1e-6)
    assert whole.sum() >= 4
    to_degrees = pyproj.Transformer.from_crs(helsinki.crs, 4326, always_xy=True)
    for polygon in cells.polygons[whole]:
        lon, lat = to_degrees.transform(polygon.centroid.x, polygon.centroid.y)
        edge = h3.cell_area(h3.latlng_to_cell(lat, lon, 9), unit="m^2")
        assert polygon.area == pytest.approx(edge, rel=1e-2)  # H3 is on a sphere


def test_the_resolution_follows_the_number_of_zones(helsinki):
    area = partition.city_area(helsinki.links)
    found = [partition.nearest_resolution(area, helsinki.links.crs, count) for count in (1, 18, 120, 900)]
    assert found == sorted(found)
    assert found[1] == 9


@settings(max_examples=25, deadline=None)
@given(st.floats(60.0, 900.0))
def test_squares_of_any_side_cover_the_area_without_gap_or_overlap(side):
    area = partition.city_area(_grid_links())
    cells = partition.squares(area, side)
    assert shapely.coverage_is_valid(cells.polygons)
    assert shapely.area(cells.polygons).sum() == pytest.approx(area.area, rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 30), st.floats(120.0, 400.0))
def test_joining_keeps_the_ground_and_reaches_the_count(count, side):
    links = _grid_links()
    area = partition.city_area(links)
    cells = partition.squares(area, side)
    shapes, _ = partition.joined(cells, links, count=count)
    assert 1 <= len(shapes) <= max(count, 1)
    assert shapely.area(shapes).sum() == pytest.approx(area.area, rel=1e-9)
    assert shapely.coverage_is_valid(shapes)
    assert (shapely.get_num_geometries(shapes) == 1).all()
    street = shapely.length(shapely.intersection(shapes[:, None], links.geometry.to_numpy()[None, :])).sum(axis=1)
    assert (street >= partition.MIN_STREET_M).all()


def test_overlapping_polygons_give_the_ground_to_the_first():
    links = _grid_links()
    area = partition.city_area(links)
    given_zones = gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 500, 800), shapely.box(300, 0, 800, 800)], crs=links.crs)
    shapes, cell = partition.joined(partition.from_polygons(area, given_zones), links, count=None, keep_cells=True)
    assert cell.tolist() == [0, 1]
    assert shapely.area(shapes) == pytest.approx([500 * 800, 300 * 800])


def test_polygons_that_cannot_be_zones_are_all_named():
    links = _grid_links()
    area = partition.city_area(links)
    bow_tie = shapely.Polygon([(0, 0), (100, 100), (100, 0), (0, 100)])
    bad = gpd.GeoDataFrame(geometry=[bow_tie, shapely.Point(1, 1), shapely.Polygon()], crs=links.crs)
    with pytest.raises(ZoneError, match=r"3 fault.*row 0 is invalid.*row 1 is a Point.*row 2 is empty"):
        partition.from_polygons(area, bad)
    with pytest.raises(ZoneError, match="no coordinate system"):
        partition.from_polygons(area, gpd.GeoDataFrame(geometry=[shapely.box(0, 0, 9, 9)]))
    away = gpd.GeoDataFrame(geometry=[shapely.box(9000, 0, 9900, 900)], crs=links.crs)
    with pytest.raises(ZoneError, match="none of the 1 zone polygons lies in the city"):
        partition.from_polygons(area, away)


def test_a_grid_too_fine_to_compute_is_refused():
    with pytest.raises(ZoneError, match="larger side"):
        partition.squares(shapely.box(0, 0, 1e5, 1e5), 20.0)

"""Segments of a road network."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely import LineString

from simulation.air.dispersion.line_sources import LineSources
from simulation.air.errors import AirError


def test_a_bend_makes_two_segments_and_a_wiggle_of_a_metre_none():
    """Link 0 turns at (100, 0); link 1 leaves its straight line by 1 m, under the 2 m of simplification."""
    links = gpd.GeoDataFrame(
        geometry=[LineString([(0, 0), (100, 0), (100, 80)]), LineString([(0, 9), (50, 10), (90, 9)])], crs=3857
    )
    found = LineSources.from_links(links, height_m=0.5, sigma_z0_m=[1.2, 3.2])
    assert found.link.tolist() == [0, 0, 1]
    assert found.length_m == pytest.approx([100.0, 80.0, 90.0])
    assert (found.x1_m[0], found.y1_m[0], found.x0_m[1], found.y0_m[1]) == (100.0, 0.0, 100.0, 0.0)
    assert found.sigma_z0_m.tolist() == [1.2, 1.2, 3.2]


def test_a_long_road_is_cut_and_keeps_its_length():
    """900 m at most 250 m each: four segments of 225 m."""
    links = gpd.GeoDataFrame(geometry=[LineString([(0, 0), (0, 900)])], crs=3857)
    assert LineSources.from_links(links, height_m=0.5, sigma_z0_m=1.2).length_m == pytest.approx([225.0] * 4)


def test_a_link_without_geometry_is_straight_between_its_nodes():
    nodes = pd.DataFrame({"node_id": [7, 3], "x_m": [0.0, 30.0], "y_m": [0.0, 40.0]})
    links = pd.DataFrame({"from_node_id": [7], "to_node_id": [3]})
    found = LineSources.from_links(links, height_m=0.5, sigma_z0_m=1.2, nodes=nodes)
    assert found.length_m == pytest.approx([50.0])
    with pytest.raises(AirError, match="1 links have no geometry, and no nodes"):
        LineSources.from_links(links, height_m=0.5, sigma_z0_m=1.2)
    with pytest.raises(AirError, match="end at nodes that have no place"):
        LineSources.from_links(links.assign(to_node_id=4), height_m=0.5, sigma_z0_m=1.2, nodes=nodes)


def test_impossible_segments_name_every_fault():
    two = np.zeros(2)
    with pytest.raises(
        AirError, match=r"y0_m is missing.*in 1 segments.*height_m is negative.*link has the shape \(3,\)"
    ):
        LineSources(two, np.array([0.0, np.nan]), two, two, np.array([-1.0, 0.0]), two, np.zeros(3, dtype=np.int32))

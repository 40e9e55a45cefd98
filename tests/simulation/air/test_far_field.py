"""Where plumes end: by hand on two square zones, with every gram accounted for."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from shapely.geometry import LineString, box

from simulation.air.errors import AirError
from simulation.air.far_field import FarField

REACH_M = 500.0


def far_field(*lines, zones=((0, 0, 1000, 1000), (1000, 0, 2000, 1000))):
    """Links of those shapes over rectangular zones Z1, Z2 .. (by default two of 1 km side by side)."""
    links = gpd.GeoDataFrame({"link_id": range(len(lines))}, geometry=[LineString(line) for line in lines])
    table = gpd.GeoDataFrame(
        {"zone_id": [f"Z{k + 1}" for k in range(len(zones))]}, geometry=[box(*corners) for corners in zones]
    )
    home = pd.DataFrame({"link_id": links["link_id"], "zone_id": "Z1", "share": 1.0})
    return FarField(links, home, table, REACH_M)


@pytest.mark.parametrize(
    ("wind_dir_deg", "joins", "lost"),
    [
        (270.0, [[0.0], [3.0]], 0.0),  # from the west: from x = 800 to 1300, in Z2
        (90.0, [[3.0], [0.0]], 0.0),  # from the east: to x = 300, in Z1
        (0.0, [[0.0], [0.0]], 3.0),  # from the north: from y = 400 to -100, out of the city
        (180.0, [[3.0], [0.0]], 0.0),  # from the south: to y = 900, still over Z1
    ],
)
def test_a_plume_ends_where_the_wind_has_carried_it(wind_dir_deg, joins, lost):
    """A street of 3 g from (800, 399) to (800, 401), followed for 500 m."""
    found, gone = far_field([(800, 399), (800, 401)]).arrivals(np.array([[3.0]]), wind_dir_deg)
    np.testing.assert_allclose(found, joins)
    assert gone == pytest.approx([lost])


def test_parts_of_a_long_street_end_over_different_zones():
    """From (300, 500) to (900, 500): a third each starts at x = 400, 600, 800; west wind ends at 900, 1100, 1300."""
    found, gone = far_field([(300, 500), (900, 500)]).arrivals(np.array([[3.0]]), 270.0)
    np.testing.assert_allclose(found, [[1.0], [2.0]])
    assert gone == pytest.approx([0.0])


def test_between_two_directions_the_arrival_is_linear():
    """From (800, 600): wind from 180 ends at y = 1100, lost; from 210 at (1050, 1033), lost; from 220 at (1121, 983),
    in Z2. Wind from 213 is 0.7 of 210 and 0.3 of 220.
    """
    found, gone = far_field([(800, 599.999), (800, 600.001)]).arrivals(np.array([[1.0]]), 213.0)
    np.testing.assert_allclose(found, [[0.0], [0.3]])
    assert gone == pytest.approx([0.7])


def test_the_arrival_has_no_jump_as_the_wind_turns():
    """Twice around in steps of 0.01 degrees: no step changes a share by more than 0.01 / 10."""
    field = far_field([(300, 100), (1600, 900)], [(100, 900), (1900, 880)])
    grams = np.array([[1.0], [2.0]])
    joins = np.stack([field.arrivals(grams, angle)[0] for angle in np.arange(0.0, 361.0, 0.01)])
    assert np.abs(np.diff(joins, axis=0)).max() <= 3.0 * 0.001 + 1e-12
    np.testing.assert_allclose(field.arrivals(grams, 360.0)[0], field.arrivals(grams, 0.0)[0])
    np.testing.assert_allclose(field.arrivals(grams, -10.0)[0], field.arrivals(grams, 350.0)[0])


@pytest.mark.parametrize("wind_dir_deg", np.linspace(0.0, 360.0, 13) + 3.0)
def test_every_gram_joins_a_zone_or_leaves_the_city(wind_dir_deg):
    rng = np.random.default_rng(5)
    starts = rng.uniform(0, 1000, (30, 2))
    field = far_field(*[[tuple(s), tuple(s + rng.uniform(1, 200, 2))] for s in starts])
    grams = rng.uniform(0, 5, (30, 4))
    joins, lost = field.arrivals(grams, wind_dir_deg)
    np.testing.assert_allclose(joins.sum(axis=0) + lost, grams.sum(axis=0), rtol=1e-12)
    assert (joins >= 0).all() and (lost >= 0).all()


def test_a_plume_that_ends_on_a_border_joins_one_of_its_zones():
    """From (500, 500) west wind ends at (1000, 500), on the border of both: 1 g in all, none of it lost or doubled."""
    joins, lost = far_field([(500, 499), (500, 501)]).arrivals(np.array([[1.0]]), 270.0)
    assert joins.sum() == pytest.approx(1.0) and lost == pytest.approx([0.0])


def test_a_city_smaller_than_the_near_field_keeps_nothing():
    """400 m wide: after 500 m every plume has left it, whatever the wind."""
    field = far_field([(200, 199), (200, 201)], [(200, 200), (201, 200)], zones=[(0, 0, 400, 400)])
    for angle in range(0, 360, 15):
        joins, lost = field.arrivals(np.ones((2, 1)), angle)
        assert joins.sum() == 0.0 and lost == pytest.approx([2.0])


def test_a_zone_that_nobody_knows_is_refused():
    field = gpd.GeoDataFrame({"zone_id": ["Z1"]}, geometry=[box(0, 0, 1, 1)])
    links = gpd.GeoDataFrame({"link_id": [0]}, geometry=[LineString([(0, 0), (1, 1)])])
    home = pd.DataFrame({"link_id": [0], "zone_id": ["Z9"], "share": [1.0]})
    with pytest.raises(AirError, match="Z9"):
        FarField(links, home, field, REACH_M)
    with pytest.raises(AirError, match="no geometry"):
        FarField(pd.DataFrame(links.drop(columns="geometry")), home, field, REACH_M)

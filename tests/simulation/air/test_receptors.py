"""Receptors: facades along the streets, stations in canyons, and what is nowhere."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import LineString

from data.toy import toy_links
from simulation.air.errors import AirError
from simulation.air.receptors import LEFT, OPEN, RIGHT, canyon_at, facades, nearest_facade, stations


def street(*, length=240.0, lanes=1.0, count=1):
    """One street to the east, both directions, along y = 0."""
    lines = [LineString([(0, 0), (length, 0)]), LineString([(length, 0), (0, 0)])][: max(count, 1)]
    n = len(lines)
    return gpd.GeoDataFrame(
        {
            "link_id": np.arange(n), "from_node_id": [0, 1][:n], "to_node_id": [1, 0][:n], "length_m": length,
            "lanes": lanes,
        },
        geometry=lines, crs="EPSG:3067",
    )  # fmt: skip


def walls_of(links, *, left=8.0, right=12.0, canyon=True):
    n = len(links)
    return pd.DataFrame(
        {
            "link_id": np.arange(n), "street": 0, "canyon": canyon, "height_m": 18.0, "width_m": left + right,
            "left_m": left, "right_m": right, "angle_deg": 90.0, "end_m": 60.0, "street_m": 240.0,
            "left_share": 1.0, "right_share": 1.0, "wall_share": 1.0, "source": "floors mapped",
        }
    )  # fmt: skip


def in_one_zone(links):
    return pd.DataFrame({"link_id": links["link_id"], "zone_id": "Z01", "share": 1.0})


def test_facades_stand_evenly_along_the_street_and_on_both_sides():
    """Four points on 240 m: at 30, 90, 150 and 210 m; half of one lane, 3.5 m, and 5 m from the axis.

    Left of a street to the east is north. The axis of a street of one lane a direction lies between its lanes.
    """
    table = facades(street(count=2), ["Z01"], in_one_zone(street(count=2)), per_zone=4)
    np.testing.assert_allclose(table["x_m"], [30, 90, 150, 210])
    np.testing.assert_allclose(table["y_m"], [8.5, -8.5, 8.5, -8.5])
    assert (table["link_id"] == -1).all() and (table["side"] == OPEN).all()
    assert list(table["receptor_id"]) == ["Z01-F01", "Z01-F02", "Z01-F03", "Z01-F04"]


def test_in_a_canyon_facades_stand_at_the_walls_and_know_their_side():
    links = street(count=2)
    table = facades(links, ["Z01"], in_one_zone(links), walls_of(links), per_zone=2)
    np.testing.assert_allclose(table["y_m"], [8.0, -12.0])
    assert list(table["link_id"]) == [0, 0] and list(table["side"]) == [LEFT, RIGHT]


def test_every_metre_of_street_draws_as_many_facades():
    """The toy town's 40 streets of 200 m in one zone, 160 points: four each, at 25, 75, 125 and 175 m."""
    links = toy_links()
    table = facades(links, ["Z01"], in_one_zone(links), per_zone=160)
    ways = links[links["from_node_id"] < links["to_node_id"]].geometry.to_numpy()
    at = gpd.GeoSeries(gpd.points_from_xy(table["x_m"], table["y_m"])).to_numpy()
    nearest = shapely.STRtree(ways).query_nearest(at)[1]
    assert (np.bincount(nearest, minlength=40) == 4).all()


def test_walls_draw_the_facades_of_a_zone_to_themselves():
    """Half of the streets have walls along all their length, the others none: nobody stands at the others."""
    links = pd.concat([street(), street().assign(link_id=1, from_node_id=5, to_node_id=6)], ignore_index=True)
    links.loc[1, "geometry"] = LineString([(0, 500), (240, 500)])
    walls = walls_of(links.iloc[:1]).loc[[0, 0]].reset_index(drop=True)
    part = {"left_share": [1.0, 0.0], "right_share": [1.0, 0.0], "canyon": [True, False]}
    walls = walls.assign(link_id=[0, 1], street=[0, 1], **part)
    table = facades(links, ["Z01"], in_one_zone(links), walls, per_zone=6)
    assert (table["y_m"].abs() < 20).all()


def test_a_zone_without_streets_has_no_facade():
    table = facades(street(), ["Z01", "Z02"], in_one_zone(street()))
    assert set(table["zone_id"]) == {"Z01"}


def test_a_point_between_the_walls_is_in_the_canyon_and_one_behind_them_is_not():
    """Walls 8 m to the north, 12 m to the south of the axis; 2 m of tolerance."""
    links = street(count=2)
    x, y = np.full(5, 100.0), np.array([7.0, -13.0, 11.0, -15.0, 0.0])
    link, side = canyon_at(x, y, links, walls_of(links))
    assert list(link) == [0, 0, -1, -1, 0]
    assert list(side) == [LEFT, RIGHT, OPEN, OPEN, LEFT]


def test_without_walls_everything_is_open():
    link, side = canyon_at(np.zeros(2), np.zeros(2), street(), None)
    assert list(link) == [-1, -1] and list(side) == [OPEN, OPEN]


def test_a_station_stands_where_its_degrees_say():
    links = street().set_geometry([LineString([(385_000, 6_672_000), (385_240, 6_672_000)])]).set_crs("EPSG:3067")
    place = gpd.GeoSeries(gpd.points_from_xy([385_100], [6_672_007]), crs="EPSG:3067").to_crs("EPSG:4326")[0]
    sensors = pd.DataFrame(
        {"sensor_id": ["Z01-L1", "Z01-A1"], "kind": ["loop", "air"], "zone_id": "Z01", "link_id": [0, -1],
         "lon": place.x, "lat": place.y}
    )  # fmt: skip
    table = stations(sensors, links, walls_of(links))
    assert list(table["receptor_id"]) == ["Z01-A1"]
    np.testing.assert_allclose(table[["x_m", "y_m"]].to_numpy()[0], [385_100, 6_672_007], atol=0.01)
    assert (table["link_id"].item(), table["side"].item()) == (0, LEFT)


def test_the_nearest_facade_of_each_zone_is_found():
    table = facades(street(), ["Z01"], in_one_zone(street()), per_zone=4)
    near = nearest_facade(table, pd.DataFrame({"zone_id": ["Z01"], "x_m": [160.0], "y_m": [-3.0]}))
    np.testing.assert_allclose(near["x_m"], [150.0])


def test_links_without_shapes_and_no_receptors_at_all_are_refused():
    with pytest.raises(AirError, match="geometry"):
        facades(pd.DataFrame(street()).drop(columns="geometry"), ["Z01"], in_one_zone(street()))
    with pytest.raises(AirError, match="at least 1"):
        facades(street(), ["Z01"], in_one_zone(street()), per_zone=0)


def test_no_front_stands_on_the_other_carriageway():
    """Two one-way lines of two lanes, 12 m apart. Fronts are 2 x 3.5 + 5 = 12 m from a line: exactly on the other one.

    A one-way line's lanes end 2 x 3.5 / 2 = 3.5 m beside it and a front keeps 1.5 m more; so all fronts stand outside.
    """
    lines = [LineString([(0, 0), (240, 0)]), LineString([(240, 12), (0, 12)])]
    links = gpd.GeoDataFrame(
        {"link_id": [0, 1], "from_node_id": [0, 2], "to_node_id": [1, 3], "length_m": 240.0, "lanes": 2.0},
        geometry=lines, crs="EPSG:3067",
    )  # fmt: skip
    table = facades(links, ["Z01"], in_one_zone(links), per_zone=8)
    np.testing.assert_allclose(table["y_m"], [-12.0] * 4 + [24.0] * 4)
    np.testing.assert_allclose(table["x_m"], [30, 90, 150, 210, 210, 150, 90, 30])


def test_a_front_beside_a_crossing_moves_along_its_street():
    """The only front, 120 m along, is on the lanes of a wide crossing street. These end 6 x 3.5 / 2 = 10.5 m from its
    line at 125 m and 1.5 m stay free: the front moves to 110 m.
    """
    lines = [LineString([(0, 0), (240, 0)]), LineString([(125, -60), (125, 60)])]
    links = gpd.GeoDataFrame(
        {"link_id": [0, 1], "from_node_id": [0, 2], "to_node_id": [1, 3], "length_m": [240.0, 120.0],
         "lanes": [1.0, 6.0]},
        geometry=lines, crs="EPSG:3067",
    )  # fmt: skip
    home = pd.DataFrame({"link_id": [0], "zone_id": ["Z01"], "share": [1.0]})
    table = facades(links, ["Z01"], home, per_zone=1)
    np.testing.assert_allclose(table[["x_m", "y_m"]].to_numpy(), [[110.0, 8.5]])


def test_every_zone_has_a_centre_and_a_run_tells_its_mean(town, day):
    """The mean over the run at a zone's facades is the mean of its intervals."""
    kinds = pd.crosstab(town.receptors["zone_id"], town.receptors["kind"])
    assert (kinds["centre"] == 1).all() and (kinds["facade"] == 24).all()
    means = day.receptor_means
    assert list(means["receptor_id"]) == list(town.receptors["receptor_id"])
    fronts = means[means["kind"] == "facade"].groupby("zone_id")["no2_ug_per_m3"].mean()
    truth = day.zone_truth.groupby("zone_id")["no2_ug_per_m3"].mean()
    pd.testing.assert_series_equal(fronts, truth, check_names=False, rtol=1e-9)

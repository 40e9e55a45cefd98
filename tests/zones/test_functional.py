"""Functional zones: groups of streets with similar traffic that tile the city."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.cities import toy_city
from zones import dynamics_of_state, link_dynamics, link_zone, make_zones, partition
from zones.dynamics import LinkDynamics, daily_profile, factors, filled
from zones.errors import ZoneError
from zones.functional import functional_polygons, straightened
from zones.quality import street_metres, variance_within
from zones.street_cells import group_polygons, street_cells


@pytest.fixture(scope="module")
def town():
    return toy_city(9)


def _middles(links):
    return shapely.get_coordinates(shapely.centroid(links.geometry.to_numpy()))


def _profile(links, ratio):
    """A table of one value a link, the same in each of two intervals of the day."""
    n = len(links)
    return pd.DataFrame(
        {"link_id": np.tile(links["link_id"], 2), "step_of_day": np.repeat([0, 1], n), "speed_ratio": np.tile(ratio, 2)}
    )


def test_a_jam_in_one_half_of_the_town_is_told_apart(town):
    """West of a slanting line streets stand at 0.3 of free flow, east at 0.9: two zones find that line."""
    x, y = (_middles(town.links) - _middles(town.links).mean(axis=0)).T
    jam = x + 0.5 * y < -100.0
    ratio = np.where(jam, 0.3, 0.9)
    zones = make_zones(town.links, kind="functional", count=2, dynamics=_profile(town.links, ratio), compactness=0.5)
    left = variance_within(street_metres(zones, town.links), ratio[None, :])
    halves = variance_within(street_metres(make_zones(town.links, kind="square", count=2), town.links), ratio[None, :])
    assert len(zones) == 2
    assert left < 0.15
    assert left < 0.5 * halves


def test_both_directions_of_a_street_are_one_cell(town):
    """9 x 9 crossings: 2 x 9 x 8 streets of two links each, 400 m counted in both directions."""
    cells = street_cells(town.links, partition.city_area(town.links))
    assert len(cells.length_m) == 144
    assert cells.length_m == pytest.approx(400.0)
    back = town.links.merge(town.links, left_on=["from_node_id", "to_node_id"], right_on=["to_node_id", "from_node_id"])
    assert (cells.street[back["link_id_x"]] == cells.street[back["link_id_y"]]).all()


def test_the_cell_of_a_street_in_a_block_of_streets_is_the_ground_up_to_the_block_s_diagonals(town):
    """A street of 200 m among blocks of 200 m: two triangles of 200 m x 100 m / 2 = 20,000 m2 in all."""
    area = partition.city_area(town.links)
    cells = street_cells(town.links, area, spacing_m=5.0)
    ground = group_polygons(cells, np.arange(len(cells.length_m)))
    inner = np.hypot(cells.x_m - cells.x_m.mean(), cells.y_m - cells.y_m.mean()) < 400.0
    assert inner.sum() > 10
    assert shapely.area(ground[inner]) == pytest.approx(20_000.0, rel=0.02)


def test_streets_that_meet_at_a_crossing_touch_and_those_across_a_block_touch_without_meeting(town):
    """Sides of a block: the four at its corners meet; opposite ones come together in its middle at most in a point."""
    cells = street_cells(town.links, partition.city_area(town.links))
    gap = np.hypot(cells.x_m[cells.first] - cells.x_m[cells.second], cells.y_m[cells.first] - cells.y_m[cells.second])
    assert cells.meets[np.isclose(gap, np.hypot(100, 100), atol=1.0) & (cells.border_m > 20)].all()
    assert cells.border_m[~cells.meets].max(initial=0.0) < 40.0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 40))
def test_any_grouping_of_streets_tiles_the_city(town, seed, n):
    area = partition.city_area(town.links)
    cells = street_cells(town.links, area)
    group = np.random.default_rng(seed).integers(0, n, len(cells.length_m))
    group = np.unique(group, return_inverse=True)[1]
    shapes = group_polygons(cells, group)
    assert shapely.coverage_is_valid(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(area.area, rel=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 30), st.floats(0.0, 1.0), st.floats(0.0, 0.9))
def test_functional_zones_tile_the_city_share_out_links_and_repeat(town, seed, count, compactness, gaps):
    """Whatever the traffic and however much of it is unknown; the same request gives the same zones, bit for bit."""
    rng = np.random.default_rng(seed)
    ratio = np.where(rng.random(len(town.links)) < gaps, np.nan, rng.random(len(town.links)))
    ratio[0] = 0.5  # something is known
    table = _profile(town.links, ratio).dropna()
    zones, again = (
        make_zones(town.links, kind="functional", count=count, dynamics=table, compactness=compactness, seed=seed)
        for _ in range(2)
    )
    area = partition.city_area(town.links)
    shapes = zones.geometry.to_numpy()
    assert len(zones) == count
    assert shapely.coverage_is_valid(shapes)
    assert (shapely.get_num_geometries(shapes) == 1).all()
    assert shapely.area(shapes).sum() == pytest.approx(area.area, rel=1e-6)
    shares = link_zone(town.links, zones)
    assert shares.groupby("link_id")["share"].sum().to_numpy() == pytest.approx(1.0, abs=1e-12)
    assert set(shares["zone_id"]) == set(zones["zone_id"])
    pd.testing.assert_frame_equal(pd.DataFrame(zones), pd.DataFrame(again), check_exact=True)


def test_functional_zones_are_as_compact_as_asked_for_and_more_alike_within_than_hexagons(town):
    """A jam around each of three places: at 0.85 of the hexagons' compactness, less variance is left than in them."""
    middles = _middles(town.links)
    jam = sum(
        np.exp(-((middles - spot) ** 2).sum(axis=1) / 300.0**2)
        for spot in middles.mean(axis=0) + np.array([[-500.0, 300.0], [400.0, 500.0], [100.0, -550.0]])
    )
    ratio = 1.0 - 0.8 * jam / jam.max()
    hexagons = make_zones(town.links, kind="hex", count=12)
    zones = make_zones(town.links, kind="functional", count=len(hexagons), dynamics=_profile(town.links, ratio))
    left, in_hexagons = (variance_within(street_metres(z, town.links), ratio[None, :]) for z in (zones, hexagons))
    assert left < 0.8 * in_hexagons
    assert partition.compactness(zones.geometry.to_numpy()) >= 0.85 * partition.compactness(
        hexagons.geometry.to_numpy()
    )


def test_traffic_that_is_the_same_everywhere_gives_compact_zones_of_similar_size(town):
    zones = make_zones(town.links, kind="functional", count=9, dynamics=_profile(town.links, np.ones(len(town.links))))
    size = street_metres(zones, town.links).sum(axis=1)
    assert size.max() < 1.6 * size.min()


def test_a_group_in_two_pieces_gives_the_smaller_to_its_neighbour(town):
    area = partition.city_area(town.links)
    cells = street_cells(town.links, area)
    x = cells.x_m - cells.x_m.mean()
    group = np.where(np.abs(x) < 250.0, 1, 0)
    group[x > 250.0] = 0  # 0 is east and west of 1: two pieces
    group[np.argmin(x)] = 0
    shapes = group_polygons(cells, group)
    assert (shapely.get_num_geometries(shapes) == 1).all()
    assert shapely.area(shapes).sum() == pytest.approx(area.area, rel=1e-6)


def test_straightening_keeps_the_outline_and_the_common_borders(town):
    area = partition.city_area(town.links)
    cells = street_cells(town.links, area)
    group = (cells.x_m > cells.x_m.mean()).astype(int) + 2 * (cells.y_m > cells.y_m.mean())
    rough = group_polygons(cells, group)
    plain = straightened(rough, area, town.links.geometry.to_numpy())
    assert shapely.coverage_is_valid(plain)
    assert shapely.length(plain).sum() < shapely.length(rough).sum()
    assert shapely.union_all(plain).area == pytest.approx(area.area, rel=1e-9)


def test_straightening_leaves_no_zone_without_streets(town):
    """One street alone among 143 others: cut at the usual tolerance it would vanish; its middle stays inside."""
    area = partition.city_area(town.links)
    cells = street_cells(town.links, area)
    group = np.zeros(len(cells.length_m), dtype=int)
    alone = int(np.argmin(np.hypot(cells.x_m - cells.x_m.mean(), cells.y_m - cells.y_m.mean())))
    group[alone] = 1
    plain = straightened(group_polygons(cells, group), area, town.links.geometry.to_numpy())
    assert plain[1].contains(shapely.Point(cells.x_m[alone], cells.y_m[alone]))


def test_links_without_data_take_after_those_of_their_class_that_they_meet():
    """A-B-C along one primary street, D a residential side street: C lacks data, and takes B's 0.4, not D's 0.9."""
    links = pd.DataFrame(
        {"from_node_id": [0, 1, 2, 2], "to_node_id": [1, 2, 3, 9], "road_class": ["primary"] * 3 + ["residential"]}
    )
    known = np.array([[0.8, 0.4, np.nan, 0.9]])
    assert filled(known, links)[0].tolist() == pytest.approx([0.8, 0.4, 0.4, 0.9])


def test_a_link_that_meets_none_of_its_class_takes_the_mean_of_the_class_and_then_of_all():
    links = pd.DataFrame(
        {"from_node_id": [0, 5, 7, 20], "to_node_id": [1, 6, 8, 21],
         "road_class": ["primary", "primary", "primary", "service"]}
    )  # fmt: skip
    known = np.array([[0.8, 0.4, np.nan, np.nan]])
    assert filled(known, links)[0].tolist() == pytest.approx([0.8, 0.4, 0.6, 0.6])


def test_a_missing_interval_takes_the_class_s_course_at_the_link_s_own_level():
    """The class falls by 0.4 from the first to the second interval; link 1 lies 0.1 above it in the first."""
    links = pd.DataFrame({"from_node_id": [0, 1], "to_node_id": [1, 2], "road_class": ["primary"] * 2})
    known = np.array([[0.8, 1.0], [0.5, np.nan]])  # class: 0.9, 0.5
    assert filled(known, links)[1].tolist() == pytest.approx([0.5, 0.6])


def test_density_follows_from_flow_and_speed_by_lane():
    """900 veh/h at half of 20 m/s = 36 km/h are 25 veh/km, 12.5 on each of two lanes."""
    links = pd.DataFrame({"link_id": [7], "lanes": [2.0], "free_flow_speed_mps": [20.0]})
    table = pd.DataFrame({"link_id": [7], "step_of_day": [3], "speed_ratio": [0.5], "flow_veh_per_h": [900.0]})
    assert link_dynamics(table, links).values["density_veh_per_lane_km"] == pytest.approx(np.array([[12.5]]))


def test_dynamics_of_a_state_are_edie_s(town):
    """1,800 m in 300 s on 100 m over 900 s: 6 m/s of 12, 72 veh/h, 3.33 veh/km."""
    links = pd.DataFrame({"length_m": [100.0], "lanes": [1.0], "free_flow_speed_mps": [12.0]})
    found = dynamics_of_state(np.array([[1800.0]]), np.array([[300.0]]), links, step_s=900.0)
    assert found.values["speed_ratio"][0, 0] == pytest.approx(0.5)
    assert found.flow_veh_per_h[0, 0] == pytest.approx(72.0)
    assert found.values["density_veh_per_lane_km"][0, 0] == pytest.approx(1000 * 300 / 90_000)


def test_days_are_averaged_by_the_time_of_day():
    times = pd.to_datetime(["2026-03-02T06:00Z", "2026-03-02T07:00Z", "2026-03-03T06:00Z"])
    links = pd.DataFrame({"link_id": [0], "lanes": [1.0], "free_flow_speed_mps": [10.0]})
    table = pd.DataFrame({"link_id": 0, "time": times, "speed_ratio": [0.4, 0.9, 0.6]})
    assert daily_profile(link_dynamics(table, links))["speed_ratio"][:, 0].tolist() == pytest.approx([0.5, 0.9])


def test_all_faults_of_a_table_of_dynamics_are_named_at_once():
    links = pd.DataFrame({"link_id": [0], "lanes": [1.0], "free_flow_speed_mps": [10.0]})
    with pytest.raises(ZoneError, match=r"4 fault.*'link_id'.*tells when.*no column of speed_ratio.*no row"):
        link_dynamics(pd.DataFrame({"x": []}), links)
    bad = pd.DataFrame({"link_id": [0, 0, 9], "step_of_day": [1, 1, 1], "speed_ratio": [0.5, -1.0, np.inf]})
    with pytest.raises(ZoneError, match=r"first link 9.*repeat a link.*2 negative or infinite"):
        link_dynamics(bad, links)
    with pytest.raises(ZoneError, match="is missing"):
        link_dynamics(bad.iloc[:1].assign(speed_ratio=np.nan), links)


def test_factors_keep_distances():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(30, 4)) @ rng.normal(size=(4, 50))
    found = factors(values, np.ones(30), share=1.0 - 1e-9)
    assert found.shape[1] == 4
    apart = np.linalg.norm(values[:, None] - values[None], axis=2)
    assert np.linalg.norm(found[:, None] - found[None], axis=2) == pytest.approx(apart)


def test_dynamics_of_other_links_are_refused(town):
    area = partition.city_area(town.links)
    with pytest.raises(ZoneError, match="column for each of"):
        functional_polygons(
            town.links, LinkDynamics({"speed_ratio": np.ones((2, 3))}, None, np.arange(2)), area, count=2,
            least_compactness=0.0,
        )  # fmt: skip


def test_a_city_away_from_the_area_has_no_cells(town):
    with pytest.raises(ZoneError, match="no street lies"):
        street_cells(town.links, shapely.box(0, 0, 1, 1))


def test_a_street_drawn_twice_is_one(town):
    """A second pair of nodes with the same line: its street becomes the one that it lies upon."""
    more = town.links.iloc[:1].assign(link_id=len(town.links), from_node_id=9001, to_node_id=9002)
    links = gpd.GeoDataFrame(pd.concat([town.links, more], ignore_index=True), crs=town.links.crs)
    cells = street_cells(links, partition.city_area(links))
    assert cells.street[-1] == cells.street[0]
    assert cells.length_m[cells.street[0]] == pytest.approx(600.0)

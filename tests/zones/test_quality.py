"""Partitions side by side: variance within, compactness, balance, scatter of the fundamental diagram."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from data.cities import toy_city
from zones import compare_partitions, dynamics_of_state, link_zone, make_zones, zone_traffic
from zones.dynamics import LinkDynamics
from zones.errors import ZoneError
from zones.partition import compactness
from zones.quality import mfd_scatter, street_metres, variance_within


@pytest.fixture(scope="module")
def town():
    return toy_city(5)


def test_variance_within_is_the_share_that_is_left():
    """Links of equal length at 1, 3 | 5, 7: total 20; within 2 + 2; the second interval's gap leaves 3 | 5, 7: 8, 2."""
    metres = sparse.csr_array(np.array([[100.0, 100.0, 0.0, 0.0], [0.0, 0.0, 100.0, 100.0]]))
    values = np.array([[1.0, 3.0, 5.0, 7.0], [np.nan, 3.0, 5.0, 7.0]])
    assert variance_within(metres, values[:1]) == pytest.approx(4 / 20)
    assert variance_within(metres, values) == pytest.approx((4 + 2) / (20 + 8))


def test_one_zone_leaves_all_and_a_zone_a_link_leaves_nothing():
    values = np.random.default_rng(0).random((5, 6))
    assert variance_within(sparse.csr_array(np.ones((1, 6))), values) == pytest.approx(1.0)
    assert variance_within(sparse.csr_array(np.eye(6)), values) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(variance_within(sparse.csr_array(np.ones((1, 6))), np.ones((5, 6))))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(1.0, 1e4))
def test_splitting_a_zone_never_raises_the_variance_and_a_shift_does_not_matter(seed, shift):
    rng = np.random.default_rng(seed)
    values, length = rng.random((4, 12)), rng.random(12) + 0.1
    zone = rng.integers(0, 3, 12)
    coarse = np.zeros((3, 12))
    coarse[zone, np.arange(12)] = length
    fine = np.vstack([np.where(np.arange(12) < 6, coarse, 0.0), np.where(np.arange(12) < 6, 0.0, coarse)])
    left = variance_within(sparse.csr_array(coarse), values)
    assert variance_within(sparse.csr_array(fine), values) <= left + 1e-12
    assert variance_within(sparse.csr_array(coarse), values + shift) == pytest.approx(left, rel=1e-6)


def test_compactness_of_a_square_is_a_quarter_pi_and_large_zones_weigh_more():
    """Square pi / 4; a strip of 1 x 9: 4 pi 9 / 20^2; area weights 1 and 9."""
    square, strip = shapely.box(0, 0, 1, 1), shapely.box(2, 0, 3, 9)
    assert compactness(np.array([square])) == pytest.approx(np.pi / 4)
    expected = (np.pi / 4 + 9 * 4 * np.pi * 9 / 400) / 10
    assert compactness(np.array([square, strip])) == pytest.approx(expected)


def test_flow_on_a_cubic_of_density_has_no_scatter_and_chance_has_its_own():
    """Flow = k (100 - k) exactly; then +- 10 % of the mean flow in turn."""
    density = np.linspace(1, 80, 200)[:, None]
    flow = density * (100.0 - density)
    links = pd.DataFrame({"lanes": [1.0]})
    metres = sparse.csr_array(np.array([[100.0]]))
    exact = LinkDynamics({"density_veh_per_lane_km": density}, flow, np.arange(200))
    assert mfd_scatter(metres, links, exact) == pytest.approx(0.0, abs=1e-9)
    wobble = flow + 0.1 * flow.mean() * (-1.0) ** np.arange(200)[:, None]
    found = mfd_scatter(metres, links, LinkDynamics({"density_veh_per_lane_km": density}, wobble, np.arange(200)))
    assert found == pytest.approx(0.1, rel=0.05)


def test_each_partition_has_a_row(town):
    rng = np.random.default_rng(0)
    state = rng.random((96, len(town.links))) * 1e4
    dynamics = dynamics_of_state(state, state / 8.0, town.links, step_s=900.0)
    zones = {f"{n} squares": make_zones(town.links, kind="square", count=n) for n in (1, 4)}
    table = compare_partitions(zones, town.links, dynamics).set_index("partition")
    assert table["zones"].tolist() == [1, 4]
    assert table.loc["1 squares", "variance_density"] == pytest.approx(1.0)
    assert table.loc["4 squares", "variance_density"] < 1.0
    assert table.loc["4 squares", "balance_cv"] == pytest.approx(0.0, abs=0.05)
    assert table["compactness"].between(0.78, 0.84).all()  # squares with the corners of the outline rounded


def test_dynamics_of_other_links_and_no_partition_are_refused(town):
    other = LinkDynamics({"speed_ratio": np.ones((2, 3))}, None, np.arange(2))
    with pytest.raises(ZoneError, match="column for each of 80 links"):
        compare_partitions({"one": make_zones(town.links, count=1)}, town.links, other)
    with pytest.raises(ZoneError, match="no partitions"):
        compare_partitions({}, town.links, other)


def _functional(town):
    ratio = np.random.default_rng(3).random(len(town.links))
    return {"dynamics": pd.DataFrame({"link_id": town.links["link_id"], "step_of_day": 0, "speed_ratio": ratio})}


def _units(town):
    x, y = town.links.total_bounds[0], town.links.total_bounds[1]
    boxes = [shapely.box(x - 99, y - 99, x + 310, y + 999), shapely.box(x + 310, y - 99, x + 999, y + 999)]
    return {"polygons": gpd.GeoDataFrame({"name": ["a", "b"]}, geometry=boxes, crs=town.links.crs)}


def _loops(town):
    return {"sensors": gpd.GeoDataFrame(geometry=shapely.centroid(town.links.geometry.to_numpy()[::11]),
                                        crs=town.links.crs)}  # fmt: skip


KINDS = {
    "hex": lambda town: {"count": 5}, "square": lambda town: {"count": 5}, "functional": _functional,
    "polygons": _units, "administrative": _units, "voronoi": _loops,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_zones_of_every_kind_tile_the_city_and_conserve_distance_and_time(town, kind, seed):
    zones = _made(town, kind)
    shapes = zones.geometry.to_numpy()
    assert shapely.coverage_is_valid(shapes)
    assert shapely.area(shapes).sum() == pytest.approx(shapely.union_all(shapes).area, rel=1e-9)
    shares = link_zone(town.links, zones)
    assert shares.groupby("link_id")["share"].sum().to_numpy() == pytest.approx(1.0, abs=1e-12)
    rng = np.random.default_rng(seed)
    n = 200
    state = pd.DataFrame(
        {"link_id": rng.integers(0, len(town.links), n),
         "time": pd.Timestamp("2026-03-02", tz="UTC") + pd.to_timedelta(900 * rng.integers(0, 7, n), unit="s"),
         "vehicle_distance_m": rng.random(n) * 1e4, "vehicle_time_s": rng.random(n) * 1e3}
    )  # fmt: skip
    found = zone_traffic(state, shares, town.links, step_s=900.0)
    for name in ("vehicle_distance_m", "vehicle_time_s"):
        by_time = state.groupby("time")[name].sum()
        assert found.groupby("time")[name].sum().loc[by_time.index].to_numpy() == pytest.approx(by_time.to_numpy())


_KEPT: dict[str, gpd.GeoDataFrame] = {}


def _made(town, kind):
    if kind not in _KEPT:
        _KEPT[kind] = make_zones(town.links, kind=kind, **KINDS[kind](town))
    return _KEPT[kind]


def test_street_metres_add_up_to_the_streets(town):
    zones = make_zones(town.links, count=5)
    assert street_metres(zones, town.links).sum(axis=0) == pytest.approx(town.links["length_m"].to_numpy())

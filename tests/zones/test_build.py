"""The front door: zones of toy town and of Helsinki."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import ADJACENCY, LINK_ZONE, ZONES, validate
from zones import ZoneRollup, adjacency, link_zone, make_zones
from zones.build import core_links
from zones.errors import ZoneError
from zones.naming import zone_ids


def _check(zones, links):
    validate(pd.DataFrame(zones), ZONES)
    shapes = zones.geometry.to_numpy()
    assert zones.crs == links.crs
    assert shapely.is_valid(shapes).all()
    assert shapely.coverage_is_valid(shapes)
    assert zones["name"].is_unique
    assert zones["zone_id"].tolist() == zone_ids(len(zones))
    shares = validate(link_zone(links, zones), LINK_ZONE)
    assert set(shares["link_id"]) == set(links["link_id"])
    assert set(shares["zone_id"]) == set(zones["zone_id"])
    assert shares.groupby("link_id")["share"].sum().to_numpy() == pytest.approx(1.0, abs=1e-12)
    touching = validate(adjacency(zones), ADJACENCY)
    assert len(zones) == 1 or set(touching["zone_id"]) == set(zones["zone_id"])


@pytest.mark.parametrize(
    "how",
    [{}, {"kind": "square"}, {"count": 12}, {"count": 40}, {"resolution": 8}, {"resolution": 10},
     {"kind": "square", "cell_m": 400.0}, {"kind": "square", "count": 5}, {"count": 1}],
    ids=str,
)  # fmt: skip
def test_helsinki_is_cut_soundly_in_every_way(helsinki, how):
    zones = make_zones(helsinki.links, helsinki.places, crs=helsinki.crs, **how)
    _check(zones, helsinki.links)
    if "count" in how:
        assert len(zones) == how["count"]


def test_helsinki_has_eighteen_zones_of_similar_size_with_their_character(helsinki):
    zones = make_zones(helsinki.links, helsinki.places)
    assert len(zones) == 18
    assert zones["area_m2"].max() < 4 * zones["area_m2"].min()
    assert (zones["character_source"] == "buildings").all()
    assert (zones["homes"] > 0).all()
    assert (zones["jobs"] > 0).all()
    assert zones["jobs"].sum() > 2 * zones["homes"].sum()  # a business district
    assert zones["green_share"].max() > 0.3  # Kaisaniemi's park
    assert ((zones["road_major_m"] + zones["road_minor_m"]) >= 100).all()
    total = (zones["road_major_m"] + zones["road_minor_m"]).sum()
    assert total == pytest.approx(helsinki.links["length_m"].sum(), rel=0.01)


def test_the_same_city_gives_the_same_zones(helsinki):
    first, second = (make_zones(helsinki.links, helsinki.places) for _ in range(2))
    pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(second), check_exact=True)


def test_zones_are_numbered_as_one_reads_a_map(toy):
    """Four quarters of 400 m: north-west, north-east, south-west, south-east."""
    zones = make_zones(toy.links, toy.places, kind="square", count=4)
    x, y = zones["x_m"].to_numpy(), zones["y_m"].to_numpy()
    assert len(zones) == 4
    assert y[0] > y[2] and y[1] > y[3] and x[0] < x[1] and x[2] < x[3]
    assert zones["jobs"].idxmax() == 1  # the offices stand in the north-east
    assert zones["green_share"].idxmax() == 2  # the park lies in the south-west


def test_toy_town_s_homes_and_jobs_are_those_of_its_floors(toy):
    """11 blocks of 19,600 m2 x 3 floors, 95 % homes of 80 m2; 4 blocks x 5 floors of offices, 25 m2 a job."""
    zones = make_zones(toy.links, toy.places, kind="square", count=4)
    assert zones["homes"].sum() == pytest.approx(11 * 19_600 * 3 * 0.95 / 80)
    assert zones["jobs"].sum() == pytest.approx(4 * 19_600 * 5 / 25 + 11 * 19_600 * 3 * 0.05 / 30)


def test_without_buildings_homes_follow_the_streets_and_say_so(toy):
    for places in (None, toy.places[toy.places["kind"] == "landuse"]):
        zones = make_zones(toy.links, places, kind="square", count=4)
        assert (zones["character_source"] == "roads").all()
        assert zones["homes"].to_numpy() == pytest.approx(0.08 * zones["road_minor_m"].to_numpy())
        assert (zones["jobs"] > 0).all()


def test_given_polygons_keep_their_names_and_are_clipped_to_the_city(toy):
    west, south, east, north = toy.links.total_bounds
    middle = (west + east) / 2
    given = gpd.GeoDataFrame(
        {"name": ["Harbour", "Hill", "Far away"]},
        geometry=[
            shapely.box(west - 9000, south, middle, north),
            shapely.box(middle, south, east, north),
            shapely.box(east + 9000, south, east + 9500, north),
        ],
        crs=toy.crs,
    ).to_crs(4326)
    zones = make_zones(toy.links, toy.places, kind="polygons", polygons=given)
    assert zones["name"].tolist() == ["Harbour", "Hill"]
    assert zones["area_m2"].max() < 400_000
    shares = link_zone(toy.links, zones)
    assert shares.groupby("link_id")["share"].sum().to_numpy() == pytest.approx(1.0, abs=1e-12)


def _street(name, start, end, number):
    return {
        "link_id": number, "from_node_id": start[0], "to_node_id": end[0], "road_class": "primary", "name": name,
        "geometry": shapely.LineString([start[1], end[1]]),
    }  # fmt: skip


def test_a_street_that_only_leads_out_of_the_city_makes_no_zone_of_its_own():
    """A square of streets, both ways, and one-way streets of 2 km that lead in and out: nobody lives only there."""
    corner = {0: (0, 0), 1: (500, 0), 2: (500, 500), 3: (0, 500), 4: (2500, 0), 5: (2500, 500)}
    pairs = [(0, 1), (1, 2), (2, 3), (3, 0), (1, 0), (2, 1), (3, 2), (0, 3), (1, 4), (5, 2)]
    rows = [_street("S", (a, corner[a]), (b, corner[b]), k) for k, (a, b) in enumerate(pairs)]
    links = gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:3067")
    assert core_links(links).tolist() == [True] * 8 + [False] * 2
    zones = make_zones(links, kind="square", cell_m=400.0)
    assert len(zones) > 1
    core = link_zone(links, zones).query("link_id < 8")
    assert set(core["zone_id"]) == set(zones["zone_id"])


def test_where_no_street_leads_back_every_street_counts():
    links = pd.DataFrame({"from_node_id": [0, 1], "to_node_id": [1, 2]})
    assert core_links(links).tolist() == [True, True]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.sampled_from([4, 9, 18]))
def test_what_is_driven_on_links_is_driven_in_zones(toy, seed, count):
    """Zones may cut links as they like: distance and time are neither lost nor made."""
    zones = make_zones(toy.links, count=count)
    rng = np.random.default_rng(seed)
    distance, time = rng.exponential(1e3, len(toy.links)), rng.exponential(1e2, len(toy.links))
    found = ZoneRollup(link_zone(toy.links, zones), toy.links, zones["zone_id"]).traffic(distance, time, 900.0)
    assert found["vehicle_distance_m"].sum() == pytest.approx(distance.sum(), rel=1e-12)
    assert found["vehicle_time_s"].sum() == pytest.approx(time.sum(), rel=1e-12)


def test_the_streets_of_the_zones_are_the_streets_of_the_city(toy):
    zones = make_zones(toy.links)
    rollup = ZoneRollup(link_zone(toy.links, zones), toy.links, zones["zone_id"])
    assert rollup.length_m.sum() == pytest.approx(toy.links["length_m"].sum(), rel=1e-12)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"kind": "triangle"}, "kind='triangle'"), ({"count": 0}, "count=0"), ({"resolution": 16}, "resolution=16"),
        ({"kind": "square", "cell_m": 5.0}, "cell_m=5"), ({"cell_m": 300.0}, "cell_m is for squares"),
        ({"kind": "square", "resolution": 9}, "resolution is for hexagons"), ({"kind": "polygons"}, "needs polygons"),
        ({"count": None}, "neither count"),
        ({"kind": "triangle", "count": 0}, r"kind='triangle'.*count=0"),
    ],
)  # fmt: skip
def test_a_request_that_makes_no_sense_is_answered_in_full(toy, how, words):
    with pytest.raises(ZoneError, match=words):
        make_zones(toy.links, toy.places, **how)


def test_polygons_elsewhere_and_polygons_unasked_for_are_refused(toy):
    away = gpd.GeoDataFrame(geometry=[shapely.box(2, 48, 3, 49)], crs=4326)
    with pytest.raises(ZoneError, match="none of the 1 zone polygons"):
        make_zones(toy.links, kind="polygons", polygons=away)
    with pytest.raises(ZoneError, match="say kind='polygons'"):
        make_zones(toy.links, polygons=away)


def test_the_caller_s_tables_are_left_alone(toy):
    links, places = toy.links.copy(), toy.places.copy()
    make_zones(links, places)
    pd.testing.assert_frame_equal(pd.DataFrame(links), pd.DataFrame(toy.links))
    pd.testing.assert_frame_equal(pd.DataFrame(places), pd.DataFrame(toy.places))
    assert np.array_equal(links.columns, toy.links.columns)


def test_a_given_zone_without_streets_is_named(toy, caplog):
    """One polygon holds the whole city, the other a degree beside it, clipped to nothing."""
    west, south, east, north = toy.links.to_crs(4326).total_bounds
    whole = shapely.box(west - 0.01, south - 0.01, east + 0.01, north + 0.01)
    strip = shapely.box(east + 0.001, south, east + 0.002, north)
    given = gpd.GeoDataFrame({"name": ["Town", "Meadow"]}, geometry=[whole.difference(strip), strip], crs=4326)
    zones = make_zones(toy.links, toy.places, kind="polygons", polygons=given)
    assert zones["name"].tolist() == ["Town"]
    assert "left out: Meadow" in caplog.text

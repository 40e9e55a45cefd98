"""Synthetic cities: sound networks of the size asked for, the same for the same seed, like towns in statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from scipy import sparse

from data.cities import load_city
from data.errors import CityError
from data.made_cities import synthetic_city
from data.schemas import LINKS, NODES, TURNS, validate
from data.synthetic import make_synthetic, parse_name

SIZES = [100, 700, 2000, 20_000]


@pytest.fixture(scope="module", params=SIZES, ids=lambda n: f"{n} links")
def city(request):
    return synthetic_city(request.param, seed=3)


def test_the_tables_are_sound(city):
    validate(city.nodes, NODES)
    validate(pd.DataFrame(city.links), LINKS)
    validate(city.turns, TURNS)
    nodes, links = city.nodes, city.links
    assert (links["link_id"] == np.arange(len(links))).all()
    assert set(links["from_node_id"]) | set(links["to_node_id"]) == set(nodes["node_id"])
    first, last = (shapely.get_coordinates(shapely.get_point(links.geometry.to_numpy(), k)) for k in (0, -1))
    xy = nodes[["x_m", "y_m"]].to_numpy()
    assert first == pytest.approx(xy[links["from_node_id"]], abs=1e-6)
    assert last == pytest.approx(xy[links["to_node_id"]], abs=1e-6)
    assert links["length_m"].min() > 10.0
    assert (links["capacity_veh_per_s"] < links["jam_density_veh_per_m"] * links["free_flow_speed_mps"]).all()


def test_every_link_can_be_reached_from_every_other_by_turns(city):
    pairs, n = city.turns[["from_link_id", "to_link_id"]].to_numpy(), len(city.links)
    graph = sparse.csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    assert sparse.csgraph.connected_components(graph, directed=True, connection="strong")[0] == 1


@pytest.mark.parametrize(("links", "slack"), [(100, 0.35), (500, 0.2), (2000, 0.15), (5000, 0.1), (20_000, 0.1)])
@pytest.mark.parametrize("seed", [0, 5])
def test_the_size_is_about_what_was_asked_for(links, slack, seed):
    made = make_synthetic(links, seed=seed, buildings=False)
    assert len(made.links) == pytest.approx(links, rel=slack)


def test_the_same_seed_gives_the_same_bits_and_another_seed_another_city():
    a, b, c = (make_synthetic(700, seed=seed) for seed in (4, 4, 5))
    pd.testing.assert_frame_equal(pd.DataFrame(a.links), pd.DataFrame(b.links), check_exact=True)
    pd.testing.assert_frame_equal(pd.DataFrame(a.places), pd.DataFrame(b.places), check_exact=True)
    assert not np.array_equal(a.nodes["x_m"].to_numpy()[:50], c.nodes["x_m"].to_numpy()[:50])


def test_street_statistics_lie_where_those_of_towns_do():
    """Mean degree of Helsinki, Monaco, Krems, Andorra and La Serena: 2.4-3.0; residential length 28-65 %; dead ends
    12-28 %; three-way crossings 40-74 %.
    """
    streets = make_synthetic(20_000, seed=1, buildings=False).links
    pair = np.sort(streets[["from_node_id", "to_node_id"]].to_numpy(), axis=1)
    one = streets[~pd.DataFrame(pair).duplicated().to_numpy()]
    degree = np.bincount(one[["from_node_id", "to_node_id"]].to_numpy().ravel())
    assert 2.4 < degree.mean() < 3.1
    assert 0.12 < (degree == 1).mean() < 0.28
    assert 0.4 < (degree == 3).mean() < 0.74
    share = one.groupby("road_class")["length_m"].sum() / one["length_m"].sum()
    assert 0.28 < share["residential"] < 0.65
    assert share["primary"] < share["secondary"] < share["tertiary"] < share["residential"]


def test_motorways_are_one_way_and_are_left_by_ramps_alone():
    links = make_synthetic(3000, seed=2, buildings=False).links
    motorway = links[links["road_class"] == "motorway"]
    assert len(motorway) > 10
    assert motorway["oneway"].all()
    touching = links[links["from_node_id"].isin(motorway["to_node_id"])]
    assert set(touching["road_class"]) == {"motorway", "motorway_link"}


def test_traffic_circulates_against_the_clock_in_roundabouts():
    """The centre of a ring lies to the left of each of its links: a positive cross product."""
    made = make_synthetic(5000, seed=2, buildings=False)
    ring = made.links[made.links["roundabout"]]
    assert len(ring) > 20
    assert ring["oneway"].all()
    start, middle, end = (
        shapely.get_coordinates(shapely.line_interpolate_point(ring.geometry.to_numpy(), share, normalized=True))
        for share in (0.0, 0.5, 1.0)
    )
    before, after = middle - start, end - middle
    assert (before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0] > 0).all()


def test_people_thin_out_from_the_centre_and_workplaces_faster():
    """Floor area a street metre inside a third of the radius exceeds that outside; of offices by a larger factor."""
    made = make_synthetic(5000, seed=2)
    places = made.places[made.places["kind"] == "building"]
    centre = made.nodes[["x_m", "y_m"]].mean().to_numpy()
    spot = shapely.get_coordinates(shapely.centroid(places.geometry.to_numpy()))
    away = np.hypot(*(spot - centre).T) / made.radius_m
    floor = (places["area_m2"] * places["floors"]).to_numpy()
    ratio = {}
    for category in ("residential", "office"):
        own = (places["category"] == category).to_numpy()
        inner, outer = floor[own & (away < 0.33)].sum() / 0.33**2, floor[own & (away > 0.33)].sum() / (1 - 0.33**2)
        ratio[category] = inner / outer
    assert 1.0 < ratio["residential"] < ratio["office"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("synthetic", (2000, 0)), ("synthetic:500", (500, 0)), ("Synthetic:500@7", (500, 7)), ("synthetic@9", (2000, 9)),
     ("synthetica", None), ("helsinki", None), ("synthetic fields, Ohio", None)],
)  # fmt: skip
def test_names_tell_size_and_seed(text, expected):
    assert parse_name(text) == expected


@pytest.mark.parametrize("text", ["synthetic:99", "synthetic:many", "synthetic:1e4", "synthetic:", "synthetic:500@x",
                                  "synthetic:99999999999"])  # fmt: skip
def test_a_name_that_is_almost_one_says_how_to_write_it(text):
    with pytest.raises(CityError, match=r"synthetic:20000@7"):
        parse_name(text)


def test_load_city_makes_one_and_says_that_it_has_no_osmnx_graph(tmp_path):
    city = load_city("synthetic:300@2", cache_dir=tmp_path)
    assert city.name == "synthetic-300-2"
    assert city.report["counts"]["links"] == len(city.links)
    assert {"land", "building"} <= set(city.basemap["kind"])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CityError, match="no OSMnx graph"):
        city.load_graph()

"""The front door: cities by name and path, the cache behind it, and what it says when it cannot."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import geopandas as gpd
import networkx as nx
import numpy as np
import osmnx as ox
import pandas as pd
import pytest
import requests

from data import cities
from data.cities import load_city, toy_city
from data.errors import CityError, FileFormatError
from data.schemas import LINKS, NODES, TURNS, validate
from data.store.runs import run_id

SHARED = Path(os.environ.get("ZONEWISE_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data")) / "osm"
TOWNS = {"monaco.osm.gz": "Europe/Monaco", "krems.osm.gz": "Europe/Vienna", "andorra.osm.pbf": "Europe/Andorra"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def helsinki(cache):
    return load_city("helsinki", cache_dir=cache)


def _check(city):
    """What every city must be, wherever it came from."""
    validate(city.nodes, NODES)
    validate(pd.DataFrame(city.links), LINKS)
    validate(city.turns, TURNS)
    nodes, links = city.nodes, city.links
    assert (nodes["node_id"] == np.arange(len(nodes))).all()
    assert (links["link_id"] == np.arange(len(links))).all()
    assert set(links["from_node_id"]) | set(links["to_node_id"]) == set(nodes["node_id"])
    assert links.crs.is_projected
    assert links.crs.to_string() == city.crs == city.places.crs.to_string()
    assert city.basemap.crs.to_epsg() == 4326
    assert set(city.places["kind"]) <= {"building", "poi", "landuse"}
    assert set(city.basemap["kind"]) <= {"building", "park", "water", "rail", "walk", "land"}
    assert (links["capacity_veh_per_s"] < links["jam_density_veh_per_m"] * links["free_flow_speed_mps"]).all()
    ends = links.set_index("link_id")[["from_node_id", "to_node_id"]]
    into, out = city.turns["from_link_id"], city.turns["to_link_id"]
    assert (ends["to_node_id"].loc[into].to_numpy() == ends["from_node_id"].loc[out].to_numpy()).all()


def _check_reachable(city):
    """Every link can be reached from every other, by turns that are allowed, with the world outside as one place."""
    nodes, links = city.nodes, city.links
    graph = nx.DiGraph(list(zip(city.turns["from_link_id"], city.turns["to_link_id"])))
    graph.add_nodes_from(links["link_id"])
    border = nodes.loc[nodes["border"], "node_id"]
    graph.add_edges_from(("outside", link) for link in links.loc[links["from_node_id"].isin(border), "link_id"])
    graph.add_edges_from((link, "outside") for link in links.loc[links["to_node_id"].isin(border), "link_id"])
    assert nx.is_strongly_connected(graph)
    enters, leaves = set(links["from_node_id"]), set(links["to_node_id"])
    assert set(nodes.loc[nodes["enters"], "node_id"]) == set(border) & enters
    assert set(nodes.loc[nodes["leaves"], "node_id"]) == set(border) & leaves


def test_helsinki_is_read_without_network(helsinki):
    _check(helsinki)
    _check_reachable(helsinki)
    assert helsinki.timezone == "Europe/Helsinki"
    assert helsinki.crs == "EPSG:32635"
    assert 150 <= len(helsinki.nodes) <= 185
    assert 300 <= len(helsinki.links) <= 345
    assert (helsinki.places["kind"] == "building").sum() > 400
    assert {"Mannerheimintie", "Pohjoisesplanadi"} <= set(helsinki.links["name"].dropna())
    assert helsinki.latitude == pytest.approx(60.172, abs=0.005)


def test_link_lengths_agree_with_their_geometry(helsinki):
    """The projection's scale is off by at most 0.04 % in a UTM zone, 0.1 % at its rim."""
    assert helsinki.links.geometry.length.to_numpy() == pytest.approx(helsinki.links["length_m"].to_numpy(), rel=1e-3)


def test_helsinki_says_what_was_left_out_and_how_long_it_took(helsinki):
    report = helsinki.report
    assert report["dropped_ways"]["not a road for cars"] > 1000
    assert report["dropped_ways"]["service road"] > 100
    assert report["dropped"]["cut off from the core"]["links"] > 0
    assert {"parse", "graph", "simplify", "tables", "timezone", "places"} <= set(report["seconds"])
    assert report["counts"]["links"] == len(helsinki.links)


def test_the_graph_is_in_osmnx_form(helsinki, cache):
    graph = helsinki.load_graph()
    assert graph.graph["simplified"] is True
    assert ox.projection.is_projected(graph.graph["crs"])
    assert graph.number_of_edges() == len(helsinki.links)
    assert {"length", "travel_time", "highway", "oneway", "osmid", "geometry"} <= set(
        next(iter(graph.edges(data=True)))[2]
    )
    again = load_city("helsinki", cache_dir=cache)
    assert again.graph is None
    assert nx.utils.graphs_equal(nx.DiGraph(again.load_graph().edges()), nx.DiGraph(graph.edges()))


def test_the_cache_gives_back_the_same_tables(helsinki, cache):
    again = load_city("helsinki", cache_dir=cache)
    assert again.report["cached"] is True
    for name in ("nodes", "links", "turns", "places", "basemap"):
        left, right = getattr(helsinki, name), getattr(again, name)
        pd.testing.assert_frame_equal(pd.DataFrame(left), pd.DataFrame(right), check_exact=True)
    for name in ("name", "label", "timezone", "latitude", "longitude", "crs"):
        assert getattr(helsinki, name) == getattr(again, name)


def test_reading_twice_gives_the_same_bits(helsinki, tmp_path):
    again = load_city("helsinki", cache_dir=tmp_path)
    pd.testing.assert_frame_equal(pd.DataFrame(helsinki.links), pd.DataFrame(again.links), check_exact=True)
    pd.testing.assert_frame_equal(helsinki.turns, again.turns, check_exact=True)


def _run():
    """Name of Helsinki's entry in the cache."""
    spec = {"reader": cities.READER_VERSION, "content": cities._digest(cities._resolve("helsinki")), "timezone": None}
    return run_id("city-tables", spec)


@pytest.mark.parametrize(
    ("victim", "harm"),
    [("links.parquet", "cut"), ("places.parquet", "gone"), ("city.json", "cut"), ("manifest.json", "cut"),
     ("manifest.json", "gone")],
)  # fmt: skip
def test_a_damaged_cache_is_read_anew(helsinki, cache, tmp_path, victim, harm):
    shutil.copytree(cache, tmp_path, dirs_exist_ok=True)
    assert load_city("helsinki", cache_dir=tmp_path).report["cached"] is True
    (path,) = tmp_path.glob(f"{_run()}/{victim}")
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    city = load_city("helsinki", cache_dir=tmp_path)
    assert city.report["cached"] is False
    pd.testing.assert_frame_equal(pd.DataFrame(helsinki.links), pd.DataFrame(city.links), check_exact=True)
    assert load_city("helsinki", cache_dir=tmp_path).report["cached"] is True


def test_a_cache_that_cannot_be_written_does_not_stop_the_reading(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    city = load_city("helsinki", cache_dir=tmp_path / "file" / "below")
    assert len(city.links) > 300
    assert "not cached" in caplog.text


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEWISE_CACHE", str(tmp_path / "here"))
    assert cities.default_cache_dir() == tmp_path / "here"
    monkeypatch.delenv("ZONEWISE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cities.default_cache_dir() == tmp_path / "zonewise"


@pytest.mark.parametrize("name", sorted(TOWNS))
def test_real_extracts_become_sound_networks(name, cache):
    if not (SHARED / name).is_file():
        pytest.skip(f"{SHARED / name} is not there; set ZONEWISE_SHARED_DATA to the folder of shared data")
    city = load_city(SHARED / name, cache_dir=cache)
    _check(city)
    _check_reachable(city)
    assert city.timezone == TOWNS[name]
    assert city.nodes["border"].sum() >= 5
    seconds = sum(v for k, v in city.report["seconds"].items() if k != "import")
    assert seconds < 30  # about 3 s on an idle machine


def test_the_toy_town_is_a_city_too():
    city = load_city("toy")
    _check(city)
    lon, lat = gpd.points_from_xy(city.nodes["x_m"], city.nodes["y_m"], crs=city.crs).to_crs(4326).x, city.nodes["lat"]
    assert city.nodes["lon"].to_numpy() == pytest.approx(lon, abs=1e-9)
    assert lat.iloc[0] == pytest.approx(60.17, abs=1e-5)
    assert city.links.geometry.length.to_numpy() == pytest.approx(city.links["length_m"].to_numpy())
    assert city.basemap.total_bounds == pytest.approx([24.937, 60.1686, 24.957, 60.179], abs=2e-3)
    assert city.nodes.loc[city.nodes["signal"], "node_id"].tolist() == [12]
    assert (city.links.loc[city.links["signal_end"], "to_node_id"] == 12).all()
    assert len(toy_city(size=7).nodes) == 49
    with pytest.raises(CityError, match="no OSMnx graph"):
        city.load_graph()


@pytest.fixture
def graphml(helsinki, tmp_path):
    """Writes Helsinki as OSMnx would, with what `drop` names left out."""

    def write(*, projected: bool, drop_node: str = "", drop_edge: str = "", drop_graph: str = "") -> Path:
        graph = helsinki.load_graph().copy()
        if not projected:
            graph = ox.project_graph(graph, to_latlong=True)
        for *_, data in graph.edges(keys=True, data=True):
            data.pop("parts", None)
            data.pop(drop_edge, None)
        for _, data in graph.nodes(data=True):
            data.pop(drop_node, None)
        graph.graph.pop(drop_graph, None)
        path = tmp_path / "helsinki.graphml"
        nx.write_graphml(nx.MultiDiGraph(), path)
        ox.save_graphml(graph, path)
        return path

    return write


@pytest.mark.parametrize("projected", [True, False])
def test_graphml_of_osmnx_gives_the_same_network(helsinki, graphml, cache, projected):
    city = load_city(graphml(projected=projected), cache_dir=cache)
    _check(city)
    assert len(city.links) == len(helsinki.links)
    assert city.links["length_m"].to_numpy() == pytest.approx(helsinki.links["length_m"].to_numpy())
    assert (city.links["road_class"].to_numpy() == helsinki.links["road_class"].to_numpy()).mean() > 0.97
    assert len(city.places) == 0


@pytest.mark.parametrize("missing", [{"drop_edge": "highway"}, {"drop_graph": "crs"}, {"drop_node": "x"}])
def test_graphml_that_is_not_osmnx_s_is_refused(graphml, cache, missing):
    with pytest.raises(FileFormatError, match=r"osmnx\.save_graphml"):
        load_city(graphml(projected=False, **missing), cache_dir=cache)


def test_other_graphml_and_broken_graphml_are_refused(tmp_path):
    nx.write_graphml(nx.path_graph(4), tmp_path / "path.graphml")
    (tmp_path / "broken.graphml").write_text("<graphml><node")
    for name in ("path", "broken"):
        with pytest.raises(FileFormatError, match="OSMnx"):
            load_city(tmp_path / f"{name}.graphml", cache_dir=tmp_path / "cache")


def test_a_name_without_network_says_so_and_names_the_cure(monkeypatch, tmp_path):
    def offline(*_args, **_kwargs):
        raise requests.exceptions.ConnectionError("no route")

    monkeypatch.setattr(ox, "graph_from_place", offline)
    with pytest.raises(CityError, match=r"'Graz, Austria' .*do not answer .*give the path of an extract"):
        load_city("Graz, Austria", cache_dir=tmp_path)


def test_a_name_that_nobody_knows_says_so(monkeypatch, tmp_path):
    def unknown(*_args, **_kwargs):
        raise ox._errors.InsufficientResponseError("Nominatim geocoder returned 0 results")

    monkeypatch.setattr(ox, "graph_from_place", unknown)
    with pytest.raises(CityError, match="knows no place 'Atlantis'"):
        load_city("Atlantis", cache_dir=tmp_path)


def test_a_place_by_name_becomes_a_city(monkeypatch, tmp_path):
    """OSMnx's answer stands in for the network's: a ring of four streets, a house and a shop."""
    graph = nx.MultiDiGraph(crs="epsg:4326", simplified=False)
    corners = {1: (15.60, 48.40), 2: (15.61, 48.40), 3: (15.61, 48.41), 4: (15.60, 48.41)}
    for node, (lon, lat) in corners.items():
        graph.add_node(node, x=lon, y=lat, street_count=3)
    for a, b in [(1, 2), (2, 3), (3, 4), (4, 1), (1, 3), (2, 4)]:
        for start, end in ((a, b), (b, a)):
            tags = {"highway": "residential", "oneway": False, "reversed": start == b, "osmid": a, "length": 900.0}
            graph.add_edge(start, end, **tags)
    house = gpd.GeoSeries.from_wkt(["POLYGON ((15.604 48.404, 15.605 48.404, 15.605 48.405, 15.604 48.404))"])
    features = gpd.GeoDataFrame(
        {"building": ["house", None], "shop": [None, "bakery"]},
        geometry=[house[0], house[0].centroid], crs=4326,
    )  # fmt: skip
    monkeypatch.setattr(ox, "graph_from_place", lambda *_args, **_kwargs: graph)
    monkeypatch.setattr(ox, "features_from_place", lambda *_args, **_kwargs: features)
    city = load_city("Krems an der Donau, Austria", cache_dir=tmp_path)
    _check(city)
    assert (city.name, city.label) == ("krems-an-der-donau-austria", "Krems an der Donau, Austria")
    assert city.timezone == "Europe/Vienna"
    assert len(city.links) == 12
    assert city.places["category"].tolist() == ["residential", "retail"]
    assert load_city("krems an der donau, austria", cache_dir=tmp_path).report["cached"] is True


def test_a_missing_file_a_folder_and_an_odd_suffix_are_told_apart(tmp_path):
    (tmp_path / "map.docx").write_text("hello")
    for source, words in (
        (tmp_path / "no.osm.pbf", "no file"), ("nowhere.osm", "no file"), (tmp_path, "is a folder"),
        (tmp_path / "map.docx", "unknown format"), ("  ", "no city given"),
    ):  # fmt: skip
        with pytest.raises(CityError, match=words):
            load_city(source, cache_dir=tmp_path / "cache")


def test_a_time_zone_can_be_given_and_must_exist(tmp_path):
    with pytest.raises(CityError, match="unknown time zone 'Mars/Base'"):
        load_city("helsinki", cache_dir=tmp_path, timezone="Mars/Base")
    assert load_city("helsinki", cache_dir=tmp_path, timezone="Europe/Oslo").timezone == "Europe/Oslo"


def test_a_failed_reading_leaves_nothing_in_the_cache(tmp_path):
    (tmp_path / "bad.osm").write_text("<osm><node")
    with pytest.raises(FileFormatError):
        load_city(tmp_path / "bad.osm", cache_dir=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("**/*")) if (tmp_path / "cache").exists() else True

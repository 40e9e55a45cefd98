"""Graphs that OSMnx made: joined edges with lists of tags, closed roads, and what is missing."""

from __future__ import annotations

import networkx as nx
import pytest

from data.errors import CityError, FileFormatError
from data.readers.osmnx_graph import give_parts, read_graphml
from data.readers.road_graph import Dropped


def _graph(**tags):
    graph = nx.MultiDiGraph(crs="epsg:4326", simplified=True)
    graph.add_node(1, x=24.94, y=60.17)
    graph.add_node(2, x=24.95, y=60.17, highway="traffic_signals")
    graph.add_edge(1, 2, **({"highway": "residential", "length": 555.0, "oneway": False} | tags))
    return graph


def _part(graph):
    ((*_, data),) = give_parts(graph, Dropped()).edges(data=True)
    return data["parts"][0]


def test_an_edge_of_several_ways_takes_the_main_class_the_lowest_limit_and_the_mean_of_its_lanes():
    """Lanes (2 + 3) / 2 of both directions: 1.25 each; 0.9 x 30 km/h = 7.5 m/s."""
    part = _part(_graph(highway=["residential", "primary"], lanes=["2", "3"], maxspeed=["50", "30"], name=["B", "A"]))
    assert (part.road_class, part.lanes, part.speed_mps, part.name) == ("primary", 1.25, pytest.approx(7.5), "B")
    assert part.signal
    assert part.length_m == 555.0


def test_an_edge_without_a_length_gets_that_of_the_straight_line():
    """A hundredth of a degree at 60.17 N: 555 m on the ellipsoid."""
    assert _part(_graph(length=0.0)).length_m == pytest.approx(555.0, rel=2e-3)


def test_closed_edges_go_with_their_nodes_and_are_counted():
    graph = _graph()
    graph.add_node(3, x=24.96, y=60.17)
    graph.add_edge(2, 3, highway="service", length=40.0, oneway=False)
    dropped = Dropped()
    kept = give_parts(graph, dropped)
    assert sorted(kept.nodes) == [1, 2]
    assert dropped.as_dict() == {"service road": {"links": 1, "nodes": 0, "metres": 40.0}}
    assert 3 in graph


def test_the_caller_s_graph_is_left_alone():
    graph = _graph()
    give_parts(graph, Dropped())
    assert "parts" not in graph.edges[1, 2, 0]


def test_a_graph_without_streets_for_cars_is_refused():
    with pytest.raises(CityError, match="no road for cars"):
        give_parts(_graph(highway=["footway", "path"]), Dropped())


def test_a_missing_graphml_file_says_how_to_write_one(tmp_path):
    with pytest.raises(CityError, match="save_graphml"):
        read_graphml(tmp_path / "none.graphml")


def test_graphml_without_edges_is_refused(tmp_path):
    graph = nx.MultiDiGraph(crs="epsg:4326")
    graph.add_node(1, x="1.0", y="2.0")
    nx.write_graphml(graph, tmp_path / "empty.graphml")
    with pytest.raises(FileFormatError, match="no edges"):
        read_graphml(tmp_path / "empty.graphml")

"""Barriers: which cut a street for cars, and how the network looks then."""

from __future__ import annotations

import pytest

from data.readers import road_graph
from data.readers.barriers import stops_cars
from data.readers.osm import read_osm

STREET = {"highway": "residential"}


@pytest.mark.parametrize(
    ("tags", "cuts"),
    [
        ({"barrier": "bollard"}, True), ({"barrier": "block"}, True),
        ({"barrier": "bollard", "bollard": "rising"}, False),
        ({"barrier": "bollard", "motor_vehicle": "yes"}, False), ({"barrier": "gate"}, False),
        ({"barrier": "gate", "access": "private"}, True), ({"barrier": "gate", "locked": "yes"}, True),
        ({"barrier": "lift_gate", "access": "no", "motorcar": "yes"}, False), ({"barrier": "kerb"}, False),
        ({"barrier": "toll_booth"}, False), ({}, False), ({"barrier": "swing_gate", "motor_vehicle": "no"}, True),
    ],
)  # fmt: skip
def test_bollards_stop_cars_and_gates_do_where_they_are_closed(tags, cuts):
    assert stops_cars(tags) == cuts


@pytest.mark.parametrize(("barrier", "pieces"), [({"barrier": "bollard"}, 2), ({"barrier": "gate"}, 1)])
def test_a_street_with_a_bollard_ends_on_both_sides_of_it(write_osm, barrier, pieces):
    """A square of streets with one more across it, 200 m; a bollard in its middle makes two dead ends of 100 m."""
    nodes = {1: (0, 0), 2: (200, 0), 3: (200, 200), 4: (0, 200), 5: (0, 100), 6: (200, 100), 7: (100, 100, barrier)}
    ways = [([1, 2, 6, 3, 4, 5, 1], STREET), ([5, 7, 6], STREET)]
    extract = read_osm(write_osm(nodes, ways))
    raw, cut = road_graph.raw_graph(extract)
    graph = road_graph.simplify(raw)
    road_graph.mark_border(graph, cut, extract.box)
    across = [data for *_, data in graph.edges(data=True) if data["osmid"] == 101 and not data["reversed"]]
    assert [edge["length"] for edge in across] == pytest.approx([200.0 / pieces] * pieces, rel=5e-3)
    dead_ends = [data for node, data in graph.nodes(data=True) if graph.degree(node) == 2]
    assert len(dead_ends) == (2 if pieces == 2 else 0)
    assert not any(data["border"] for data in dead_ends)
    assert {data.get("osm_node") for data in dead_ends} <= {7}

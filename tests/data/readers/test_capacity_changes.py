"""Where a street changes between crossings: the node stays if the change lasts."""

from __future__ import annotations

import pytest

from data.readers import road_graph
from data.readers.osm import read_osm

WIDE = {"highway": "primary", "maxspeed": "50", "lanes": "4"}
NARROW = {"highway": "primary", "maxspeed": "50", "lanes": "2"}
SLOW = {"highway": "primary", "maxspeed": "30", "lanes": "4"}
LESSER = {"highway": "secondary", "maxspeed": "50", "lanes": "4"}


def _lengths(path):
    """Lengths of the links along the way as drawn, and how many links there are in all."""
    extract = read_osm(path)
    graph = road_graph.simplify(road_graph.raw_graph(extract)[0])
    ahead = [data for *_, data in graph.edges(data=True) if not data["reversed"]]
    return sorted(edge["length"] for edge in ahead), graph.number_of_edges()


@pytest.mark.parametrize("other", [NARROW, SLOW, LESSER])
def test_a_lasting_change_of_lanes_speed_or_class_keeps_its_node(write_osm, other):
    """300 m one way, 200 m another: two links in each direction."""
    nodes = {1: (0, 0), 2: (300, 0), 3: (500, 0)}
    lengths, count = _lengths(write_osm(nodes, [([1, 2], WIDE), ([2, 3], other)]))
    assert lengths == pytest.approx([200.0, 300.0], rel=5e-3)
    assert count == 4


def test_a_change_that_is_soon_over_keeps_none(write_osm):
    """A bus bay of 30 m in a street of 530 m."""
    nodes = {1: (0, 0), 2: (300, 0), 3: (330, 0), 4: (530, 0)}
    lengths, count = _lengths(write_osm(nodes, [([1, 2], NARROW), ([2, 3], WIDE), ([3, 4], NARROW)]))
    assert lengths == pytest.approx([530.0], rel=5e-3)
    assert count == 2


def test_a_bottleneck_of_some_length_is_a_link_of_its_own(write_osm):
    nodes = {1: (0, 0), 2: (300, 0), 3: (400, 0), 4: (600, 0)}
    lengths, _ = _lengths(write_osm(nodes, [([1, 2], WIDE), ([2, 3], NARROW), ([3, 4], WIDE)]))
    assert lengths == pytest.approx([100.0, 200.0, 300.0], rel=5e-3)


def test_a_change_in_one_direction_alone_keeps_the_node_for_both(write_osm):
    """Lanes grow from one to two along the way as drawn, and are one against it all the way."""
    one = {"highway": "primary", "lanes:forward": "1", "lanes:backward": "1"}
    two = {"highway": "primary", "lanes:forward": "2", "lanes:backward": "1"}
    lengths, count = _lengths(write_osm({1: (0, 0), 2: (300, 0), 3: (500, 0)}, [([1, 2], one), ([2, 3], two)]))
    assert lengths == pytest.approx([200.0, 300.0], rel=5e-3)
    assert count == 4


def test_the_same_lanes_in_both_directions_are_no_change(write_osm):
    """Two lanes ahead and one back on both ways: sets of values at a node would differ, directions do not."""
    tags = {"highway": "primary", "lanes:forward": "2", "lanes:backward": "1"}
    lengths, count = _lengths(write_osm({1: (0, 0), 2: (300, 0), 3: (500, 0)}, [([1, 2], tags), ([2, 3], tags)]))
    assert lengths == pytest.approx([500.0], rel=5e-3)
    assert count == 2


def test_no_node_stays_where_a_signal_would_come_to_govern_it(write_osm):
    """The street widens 10 m after a signal in the middle of the block."""
    nodes = {1: (0, 0), 5: (290, 0, {"highway": "traffic_signals"}), 2: (300, 0), 3: (500, 0)}
    lengths, _ = _lengths(write_osm(nodes, [([1, 5, 2], NARROW), ([2, 3], WIDE)]))
    assert lengths == pytest.approx([500.0], rel=5e-3)


def test_a_street_drawn_against_the_traffic_keeps_its_change_too(write_osm):
    """oneway=-1 on the second way: traffic runs 3 -> 2 -> 1 all along."""
    nodes = {1: (0, 0), 2: (300, 0), 3: (500, 0), 4: (0, 90), 5: (500, 90)}
    ways = [
        ([1, 2], {**WIDE, "oneway": "-1"}), ([3, 2], {**NARROW, "oneway": "yes"}),
        ([1, 4, 5, 3], {"highway": "residential"}),
    ]  # fmt: skip
    graph = road_graph.simplify(road_graph.raw_graph(read_osm(write_osm(nodes, ways)))[0])
    assert graph.has_edge(3, 2)
    assert graph.has_edge(2, 1)
    assert not graph.has_edge(1, 2)
    assert [part.lanes for part in graph.edges[2, 1, 0]["parts"]] == [4.0]

"""Turn restrictions: which movements they take away, what becomes of those that pairs of links cannot express."""

from __future__ import annotations

import osmnx as ox
import pytest

from data.readers import road_graph
from data.readers.osm import read_osm
from data.readers.restrictions import Restriction, read_restriction, restricted_turns

STREET = {"highway": "residential"}
#: Four arms around node 5; the arms' outer nodes are joined by a ring, so that nothing is cut off.
NODES = {1: (-200, 0), 2: (0, 200), 3: (200, 0), 4: (0, -200), 5: (0, 0)}
#: 100 west, 101 north, 102 east, 103 south, 104 the ring.
WAYS = [([1, 5], STREET), ([5, 2], STREET), ([5, 3], STREET), ([4, 5], STREET), ([1, 2, 3, 4, 1], STREET)]
WEST, NORTH, EAST, SOUTH = 100, 101, 102, 103


def _network(path):
    extract = read_osm(path)
    raw, cut = road_graph.raw_graph(extract)
    graph = road_graph.simplify(raw)
    road_graph.mark_border(graph, cut, extract.box)
    graph = ox.project_graph(road_graph.strongest(graph, road_graph.Dropped()))
    nodes, links = road_graph.tables(graph, {})
    return extract, nodes, links


def _moves(path, **kwargs):
    """Movements at node 5 as (way in, way out), and what became of the restrictions."""
    extract, nodes, links = _network(path)
    turns, counts = restricted_turns(links, nodes, extract.restrictions, **kwargs)
    via = int(nodes.loc[nodes["osmid"] == 5, "node_id"].iloc[0])
    way, end = links["osmid"].to_numpy(), links["to_node_id"].to_numpy()
    pairs = turns[["from_link_id", "to_link_id"]].to_numpy()
    moves = {(int(way[a].split(";")[-1]), int(way[b].split(";")[0])) for a, b in pairs if end[a] == via}
    return moves, {**extract.dropped_restrictions, **counts}


def _relation(kind, start, end, via=("node", 5), **tags):
    return ({"type": "restriction", "restriction": kind, **tags},
            [("from", "way", start), ("via", *via), ("to", "way", end)])  # fmt: skip


def test_a_forbidden_left_turn_is_gone_and_nothing_else(write_osm):
    """From the west a left turn leads north; of the twelve movements at the crossing one goes."""
    free, _ = _moves(write_osm(NODES, WAYS))
    assert len(free) == 12
    left, counts = _moves(write_osm(NODES, WAYS, relations=[_relation("no_left_turn", WEST, NORTH)]))
    assert free - left == {(WEST, NORTH)}
    assert left < free
    assert counts == {"applied": 1}


def test_only_straight_on_forbids_every_other_movement_from_there(write_osm):
    free, _ = _moves(write_osm(NODES, WAYS))
    left, _ = _moves(write_osm(NODES, WAYS, relations=[_relation("only_straight_on", WEST, EAST)]))
    assert free - left == {(WEST, NORTH), (WEST, SOUTH)}


@pytest.mark.parametrize(
    ("tags", "told"),
    [
        ({"except": "motorcar;psv"}, "cars are exempt"),
        ({"hour_on": "07:00", "hour_off": "09:00"}, "with conditions"),
    ],
)
def test_a_restriction_that_does_not_hold_for_cars_at_all_hours_is_told_and_left_out(write_osm, tags, told):
    moves, counts = _moves(write_osm(NODES, WAYS, relations=[_relation("no_left_turn", WEST, NORTH, **tags)]))
    assert (WEST, NORTH) in moves
    assert counts == {told: 1}


def test_a_restriction_that_exempts_buses_holds_for_cars(write_osm):
    moves, _ = _moves(write_osm(NODES, WAYS, relations=[_relation("no_left_turn", WEST, NORTH, **{"except": "psv"})]))
    assert (WEST, NORTH) not in moves


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"restriction:hgv": "no_left_turn"}, "for other vehicles"),
        ({"restriction:conditional": "no_left_turn @ (Mo-Fr 07:00-09:00)"}, "with conditions"),
        ({"restriction": "no_left_turn @ (07:00-09:00)"}, "with conditions"),
        ({"restriction": "no_thoroughfare"}, "unreadable"),
        ({}, "unreadable"),
    ],
)
def test_other_kinds_of_restriction_say_why_they_are_left_out(tags, expected):
    members = [("from", "w", 1), ("via", "n", 2), ("to", "w", 3)]
    assert read_restriction(7, {"type": "restriction", **tags}, members) == expected


def test_a_restriction_without_its_members_is_incomplete_and_one_for_cars_speaks_first():
    assert read_restriction(7, {"restriction": "no_left_turn"}, [("from", "w", 1)]) == "incomplete"
    members = [("from", "w", 1), ("via", "n", 2), ("to", "w", 3)]
    tags = {"restriction": "no_left_turn", "restriction:motorcar": "no_right_turn"}
    assert read_restriction(7, tags, members) == Restriction(7, "no_right_turn", (1,), (2,), (), (3,))


#: A dual carriageway (200 eastbound, 201 westbound, 30 m apart) joined by one short way that is entered from it alone.
DUAL_NODES = {1: (-300, 0), 2: (0, 0), 3: (300, 0), 11: (-300, 30), 12: (0, 30), 13: (300, 30)}
ONE = {"highway": "primary", "oneway": "yes"}
DUAL_WAYS = [
    ([1, 2], ONE), ([2, 3], ONE), ([13, 12], ONE), ([12, 11], ONE),  # 100, 101, 102, 103
    ([2, 12], {"highway": "primary_link", "oneway": "yes"}),  # 104
    ([3, 13], STREET), ([11, 1], STREET),  # 105, 106
]  # fmt: skip


def test_a_u_turn_over_a_short_way_is_forbidden_where_a_pair_of_links_expresses_it(write_osm):
    """Way 104 is entered from 100 alone and leads to 103 alone: without 100 -> 104 it is cut off, so that is lifted.

    With a further street (107) out of node 12, the pair 104 -> 103 goes and 104 -> 107 stays.
    """
    relation = _relation("no_u_turn", 100, 103, via=("way", 104))
    extract, nodes, links = _network(write_osm(DUAL_NODES, DUAL_WAYS, relations=[relation]))
    _, counts = restricted_turns(links, nodes, extract.restrictions)
    assert counts == {"applied": 1, "lifted": 1}
    more = {**DUAL_NODES, 20: (0, 300), 21: (-300, 300)}
    ways = [*DUAL_WAYS, ([12, 20], STREET), ([20, 21], STREET), ([21, 11], STREET)]
    extract, nodes, links = _network(write_osm(more, ways, relations=[relation]))
    turns, counts = restricted_turns(links, nodes, extract.restrictions)
    way = links["osmid"].to_numpy()
    after = {way[b] for a, b in turns[["from_link_id", "to_link_id"]].to_numpy() if way[a] == "104"}
    assert counts == {"applied": 1}
    assert "103" not in after
    assert len(after) == 1


def test_a_path_that_no_pair_expresses_is_told(write_osm):
    """West -> the arm to the north -> the ring: that arm is entered from three sides and left on two."""
    relation = _relation("no_left_turn", WEST, 104, via=("way", NORTH))
    _, counts = _moves(write_osm(NODES, WAYS, relations=[relation]))
    assert counts == {"no pair of links expresses it": 1}


def test_restrictions_that_would_cut_a_street_off_are_lifted_and_told(write_osm):
    """Nobody may turn into the arm to the north, a dead end: three forbidden pairs, all lifted."""
    ring = [1, 8, 9, 3, 4, 1]
    ways = [([1, 5], STREET), ([5, 2], STREET), ([5, 3], STREET), ([4, 5], STREET), (ring, STREET)]
    nodes = {**NODES, 2: (0, 150), 8: (-200, 300), 9: (200, 300)}
    relations = [_relation("no_left_turn", 100, 101), _relation("no_right_turn", 102, 101),
                 _relation("no_straight_on", 103, 101)]  # fmt: skip
    free, _ = _moves(write_osm(nodes, ways))
    moves, counts = _moves(write_osm(nodes, ways, relations=relations))
    assert counts == {"applied": 3, "lifted": 3}
    assert moves == free


def test_a_restriction_at_a_node_that_is_no_junction_is_told(write_osm):
    nodes = {**NODES, 6: (-100, 0)}
    ways = [([1, 6], STREET), ([5, 2], STREET), ([5, 3], STREET), ([4, 5], STREET), ([1, 2, 3, 4, 1], STREET),
            ([6, 5], STREET)]  # fmt: skip
    _, counts = _moves(write_osm(nodes, ways, relations=[_relation("no_u_turn", 100, 105, via=("node", 6))]))
    assert counts == {"no junction of the network": 1}

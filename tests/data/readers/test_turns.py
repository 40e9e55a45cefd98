"""Movements from link to link."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import pytest
from shapely.geometry import LineString

from data import toy
from data.readers.turns import LEFT_S, RIGHT_S, U_TURN_S, turns_of


def _town(ends, border=()):
    """Links between places on the plane, numbered in order."""
    places = sorted({point for pair in ends for point in pair})
    number = {point: k for k, point in enumerate(places)}
    links = gpd.GeoDataFrame(
        {
            "link_id": range(len(ends)),
            "from_node_id": [number[a] for a, _ in ends],
            "to_node_id": [number[b] for _, b in ends],
        },
        geometry=[LineString(pair) for pair in ends],
        crs="EPSG:3067",
    )
    nodes = pd.DataFrame({"node_id": range(len(places)), "border": [point in border for point in places]})
    return links, nodes


SOUTH, MIDDLE, WEST, EAST, NORTH = (0, -100), (0, 0), (-100, 0), (100, 0), (0, 100)


def test_angles_turn_left_positive_and_cost_by_the_streams_they_cross():
    links, nodes = _town([(SOUTH, MIDDLE), (MIDDLE, WEST), (MIDDLE, NORTH), (MIDDLE, EAST)])
    turns = turns_of(links, nodes)
    assert turns["to_link_id"].tolist() == [1, 2, 3]
    assert turns["angle_deg"].tolist() == pytest.approx([90.0, 0.0, -90.0])
    assert turns["penalty_s"].tolist() == [LEFT_S, 0.0, RIGHT_S]


def test_where_traffic_keeps_left_the_right_turn_is_the_dear_one():
    links, nodes = _town([(SOUTH, MIDDLE), (MIDDLE, WEST), (MIDDLE, EAST)])
    assert turns_of(links, nodes, drives_on_left=True)["penalty_s"].tolist() == [RIGHT_S, LEFT_S]


def test_a_dead_end_is_left_by_a_u_turn_and_a_crossing_is_not():
    links, nodes = _town([(SOUTH, MIDDLE), (MIDDLE, SOUTH), (MIDDLE, EAST), (EAST, MIDDLE)])
    pairs = turns_of(links, nodes)[["from_link_id", "to_link_id", "penalty_s"]].to_numpy().tolist()
    assert pairs == [[0, 2, 0 + RIGHT_S], [1, 0, U_TURN_S], [2, 3, U_TURN_S], [3, 1, LEFT_S]]


def test_at_the_border_one_may_turn_round():
    links, nodes = _town([(SOUTH, MIDDLE), (MIDDLE, SOUTH), (MIDDLE, EAST), (EAST, MIDDLE)], border={MIDDLE})
    pairs = set(map(tuple, turns_of(links, nodes)[["from_link_id", "to_link_id"]].to_numpy()))
    assert (0, 1) in pairs


def test_a_link_that_nothing_else_leads_into_is_entered_by_a_u_turn():
    """A two-way street meets a one-way street that only leads away: back into it one must turn round."""
    links, nodes = _town([(SOUTH, MIDDLE), (MIDDLE, SOUTH), (MIDDLE, EAST)])
    pairs = set(map(tuple, turns_of(links, nodes)[["from_link_id", "to_link_id"]].to_numpy()))
    assert pairs == {(0, 1), (0, 2), (1, 0)}


def test_the_toy_town_has_the_movements_that_it_lists_itself():
    nodes = toy.toy_nodes().assign(border=False)
    turns = turns_of(toy.toy_links(), nodes)
    expected = toy.toy_turns()
    pd.testing.assert_frame_equal(turns[["from_link_id", "to_link_id"]], expected[["from_link_id", "to_link_id"]])
    assert turns["angle_deg"].abs().to_numpy() == pytest.approx(expected["angle_deg"].abs().to_numpy(), abs=1e-6)

"""The toy town is what its docstring says."""

import numpy as np
import pytest

from data.schemas import LINKS, NODES, TURNS, ZONES, validate
from data.toy import toy_links, toy_nodes, toy_turns, toy_zones


@pytest.mark.parametrize("size", [3, 5, 7])
def test_a_grid_has_four_links_a_block_corner(size):
    """size x (size - 1) blocks each way, two directions, rows and columns: 4 size (size - 1) links."""
    links = validate(toy_links(size), LINKS)
    assert len(links) == 4 * size * (size - 1)
    assert links["link_id"].tolist() == list(range(len(links)))
    assert np.allclose(links.geometry.length, links["length_m"])
    assert len(validate(toy_nodes(size), NODES)) == size * size


def test_turns_leave_where_they_arrived_and_never_go_back():
    links, turns = toy_links().set_index("link_id"), validate(toy_turns(), TURNS)
    before, after = links.loc[turns["from_link_id"]], links.loc[turns["to_link_id"]]
    assert (before["to_node_id"].to_numpy() == after["from_node_id"].to_numpy()).all()
    assert (before["from_node_id"].to_numpy() != after["to_node_id"].to_numpy()).all()
    assert set(turns["angle_deg"].round()) == {-90.0, 0.0, 90.0}


def test_a_crossing_of_four_streets_has_twelve_turns():
    """Four arrivals with three ways on each: 12 at each of the 9 inner crossings; 6 at the 12 sides, 2 at 4 corners."""
    assert len(toy_turns()) == 9 * 12 + 12 * 6 + 4 * 2


def test_four_zones_cover_the_town():
    zones = validate(toy_zones(), ZONES)
    assert zones["area_m2"].sum() == pytest.approx(800.0**2)
    assert zones.union_all().area == pytest.approx(800.0**2)


def test_the_middle_street_is_wide_and_its_ends_are_gateways():
    nodes, links = toy_nodes(), toy_links()
    assert nodes.loc[nodes["border"], "node_id"].tolist() == [2, 10, 14, 22]
    assert nodes.loc[nodes["signal"], "node_id"].tolist() == [12]
    assert (links.loc[links["road_class"] == "primary", "lanes"] == 2).all()
    assert (links["road_class"] == "primary").sum() == 16

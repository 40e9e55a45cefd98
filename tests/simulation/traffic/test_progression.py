"""Which signal feeds which: a street with a side street between two signals, worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from simulation.traffic.intersections import find_intersections
from simulation.traffic.progression import COORDINATE_M, TurnFlows, ways_between

#: Signals at nodes 1 and 3, 300 m apart; node 2 between them has a side street but no signal. Links run east or north.
NODES = pd.DataFrame(
    [(0, -200.0, 0.0, False), (1, 0.0, 0.0, True), (2, 100.0, 0.0, False), (3, 300.0, 0.0, True),
     (4, 500.0, 0.0, False), (5, 0.0, -150.0, False), (6, 100.0, -150.0, False), (7, 300.0, -150.0, False),
     (8, 0.0, 150.0, False)],
    columns=["node_id", "x_m", "y_m", "signal"],
)  # fmt: skip
ENDS = [(0, 1), (1, 2), (2, 3), (3, 4), (5, 1), (6, 2), (7, 3), (1, 8)]
FLOW = np.array([0.3, 0.2, 0.25, 0.3, 0.1, 0.05, 0.05, 0.2])


def streets(nodes=NODES):
    at = nodes.set_index("node_id")[["x_m", "y_m"]]
    links = pd.DataFrame(ENDS, columns=["from_node_id", "to_node_id"])
    step = at.loc[links["to_node_id"]].to_numpy() - at.loc[links["from_node_id"]].to_numpy()
    return links.assign(link_id=np.arange(len(links)), length_m=np.hypot(*step.T), free_flow_speed_mps=10.0)


def test_flows_of_turns_share_the_flow_of_a_link_as_the_links_that_follow():
    """From the west (0.3 veh/s) half goes on east (0.2), half north (0.2): 0.15 each."""
    turns = TurnFlows(streets(), None, FLOW)
    found = {(int(a), int(b)): q for a, b, q in zip(turns.first, turns.second, turns.flow)}
    assert found[0, 1] == pytest.approx(0.15) and found[0, 7] == pytest.approx(0.15)
    assert turns.left_sign == 0.0


def test_a_way_follows_the_main_flow_back_to_the_signal_before():
    """To node 3 come 0.25 veh/s over node 2: of 0.2 from node 1 and 0.05 from the side street, so 0.8 of them.

    At node 1 they come 3 to 1 from the west (0.15) and the south (0.05); 300 m at 10 m/s are 30 s.
    """
    links = streets()
    sites = find_intersections(NODES, links)
    (way,) = ways_between(sites, links, TurnFlows(links, None, FLOW), NODES)
    assert (way.upstream, way.downstream) == (0, 1) and sites[1].approach[way.approach] == 2
    feeders = {int(sites[0].approach[k]): (share, travel) for k, share, travel in way.feeders}
    assert feeders == {0: pytest.approx((0.6, 30.0)), 4: pytest.approx((0.2, 30.0))}


def test_signals_too_far_apart_are_not_joined():
    nodes = NODES.assign(x_m=np.where(NODES["x_m"] >= 100, NODES["x_m"] + COORDINATE_M - 299.0, NODES["x_m"]))
    links = streets(nodes)
    assert ways_between(find_intersections(nodes, links), links, TurnFlows(links, None, FLOW), nodes) == []


def test_time_inside_an_intersection_counts():
    """The first signal has two nodes 20 m apart, joined by a link that takes 2 s: from the west 32 s, not 30 s."""
    nodes = pd.concat([NODES, pd.DataFrame([(9, -20.0, 0.0, True)], columns=NODES.columns)], ignore_index=True)
    links = streets()
    links = pd.concat(
        [links, pd.DataFrame({"from_node_id": [9], "to_node_id": [1], "link_id": [8], "length_m": [20.0],
                              "free_flow_speed_mps": [10.0]})], ignore_index=True,
    )  # fmt: skip
    links.loc[0, ["to_node_id", "length_m"]] = [9, 180.0]
    sites = find_intersections(nodes, links)
    (way,) = ways_between(sites, links, TurnFlows(links, None, np.append(FLOW, 0.3)), nodes)
    times = {int(sites[way.upstream].approach[k]): travel for k, _, travel in way.feeders}
    assert times == {0: pytest.approx(32.0), 4: pytest.approx(30.0)}

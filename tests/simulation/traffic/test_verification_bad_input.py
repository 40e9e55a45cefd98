"""Bad input: one error that names all faults and their cure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import SIGNALS, empty
from data.toy import toy_links, toy_nodes, toy_turns
from simulation.errors import NetworkError, RunError
from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.loading import Network, NodeTrips, simulate
from simulation.traffic.network import LinkArrays, no_junctions
from simulation.traffic.paths import Paths


def arrays(n=3, **changes):
    usual = {
        "length_m": 100.0, "lanes": 1.0, "speed_mps": 10.0, "capacity_veh_per_s": 0.5, "discharge_veh_per_s": 0.5,
        "jam_density_veh_per_m": 0.2, "cycle_s": 0.0, "green_start_s": 0.0, "green_s": 0.0,
    }  # fmt: skip
    fields = {name: np.full(n, value) for name, value in usual.items()}
    return LinkArrays(**{**fields, **{name: np.asarray(value, float) for name, value in changes.items()}})


LINE = (np.array([0, 1, 2]), np.array([1, 2, 3]))


def faults(call, error):
    with pytest.raises(error) as told:
        call()
    return str(told.value)


def test_all_faults_of_links_and_their_ends_are_one_error():
    bad = arrays(
        length_m=[0, 100, 2e6], speed_mps=[10, 500, 10], capacity_veh_per_s=[0.5, 0, 3.0],
        discharge_veh_per_s=[-1, 1, 1], jam_density_veh_per_m=[0.2, np.nan, 0.2], green_s=[-5, 0, 0],
    )  # fmt: skip
    said = faults(lambda: Network.from_arrays(bad, np.array([0, 1]), np.array([-1, 0, 1])), NetworkError)
    for words in (
        "length_m must be above 0; link 0 has 0 (1 such links)", "length_m must be at most 1e+06 m; link 2",
        "speed_mps must be at most 100 m/s (was it given in km/h?); link 1 has 500",
        "capacity_veh_per_s must be above 0; link 1", "discharge_veh_per_s must be above 0; link 0 has -1",
        "jam_density_veh_per_m must be above 0; link 1 has nan", "must exceed capacity / speed",
        "green_s must be at least 0", "from_node must have one node a link (3)",
        "to_node must have one node a link (3), at least 0",
    ):  # fmt: skip
        assert words in said, words


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"capacity_drop": np.array([0.0, 1.0, 0.0])}, "capacity_drop must be at least 0 and below 1; link 1 has 1"),
        ({"merge_weight": np.array([1.0, 0.0, 1.0])}, "merge_weight must be above 0; link 1 has 0"),
        ({"side_lanes": np.array([0, 0, -2])}, "side_lanes must be at least 0; link 2 has -2"),
        ({"lanes": np.ones(2)}, r"lanes has shape (2,); it needs one value a link, (3,)"),
        ({"junctions": replace(no_junctions(3), node=np.array([0, -1, -1], np.int32))}, "junctions.node must hold"),
        (
            {
                "junctions": replace(
                    no_junctions(3), yield_to=np.array([7], np.int32), yield_start=np.array([0, 1, 1, 1])
                )
            },
            "junctions.yield_to names links outside 0..2",
        ),
    ],
    ids=["drop", "weight", "side lanes", "shape", "junction", "yield"],
)
def test_an_engine_refuses_links_on_which_it_would_go_wrong(changes, words):
    bad = replace(arrays(), **changes)
    assert words in faults(lambda: TrafficEngine(bad, 1), NetworkError)
    if "shape" not in words:
        assert words in faults(lambda: TrafficEngine(arrays(), 1).set_links(bad), NetworkError)


def test_all_faults_of_all_tables_are_one_error():
    links = toy_links()
    links.loc[5, ["length_m", "free_flow_speed_mps"]] = [0.0, 130.0]
    links.loc[9, "to_node_id"] = 999
    signals = pd.DataFrame(
        {"link_id": [500], "node_id": [1], "cycle_s": [0.0], "green_start_s": [0.0], "green_s": [5.0]}
    )
    turns = toy_turns().assign(penalty_s=-1.0)
    said = faults(lambda: Network.from_tables(links, turns=turns, signals=signals, nodes=toy_nodes()), NetworkError)
    for words in (
        "length_m must be above 0; link 5 has 0", "free_flow_speed_mps must be at most 100 m/s (was it given in km/h?)",
        "to_node_id must be in the table of nodes; link 9 has 999", "signals name links outside 0..79: [500]",
        "cycle_s of signals must be above 0", "turn penalties must be finite and at least 0 s",
    ):  # fmt: skip
        assert words in said, words
    assert "column(s) lanes missing" in faults(
        lambda: Network.from_tables(toy_links().drop(columns="lanes")), NetworkError
    )
    assert "there is no link" in faults(lambda: Network.from_tables(toy_links().iloc[:0]), NetworkError)
    assert Network.from_tables(toy_links(), turns=toy_turns(), signals=empty(SIGNALS), nodes=toy_nodes()).n_nodes == 25


def test_all_faults_of_trips_and_options_are_one_error():
    net = Network.from_arrays(arrays(), *LINE)
    bad = NodeTrips(
        depart_s=np.array([5.0, -3.0, 1.0]), orig=np.array([0, 9, 1]), dest=np.array([0, 2, 3]),
        vehicle_class=np.array([0, 7, 0]),
    )  # fmt: skip
    said = faults(
        lambda: simulate(net, bad, until_s=-1.0, reroute_every_s=0.0, perceptions=0, newest=2.0, informed_share=1.5),
        RunError,
    )
    for words in (
        "trip 1 departs at -3 s", "sort them by depart_s", "orig runs from node 0 to 3; found 0 to 9", "vehicle_class",
        "1 trips end where they begin", "until_s=-1.0 must be at least 0", "reroute_every_s=0.0 must be above 0",
        "perceptions=0 must be at least 1", "newest=2.0", "informed_share=1.5 must be between 0 and 1",
    ):  # fmt: skip
        assert words in said, words
    assert "trip 1 has none" in faults(
        lambda: simulate(net, replace(bad, depart_s=np.array([1.0, np.nan, 2.0]))), RunError
    )


def test_trips_without_a_way_are_told_by_pair():
    """0 -> 1 -> 2 -> 3 apart from 4 -> 5; nobody leaves node 3 or 5."""
    net = Network.from_arrays(arrays(4), np.array([0, 1, 2, 4]), np.array([1, 2, 3, 5]))
    trips = lambda orig, dest: NodeTrips(  # noqa: E731
        depart_s=np.arange(len(orig), dtype=float), orig=np.array(orig), dest=np.array(dest)
    )
    said = faults(lambda: simulate(net, trips([0, 0, 4, 2, 0], [3, 5, 2, 1, 5])), RunError)
    assert "from node 0 to node 5 (2 trips), from node 2 to node 1 (1 trips), from node 4 to node 2 (1 trips)" in said
    assert "4 trips in all, the first is trip 1: leave these trips out, or add the missing links or turns" in said
    said = faults(lambda: simulate(net, trips([3, 5, 0], [1, 2, 4])), RunError)
    assert "no link leaves node(s) 3, 5, named by orig" in said and "no link leads to node(s) 4, named by dest" in said


def test_an_engine_refuses_what_would_lead_its_kernel_astray():
    """Tables too small for the trips, clocks that are no number, times that would stand still."""
    engine = TrafficEngine(arrays(), 2)
    zero = np.zeros(2, np.int64)
    trips = Trips(depart_s=np.array([1.0, 2.0]), origin_link=np.array([0, -4]), dest_row=zero + 1, layer=zero + 1,
                  vehicle_class=zero)  # fmt: skip
    engine.release(trips)
    table, first = np.full((2, 2, 3), -2, np.int32), np.zeros((2, 2, 3), np.int32)
    assert "next_link has shape (1, 2, 3); allowed is (2 or more layers, 2 destinations, 3 links)" in faults(
        lambda: engine.advance(10.0, table[:1]), RunError
    )
    assert "knows 2 origins; trips begin at origin 2" in faults(
        lambda: engine.advance(10.0, table, first_link=first[:, :, :2]), RunError
    )
    assert "cannot go back to nan s" in faults(lambda: engine.advance(np.nan, table, first_link=first), RunError)
    assert engine.advance(100.0, table, first_link=first) and engine.counts().arrived == 2
    said = faults(
        lambda: TrafficEngine(arrays(), 0, gate_fill=0.0, patience_s=0.0, jump_s=-1.0, start_s=np.inf), RunError
    )
    assert all(word in said for word in ("n_dest=0", "gate_fill=0.0", "patience_s=0.0", "jump_s=-1.0", "start_s=inf"))
    bad = replace(trips, layer=zero - 1, dest_row=zero + 2, depart_s=np.array([200.0, 150.0]), vehicle_class=zero + 9)
    said = faults(lambda: engine.release(bad), RunError)
    assert all(
        w in said for w in ("layers run from 0; found -1", "destinations run", "order of departure", "vehicle_class")
    )
    assert "found (1,)" in faults(lambda: engine.release(replace(trips, layer=zero[:1])), RunError)
    own = replace(trips, depart_s=np.array([200.0, 201.0]), origin_link=zero, paths=Paths.from_lists([[1], [0]]))
    assert "the path of trip 0 does not begin on its origin link" in faults(lambda: engine.release(own), RunError)

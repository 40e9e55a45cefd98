"""Skims: means of trips by hand; shortest ways against all ways of a small network."""

import itertools

import numpy as np
import pandas as pd
import pytest

from data.toy import toy_links, toy_turns, toy_zones
from simulation.errors import RunError
from simulation.traffic.network import turn_index
from simulation.traffic.outputs.skims import (
    experienced_skim,
    link_times,
    node_links,
    shortest_times,
    zone_access,
    zones_of_links,
)


def test_means_by_interval_and_pair():
    """Two trips 0 -> 1 in the first hour take 100 and 140 s; one of them arrives never; one 1 -> 0 in the second."""
    skim = experienced_skim(
        np.array([100.0, 140.0, np.nan, 50.0, 70.0]), np.array([0.0, 3599.0, 10.0, 3600.0, 7200.0]),
        np.array([0, 0, 0, 1, 1]), np.array([1, 1, 1, 0, 0]), places=2, edges_s=np.array([0.0, 3600.0, 7200.0]),
    )  # fmt: skip
    assert skim.time_s.shape == (2, 2, 2) and skim.time_s[0, 0, 1] == 120.0 and skim.trips[0, 0, 1] == 2
    assert skim.time_s[1, 1, 0] == 50.0 and np.isnan(skim.time_s).sum() == 6
    table = skim.to_table(["A", "B"])
    assert table.to_numpy().tolist() == [["A", "B", 0.0, 120.0, 2], ["B", "A", 3600.0, 50.0, 1]]


def test_impossible_skims_are_refused():
    """All faults in one text."""
    with pytest.raises(RunError) as error:
        experienced_skim(np.ones(2), np.ones(2), np.array([0, 5]), np.array([-2, 0]), places=3, edges_s=np.array([1.0]))
    for words in ("origins run from 0 to 5", "destinations run from -2 to 0", "edges_s must hold two"):
        assert words in str(error.value)


def test_link_times_are_those_of_who_entered_then(make_log):
    """Link 0: 20 and 30 s entered in the first minute, nobody in the second; link 1 is free."""
    log = make_log((0, 0, 0.0), (1, 0, 10.0), (0, 1, 20.0), (1, 1, 40.0), (2, 0, 130.0))
    times = link_times(log, np.array([0.0, 60.0, 120.0]), free_time_s=np.array([9.0, 8.0]))
    assert times.tolist() == [[25.0, 8.0], [9.0, 8.0]]


def all_ways(cost, turns, starts, ends):
    """Least cost over every simple way, by trying all."""
    after = {}
    for row in turns.itertuples():
        after.setdefault(row.from_link_id, []).append((row.to_link_id, row.penalty_s))

    def go(link, seen):
        found = cost[link] if link in ends else np.inf
        for then, penalty in after.get(link, ()):
            if then not in seen:
                found = min(found, cost[link] + penalty + go(then, seen | {then}))
        return found

    return min((go(link, {link}) for link in starts), default=np.inf)


@pytest.mark.parametrize("seed", range(3))
def test_shortest_times_equal_the_best_of_all_ways(seed):
    """The 3 x 3 toy town with random times and turn penalties, some turns banned, from every node to every node."""
    rng = np.random.default_rng(seed)
    links = toy_links(3)
    turns = toy_turns(3)
    turns = turns[rng.random(len(turns)) < 0.8].reset_index(drop=True)
    turns["penalty_s"] = rng.choice([0.0, 5.0], len(turns))
    cost = rng.uniform(1.0, 30.0, len(links))
    start, end = links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy()
    nodes = np.arange(9)
    found = shortest_times(cost, turn_index(turns, len(links)), *node_links(nodes, start, end))
    for a, b in itertools.product(nodes, nodes):
        best = all_ways(cost, turns, set(np.flatnonzero(start == a)), set(np.flatnonzero(end == b)))
        assert found[a, b] == pytest.approx(best, abs=1e-6) if np.isfinite(best) else np.isnan(found[a, b])


def test_no_way_is_nan_and_a_closed_link_is_gone_around():
    """Links 0 -> 1 and, the other way, 0 -> 2 -> 1's end; without turns back no way leads from 1 to 0."""
    turns = pd.DataFrame({"from_link_id": [0, 0, 2], "to_link_id": [1, 2, 3], "penalty_s": 0.0})
    index = turn_index(turns, 4)
    at = [np.array([0]), np.array([1, 3])]
    assert shortest_times(np.array([1.0, 2.0, 3.0, 4.0]), index, at, at)[0, 1] == pytest.approx(3.0)
    shut = shortest_times(np.array([1.0, np.inf, 3.0, 4.0]), index, at, at)
    assert shut[0, 1] == pytest.approx(8.0) and np.isnan(shut[1, 0]) and shut[0, 0] == pytest.approx(1.0)
    with pytest.raises(RunError, match="link 1 has 0 s"):
        shortest_times(np.array([1.0, 0.0, 3.0, 4.0]), index, at, at)
    with pytest.raises(RunError, match="links run from 0 to 3"):
        shortest_times(np.ones(4), index, np.array([7]), np.array([0]))


def test_each_zone_is_stood_for_by_a_link_near_its_middle():
    """Toy town: zones are 400 m squares with the links of their middle streets through the centroid."""
    links, zones = toy_links(), toy_zones()
    middle = links.geometry.interpolate(0.5, normalized=True)
    home = [zones["zone_id"][zones.distance(point).argmin()] for point in middle]
    link_zone = pd.DataFrame({"link_id": links["link_id"], "zone_id": home, "share": 1.0})
    chosen = zone_access(link_zone, links, zones, np.ones(len(links), bool))
    away = middle.iloc[chosen].distance(zones.geometry.centroid, align=False)
    assert (away <= 100.0 + 1e-6).all()
    assert zone_access(link_zone, links, zones, np.zeros(len(links), bool)).tolist() == [-1] * 4


def test_a_link_belongs_to_the_zone_that_holds_most_of_it():
    """Link 0 in B by 0.6, link 1 in both by half (the first zone counts), link 2 in none."""
    link_zone = pd.DataFrame({"link_id": [0, 0, 1, 1], "zone_id": ["A", "B", "B", "A"], "share": [0.4, 0.6, 0.5, 0.5]})
    zones = pd.DataFrame({"zone_id": ["A", "B"]})
    assert zones_of_links(link_zone, zones, 3).tolist() == [1, 0, -1]

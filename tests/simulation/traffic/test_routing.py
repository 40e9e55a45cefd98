"""Routes: shortest by known times, steady against small changes, spread by perception."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import SIGNALS, empty
from data.toy import toy_links, toy_turns
from simulation.traffic.network import LinkArrays, link_arrays, turn_index
from simulation.traffic.routing import Routes, free_times

LINKS, TURNS = toy_links(), toy_turns()
ARRAYS = link_arrays(LINKS, empty(SIGNALS))
N = len(LINKS)


def routes(dest=(0, 33), closed=None, seed=1, **kw):
    closed = np.zeros((1, N), bool) if closed is None else closed
    made = Routes(ARRAYS, turn_index(TURNS, N), np.array(dest), closed, seed=seed, **kw)
    made.update()
    return made


def path(next_link, start, dest, limit=N):
    way = [start]
    while way[-1] != dest:
        assert len(way) <= limit
        way.append(int(next_link[way[-1]]))
    return way


@given(cost=st.lists(st.integers(1, 100), min_size=N, max_size=N), dest=st.integers(0, N - 1))
@settings(max_examples=25, deadline=None)
def test_trees_agree_with_dijkstra_of_networkx(cost, dest):
    """Time from the end of a link to the end of the destination: the costs of the links behind it."""
    one = routes((dest,), perceptions=1, perception_sd=0.0)
    one.known_s[0] = cost
    one.set_closed(np.zeros((2, N), bool)[:1])
    one._order[:] = -1
    one.update()
    graph = nx.DiGraph()
    graph.add_weighted_edges_from((b, a, cost[b]) for a, b in zip(TURNS["from_link_id"], TURNS["to_link_id"]))
    expected = nx.single_source_dijkstra_path_length(graph, dest)
    assert one.time_to()[0] == pytest.approx([expected[link] for link in range(N)])
    for start in range(N):
        way = path(one.next_link[0, 0], start, dest)
        assert sum(cost[link] for link in way[1:]) == pytest.approx(expected[start])


def test_every_step_of_a_route_is_an_allowed_turn():
    allowed = set(zip(TURNS["from_link_id"], TURNS["to_link_id"]))
    made = routes()
    for layer in made.next_link:
        for row, dest in enumerate(made.dest_link):
            for link in np.flatnonzero(np.arange(N) != dest):
                assert (link, int(layer[row, link])) in allowed


def test_a_small_change_turns_nobody_and_a_large_one_does():
    """Bounded rationality: 1 s more changes no way, 600 s more do."""
    made = routes(perceptions=1)
    before = made.next_link.copy()
    way = path(made.next_link[0, 1], 0, 33)
    made.known_s[0, way[2]] += 1.0
    assert made.update() == 0 and np.array_equal(made.next_link, before)
    made.known_s[0, way[2]] += 600.0
    assert made.update() > 0
    assert way[2] not in path(made.next_link[0, 1], 0, 33)


def test_a_closed_link_is_avoided_by_its_group_alone():
    way = path(routes(perceptions=1).next_link[0, 1], 0, 33)
    closed = np.zeros((2, N), bool)
    closed[1, way[1]] = True
    made = routes(closed=closed, perceptions=1)
    assert path(made.next_link[made.layer(0, 0), 1], 0, 33) == way
    assert way[1] not in path(made.next_link[made.layer(0, 1), 1], 0, 33)


def test_two_equal_ways_are_shared_by_perception():
    """0 leads to 3 by 1 or by 2, equal in everything. Three perceptions in 300 cities: 900 fair coins.

    Standard deviation 15; four of them allow 450 +- 60.
    """
    arrays = LinkArrays(**{name: getattr(ARRAYS, name)[:4] * 0 + getattr(ARRAYS, name)[0] for name in ARRAYS.__slots__})
    turns = pd.DataFrame({"from_link_id": [0, 0, 1, 2], "to_link_id": [1, 2, 3, 3], "angle_deg": 0.0, "penalty_s": 0.0})
    index, upper = turn_index(turns, 4), 0
    for seed in range(300):
        made = Routes(arrays, index, np.array([3]), np.zeros((1, 4), bool), seed=seed)
        made.update()
        upper += int((made.next_link[:, 0, 0] == 1).sum())
    assert 390 <= upper <= 510


def test_a_turn_penalty_counts():
    """Two ways of 20 s each; 9 s for the turn into the first: the second is taken, and its time is 20 s."""
    turns = pd.DataFrame(
        {"from_link_id": [0, 0, 1, 2], "to_link_id": [1, 2, 3, 3], "angle_deg": 0.0, "penalty_s": [9.0, 0.0, 0.0, 0.0]}
    )
    arrays = LinkArrays(**{name: getattr(ARRAYS, name)[:4] * 0 + getattr(ARRAYS, name)[0] for name in ARRAYS.__slots__})
    made = Routes(
        arrays, turn_index(turns, 4), np.array([3]), np.zeros((1, 4), bool), seed=1, perceptions=1, perception_sd=0.0
    )
    made.known_s[:] = 10.0
    made.update()
    assert made.next_link[0, 0, 0] == 2 and made.time_to()[0, 0] == 20.0


def test_loading_puts_every_vehicle_on_its_whole_way():
    """100 vehicles from link 0 to link 33: 100 on each link of the way, none elsewhere."""
    made = routes(perceptions=1)
    starts = np.zeros((2, N))
    starts[1, 0] = 100.0
    flow = made.load(starts)
    way = path(made.next_link[0, 1], 0, 33)
    assert flow[way] == pytest.approx(100.0) and flow.sum() == pytest.approx(100.0 * len(way))


def test_what_cannot_be_reached_is_known():
    turns = TURNS[TURNS["to_link_id"] != 33]
    made = Routes(ARRAYS, turn_index(turns, N), np.array([33]), np.zeros((1, N), bool), seed=1)
    made.update()
    assert made.reachable().sum() == 1 and made.reachable()[0, 33]
    assert np.isinf(made.time_to()[0, 0]) and made.next_link[0, 0, 0] == -1


def test_known_times_never_fall_below_free_flow_and_move_towards_the_newest():
    """0.6 x 100 s + 0.4 x 20 s = 68 s for the perception that trusts news most."""
    made = routes(perceptions=3)
    made.known_s[:] = 20.0
    made.learn(np.full(N, 100.0), np.full(N, 24.0), [2])
    assert made.known_s[2] == pytest.approx(68.0) and (made.known_s[:2] == 20.0).all()
    made.learn(np.zeros(N), np.full(N, 24.0), [0])
    assert (made.known_s[0] == 24.0).all()


def test_perceptions_look_every_4_2_and_1_intervals():
    made = routes(perceptions=3)
    assert [made.looking(step) for step in range(1, 5)] == [[2], [1, 2], [2], [0, 1, 2]]


def test_free_times_hold_the_mean_wait_at_a_red_light():
    """80 s cycle with 30 s of green: 50^2 / 160 = 15.625 s on average."""
    arrays = LinkArrays(
        **{
            **{n: getattr(ARRAYS, n) for n in ARRAYS.__slots__},
            "cycle_s": np.full(N, 80.0),
            "green_s": np.full(N, 30.0),
        }
    )
    assert free_times(arrays) - ARRAYS.length_m / ARRAYS.speed_mps == pytest.approx(15.625)


def test_routes_go_on_from_their_state():
    one, other = routes(seed=5), routes(seed=5)
    for made in (one,):
        made.learn(np.linspace(10, 300, N), np.full(N, 1.0), [0, 1, 2])
        made.update()
    other.restore(one.state())
    for made in (one, other):
        made.learn(np.linspace(200, 5, N), np.full(N, 1.0), [1])
        made.update()
    assert one.next_link.tobytes() == other.next_link.tobytes() and one.known_s.tobytes() == other.known_s.tobytes()

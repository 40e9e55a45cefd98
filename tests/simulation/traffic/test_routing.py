"""Routes: shortest by known times, steady against small changes, spread by perception."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.schemas import SIGNALS, empty
from data.toy import toy_links, toy_turns
from simulation.errors import NetworkError
from simulation.traffic.network import LinkArrays, link_arrays, turn_index
from simulation.traffic.routing import Routes, free_times, rows_in_use
from simulation.traffic.routing_kernels import END, NONE

LINKS, TURNS = toy_links(), toy_turns()
ARRAYS = link_arrays(LINKS, empty(SIGNALS))
N = len(LINKS)


def routes(dest=(0, 33), closed=None, seed=1, **kw):
    closed = np.zeros((1, N), bool) if closed is None else closed
    made = Routes(ARRAYS, turn_index(TURNS, N), np.array(dest), closed, seed=seed, **kw)
    made.update()
    return made


def four_equal_links():
    values = {name: getattr(ARRAYS, name) for name in ARRAYS.__slots__}
    same = {name: np.full(4, value[0]) for name, value in values.items() if isinstance(value, np.ndarray)}
    return LinkArrays(**{**same, "key": np.arange(4, dtype=np.uint64)})


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
    one.switch_share = one.switch_s = 0.0
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
    arrays = four_equal_links()
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
    arrays = four_equal_links()
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


# --- sets of destinations and origins, ties, repair ---------------------------------------------------------------


def network(ends, cost, *, key=None):
    """Arrays and turns of links from (a, b) pairs of nodes with a cost in s each: 1 m/s, so lengths are costs."""
    n = len(ends)
    start, stop = np.array([a for a, _ in ends]), np.array([b for _, b in ends])
    ones = np.ones(n)
    arrays = LinkArrays(
        length_m=np.asarray(cost, float), lanes=ones, speed_mps=ones, capacity_veh_per_s=ones, discharge_veh_per_s=ones,
        jam_density_veh_per_m=2 * ones, cycle_s=0 * ones, green_start_s=0 * ones, green_s=0 * ones,
        key=None if key is None else np.asarray(key, dtype=np.uint64),
    )  # fmt: skip
    a, b = np.nonzero((stop[:, None] == start[None, :]) & (start[:, None] != stop[None, :]))
    turns = pd.DataFrame({"from_link_id": a, "to_link_id": b, "angle_deg": 0.0, "penalty_s": 0.0})
    return arrays, turn_index(turns, n)


def exact(arrays, turns, dest_link, seed=1, **options):
    """Routes of drivers who know all and always take the best."""
    n = arrays.length_m.size
    return Routes(
        arrays, turns, np.asarray(dest_link), np.zeros((1, n), bool), seed=seed, perceptions=1, perception_sd=0.0,
        switch_share=0.0, switch_s=0.0, **options,
    )  # fmt: skip


def grid(k, rng, *, cost=None):
    """Both directions of every street of a k x k grid, in a random order of links, and where each came from."""
    node = np.arange(k * k).reshape(k, k)
    pairs = [(a, b) for x, y in ((node[:-1], node[1:]), (node[:, :-1], node[:, 1:])) for a, b in zip(x.flat, y.flat)]
    ends = [*pairs, *[(b, a) for a, b in pairs]]
    order = rng.permutation(len(ends))
    return [ends[i] for i in order], order


def test_a_destination_may_be_a_set_of_links():
    """0 forks into 1 (3 s) and 2 (5 s), both into the destination's node: the way ends on 1, and 2 ends there too."""
    arrays, turns = network([(0, 1), (1, 2), (1, 2)], [1.0, 3.0, 5.0])
    made = exact(arrays, turns, [1, 2], dest_start=np.array([0, 2]))
    made.update()
    assert made.next_link[0, 0].tolist() == [1, END, END]
    assert made.time_to()[0].tolist() == [3.0, 0.0, 0.0]


def test_the_first_link_of_a_trip_is_the_best_of_its_origin():
    """From node 0 by link 0 (1 + 3 = 4 s) or straight by link 2 (5 s); to a node that nobody reaches, none."""
    arrays, turns = network([(0, 1), (1, 2), (0, 2), (3, 0)], [1.0, 3.0, 5.0, 1.0])
    made = exact(
        arrays, turns, [1, 2, 3], dest_start=np.array([0, 2, 3]), origin_start=np.array([0, 2]),
        origin_link=np.array([0, 2]),
    )  # fmt: skip
    made.update()
    assert made.first_link[0].tolist() == [[0], [-1]]


@pytest.mark.parametrize("moved", [0.02, 0.6], ids=["repaired", "made anew"])
def test_trees_that_were_kept_up_to_date_equal_trees_made_at_once(moved):
    """Ten changes of some or most costs, up and down: labels equal those of fresh trees to the last bits."""
    rng = np.random.default_rng(5)
    ends, _ = grid(9, rng)
    arrays, turns = network(ends, rng.uniform(5, 50, len(ends)))
    kept = exact(arrays, turns, np.arange(0, len(ends), 17))
    kept.update()
    for _ in range(10):
        kept.known_s[0] *= np.where(rng.random(len(ends)) < moved, rng.uniform(0.3, 3.0, len(ends)), 1.0)
        assert kept.update() > 0
        fresh = exact(arrays, turns, kept.dest_link)
        fresh.known_s[0] = kept.known_s[0]
        fresh.update()
        assert kept.time_to() == pytest.approx(fresh.time_to(), rel=1e-12)


def test_equal_ways_are_told_apart_by_name_and_seed_not_by_number():
    """A grid of equal streets: the same streets numbered anew give the same ways; other seeds give others.

    A step from corner to corner of a 7 x 7 grid has many equal ways, so two seeds seldom agree on all links.
    """
    rng = np.random.default_rng(2)
    ends, _ = grid(7, rng)
    key = rng.integers(1, 2**63, len(ends))
    again = rng.permutation(len(ends))

    def ways(order, seed):
        arrays, turns = network([ends[i] for i in order], np.full(len(ends), 10.0), key=key[order])
        made = exact(arrays, turns, [int(np.flatnonzero(order == 0)[0])], seed=seed)
        made.update()
        following = np.full(len(ends), NONE)
        following[order] = np.where(made.next_link[0, 0] >= 0, order[made.next_link[0, 0]], NONE)
        return following

    same = np.arange(len(ends))
    assert np.array_equal(ways(same, 1), ways(again, 1))
    assert not np.array_equal(ways(same, 1), ways(same, 2))


def test_perception_goes_by_the_name_of_a_link():
    """The same streets numbered anew: everybody drives the same streets."""
    rng = np.random.default_rng(3)
    ends, _ = grid(6, rng)
    key, cost, again = rng.integers(1, 2**63, len(ends)), rng.uniform(5, 50, len(ends)), rng.permutation(len(ends))

    def ways(order):
        arrays, turns = network([ends[i] for i in order], cost[order], key=key[order])
        dest = np.array([np.flatnonzero(order == 0)[0]])
        made = Routes(arrays, turns, dest, np.zeros((1, len(ends)), bool), seed=4)
        made.update()
        following = np.full((3, len(ends)), NONE)
        following[:, order] = np.where(made.next_link[:, 0] >= 0, order[made.next_link[:, 0]], NONE)
        return following

    assert np.array_equal(ways(np.arange(len(ends))), ways(again))


def test_only_destinations_in_use_are_looked_at_and_only_when_costs_move():
    arrays, turns = network([(0, 1), (1, 2), (1, 2), (2, 3)], [1.0, 3.0, 5.0, 1.0])
    made = exact(arrays, turns, [3, 2])
    assert made.update(in_use=np.array([True, False])) == 1
    assert made.next_link[0, 1].tolist() == [NONE] * 4 and made.next_link[0, 0].tolist() == [1, 3, 3, END]
    assert made.update() == 1 and made.next_link[0, 1].tolist() == [2, NONE, END, NONE]
    assert made.update() == 0
    made.known_s[0, 1] = 9.0
    made.update(in_use=np.array([False, True]))
    assert made.next_link[0, 0, 0] == 1
    assert made.update() == 1 and made.next_link[0, 0, 0] == 2
    assert rows_in_use([0, 1, 1], [2, 0, 0], n_layers=2, n_destinations=3).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_paths_are_the_ways_of_the_table():
    made = routes(perceptions=2)
    starts = np.array([0, 5, 33, 7])
    paths = made.paths(np.array([0, 1, 0, 1]), starts, np.array([1, 0, 1, 1]))
    for i, (layer, row) in enumerate([(0, 1), (1, 0), (0, 1), (1, 1)]):
        assert paths[i].tolist() == path(made.next_link[layer, row], starts[i], made.dest_link[row])
    assert paths[2].tolist() == [33]
    assert paths.take(np.array([2, 0]))[1].tolist() == paths[0].tolist()


def test_a_path_that_leads_nowhere_is_empty():
    arrays, turns = network([(0, 1), (2, 3)], [1.0, 1.0])
    made = exact(arrays, turns, [1])
    made.update()
    assert np.diff(made.paths([0, 0], [0, 1], [0, 0]).start).tolist() == [0, 1]


def test_a_charge_counts_as_time_and_only_for_its_group():
    """Ways of 3 s and 5 s; 2.5 s worth of toll on the first turns the group that pays it."""
    arrays, turns = network([(0, 1), (1, 2), (1, 2), (2, 3)], [1.0, 3.0, 5.0, 1.0])
    charge = np.zeros((2, 4))
    charge[1, 1] = 2.5
    made = Routes(
        arrays, turns, np.array([3]), np.zeros((2, 4), bool), seed=1, perceptions=1, perception_sd=0.0, charge_s=charge
    )
    made.update()
    assert made.next_link[made.layer(0, 0), 0, 0] == 1 and made.next_link[made.layer(0, 1), 0, 0] == 2


def test_impossible_destinations_are_named_at_once():
    arrays, turns = network([(0, 1), (1, 2)], [1.0, 1.0])
    with pytest.raises(NetworkError, match=r"destinations.*1 have no link, first destination 1.*found \[7\]"):
        exact(arrays, turns, [1, 7], dest_start=np.array([0, 2, 2]))

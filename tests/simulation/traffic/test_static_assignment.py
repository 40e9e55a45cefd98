"""Static user equilibrium: closed forms, what must hold of every network, and published solutions."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from simulation.errors import DemandError, NetworkError, RunError
from simulation.traffic.bpr import Bpr, system_optimum_time
from simulation.traffic.static_assignment import assign, static_equilibrium
from simulation.traffic.static_assignment_network import StaticNetwork, UserClass, fixed_cost
from simulation.traffic.static_assignment_problems import beckmann_objective, tntp_problem


def lines(ends, free, growth):
    """Network of links with times `free + growth x flow`."""
    free, growth = np.array(free, float), np.array(growth, float)
    time = Bpr(free_time=free, capacity=np.ones(free.size), alpha=growth / free, power=np.ones(free.size))
    return StaticNetwork.of(*np.array(ends).T, time)


def trips(*rows):
    """OD table of rows (from, to, flow) or (from, to, flow, class)."""
    names = ["origin_node_id", "dest_node_id", "flow", "user_class"]
    return pd.DataFrame(rows, columns=names[: len(rows[0])])


def braess(*, bridge):
    """1 to 2 over 3 or 4: 10 q on the two narrow links, 50 + q on the two wide, 10 + q on the bridge from 3 to 4."""
    ends = [(1, 3), (1, 4), (3, 2), (4, 2), (3, 4)]
    n = 5 if bridge else 4
    return lines(ends[:n], [1e-9, 50, 50, 1e-9, 10][:n], [10, 1, 1, 10, 1][:n])


def grid(side=6, seed=3, power=4.0):
    """A square grid with two-way streets of random times and capacities, and random trips between its corners."""
    rng = np.random.default_rng(seed)
    node = np.arange(side * side).reshape(side, side)
    pairs = np.concatenate([np.stack([node[:, :-1], node[:, 1:]], -1).reshape(-1, 2),
                            np.stack([node[:-1], node[1:]], -1).reshape(-1, 2)])  # fmt: skip
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    n = len(ends)
    time = Bpr(free_time=rng.uniform(20, 60, n), capacity=rng.uniform(0.2, 0.8, n), alpha=np.array(0.15),
               power=np.array(power))  # fmt: skip
    od = pd.DataFrame(rng.integers(0, side * side, (60, 2)), columns=["origin_node_id", "dest_node_id"])
    return ends, time, od.assign(flow=rng.uniform(0.01, 0.08, 60))


# --- closed forms ----------------------------------------------------------------------------------------------------


def test_two_routes_share_until_they_cost_the_same():
    """10 + x = 15 + (20 - x) / 2: x = 10, both cost 20; objective 100 + 50 + 150 + 25 = 325."""
    result = assign(lines([(1, 2), (1, 2)], [10, 15], [1, 0.5]), trips((1, 2, 20.0)), gap=1e-12)
    assert result.flow == pytest.approx([10.0, 10.0], rel=1e-9)
    assert result.time == pytest.approx([20.0, 20.0], rel=1e-9)
    assert result.objective == pytest.approx(325.0, rel=1e-12)
    assert result.total_cost == pytest.approx(400.0) and result.od_cost == pytest.approx([20.0])
    assert result.converged


def test_a_route_that_is_never_worth_it_stays_empty():
    """10 + 4 = 14 is below 15: all 4 take the first."""
    result = assign(lines([(1, 2), (1, 2)], [10, 15], [1, 0.5]), trips((1, 2, 4.0)))
    assert result.flow.tolist() == [4.0, 0.0]


def test_a_toll_moves_drivers_to_the_free_route():
    """10 + x + 4 = 10 + (10 - x): x = 3. The toll of 2 EUR weighs 2 s/EUR."""
    toll = UserClass(fixed=fixed_cost(toll=np.array([2.0, 0.0]), time_per_toll=2.0))
    result = assign(lines([(1, 2), (1, 2)], [10, 10], [1, 1]), trips((1, 2, 10.0)), classes=[toll], gap=1e-12)
    assert result.flow == pytest.approx([3.0, 7.0], rel=1e-9)


def test_classes_with_other_values_of_time_take_other_routes():
    """The toll weighs 1 and 4: with 5 each, 10 + xA + 1 = 10 + xB for the first: 4.5 of them pay, none of the others.

    xA = 4.5, xB = 5.5: the first class pays 15.5 either way; the second would pay 18.5 instead of 15.5.
    """
    network = lines([(1, 2), (1, 2)], [10, 10], [1, 1])
    classes = [UserClass(name="quick", fixed=np.array([1.0, 0.0])), UserClass(name="thrifty", fixed=np.array([4.0, 0]))]
    result = assign(network, trips((1, 2, 5.0, "quick"), (1, 2, 5.0, "thrifty")), classes=classes, gap=1e-12)
    assert result.class_flow == pytest.approx(np.array([[4.5, 0.5], [0.0, 5.0]]), abs=1e-9)
    assert result.flow == pytest.approx([4.5, 5.5])
    assert result.od_cost == pytest.approx([15.5, 15.5])
    assert result.link_table()["flow_quick"].to_numpy() == pytest.approx([4.5, 0.5])


def test_a_banned_class_goes_round():
    """Lorries may not use the short link: 1-2 over 3 at 20 + 20, cars keep it."""
    network = lines([(1, 2), (1, 3), (3, 2)], [10, 20, 20], [0.01, 0.01, 0.01])
    lorry = UserClass(name="lorry", banned=np.array([True, False, False]))
    od = trips((1, 2, 3.0, "car"), (1, 2, 2.0, "lorry"))
    result = assign(network, od, classes=[UserClass(name="car"), lorry])
    assert result.class_flow.tolist() == [[3.0, 0.0, 0.0], [0.0, 2.0, 2.0]]


def test_braess_a_new_link_makes_everybody_slower():
    """With it 2 + 2 + 2: 10 x 4 + 50 + 2 = 92 on each route; without it 3 + 3: 10 x 3 + 50 + 3 = 83."""
    with_bridge = assign(braess(bridge=True), trips((1, 2, 6.0)), gap=1e-12)
    assert with_bridge.flow == pytest.approx([4.0, 2.0, 2.0, 4.0, 2.0], rel=1e-8)
    assert with_bridge.od_cost == pytest.approx([92.0])
    shares = with_bridge.route_shares()
    assert shares["flow"].to_numpy() == pytest.approx([2.0, 2.0, 2.0], rel=1e-8)
    without = assign(braess(bridge=False), trips((1, 2, 6.0)), gap=1e-12)
    assert without.flow == pytest.approx([3.0, 3.0, 3.0, 3.0])
    assert without.od_cost == pytest.approx([83.0])


def test_the_system_optimum_leaves_the_new_link_empty():
    """Marginal costs at 3 + 3: outer 20 x 3 + 50 + 2 x 3 = 116, bridge 60 + 60 + 10 = 130: not worth it; 6 x 83."""
    network = braess(bridge=True)
    optimum = assign(
        StaticNetwork.of(*network.link_ends.T, system_optimum_time(network.time)), trips((1, 2, 6.0)), gap=1e-12
    )
    assert optimum.flow == pytest.approx([3.0, 3.0, 3.0, 3.0, 0.0])
    assert (network.time.time(optimum.flow) * optimum.flow).sum() == pytest.approx(498.0)


def test_marginal_cost_tolls_bring_the_system_optimum():
    """Pigou: times 1 and q, flow 1. All take the second; a toll of q dt/dq = 0.5 leaves half of them there."""
    time = Bpr(free_time=np.array([1.0, 1e-9]), capacity=np.ones(2), alpha=np.array([0.0, 1e9]), power=np.ones(2))
    network = StaticNetwork.of(np.array([1, 1]), np.array([2, 2]), time)
    assert assign(network, trips((1, 2, 1.0)), gap=1e-12).flow == pytest.approx([0.0, 1.0], abs=1e-6)
    toll = UserClass(fixed=np.array([0.0, 0.5]))
    assert assign(network, trips((1, 2, 1.0)), classes=[toll], gap=1e-12).flow == pytest.approx([0.5, 0.5], rel=1e-6)


def test_parallel_links_alike_share_evenly():
    """Three equal links, 9 in all: 3 each."""
    result = assign(lines([(1, 2)] * 3, [10] * 3, [1] * 3), trips((1, 2, 9.0)), gap=1e-12)
    assert result.flow == pytest.approx([3.0, 3.0, 3.0], rel=1e-8)


def test_a_link_may_cost_no_time():
    """A connector of 0 s before two routes 10 + x: 5 and 5."""
    time = Bpr(free_time=np.array([0.0, 10, 10]), capacity=np.ones(3), alpha=np.array([0.15, 0.1, 0.1]),
               power=np.array([4.0, 1, 1]))  # fmt: skip
    network = StaticNetwork.of(np.array([1, 2, 2]), np.array([2, 3, 3]), time)
    assert assign(network, trips((1, 3, 10.0)), gap=1e-10).flow == pytest.approx([10.0, 5.0, 5.0], rel=1e-6)


def test_zones_below_the_first_through_node_are_not_passed():
    """1-2-3 costs 2, 1-4-3 costs 20: with 4 as first node to pass, nobody goes through zone 2, but some end there."""
    ends, free = [(1, 2), (2, 3), (1, 4), (4, 3)], [1, 1, 10, 10]
    time = Bpr(free_time=np.array(free, float), capacity=np.ones(4), alpha=np.zeros(4), power=np.ones(4))
    od = trips((1, 3, 5.0), (1, 2, 2.0), (2, 3, 1.0))
    free_way = assign(StaticNetwork.of(*np.array(ends).T, time), od)
    assert free_way.flow.tolist() == [7.0, 6.0, 0.0, 0.0]
    barred = assign(StaticNetwork.of(*np.array(ends).T, time, first_thru_node=4), od)
    assert barred.flow.tolist() == [2.0, 1.0, 5.0, 5.0]


def test_trips_within_a_node_and_empty_demand_load_nothing():
    result = assign(lines([(1, 2)], [10], [1]), trips((1, 1, 5.0), (1, 2, 0.0)))
    assert result.flow.tolist() == [0.0] and result.relative_gap == 0.0 and len(result.od) == 0


# --- turns -----------------------------------------------------------------------------------------------------------


def crossing(**changes):
    """Links 0: 1-2, 1: 2-3, 2: 2-4, 3: 4-3, each 10 s; the turn 0-1 is straight, the way round takes 0-2-3."""
    table = {"link_id": range(4), "from_node_id": [1, 2, 2, 4], "to_node_id": [2, 3, 4, 3], "length_m": 100.0,
             "free_flow_speed_mps": 10.0, "capacity_veh_per_s": 0.5}  # fmt: skip
    return pd.DataFrame({**table, **changes})


def movements(*rows):
    return pd.DataFrame(rows, columns=["from_link_id", "to_link_id", "penalty_s"])


def demand(*rows):
    return pd.DataFrame(rows, columns=["origin_node_id", "dest_node_id", "trips_veh"])


def test_a_turn_ban_sends_drivers_round():
    """Straight on is 20 s; if it is banned all 360 an hour, 0.1 veh/s, take three links."""
    open_way = static_equilibrium(crossing(), demand((1, 3, 360.0)))
    assert open_way.flow.tolist() == [0.1, 0.1, 0.0, 0.0]
    banned = static_equilibrium(crossing(), demand((1, 3, 360.0)), turns=movements((0, 2, 0.0), (2, 3, 0.0)))
    assert banned.flow.tolist() == [0.1, 0.0, 0.1, 0.1]
    paths = banned.link_paths()
    assert paths[0].tolist() == [0, 2, 3]
    assert list(banned.turn_flows().itertuples(index=False, name=None)) == [(0, 2, 0.1), (2, 3, 0.1)]


def test_a_turn_penalty_counts_as_time():
    """Straight on takes 20 s and a turn of 16, the way round 30 s and turns of 2 + 3: drivers go round."""
    turns = movements((0, 1, 16.0), (0, 2, 2.0), (2, 3, 3.0))
    result = static_equilibrium(crossing(), demand((1, 3, 3.6)), turns=turns)
    assert result.flow[1] == 0.0
    assert result.od_cost == pytest.approx([35.0], rel=1e-6)


def test_free_turns_everywhere_change_nothing():
    """All movements at no cost: the same equilibrium as over nodes, to the gap."""
    ends, time, od = grid()
    turns = pd.DataFrame([(a, b, 0.0) for a in range(len(ends)) for b in np.flatnonzero(ends[:, 0] == ends[a, 1])],
                         columns=["from_link_id", "to_link_id", "penalty_s"])  # fmt: skip
    plain = assign(StaticNetwork.of(*ends.T, time), od, gap=1e-12)
    turned = assign(StaticNetwork.of(*ends.T, time, turns=turns), od, gap=1e-12)
    assert turned.objective == pytest.approx(plain.objective, rel=1e-12)
    assert turned.flow == pytest.approx(plain.flow, abs=1e-5)


def test_zones_are_not_passed_with_turns_either():
    """The graph of links obeys the rule of the first through node as that of nodes does."""
    time = Bpr(free_time=np.array([1.0, 1, 10, 10]), capacity=np.ones(4), alpha=np.zeros(4), power=np.ones(4))
    ends = np.array([(1, 2), (2, 3), (1, 4), (4, 3)])
    turns = movements((0, 1, 0.0), (2, 3, 0.0))
    network = StaticNetwork.of(*ends.T, time, turns=turns, first_thru_node=4)
    assert assign(network, trips((1, 3, 5.0), (1, 2, 2.0))).flow.tolist() == [2.0, 0.0, 5.0, 5.0]


# --- what must always hold -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("power", [1.0, 4.0, 2.5])
def test_nobody_can_gain_by_another_route(power):
    """The gap, taken anew by SciPy's Dijkstra at the final times, is the one that is reported, below 1e-9."""
    ends, time, od = grid(power=power)
    result = assign(StaticNetwork.of(*ends.T, time), od, gap=1e-9)
    graph = coo_array((result.time, tuple(ends.T)), shape=(36, 36)).tocsr()
    best = dijkstra(graph)[result.od["origin_node_id"], result.od["dest_node_id"]]
    total, shortest = (result.flow * result.time).sum(), (result.od["flow"] * best).sum()
    assert total / shortest - 1 < 1e-9
    assert result.od_cost == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_no_traveller_of_any_class_can_gain_nor_goes_where_it_may_not(seed):
    """One class pays tolls, one is barred from every 17th link: SciPy's Dijkstra on each one's own costs agrees."""
    ends, time, od = grid(seed=seed)
    rng = np.random.default_rng(seed)
    classes = [
        UserClass(name="payer", fixed=rng.uniform(0, 30, len(ends))),
        UserClass(name="barred", banned=np.arange(len(ends)) % 17 == 3),
    ]
    od = od.assign(user_class=np.where(rng.random(len(od)) < 0.5, "payer", "barred"))
    result = assign(StaticNetwork.of(*ends.T, time), od, classes=classes, gap=1e-10)
    assert result.class_flow[1, 3::17].sum() == 0.0
    paths, shares = result.link_paths(), result.route_shares()
    for k, kind in enumerate(classes):
        cost = result.time + np.asarray(kind.fixed)
        usable = np.ones(len(ends), bool) if kind.banned is None else ~kind.banned
        graph = coo_array((cost[usable], tuple(ends[usable].T)), shape=(36, 36)).tocsr()
        best = dijkstra(graph)
        mine = shares[shares["user_class"] == kind.name]
        paid = np.array([cost[paths[path]].sum() for path in mine["path"]])
        least = best[mine["origin_node_id"], mine["dest_node_id"]]
        assert (mine["flow"] * (paid - least)).sum() / (mine["flow"] * least).sum() < 1e-9
        assert result.class_flow[k].sum() == pytest.approx(
            (mine["flow"] * [paths[path].size for path in mine["path"]]).sum()
        )


def test_flow_is_conserved_at_every_node():
    """Outflow - inflow of links = trips that start - trips that end, at each of 36 nodes."""
    ends, time, od = grid()
    result = assign(StaticNetwork.of(*ends.T, time), od)
    nodes = [np.bincount(ends[:, k], weights=result.flow, minlength=36) for k in (0, 1)]
    ods = [np.bincount(od[c], weights=od["flow"], minlength=36) for c in ("origin_node_id", "dest_node_id")]
    assert nodes[0] - nodes[1] == pytest.approx(ods[0] - ods[1], abs=1e-12)


def test_routes_carry_the_link_flows_and_all_trips():
    """Path flows summed over their links are the link flows; shares sum to 1, paths run from end to end."""
    ends, time, od = grid()
    result = assign(StaticNetwork.of(*ends.T, time), od)
    paths, shares = result.link_paths(), result.route_shares()
    weights = np.repeat(shares["flow"].to_numpy(), np.diff(paths.start))
    assert np.bincount(paths.links, weights=weights, minlength=len(ends)) == pytest.approx(result.flow, abs=1e-12)
    pairs = ["origin_node_id", "dest_node_id"]
    assert shares.groupby(pairs)["share"].sum().to_numpy() == pytest.approx(1.0)
    by_pair = shares.groupby(pairs)["flow"].sum()
    wanted = od[od["origin_node_id"] != od["dest_node_id"]].groupby(pairs)["flow"].sum()
    assert by_pair.to_numpy() == pytest.approx(wanted.to_numpy(), rel=1e-12)
    for row in shares.itertuples():
        links = paths[row.path]
        assert ends[links[0], 0] == row.origin_node_id and ends[links[-1], 1] == row.dest_node_id
        assert (ends[links[1:], 0] == ends[links[:-1], 1]).all()


def test_the_objective_falls_and_stays_above_its_bound():
    """Each row is at or below the last; the bound, from the exact gap of a rough solution, is below the precise one."""
    ends, time, od = grid()
    od = od.assign(flow=3 * od["flow"])
    network = StaticNetwork.of(*ends.T, time)
    rough, precise = assign(network, od, gap=1e-2), assign(network, od, gap=1e-10)
    objective = precise.curve["objective"].to_numpy()
    assert len(objective) > 3 and (np.diff(objective) <= 1e-12 * objective[0]).all()
    assert precise.curve["exact"].iloc[-1] and precise.curve["relative_gap"].iloc[-1] == precise.relative_gap <= 1e-10
    assert rough.objective_bound < precise.objective < rough.objective
    assert precise.objective_bound == pytest.approx(precise.objective, rel=1e-9)
    assert beckmann_objective(network, precise.flow, UserClass()) == pytest.approx(precise.objective, rel=1e-12)


def test_a_warm_start_ends_where_a_cold_one_does_in_fewer_iterations():
    """10 % more trips, one capacity halved: the objective agrees to 1e-10, after fewer searches."""
    ends, time, od = grid()
    od = od.assign(flow=2 * od["flow"])
    first = assign(StaticNetwork.of(*ends.T, time), od, gap=1e-10)
    capacity = np.where(np.arange(len(ends)) == 20, 0.5, 1.0) * time.capacity
    changed = Bpr(free_time=time.free_time, capacity=capacity, alpha=time.alpha, power=time.power)
    network, more = StaticNetwork.of(*ends.T, changed), od.assign(flow=1.1 * od["flow"])
    warm = assign(network, more, gap=1e-10, start=first)
    cold = assign(network, more, gap=1e-10)
    assert warm.objective == pytest.approx(cold.objective, rel=1e-10)
    assert warm.iterations < cold.iterations
    again = assign(first.network, od, gap=1e-10, start=first)
    assert again.iterations == 1 and again.flow == pytest.approx(first.flow, rel=1e-12)


def test_a_warm_start_survives_a_ban_and_other_trips():
    """A link in use is closed, one OD pair is gone and one is new: the same as from nothing."""
    ends, time, od = grid()
    network = StaticNetwork.of(*ends.T, time)
    first = assign(network, od, gap=1e-9)
    closed = UserClass(banned=np.arange(len(ends)) == int(first.flow.argmax()))
    other = pd.concat([od.iloc[1:], trips((0, 35, 0.05), (35, 0, 0.05))], ignore_index=True)
    warm = assign(network, other, classes=[closed], gap=1e-10, start=first)
    cold = assign(network, other, classes=[closed], gap=1e-10)
    assert warm.flow[first.flow.argmax()] == 0.0
    assert warm.objective == pytest.approx(cold.objective, rel=1e-9)


def test_a_warm_start_may_come_from_other_turns():
    """Routes of the network without turns serve the one with them, but for the banned turn; and back again."""
    links, od = crossing(), demand((1, 3, 360.0), (4, 3, 36.0), (1, 4, 36.0))
    turns = movements((0, 2, 0.0), (2, 3, 0.0))
    plain = static_equilibrium(links, od)
    banned = static_equilibrium(links, od, turns=turns, start=plain)
    assert banned.flow == pytest.approx(static_equilibrium(links, od, turns=turns).flow, rel=1e-12)
    assert banned.flow == pytest.approx([0.11, 0.0, 0.11, 0.11])
    again = static_equilibrium(links, od, turns=turns, start=banned)
    assert again.iterations == 1 and np.array_equal(again.flow, banned.flow)
    assert static_equilibrium(links, od, start=banned).flow == pytest.approx(plain.flow)


def test_a_warm_start_keeps_parallel_links_apart():
    """The second of two links becomes the larger: 3 of 4 then take it (10 + x = 10 + y / 3)."""
    first = assign(lines([(1, 2), (1, 2)], [10, 10], [1, 2]), trips((1, 2, 4.0)))
    network = lines([(1, 2), (1, 2)], [10, 10], [1, 1 / 3])
    assert assign(network, trips((1, 2, 4.0)), gap=1e-12, start=first).flow == pytest.approx([1.0, 3.0])


def test_links_renumbered_carry_the_same_flow_bit_for_bit():
    """A seeded permutation of the links permutes flows and routes, nothing else."""
    ends, time, od = grid()
    order = np.random.default_rng(1).permutation(len(ends))
    shuffled = Bpr(**{name: getattr(time, name)[order] for name in ("free_time", "capacity", "alpha", "power")})
    first = assign(StaticNetwork.of(*ends.T, time), od)
    second = assign(StaticNetwork.of(*ends[order].T, shuffled), od.sample(frac=1.0, random_state=2))
    assert np.array_equal(second.flow, first.flow[order])
    assert np.array_equal(order[second.link_paths().links], first.link_paths().links)


def test_trips_draw_routes_by_their_shares():
    """Braess, 600 trips at even quantiles: 200 on each of three routes; a pair that was not assigned gets none."""
    result = assign(braess(bridge=True), trips((1, 2, 6.0)), gap=1e-12)
    drawn = result.draw(np.full(600, 1), np.full(600, 2), (np.arange(600) + 0.5) / 600)
    assert np.bincount(drawn).tolist() == [200, 200, 200]
    assert result.draw(np.array([2]), np.array([1]), np.array([0.3])).tolist() == [-1]
    ways = result.link_paths(drawn[:1])
    assert len(ways) == 1 and ways[0].tolist() in ([0, 2], [1, 3], [0, 4, 3])


# --- bad input -------------------------------------------------------------------------------------------------------


def test_trips_without_any_way_are_named_with_all_other_faults():
    """2 has no link to 1 or 3; node 9 is unknown; -1 is no flow: one error for all."""
    network = lines([(1, 2), (1, 3)], [10, 10], [1, 1])
    with pytest.raises(DemandError) as error:
        assign(network, trips((1, 2, 1.0), (2, 1, 3.0), (2, 3, 4.0), (1, 9, 1.0), (1, 2, -1.0)))
    for part in ("2 OD pair(s)", "2 to 1", "2 to 3", "unknown node(s) [9]", "row 4 has -1", "at least 0"):
        assert part in str(error.value)


def test_faults_of_turns_links_and_classes_are_named():
    with pytest.raises(NetworkError, match=r"1 turn.s. join links that do not meet: 1 to 2"):
        static_equilibrium(crossing(), demand((1, 3, 1.0)), turns=movements((0, 1, 0.0), (1, 2, 0.0)))
    with pytest.raises(NetworkError, match="links outside 0"):
        static_equilibrium(crossing(), demand((1, 3, 1.0)), turns=movements((0, 7, 0.0)))
    with pytest.raises(NetworkError) as error:
        static_equilibrium(crossing(length_m=[100.0, 0, 100, 100], capacity_veh_per_s=-1.0), demand((1, 3, 1.0)))
    assert "length_m must be above 0; link 1 has 0" in str(error.value) and "4 such links" in str(error.value)
    with pytest.raises(NetworkError, match=r"column.s. .'length_m'"):
        static_equilibrium(crossing().drop(columns="length_m"), demand((1, 3, 1.0)))
    with pytest.raises(NetworkError, match="class 'x': fixed has shape"):
        static_equilibrium(crossing(), demand((1, 3, 1.0)), classes=[UserClass(name="x", fixed=np.ones(3))])
    with pytest.raises(NetworkError, match="at least 0"):
        static_equilibrium(crossing(), demand((1, 3, 1.0)), classes=[UserClass(fixed=np.full(4, -1.0))])


def test_impossible_options_are_refused():
    network, od = lines([(1, 2)], [10], [1]), trips((1, 2, 1.0))
    with pytest.raises(RunError) as error:
        assign(network, od, gap=0.0, max_iterations=0)
    assert "gap=0.0" in str(error.value) and "max_iterations=0" in str(error.value)
    with pytest.raises(RunError, match="other ends"):
        assign(lines([(1, 2), (1, 2)], [10, 10], [1, 1]), od, start=assign(network, od))
    with pytest.raises(RunError, match="duration_s"):
        static_equilibrium(crossing(), demand((1, 3, 1.0)), duration_s=0.0)
    with pytest.raises(DemandError, match="trips_veh"):
        static_equilibrium(crossing(), od)
    with pytest.raises(DemandError, match=r"unknown .'bus'"):
        assign(network, trips((1, 2, 1.0, "bus")))


def test_a_result_short_of_the_gap_says_so(caplog):
    ends, time, od = grid()
    result = assign(StaticNetwork.of(*ends.T, time), od.assign(flow=5 * od["flow"]), gap=1e-14, max_iterations=2)
    assert not result.converged and result.relative_gap > 1e-14 and "stopped after" in caplog.text


def test_the_search_ends_where_rounding_is_reached(caplog):
    """A gap of 1e-300 cannot be told from 0 over numbers of 16 digits: the search ends well before its 5,000 rounds."""
    ends, time, od = grid()
    result = assign(StaticNetwork.of(*ends.T, time), od, gap=1e-300, max_iterations=5000)
    assert result.iterations < 200 and abs(result.relative_gap) < 1e-13


# --- published solutions ---------------------------------------------------------------------------------------------


def published(folder, name, **costs):
    """Problem of the collection and its published flows, or skip."""
    from data.readers.tntp import read_tntp_flows, read_tntp_network, read_tntp_trips

    root = Path(__file__).resolve().parents[3]
    place = Path(os.environ.get("ZONEWISE_SHARED_DATA", root.parent / "shared" / "data")) / "tntp" / folder
    if not place.is_dir():
        pytest.skip(f"no tntp/{folder} in the shared data; set ZONEWISE_SHARED_DATA")
    network = read_tntp_network(place / f"{name}_net.tntp")
    table = read_tntp_trips(next(place.glob(f"{name}_trips.tntp*")))
    problem = tntp_problem(network.links, table, first_thru_node=network.first_thru_node, **costs)
    flow_file = place / f"{name}_flow.tntp"
    if not flow_file.is_file():
        return problem, None
    keys = ["from_node", "to_node"]
    return problem, network.links.merge(read_tntp_flows(flow_file), on=keys, how="left")["flow_native"].to_numpy()


@pytest.mark.parametrize(
    ("folder", "name", "costs", "objective"),
    [
        ("SiouxFalls", "SiouxFalls", {}, 42.31335287107440e5),
        ("Anaheim", "Anaheim", {}, None),
        ("Chicago-Sketch", "ChicagoSketch", {"time_per_length": 0.04, "time_per_toll": 0.02}, 17313018.7387477),
    ],
)
def test_published_equilibria_are_found(folder, name, costs, objective):
    """The objective of the published flows to 1e-6 at a gap of 1e-6, and to 1e-9 at one of 1e-9."""
    problem, flow = published(folder, name, **costs)
    target = beckmann_objective(problem.network, flow, problem.classes[0])
    if objective is not None:
        assert target == pytest.approx(objective, rel=1e-12)
    result = assign(problem.network, problem.od, classes=problem.classes, gap=1e-6)
    assert result.relative_gap <= 1e-6
    assert result.objective == pytest.approx(target, rel=1e-6)
    precise = assign(problem.network, problem.od, classes=problem.classes, gap=1e-9, start=result)
    assert precise.objective == pytest.approx(target, rel=1e-9)
    assert precise.flow == pytest.approx(flow, abs=1e-3 * flow.max())


def test_the_published_example_of_braess_is_solved():
    """Six trips: 2 on each of the three routes, 92 each."""
    problem, _ = published("Braess-Example", "Braess")
    result = assign(problem.network, problem.od, classes=problem.classes, gap=1e-12)
    assert result.route_shares()["flow"].to_numpy() == pytest.approx([2.0, 2.0, 2.0], rel=1e-6)
    assert result.od_cost == pytest.approx([92.0], rel=1e-7)

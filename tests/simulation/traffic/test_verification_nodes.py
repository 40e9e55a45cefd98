"""Junctions against theory: merges, diverges, limited junctions, giving way.

The usual link of `conftest`: 10 m/s, 0.5 veh/s, 0.2 veh/m.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simulation.traffic.network import no_junctions

#: Storage and capacity that nothing here reaches.
WIDE = {"capacity_veh_per_s": 50.0, "jam_density_veh_per_m": 10.0}


def rules(n, *, yields=None, gap_s=0.0, limited=None, headway_s=(), pockets=()):
    """Junctions of n links.

    `yields` {link: links it gives way to}; `limited` {link: junction}; `pockets` (link, storage, targets).
    """
    none = no_junctions(n)
    to = [np.asarray((yields or {}).get(k, []), np.int32) for k in range(n)]
    node = none.node.copy()
    for link, k in (limited or {}).items():
        node[link] = k
    return replace(
        none, node=node, node_headway_s=np.asarray(headway_s, float), yield_to=np.concatenate(to),
        yield_start=np.concatenate([[0], np.cumsum([len(part) for part in to])]), critical_gap_s=np.full(n, gap_s),
        pocket_link=np.array([link for link, _, _ in pockets], np.int32),
        pocket_storage=np.array([size for _, size, _ in pockets], np.int32), pocket_headway_s=np.zeros(len(pockets)),
        pocket_start=np.concatenate([[0], np.cumsum([len(to) for _, _, to in pockets])]).astype(np.int64),
        pocket_to=np.array([link for _, _, to in pockets for link in to], np.int32),
    )  # fmt: skip


def entries(one, link, n_origins=None, begin=0.0, end=np.inf):
    """When vehicles entered a link; with `n_origins`, how many came from each origin (the trips' class tells it)."""
    log = one.engine.entry_log()
    at = (log.link == link) & (log.time_s >= begin) & (log.time_s < end)
    if n_origins is None:
        return log.time_s[at]
    return np.bincount(one.engine.v.trips["vehicle_class"][log.trip[at]], minlength=n_origins)


# --- merges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "share"),
    [((1, 1), (1 / 2, 1 / 2)), ((2, 1), (2 / 3, 1 / 3)), ((5, 3), (5 / 8, 3 / 8)), ((3, 2, 1), (1 / 2, 1 / 3, 1 / 6))],
)
def test_a_saturated_merge_splits_by_its_weights(road, weights, share):
    """Full links before one of 0.5 veh/s: it takes 300 vehicles in 600 s, each link its share, to one vehicle."""
    k = len(weights)
    one = road(
        [[i, k] for i in range(k)], length_m=[3000.0] * k + [500.0], engine={"log": True, "gate_fill": 1.0},
        extra={"merge_weight": np.array([*weights, 1.0])},
    )  # fmt: skip
    start = np.tile(np.arange(k), 900)
    one.release(np.repeat(np.arange(900) * 1.0, k), origin=start, vehicle_class=start).go(1600.0)
    counts = entries(one, k, k, begin=1000.0, end=1600.0)
    assert counts.sum() == 300 and counts == pytest.approx(300 * np.array(share), abs=1)


def test_priority_at_a_merge_leaves_the_rest_to_the_minor_street(road):
    """Weights 1e9 : 1. Main street 0.3 veh/s, side street saturated, 0.5 veh/s behind: the side street passes on 0.2.

    Nobody on the main street waits for more than the one vehicle that is entering: 2 s.
    """
    one = road(
        [[0, 2], [1, 2]], length_m=[3000.0, 3000.0, 500.0], engine={"log": True, "gate_fill": 1.0},
        extra={"merge_weight": np.array([1e9, 1.0, 1.0])},
    )  # fmt: skip
    main = np.arange(0.0, 3000.0, 1 / 0.3)
    depart, origin = np.concatenate([main, np.arange(1500) * 2.0]), np.repeat([0, 1], [main.size, 1500])
    one.release(depart, origin=origin).go(2500.0)
    log = one.engine.entry_log()
    onto = log.link == 2
    came = np.sort(depart, kind="stable")[log.trip[onto]]
    from_main = np.isin(log.trip[onto], log.trip[(log.link == 0)])
    late = (log.time_s[onto] > 1000.0) & (log.time_s[onto] <= 2000.0)
    assert (late & from_main).sum() == pytest.approx(300, abs=1)
    assert (late & ~from_main).sum() == pytest.approx(200, abs=1)
    assert (log.time_s[onto] - came - 300.0)[from_main].max() <= 2.0 + 1e-6


def test_a_leg_below_its_share_waits_for_one_service_at_most_and_the_other_takes_the_rest(road):
    """Daganzo (1995, doi:10.1016/0191-2615(94)00022-R): 0.1 veh/s against a full link, equal weights, 0.5 veh/s.

    The first leg passes on all its 0.1, the second 0.4. Who comes stands before at most one service of each leg: 4 s.
    """
    one = road([[0, 2], [1, 2]], length_m=[3000.0, 3000.0, 500.0], engine={"log": True, "gate_fill": 1.0})
    few = np.arange(300) * 10.0 + 0.7
    one.release(np.concatenate([few, np.arange(1500) * 2.0]), origin=np.repeat([0, 1], [300, 1500])).go(2500.0)
    log = one.engine.entry_log()
    onto = log.link == 2
    first = np.isin(log.trip[onto], log.trip[log.link == 0])
    late = (log.time_s[onto] > 1000.0) & (log.time_s[onto] <= 2000.0)
    assert (late & first).sum() == pytest.approx(100, abs=1) and (late & ~first).sum() == pytest.approx(400, abs=1)
    departed = dict(zip(log.trip[log.link == 0].tolist(), log.time_s[log.link == 0].tolist(), strict=True))
    waits = [
        time - departed[trip] - 300.0
        for trip, time in zip(log.trip[onto], log.time_s[onto], strict=True)
        if trip in departed
    ]
    assert max(waits) <= 4.0 + 1e-6


@pytest.mark.parametrize(("weights", "share"), [((1.0, 1.0), 1 / 2), ((3.0, 1.0), 3 / 4)])
def test_a_gate_shares_its_link_like_a_leg(road, weights, share):
    """Who begins on a link asks with the link's own weight: a full link upstream of weight w gets w / (w + own)."""
    one = road(
        [[0, 1]], length_m=[3000.0, 500.0], engine={"log": True, "gate_fill": 1.0},
        extra={"merge_weight": np.array(weights)},
    )  # fmt: skip
    start = np.tile([0, 1], 900)
    one.release(np.repeat(np.arange(900.0), 2), origin=start).go(1600.0)
    log = one.engine.entry_log()
    through = np.isin(log.trip, log.trip[log.link == 0])
    at = (log.link == 1) & (log.time_s >= 1000.0) & (log.time_s < 1600.0)
    assert at.sum() == 300 and (at & through).sum() == pytest.approx(300 * share, abs=1)


def test_who_begins_one_at_a_time_takes_turns_with_a_full_link(road):
    """Link 0 feeds link 1 every 2 s from 10 s on; a trip begins on link 1 at 101, 105, 109, ... s: its fair half.

    At 102 s the street goes (it asked no later in virtual time), at 104 s the first trip; and so on, every 4 s.
    """
    one = road([[0, 1]], length_m=[100.0, 500.0], engine={"log": True, "gate_fill": 1.0})
    begins = 101.0 + 4.0 * np.arange(20)
    one.release(np.concatenate([np.zeros(200), begins]), origin=np.repeat([0, 1], [200, 20])).go(200.0)
    log = one.engine.entry_log()
    own = (log.link == 1) & ~np.isin(log.trip, log.trip[log.link == 0])
    assert log.time_s[own].tolist() == (104.0 + 4.0 * np.arange(20)).tolist()


# --- junctions of limited capacity ----------------------------------------------------------------------------------


def test_a_limited_junction_passes_on_its_capacity_and_is_fair(road):
    """Two full crossing streets over a junction of one vehicle in 3 s: 200 in 600 s, in turn."""
    one = road(
        [[0, 2], [1, 3]], length_m=500.0, engine={"log": True, "gate_fill": 1.0},
        extra={"junctions": rules(4, limited={0: 0, 1: 0}, headway_s=[3.0])},
    )  # fmt: skip
    start = np.tile([0, 1], 600)
    one.release(np.repeat(np.arange(600.0), 2), origin=start, to=start + 2).go(1600.0)
    crossed = [entries(one, link, begin=1000.0, end=1600.0) for link in (2, 3)]
    both = np.sort(np.concatenate(crossed))
    assert both.size == 200 and np.diff(both) == pytest.approx(np.full(199, 3.0))
    assert crossed[0].size == crossed[1].size == 100


def test_one_street_over_a_limited_junction_discharges_at_its_capacity(road):
    """D/D/1 with 4 s a vehicle: out of the first link at 10, 14, 18, ... s although it could pass on one every 2 s."""
    one = road([[0, 1]], engine={"log": True, "gate_fill": 1.0},
               extra={"junctions": rules(2, limited={0: 0}, headway_s=[4.0])})  # fmt: skip
    one.release(np.zeros(30)).go(1e4)
    assert entries(one, 1) == pytest.approx(10.0 + 4.0 * np.arange(30), abs=1e-4)


# --- giving way -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("onto_same", [False, True])
@pytest.mark.parametrize("flow", [0.1, 0.2, 0.3, 0.5])
def test_giving_way_has_the_capacity_of_gap_acceptance(road, flow, onto_same):
    """Harders (1968): q exp(-q t_c) / (1 - exp(-q t_f)) past Poisson traffic q, critical gap 5 s, follow-up 3 s.

    At 0.3 veh/s 0.1128 veh/s, whether the side street crosses or joins. The main street waits for nobody. 40,000 s
    hold 2,000 to 9,000 crossings: within 3 %.
    """
    horizon, gap, follow = 40_000.0, 5.0, 3.0
    rng = np.random.default_rng(1)
    main = np.sort(rng.uniform(0.0, horizon, rng.poisson(flow * horizon)))
    side = np.arange(0.0, horizon, 0.9 * follow)
    one = road(
        [[0, 2], [1, 2 if onto_same else 3]], n=4, length_m=[2000.0, 2000.0, 100.0, 100.0], speed_mps=20.0, **WIDE,
        discharge_veh_per_s=[50.0, 1 / follow, 50.0, 50.0],
        engine={"log": True, "gate_fill": 1.0, "calm_s": 1e9},
        extra={"junctions": rules(4, yields={1: [0]}, gap_s=gap), "merge_weight": np.array([1.0, 50.0, 50.0, 50.0])},
    )  # fmt: skip
    depart, origin = np.concatenate([main, side]), np.repeat([0, 1], [main.size, side.size])
    one.release(depart, origin=origin, to=np.where(origin == 0, 2, 2 if onto_same else 3)).go(horizon)
    log = one.engine.entry_log()
    from_main = np.isin(log.trip, log.trip[log.link == 0])
    crossed = np.isin(log.link, [2, 3]) & (log.time_s > 2000.0)
    expected = flow * np.exp(-flow * gap) / (1 - np.exp(-flow * follow))
    assert (crossed & ~from_main).sum() / (horizon - 2000.0) == pytest.approx(expected, rel=0.03)
    came = np.sort(depart)[log.trip[crossed & from_main]]
    assert log.time_s[crossed & from_main] == pytest.approx(came + 100.0, abs=0.1)


# --- diverges with one branch blocked -------------------------------------------------------------------------------


def diverge(road, **extra):
    """Link 0 into 1 (red for good, room for 10) or 2 (free); one comes every 16 s, every other one turns into 1."""
    one = road(
        [[0, 1], [0, 2]], length_m=[1000.0, 50.0, 1000.0], cycle_s=[0.0, 1e6, 0.0], green_start_s=9e5, green_s=1.0,
        engine={"log": True, "gate_fill": 1.0, "patience_s": 1e9}, extra=extra,
    )  # fmt: skip
    turn = np.tile([1, 2], 75)
    return one.release(16.0 * np.arange(150), to=turn).go(3000.0)


@pytest.mark.parametrize(
    ("extra", "beside"),
    [
        ({}, 0),
        ({"side_lanes": np.array([2, 0, 0])}, 2),
        ({"side_lanes": np.array([5, 0, 0])}, 5),
        ({"junctions": rules(3, pockets=[(0, 3, [1])])}, 3),
        ({"junctions": rules(3, pockets=[(0, 7, [1]), (0, 4, [2])])}, 7),
    ],
    ids=["one queue", "2 side lanes", "5 side lanes", "pocket of 3", "pocket of 7"],
)
def test_a_blocked_branch_stops_the_other_once_nobody_can_step_aside(road, extra, beside):
    """Vehicles 0, 2, 4, ... turn into the link that holds 10: the 11th and `beside` more stand aside, then all stop.

    Until the (11 + beside)-th such vehicle blocks the queue, 10 + beside of the others have passed, undelayed.
    """
    one = diverge(road, **extra)
    passed = entries(one, 2)
    assert one.engine.v.links["count"][1] == 10
    assert passed.tolist() == [116.0 + 32.0 * k for k in range(10 + beside)]


def test_the_free_branch_flows_at_its_full_rate_beside_a_pocket_that_is_not_full(road):
    """A pocket for 100: 75 vehicles to the blocked branch, 65 in the pocket, and all 75 others pass undelayed."""
    one = diverge(road, junctions=rules(3, pockets=[(0, 100, [1])]))
    assert entries(one, 2).tolist() == [116.0 + 32.0 * k for k in range(75)]
    assert one.engine.v.links["aside"][0] == 65


def test_a_pocket_that_gets_room_again_lets_its_vehicles_go_at_its_own_headway(road):
    """The branch turns green at 3,000 s: the pocket empties, the queue behind it too, nobody is lost or overtaken."""
    one = diverge(road, junctions=rules(3, pockets=[(0, 3, [1])]))
    one.engine.set_signals(np.array([1]), cycle_s=0.0, green_start_s=0.0, green_s=0.0)
    one.go(1e5)
    log = one.engine.entry_log()
    assert one.engine.counts().arrived == 150
    for link in (1, 2):
        assert (np.diff(log.trip[log.link == link]) > 0).all()
        assert all(b - a >= 2.0 - 1e-9 for a, b in pairwise(log.time_s[log.link == link]))


def test_travel_times_count_who_waits_in_a_side_lane(road):
    """Once the free branch has passed and nobody leaves, the time of the link is that of the one who waits longest.

    With two side lanes for any: the 11th to turn into the full branch, number 20, entered at 320 s and stands aside.
    10 are in the full branch and 12 have passed: 128 of 150 queue.
    """
    one = diverge(road, side_lanes=np.array([2, 0, 0]))
    one.engine.travel_times()
    one.go(3500.0)
    assert one.engine.travel_times()[0] == 3500.0 - 320.0
    assert one.engine.queued(np.array([0]))[0] == one.engine.on_link(np.array([0]))[0] == 128


def test_side_lanes_wait_for_green(road):
    """Link 0 is green 10 s of 60 and has two side lanes; branch 1 is red until 600 s and then lets all go.

    Whoever stood aside leaves in a green as all others do, and all arrive.
    """
    one = road(
        [[0, 1], [0, 2]], length_m=[1000.0, 50.0, 1000.0], cycle_s=[60.0, 1e6, 0.0], green_start_s=[0.0, 600.0, 0.0],
        green_s=[10.0, 9e5, 0.0], engine={"log": True, "gate_fill": 1.0, "patience_s": 1e9},
        extra={"side_lanes": np.array([2, 0, 0])},
    )  # fmt: skip
    one.release(4.0 * np.arange(100), to=np.tile([1, 2], 50)).go(1e5)
    for link in (1, 2):
        assert (entries(one, link) % 60.0 <= 10.0 + 1e-9).all()
    assert one.engine.counts().arrived == 100

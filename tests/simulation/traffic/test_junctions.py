"""Who gives way to whom, from tables of streets, signs and turns; and what comes of it against closed forms."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from data.schemas import SIGNALS, empty
from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.junctions import (
    CRITICAL_MAJOR_LEFT_S,
    CRITICAL_S,
    FOLLOW_UP_S,
    ROUNDABOUT_FOLLOW_UP_S,
    junction_rules,
)
from simulation.traffic.layout import END
from simulation.traffic.network import link_arrays
from simulation.traffic.turn_pockets import lane_groups

EAST, NORTH, WEST, SOUTH = range(4)  # arms; link k leads in from arm k, link 4 + k out to it


def crossing(arms=(EAST, NORTH, WEST, SOUTH), *, road_class="residential", banned=(), **columns):
    """Links of 1,000 m and every movement but U-turns at a crossing in the middle of some arms."""
    arms = list(arms)
    n = len(arms)
    heading = 90.0 * np.array(arms)
    links = pd.DataFrame({
        "link_id": range(2 * n), "from_node_id": [*range(1, n + 1), *[0] * n],
        "to_node_id": [*[0] * n, *range(1, n + 1)],
        "length_m": 1000.0, "lanes": 1.0, "free_flow_speed_mps": 20.0, "capacity_veh_per_s": 0.4,
        "jam_density_veh_per_m": 0.15, "road_class": road_class, "name": "",
    }).assign(**columns)  # fmt: skip
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b and (a, b) not in banned]
    angle = [(heading[b] - heading[a] - 180.0 + 180.0) % 360.0 - 180.0 for a, b in pairs]
    turns = pd.DataFrame({"from_link_id": [a for a, _ in pairs], "to_link_id": [n + b for _, b in pairs],
                          "angle_deg": angle, "penalty_s": 0.0})  # fmt: skip
    return links, turns


def made(links, turns, signals=None, **options):
    rules = junction_rules(
        links, turns, empty(SIGNALS) if signals is None else signals,
        saturation_veh_per_s=np.full(len(links), 0.5), **options,
    )  # fmt: skip
    j = rules.junctions
    own = np.repeat(np.arange(len(links)), np.diff(j.yield_start))
    told = {(int(a), int(p), int(b), int(q)): float(g) for a, p, b, q, g, lead in
            zip(own, j.yield_target, j.yield_to, j.yield_then, j.yield_gap_s, j.yield_lead_s) if lead == 0}  # fmt: skip
    return rules, told


MAIN = ["primary", "residential", "primary", "residential"] * 2  # east and west are the main road


def test_a_side_street_gives_way_by_movement():
    """From the south: right (to the east) meets what goes east from the west and turns east from the north; straight on
    and left meet both directions of the main road."""
    _, told = made(*crossing(road_class=MAIN))
    right = {(b, q - 4) for a, p, b, q in told if a == SOUTH and p == 4 + EAST}
    assert right == {(WEST, EAST)}
    ahead = {(b, q - 4) for a, p, b, q in told if a == SOUTH and p == 4 + NORTH}
    assert ahead == {(WEST, EAST), (EAST, WEST), (WEST, NORTH), (EAST, NORTH), (EAST, SOUTH)}
    assert told[(SOUTH, 4 + EAST, WEST, 4 + EAST)] == CRITICAL_S[0]
    assert told[(SOUTH, 4 + WEST, EAST, 4 + WEST)] == CRITICAL_S[2]


def test_a_left_turn_from_the_main_road_gives_way_to_oncoming_traffic_alone():
    _, told = made(*crossing(road_class=MAIN))
    mine = {(p - 4, b, q - 4): gap for (a, p, b, q), gap in told.items() if a == EAST}
    assert mine == {
        (SOUTH, WEST, EAST): CRITICAL_MAJOR_LEFT_S, (SOUTH, WEST, SOUTH): CRITICAL_MAJOR_LEFT_S
    } or mine == {(SOUTH, WEST, EAST): CRITICAL_MAJOR_LEFT_S}  # fmt: skip


def test_where_traffic_keeps_left_the_dear_turn_is_the_right_one():
    _, told = made(*crossing(road_class=MAIN), drives_on_left=True)
    assert {(p - 4) for a, p, _, _ in told if a == EAST} == {NORTH}


@pytest.mark.parametrize("sign", ["stop", "give_way"])
def test_a_sign_goes_before_the_class_and_a_priority_road_before_both(sign):
    control = [sign, "", sign, ""] + [""] * 4
    _, told = made(*crossing(road_class=MAIN, control=control))
    assert {a for a, p, b, q in told if b in (NORTH, SOUTH) and a in (EAST, WEST)} == {EAST, WEST}
    _, told = made(*crossing(road_class=MAIN, control=["", "priority", "", "priority"] + [""] * 4))
    assert {a for a, p, b, q in told if b in (NORTH, SOUTH) and a in (EAST, WEST)} == {EAST, WEST}


def test_signals_switch_all_rules_off():
    links, turns = crossing(road_class=MAIN)
    plans = pd.DataFrame({"link_id": range(4), "node_id": 0, "cycle_s": 60.0, "green_start_s": 0.0, "green_s": 30.0})
    rules, told = made(links, turns, plans)
    assert told == {} and rules.report["equal_junctions"] == 0 and (rules.discharge_veh_per_s == 0.5).all()


def test_a_movement_that_is_not_allowed_asks_for_no_rule():
    _, told = made(*crossing(road_class=MAIN, banned={(SOUTH, NORTH), (EAST, WEST)}))
    assert not [k for k in told if k[:2] == (SOUTH, 4 + NORTH) or k[2:] == (EAST, 4 + WEST)]


def test_who_turns_round_gives_way_to_everybody():
    links, turns = crossing(road_class=MAIN)
    back = pd.DataFrame({"from_link_id": [EAST], "to_link_id": [4 + EAST], "angle_deg": [180.0], "penalty_s": [15.0]})
    _, told = made(links, pd.concat([turns, back], ignore_index=True))
    assert {(b, q - 4) for a, p, b, q in told if (a, p) == (EAST, 4 + EAST)} >= {
        (WEST, EAST),
        (SOUTH, EAST),
        (NORTH, EAST),
    }


def test_slip_roads_merge_by_capacity():
    """A motorway link comes in from the south and may only go on to the east."""
    road = ["motorway", "motorway", "motorway", "motorway_link"] * 2
    links, turns = crossing(road_class=road)
    keep = [(WEST, 4 + EAST), (SOUTH, 4 + EAST)]
    some = turns[[pair in keep for pair in zip(turns["from_link_id"], turns["to_link_id"])]]
    assert made(links, some)[1] == {}


def test_rules_do_not_depend_on_the_numbers_of_links():
    links, turns = crossing(road_class=MAIN, length_m=np.linspace(30.0, 900.0, 8))
    new = np.random.default_rng(3).permutation(8)  # new number of each link
    other = links.assign(link_id=new).sort_values("link_id", ignore_index=True)
    renamed = turns.assign(from_link_id=new[turns["from_link_id"]], to_link_id=new[turns["to_link_id"]])
    rules, told = made(links, turns)
    again, retold = made(other, renamed)
    assert {tuple(int(new[k]) for k in key): gap for key, gap in told.items()} == retold
    assert np.array_equal(again.discharge_veh_per_s[new], rules.discharge_veh_per_s)
    assert again.junctions.node_headway_s == pytest.approx(rules.junctions.node_headway_s)


# --- capacities -----------------------------------------------------------------------------------------------------


def saturated(links, turns, main, path, side, horizon, seed=1):
    """Vehicles per s from link `side` past Poisson traffic on `path` (veh/s `main`)."""
    arrays = link_arrays(links, empty(SIGNALS), turns=turns)
    n = len(links)
    table = np.full((1, 2, n), -1, np.int32)
    for row, way in enumerate((path, side)):
        table[0, row, way[0]], table[0, row, way[1]] = way[1], END
    rng = np.random.default_rng(seed)
    first = np.sort(rng.uniform(0.0, horizon, rng.poisson(main * horizon)))
    second = np.arange(0.0, horizon, 2.5)
    depart, row = np.concatenate([first, second]), np.repeat([0, 1], [first.size, second.size])
    order = np.argsort(depart, kind="stable")
    origin = np.array([path[0], side[0]])[row[order]]
    engine = TrafficEngine(arrays, 2, log=True, books=False, gate_fill=1.0, calm_s=1e9)
    zero = np.zeros(depart.size, np.int64)
    engine.release(
        Trips(depart_s=depart[order], origin_link=origin, dest_row=row[order], layer=zero, vehicle_class=zero)
    )
    engine.advance(horizon, table)
    log = engine.entry_log()
    from_side = np.isin(log.trip, log.trip[log.link == side[0]])
    begin = 0.1 * horizon
    return ((log.link == side[1]) & from_side & (log.time_s > begin)).sum() / (horizon - begin)


@pytest.mark.parametrize("flow", [0.05, 0.12, 0.2])
def test_a_side_street_passes_on_the_capacity_of_gap_acceptance(flow):
    """Harders: q exp(-q t_c) / (1 - exp(-q t_f)) straight across one stream. 20,000 s; the main street carries 0.4
    veh/s at 2.5 s a vehicle, so that gaps are not quite exponential: within 8 %."""
    links, turns = crossing(road_class=MAIN, capacity_veh_per_s=2.0, jam_density_veh_per_m=1.0)
    found = saturated(links, turns, flow, (WEST, 4 + EAST), (SOUTH, 4 + NORTH), 20_000.0)
    gap, follow = CRITICAL_S[1], np.mean(FOLLOW_UP_S)
    assert found == pytest.approx(flow * np.exp(-flow * gap) / (1 - np.exp(-flow * follow)), rel=0.08)


@pytest.mark.parametrize("flow", [300.0, 600.0, 900.0])
def test_the_entry_of_a_roundabout_passes_on_what_the_manual_says(flow):
    """1,130 exp(-v / 1,000) veh/h (Highway Capacity Manual 2010): 837, 620, 459. The ring's vehicles go on around.

    The manual's curve is Siegloch's; the step function of the model lies up to 3 % lower (Harders), and vehicles do not
    enter at the instant another passes: within 11 %."""
    links, turns = crossing(
        (WEST, EAST, SOUTH), capacity_veh_per_s=2.0, jam_density_veh_per_m=1.0,
        roundabout=[True, False, False, False, True, False],
    )  # fmt: skip
    keep = [(0, 4), (2, 4)]  # round from the west to the east, and in from the south
    some = turns[[pair in keep for pair in zip(turns["from_link_id"], turns["to_link_id"])]]
    found = 3600.0 * saturated(links, some, flow / 3600.0, (0, 4), (2, 4), 20_000.0)
    assert found == pytest.approx(1130.0 * np.exp(-flow / 1000.0), rel=0.11)
    assert pytest.approx(3600.0 / 1130.0) == ROUNDABOUT_FOLLOW_UP_S


def test_equal_streets_share_the_capacity_of_an_all_way_stop():
    """Queues all around: 4 lanes x 3600 / 9.6 s = 1,500 veh/h; 8 lanes x 3600 / 11.5 s = 2,504 veh/h."""
    rules, told = made(*crossing(control="all_way_stop"))
    assert rules.junctions.node[:4].tolist() == [0, 0, 0, 0] and told == {}
    assert 3600.0 / rules.junctions.node_headway_s == pytest.approx([1500.0])
    wide, _ = made(*crossing(control="all_way_stop", lanes=2.0))
    assert 3600.0 / wide.junctions.node_headway_s == pytest.approx([2504.35], abs=0.01)


@pytest.mark.parametrize(
    ("arms", "road_class", "capacity"),
    [
        ((EAST, NORTH, WEST, SOUTH), "residential", 900.0),
        ((EAST, WEST, SOUTH), "residential", 1000.0),
        ((EAST, WEST, SOUTH), "unclassified", 1000.0),
        ((EAST, WEST, SOUTH), "secondary", 1500.0),
        ((EAST, NORTH, WEST, SOUTH), ["secondary"] * 3 + ["residential"] + ["secondary"] * 4, 1500.0),
    ],
)
def test_priority_to_the_right_passes_on_less_where_small_streets_meet(arms, road_class, capacity):
    """Measured by Stephan (2006): about 900 veh/h in all at a crossing, 1,000 where three arms meet. The last case has
    a side street, which gives way and is no part of what meets."""
    rules, _ = made(*crossing(arms, road_class=road_class))
    assert 3600.0 / rules.junctions.node_headway_s == pytest.approx([capacity])


def test_two_one_way_streets_that_cross_have_four_arms():
    """In from the east and from the south, out to the west and to the north: 900 veh/h."""
    links, turns = crossing(banned={(a, b) for a in range(4) for b in range(4) if (a, b) not in [(0, 2), (3, 1)]})
    rules, _ = made(links, turns)
    assert 3600.0 / rules.junctions.node_headway_s == pytest.approx([900.0])


def test_who_enters_a_jammed_roundabout_has_his_turns():
    """The way out carries 20 x 5 x 0.0125 / 25 = 0.05 veh/s. The ring, 0.6 veh/s, and the entry, 1,130 / 3,600 veh/s,
    share it by what they discharge, so that the entry gets 0.0172 veh/s. Without turns of its own it would get none."""
    links, turns = crossing(
        (WEST, EAST, SOUTH), jam_density_veh_per_m=[0.15, 0.15, 0.15, 0.15, 0.0125, 0.15], capacity_veh_per_s=0.01,
        roundabout=[True, False, False, False, True, False],
    )  # fmt: skip
    keep = [(0, 4), (2, 4)]
    some = turns[[pair in keep for pair in zip(turns["from_link_id"], turns["to_link_id"])]]
    found = saturated(links, some, 0.4, (0, 4), (2, 4), 20_000.0)
    entry = 1130.0 / 3600.0
    assert found == pytest.approx(0.05 * entry / (0.6 + entry), rel=0.02)


# --- turn pockets ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lanes", "groups"),
    [
        (["left", "through", "through;right"], [(1, [0]), (2, [1, 2])]),
        (["left;through", "through;right"], [(2, [0, 1, 2])]),
        (["left", "", "right"], [(1, [0]), (1, [1]), (1, [2])]),
        (["left", "left"], [(2, [0, 1, 2])]),  # what no lane names goes with the nearest
    ],
)
def test_lanes_that_share_a_turn_are_one_group(lanes, groups):
    """Turns to the left (90 degrees), straight on and to the right."""
    assert lane_groups(lanes, np.array([90.0, 0.0, -90.0])) == groups


def test_a_pocket_holds_its_share_of_the_link_and_discharges_by_its_lanes():
    """Three lanes of 0.15 veh/m over 100 m: 15 vehicles, 5 in the pocket; a lane of 0.5 veh/s takes 2 s a vehicle."""
    links, turns = crossing(length_m=100.0, lanes=3.0, turn_lanes=["left|through|through;right"] + [""] * 7)
    plans = pd.DataFrame({"link_id": range(4), "node_id": 0, "cycle_s": 60.0, "green_start_s": 0.0, "green_s": 30.0})
    rules = junction_rules(links, turns, plans, saturation_veh_per_s=np.full(8, 1.5))
    j = rules.junctions
    assert j.pocket_link.tolist() == [0, 0] and j.pocket_storage.tolist() == [5, 10]
    assert j.pocket_headway_s.tolist() == [2.0, 1.0] and rules.side_lanes[:4].tolist() == [0, 2, 2, 2]
    fifo = junction_rules(links, turns, plans, saturation_veh_per_s=np.full(8, 1.5), passing=False)
    assert fifo.junctions.pocket_link.size == 0 and fifo.side_lanes.sum() == 0


# --- what drivers do about jams --------------------------------------------------------------------------------------


def test_nobody_leaves_for_a_way_through_a_jam(road):
    """The second link is red for good and holds 20; from 10 on the others wait at home, and leave when it is green."""
    cycle, start = [0.0, 1e6], [0.0, 9e5]
    one = road([[0, 1]], cycle_s=cycle, green_start_s=start, green_s=1.0, engine={"jam_fill": 0.5, "log": True})
    one.release(np.arange(0.0, 400.0, 10.0)).go(1000.0)
    counts = one.engine.counts()
    assert 10 <= counts.on_road <= 12 and counts.waiting == 40 - counts.on_road
    one.engine.set_signals(np.array([1]), cycle_s=0.0, green_start_s=0.0, green_s=0.0)
    one.go(5000.0)
    assert one.engine.counts().arrived == 40 and one.engine.counts().forced == 0


def test_who_stands_before_a_full_link_turns_off_where_another_way_leads_on(road):
    """Link 0 leads to 1 (red for good, room for 20) and to 2, and both to 3. Of 40 bound over link 1, 20 fill it; the
    next stands for a minute before he goes over link 2, and so do all behind him. Nobody is moved by force."""
    one = road(
        [[0, 1, 3], [0, 2, 4], [2, 3]], n=5, cycle_s=[0.0, 1e6, 0.0, 0.0, 0.0], green_start_s=9e5, green_s=1.0,
        engine={"turn_off_s": 60.0, "log": True, "gate_fill": 1.0, "jump_s": 1e9},
    )  # fmt: skip
    one.next_link[0, 0, 2] = 3
    one.release(np.arange(40.0), to=3).go(4000.0)
    counts = one.engine.counts()
    assert counts.arrived == 20 and counts.on_road == 20 and counts.forced == 0
    assert one.engine.gridlock()["turned_off"] == 20
    log = one.engine.entry_log()
    assert (log.link == 2).sum() == 20 and log.time_s[log.link == 2].min() == pytest.approx(60.0 + 10 + 2 * 20, abs=15)


def test_nobody_takes_a_last_place_that_would_close_a_circle(road):
    """Four links of 20 in a ring, each fed from outside by as many as come, each vehicle over three of them: without
    an eye on circles the ring locks and must be turned by force, with it nobody is moved."""
    ring = [[4 + k, k, (k + 1) % 4, (k + 2) % 4, 8 + k] for k in range(4)]
    forced = []
    for eye in (np.inf, 1e9):  # nothing is a jam, with and without the look at circles
        one = road(ring, n=12, engine={"jam_fill": eye, "gate_fill": 1.0, "jump_s": 1e9})
        for path in ring:
            for link, following in pairwise(path):
                one.next_link[0, one.dest.index(path[-1]), link] = following
        origin = np.tile(np.arange(4), 200)
        one.release(np.arange(800) * 0.5, origin=4 + origin, to=8 + origin).go(200_000.0)
        assert one.engine.counts().arrived == 800
        forced.append(one.engine.counts().forced)
    assert forced[0] > 0 and forced[1] == 0

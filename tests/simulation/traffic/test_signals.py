"""Fixed plans: phases that never meet, timed by what each carries, the same however the streets are numbered."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.toy import toy_links, toy_nodes, toy_turns
from simulation.errors import NetworkError
from simulation.traffic.intersections import find_intersections, phase_groups
from simulation.traffic.signals import MIN_PLAN_CYCLE_S, PlanSettings, fixed_plans
from simulation.traffic.webster import LOST_S_PER_PHASE, MAX_CYCLE_S, MIN_GREEN_S

LINKS, NODES, TURNS = toy_links(), toy_nodes(), toy_turns()
EAST_WEST = LINKS["name"].str.startswith("Row").to_numpy()
AS_GIVEN = {"peak_hour_factor": 1.0, "least_load": 0.0}


def seconds(plan):
    """Whether each tenth of a second of two minutes is green, by approach. Shape (approaches, 1200)."""
    at = np.arange(0, 120, 0.1)
    start, green, cycle = (plan[name].to_numpy()[:, None] for name in ("green_start_s", "green_s", "cycle_s"))
    return ((at - start) % cycle) < green


@given(flows=st.lists(st.floats(0.0, 1.0), min_size=80, max_size=80), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_crossing_streets_are_never_green_together(flows, seed):
    """And twice in every cycle all stops are red for the lost time of 4 s."""
    plan = fixed_plans(NODES, LINKS, turns=TURNS, flow_veh_per_s=np.array(flows), seed=seed)
    shown, row = seconds(plan), EAST_WEST[plan["link_id"]]
    one, other = shown[row].any(axis=0), shown[~row].any(axis=0)
    assert not (one & other).any()
    cycle = plan["cycle_s"].iloc[0]
    assert (plan.groupby("phase")["green_s"].first().sum() + 2 * LOST_S_PER_PHASE) == pytest.approx(cycle)
    assert (plan["green_s"] >= MIN_GREEN_S - 1e-9).all()
    assert MIN_PLAN_CYCLE_S <= cycle <= MAX_CYCLE_S


def test_opposite_approaches_share_their_green():
    plan = fixed_plans(NODES, LINKS)
    assert plan.groupby(EAST_WEST[plan["link_id"]])[["green_start_s", "green_s"]].nunique().eq(1).all(axis=None)


def test_cycle_and_green_are_websters():
    """0.4 veh/s of 1 and 0.2 of 0.5 veh/s: y 0.4 and 0.4; C0 = (12 + 5) / 0.2 = 85 s; 77 s of green are halved."""
    flow = np.where(EAST_WEST, 0.4, 0.2)
    links = LINKS.assign(lanes=np.where(EAST_WEST, 2.0, 1.0))
    plan = fixed_plans(NODES, links, flow_veh_per_s=flow, settings=PlanSettings(**AS_GIVEN))
    assert plan["cycle_s"].to_numpy() == pytest.approx(85.0) and plan["green_s"].to_numpy() == pytest.approx(38.5)


def test_green_follows_the_critical_flow_ratios():
    """0.3 and 0.1 veh/s of 1 veh/s saturation in 80 s: 72 s of green split 3 to 1: 54 and 18 s (Webster 1958)."""
    flow = np.where(EAST_WEST, 0.3, 0.1)
    plan = fixed_plans(NODES, LINKS, flow_veh_per_s=flow, settings=PlanSettings(cycle_s=80.0, **AS_GIVEN))
    assert plan["green_s"].to_numpy() == pytest.approx(np.where(EAST_WEST[plan["link_id"]], 54.0, 18.0))


def test_plans_are_made_for_the_busiest_quarter_and_for_some_traffic_everywhere():
    """0.46 veh/s / 0.92 = 0.5 against 0.2 x 0.83 = 0.167 veh/s where none is expected: 72 s split 3 to 1."""
    flow = np.where(EAST_WEST, 0.46, 0.0)
    plan = fixed_plans(NODES, LINKS, flow_veh_per_s=flow, settings=PlanSettings(cycle_s=80.0))
    expected = np.where(EAST_WEST[plan["link_id"]], 54.0, 18.0)
    assert plan["green_s"].to_numpy() == pytest.approx(expected)


def test_the_seed_shifts_all_plans_together():
    nodes = NODES.assign(signal=NODES["node_id"].isin([11, 12, 13]))
    one, two = (fixed_plans(nodes, LINKS, seed=seed) for seed in (1, 2))
    shift = ((two["green_start_s"] - one["green_start_s"]) % one["cycle_s"].min()).round(6)
    assert (shift == shift.iloc[0]).all() and shift.iloc[0] > 0
    pd.testing.assert_frame_equal(one, fixed_plans(nodes, LINKS, seed=1))


def test_neighbours_share_a_cycle_or_half_of_it():
    nodes = NODES.assign(signal=~NODES["border"])
    flow = np.where(EAST_WEST, 0.25, 0.05)
    cycle = fixed_plans(nodes, LINKS, turns=TURNS, flow_veh_per_s=flow)["cycle_s"].unique()
    assert len(cycle) <= 2 and cycle.max() in (pytest.approx(cycle.min()), pytest.approx(2 * cycle.min()))


def test_a_platoon_on_a_one_way_street_meets_green_after_green():
    """Signals 200 m apart at 13.9 m/s on a street that only runs east: the next is green 14.4 s later."""
    nodes = NODES.assign(signal=NODES["node_id"].isin([11, 12, 13]))
    east = LINKS["from_node_id"] < LINKS["to_node_id"]
    links = LINKS[~EAST_WEST | east].reset_index(drop=True)
    links = links.assign(link_id=np.arange(len(links)))
    flow = np.where(links["name"] == "Row street 3", 0.5, 0.0)
    how = PlanSettings(cycle_s=80.0, dispersion=0.0, **AS_GIVEN)
    plan = fixed_plans(nodes, links, flow_veh_per_s=flow, settings=how)
    row = links["name"].to_numpy()[plan["link_id"]] == "Row street 3"
    start = plan[row].groupby("node_id")["green_start_s"].first()
    assert ((start[12] - start[11]) % 80.0, (start[13] - start[12]) % 80.0) == pytest.approx((14.4, 14.4), abs=1.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_plan_does_not_depend_on_how_streets_are_numbered(seed):
    rng = np.random.default_rng(seed)
    nodes = NODES.assign(signal=rng.random(len(NODES)) < 0.6, x_m=NODES["x_m"] + rng.uniform(-40, 40, len(NODES)))
    flow = rng.uniform(0.0, 0.4, len(LINKS))
    name, number = rng.permutation(len(LINKS)), rng.permutation(len(NODES))
    links = LINKS.assign(
        link_id=name, from_node_id=number[LINKS["from_node_id"]], to_node_id=number[LINKS["to_node_id"]]
    ).drop(columns="geometry")
    turns = TURNS.assign(from_link_id=name[TURNS["from_link_id"]], to_link_id=name[TURNS["to_link_id"]])
    order, shuffled = np.argsort(name), rng.permutation(len(turns))
    settings = PlanSettings(split_left_turns=True)
    one = fixed_plans(nodes, LINKS.drop(columns="geometry"), turns=TURNS, flow_veh_per_s=flow, settings=settings)
    other = fixed_plans(
        nodes.assign(node_id=number[nodes["node_id"]]).sort_values("node_id", ignore_index=True),
        links.iloc[order].reset_index(drop=True),
        turns=turns.iloc[shuffled].reset_index(drop=True), flow_veh_per_s=flow[order], settings=settings,
    )  # fmt: skip
    back = one.assign(link_id=name[one["link_id"]], node_id=number[one["node_id"]]).sort_values("link_id")
    pd.testing.assert_frame_equal(back.reset_index(drop=True), other)


AT = {(a, b): k for k, a, b in LINKS[["link_id", "from_node_id", "to_node_id"]].itertuples(index=False)}


def facing(turning_veh_per_h, *, to):
    """Vehicles from the west that turn `to` a node, against 600 veh/h from the east that go straight on."""
    flow = np.zeros(len(LINKS))
    flow[AT[11, 12]] = flow[AT[12, to]] = turning_veh_per_h / 3600
    flow[AT[13, 12]] = flow[AT[12, 11]] = 600 / 3600
    turns = TURNS[(TURNS["from_link_id"] != AT[13, 12]) | (TURNS["to_link_id"] == AT[12, 11])]
    return flow, turns.reset_index(drop=True)


@pytest.mark.parametrize(("veh_per_h", "phases"), [(140.0, 2), (160.0, 3)])
def test_many_left_turns_against_many_vehicles_get_a_phase(veh_per_h, phases):
    """Against 600 veh/h on two lanes the rule begins at 90,000 / 600 = 150 left turns an hour.

    West and east are split then, and are never green together.
    """
    flow, turns = facing(veh_per_h, to=17)
    how = PlanSettings(split_left_turns=True, **AS_GIVEN)
    plan = fixed_plans(NODES, LINKS, turns=turns, flow_veh_per_s=flow, settings=how)
    assert plan["phase"].nunique() == phases
    west, east = (seconds(plan[plan["link_id"] == AT[end, 12]])[0] for end in (11, 13))
    assert (west & east).any() == (phases == 2)


def test_where_traffic_drives_on_the_left_the_right_turns_cross():
    """400 from the west to the south: a right turn, which crosses the facing traffic where right turns cost more."""
    flow, turns = facing(400.0, to=7)
    how = PlanSettings(split_left_turns=True, **AS_GIVEN)
    keeps_left = turns.assign(penalty_s=np.where(turns["angle_deg"] < -45, 5.0, 2.0))
    phases = [
        fixed_plans(NODES, LINKS, turns=table, flow_veh_per_s=flow, settings=how)["phase"].nunique()
        for table in (turns, keeps_left)
    ]
    assert phases == [2, 3]


def test_signals_for_people_on_foot_have_no_plan_unless_a_stage_is_asked_for():
    """A straight street: no plan; with a stage of 15 s vehicles are stopped for 15 + 2 x 4 s of 80 s."""
    straight = LINKS[EAST_WEST].reset_index(drop=True)
    straight = straight.assign(link_id=range(len(straight)))
    assert fixed_plans(NODES, straight).empty
    plan = fixed_plans(NODES, straight, settings=PlanSettings(cycle_s=80.0, pedestrian_stage_s=15.0))
    assert len(plan) == 2 and plan["green_s"].to_numpy() == pytest.approx(80.0 - 15.0 - 8.0)


def test_no_signal_has_no_plan():
    assert fixed_plans(NODES.assign(signal=False), LINKS).empty


def test_every_approach_of_an_intersection_has_its_phase():
    nodes = NODES.assign(signal=True)
    plan = fixed_plans(nodes, LINKS, turns=TURNS).set_index("link_id")
    for one in find_intersections(nodes, LINKS):
        if one.crosses:
            assert plan.loc[one.approach, "phase"].nunique() == len(phase_groups(one))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cycle_s": 20.0}, "need a longer cycle than 20 s"),
        ({"cycle_s": 0.0}, "1 to 600"),
        ({"min_cycle_s": 90.0, "max_cycle_s": 60.0}, "cycles from 90 to 60"),
        ({"peak_hour_factor": 0.0}, "peak_hour_factor=0"),
        ({"dispersion": -1.0}, "dispersion=-1"),
        ({"pedestrian_stage_s": 0.0}, "pedestrian_stage_s=0"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(NetworkError, match=words):
        fixed_plans(NODES, LINKS, settings=PlanSettings(**options))


@given(seed=st.integers(0, 10_000), split=st.booleans(), stage=st.sampled_from([None, 12.0]))
@settings(max_examples=60, deadline=None)
def test_any_streets_get_plans_whose_phases_never_meet(seed, split, stage):
    """Random points and streets, some of them one way, signals anywhere: junctions of up to eight arms at any angle."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 40))
    nodes = pd.DataFrame({"node_id": np.arange(n), "x_m": rng.uniform(0, 300, n), "y_m": rng.uniform(0, 300, n)})
    nodes["signal"] = rng.random(n) < 0.7
    ends = rng.integers(0, n, (4 * n, 2))
    ends = np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0)
    if not len(ends):
        return
    xy = nodes[["x_m", "y_m"]].to_numpy()
    links = pd.DataFrame({"link_id": np.arange(len(ends)), "from_node_id": ends[:, 0], "to_node_id": ends[:, 1]})
    links = links.assign(
        length_m=np.hypot(*(xy[ends[:, 1]] - xy[ends[:, 0]]).T) + 1.0, free_flow_speed_mps=10.0,
        lanes=rng.integers(1, 4, len(ends)).astype(float), capacity_veh_per_s=0.3,
    )  # fmt: skip
    turns = links[["link_id", "to_node_id"]].merge(links, left_on="to_node_id", right_on="from_node_id")
    turns = pd.DataFrame(
        {"from_link_id": turns["link_id_x"], "to_link_id": turns["link_id_y"], "penalty_s": 0.0,
         "angle_deg": rng.uniform(-180, 180, len(turns))}
    )  # fmt: skip
    how = PlanSettings(split_left_turns=split, pedestrian_stage_s=stage)
    flow = rng.uniform(0.0, 0.6, len(links))
    plan = fixed_plans(nodes, links, turns=turns, flow_veh_per_s=flow, seed=seed, settings=how)
    at = np.arange(0.0, MAX_CYCLE_S, 0.5)
    for _, rows in plan.groupby("intersection"):
        windows = rows[["phase", "green_start_s", "green_s", "cycle_s"]].drop_duplicates().to_numpy()
        _, start, green, cycle = windows.T[:, :, None]
        assert len(set(rows["phase"])) == len(windows) <= 4 and len(set(rows["cycle_s"])) == 1
        assert stage is not None or len(windows) > 1
        assert (((at - start) % cycle) < green).sum(axis=0).max() <= 1 and (green >= MIN_GREEN_S - 1e-9).all()

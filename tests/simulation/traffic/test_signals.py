"""Fixed plans: two phases that never meet, shared by what each carries."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.toy import toy_links, toy_nodes
from simulation.traffic.signals import CYCLE_S, LOST_S_PER_PHASE, MIN_GREEN_S, fixed_plans

LINKS, NODES = toy_links(), toy_nodes()
EAST_WEST = LINKS["name"].str.startswith("Row").to_numpy()


def seconds(plan):
    """Whether each tenth of a second of a cycle is green, by approach. Shape (approaches, 800)."""
    at = np.arange(0, CYCLE_S, 0.1)
    start, green = plan["green_start_s"].to_numpy()[:, None], plan["green_s"].to_numpy()[:, None]
    return ((at - start) % CYCLE_S) < green


@given(flows=st.lists(st.floats(0.0, 1.0), min_size=80, max_size=80), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_crossing_streets_are_never_green_together(flows, seed):
    """And between them all stops are red for the lost time: 2 x 4 s of the 80 s."""
    plan = fixed_plans(NODES, LINKS, flow_veh_per_s=np.array(flows), seed=seed)
    shown, row = seconds(plan), EAST_WEST[plan["link_id"]]
    one, other = shown[row].any(axis=0), shown[~row].any(axis=0)
    assert not (one & other).any()
    assert (~one & ~other).sum() == pytest.approx(20 * 2 * LOST_S_PER_PHASE / 2, abs=4)
    assert (plan["green_s"] >= MIN_GREEN_S - 1e-9).all()


def test_opposite_approaches_share_their_green():
    plan = fixed_plans(NODES, LINKS)
    assert plan.groupby(EAST_WEST[plan["link_id"]])[["green_start_s", "green_s"]].nunique().eq(1).all(axis=None)


def test_green_follows_the_critical_flow_ratios():
    """0.3 and 0.1 veh/s of 1 veh/s saturation: 72 s of green are split 3 to 1, so 54 and 18 s (Webster 1958)."""
    flow = np.where(EAST_WEST, 0.3, 0.1)
    plan = fixed_plans(NODES, LINKS, flow_veh_per_s=flow)
    assert plan["green_s"].to_numpy() == pytest.approx(np.where(EAST_WEST[plan["link_id"]], 54.0, 18.0))


def test_the_seed_shifts_all_plans_together():
    one, two = (fixed_plans(NODES, LINKS, seed=seed) for seed in (1, 2))
    shift = ((two["green_start_s"] - one["green_start_s"]) % CYCLE_S).round(6)
    assert (shift == shift.iloc[0]).all() and shift.iloc[0] > 0
    pd.testing.assert_frame_equal(one, fixed_plans(NODES, LINKS, seed=1))


def test_progression_follows_the_main_street():
    """A second signal 200 m further east is green 200 m / 8 m/s = 25 s later for the row street."""
    nodes = NODES.assign(signal=NODES["node_id"].isin([12, 13]))
    plan = fixed_plans(nodes, LINKS.assign(capacity_veh_per_s=np.where(EAST_WEST, 2.0, 1.0)))
    start = plan[EAST_WEST[plan["link_id"]]].groupby("node_id")["green_start_s"].first()
    assert (start[13] - start[12]) % CYCLE_S == pytest.approx(25.0)


def test_no_signal_and_no_crossing_have_no_plan():
    assert fixed_plans(NODES.assign(signal=False), LINKS).empty
    straight = LINKS[EAST_WEST].reset_index(drop=True)
    assert fixed_plans(NODES, straight.assign(link_id=range(len(straight)))).empty

"""Drivers by habit in a living town: they learn nothing of travel times, but go around what is closed."""

import numpy as np
import pytest

from simulation.errors import RunError

MORNING = {"start": "2025-09-02 07:00", "incidents_per_day": 0.0, "seed": 1}


def test_a_share_of_one_is_what_it_was_without(town):
    one, other = town.run(days=1 / 24, **MORNING), town.run(days=1 / 24, informed_share=1.0, **MORNING)
    assert one.zone_truth.equals(other.zone_truth) and one.final_state["routes_known_s"].shape[0] == 3


def test_drivers_by_habit_keep_their_ways_while_the_others_learn(town):
    """Half of the trips, by their taste, belong to the three layers whose routes stay those of empty streets."""
    seen = []

    def look(live):
        yield live.env.timeout(60.0)
        habit = live.routes.next_link[3:].copy()
        layer = live.engine.v.trips["layer"]
        yield live.env.timeout(6000.0)
        seen.append((np.array_equal(habit, live.routes.next_link[3:]), (layer >= 3).mean()))
        seen.append((live.routes.known_s[:3] != live.routes.known_s[3:]).any(axis=1).tolist())

    run = town.run(days=1 / 12, processes=[look], informed_share=0.5, **MORNING)
    (same, share), learned = seen
    assert same and share == pytest.approx(0.5, abs=0.06) and all(learned)
    assert run.summary["conserved"] and run.summary["lost"] == 0


def test_a_closed_street_turns_drivers_by_habit_too(town):
    base = town.run(days=1 / 12, informed_share=0.0, **MORNING)
    gates = [*town.gateways["in_link_id"], *town.gateways["out_link_id"]]
    busy = int(base.link_totals["outflow_veh"].drop(gates).idxmax())

    def shut(live):
        live.close([busy])
        yield live.env.timeout(0.0)

    run = town.run(days=1 / 12, informed_share=0.0, processes=[shut], **MORNING)
    assert base.link_totals.loc[busy, "outflow_veh"] > 200 and run.link_totals.loc[busy, "outflow_veh"] <= 30
    assert run.summary["lost"] == 0


def test_a_run_with_habits_goes_on_from_its_state_bit_for_bit_and_with_no_other(town):
    rest = {name: value for name, value in MORNING.items() if name != "start"}
    whole = town.run(days=1 / 12, informed_share=0.7, **MORNING)
    first = town.run(days=1 / 24, informed_share=0.7, **MORNING)
    second = town.run(days=1 / 24, informed_share=0.7, initial_state=first.final_state, **rest)
    assert all(whole.final_state[name].tobytes() == second.final_state[name].tobytes() for name in whole.final_state)
    with pytest.raises(
        RunError, match="the state knows 6 kinds of drivers, this run 3; resume with the informed_share"
    ):
        town.run(days=1 / 24, initial_state=first.final_state, **rest)


def test_a_share_beyond_all_is_refused(town):
    with pytest.raises(RunError, match=r"informed_share=-0.5 must be between 0 and 1"):
        town.run(days=1 / 24, informed_share=-0.5, **MORNING)

"""Signals under control in a living city: actuated, max pressure, and what a user writes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from data.cities import load_city
from simulation import signal_control
from simulation.errors import RunError
from simulation.signal_control import actuated, control, junction_groups, max_pressure
from simulation.traffic.actuated import Actuation

MORNING = {"start": "2025-09-02 07:00", "incidents_per_day": 0.0, "seed": 1}


@pytest.fixture(scope="module")
def lit(maker):
    """The toy town with signals at six of its inner crossings."""
    nodes = load_city("toy").nodes
    return maker(nodes=nodes.assign(signal=nodes["node_id"].isin([6, 7, 8, 11, 12, 13])))


def shown(live, links):
    """Whether each link's light is green now."""
    arrays = live.engine.arrays
    cycle, start, green = arrays.cycle_s[links], arrays.green_start_s[links], arrays.green_s[links]
    return ((live.env.now - start) % cycle) < green


def watch(groups, seen, *, until_s=3600.0, every_s=1.0):
    """Notes each second which phases of each junction are green: seen[junction] is a list of sets."""

    def process(live):
        while live.env.now < until_s:
            yield live.env.timeout(every_s)
            for k, group in enumerate(groups):
                on = {p for p, links in enumerate(group.phases) if shown(live, links).any()}
                assert all(shown(live, group.phases[p]).all() for p in on)
                seen.setdefault(k, []).append(frozenset(on))

    return process


CONTROLS = {
    "actuated": lambda: actuated(),
    "max pressure": lambda: control(max_pressure()),
}
every_control = pytest.mark.parametrize("make", CONTROLS.values(), ids=CONTROLS.keys())


@every_control
def test_two_phases_are_never_green_together_and_each_change_has_its_lost_time(lit, make):
    """Looked at every second for an hour: at most one phase; 4 s without green between two; greens of 5 s and more."""
    groups, seen = junction_groups(lit), {}
    run = lit.run(days=1 / 24, processes=[make(), watch(groups, seen)], **MORNING)
    assert run.summary["conserved"] and run.summary["lost"] == 0
    changed = 0
    for history in seen.values():
        assert all(len(on) <= 1 for on in history)
        ends = [k for k in range(1, len(history)) if history[k] != history[k - 1]]
        changed += len(ends)
        for a, b in pairwise(ends):
            assert b - a == 4 if not history[a] else b - a >= 5
    assert changed > 50


@every_control
def test_nobody_passes_at_red(lit, make):
    """Lights change at whole seconds, after this look at them: whoever left since the last second left at green."""
    links = np.concatenate([np.concatenate(group.phases) for group in junction_groups(lit)])
    passed = []

    def watch_stop_lines(live):
        while True:
            yield live.env.timeout(1.0)
            left = live.engine.v.links["last_out"][links] > live.env.now - 1.0
            passed.append(left.sum())
            assert shown(live, links)[left].all()

    run = lit.run(days=1 / 24, processes=[make(), watch_stop_lines], **MORNING)
    assert sum(passed) > 1000 and run.summary["forced_moves"] == 0


@every_control
def test_a_run_cut_in_two_is_one_run_bit_for_bit(lit, make):
    """Cut at 08:00, amid the peak; the second part begins with the lights and the counters of the first."""
    whole = lit.run(days=1 / 12, processes=[make()], **MORNING)
    first = lit.run(days=1 / 24, processes=[make()], **MORNING)
    second = lit.run(days=1 / 24, processes=[make()], initial_state=first.final_state, incidents_per_day=0.0, seed=1)
    half = len(whole.zone_truth) // 2
    tail = whole.zone_truth.sort_values(["time", "zone_id"]).iloc[half:].reset_index(drop=True)
    assert tail.equals(second.zone_truth.sort_values(["time", "zone_id"]).reset_index(drop=True))
    assert whole.final_state.keys() == second.final_state.keys()
    for name, value in whole.final_state.items():
        if name.startswith(("traffic_", "lights_")) and name != "traffic_state_events":  # a heap: of any order
            assert value.tobytes() == second.final_state[name].tobytes(), name


@every_control
def test_without_the_controller_a_run_that_goes_on_has_its_plans_back(lit, make):
    first = lit.run(days=1 / 24, processes=[make()], **MORNING)
    found = []

    def look(live):
        yield live.env.timeout(1.0)
        found.append((live.engine.arrays.cycle_s.copy(), live.lights.plan(np.arange(80))[0]))

    lit.run(days=1 / 96, processes=[look], initial_state=first.final_state, incidents_per_day=0.0, seed=1)
    assert np.array_equal(*found[0]) and (found[0][0] < 200).all()


def test_a_measure_of_links_leaves_controlled_lights_alone(lit):
    """A speed is set amid the run, which rebuilds all links: the next second's lights are those of the controller."""
    groups, seen = junction_groups(lit), {}

    def works(live):
        yield live.env.timeout(1000.0)
        before = live.engine.arrays.cycle_s.copy()
        live.set_speed([3], 2.0)
        live.retime(groups[0].phases[0].tolist(), cycle_s=90.0, green_start_s=0.0, green_s=30.0)
        assert np.array_equal(before, live.engine.arrays.cycle_s) and before.max() == 1e9

    lit.run(days=1 / 24, processes=[actuated(), works, watch(groups, seen)], **MORNING)
    assert all(len(on) <= 1 for history in seen.values() for on in history)


def test_two_controllers_of_one_junction_are_refused(lit):
    with pytest.raises(RunError, match="let one process control a signal"):
        lit.run(days=1 / 24, processes=[actuated(), control(max_pressure())], **MORNING)


def test_two_controllers_of_two_junctions_are_not(lit):
    one, other = (np.concatenate(g.phases).tolist() for g in junction_groups(lit)[:2])
    run = lit.run(days=1 / 24, processes=[actuated(link_ids=one), control(max_pressure(), link_ids=other)], **MORNING)
    assert run.summary["conserved"]


@pytest.mark.parametrize("share", [0.15, 0.4], ids=["night", "day"])
def test_actuated_signals_delay_less_than_fixed_plans_off_peak(lit, share):
    """By at least a fifth, over four hours with little traffic: nobody waits for a green that nobody uses."""
    quiet = replace(lit, demand=replace(lit.demand, od_veh=lit.demand.od_veh * share))

    def delay(*processes):
        trips = quiet.run(days=1 / 6, processes=processes, **MORNING).trips
        lost = trips["arrived"] * (trips["mean_time_s"] - trips["mean_free_flow_time_s"])
        return lost.sum() / trips["arrived"].sum()

    assert delay(actuated()) < 0.8 * delay()


def test_a_phase_that_is_called_is_served_however_heavy_the_other_is(town, monkeypatch):
    """The detectors of one street always tell of 20 vehicles: its greens end by the maximum alone.

    Whoever stands at the other line just as its own green ends waits for a change, 45 s of green and a change: 53 s.
    """
    group, waits = junction_groups(town)[0], []
    real = signal_control.near_stop_line

    def held(live, links, ahead_s=0.0):
        return np.where(np.isin(links, group.phases[0]), 20.0, real(live, links, ahead_s))

    def watch_side(live):
        since = None
        while True:
            yield live.env.timeout(1.0)
            if shown(live, group.phases[1]).all() or not real(live, group.phases[1]).any():
                since = None
            else:
                since = live.env.now if since is None else since
                waits.append(live.env.now - since)

    monkeypatch.setattr(signal_control, "near_stop_line", held)
    town.run(days=1 / 24, processes=[actuated(), watch_side], **MORNING)
    assert 40.0 < max(waits) <= 4.0 + 45.0 + 4.0 + 1.0


def test_a_green_rests_where_nobody_calls(town):
    """Without demand nothing changes in an hour."""
    groups, seen = junction_groups(town), {}
    silent = replace(town, demand=replace(town.demand, od_veh=town.demand.od_veh * 0.0))
    silent.run(days=1 / 24, processes=[actuated(), watch(groups, seen)], **MORNING)
    assert len(set(seen[0])) == 1 and len(seen[0][0]) == 1


def test_the_user_sees_counts_and_queues_by_phase(town):
    """On the approaches are those who queue and those who still drive; nobody queues beyond the storage."""
    rows = []

    def look(junction, live):
        while True:
            yield junction.tick(7.0)
            rows.append((live.env.now, *junction.queued(), *junction.counts(), *junction.queued(ahead_s=1e6)))

    town.run(days=1 / 24, processes=[control(look)], **MORNING)
    table = np.array(rows)
    assert (table[:, 0] % 7.0 == 0).all() and len(table) == 3600 // 7
    assert (table[:, 1:3] <= table[:, 3:5]).all() and (table[:, 3:5] == table[:, 5:7]).all() and table[:, 1:].any()


def fails(junction, live):
    yield junction.tick(60.0)
    raise KeyError("north")


def shows_too_much(junction, live):
    yield from junction.show(7)


def yields_a_number(junction, live):
    yield 5.0


def no_generator(junction, live):
    return 3


def waits_back(junction, live):
    yield junction.wait(-1.0)


@pytest.mark.parametrize(
    ("controller", "words"),
    [
        (fails, r"'fails' of the junction at node \d+ failed at 2025-09-02 07:01:00: KeyError: 'north'"),
        (shows_too_much, "phase 7; allowed: 0 to 1"),
        (yields_a_number, r"yielded 5.0; allowed: events such as junction.wait\(5\)"),
        (no_generator, "returned 3; allowed: a generator"),
        (waits_back, "allowed: 0 s and more"),
    ],
)
def test_a_controller_that_errs_gets_an_error_that_names_it(town, controller, words):
    with pytest.raises(RunError, match=words):
        town.run(days=1 / 24, processes=[control(controller)], **MORNING)


def test_places_without_signals_are_refused(town):
    with pytest.raises(RunError, match="no signals with two phases at these links"):
        town.run(days=1 / 24, processes=[actuated(link_ids=[0])], **MORNING)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_green_s": 50.0}, "green from 50 to 45"),
        ({"passage_s": -1.0}, "passage_s=-1"),
        ({"lost_s": 99.0}, "lost_s=99"),
        ({"resolution_s": 0.0}, "resolution_s=0"),
    ],
)
def test_impossible_settings_are_refused(options, words):
    with pytest.raises(RunError, match=words):
        Actuation(**options)


def test_plans_without_the_columns_of_intersections_are_read_by_place_and_green(lit):
    """A table of a user's own: the same junctions and phases, found from the streets."""
    bare = replace(lit, signals=lit.signals.drop(columns=["intersection", "phase"]))

    def as_sets(city):
        return {frozenset(frozenset(p.tolist()) for p in g.phases) for g in junction_groups(city)}

    assert as_sets(bare) == as_sets(lit) and len(as_sets(lit)) == 6

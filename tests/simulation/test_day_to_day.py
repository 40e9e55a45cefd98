"""Days repeated until drivers' ways are in equilibrium: the gap that is reached, and the rules that ways obey."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from data.store.protocol import MemoryStore
from simulation import Scenario, run_study
from simulation.day_to_day import Learned, learn_ways
from simulation.diary import Diary
from simulation.errors import RunError
from simulation.scenarios import BanTurns, CloseStreet, Hours, Selection
from simulation.traffic.engine import TrafficEngine
from simulation.traffic.entry_log import EntryLog
from simulation.traffic.network import LinkArrays, TurnIndex
from simulation.traffic.paths import Paths
from simulation.traffic.routing import Routes
from simulation.traffic.trips import Trips
from simulation.turn_times import TurnTimes

SHORT = {"days": 1 / 12, "start": "2025-09-02 07:00"}
STREET = Selection(street=("Row street 3",), zones=("Z01",))
# Links of Braess's network: 0 begins, 1 and 4 are bottlenecks, 2 and 3 long streets, 5 the bridge, 6 ends.
TURNS = {1: [0], 2: [0], 3: [1], 5: [1], 4: [2, 5], 6: [3, 4]}


def braess(*, bridge):
    """Bottlenecks of 0.75 veh/s and 1 s, long streets of 300 s, a bridge of 60 s; roomy beginning and end of 1 s."""
    free = np.array([1.0, 1.0, 300.0, 300.0, 1.0, 60.0, 1.0])
    full = lambda value: np.full(7, float(value))  # noqa: E731
    arrays = LinkArrays(
        length_m=10.0 * free, lanes=full(1), speed_mps=full(10), capacity_veh_per_s=full(15),
        discharge_veh_per_s=np.where(np.isin(np.arange(7), [1, 4]), 0.75, 12.0), jam_density_veh_per_m=full(3000),
        cycle_s=full(0), green_start_s=full(0), green_s=full(0), key=np.arange(7, dtype=np.uint64),
    )  # fmt: skip
    into = [[k for k in TURNS.get(link, []) if bridge or 5 not in (k, link)] for link in range(7)]
    start = np.concatenate([[0], np.cumsum([len(one) for one in into])])
    links = np.array([k for one in into for k in one])
    return arrays, TurnIndex(in_start=start, in_link=links, in_penalty=np.zeros(links.size))


def day_of(arrays, turns, depart):
    """A run of trips from link 0 to link 6 that begins with everybody on the shortest way of empty streets."""
    none = np.zeros(depart.size, dtype=np.int64)

    def run(diary):
        routes = Routes(arrays, turns, np.array([6]), np.zeros((1, 7), dtype=bool), seed=1, perceptions=1,
                        perception_sd=0.0)  # fmt: skip
        routes.update()
        engine = TrafficEngine(arrays, 1, log=True, gate_fill=1.0)
        trips = Trips(depart_s=depart, origin_link=none, dest_row=none, layer=none, vehicle_class=none)
        engine.release(diary.given(SimpleNamespace(routes=routes, engine=engine), trips, none + 6))
        engine.run_out(routes.next_link)
        released = pd.DataFrame({"depart_s": depart, "origin_link_id": none, "dest_link_id": none + 6})
        return SimpleNamespace(entry_log=engine.entry_log(), released=released), engine

    return run


def test_a_new_bridge_makes_everybody_slower_once_all_have_learned_their_ways():
    """Braess's network, 1.5 veh/s for half an hour: both ways together carry just that, 303 s without the bridge.

    With the bridge all want both bottlenecks. A queue grows until waiting costs the 300 - 60 s that the bridge saves
    at each: up to 2 x 240 + 60 + 4 s. Drivers who only see empty streets begin with a far larger gap.
    """
    depart = np.arange(0.0, 1800.0, 1.0 / 1.5)
    mean = {}
    for bridge in (False, True):
        arrays, turns = braess(bridge=bridge)
        result, _, told = learn_ways(day_of(arrays, turns, depart), arrays, turns, gap=0.01, seed=1)
        assert told.reached and told.gap <= 0.01 < told.first_gap and told.trips == depart.size
        mean[bridge] = np.nanmean(result.entry_log.travel_times(depart))
    assert mean[False] == pytest.approx(303.0, rel=0.05)
    assert 1.25 * mean[False] < mean[True] < 1.1 * 544.0


def test_mean_times_are_told_turn_by_turn():
    """Braess's link 0 leads to 1 and 2. Four vehicles a minute after another leave it for 1 after 10 s, four for 2
    after 100 s: the street's mean is 55 s, which counts as two vehicles in each turn: (4 x 10 + 2 x 55) / 6 = 25 s and
    (4 x 100 + 2 x 55) / 6 = 85 s. A street that nobody drove takes its free time.
    """
    arrays, turns = braess(bridge=True)
    pieces = TurnTimes(turns, arrays.key)
    rows = [(k, 0, 0.0) for k in range(8)]
    rows += [(k, 1 if k < 4 else 2, 10.0 if k < 4 else 100.0) for k in range(8)]
    trip, link, time_s = zip(*rows)
    times = pieces.means(EntryLog(trip, link, time_s), np.zeros(8), np.zeros(8, dtype=np.int64), np.full(7, 3.0))
    ways = pieces.pieces(Paths.from_lists([[0, 1], [0, 2], [5]]))
    at = 150.0  # the middle of the span, where the knot is
    assert times.travel_s(int(ways.links[0]), at) == pytest.approx(25.0)
    assert times.travel_s(int(ways.links[2]), at) == pytest.approx(85.0)
    assert times.travel_s(int(ways.links[4]), at) == pytest.approx(3.0)
    assert pieces.links(ways).links.tolist() == [0, 1, 0, 2, 5]


@pytest.fixture(scope="module")
def closed(town):
    store = MemoryStore()
    scenario = Scenario(name="close", measures=(CloseStreet(where=STREET, hours=Hours(7.5 * 3600.0, 8.5 * 3600.0)),))
    return store, scenario, run_study(town, scenario, seeds=(1, 2), equilibrium=0.1, store=store, **SHORT)


def test_a_study_states_the_gap_that_it_was_asked_for(closed):
    """Base and scenario of every pair: at most 10 %, from far more where a main street has just been closed."""
    study = closed[2]
    assert len(study.learned) == 2
    for base, new in study.learned:
        assert base.gap <= 0.1 and new.gap <= 0.1 and base.asked == new.asked == 0.1
        assert base.first_gap >= base.gap and base.rounds >= 1 and base.mean_s >= base.best_s > 0
    assert min(new.first_gap for _, new in study.learned) > 0.5


def test_a_study_in_equilibrium_resumes_the_same_and_differs_from_one_that_is_not(closed, town):
    store, scenario, study = closed
    again = run_study(
        town, scenario, seeds=(1, 2), equilibrium=0.1, store=store,
        progress=lambda *args: None, cancelled=None, **SHORT,
    )  # fmt: skip
    pd.testing.assert_frame_equal(again.effects, study.effects, check_exact=True)
    assert again.learned == study.learned
    plain = run_study(town, scenario, seeds=(1, 2), store=store, **SHORT)
    assert plain.learned == () and not plain.effects["base"].equals(study.effects["base"])


def test_an_empty_scenario_in_equilibrium_has_no_effect_at_all(town):
    study = run_study(town, Scenario(name="nothing"), seeds=(1,), equilibrium=0.02, **SHORT)
    assert (study.effects["effect"] == 0.0).all() and study.learned[0][0] == study.learned[0][1]


def test_learned_ways_obey_closures_and_banned_turns(town):
    """After the closure has begun nobody who set out since is on the street, and nobody makes a banned turn."""
    street = CloseStreet(where=STREET, hours=Hours(7.5 * 3600.0, 24 * 3600.0))
    other = Selection(street=("Column street 2",))
    banned = BanTurns(where=other, movements=("left",))
    pairs = set(zip(*town.turns.loc[banned.rows(town), ["from_link_id", "to_link_id"]].to_numpy().T.tolist()))
    scenario = Scenario(name="both", measures=(street, banned))
    changed = scenario.apply(town)

    def run(diary):
        return changed.run(
            seed=3, processes=scenario.processes(), incidents_per_day=0.0, keep_entry_log=True, diary=diary, **SHORT
        ), None  # fmt: skip

    result, _, told = learn_ways(run, changed.link_arrays(), changed.turn_index(), gap=1e-4, seed=3, rounds=4)
    assert told.rounds == 4 and pairs
    paths = result.entry_log.paths(len(result.released))
    late = np.flatnonzero(result.released["depart_s"] > 1900.0)
    doors = np.union1d(town.demand.origins.link, town.demand.destinations.link)
    shut = np.setdiff1d(street.links(town), doors)
    inner = paths.take(late)
    assert len(inner) > 100 and not np.isin(inner.links, shut).any()
    trip = np.repeat(np.arange(len(paths)), np.diff(paths.start))
    steps = np.flatnonzero(trip[1:] == trip[:-1])
    assert not pairs & set(zip(paths.links[steps].tolist(), paths.links[steps + 1].tolist()))


def test_a_trip_whose_ends_have_moved_does_not_drive_the_way_of_another():
    """Ways are given by the order of release; the second trip begins elsewhere and follows the routes."""
    arrays, turns = braess(bridge=True)
    routes = Routes(arrays, turns, np.array([6]), np.zeros((1, 7), dtype=bool), seed=1, perceptions=1)
    diary = Diary(Paths.from_lists([[0, 2, 4, 6], [0, 1, 3, 6]]))
    none = np.zeros(3, dtype=np.int64)
    trips = Trips(
        depart_s=np.arange(3.0), origin_link=np.array([0, 1, 0]), dest_row=none, layer=none, vehicle_class=none
    )
    given = diary.given(SimpleNamespace(routes=routes, engine=SimpleNamespace(released=0)), trips, none + 6)
    assert given.paths is not None
    assert [given.paths[k].tolist() for k in range(3)] == [[0, 2, 4, 6], [], []]
    diary.drop(1)
    assert diary.rule.size == diary.group.size == 2


@pytest.mark.parametrize("gap", [0.0, -0.1, 0.6, float("nan")])
def test_an_impossible_gap_is_refused_before_anything_runs(town, gap):
    with pytest.raises(RunError, match="relative gap above 0"):
        run_study(town, Scenario(name="x"), equilibrium=gap, progress=lambda *args: pytest.fail("it ran"), **SHORT)


def test_what_was_learned_survives_its_array():
    one = Learned(gap=0.1, first_gap=0.3, asked=0.05, rounds=7, trips=9, mean_s=3.0, best_s=2.5)
    assert Learned.from_array(one.to_array()) == one and not one.reached and replace(one, gap=0.05).reached

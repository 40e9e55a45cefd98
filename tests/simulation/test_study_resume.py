"""A killed study resumes, stops by itself, and tells more than effects."""

import threading

import numpy as np
import pandas as pd
import pytest

from data.store.protocol import MemoryStore
from simulation import Scenario, study
from simulation import study as module
from simulation.errors import RunError, StudyCancelled
from simulation.induced import factors, induced_demand
from simulation.kpis.errors import KpiError
from simulation.replication import from_bytes
from simulation.scenarios import CloseStreet, ScaleDemand, Selection
from simulation.stopping import Until
from simulation.study import run_study

SHORT = {"days": 1 / 24, "start": "2026-01-27 07:00"}
STREET = Selection(street=("Row street 3",), zones=("Z01",))
CLOSE = Scenario(name="close", measures=(CloseStreet(where=STREET),))


class Counting(MemoryStore):
    """A store that counts what is put, and can die after some."""

    def __init__(self, most=99):
        super().__init__()
        self.put_keys, self.most = [], most

    def put(self, key, value):
        if len(self.put_keys) >= self.most:
            raise KeyboardInterrupt
        self.put_keys.append(key)
        super().put(key, value)


@pytest.fixture(scope="module")
def whole(town):
    store = Counting()
    return run_study(town, CLOSE, seeds=(1, 2, 3), store=store, bus_lines={"7": [0, 1]}, **SHORT), store


def same(a, b):
    for name in ("effects", "link_effects", "hourly", "reliability", "equity", "access", "risk"):
        pd.testing.assert_frame_equal(getattr(a, name), getattr(b, name), check_exact=True)
    assert a.forced_moves == b.forced_moves and a.seeds == b.seeds
    assert repr(a.gap) == repr(b.gap)


def test_a_killed_study_goes_on_without_repeating_and_ends_the_same_bit_for_bit(town, whole):
    """Killed after three of six runs: three are left, each is stored once, no table differs from the whole study's."""
    study_, _ = whole
    store = Counting(most=3)
    with pytest.raises(KeyboardInterrupt):
        run_study(town, CLOSE, seeds=(1, 2, 3), store=store, bus_lines={"7": [0, 1]}, **SHORT)
    store.most = 99
    again = run_study(town, CLOSE, seeds=(1, 2, 3), store=store, bus_lines={"7": [0, 1]}, **SHORT)
    assert len(store.put_keys) == len(set(store.put_keys)) == 6
    same(again, study_)


def test_a_finished_study_runs_nothing_again_even_with_a_damaged_replication(town, whole):
    """All six are there; of one whose bytes are cut off, that one alone is run again."""
    study_, store = whole
    before = len(store.put_keys)
    same(run_study(town, CLOSE, seeds=(1, 2, 3), store=store, bus_lines={"7": [0, 1]}, **SHORT), study_)
    assert len(store.put_keys) == before
    broken = MemoryStore({key: store.get(key) for key in store.list()})
    key = broken.list()[0]
    broken.put(key, broken.get(key)[:100])
    same(run_study(town, CLOSE, seeds=(1, 2, 3), store=broken, bus_lines={"7": [0, 1]}, **SHORT), study_)
    assert from_bytes(broken.get(key)).values.size > 50


def test_two_processes_and_a_store_give_what_one_gives(town, whole):
    store = Counting()
    other = run_study(town, CLOSE, seeds=(1, 2, 3), store=store, n_jobs=2, bus_lines={"7": [0, 1]}, **SHORT)
    same(other, whole[0])
    assert sorted(store.put_keys) == sorted(whole[1].put_keys)


def test_another_scenario_with_the_same_base_and_places_finds_the_base_done(town):
    """Two scenarios without places: one base each seed, two changed sides."""
    store = Counting()
    for factor in (0.9, 0.8):
        less = Scenario(name="less", measures=(ScaleDemand(factor=factor),))
        run_study(town, less, seeds=(1,), store=store, **SHORT)
    assert len(store.put_keys) == 3


def test_two_studies_at_once_in_one_store_do_not_disturb_each_other(town, whole):
    store, found = MemoryStore(), {}

    def go(name):
        found[name] = run_study(town, CLOSE, seeds=(1, 2, 3), store=store, bus_lines={"7": [0, 1]}, **SHORT)

    threads = [threading.Thread(target=go, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    same(found["a"], whole[0])
    same(found["b"], whole[0])


def test_a_study_stops_when_its_interval_is_narrow_enough(town):
    """Any interval is narrow enough: it stops at the minimum, with the effects of that many seeds."""
    rule = Until(quantity="vehicle_km", width=1e9, minimum=2)
    found = run_study(town, CLOSE, seeds=range(1, 9), until=rule, gap=False, **SHORT)
    assert found.stopped == "width" and found.seeds == (1, 2) and found.effects["n"].eq(2).all()
    tight = Until(quantity="vehicle_km", width=1e-9, minimum=2)
    assert run_study(town, CLOSE, seeds=(1, 2), until=tight, gap=False, **SHORT).stopped == "seeds"


def test_a_study_stops_when_its_seconds_are_spent(town):
    found = run_study(town, CLOSE, seeds=range(1, 9), seconds=1e-6, gap=False, **SHORT)
    assert found.stopped == "seconds" and found.seeds == (1,)
    with pytest.raises(RunError, match="above 0"):
        run_study(town, CLOSE, seconds=0.0, **SHORT)


def test_classes_add_up_to_the_city_and_costs_to_their_sum(whole):
    """Vehicle-km and hours of the classes are the city's; external cost is that of its parts."""
    table = whole[0].effects[whole[0].effects["hour"] == -1]
    for name in ("vehicle_km", "vehicle_hours"):
        rows = table[table["quantity"] == name]
        classes = rows.loc[rows["scope"] == "class", "effect"].sum()
        assert classes == pytest.approx(rows.loc[rows["scope"] == "city", "effect"].item(), rel=1e-6)
    city = table[table["scope"] == "city"].set_index("quantity")["scenario_value"]
    parts = sum(city[f"{k}_cost_eur"] for k in ("accident", "air", "climate"))
    assert city["external_cost_eur"] == pytest.approx(parts)
    assert city["total_cost_eur"] == pytest.approx(city["time_cost_eur"] + city["external_cost_eur"])
    line = table[table["scope"] == "line"]
    assert line["zone_id"].tolist() == ["7"] and (line["base"] > 0).all()


def test_zones_by_hour_add_up_to_the_city_by_hour(whole):
    rows = whole[0].hourly
    zones = rows[(rows["quantity"] == "vehicle_km") & (rows["hour"] == 7)]["base"].sum()
    city = whole[0].effects
    city = city[(city["quantity"] == "vehicle_km") & (city["scope"] == "city") & (city["hour"] == 7)]["base"].item()
    assert zones == pytest.approx(city)


def test_the_closed_street_is_told_with_its_detour_and_the_gap_of_the_ways(town, whole):
    """Residents walk from the next open street; emergency vehicles drive through, so their way is no longer."""
    found = whole[0]
    closed = set(CLOSE.measures[0].links(town))
    assert closed <= set(found.access["link_id"])
    rows = found.access[found.access["link_id"].isin(closed)]
    assert (rows["emergency_detour_s"] == 0.0).all() and (rows["closed_to"].str.contains("car")).all()
    for gap in found.gap:
        assert gap is not None and gap.trips > 500 and 0.0 <= gap.gap < 1.0 and gap.mean_s >= gap.best_s


def test_the_module_is_called_like_a_function(town):
    """`from simulation import study` gives what can be called, with measures alone."""
    found = study(town, ScaleDemand(factor=0.5), seeds=1, gap=False, **SHORT)
    assert found.seeds == (1,) and found is not None and module.run_study is run_study


def test_demand_follows_the_times_that_it_makes(town):
    """Times are twice today's at full demand and in proportion to it: with elasticity -1 half, of 2 q: q = 0.7071."""
    whole = town.demand.od_veh.sum()
    base = np.full((1, *town.demand.od_veh.shape), 100.0)
    found = induced_demand(town, base, lambda city: base * 2.0 * city.demand.od_veh.sum() / whole, -1.0)
    assert found.trips_after / found.trips_before == pytest.approx(np.sqrt(0.5), abs=0.01) and found.residual < 0.01
    assert factors(base, base * 2.0, -1.0).max() == 0.5


def test_a_closed_street_keeps_trips_at_home_with_an_elasticity(town):
    """Longer ways, fewer trips; without it, or with 0, demand stays to the last bit."""
    base = run_study(town, CLOSE, seeds=(1,), gap=False, **SHORT)
    none = run_study(town, CLOSE, seeds=(1,), gap=False, elasticity=0.0, **SHORT)
    pd.testing.assert_frame_equal(base.effects, none.effects, check_exact=True)
    before = town.demand.od_veh.copy()
    less = run_study(town, CLOSE, seeds=(1,), gap=False, elasticity=-0.5, **SHORT)
    assert np.array_equal(town.demand.od_veh, before)
    assert less.induced is not None and less.induced.trips_after < less.induced.trips_before
    with pytest.raises(RunError, match="allowed: -3 to 0"):
        induced_demand(town, np.ones((1, 1, 1)), lambda city: np.ones((1, 1, 1)), 0.5)


def test_cancelling_keeps_the_finished_replications(town):
    store, asked = Counting(), []

    def cancelled():
        asked.append(1)
        return len(store.put_keys) >= 2

    with pytest.raises(StudyCancelled):
        run_study(town, CLOSE, seeds=(1, 2), store=store, cancelled=cancelled, gap=False, **SHORT)
    assert len(store.put_keys) == 2


def test_lines_on_links_that_are_not_there_are_refused(town):
    with pytest.raises(KpiError, match=r"(?s)'9'.*'x'"):
        run_study(town, CLOSE, bus_lines={"9": [9999], "x": []}, **SHORT)

"""Studies: pairs that share their luck, and what the caller can do while they run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.schemas import EFFECTS, validate
from simulation import Scenario, run_study
from simulation.errors import RunError, StudyCancelled
from simulation.scenarios import CloseStreet, Hours, ScaleDemand, Selection
from simulation.scenarios.errors import ScenarioError
from simulation.study import touched_zones

SHORT = {"days": 1 / 6, "start": "2025-09-02 06:00"}
STREET = Selection(street=("Row street 3",), zones=("Z01",))


def closing(**kw):
    return Scenario(name="close", measures=(CloseStreet(where=STREET, **kw),))


def city_value(table, quantity, column="effect"):
    row = table[(table["quantity"] == quantity) & (table["scope"] == "city") & (table["hour"] == -1)]
    return row[column].item()


@pytest.fixture(scope="module")
def closed(town):
    told = []
    study = run_study(town, closing(), seeds=(1, 2, 3), progress=lambda *args: told.append(args), **SHORT)
    return study, told


def test_an_empty_scenario_has_no_effect_at_all(town):
    """Common random numbers: every difference is zero, and so is every interval."""
    study = run_study(town, Scenario(name="nothing"), seeds=(1, 2), **SHORT)
    assert len(study.effects) > 90 and study.inside == ()
    assert (study.effects[["effect", "lower", "upper"]] == 0.0).all(axis=None)
    links = study.link_effects
    assert links["flow_base"].equals(links["flow_scenario"].rename("flow_base"))


def test_a_closed_street_is_empty_and_its_traffic_takes_a_longer_way(closed, town):
    study, _ = closed
    table = validate(study.effects, EFFECTS)
    street = closing().measures[0].links(town)
    links = study.link_effects.set_index("link_id")
    gates = {*town.gateways["in_link_id"], *town.gateways["out_link_id"]}
    inner = [link for link in street if link not in gates]
    assert len(inner) and links.loc[inner, "flow_base"].min() > 50 and links.loc[inner, "flow_scenario"].max() == 0
    assert city_value(table, "vehicle_hours") > 0 and city_value(table, "vehicle_hours", "lower") > 0
    assert "Z01" in study.inside and study.seeds == (1, 2, 3) and len(study.forced_moves) == 3
    assert city_value(table, "travel_time_s") > 0


def test_pairs_are_less_noisy_than_the_runs_themselves(closed):
    """Shared luck: the interval of the effect is narrower than that of two independent means would be."""
    table = closed[0].effects
    rows = table[(table["quantity"] == "vehicle_km") & (table["hour"] == -1) & (table["scope"] == "city")]
    half = (rows["upper"] - rows["lower"]).item() / 2
    assert half < 0.07 * rows["base"].item()


def test_progress_tells_the_effects_so_far(closed):
    study, told = closed
    assert [(done, total) for done, total, _, _ in told if done] == [(1, 3), (2, 3), (3, 3)]
    parts = [part for done, _, _, part in told if done]
    assert parts[0]["n"].eq(1).all() and parts[0]["lower"].isna().all()
    pd.testing.assert_frame_equal(parts[-1], study.effects)


def test_the_same_study_is_the_same_bit_for_bit_on_two_processes(town, closed):
    other = run_study(town, closing(), seeds=(1, 2, 3), n_jobs=2, **SHORT)
    pd.testing.assert_frame_equal(other.effects, closed[0].effects, check_exact=True)
    pd.testing.assert_frame_equal(other.link_effects, closed[0].link_effects, check_exact=True)


def test_hours_bound_the_effect_in_time(town):
    """Closed from 08:00: the two hours before are as they were, exactly."""
    study = run_study(town, closing(hours=Hours(8 * 3600.0, 9 * 3600.0)), seeds=(1,), **SHORT)
    hourly = study.effects[(study.effects["hour"] >= 0) & (study.effects["quantity"] == "vehicle_km")].set_index("hour")
    assert (hourly.loc[[6, 7], "effect"] == 0.0).all() and hourly.loc[8, "effect"] != 0.0


def test_less_demand_is_fewer_vehicle_kilometres(town):
    """A fifth of the trips stays at home: a fifth of the kilometres, within 3 points."""
    study = run_study(town, Scenario(name="less", measures=(ScaleDemand(factor=0.8),)), seeds=(1, 2), **SHORT)
    share = city_value(study.effects, "vehicle_km") / city_value(study.effects, "vehicle_km", "base")
    assert share == pytest.approx(-0.2, abs=0.03)


@pytest.mark.parametrize("seeds", [(), (1, 1), (1, 2, 1)])
def test_seeds_are_needed_each_once(town, seeds):
    with pytest.raises(RunError, match="each once"):
        run_study(town, closing(), seeds=seeds)


def test_a_measure_that_does_not_fit_is_refused_before_anything_runs(town):
    scenario = Scenario(name="x", measures=(CloseStreet(where=Selection(street=("Nowhere",))),))
    with pytest.raises(ScenarioError, match="Nowhere"):
        run_study(town, scenario, progress=lambda *args: pytest.fail("it ran"))


def test_a_study_stops_when_it_is_told_to(town):
    """Asked every simulated hour: the first pair is not finished."""
    asked, told = [], []

    def cancelled():
        asked.append(1)
        return len(asked) > 3

    with pytest.raises(StudyCancelled, match="replication 1 of 2"):
        run_study(town, closing(), seeds=(1, 2), cancelled=cancelled, progress=lambda *args: told.append(args), **SHORT)
    assert len(asked) == 4 and not [done for done, *_ in told if done]


def test_a_study_stopped_between_pairs_has_told_the_finished_ones(town):
    told = []
    with pytest.raises(StudyCancelled, match="after 1 of 2"):
        run_study(
            town, closing(), seeds=(1, 2), progress=lambda *args: told.append(args),
            cancelled=lambda: any(done == 1 for done, *_ in told), **SHORT,
        )  # fmt: skip
    assert [part is not None for done, _, _, part in told if done] == [True]


def test_touched_zones_hold_the_links_of_the_measures(town):
    assert "Z01" in touched_zones(town, closing()) and touched_zones(town, Scenario(name="none")) == ()
    assert touched_zones(town, Scenario(name="all", measures=(ScaleDemand(factor=0.5),))) == ()
    whole = Scenario(name="z", measures=(CloseStreet(where=Selection(zones=("Z04",))),))
    assert "Z04" in touched_zones(town, whole)


def test_a_base_that_is_closed_already_does_not_change(town):
    """Closing what is closed has no effect at all."""
    street = closing().measures[0].links(town)
    base = replace(town, closed=frozenset((int(link), k) for link in street for k in range(4)))
    study = run_study(base, closing(), seeds=(1,), **SHORT)
    assert np.array_equal(study.effects["base"], study.effects["scenario_value"])


def test_a_study_lives_in_the_weather_that_it_is_given(town):
    """The same pairs in steady wind of 8 and of 1 m/s: weak wind leaves more NO2 in the streets, before and after."""
    from simulation.air.background import SPECIES
    from simulation.air.weather import synthetic_weather

    start = pd.Timestamp("2026-01-27", tz=town.timezone)
    weather = synthetic_weather(town.latitude, start, 2, 1, longitude=town.longitude)
    steady = weather[["time"]].assign(**dict.fromkeys(SPECIES, 10.0))
    mean = {}
    for wind in (1.0, 8.0):
        study = run_study(
            town, closing(), seeds=(1,), days=0.5, start=start, weather=weather.assign(wind_speed_mps=wind),
            background=steady,
        )  # fmt: skip
        city = study.effects[(study.effects["scope"] == "city") & (study.effects["hour"] == -1)].set_index("quantity")
        mean[wind] = city.loc["nox", ["base", "scenario_value"]]
    assert (mean[1.0] > mean[8.0]).all()

"""Previews: what they foresee, how they are stored, and what they refuse."""

import json
from dataclasses import replace

import numpy as np
import pytest

from data.store.protocol import MemoryStore
from simulation.errors import StudyCancelled
from simulation.preview import Design, Preview, PreviewError, Window, draw, simulate
from simulation.preview.ensemble import QUANTITIES
from simulation.preview.surrogates import fit
from simulation.scenarios import (
    ActuateSignals,
    ChargeToll,
    CloseStreet,
    Hours,
    ScaleDemand,
    Scenario,
    Selection,
    SpeedLimit,
)

WINDOW = Window(start="2025-09-02 07:30", hours=0.75)
DESIGN = Design(ranges={"close_street": (0, 0), "speed_limit": (20, 30), "demand": (0.8, 1.2)}, most_measures=2)


@pytest.fixture(scope="module")
def ensemble(town):
    return simulate(town, draw(town, 24, window=WINDOW, design=DESIGN, seed=3), window=WINDOW)


@pytest.fixture(scope="module")
def preview(town, ensemble):
    return Preview.learn(town, ensemble, kinds=("rerouted", "zone", "city", "mixed"))


def city_effect(answer, quantity):
    table = answer.effects
    return table[(table["zone_id"] == "") & (table["quantity"] == quantity)].iloc[0]


def test_no_change_has_no_effect_and_no_doubt(preview):
    """Every model is a line through the origin: zero features, zero effect, and an interval of no width."""
    for measures in ((), (ScaleDemand(factor=1.0),)):
        answer = preview.ask(Scenario(name="nothing", measures=measures))
        assert (answer.effects[["effect", "lower", "upper"]] == 0.0).all(axis=None)
    assert preview.ask(Scenario(name="nothing")).scope.inside


def test_more_trips_drive_more_and_the_answer_has_every_zone_and_the_city(preview):
    """A tenth more trips: more vehicle-km in all, within bounds that hold the answer; flow has no citywide row."""
    answer = preview.ask(Scenario(name="more", measures=(ScaleDemand(factor=1.1),)))
    row = city_effect(answer, "vehicle_km")
    assert 0.05 * row["base"] < row["effect"] < 0.15 * row["base"]
    assert (
        (answer.effects["lower"] <= answer.effects["effect"]) & (answer.effects["effect"] <= answer.effects["upper"])
    ).all()
    assert len(answer.effects) == 5 * len(QUANTITIES) - 1


def test_a_stored_preview_answers_bit_for_bit_alike(preview, town):
    """JSON, arrays and bytes are all there is to it."""
    meta, arrays, blobs = preview.state()
    again = Preview.restore(town, json.loads(json.dumps(meta)), arrays, blobs)
    asked = Scenario(name="slow", measures=(SpeedLimit(where=Selection(zones=("Z01",)), kmh=20),))
    assert again.ask(asked).effects.equals(preview.ask(asked).effects)
    assert again.ask(asked).scope == preview.ask(asked).scope


def test_another_citys_preview_is_refused(preview, maker):
    meta, arrays, blobs = preview.state()
    with pytest.raises(PreviewError, match="another city"):
        Preview.restore(maker(count=9), meta, arrays, blobs)
    with pytest.raises(PreviewError, match="another version"):
        Preview.restore(preview.city, {**meta, "format": 0}, arrays, blobs)


@pytest.mark.parametrize(
    "measure, word",
    [
        (ChargeToll(where=Selection(zones=("Z01",)), eur=1.0), "no 'toll'"),
        (ScaleDemand(factor=2.0), "percent 100"),
        (SpeedLimit(where=Selection(zones=("Z01",)), kmh=5), "kmh 5"),
        (ActuateSignals(where=Selection()), "actuated signals"),
        (CloseStreet(where=Selection(zones=("Z01", "Z02"))), "closed streets"),
    ],
    ids=lambda part: type(part).__name__ if not isinstance(part, str) else "",
)
def test_what_was_never_simulated_is_said_to_be_outside(preview, measure, word):
    verdict = preview.ask(Scenario(name="odd", measures=(measure,))).scope
    assert not verdict.inside and word in str(verdict)


def test_too_many_measures_at_once_are_outside(preview):
    """The design has two at most."""
    many = tuple(ScaleDemand(factor=1.05, from_zones=(f"Z0{k}",)) for k in range(1, 4))
    assert "3 measures at once" in str(preview.ask(Scenario(name="many", measures=many)).scope)


def test_its_own_scenarios_lie_mostly_within(preview, ensemble):
    """Each was seen; the checks leave a few out on purpose, and no more."""
    inside = [preview.ask(scenario).scope.inside for scenario in ensemble.scenarios]
    assert np.mean(inside) >= 0.9


def test_a_measure_of_half_the_window_has_less_effect_than_one_of_all(preview):
    """Between 07:30 and 08:15, a slow zone until 08:00 slows two of three quarters."""
    slow = SpeedLimit(where=Selection(zones=("Z01",)), kmh=20)
    whole, part = (
        city_effect(preview.ask(Scenario(name="s", measures=(replace(slow, hours=hours),))), "vehicle_hours")["effect"]
        for hours in (None, Hours(7.5 * 3600, 8 * 3600))
    )
    assert 0.4 * whole < part < 0.9 * whole


def test_a_killed_ensemble_goes_on_where_it_stopped(town, ensemble, monkeypatch):
    """Three runs are in the store; the second call simulates the rest alone and gives the same numbers."""
    store, scenarios = MemoryStore(), list(ensemble.scenarios[:3])
    told = []
    with pytest.raises(StudyCancelled, match="3 of 4"):
        simulate(
            town,
            scenarios,
            window=WINDOW,
            store=store,
            progress=lambda *a: told.append(a),
            cancelled=lambda: len(told) == 3,
        )
    runs = []
    real = type(town).run
    monkeypatch.setattr(type(town), "run", lambda self, **kw: runs.append(1) or real(self, **kw))
    again = simulate(town, scenarios, window=WINDOW, store=store)
    assert len(runs) == 1 and np.array_equal(again.values, ensemble.values[:3])


def test_faults_are_told_together(town, ensemble):
    few = replace(ensemble, scenarios=ensemble.scenarios[:3], zone_ids=("X",))
    with pytest.raises(PreviewError, match=r"3 scenarios.*kinds \['magic'\].*other zones"):
        Preview.learn(town, few, kinds=("magic",))
    with pytest.raises(PreviewError, match=r"start.*hours"):
        Window(start="noon", hours=0.1)


def test_a_design_is_the_same_for_every_length_and_fits_its_city(town):
    """The first five of twelve are those of five; every scenario fits, and holds what the design allows."""
    twelve, five = (draw(town, n, window=WINDOW, design=DESIGN, seed=5) for n in (12, 5))
    assert twelve[:5] == five and len({scenario.name for scenario in twelve}) == 12
    assert all(not scenario.check(town) and 1 <= len(scenario.measures) <= 2 for scenario in twelve)
    with pytest.raises(PreviewError, match="kinds"):
        Design(ranges={"magic": (0, 1)})


def test_pairs_draw_each_scenarios_days_and_compare_it_with_their_own_base(town, ensemble):
    """Two scenarios, one of three seeds each: that seed's base is subtracted; more scenarios change nothing."""
    scenarios = list(ensemble.scenarios[:2])
    found = simulate(town, scenarios, window=WINDOW, seeds=(1, 2, 3), pairs=1)
    assert found.base.shape[0] == 3 and found.values.shape[:2] == found.luck.shape == (2, 1)
    for k in range(2):
        mine = found.base[found.luck[k, 0]]
        assert np.array_equal(found.effects[k], found.values[k, 0] - mine, equal_nan=True)
    alone = simulate(town, scenarios[:1], window=WINDOW, seeds=(1, 2, 3), pairs=1)
    assert np.array_equal(alone.values, found.values[:1]) and np.array_equal(alone.luck, found.luck[:1])
    with pytest.raises(PreviewError, match="pairs=4"):
        simulate(town, scenarios, window=WINDOW, seeds=(1, 2, 3), pairs=4)


def test_a_line_of_least_absolute_error_passes_by_the_odd_scenario():
    """y = 2 x in 19 scenarios, one jam of 100: the line is 2, where least squares would have 4.5 or more."""
    x = np.linspace(1, 2, 20).reshape(20, 1, 1)
    y = 2.0 * x[:, :, 0]
    y[-1] = 100.0
    model = fit("city", x.repeat(2, 1), y.repeat(2, 1), np.ones((20, 2)), n_zones=1, own=-1, penalty=1e-6, seed=1)
    assert model.coef[0, 0] == pytest.approx(2.0, abs=0.02)

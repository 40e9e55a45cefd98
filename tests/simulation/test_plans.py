"""Several plans against one base, under common random numbers."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from data.store.protocol import MemoryStore
from simulation import Scenario, compare_plans
from simulation.errors import RunError
from simulation.plans import differences
from simulation.scenarios import CloseStreet, ScaleDemand, Selection
from simulation.scenarios.errors import ScenarioError
from simulation.study import run_study

SHORT = {"days": 1 / 24, "start": "2026-01-27 07:00"}
CLOSE = Scenario(name="close", measures=(CloseStreet(where=Selection(street=("Row street 3",), zones=("Z01",))),))
SAME = Scenario(name="same", measures=CLOSE.measures)
NOTHING = Scenario(name="nothing")


class Counting(MemoryStore):
    """A store that counts what is put, and can die after some."""

    def __init__(self, most=99):
        super().__init__()
        self.puts, self.most = 0, most

    def put(self, key, value):
        if self.puts >= self.most:
            raise KeyboardInterrupt
        self.puts += 1
        super().put(key, value)


@pytest.fixture(scope="module")
def compared(town):
    store = Counting()
    return compare_plans(town, [CLOSE, SAME, NOTHING], seeds=(1, 2), store=store, **SHORT), store


def test_equal_plans_do_not_differ_and_nothing_changes_nothing(compared):
    """Common random numbers: two closures of one street are the same run, bit for bit; no measure is today."""
    found, store = compared
    rows = found.differences.set_index(["first", "second"])
    assert (rows.loc[("close", "same"), ["difference", "lower", "upper"]] == 0.0).all(axis=None)
    assert (found.effects.query("scenario == 'nothing'")[["effect", "lower", "upper"]] == 0.0).all(axis=None)
    assert store.puts == 4  # today and the closure, two seeds each: equal sides have one name


def test_a_difference_between_plans_is_that_of_their_effects(compared):
    """Nothing less close is minus the effect of closing, with the interval turned round."""
    found, _ = compared
    key = ["quantity", "scope", "zone_id", "hour"]
    gap = found.differences.query("first == 'close' and second == 'nothing'").set_index(key)
    own = found.effects.query("scenario == 'close'").set_index(key).loc[gap.index]
    np.testing.assert_allclose(gap["difference"], -own["effect"], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(gap["lower"], -own["upper"], rtol=1e-9, atol=1e-9)


def test_one_plan_alone_has_the_effects_of_a_study(town, compared):
    """The same seeds, weather and places: the study's table, bit for bit, from the same stored runs."""
    _, store = compared
    alone = compare_plans(town, [CLOSE], seeds=(1, 2), store=store, **SHORT)
    study = run_study(town, CLOSE, seeds=(1, 2), store=store, gap=False, **SHORT)
    pd.testing.assert_frame_equal(alone.effects, study.effects, check_exact=True)
    assert alone.differences.empty and store.puts == 4


def test_a_killed_comparison_goes_on_where_it_stopped(town, compared):
    """Killed after three of four runs: one is left, and the tables are the same."""
    store = Counting(most=3)
    with pytest.raises(KeyboardInterrupt):
        compare_plans(town, [CLOSE, NOTHING], seeds=(1, 2), store=store, **SHORT)
    store.most = 99
    again = compare_plans(town, [CLOSE, NOTHING], seeds=(1, 2), store=store, **SHORT)
    assert store.puts == 4
    whole = compared[0].effects.query("scenario != 'same'").reset_index(drop=True)
    pd.testing.assert_frame_equal(again.effects, whole, check_exact=True)


def test_intervals_of_differences_by_hand():
    """Differences 1, 2, 3: mean 2, standard error 1/sqrt(3); three pairs of plans make 0.90 into 1 - 0.10 / 3."""
    index = pd.MultiIndex.from_tuples([("delay_hours", "city", "", -1, "veh h")])
    sides = [[pd.Series([v], index=index) for v in own] for own in ((5.0, 5.0, 5.0), (6.0, 7.0, 8.0), (0.0, 0.0, 0.0))]
    row = differences(["a", "b", "c"], sides).iloc[0]
    half = student.ppf(0.95, 2) / np.sqrt(3)
    assert (row["first"], row["second"], row["difference"], row["n"]) == ("a", "b", 2.0, 3)
    assert row["upper"] - row["difference"] == pytest.approx(half)
    assert row["family_upper"] - row["difference"] == pytest.approx(student.ppf(1 - 0.1 / 6, 2) / np.sqrt(3))
    assert np.isnan(differences(["a", "b"], [side[:1] for side in sides[:2]])["lower"].item())


def test_all_faults_are_told_before_anything_runs(town):
    """Twice one name and no seed; and faults of every plan with its name."""
    with pytest.raises(RunError, match=r"of one name: close.*seeds=\[\]"):
        compare_plans(town, [CLOSE, CLOSE], seeds=())
    wrong = [
        Scenario(name=name, measures=(CloseStreet(where=Selection(street=(name,))),)) for name in ("nowhere", "neither")
    ]
    with pytest.raises(ScenarioError) as error:
        compare_plans(town, [*wrong, Scenario(name="good", measures=(ScaleDemand(factor=0.9),))], **SHORT)
    assert "nowhere: measures[0]" in str(error.value) and "neither: measures[0]" in str(error.value)

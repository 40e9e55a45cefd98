"""Shift: zones and periods that were left out have taught nothing, and similar zones lend their coefficients."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import SettingsError, ShortHistoryError
from models.shift import leave_period_out, leave_zones_out, nearest, rows_alike

if "small_line" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("small_line", Path(__file__).parent / "small_line.py")
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["small_line"] = _module
    _spec.loader.exec_module(_module)

from small_line import DAY, CityLine, Line, days, made_rows, outcomes

SLOPES = np.repeat([0.2, 1.5], 5)  # two kinds of zone
KIND = SLOPES[:, None]


@pytest.fixture
def city():
    """Ten zones of two kinds: rows and outcomes to learn from, and later ones."""
    rows, test = made_rows(n=DAY * 20, zones=10, seed=1), made_rows(n=DAY * 10, zones=10, seed=2)
    return rows, outcomes(rows, weight=SLOPES), test, outcomes(test, weight=SLOPES, seed=3)


@pytest.mark.parametrize("family", [Line, CityLine], ids=lambda f: f.family)
def test_outcomes_of_a_zone_do_not_reach_its_own_forecast(family, city):
    """Spoil the outcomes of zone 0 in training: its loss while it was left out stays the same, bit for bit."""
    rows, y, test, y_test = city
    spoiled = y.copy()
    spoiled[:, 0] = 100.0
    first, again = (leave_zones_out(family, rows, part, test, y_test, zone_features=KIND) for part in (y, spoiled))
    assert np.array_equal(first.loss[:, 0], again.loss[:, 0])
    assert not np.array_equal(first.known[:, 0], again.known[:, 0])
    assert not np.array_equal(first.loss, again.loss)


def test_every_zone_is_left_out_once_and_borrows_from_its_own_kind(city):
    rows, y, test, y_test = city
    found = leave_zones_out(Line, rows, y, test, y_test, zone_features=KIND, parts=5)
    assert np.bincount(found.part).tolist() == [2, 2, 2, 2, 2]
    assert (SLOPES[found.donor[:, 0]] == SLOPES).all()
    assert (found.part[found.donor[:, 0]] != found.part).all()


def test_a_new_zone_of_a_known_kind_costs_little_and_one_for_all_costs_much(city):
    """Coefficients of a similar zone are as good; one line for both kinds misses each by 0.65 of the feature."""
    rows, y, test, y_test = city
    similar = leave_zones_out(Line, rows, y, test, y_test, zone_features=KIND)
    pooled = leave_zones_out(CityLine, rows, y, test, y_test, zone_features=KIND)
    assert np.abs(similar.price).mean() < 0.03
    assert similar.skill[5:].mean() == pytest.approx(1 - 0.5 / np.hypot(1.5, 0.5), abs=0.03)
    assert pooled.loss.mean() > 1.3 * similar.loss.mean()


def test_several_donors_are_averaged(city):
    """Nearest two of the kind: half the noise of their coefficients, and different ones for each zone."""
    rows, y, test, y_test = city
    found = leave_zones_out(Line, rows, y, test, y_test, zone_features=KIND, donors=3)
    assert found.donor.shape == (10, 3) and all(len(set(row)) == 3 for row in found.donor)
    assert (SLOPES[found.donor] == KIND).all()


def test_without_zone_features_similarity_comes_from_the_rows_alone():
    """Zones 0-3 have features of spread 1, zones 4-7 of spread 3."""
    rows = made_rows(zones=8)
    rows.common[:, 4:] *= 3
    assert rows_alike(rows).shape == (8, 18)
    y = outcomes(rows)
    found = leave_zones_out(Line, rows, y, rows, y, parts=4)
    assert ((found.donor[:, 0] >= 4) == (np.arange(8) >= 4)).all()


def test_city_learners_are_told_the_features_of_the_zones_they_learn_from_alone(city):
    rows, y, test, y_test = city
    Line.seen.clear()
    leave_zones_out(CityLine, rows, y, test, y_test, zone_features=KIND, parts=5)
    assert [s["zones"] for s in Line.seen] == [8] * 5 + [10]
    assert all(len(s["zone_features"]) == s["zones"] for s in Line.seen)


def test_all_faults_of_left_out_zones_are_named_at_once(city):
    rows, y, test, y_test = city
    with pytest.raises(SettingsError, match=r"outcomes have shapes.*parts=11.*zone_features of 3"):
        leave_zones_out(Line, rows, y[1:], test, y_test, parts=11, zone_features=KIND[:3])
    with pytest.raises(SettingsError, match="donors=9"):
        leave_zones_out(Line, rows, y, test, y_test, donors=9)


def test_the_nearest_come_first():
    """From 0.9 among 0, 1 and 5: first 1, then 0."""
    assert nearest(np.array([[0.9]]), np.array([[0.0], [1.0], [5.0]]), 2).tolist() == [[1, 0]]


def test_outcomes_of_a_period_left_out_and_beside_it_are_not_learned_from():
    """Days 8-11 of 20 out, longest horizon 3 rows: 480 - 96 - 2 x 3 rows teach; spoiling the others changes nothing."""
    rows = made_rows()
    y = outcomes(rows)
    first = leave_period_out(Line, rows, y, period=days(rows), leave=[8, 9, 10, 11])
    assert first.learned == 480 - 96 - 6 and first.rows.tolist() == list(range(192, 288))
    Line.seen.clear()
    spoiled = y.copy()
    spoiled[189:192], spoiled[288:291] = 50.0, 50.0
    again = leave_period_out(Line, rows, spoiled, period=days(rows), leave=[8, 9, 10, 11])
    assert np.array_equal(first.loss, again.loss)
    spoiled[188] = 50.0
    assert not np.array_equal(
        first.loss, leave_period_out(Line, rows, spoiled, period=days(rows), leave=[8, 9, 10, 11]).loss
    )


def test_the_last_days_can_be_left_out_and_the_future_with_them():
    """The last 5 of 20 days; or day 8 with only what came before it: 8 x 24 - 3 rows."""
    rows = made_rows()
    y = outcomes(rows)
    last = leave_period_out(Line, rows, y, period=days(rows), last=5)
    assert last.learned == 15 * 24 - 3 and last.rows[0] == 360 and last.loss.shape == (120, 4, 2)
    assert last.skill.mean() == pytest.approx(1 - 0.5 / np.hypot(0.8, 0.5), abs=0.05)
    assert leave_period_out(Line, rows, y, period=days(rows), leave=[8], past_only=True).learned == 8 * 24 - 3


def test_a_signal_that_turns_over_in_a_period_shows_as_lost_skill():
    """The slope is -0.8 in the last five days and 0.8 before: worse than the usual value."""
    rows = made_rows()
    y = outcomes(rows)
    y[360:] = outcomes(rows, weight=-0.8)[360:]
    assert (leave_period_out(Line, rows, y, period=days(rows), last=5).skill < -0.2).all()


def test_periods_that_cannot_be_left_out_are_told():
    rows = made_rows()
    y = outcomes(rows)
    with pytest.raises(SettingsError, match="either `leave` or `last`"):
        leave_period_out(Line, rows, y, period=days(rows))
    with pytest.raises(SettingsError, match=r"no rows in periods \[77\]"):
        leave_period_out(Line, rows, y, period=days(rows), leave=[77])
    with pytest.raises(ShortHistoryError, match="leave a shorter period out"):
        leave_period_out(Line, rows, y, period=days(rows), leave=[0], past_only=True)

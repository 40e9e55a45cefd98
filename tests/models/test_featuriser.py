"""Features are what they are called, and never look ahead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.featuriser import Featuriser
from models.horizons import ANCHOR_STEPS


def fitted(city, zones=("Z01", "Z02")) -> Featuriser:
    return Featuriser.fit(city.until(900), target="speed_mps", zone_ids=zones)[0]


def test_there_is_one_name_for_each_feature(city):
    featuriser = fitted(city)
    rows = featuriser.rows(city, np.arange(700, 720), ANCHOR_STEPS)
    names = rows.layout.names
    assert rows.at(0).shape == (20, 2, len(names))
    assert len(set(names)) == len(names)


def test_the_last_reading_is_the_deviation_from_the_usual(city):
    featuriser = fitted(city)
    known = int(np.flatnonzero(np.isfinite(city.values["speed_mps"][700:, 0]))[0]) + 700
    row = featuriser.rows(city, np.array([known]), ANCHOR_STEPS)
    usual = featuriser.profile.usual(city.calendar, slice(known, known + 1))[0, 0]
    expected = (city.values["speed_mps"][known, 0] - usual) / featuriser.profile.scale[0]
    assert row.common[0, 0, 0] == pytest.approx(expected, rel=1e-6)


def test_yesterday_at_the_target_is_a_day_before_the_target(city):
    featuriser = fitted(city)
    known, step = 700, 8
    aim = known + step - 96
    rows = featuriser.rows(city, np.array([known]), (step,))
    usual = featuriser.profile.usual(city.calendar, slice(aim, aim + 1))[0]
    expected = (city.values["speed_mps"][aim, :2] - usual[:2]) / featuriser.profile.scale[:2]
    np.testing.assert_allclose(rows.ahead[0, :, 0, 0], np.nan_to_num(expected), rtol=1e-6)


def test_no_feature_changes_with_the_future(city):
    featuriser = fitted(city)
    known = np.array([700, 710, 720])
    before = featuriser.rows(city, known, ANCHOR_STEPS)
    future = replace(
        city,
        values={k: np.concatenate([v[:721], v[721:] + 9.0]) for k, v in city.values.items()},
        weather={k: np.concatenate([v[:721], v[721:] + 9.0]) for k, v in city.weather.items()},
    )
    after = featuriser.rows(future, known, ANCHOR_STEPS)
    assert np.array_equal(before.common, after.common)
    assert np.array_equal(before.ahead, after.ahead)


def test_the_first_feature_that_a_later_reading_reaches_is_that_of_the_next_origin(city):
    """The check above can fail: one reading earlier, the features do change."""
    featuriser = fitted(city)
    changed = replace(city, values={k: v.copy() for k, v in city.values.items()})
    changed.values["speed_mps"][720, 0] = 99.0
    same = featuriser.rows(city, np.array([719]), ANCHOR_STEPS).common
    assert np.array_equal(same, featuriser.rows(changed, np.array([719]), ANCHOR_STEPS).common)
    moved = featuriser.rows(city, np.array([720]), ANCHOR_STEPS).common
    assert not np.array_equal(moved, featuriser.rows(changed, np.array([720]), ANCHOR_STEPS).common)


def test_who_is_told_the_season_sees_the_day_of_the_year_and_nothing_else_is_new(city):
    """A circle a year: an angle of 2 pi / 365.2425 a day, whatever the hour."""
    made = [
        Featuriser.fit(city.until(900), target="speed_mps", zone_ids=("Z01", "Z02"), reference=reference)[0]
        for reference in ("level", "season")
    ]
    known = np.arange(700, 900)
    level, season = (featuriser.rows(city, known, ANCHOR_STEPS) for featuriser in made)
    names = list(season.layout.common)
    more = [names.index(name) for name in ("now_year_sin", "now_year_cos")]
    assert [name for name in names if name not in level.layout.common] == ["now_year_sin", "now_year_cos"]
    np.testing.assert_array_equal(np.delete(season.common, more, axis=2), level.common)
    sine, cosine = (season.common[:, :, k] for k in more)
    np.testing.assert_allclose(sine**2 + cosine**2, 1.0, rtol=1e-6)
    days = city.calendar.day[known] - city.calendar.day[known[0]]
    assert days[-1] >= 2
    angle = np.unwrap(np.arctan2(sine, cosine), axis=0)
    np.testing.assert_allclose(angle - angle[0], (2 * np.pi / 365.2425 * days)[:, None] + [0.0, 0.0], atol=1e-5)


def test_a_short_gap_is_bridged_and_a_long_one_is_as_usual(city):
    featuriser = fitted(city)
    silent = replace(city, values={k: v.copy() for k, v in city.values.items()})
    silent.values["speed_mps"][698:701, 0] = np.nan
    last = featuriser.rows(city, np.array([697]), ANCHOR_STEPS).common[0, 0, 0]
    assert featuriser.rows(silent, np.array([700]), ANCHOR_STEPS).common[0, 0, 0] == last
    silent.values["speed_mps"][680:701, 0] = np.nan
    assert featuriser.rows(silent, np.array([700]), ANCHOR_STEPS).common[0, 0, 0] == 0.0


def test_stored_and_restored_it_makes_the_same_features(city):
    featuriser = fitted(city)
    meta, arrays = featuriser.state()
    again = Featuriser.restore(meta, arrays)
    known = np.arange(700, 705)
    a, b = featuriser.rows(city, known, ANCHOR_STEPS), again.rows(city, known, ANCHOR_STEPS)
    assert np.array_equal(a.common, b.common)
    assert np.array_equal(a.ahead, b.ahead)


def test_a_zone_alone_has_the_features_that_it_has_among_others(city):
    """Whether it is picked from the featuriser or asked for by place, also out of order."""
    featuriser = fitted(city, ("Z01", "Z02", "Z03"))
    known = np.array([700, 720])
    every = featuriser.rows(city, known, ANCHOR_STEPS)
    turned = featuriser.rows(city, known, ANCHOR_STEPS, np.array([2, 0, 1]))
    alone = featuriser.pick(np.array([2])).rows(city, known, ANCHOR_STEPS)
    assert np.array_equal(turned.common, every.common[:, [2, 0, 1]]) and np.array_equal(
        turned.ahead[:, 0], every.ahead[:, 2]
    )
    assert np.array_equal(alone.common[:, 0], every.common[:, 2]) and np.array_equal(
        alone.ahead[:, 0], every.ahead[:, 2]
    )
    single = [k for k, name in enumerate(every.layout.common) if name.startswith("near")]
    assert single and np.abs(every.common[:, :, single]).max() > 0

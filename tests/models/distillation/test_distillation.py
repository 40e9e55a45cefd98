"""Students learn what the teacher says, no more than helps, and stand alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from synthetic_city import panel as made_city

from models.contract import Forecaster
from models.design import Workbench
from models.distillation import DistilledForecaster, Teacher, distil
from models.distillation.teacher import between
from models.ensemble import EnsembleForecaster
from models.errors import SettingsError
from models.forecasting import LearnedForecaster

STEPS = (1, 6)


@pytest.fixture(scope="module")
def city():
    return made_city(zones=4, days=14, step_s=3600, seed=6)


@pytest.fixture(scope="module")
def work(city):
    past = city.until(12 * 24)
    return Workbench(past, target="speed_mps", zone_ids=city.zone_ids, steps=STEPS)


@pytest.fixture(scope="module")
def mix(city, work):
    end = city.origin(12 * 24 - 1)
    members = [
        LearnedForecaster(name, seed=1).fit(
            work.panel, target="speed_mps", zone_ids=city.zone_ids, train_end=end, steps=STEPS, bench=work
        )
        for name in ("ridge", "macro_ridge")
    ]
    return EnsembleForecaster.of(members, city.zone_ids)


@pytest.fixture(scope="module")
def student(city, work, mix):
    end = city.origin(12 * 24 - 1)
    return distil(mix, work.panel, family="ridge", train_end=end, seed=1, bench=work)


def test_the_teachers_own_answers_are_its_forecasts(work, mix):
    """The lesson on the whole training part and the fitted ensemble say the same of the last day's origins."""
    lesson = Teacher(mix).lesson(work, len(work.panel))
    rows = work.design(len(work.panel)).rows
    parts = []
    for member in mix.members:
        found = member.learner.predict(rows) + rows.common[:, :, :1] * member.share
        parts.append(found)
    want = np.einsum("mnzs,mzs->nzs", np.stack(parts), mix.weights)
    np.testing.assert_allclose(lesson.soft, want, atol=1e-5)


def test_with_folds_a_row_is_answered_by_members_that_never_saw_it(work, mix):
    """Outcomes of the first third are made absurd: answers there, by members of the other thirds, stay as they were."""
    usual = Teacher(mix, folds=3).lesson(work, len(work.panel))
    n = usual.soft.shape[0]
    first = slice(0, n // 3)
    design = work.design(len(work.panel))
    kept = design.outcome.copy()
    try:
        design.outcome[first] = 100.0
        changed = Teacher(mix, folds=3).lesson(work, len(work.panel))
        own = Teacher(mix).lesson(work, len(work.panel))
    finally:
        design.outcome[:] = kept
    np.testing.assert_allclose(changed.soft[first], usual.soft[first], atol=1e-4)
    assert np.abs(own.soft[first]).max() > 5.0


def test_a_lesson_that_stops_early_knows_no_later_outcome(work, mix):
    """Outcomes from row 150 on are made absurd: a lesson of 150 rows stays the same, bit for bit."""
    a = Teacher(mix).lesson(work, len(work.panel), 150)
    design = work.design(len(work.panel))
    kept = design.outcome.copy()
    try:
        design.outcome[150:] = -50.0
        b = Teacher(mix).lesson(work, len(work.panel), 150)
    finally:
        design.outcome[:] = kept
    np.testing.assert_array_equal(a.soft, b.soft)
    assert a.soft.shape[0] == 150


def test_full_belief_in_a_line_gives_that_line(city, work):
    """A ridge student of a ridge teacher that believes it alone forecasts within 0.1 m/s of it on new days."""
    end = city.origin(12 * 24 - 1)
    teacher = LearnedForecaster("ridge", seed=1).fit(
        work.panel, target="speed_mps", zone_ids=city.zone_ids, train_end=end, steps=STEPS, bench=work
    )
    pupil = distil(teacher, work.panel, family="ridge", train_end=end, beliefs=(1.0,), seed=1, bench=work)
    origins = pd.DatetimeIndex([city.origin(k) for k in range(12 * 24, 13 * 24)])
    gap = pupil.forecast(city, origins=origins)[..., 3] - teacher.forecast(city, origins=origins)[..., 3]
    assert np.abs(gap).mean() < 0.1
    assert (pupil.belief == 1.0).all()


def test_invented_rows_lie_between_those_that_follow_each_other(work):
    """A quarter of the way from row 3 to row 4."""
    rows = work.design(len(work.panel)).rows
    made = between(rows, np.array([3]), np.array([0.25], dtype=np.float32))
    np.testing.assert_allclose(made.common[0], 0.75 * rows.common[3] + 0.25 * rows.common[4], atol=1e-5)
    lesson = Teacher(citywide(work), invented=2).lesson(work, len(work.panel))
    assert lesson.invented is not None
    assert lesson.invented.shape[0] == 2 * (rows.shape[0] - 1) == lesson.invented_soft.shape[0]
    assert np.isfinite(lesson.invented_soft).all()


def citywide(work) -> LearnedForecaster:
    model = LearnedForecaster("macro_ridge", seed=1)
    model.zone_ids, model.anchors = work.zone_ids, work.steps
    model._learn(work, len(work.panel))
    return model


def test_a_student_is_a_forecaster_like_any_other(city, student):
    """Stored and loaded, a zone alone, the same quantiles bit for bit; validation and intervals are its own."""
    assert student.validation is not None
    again = Forecaster.load(student.save())
    assert isinstance(again, DistilledForecaster)
    origins = pd.DatetimeIndex([city.origin(12 * 24 + 5)])
    want = student.forecast(city, origins=origins)
    np.testing.assert_array_equal(again.forecast(city, origins=origins), want)
    np.testing.assert_allclose(student.one("Z03").forecast(city, origins=origins)[:, 0], want[:, 2], rtol=1e-6)
    assert again.settings()["teacher"] == "ensemble"
    assert set(student.belief) <= {0.0, 0.5, 1.0}
    refitted = again.refit(city, train_end=city.origin(13 * 24))  # nobody teaches it now
    assert refitted.settings()["teacher"] == ""


def test_a_student_is_smaller_than_its_teacher(mix, student):
    """One zone's part of it against the ensemble that serves the same zone."""
    assert student.one("Z01").complexity()["bytes"] < 0.5 * mix.one("Z01").complexity()["bytes"]


def test_what_cannot_teach_or_learn_is_told(mix):
    """A citywide student, beliefs beyond 1, one fold."""
    with pytest.raises(SettingsError, match=r"macro_ridge learns a city.*beliefs"):
        DistilledForecaster("macro_ridge", beliefs=(2.0,))
    with pytest.raises(SettingsError, match="folds=1"):
        Teacher(mix, folds=1)

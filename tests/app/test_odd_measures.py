"""Measures that no form made, as a forged request or an edited file may hold them: told in words, never a fault."""

from __future__ import annotations

import sqlite3

import pytest

from app import job_table
from app.study_views import measure_words
from app.texts import t
from data.errors import StoreError


@pytest.mark.parametrize("entry", [
    {"measure": "weather_day", "kind": 3, "days": 7}, {"measure": "close_street", "links": 5, "hours": 3},
    {"measure": "low_emission_zone", "classes": 4.5, "zones": {"a": 1}}, {"measure": "speed_limit", "kmh": {"of": []}},
])  # fmt: skip
def test_odd_values_are_told_in_words(entry):
    what, where = measure_words(entry, {})
    assert what and isinstance(where, str)


def test_a_value_that_breaks_the_words_is_named_as_such():
    assert measure_words({"measure": "close_street", "zones": 5}, {})[1] in ("", t("study.odd_measure"))


def test_a_job_table_whose_text_is_none_is_told(tmp_path):
    """A byte that is no UTF-8 in a job's message: the look says so, as does the check of the file."""
    path = tmp_path / "jobs.sqlite"
    with job_table.opened(path) as base:
        columns = [row[1] for row in base.execute("PRAGMA table_info(job)")]
        assert {"id", "message"} <= set(columns)
    with sqlite3.connect(path) as base:
        needed = [row for row in base.execute("PRAGMA table_info(job)") if row[3] and row[4] is None]
        names = [row[1] for row in needed if row[1] != "message"] + ["message"]
        marks = ["CAST(x'c4c4' AS TEXT)" if name == "message" else "'1'" for name in names]
        base.execute(f"INSERT INTO job ({', '.join(names)}) VALUES ({', '.join(marks)})")
    with pytest.raises(StoreError, match="doctor"), job_table.opened(path, look=True) as base:
        base.execute("SELECT * FROM job").fetchall()
    assert job_table.check(path)

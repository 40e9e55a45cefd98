"""Sentences that a run or a job has stored are English: they are marked, so that they are read out as such."""

from __future__ import annotations

from typing import Any

from app.components import monitor_parts
from app.components.study_results import earlier_view
from app.texts import speaking


def spans(part: Any) -> list[str]:
    """Texts within `lang="en"`."""
    if isinstance(part, list | tuple):
        return [text for one in part for text in spans(one)]
    if getattr(part, "lang", None) == "en":
        return [part.children]
    return spans(getattr(part, "children", None) or [])


def change(**more: Any) -> dict[str, Any]:
    told = {"action": "promote", "version": 2, "was": 1, "zone_id": "Z01", "quantity": "NO2", "when": "Mon", "by": "a"}
    return {**told, "why": "error fell by 4 %", **more}


def test_why_a_version_came_is_marked_alone_and_among_many():
    with speaking("fi"):
        assert spans(monitor_parts._log_entry([change()])) == ["error fell by 4 %"]
        assert spans(monitor_parts._log_entry([change(), change(zone_id="Z02")])) == ["error fell by 4 %"] * 2
        assert spans(monitor_parts._log_entry([change(why="")])) == []


def test_what_a_job_says_is_marked(monkeypatch):
    row = {"kind": "study", "message": "repetition 2 of 20", "state": "running", "share": 0.1, "open": True, "id": "a"}
    monkeypatch.setattr(monitor_parts.views, "job_rows", lambda queries: [{**row, "started": "–", "ended": "–"}])
    with speaking("fi"):
        assert spans(monitor_parts.job_table(None)) == ["repetition 2 of 20"]
    assert spans(earlier_view([], "")) == []

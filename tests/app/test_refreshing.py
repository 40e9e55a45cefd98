"""`zonewise refresh`: six days of readings added to lines that keep their moments, and what is left alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from app.cli import main
from app.jobs import DONE, Jobs
from app.monitoring import watched
from app.refreshing import refresh_models
from app.worker import work
from data.store.workspace import Workspace
from models.registry import Registry

SPEED, NO2 = "speed_mps", "no2_ug_per_m3"


@pytest.fixture
def fresh(fresh_once: Workspace, tmp_path: Path) -> Workspace:
    """A town whose lines keep their moments, with almost six days of readings that they have not learned from."""
    shutil.copytree(fresh_once.root, tmp_path / "fresh")
    return Workspace(tmp_path / "fresh")


def monitored(space: Workspace, **params: object) -> None:
    jobs = Jobs(space.jobs_path)
    job = jobs.add("monitor", params)
    work(space, job)
    assert jobs.read(job).state == DONE, jobs.read(job).message


def test_refreshed_models_serve_and_say_where_they_come_from(fresh, capsys):
    before = watched(fresh)
    main(["refresh", str(fresh.root), "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert {row["state"] for row in rows} == {"refreshed"} and len(rows) == 6
    now = watched(fresh)
    key = ("Z01", SPEED)
    assert pd.Timestamp(now.serving[key].train_end) == before.panel.origin(len(before.panel) - 1)
    assert now.serving[key].full_end == before.serving[key].train_end
    gap = now.serving[key].learner.coefficient - before.serving[key].learner.coefficient
    assert 0 < abs(gap).max() < 0.5
    card = Registry(fresh.models).show(*key)
    assert card["lineage"]["full_fit_until"] == before.serving[key].train_end
    assert card["train_end"] == now.serving[key].train_end and "new readings" in card["decision"]["reason"]


def test_once_more_finds_nothing_new_and_a_rollback_undoes_it(fresh):
    first = refresh_models(fresh)
    again = refresh_models(fresh)
    assert set(first["state"]) == {"refreshed"} and set(again["state"]) == {"kept"}
    assert again["reason"].str.contains("0.0 days are new").all()
    Registry(fresh.models).rollback("Z01", SPEED)
    assert refresh_models(fresh)["state"].value_counts().to_dict() == {"kept": 5, "refreshed": 1}


def test_pinned_ones_those_with_an_alarm_and_those_without_moments_stay(fresh, drifted):
    """Z02's speed has an alarm of a changed world; Z01's NO2 is pinned; the other four are refreshed."""
    Registry(fresh.models, by="Aino").pin("Z01", NO2)
    monitored(fresh, retrain=False)
    rows = refresh_models(fresh).set_index(["zone_id", "target"])
    assert rows.loc[("Z02", SPEED), "state"] == "kept" and "alarm" in rows.loc[("Z02", SPEED), "reason"]
    assert rows.loc[("Z01", NO2), "reason"] == "pinned by Aino"
    assert (rows["state"] == "refreshed").sum() == 4
    assert refresh_models(drifted)["reason"].str.contains("--refreshable").all()


def test_the_monitor_refreshes_what_it_has_no_doubt_of(fresh):
    """No policy is set: the check of the day adds the days, but for the zone that drifted."""
    monitored(fresh)
    learned = {key: model.train_end for key, model in watched(fresh).serving.items()}
    late = max(learned.values())
    assert {key for key, end in learned.items() if end != late} == {("Z02", SPEED)}


def test_too_few_new_days_wait(fresh):
    rows = refresh_models(fresh, least_days=10)
    assert set(rows["state"]) == {"kept"} and rows["reason"].str.contains("are new to it").all()

"""A new micromodel: the plan in the address, the job that trains it, and what a person decides."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from app import create_views as views
from app.create_job import checked, run_job
from app.create_views import STEPS, plan_of
from app.jobs import DONE, Jobs
from app.model_lists import candidate_errors, version_rows
from app.model_views import card, version
from app.pages import models, models_create
from app.pages.models_create_steps import outcome
from app.queries import Queries
from app.simulate_job import Stopped
from app.worker import RUNS, work
from data.errors import InputError
from data.store.workspace import Workspace
from models.registry import Registry

NO2 = "no2_ug_per_m3"
ASKED = {"zone": "Z01", "target": NO2, "families": ["ridge", "tree"], "days": 28, "horizon_s": 3600.0}


@pytest.fixture(scope="module")
def made(workspace, tmp_path_factory):
    """A copy in which the worker made a version; with the job's id."""
    root = tmp_path_factory.mktemp("create") / "own"
    shutil.copytree(workspace.root, root)
    space = Workspace(root)
    job = Jobs(space.jobs_path).add("create", ASKED)
    assert work(space, job) == DONE, Jobs(space.jobs_path).read(job).message
    return Queries(space), job


def test_the_worker_knows_the_kind():
    assert RUNS["create"] == "app.create_job"


def test_a_plan_survives_its_way_through_the_address(queries):
    plan = plan_of(queries, {"step": "3", "zone": "Z02", "target": NO2, "families": "tree,ridge", "days": "9"})
    assert plan_of(queries, plan.address) == plan
    assert (plan.step, plan.zone, plan.families, plan.days) == (3, "Z02", ("tree", "ridge"), 9)


@pytest.mark.parametrize(
    ("said", "field", "value"),
    [
        ({"step": "99"}, "step", 6), ({"step": "x"}, "step", 1), ({"zone": "nowhere"}, "zone", "Z01"),
        ({"zone": "Z04", "target": NO2}, "target", "speed_mps"), ({"days": "nan"}, "days", 28),
        ({"days": "1"}, "days", 5), ({"horizon": "4000"}, "horizon_s", 3600.0),
        ({"families": "macro_ridge,<b>"}, "families", ("ridge", "quantile_linear", "tree")),
    ],
)  # fmt: skip
def test_nonsense_in_the_address_takes_a_default(queries, said, field, value):
    """Z04 has no air station; the citywide line is no micromodel."""
    assert getattr(plan_of(queries, said), field) == value


def test_everything_wrong_with_a_plan_is_said_at_once(queries):
    with pytest.raises(InputError, match=r"no zone 'Z9'.*families magic.*days 2"):
        checked(queries, {"zone": "Z9", "target": NO2, "families": ["magic"], "days": 2})
    with pytest.raises(InputError, match="Z04 does not sense"):
        checked(queries, {**ASKED, "zone": "Z04"})
    with pytest.raises(InputError, match="tick at least one"):
        checked(queries, {**ASKED, "families": []})


def test_what_the_window_holds_is_counted(queries):
    """The fixture: 8 days and 14.5 h of 15-minute steps; every 97th reading of speed is missing, NO2 has no gap."""
    plan = plan_of(queries, {"zone": "Z01", "target": NO2, "days": 28})
    found = views.readings_of(queries, plan)
    assert found["readings"] == 8 * 96 + 58
    assert (found["missing"], found["longest_gap_h"], found["others"]) == (0.0, 0.0, 2)
    speed = views.readings_of(queries, plan_of(queries, {"zone": "Z01", "target": "speed_mps", "days": 28}))
    assert speed["longest_gap_h"] == 0.25
    assert 0.005 < speed["missing"] < 0.02


def test_a_window_is_as_long_as_asked(queries):
    found = views.readings_of(queries, plan_of(queries, {"zone": "Z01", "target": NO2, "days": 5}))
    assert found["days"] == pytest.approx(5.0, abs=0.02)


def test_families_are_told_simplest_first_and_in_plain_words():
    rows = views.family_rows()
    assert rows[0]["family"] == "ridge"
    assert [r["rank"] for r in rows] == sorted(r["rank"] for r in rows)
    assert all(r["about"] for r in rows)
    assert views.effort_of(views.effort_families("standard")) == "standard"
    assert views.effort_of(("ridge",)) == "own"


def test_the_new_version_is_whole_told_and_kept_aside(made):
    queries, job = made
    number = Jobs(queries.workspace.jobs_path).read(job).result
    assert version(queries, "Z01", NO2) == "0001"
    assert version_rows(queries, "Z01", NO2)["version"].tolist() == [number, "0001"]
    told = card(queries, "Z01", NO2, number)
    assert told["family"] in ("ridge", "tree")
    assert told["decision"]["promoted"] is False
    assert {r["model"] for r in told["candidates"]} == {"ridge", "tree", "macro_ridge"}
    assert {r["model"] for r in told["out_of_fold"]} >= {"micromodel", "macromodel", "historical_average"}
    assert told["guard"]
    assert told["horizon_of_interest_s"] == 3600.0
    forecaster = Registry(queries.workspace.models).load("Z01", NO2, number)
    assert forecaster.zone_ids == ("Z01",)


def test_the_new_model_has_learned_from_all_readings_but_was_judged_without_the_newest(made):
    queries, job = made
    told = card(queries, "Z01", NO2, Jobs(queries.workspace.jobs_path).read(job).result)
    assert told["train_end"][:16] == str(queries.info().now)[:16].replace(" ", "T")
    assert told["lineage"]["learned_again_from"] < told["train_end"]


def test_other_zones_keep_their_versions(made):
    queries, _ = made
    assert version_rows(queries, "Z02", NO2)["version"].tolist() == ["0001"]


def test_the_results_are_those_of_the_card(made):
    """The table's least error an hour ahead is bold; all numbers are finite."""
    queries, job = made
    plan = plan_of(queries, {**ASKED, "families": "ridge,tree", "step": "4", "job": job})
    rows = views.out_of_fold(views.made(queries, plan), NO2)
    assert np.isfinite(rows["value"]).all()
    said = str([part.to_plotly_json() for part in outcome(queries, plan)])
    assert "New micromodel" in said
    assert f"{rows[(rows['model'] == 'micromodel') & (rows['horizon_s'] == 3600)]['value'].iloc[0]:,.2f}" in said
    assert "were changed since" not in said
    stale = plan_of(queries, {**plan.address, "days": "7"})
    assert "were changed since" in str([part.to_plotly_json() for part in outcome(queries, stale)])


def test_the_same_plan_makes_the_same_model_again(made, workspace, tmp_path):
    queries, job = made
    shutil.copytree(workspace.root, tmp_path / "again")
    again = Workspace(tmp_path / "again")
    number = run_job(again, ASKED, lambda *_: None, lambda: False)
    first = Registry(queries.workspace.models).files("Z01", NO2, Jobs(queries.workspace.jobs_path).read(job).result)
    assert Registry(again.models).files("Z01", NO2, number) == first


def test_a_stopped_job_stores_nothing(workspace, tmp_path):
    shutil.copytree(workspace.root, tmp_path / "own")
    space = Workspace(tmp_path / "own")
    with pytest.raises(Stopped):
        run_job(space, ASKED, lambda *_: None, lambda: True)
    assert Registry(space.models).versions("Z01", NO2) == ["0001"]


def test_nobody_passes_validation_without_a_model(queries):
    assert models_create.moved(queries, {"step": "4"}, 1).step == 4
    assert models_create.moved(queries, {"step": "3"}, 1).step == 4
    assert models_create.moved(queries, {"step": "1"}, -1).step == 1
    assert models_create.blocked(queries, plan_of(queries, {"step": "4"}))


def test_every_step_has_a_page(made):
    queries, job = made
    for step in range(1, len(STEPS) + 1):
        page = models.layout(queries, step=str(step), job=job, zone="Z01", target=NO2)
        assert f"'{step}'" in str(page.to_plotly_json()["props"]["children"][1])


def test_it_is_put_in_force_by_name_and_then_is_what_the_page_shows(made):
    queries, job = made
    said = plan_of(queries, {**ASKED, "families": "ridge,tree", "step": "5", "job": job}).address
    with pytest.raises(InputError, match="Give your name"):
        models_create.deployed(queries, said, "", None)
    assert "is in force in Z01" in models_create.deployed(queries, said, "Ann", "better at noon")
    number = Jobs(queries.workspace.jobs_path).read(job).result
    assert version(queries, "Z01", NO2) == number
    rows, on = candidate_errors(queries, "Z01", NO2)
    assert on == "validation"
    assert rows["chosen"].sum() == 1

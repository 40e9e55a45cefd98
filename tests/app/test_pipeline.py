"""The main job on the toy town: every step a run, done once; a stopped job goes on where it stopped."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import app.pipeline
from app.assignment_file import read_assignment
from app.job_spec import STEPS
from app.pipeline import Job, JobSpec
from data.errors import InputError, ZonewiseError
from data.schemas import ALL_TABLES, FORECASTS, SCORES, validate
from data.store.workspace import Workspace

SPEC = JobSpec(city="toy", zones="square", zone_count=2, days=8, test_days=1, seed=3, start="2025-09-01")
ROOT = Path(app.pipeline.__file__).parents[1]


class Stop(Exception):
    """Stands in for Ctrl-C or a kill between two reports."""


def stop_at(step):
    def report(now, done, total, message):
        if now == step and done == 0:
            raise Stop

    return report


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    """A job of one target that is stopped as its comparison begins, and goes on in another object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.pipeline.TARGETS", ("speed_mps",))
        space = Workspace(tmp_path_factory.mktemp("work") / "toy")
        first = Job(space, SPEC, n_jobs=1, report=lambda *args: None)
        first.run("city")
        second = Job(space, SPEC, n_jobs=1, report=stop_at("simulation"))
        with pytest.raises(Stop):
            second.run()
        before = {m["id"]: m["created"] for m in space.runs.list()}
        third = Job(space, SPEC, n_jobs=1)
        third.run("training")
        fourth = Job(space, SPEC, n_jobs=1)
        made = fourth.run()
        yield {"space": space, "first": first, "second": second, "third": third, "fourth": fourth, "made": made,
               "before": before}  # fmt: skip


def test_a_stopped_job_keeps_what_was_finished_and_nothing_else(job):
    assert [name.split("-")[0] for name in job["before"]] == ["city"]
    assert not list(job["space"].runs.root.glob(".aside-*"))


def used_by(job):
    """Kinds of model in use; a mix is kept where it serves, which the last digit of a machine may decide."""
    return set(job["space"].runs.read(job["made"]["training"], "choices")["model_in_use"])


def test_a_job_goes_on_with_the_first_step_that_is_missing(job):
    assert job["first"].reused == [] and job["second"].reused == ["city"] and job["third"].reused == ["city"]
    assert job["fourth"].reused == ["city", "simulation", "training"]
    runs = {m["id"]: m["created"] for m in job["space"].runs.list()}
    assert len(runs) == 5 and job["before"].items() <= runs.items()


def test_a_finished_job_repeats_nothing(job):
    again = Job(job["space"], SPEC, n_jobs=1)
    assert again.run() == job["made"] and again.reused == list(STEPS)


def test_every_run_names_its_parents_and_every_table_keeps_its_schema(job):
    runs, made = job["space"].runs, job["made"]
    assert runs.manifest(made["live"])["parents"] == [made["simulation"], made["training"]]
    assert runs.manifest(made["training"])["parents"] == [made["simulation"]]
    for step in STEPS:
        for name in runs.manifest(made[step])["tables"]:
            table = runs.read(made[step], name)
            if name in ALL_TABLES and len(table):
                assert len(validate(table, ALL_TABLES[name])) == len(table), (step, name)


def test_the_live_day_follows_the_simulated_ones_without_a_gap(job):
    runs, made = job["space"].runs, job["made"]
    past, live = runs.read(made["simulation"], "zone_state"), runs.read(made["live"], "zone_state")
    assert live["time"].min() - past["time"].max() == pd.Timedelta(minutes=15)
    assert len(past) == 8 * 96 * 2 and len(live) == 96 * 2
    whole = job["fourth"].city().run(days=8.25, seed=3, start="2025-09-01")
    joined = pd.concat([past, live[live["time"] <= whole.zone_state["time"].max()]], ignore_index=True)
    pd.testing.assert_frame_equal(joined, whole.zone_state, check_exact=True)


def test_the_live_day_holds_forecasts_of_every_origin(job):
    runs, made = job["space"].runs, job["made"]
    forecasts = validate(runs.read(made["live"], "forecasts"), FORECASTS)
    assert set(forecasts["model"]) == {"micromodel", "macromodel", "seasonal_naive"} | (used_by(job) & {"mix"})
    assert forecasts["forecast_origin"].nunique() == 96 and forecasts["value"].notna().all()
    assert len(validate(runs.read(made["comparison"], "scores"), SCORES)) > 0
    assert runs.read_json(made["comparison"], "verdict")["text"]


def test_the_workspace_tells_what_it_holds(job):
    told = job["space"].describe()
    assert told["runs"] == job["made"] and told["city"] == "toy" and told["step_s"] == 900
    assert pd.Timestamp(told["now"]).tz_convert(told["timezone"]) == pd.Timestamp(
        "2025-09-09 14:30", tz="Europe/Helsinki"
    )
    assert told["job"]["days"] == 8


def test_models_can_be_loaded_by_a_process_that_trained_none(job):
    """A job that is taken up again by another process loads them so."""
    folder = job["space"].runs.root / job["made"]["training"] / "models"
    code = f"""
from pathlib import Path
from models.contract import Forecaster
folders = sorted({{path.parent for path in Path({str(folder)!r}).rglob("model.json")}})
for folder in folders:
    print(repr(Forecaster.load({{path.name: path.read_bytes() for path in folder.iterdir()}})))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    mixes = 1 if "mix" in used_by(job) else 0
    assert len(done.stdout.splitlines()) == 4 + mixes and "speed_mps" in done.stdout


def test_the_registry_holds_the_models_of_the_run(job):
    from models.registry import Registry

    listed = Registry(job["space"].models).list()
    wanted = ["Z01", "Z02", "_city", *(["_mix"] if "mix" in used_by(job) else [])]
    assert set(zip(listed["zone_id"], listed["target"])) == {(name, "speed_mps") for name in wanted}


def test_each_thing_asked_for_changes_its_step_and_those_after_it(tmp_path):
    base = Job(Workspace(tmp_path), SPEC).run_ids()

    def changed(**kw):
        other = Job(Workspace(tmp_path), replace(SPEC, **kw)).run_ids()
        return [step for step in STEPS if other[step] != base[step]]

    assert changed() == []
    assert changed(zone_count=3) == changed(city="helsinki") == list(STEPS)
    assert changed(days=9) == changed(seed=4) == changed(incidents_per_day=0.0) == list(STEPS[1:])
    assert changed(test_days=2) == list(STEPS[2:])
    assert changed(effort="standard") == changed(families="ridge") == list(STEPS[2:])


def test_a_changed_assignment_file_is_another_training(tmp_path):
    path = tmp_path / "choices.yaml"
    path.write_text("Z01: {family: ridge}\n")
    one = Job(Workspace(tmp_path), replace(SPEC, assignment=str(path))).run_ids()
    path.write_text("Z01: {family: tree}\n")
    other = Job(Workspace(tmp_path), replace(SPEC, assignment=str(path))).run_ids()
    assert one["simulation"] == other["simulation"] and one["training"] != other["training"]


def test_families_named_take_an_efforts_place_however_they_are_written(tmp_path):
    """With names the effort says nothing, so that the run is the same; order and doubles of names: order counts."""

    def trained(**kw):
        return Job(Workspace(tmp_path), replace(SPEC, **kw)).run_ids()["training"]

    assert trained(families="ridge,tree") == trained(families=" ridge, tree,ridge", effort="thorough")
    assert trained(families="ridge,tree") != trained(families="ridge")
    assert trained(families="") == trained()


def test_other_code_is_another_run(tmp_path, monkeypatch):
    base = Job(Workspace(tmp_path), SPEC).run_ids()
    monkeypatch.setattr("app.pipeline.code_version", lambda: {"city": "a", "simulation": "b", "models": "c"})
    assert not set(Job(Workspace(tmp_path), SPEC).run_ids().values()) & set(base.values())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [({"days": 7}, "at least 8"), ({"test_days": 0}, "allowed are 1 to 2"), ({"test_days": 3}, "allowed are 1 to 2"),
     ({"step_s": 7000}, "must divide a day"), ({"step_s": 0}, "must divide a day"),
     ({"effort": "most"}, "quick, standard, thorough"),
     ({"families": "ridge,oak,elm"}, "'oak', 'elm'.*; there are .*ridge"),
     ({"families": "macro_ridge"}, "none that learns a zone at a time")],
)  # fmt: skip
def test_impossible_jobs_are_refused(wrong, words):
    with pytest.raises(ZonewiseError, match=words):
        JobSpec(**{"days": 8, "test_days": 1, **wrong})


def test_assignments_by_hand_are_read_from_yaml_and_csv(tmp_path):
    yaml, csv = tmp_path / "a.yaml", tmp_path / "a.csv"
    yaml.write_text("Z01: {target: speed_mps, family: ridge}\nZ02: {family: tree}\n")
    csv.write_text("zone_id,target,family\nZ01,speed_mps,ridge\nZ02,,tree\n")
    assert read_assignment(yaml)["family"].tolist() == read_assignment(csv)["family"].tolist() == ["ridge", "tree"]
    assert read_assignment(yaml)["zone_id"].tolist() == ["Z01", "Z02"]


@pytest.mark.parametrize(("name", "text"), [("a.yaml", "Z01: ["), ("b.yml", "- Z01"), ("c.yaml", "Z01: ridge")])
def test_a_damaged_assignment_is_told(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=name):
        read_assignment(tmp_path / name)
    with pytest.raises(InputError, match="no file"):
        read_assignment(tmp_path / "nothing.yaml")


def test_a_jobs_specification_is_plain_json(tmp_path):
    for spec in Job(Workspace(tmp_path), SPEC).specs.values():
        assert json.loads(json.dumps(spec)) == spec

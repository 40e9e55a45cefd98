"""View tables of the scenario page: reviews, previews, results, comparisons; and what its jobs ask for."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from app import preview_views, study_tables
from app.components.study_results import candidates_view, preview_view
from app.figures.by_hour import by_hour
from app.jobs import Jobs
from app.pages.scenario_actions import command, outcome, study_params
from app.pages.scenario_showing import newest, painted
from app.pages.scenarios import on_the_desk
from app.preview_job import run_job as learn_job
from app.preview_views import foreseen_rows, review_of
from app.queries import Queries
from app.recommend_job import question_of
from app.recommend_job import run_job as recommend_job
from app.study_views import effect_rows, map_choices, zone_values
from data.errors import InputError
from data.store.runs import run_id
from data.store.workspace import Workspace

CLOSE = {"measure": "close_street", "links": [20]}
FORM = {"name": "one", "label": "One", "measures": [CLOSE]}
COLUMNS = ["quantity", "scope", "zone_id", "hour", "unit", "base", "scenario_value", "effect", "lower", "upper"]


def effects(rows):
    table = pd.DataFrame(
        [(q, s, z, h, "u", b, b + e, e, e - w, e + w) for q, s, z, h, b, e, w in rows], columns=COLUMNS
    )
    return table.assign(scenario="one", n=5)


@pytest.fixture
def studies(queries, tmp_path):
    """A workspace of its own with two stored studies: NO2 falls by 2 and by 1, delay rises by 10 in Z01."""
    import shutil

    space = Workspace(shutil.copytree(queries.workspace.root, tmp_path / "w"))
    base = space.describe()["runs"]["city"]
    names = []
    for label, no2 in (("A", -2.0), ("B", -1.0)):
        table = effects(
            [
                ("no2", "city", "", -1, 20.0, no2, 0.25),
                ("delay_hours", "city", "", 8, 50.0, 5.0, 1.0),
                ("no2", "zone", "Z01", -1, 20.0, no2, 0.25),
                ("no2", "zone", "Z02", -1, 20.0, -0.1, 0.3),
                ("delay_hours", "zone", "Z01", -1, 100.0, 10.0, 2.0),
            ]
        )
        spec = {"parent": base, "scenario": {**FORM, "label": label}}
        names.append(run_id("study", spec))
        with space.runs.write("study", spec, parents=(base,)) as run:
            run.table("effects", table)
            run.table("link_effects", pd.DataFrame({"link_id": [0]}))
            run.json("study", {"label": label, "scenario": "one"})
    return Queries(space), names


def test_the_map_shows_sums_in_per_cent_and_leaves_out_what_chance_may_be(studies):
    """Delay rises by 10 of 100: 10 %. The interval of NO2 in Z02, -0.4 to 0.2, holds zero."""
    queries, (one, _) = studies
    rows = queries.table(one, "effects")
    rows = rows[rows["scope"] == "zone"]
    assert zone_values(rows, "delay") == {"Z01": 10.0}
    assert zone_values(rows, "no2") == {"Z01": -2.0, "Z02": -0.1}
    assert zone_values(rows, "no2", sure=True) == {"Z01": -2.0}
    assert [c["value"] for c in map_choices(rows, links=False)] == ["no2", "delay"]


def test_two_studies_differ_by_no_more_luck_than_both_have(studies):
    """-2 less -1 is -1; half-widths of 0.25 each make 0.5: -1.5 to -0.5, so A is better."""
    queries, (one, two) = studies
    row = study_tables.compare_rows(queries, one, two)[0]
    assert (row["a"], row["b"], row["difference"], row["interval"]) == ("−2.00", "−1.00", "−1.00", "−1.50 to −0.50")
    assert row["tone"] == "better"
    assert study_tables.zone_gap(queries, one, two, "no2") == {"Z01": -1.0, "Z02": 0.0}
    assert study_tables.zone_gap(queries, one, two, "no2", sure=True) == {"Z01": -1.0}
    found = painted(queries, FORM, None, "gap", "no2", True, one, two)
    assert found[1] == "values" and found[2] == {"Z01": -1.0} and "A less B" in str(found[5])
    assert painted(queries, FORM, None, "draft", "no2", True, one, two)[1] == "edit"


def test_stored_studies_are_found_again_and_open_with_their_draft(studies):
    queries, (one, two) = studies
    assert {past.study for past in study_tables.earlier(queries)} == {one, two}
    desk = on_the_desk(queries, {"study": two})
    assert desk["study"] == two and desk["draft"]["label"] == "B" and desk["given"]
    assert on_the_desk(queries, {"study": "study-000000000000"})["fault"]
    assert study_tables.hourly(queries, one, "delay_hours")["hour"].tolist() == [8]
    side = study_tables.gain_and_loss(queries, one, "no2")
    assert len(side.better) == 1 and side.worse == ()


def test_a_clear_effect_never_reads_as_zero():
    table = effects([("no2", "city", "", -1, 20.0, 0.002, 0.001)])
    told = effect_rows(table)[0]
    assert (told["effect"], told["interval"], told["tone"]) == ("+0.002", "+0.001 to +0.003", "worse")


def test_a_review_names_the_measure_and_who_loses_the_way(queries):
    remarks, _ = review_of(queries, {**FORM, "measures": [CLOSE, {"measure": "close_street", "street": "Nowhere"}]})
    assert [one.measure for one in remarks if one.fault] == [1]
    remarks, lost = review_of(queries, FORM)
    assert not any(one.fault for one in remarks)
    assert len(lost) == 0 or lost["trips_veh"].is_monotonic_decreasing
    every = [int(k) for k in queries.links()["link_id"]]
    remarks, lost = review_of(queries, {**FORM, "measures": [{"measure": "close_street", "links": every}]})
    assert any("lose their" in one.words for one in remarks) and lost["trips_veh"].sum() > 0


def test_a_preview_is_told_with_its_bounds_and_its_doubts(queries, monkeypatch):
    table = pd.DataFrame(
        {
            "zone_id": ["Z01", "Z02", ""], "quantity": "no2", "unit": "ug/m3", "base": 20.0,
            "effect": [-1.0, 0.1, -0.5], "lower": [-2.0, -0.2, -0.9], "upper": [-0.5, 0.4, -0.1],
        }
    )  # fmt: skip
    scope = SimpleNamespace(inside=False, reasons=("no 'toll' was simulated",))
    window = SimpleNamespace(start="2026-01-27 06:30", hours=3.0)
    fake = SimpleNamespace(window=window, ask=lambda _: SimpleNamespace(effects=table, scope=scope, seconds=0.05))
    assert "Learn a preview" in str(preview_view(None, "", learning=None, empty=True))
    monkeypatch.setattr(preview_views, "preview_run", lambda _: "preview-1")
    monkeypatch.setattr("app.previews.load_preview", lambda *_: fake)
    asked = {**FORM, "measures": [{"measure": "demand", "percent": -7}]}
    answer = preview_views.foreseen(queries, asked)
    assert foreseen_rows(answer.effects)[0]["interval"] == "−0.90 to −0.10"
    said = str(preview_view(answer, "", learning=None, empty=False))
    assert "Outside what it has seen" in said and "no 'toll' was simulated" in said and "50 ms" in said
    found = painted(queries, asked, None, "preview", "no2", True, None, None)
    assert found[2] == {"Z01": -1.0} and "do not trust" in str(found[5])


def test_a_run_may_stop_by_width_or_time_and_the_command_says_the_same(queries):
    params = study_params(FORM, 5, "never", 5, "")
    assert params == {"scenario": FORM, "seeds": 5}
    line = command(queries, FORM, params)
    assert line.startswith("zonewise scenario run one.yaml --workspace ") and line.endswith("--seeds 5")
    params = study_params(FORM, 5, "delay_hours", 2.5, 10)
    assert (params["until"], params["seeds"], params["seconds"]) == ("delay_hours=2.5%", 100, 600.0)
    assert command(queries, FORM, params).endswith("--until-width delay_hours=2.5% --budget 600s")
    with pytest.raises(InputError, match="Nothing yet"):
        study_params({**FORM, "measures": []}, 5, "never", 5, "")


def test_a_failed_job_offers_to_run_again_and_a_learned_preview_says_so(queries, tmp_path):
    jobs = Jobs(tmp_path / "jobs.sqlite")
    job = jobs.add("scenario", {"scenario": FORM})
    jobs.end(job, "failed", message="broken")
    assert "Run it again" in str(outcome(queries, jobs.read(job))[0])
    job = jobs.add("preview", {})
    jobs.end(job, "done", result="preview-1")
    assert "preview is learned" in str(outcome(queries, jobs.read(job))[0])


def test_a_learning_job_tells_how_far_it_is_and_refuses_too_few(tmp_path):
    told = []

    def learn(workspace, *, scenarios, report, cancelled):
        report("ensemble", 10, 20, "x")
        report("preview", 1, 1, "x")
        return "preview-1", False

    assert learn_job(None, {"scenarios": 20}, lambda *a: told.append(a), lambda: False, learn=learn) == "preview-1"
    assert [a[0] for a in told] == [0, 9.5, 20.0]
    with pytest.raises(InputError, match="19 scenarios"):
        learn_job(None, {"scenarios": 19}, lambda *a: None, lambda: False, learn=learn)


def test_the_measures_of_a_draft_become_candidates_of_a_search():
    from simulation.search import question_from_yaml

    form = {**FORM, "measures": [CLOSE, {"measure": "demand", "percent": -5}]}
    question = question_of(form, ["Close", "Less"], [1.5, None], objectives=["no2", "cost"], budget=2.0)
    seen = {}

    def make(workspace, path, *, simulations, seeds, report, cancelled):
        seen["asked"] = question_from_yaml(path.read_text(encoding="utf-8"))
        report("search", 5, 10, "x")
        return "recommendation-1", False

    params = {"question": question, "simulations": 10, "seeds": 2}
    assert recommend_job(None, params, lambda *a: None, lambda: False, make=make) == "recommendation-1"
    assert seen["asked"].cost_limit == 2.0 and [one.costs for one in seen["asked"].candidates] == [(1.5,), (0.0,)]
    assert len(candidates_view(form["measures"], {})) == 2
    with pytest.raises(InputError, match="at least two"):
        question_of(FORM, ["Close"], [1.0], objectives=["no2"], budget=None)


def test_bars_that_may_be_chance_are_pale():
    rows = pd.DataFrame({"hour": [7, 8], "effect": [1.0, 0.1], "lower": [0.5, -0.2], "upper": [1.5, 0.4]})
    bars = by_hour(rows, unit="veh·h", theme="light").data[0]
    assert list(bars.marker.opacity) == [1.0, 0.45]
    assert np.allclose(bars.error_y.array, [0.5, 0.3]) and np.allclose(bars.error_y.arrayminus, [0.5, 0.3])


def test_the_map_turns_to_what_has_just_come():
    assert newest({"scenario-study", "scenario-preview"}, False) == "result"
    assert newest({"scenario-preview"}, False) is None
    assert newest({"scenario-other"}, True) == "gap"

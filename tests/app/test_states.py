"""What a page says when there is nothing to show, or when something went wrong: each text names the way out."""

import shutil

import pytest
from plotly.utils import PlotlyJSONEncoder

from app.components.study_parts import progress_view
from app.jobs import CANCELLED, FAILED, Jobs
from app.pages.scenario_actions import outcome
from app.pages.scenarios import layout
from app.queries import Queries
from app.server import PAGES
from app.shell import content
from data.store.workspace import Workspace


def words(part):
    """Everything that a component would send to the browser."""
    return PlotlyJSONEncoder(ensure_ascii=False).encode(part)


@pytest.fixture
def without(workspace, tmp_path):
    """The toy workspace as if some kinds of runs had not been made."""

    def make(*kinds):
        root = shutil.copytree(workspace.root, tmp_path / "w")
        less = Workspace(root)
        less.update(runs={k: v for k, v in less.describe()["runs"].items() if k not in kinds})
        return Queries(less)

    return make


#: Pages that show one workspace; the start page lists all, and has something to show without any.
OF_A_WORKSPACE = [page for page in PAGES if page.PAGE.path != "/start"]


@pytest.mark.parametrize("page", OF_A_WORKSPACE, ids=lambda p: p.PAGE.path)
def test_every_page_of_an_empty_workspace_names_the_command(tmp_path, page):
    said = words(content(Queries(Workspace(tmp_path)), PAGES, page.PAGE.path, ""))
    assert "Nothing to show yet" in said and "zonewise demo" in said


@pytest.mark.parametrize("page", OF_A_WORKSPACE, ids=lambda p: p.PAGE.path)
def test_without_a_live_day_every_page_names_the_command(without, page):
    assert "zonewise demo" in words(content(without("live"), PAGES, page.PAGE.path, ""))


def test_without_a_comparison_the_map_and_the_models_still_show(without):
    less = without("comparison")
    assert "zonewise compare" in words(content(less, PAGES, "/micro-macro", ""))
    assert "compare the models first" in words(content(less, PAGES, "/", ""))
    assert "Z01" in words(content(less, PAGES, "/models", ""))


def test_without_training_the_map_still_shows_and_the_models_name_the_command(without):
    less = without("training", "comparison")
    assert "zonewise train" in words(content(less, PAGES, "/models", ""))
    assert "page-map" in words(content(less, PAGES, "/", ""))


def test_an_unknown_address_leads_back(queries):
    assert "Back to the map" in words(content(queries, PAGES, "/nowhere", ""))


@pytest.mark.parametrize(("state", "hint"), [(FAILED, "run it again"), (CANCELLED, "Run it again")])
def test_a_run_that_ended_badly_says_why_and_what_to_do(tmp_path, state, hint):
    jobs = Jobs(tmp_path / "jobs.sqlite")
    job = jobs.add("scenario", {})
    jobs.end(job, state, message="street 'X' is unknown")
    said = words(progress_view(jobs.read(job)))
    assert hint in said
    assert ("street 'X' is unknown" in said) == (state == FAILED)


def test_a_run_whose_result_is_gone_says_so_and_stops_asking(queries, tmp_path):
    jobs = Jobs(tmp_path / "jobs.sqlite")
    job = jobs.add("scenario", {})
    jobs.end(job, "done", result="study-000000000000")
    progress, stopped, result, *_ = outcome(queries, jobs.read(job))
    assert stopped and result == []
    assert "Run the scenario again" in words(progress)


def test_an_address_with_an_unknown_run_says_so(queries):
    assert "does not know" in words(layout(queries, job="nothing"))
    assert "does not know" not in words(layout(queries))


def test_seconds_of_training_stand_in_the_table_where_the_cards_tell_them(queries, monkeypatch):
    from app.pages import models

    assert "Fit, s" in words(models.table(queries, "no2_ug_per_m3", "Z01"))
    rows = models.model_table(queries, "no2_ug_per_m3").assign(fit_seconds=float("nan"))
    monkeypatch.setattr(models, "model_table", lambda *_: rows)
    assert "Fit, s" not in words(models.table(queries, "no2_ug_per_m3", "Z01"))


def test_a_damaged_model_leaves_the_page_standing_and_names_the_command(without):
    from app.pages import models

    damaged = without()
    files = list((damaged.workspace.root / "models" / "Z01").rglob("model.json"))
    assert len(files) == 4
    for file in files:
        file.write_text("{}")  # neither weights nor a family
    assert "page-models" in words(content(damaged, PAGES, "/models", "?zone=Z01"))
    assert "zonewise train" in words(models.detail(damaged, "no2_ug_per_m3", "Z01", 4, None))

"""The app's case without a browser: which workspaces serve, and which rows a run gives."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from app.benchmarks.app import run as case
from app.benchmarks.app.cities import CITIES, city_workspace, made_by_this_code, serves
from app.benchmarks.app.run import BUDGETS, TOLD, figures_of
from data.errors import InputError
from data.store.runs import run_id
from data.store.workspace import open_workspace


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A finished workspace of the large city, by code that is not this one."""
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path))
    space = open_workspace("bench-large")
    with space.runs.write("live", {"code": "of before"}) as run:
        run.json("told", {})
        live = run_id("live", {"code": "of before"})
    space.alter(lambda told: {**told, "job": asdict(CITIES["large"]), "runs": {"city": "city-0", "live": live}})
    return space


def test_a_finished_workspace_serves_again_whichever_code_made_it(stored):
    said = []
    assert serves(stored, CITIES["large"])
    assert not made_by_this_code(stored)
    assert city_workspace("large", say=said.append).root == stored.root
    assert said == ["large: workspace bench-large is there, made by other code"]


def test_another_city_other_zones_or_no_live_day_do_not_serve(stored):
    """200 zones are stored: 150 are others; without its live day nothing can be shown."""
    assert not serves(stored, replace(CITIES["large"], zone_count=150))
    assert not serves(stored, replace(CITIES["large"], city="helsinki"))
    assert serves(stored, replace(CITIES["large"], families=None))  # its models are not what is measured
    stored.alter(lambda told: {**told, "runs": {"city": "city-0"}})
    assert not serves(stored, CITIES["large"])


def test_every_budget_is_a_row_and_the_large_city_has_its_own_targets():
    found = {"n": 3, **{what: 100.0 for what, *_ in BUDGETS}, **dict.fromkeys(TOLD, 7.0)}
    large = {f["name"]: f for f in figures_of("large", found)}
    assert len(large) == len(BUDGETS) + len(TOLD) == 17
    assert large["large: zone click to chart"]["target"] == 250.0
    assert {f["name"]: f for f in figures_of("helsinki", found)}["helsinki: zone click to chart"]["target"] == 200.0
    assert large["large: browser memory, all processes, the app's share"]["target"] is None


def test_what_was_not_measured_is_no_row():
    """Pages alone: three rows."""
    found = {"n": 3, "outside requests": 0.0, "console errors": 0.0, "axe-core violations": 1.0}
    assert [f["met"] for f in figures_of("large", found)] == [True, True, False]


def test_parts_are_chosen_and_a_part_that_fails_leaves_a_note(stored, monkeypatch):
    """`--only pages` walks both cities' pages and takes no time; the second city's browser falls over."""
    from contextlib import contextmanager

    class Fell(Exception):
        pass

    @contextmanager
    def open_door(*_):
        yield "http://127.0.0.1:1"

    def walk(person, address, say):
        walked.append(address)
        if len(walked) == 2:
            raise Fell("the page\nis gone")
        return {"outside requests": 0.0, "console errors": 0.0, "axe-core violations": 0.0, "where": []}

    walked: list[str] = []
    monkeypatch.setattr(case, "visitor", open_door)
    monkeypatch.setattr(case, "served", open_door)
    monkeypatch.setattr(case, "faults", walk)
    monkeypatch.setattr(case, "browser_faults", lambda: (Fell,))
    monkeypatch.setattr(case, "city_workspace", lambda name, fresh: stored)
    told = case.run(["--only", "pages"])
    assert [f["name"] for f in told["figures"]] == [
        f"helsinki: {what}" for what in ("outside requests", "console errors", "axe-core violations")
    ]
    assert told["notes"] == ["large: pages: the page"]


def test_nothing_measured_is_an_error(stored, monkeypatch):
    from contextlib import contextmanager

    @contextmanager
    def open_door(*_):
        yield None

    monkeypatch.setattr(case, "visitor", open_door)
    monkeypatch.setattr(case, "city_workspace", lambda name, fresh: stored)
    monkeypatch.setattr(case, "measure", lambda *_, **more: more["notes"].append("a browser fell") or {})
    with pytest.raises(InputError, match="a browser fell"):
        case.run([])

"""What programs read: pages of tables, faults in words, and a description that is true."""

from __future__ import annotations

import pandas as pd
import pytest

from app.serving.openapi import FILTERS
from data.store.workspace import Workspace


@pytest.fixture(scope="module")
def study(space: Workspace) -> str:
    """A study of two effects."""
    rows = pd.DataFrame(
        {
            "scenario": "x", "quantity": ["no2", "no2"], "scope": ["city", "zone"], "zone_id": ["", "Z01"], "hour": -1,
            "base": [20.0, 22.0], "scenario_value": [19.0, 22.0], "effect": [-1.0, 0.0], "lower": [-2.0, float("nan")],
            "upper": [0.5, 0.5], "unit": "ug/m3", "n": 5,
        }
    )  # fmt: skip
    with space.runs.write("study", {"toy": 1}) as run:
        run.table("effects", rows)
    return str(space.runs.latest("study")["id"])


def test_pages_of_forecasts_are_the_whole_table_and_say_where_the_next_begins(opened):
    """4 zones, one without air: speed has 3 models x 16 horizons x 7 quantiles in each."""
    whole = opened.client.get("/api/v1/forecasts?target=speed_mps&limit=10000").json
    assert whole["total"] == 4 * 3 * 16 * 7 == len(whole["rows"])
    first = opened.client.get("/api/v1/forecasts?target=speed_mps&limit=1000").json
    second = opened.client.get(f"/api/v1/forecasts?target=speed_mps&limit=1000&offset={first['next']}").json
    assert first["rows"] + second["rows"] == whole["rows"]
    assert second["next"] is None


def test_zones_lie_where_they_are(opened):
    rows = opened.client.get("/api/v1/zones").json["rows"]
    assert [row["zone_id"] for row in rows] == ["Z01", "Z02", "Z03", "Z04"]
    assert all(-180 <= row["lon"] <= 180 and -90 <= row["lat"] <= 90 for row in rows)


def test_effects_are_those_of_the_study_and_what_is_missing_is_null(opened, study):
    told = opened.client.get(f"/api/v1/effects?study={study}&scope=zone").json
    assert told["study"] == study and told["total"] == 1
    assert told["rows"][0]["zone_id"] == "Z01" and told["rows"][0]["lower"] is None
    assert opened.client.get("/api/v1/effects").json["study"] == study


def test_what_is_not_there_is_404_and_says_no_path_of_this_machine(opened, space):
    run = space.describe()["runs"]["city"]
    for asked in ("nothing", run, "../x"):
        answer = opened.client.get(f"/api/v1/effects?study={asked}")
        assert answer.status_code == 404
        assert str(space.root) not in answer.json["error"]


def test_all_faults_of_a_query_are_told_at_once(opened):
    answer = opened.client.get("/api/v1/forecasts?limit=0&offset=-1&zones=Z01")
    assert answer.status_code == 400
    for words in ("no parameter 'zones'", "limit='0'", "offset='-1'"):
        assert words in answer.json["error"]


@pytest.mark.parametrize("role", ["vera", "paul", "ada"])
def test_every_role_reads_and_nobody_else_does(signed, role):
    assert signed(role).client.get("/api/v1/runs").status_code == 200
    assert signed().client.get("/api/v1/runs").status_code == 401


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_the_description_says_what_an_endpoint_takes_and_gives(opened, study, name):
    told = opened.client.get("/api/v1/openapi.json").json
    get = told["paths"][f"/{name}"]["get"]
    assert {one["name"] for one in get["parameters"]} == {*FILTERS[name], "limit", "offset"}
    answer = opened.client.get(told["servers"][0]["url"] + f"/{name}")
    properties = get["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    row = properties["rows"]["items"]["properties"]
    assert answer.status_code == 200
    assert set(answer.json["rows"][0]) <= set(row)
    assert {"total", "offset", "next", "rows"} <= set(answer.json)

"""The models page's tables, curves, downloads and actions, asked of a small workspace with real ridge models."""

from __future__ import annotations

import io
import json
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from app import responses
from app.figures.candidates import candidates
from app.figures.coverage import coverage
from app.figures.heard import heard
from app.figures.responses import responses as response_chart
from app.model_actions import act
from app.model_downloads import KINDS, download, offers
from app.model_lists import candidate_errors, mean_errors, model_table, reliability, state_of, version_rows
from app.model_views import anchor, card, explain, load, origin, panel, version
from app.pages import models, models_versions
from app.queries import Queries
from data.errors import InputError
from data.store.workspace import Workspace
from models.errors import RegistryError
from models.registry import Registry
from models.standing import Standing

NO2 = "no2_ug_per_m3"


@pytest.fixture
def own(workspace, tmp_path) -> Queries:
    """A copy that may be changed."""
    shutil.copytree(workspace.root, tmp_path / "own")
    return Queries(Workspace(tmp_path / "own"))


def second(queries: Queries, **told) -> str:
    """A second version of Z01's model of NO2, not in force."""
    registry = Registry(queries.workspace.models)
    model = registry.load("Z01", NO2)
    return registry.save("Z01", NO2, model, {"created_by": "ann", **told}, promote=False)


def test_a_response_curve_at_the_inputs_present_value_is_the_forecast_now(queries):
    """The curve is interpolated at `now`: a ridge is straight on the model's scale, so nearly."""
    rows, at = responses.curves(queries, "Z01", NO2, 4)
    assert at == 4
    assert 1 <= rows["feature"].nunique() <= responses.KEPT
    for _, part in rows.groupby("feature"):
        assert len(part) == responses.POINTS
        assert part["x"].is_monotonic_increasing
        now, x = part["now"].iloc[0], part["x"].to_numpy()
        if x[0] <= now <= x[-1]:
            assert np.interp(now, x, part["forecast"]) == pytest.approx(part["at"].iloc[0], rel=0.02)


def test_the_forecast_that_curves_start_from_is_the_models_own_median(queries):
    rows, at = responses.curves(queries, "Z01", NO2, 4)
    model = load(queries, "Z01", NO2)
    told = model.explain(panel(queries), origin=origin(queries), zone_id="Z01", step=anchor(model, at))
    assert rows["at"].iloc[0] == pytest.approx(told["contribution"].sum(), rel=1e-4)


def test_the_curve_of_a_line_is_as_steep_as_its_weight(queries):
    """On the model's scale (square roots of concentrations) a ridge's curve of one input is a straight line."""
    rows, _ = responses.curves(queries, "Z01", NO2, 4)
    for _, part in rows.groupby("feature"):
        steps = np.diff(np.sqrt(part["forecast"].to_numpy()))
        assert steps == pytest.approx(np.full(steps.size, steps.mean()), rel=1e-3)


def test_what_moves_the_forecast_most_comes_first(queries):
    rows, _ = responses.curves(queries, "Z01", NO2, 4)
    reach = rows.groupby("feature", sort=False)["forecast"].agg(np.ptp).tolist()
    assert reach == sorted(reach, reverse=True)


def test_a_zone_without_a_model_has_no_curves(queries):
    assert responses.curves(queries, "Z04", NO2, 4) is None


def test_the_list_tells_state_version_and_errors_of_every_zone(queries):
    """Scores of the fixture an hour ahead: 3 * 1.35 = 4.05 for the micromodel, 8 % more for the macromodel."""
    rows = model_table(queries, NO2).set_index("zone_id")
    assert list(rows.index) == ["Z01", "Z02", "Z03"]
    assert rows.loc["Z01", ["version", "state", "family"]].tolist() == ["0001", "force", "ridge"]
    assert rows.loc["Z01", "micromodel_3600"] == pytest.approx(4.05)
    assert rows.loc["Z01", "macromodel_3600"] == pytest.approx(4.05 * 1.08)
    assert rows.loc["Z01", "coverage_90"] == pytest.approx(0.9)


def test_states_name_their_reason():
    standing = Standing(version="0002", why="better")
    assert state_of(None, {})[0] == "none"
    assert state_of(standing, {}) == ("force", "better")
    assert state_of(standing, {"fell_from": "tree", "guard": "ridge serves"}) == ("fell", "ridge serves")
    pinned = standing.pinned(when="2026-01-01", by="ann", why="road works")
    assert state_of(pinned, {"fell_from": "tree"}) == ("pinned", "held by ann: road works")


def test_candidates_are_those_of_the_card_where_it_tells_them(own):
    """Means over the two horizons: ridge (1 + 3) / 2 = 2, tree (2 + 5) / 2 = 3.5."""
    tried = [
        {"model": m, "horizon_s": h, "mae": e, "n": 9}
        for m, h, e in (("ridge", 900.0, 1.0), ("ridge", 3600.0, 3.0), ("tree", 900.0, 2.0), ("tree", 3600.0, 5.0))
    ]
    number = second(own, candidates=tried)
    Registry(own.workspace.models).promote("Z01", NO2, number)
    rows, on = candidate_errors(own, "Z01", NO2)
    assert on == "validation"
    assert list(zip(rows["model"], rows["error"], rows["chosen"])) == [("ridge", 2.0, True), ("tree", 3.5, False)]


def test_mean_errors_come_in_the_shown_unit():
    """Speeds are stored in m/s and shown in km/h: 2 m/s are 7.2 km/h."""
    rows = pd.DataFrame({"model": ["ridge"], "horizon_s": [900.0], "mae": [2.0]})
    assert mean_errors(rows, "speed_mps", "tree")["error"].tolist() == pytest.approx([7.2])


def test_reliability_tells_what_was_promised_and_held(queries):
    rows = reliability(queries, "Z01", NO2)
    assert set(rows["nominal"]) == {0.9}
    assert rows["coverage"].tolist() == pytest.approx([0.9] * 3)


def test_versions_are_told_newest_first_with_who_made_them(own):
    number = second(own, decision={"reason": "errs more"}, validation=[{"horizon_s": 3600, "mae": 2.5}])
    rows = version_rows(own, "Z01", NO2)
    assert rows["version"].tolist() == [number, "0001"]
    assert rows["state"].tolist() == ["", "force"]
    assert rows.loc[0, ["error", "why", "by"]].tolist() == [2.5, "errs more", "ann"]


def test_a_person_promotes_pins_unpins_and_rolls_back_by_name(own):
    number = second(own)
    told = "Version 0002 is in force in Z01."
    assert act(own.workspace, "promote", "Z01", NO2, number, by="  Ann  Lee ", why="new sensor") == told
    assert version(own, "Z01", NO2) == number
    act(own.workspace, "pin", "Z01", NO2, "", by="Ann Lee")
    with pytest.raises(RegistryError, match="pinned"):
        act(own.workspace, "promote", "Z01", NO2, "0001", by="Bo")
    act(own.workspace, "unpin", "Z01", NO2, "", by="Ann Lee")
    assert "0001" in act(own.workspace, "rollback", "Z01", NO2, "", by="Ann Lee")
    log = Registry(own.workspace.models).log("Z01", NO2)
    assert log["action"].tolist()[-4:] == ["promote", "pin", "unpin", "rollback"]
    assert set(log["by"].tolist()[-4:]) == {"Ann Lee"}


@pytest.mark.parametrize("by", ["", "   "])
def test_nothing_is_changed_without_a_name(own, by):
    with pytest.raises(InputError, match="Give your name"):
        act(own.workspace, "pin", "Z01", NO2, "", by=by)
    assert version(own, "Z01", NO2) == "0001"


def test_the_page_shows_what_was_promoted_a_moment_ago(own):
    """Kept answers are named by the version in force, so that a promotion needs no restart."""
    assert card(own, "Z01", NO2).get("created_by") is None
    explain(own, "Z01", NO2, 4)
    act(own.workspace, "promote", "Z01", NO2, second(own), by="ann")
    assert card(own, "Z01", NO2)["created_by"] == "ann"
    assert model_table(own, NO2).set_index("zone_id").loc["Z01", "version"] == "0002"


def test_downloads_can_be_opened_without_the_project(queries):
    names = {}
    for kind in KINDS:
        name, body = download(queries, "Z01", NO2, kind)
        names[kind] = name
        assert body
    assert names["c"] == f"zonewise_Z01_{NO2}_0001_c.zip"
    assert json.loads(download(queries, "Z01", NO2, "card_json")[1])["family"] == "ridge"
    assert download(queries, "Z01", NO2, "card_md")[1].decode().startswith("# NO₂ in zone Z01")
    with zipfile.ZipFile(io.BytesIO(download(queries, "Z01", NO2, "bundle")[1])) as packed:
        assert {"card.json", "card.md", "model.json", "arrays.npz", "arrays.json"} <= set(packed.namelist())


def test_what_cannot_be_written_as_onnx_or_c_says_why(own):
    from models.baselines import BASELINES

    usual = next(kind for kind in BASELINES if kind.kind == "historical_average")
    info = own.info()
    model = usual(seed=1).fit(panel(own), target=NO2, zone_ids=["Z01"], train_end=info.now)
    Registry(own.workspace.models).save("Z01", NO2, model, {})
    why = offers(own, "Z01", NO2)
    assert why["bundle"] == ""
    assert "cannot be written so" in why["c"]
    with pytest.raises(InputError, match="cannot be written so"):
        download(own, "Z01", NO2, "c")


def test_nothing_is_downloaded_from_outside_the_registry(queries):
    with pytest.raises(InputError, match="no version is in force"):
        download(queries, "../..", NO2, "card_json")
    with pytest.raises(InputError, match="nothing can be taken as"):
        download(queries, "Z01", NO2, "pickle")


def test_the_question_before_a_change_names_what_will_happen():
    told = {"action": "promote", "zone": "Z01", "target": NO2, "version": "0003"}
    assert models_versions.asked(told).startswith("Version 0003 will forecast NO₂ in Z01")


def test_every_zone_has_a_page_and_names_are_text(queries):
    for zone in queries.zone_names():
        assert zone in str(models.layout(queries, zone=zone, target=NO2).to_plotly_json())
        assert zone in str(models.detail(queries, NO2, zone, 4, None))


def test_bars_of_candidates_fill_the_chosen_one():
    rows = pd.DataFrame({"model": ["tree", "ridge"], "error": [1.0, 1.2], "chosen": [False, True]})
    chart = candidates(rows, unit="µg/m³", theme="light")
    assert list(chart.data[0].y) == ["Decision tree", "Ridge line"]
    assert list(chart.data[0].marker.opacity) == [0.55, 1.0]


def test_response_panels_share_one_scale_and_escape_labels():
    rows = pd.DataFrame(
        {
            "feature": ["a"] * 2 + ["b"] * 2, "label": ["<b>x"] * 2 + ["y"] * 2, "x": [0.0, 1.0] * 2,
            "forecast": [1.0, 3.0, 2.0, 2.5], "now": 0.5, "at": 2.0,
        }
    )  # fmt: skip
    chart = response_chart(rows, unit="km/h", digits=1, theme="dark")
    assert chart.layout.yaxis.range == chart.layout.yaxis2.range
    assert chart.layout.annotations[0].text == "&lt;b&gt;x"
    assert len(chart.data) == 4


def test_coverage_draws_a_line_for_each_promise():
    rows = pd.DataFrame({"nominal": [0.8, 0.9], "horizon_s": [900.0, 900.0], "coverage": [0.7, 0.95], "n": [9, 9]})
    chart = coverage(rows, theme=None)
    assert [list(line.y) for line in chart.data] == [[95.0], [70.0]]


def test_days_with_gaps_stand_out():
    rows = pd.DataFrame({"day": pd.to_datetime(["2025-01-01", "2025-01-02"]), "share": [1.0, 0.5]})
    colours = heard(rows, theme="light").data[0].marker.color
    assert colours[0] != colours[1]

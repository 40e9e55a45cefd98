"""View tables, asked of a workspace that is small enough to check by hand."""

import json

import numpy as np
import pandas as pd
import pytest

from app import live_views, map_views, zone_views
from app.city_now import city_figures
from app.comparison_views import advice, paired, regimes, verdict
from app.model_inside import shares, trace, weights
from app.model_lists import model_table
from app.model_views import explain, in_use, main_driver, plain_reason, told
from app.pages.micro_macro_parts import regime_table
from app.queries import NotReadyError, Queries
from app.server import create_app
from app.study_views import effect_rows, tone
from app.texts import EN, ahead, signed, t
from data.store.workspace import Workspace

NO2 = "no2_ug_per_m3"


def test_an_empty_workspace_says_which_command_to_run(tmp_path):
    with pytest.raises(NotReadyError, match="zonewise demo"):
        Queries(Workspace(tmp_path)).info()


def test_nothing_counts_as_observed_that_was_not_known_at_now(queries):
    """14:30 is the start of step 58: steps 0 to 57 are known, nothing later is."""
    info = queries.info()
    seen = live_views.observed(queries, "flow_veh_per_h")
    assert info.now_step == 58
    assert np.isfinite(seen[:, 57]).all()
    assert np.isnan(seen[:, 58:]).all()


def test_after_now_a_zone_shows_the_median_of_its_model_in_use(queries):
    """Z02 uses the macromodel, which lies 14 % below the micromodel."""
    ids = list(queries.zone_names())
    levels, macro = live_views.forecast_paths(queries, "Z02", NO2, "macromodel")
    series = live_views.series(queries, NO2)
    assert series[ids.index("Z02"), 58:] == pytest.approx(macro[:, 3])
    assert levels[3] == 0.5
    micro = live_views.forecast_paths(queries, "Z02", NO2, "micromodel")[1]
    assert macro[0, 3] < micro[0, 3]


def test_a_mix_that_is_not_stored_is_blended_from_its_parts(queries):
    mixed, micro, macro = (
        live_views.forecast_paths(queries, "Z03", NO2, m)[1] for m in ("in_use", "micromodel", "macromodel")
    )
    assert mixed == pytest.approx(0.5 * micro + 0.5 * macro)


def test_the_table_is_sorted_by_chance_and_ends_with_zones_without_a_sensor(queries):
    rows = zone_views.zone_table(queries, NO2)
    known = rows["chance"].dropna()
    assert known.is_monotonic_decreasing
    assert rows["zone_id"].iloc[-1] == "Z04"
    assert np.isnan(rows["peak"].iloc[-1])


def test_the_usual_is_the_median_of_the_same_kind_of_day(queries):
    """The live day is a Tuesday: the median of the six simulated weekdays."""
    state = queries.table(queries.info().runs["simulation"], "zone_state")
    local = state["time"].dt.tz_convert("Europe/Helsinki")
    hit = state[(state["zone_id"] == "Z01") & (local.dt.dayofweek < 5) & (local.dt.strftime("%H:%M") == "08:00")]
    assert len(hit) == 6
    assert live_views.usual(queries, "flow_veh_per_h")[0, 32] == pytest.approx(hit["flow_veh_per_h"].median())


def test_links_are_bytes_link_by_link_and_empty_ones_are_marked(queries):
    """Link 0 had no vehicle in step 0 (its number and the step's add up to a multiple of 11)."""
    data = np.frombuffer(map_views.link_bytes(queries), dtype=np.uint8).reshape(80, 96)
    assert data[0, 0] == 255
    assert 10 <= data[1, 40] <= 100
    assert (data[:, 58:] <= 100).all()


def test_the_day_for_the_browser_holds_every_layer_in_shown_units(queries):
    day = json.loads(map_views.day_json(queries))
    assert (day["steps"], day["now"]) == (96, 58)
    assert set(day["layers"]) == {"no2", "pm25", "speed", "flow", "delay"}
    assert day["layers"]["speed"]["values"][1][57] == pytest.approx(
        3.6 * live_views.observed(queries, "speed_mps")[1, 57], abs=0.01
    )
    assert day["layers"]["no2"]["values"][3] == [None] * 96


def test_five_figures_open_the_map(queries):
    figures = city_figures(queries)
    assert len(figures) == 5
    seen = live_views.observed(queries, NO2)[:3, 57].mean()
    assert figures[2].value == f"{seen:.0f}"
    assert figures[3].unit == "of 3 with a station"
    assert [len(f.day) for f in figures] == [96, 96, 96, 0, 0]
    assert figures[2].day[57] == pytest.approx(seen, rel=1e-3)
    assert figures[0].value == f"{figures[0].day[57]:.0f}"


def test_contributions_add_up_to_the_forecast(queries):
    rows, model = explain(queries, "Z01", NO2, 4)
    from app.model_views import load, panel

    origin = pd.DatetimeIndex([queries.info().now]).as_unit("us")
    forecast = load(queries, "Z01", NO2).forecast(panel(queries), origins=origin, zone_ids=["Z01"], steps=(4,))
    assert model == "micromodel"
    assert rows["contribution"].sum() == pytest.approx(forecast[0, 0, 0, 3], abs=1e-6)
    assert main_driver(queries, "Z01", NO2, 4)[0] in set(rows["label"])


def test_the_verdict_is_counted_from_the_rows(queries):
    found = verdict(paired(queries, NO2, 3600.0))
    assert (found.micro, found.macro, found.ties) == (1, 1, 1)
    assert verdict(paired(queries, "flow_veh_per_h", 3600.0)).sentence() == "Micromodels are better in 2 of 4 zones"


def test_regimes_are_told_in_shown_units_and_only_where_the_run_has_them(queries):
    """Speed: 3 x 0.5 and 4 x 0.5 m/s are 5.4 and 7.2 km/h; nothing is known of a quarter of an hour ahead."""
    rows = regimes(queries, "speed_mps", 3600.0).set_index("regime")
    assert rows.loc["incident", ["micro_mae", "macro_mae"]].tolist() == pytest.approx([5.4, 7.2])
    assert regimes(queries, "speed_mps", 900.0).empty
    table = regime_table(queries, "speed_mps", 3600.0)
    assert "Incident" in str(table) and "B('5.40')" in str(table) and "B('7.20')" not in str(table)
    assert regime_table(queries, "flow_veh_per_h", 3600.0) == []


def test_advice_speaks_of_what_the_tables_hold(queries):
    said = dict(advice(queries, "flow_veh_per_h"))
    assert "15 min (2 : 1, 1 ties)" in said["Micromodel"]
    assert "Worse than both at every horizon" in said["Same time last week"]


def test_every_zone_that_senses_has_a_row_of_its_model(queries):
    rows = model_table(queries, NO2)
    assert rows["zone_id"].tolist() == ["Z01", "Z02", "Z03"]
    assert (rows["version"] == "0001").all()


@pytest.mark.parametrize(
    ("quantity", "effect", "lower", "upper", "said"),
    [
        ("no2", -1.0, -2.0, -0.5, "better"), ("no2", 1.0, 0.5, 2.0, "worse"), ("speed_kmh", 1.0, 0.5, 2.0, "better"),
        ("no2", -1.0, -2.0, 0.5, "none"), ("vehicle_km", 9.0, 5.0, 12.0, "changed"), ("no2", -1.0, None, None, "none"),
    ],
)  # fmt: skip
def test_an_effect_is_good_or_bad_only_where_its_interval_leaves_zero(quantity, effect, lower, upper, said):
    assert tone(quantity, effect, lower, upper) == said


def test_effects_carry_their_interval_or_say_that_there_is_none():
    row = {"quantity": "no2", "scope": "city", "hour": -1, "base": 10.0, "scenario_value": 9.0, "effect": -1.0}
    told = effect_rows(pd.DataFrame([{**row, "lower": -1.5, "upper": -0.5}]))[0]
    assert (told["effect"], told["share"], told["interval"]) == ("−1.00", "−10.0 %", "−1.50 to −0.50")
    alone = effect_rows(pd.DataFrame([{**row, "lower": np.nan, "upper": np.nan}]))[0]
    assert alone["interval"] == "one repetition: no interval"


def test_the_api_answers_packed_tagged_and_with_nothing_new_for_a_known_tag(workspace, queries):
    client = create_app(workspace).server.test_client()
    path = f"/api/{queries.info().runs['city']}/geo.json"
    answer = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["Content-Encoding"]) == (200, "gzip")
    assert "max-age" in answer.headers["Cache-Control"]
    again = client.get(path, headers={"Accept-Encoding": "gzip", "If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    plain = client.get(path)
    assert len(plain.get_json()["links"]) == 80
    assert client.get("/api/city-none/geo.json").status_code == 404
    assert client.get("/api/../day.json").status_code == 404


def test_geometry_is_exact_to_a_decimetre(queries):
    """A whole number is a millionth of a degree."""
    raw = json.loads(queries.geometry(queries.info().runs["city"]))
    x = raw["origin"][0] + raw["links"][5]["line"][0] / raw["scale"]
    first = queries.links().to_crs(4326).geometry.iloc[5].coords[0]
    assert x == pytest.approx(first[0], abs=1e-6)


def test_every_text_fills_its_values_and_an_unknown_key_is_an_error():
    assert t("kpi.over", limit="50 µg/m³") == "Zones likely over 50 µg/m³"
    with pytest.raises(KeyError):
        t("no.such.text")
    assert all(text for text in EN.values())
    assert (ahead(900), ahead(3600), ahead(86400)) == ("15 min", "1 h", "24 h")
    assert (signed(-0.04), signed(-1234.56), signed(2)) == ("0.0", "−1,234.6", "+2.0")


@pytest.mark.parametrize(("name", "orange", "purple"), [("no2", "more", "less"), ("speed", "slower", "faster")])
def test_the_legend_of_a_difference_says_what_each_end_means(name, orange, purple):
    """Orange is left in the ramp and purple right; purple is where it gets better."""
    from app.components.study_parts import legend
    from app.study_views import MAPS

    left, right = MAPS[name].ends()
    assert left.startswith(orange) and right.startswith(purple)
    shown = str(legend(name, {"closed": [], "changed": [], "zones": []}))
    assert shown.index(left) < shown.index("hardly any") < shown.index(right)
    assert MAPS[name].scale()["sign"] == (1 if name == "speed" else -1)


def test_a_mix_is_told_by_its_members_and_its_shares(queries):
    """Z03 is served by a mix of two lines; the shares of what is worth a percent sum to a hundred, up to rounding."""
    model, kind = in_use(queries, "Z03", NO2)
    words, step = shares(queries, "Z03", NO2, 5)
    assert kind == "mix" and len(model.members) == 2 and step in model.anchors
    assert 98 <= sum(int(part.split()[-2]) for part in words.split(", ")) <= 102
    assert "line" in words and "_" not in words
    rows, told_by = explain(queries, "Z03", NO2, 4)
    assert told_by == "mix" and np.isfinite(rows["contribution"]).all()
    assert shares(queries, "Z01", NO2, 5) is None


def test_a_forecast_in_words_has_range_chance_and_record(queries):
    """The stored range and record: 480 cases of the micromodel an hour ahead; the daily limit of NO2 is 50."""
    words = told(queries, "Z01", NO2, 4, "today at 15:15")
    levels, paths = live_views.forecast_paths(queries, "Z01", NO2, "in_use")
    low, high = (f"{paths[3, int(np.argmin(abs(levels - q)))]:.0f}" for q in (0.05, 0.95))
    assert "today at 15:15" in words and f"between {low} and {high} µg/m³" in words
    assert "passes 50 µg/m³" in words and "480 earlier forecasts" in words and "1 h ahead" in words
    assert "passes" not in told(queries, "Z01", "speed_mps", 4, "today at 15:15")


def test_a_zone_without_a_model_is_told_nothing(queries):
    assert told(queries, "Z04", NO2, 4, "now") is None and in_use(queries, "Z04", NO2) is None
    assert weights(queries, "Z04", NO2, 4) is None and trace(queries, "Z04", NO2, 4) == ([], 4)


def test_a_lines_weights_are_in_shown_units_at_its_nearest_horizon(queries):
    """5 steps lie between the anchors 4 and 6: the nearer one, the lower of two, tells; speed is shown in km/h."""
    rows, swing, at = weights(queries, "Z01", "speed_mps", 5)
    model, _ = in_use(queries, "Z01", "speed_mps")
    assert at == 4 and swing == pytest.approx(3.6 * model.profile.scale[0])
    assert rows["move"].abs().max() > 0 and trace(queries, "Z01", "speed_mps", 5) == ([], 5)


def test_reasons_name_families_in_plain_words():
    reason = (
        "Mix: 1 % less error; micromodel (quantile_linear) 2, macromodel (macro_xgboost) 3. Family: tree is simpler"
    )
    assert plain_reason(reason) == (
        "Mix: 1 % less error; micromodel (median line) 2, macromodel (citywide boosted trees) 3."
        " Family: decision tree is simpler"
    )

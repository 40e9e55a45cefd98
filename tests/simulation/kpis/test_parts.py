"""Key figures by hand: accessibility, groups, inequality, reliability, equity, risk."""

import numpy as np
import pandas as pd
import pytest

from simulation.kpis.accessibility import reached
from simulation.kpis.equity import equity
from simulation.kpis.errors import KpiError
from simulation.kpis.gini import gini
from simulation.kpis.groups import Groups, default_groups
from simulation.kpis.ledger import noted_hours
from simulation.kpis.reliability import reliability_effects
from simulation.kpis.risk import brier_parts, forecast_risk, replication_risk, risk_reliability
from simulation.kpis.skims import mean_times

ZONES = pd.DataFrame({"zone_id": ["A", "B"], "homes": [100.0, 300.0], "area_m2": [1e6, 1e6]})


def test_jobs_within_minutes_are_means_over_hours():
    """From A: 5 own jobs in both hours, 100 of B within 10 minutes in one of two: 55."""
    skim = np.array([[[60.0, 590.0], [60.0, 60.0]], [[60.0, 610.0], [60.0, 60.0]]])
    assert reached(skim, np.array([5.0, 100.0]), 10.0).tolist() == [55.0, 105.0]


def test_mean_times_weigh_by_trips_and_leave_out_what_is_cut_off():
    """(1 x 100 + 3 x 200) / 4 = 175; B's only known way takes 50; C reaches nothing."""
    skim = np.array([[[100.0, 200.0, np.nan], [50.0, np.nan, np.nan], [np.nan, np.nan, np.nan]]])
    weight = np.array([[1.0, 3.0, 9.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    found = mean_times(skim, weight)
    assert found[:2].tolist() == [175.0, 50.0] and np.isnan(found[2])


def test_quartiles_hold_a_quarter_of_all_people_each():
    """880 people, 220 and 660: A fills the first quarter alone, B the three others; together they are who they are."""
    groups = default_groups(ZONES)
    assert groups.names[0] == "density quartile 1 of 4" and groups.people.shape == (4, 2)
    assert groups.people.sum(axis=1) == pytest.approx([220.0] * 4)
    assert groups.people[0].tolist() == pytest.approx([220.0, 0.0])
    assert groups.people.sum(axis=0) == pytest.approx([220.0, 660.0])


def test_a_known_income_goes_before_density():
    """B is poorer: its people fill the first three quarters."""
    groups = default_groups(ZONES.assign(income=[50_000.0, 20_000.0]))
    assert groups.names[3] == "income quartile 4 of 4" and groups.people[3].tolist() == pytest.approx([220.0, 0.0])


def test_given_groups_are_checked_whole():
    with pytest.raises(KpiError, match=r"(?s)'Z9'.*-3"):
        Groups.of({"no car": {"Z9": 5.0, "A": -3.0}}, ZONES)
    assert Groups.of({"no car": {"B": 7.0}}, ZONES).people.tolist() == [[0.0, 7.0]]


def test_gini_of_equals_is_zero_and_of_one_owner_nearly_one():
    """One of a hundred has all: 0.99."""
    assert gini(np.ones(5), np.ones(5)) == pytest.approx(0.0)
    assert gini(np.eye(1, 100)[0], np.ones(100)) == pytest.approx(0.99)


def test_reliability_counts_days_not_hours():
    """Two hours, 100 and 300 s, the same every day: no spread. The scenario adds +-10 and +-20 s: SD sqrt(1000 / 3)."""
    base = [np.array([[[100.0]], [[300.0]]])] * 4
    new = [one + shift for one, shift in zip(base, (10.0, -10.0, 20.0, -20.0))]
    table = reliability_effects(base, new, np.ones((1, 1)), ["A"], hours=2)
    city = table[table["scope"] == "city"].set_index("quantity")
    assert city.loc["travel_time_sd_s", "base"] == 0.0
    assert city.loc["travel_time_sd_s", "effect"] == pytest.approx(np.sqrt(1000 / 3))
    assert city.loc["travel_time_sd_s", "lower"] < city.loc["travel_time_sd_s", "effect"]
    assert np.isnan(city.loc["buffer_index", "lower"]) and city.loc["planning_time_index", "scenario_value"] > 1.0
    assert set(table["zone_id"]) == {"", "A"}


def test_one_day_has_no_reliability():
    assert reliability_effects([np.ones((1, 1, 1))], [np.ones((1, 1, 1))], np.ones((1, 1)), ["A"]).empty


def test_equity_counts_people_by_what_is_sure():
    """A (100 people) surely gains, B (200) surely loses, C (100) may do either; the worst quarter, 100 of B, lose 2."""
    rows = pd.DataFrame({
        "quantity": "no2", "scope": "zone", "zone_id": ["A", "B", "C"], "hour": -1,
        "effect": [-1.0, 2.0, 0.1], "lower": [-2.0, 1.0, -1.0], "upper": [-0.5, 3.0, 1.2],
    })  # fmt: skip
    row = equity(rows, pd.Series({"A": 100.0, "B": 200.0, "C": 100.0})).iloc[0]
    assert (row["share_better"], row["share_worse"], row["share_unsure"]) == (0.25, 0.5, 0.25)
    assert row["worst_quarter"] == pytest.approx(2.0)
    assert row["mean"] == pytest.approx((-100 + 400 + 10) / 400)


def test_a_chance_is_the_share_of_replications_drawn_towards_a_half():
    """NO2 above 50 in 3 of 4 replications: (3 + 0.5) / 5 = 0.7; in any hour: 4 of 4, 0.9."""
    values = [{"no2_ug_per_m3": np.array([[a], [b]])} for a, b in ((60, 0), (60, 0), (60, 0), (0, 60))]
    table = replication_risk(values, ["A"], {"no2_ug_per_m3": 50.0}).set_index("hour")
    assert table.loc[0, "chance"] == pytest.approx(0.7) and table.loc[-1, "chance"] == pytest.approx(0.9)
    assert table.loc[0, "lower"] < 0.7 < table.loc[0, "upper"] and table.loc[-1, "upper"] == 1.0
    with pytest.raises(KpiError, match="co_ug"):
        replication_risk(values, ["A"], {"co_ug": 1.0})


def test_forecast_risk_reads_the_chance_off_the_quantiles():
    """The median lies at the limit: one half."""
    rows = pd.DataFrame({
        "model": "m", "zone_id": "A", "target": "no2_ug_per_m3",
        "forecast_origin": pd.Timestamp("2026-01-27", tz="UTC"), "horizon_s": 3600.0,
        "quantile": [0.1, 0.5, 0.9], "value": [10.0, 20.0, 40.0],
    })  # fmt: skip
    assert forecast_risk(rows, {"no2_ug_per_m3": 20.0})["chance"].tolist() == pytest.approx([0.5])
    with pytest.raises(KpiError, match="no2"):
        forecast_risk(rows, {"pm25_ug_per_m3": 5.0})


def test_the_parts_of_the_brier_score_add_up_and_a_calibrated_chance_has_no_reliability_term():
    """10,000 cases whose chances are true: reliability near 0, and the parts sum to the score."""
    rng = np.random.default_rng(1)
    p = rng.choice([0.1, 0.5, 0.9], 10_000)
    y = (rng.random(p.size) < p).astype(float)
    parts = brier_parts(p, y)
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert parts["brier"] == pytest.approx(total) and parts["reliability"] < 0.001 and abs(parts["within"]) < 1e-12
    wrong = brier_parts(1 - p, y)
    assert wrong["reliability"] > 0.3
    diagram = risk_reliability(p, y)
    used = diagram[diagram["count"] > 0]
    assert ((used["low"] <= used["mean_p"]) & (used["mean_p"] <= used["high"])).all()


@pytest.mark.parametrize(
    ("start", "days", "hours"),
    [("2026-01-27", 1, (8, 12, 17)), ("2026-01-27 06:00", 1 / 6, (8,)), ("2026-01-27 20:00", 1 / 12, (21,)),
     ("2026-01-27 12:00", 1, (8, 12, 17))],
)  # fmt: skip
def test_hours_are_those_that_a_run_has(start, days, hours):
    assert noted_hours(pd.Timestamp(start), days) == hours

"""Key figures of studies whose demand was given: an OD table by hour and class, and a list of trips."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from simulation import Scenario, run_study
from simulation.demand.given import demand_from_od, trips_as_od
from simulation.scenarios import CloseStreet, ScaleDemand, Selection

HOUR = {"days": 1 / 24, "start": "2026-01-27 07:00"}
CLOSE = Scenario(name="close", measures=(CloseStreet(where=Selection(street=("Row street 3",), zones=("Z01",))),))


def od_table():
    """300 cars and 60 vans between 07:00 and 08:00 from Z01 to Z04, half as many back."""
    rows = [("Z01", "Z04", 25_200.0, "car", 300.0), ("Z01", "Z04", 25_200.0, "van", 60.0),
            ("Z04", "Z01", 25_200.0, "car", 150.0), ("Z04", "Z01", 28_800.0, "car", 10.0)]  # fmt: skip
    names = ("origin_zone_id", "dest_zone_id", "departure_s", "vehicle_class", "trips_veh")
    return pd.DataFrame(rows, columns=list(names))


def listed():
    """Twenty trips a minute apart from Z02 to Z03, and none else."""
    return trips_as_od(pd.DataFrame({
        "origin_zone_id": "Z02", "dest_zone_id": "Z03", "departure_s": 25_200.0 + 60.0 * np.arange(20),
        "vehicle_class": "car",
    }))  # fmt: skip


@pytest.fixture(scope="module", params=["table", "list"])
def found(town, request):
    table, span = (od_table(), 3600.0) if request.param == "table" else (listed(), 0.0)
    given = replace(town, demand=demand_from_od(town.demand, table, span_s=span))
    return request.param, given, run_study(given, CLOSE, seeds=(1, 2), **HOUR)


def value(study, quantity, scope="city", zone="", column="base"):
    table = study.effects
    rows = table[(table["quantity"] == quantity) & (table["scope"] == scope) & (table["zone_id"] == zone)
                 & (table["hour"] == -1)]  # fmt: skip
    return rows[column].item()


def test_key_figures_follow_the_trips_that_were_given(found):
    """All trips of the hour are counted, in their classes; zones that send none have no time from home."""
    kind, _, study = found
    trips = value(study, "trips_arrived") + value(study, "trips_unfinished")
    assert trips == pytest.approx(510.0 if kind == "table" else 20.0)
    classes = study.effects[(study.effects["quantity"] == "vehicle_km") & (study.effects["scope"] == "class")]
    km = classes.set_index("zone_id")["base"]
    assert km["car"] > 0 and (km.get("van", 0.0) > 0) == (kind == "table") and km.get("heavy", 0.0) == 0.0
    times = study.effects[(study.effects["quantity"] == "home_travel_time_s") & (study.effects["scope"] == "zone")]
    told = set(times["zone_id"])
    assert told == ({"Z01", "Z04"} if kind == "table" else {"Z02"})


def test_every_table_of_a_study_is_filled_for_given_demand(found):
    _, given, study = found
    for name in ("hourly", "reliability", "equity", "access", "risk"):
        assert len(getattr(study, name)), name
    assert study.gap[0] is not None and study.gap[0].trips > 0
    rows = study.reliability
    assert set(rows.loc[rows["scope"] == "zone", "zone_id"]) <= set(given.zones["zone_id"])


def test_given_demand_follows_travel_times_with_an_elasticity(town):
    """0.9 x 520 trips are left by a measure; they follow the times, which a closed street lengthens."""
    given = replace(town, demand=demand_from_od(town.demand, od_table(), span_s=3600.0))
    fewer = Scenario(name="fewer", measures=(*CLOSE.measures, ScaleDemand(factor=0.9)))
    study = run_study(given, fewer, seeds=(1,), elasticity=-1.0, **HOUR)
    assert study.induced is not None and study.induced.trips_before == pytest.approx(468.0)
    assert study.induced.trips_after < study.induced.trips_before


def test_factors_that_hold_for_good_count_in_the_trips_of_pairs(town):
    """Half of the trips from Z01: its row is half, the others stay."""
    changed = ScaleDemand(factor=0.5, from_zones=("Z01",)).apply(town)
    before, after = town.pair_trips(), changed.pair_trips()
    assert after[0] == pytest.approx(0.5 * before[0]) and np.array_equal(after[1:], before[1:])

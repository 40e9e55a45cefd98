"""The macroscopic fundamental diagram: Edie's definitions by hand, and from a log as from the books."""

import numpy as np
import pandas as pd
import pytest

from simulation.errors import RunError
from simulation.traffic.outputs.link_books import link_state
from simulation.traffic.outputs.mfd import diagram_curve, zone_diagram

START = pd.Timestamp("2026-01-26", tz="UTC")
LINKS = pd.DataFrame({"link_id": [0, 1], "length_m": [1000.0, 500.0]})
MEMBER = pd.DataFrame({"link_id": [0, 1, 1], "zone_id": ["A", "A", "B"], "share": [1.0, 0.5, 0.5]})


def state(rows):
    table = pd.DataFrame(rows, columns=["link_id", "at", "vehicle_class", "vehicle_distance_m", "vehicle_time_s"])
    return table.assign(time=(START + pd.to_timedelta(table["at"], unit="s")).astype("datetime64[us, UTC]"))


def test_zone_flow_density_and_speed_are_distance_and_time_over_streets():
    """Zone A has 1,250 m. In 900 s its vehicles drive 9,000 + 2,000 / 2 = 10,000 m in 1,800 + 450 s: accumulation
    2.5 veh, production 40 veh km/h, flow 10,000 / (1,250 x 900) veh/s = 32 veh/h, density 2 veh/km, speed 4.44 m/s."""
    books = state([(0, 0, "car", 6000.0, 1000.0), (0, 0, "bus", 3000.0, 800.0), (1, 0, "car", 2000.0, 900.0)])
    table = zone_diagram(books, MEMBER, LINKS, step_s=900.0).set_index("zone_id")
    a = table.loc["A"]
    assert a["accumulation_veh"] == pytest.approx(2.5) and a["production_veh_km_per_h"] == pytest.approx(40.0)
    assert a["flow_veh_per_h"] == pytest.approx(32.0) and a["density_veh_per_km"] == pytest.approx(2.0)
    assert a["speed_mps"] == pytest.approx(10_000 / 2250)
    city = table.loc["_city"]
    assert city["accumulation_veh"] == pytest.approx(3.0) and city["speed_mps"] == pytest.approx(11_000 / 2700)


def test_an_interval_without_vehicles_is_a_point_at_zero():
    """Vehicles at 0 s and 1,800 s: at 900 s the zone is empty, its speed unknown."""
    books = state([(0, 0, "car", 10.0, 1.0), (0, 1800, "car", 10.0, 1.0)])
    table = zone_diagram(books, MEMBER, LINKS, step_s=900.0, city=False)
    assert table["zone_id"].tolist() == ["A"] * 3 + ["B"] * 3
    middle = table.iloc[1]
    assert middle["accumulation_veh"] == 0 and middle["flow_veh_per_h"] == 0 and np.isnan(middle["speed_mps"])


def test_a_log_gives_the_diagram_of_its_books(make_random_log):
    """From a log, in intervals of 60 s: the sum over zones of accumulation is the vehicles' time over the interval."""
    log = make_random_log(5)
    books = link_state(log, length_m=np.full(7, 90.0), free_time_s=np.full(7, 9.0), step_s=60.0, start=START)
    links = pd.DataFrame({"link_id": range(7), "length_m": 90.0})
    member = pd.DataFrame({"link_id": range(7), "zone_id": list("AABBCCC"), "share": 1.0})
    table = zone_diagram(books, member, links, step_s=60.0)
    zones, city = table[table["zone_id"] != "_city"], table[table["zone_id"] == "_city"]
    total = zones.groupby("time")["accumulation_veh"].sum()
    np.testing.assert_allclose(total, city["accumulation_veh"])
    np.testing.assert_allclose(total.sum() * 60.0, books["vehicle_time_s"].sum())
    ok = table["density_veh_per_km"] > 0
    np.testing.assert_allclose(
        table["flow_veh_per_h"][ok], (table["density_veh_per_km"] * table["speed_mps"] * 3.6)[ok], rtol=1e-12
    )


def test_the_curve_peaks_at_the_critical_accumulation():
    """Production n (100 - n): the bin around 50 vehicles is the peak."""
    n = np.arange(1.0, 101.0)
    points = pd.DataFrame({"zone_id": "A", "accumulation_veh": n, "production_veh_km_per_h": n * (100 - n)})
    curve = diagram_curve(points, bins=10)
    assert len(curve) == 10 and curve["points"].sum() == 100 and curve["is_peak"].sum() == 1
    assert 40 <= curve.loc[curve["is_peak"], "accumulation_veh"].item() <= 60


def test_links_that_are_not_there_are_named():
    """All faults in one text."""
    with pytest.raises(RunError) as error:
        zone_diagram(state([(7, 0, "car", 1.0, 1.0)]), MEMBER.assign(link_id=9), LINKS, step_s=0.0)
    assert (
        "step_s=0" in str(error.value) and "link_state names 1" in str(error.value) and "link_zone" in str(error.value)
    )

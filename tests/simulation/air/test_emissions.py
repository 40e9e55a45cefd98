"""Emission factors against worked values, and grams from a speed histogram by hand."""

import numpy as np
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.air.emissions import POLLUTANTS, emission_table, hot_factor, link_emissions, wear_factor
from simulation.air.errors import AirError
from simulation.air.fleet import Ban, default_fleet
from simulation.link_state import N_CLASSES, N_SPEED_BINS, SPEED_BIN_MIDS_KMH, LinkInterval


def interval_of(distance_m):
    """A `LinkInterval` that holds a speed histogram and nothing else."""
    flat = np.zeros(distance_m.shape[:2])
    return LinkInterval(
        start_s=0.0, step_s=900.0, vehicle_distance_m=flat, vehicle_time_s=flat, inflow_veh=flat, outflow_veh=flat,
        queue_veh=flat, speed_distance_m=distance_m,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("vehicle", "pollutant", "at_20", "at_50", "at_80"),
    [
        ("PC_petrol_E4", "NOx", 0.0776, 0.0451, 0.0254),
        ("PC_petrol_E6", "NOx", 0.0498, 0.0305, 0.0195),
        ("PC_diesel_E5", "NOx", 0.7901, 0.5368, 0.4809),
        ("PC_diesel_E6d", "NOx", 0.2415, 0.1641, 0.1470),
        ("LCV_diesel_E6d", "NOx", 0.0981, 0.0839, 0.0935),
        ("HGV_rigid_E6", "NOx", 0.8894, 0.2729, 0.1263),
        ("HGV_artic_E6", "NOx", 0.7695, 0.2570, 0.1168),
        ("BUS_E6", "NOx", 0.5516, 0.2033, 0.0847),
        ("PC_petrol_E4", "energy", 3.557, 2.458, 2.31275),
        ("HGV_rigid_E6", "energy", 11.50, 7.413, 6.54435),
    ],
)
def test_hot_factors_equal_the_worked_values(vehicle, pollutant, at_20, at_50, at_80):
    """Values worked from the guidebook's coefficients, four decimals."""
    found = hot_factor(vehicle, pollutant, np.array([20.0, 50.0, 80.0]))
    np.testing.assert_allclose(found, [at_20, at_50, at_80], rtol=2e-3)


@pytest.mark.parametrize(
    ("vehicle", "grams_per_mj", "at_50"),
    [("PC_petrol_E4", 72.7, 179), ("PC_diesel_E5", 74.2, 145), ("HGV_rigid_E6", 74.2, 550), ("BUS_E6", 74.2, 687)],
)
def test_co2_is_energy_times_the_fuel_s_carbon(vehicle, grams_per_mj, at_50):
    """Worked values at 50 km/h, g/km."""
    assert hot_factor(vehicle, "energy", np.array([50.0]))[0] * grams_per_mj == pytest.approx(at_50, abs=0.6)


def test_wear_of_a_car_equals_the_worked_value():
    """At 50 km/h: 0.0107 x 0.42 x 1.293 + 0.0075 x 0.39 x 1.4 + 0.015 x 0.27 = 0.01395582 g/km."""
    assert wear_factor("PC", np.array([50.0]))[0] == pytest.approx(0.00581074 + 0.004095 + 0.00405, rel=1e-6)


def test_coarse_wear_of_a_car_equals_the_worked_value():
    """At 50 km/h: 0.0107 x 0.60 x 1.293 + 0.0075 x 0.98 x 1.4 + 0.015 x 0.50 = 0.02609106 g/km of PM10."""
    found = wear_factor("PC", np.array([50.0]), size="PM10")[0]
    assert found == pytest.approx(0.00830106 + 0.01029 + 0.0075, rel=1e-6)


def test_brakes_wear_more_at_low_speed():
    """The speed term is 1.67 below 40 km/h and falls above; an inverted branch would turn this round."""
    slow, fast = wear_factor("PC", np.array([30.0, 80.0]))
    assert slow > fast


def test_below_the_curve_the_rate_per_hour_is_held():
    """A petrol car's curve begins at 5 km/h: at 2.5 km/h it emits twice as much a kilometre."""
    at_start, below = hot_factor("PC_petrol_E4", "NOx", np.array([5.0, 2.5]))
    assert below == pytest.approx(2 * at_start)


def test_a_lorry_s_nox_is_held_from_ten_kmh():
    """Not 6.93 g/km as the curve gives at 5 km/h, but 1.60 g/km x 10 / 5."""
    at_five, at_ten = hot_factor("HGV_artic_E6", "NOx", np.array([5.0, 10.0]))
    assert at_ten == pytest.approx(1.60, abs=0.01)
    assert at_five == pytest.approx(2 * at_ten)


def test_an_unknown_vehicle_is_named_with_the_known_ones():
    with pytest.raises(AirError, match=r"steam_car.*PC_diesel_E5"):
        hot_factor("steam_car", "NOx", np.array([50.0]))


def test_grams_are_distance_times_grams_a_metre():
    """1000 car-km in the bin around 47.5 km/h: shares of the fleet times the curves at 47.5 km/h."""
    distance = np.zeros((2, N_CLASSES, N_SPEED_BINS))
    distance[1, 0, 9] = 1e6
    fleet = default_fleet()
    expected = sum(
        entry.share * hot_factor(entry.exhaust_id, "NOx", SPEED_BIN_MIDS_KMH[9:10])[0]
        for entry in fleet.entries
        if entry.vehicle_class == "car" and entry.exhaust_id
    )
    grams = link_emissions(interval_of(distance), [emission_table(fleet)])
    assert grams[0].tolist() == [0.0] * len(POLLUTANTS)
    assert grams[1, 0] == pytest.approx(1000.0 * expected)
    assert 0 < grams[1, 1] < grams[1, 0]


def test_links_of_another_fleet_use_its_factors():
    """Group 1 drives without diesels up to Euro 5: its NOx is lower, the other link's is what it was."""
    distance = np.zeros((2, N_CLASSES, N_SPEED_BINS))
    distance[:, 0, 5] = 1000.0
    clean = default_fleet().without([Ban(fuel="diesel", euro_max=5)])
    tables = [emission_table(default_fleet()), emission_table(clean)]
    mixed = link_emissions(interval_of(distance), tables, np.array([0, 1]))
    plain = link_emissions(interval_of(distance), tables[:1])
    np.testing.assert_array_equal(mixed[0], plain[0])
    assert mixed[1, 0] < 0.8 * plain[1, 0]


def test_every_class_emits_and_crawling_costs_most():
    """All entries of the table are positive, and 2.5 km/h is the dearest bin for NOx and CO2 of every class."""
    table = emission_table(default_fleet())
    assert table.shape == (len(VEHICLE_CLASSES), N_SPEED_BINS, len(POLLUTANTS))
    assert (table > 0).all()
    assert (table[:, :, [POLLUTANTS.index("nox"), POLLUTANTS.index("co2")]].argmax(axis=1) == 0).all()

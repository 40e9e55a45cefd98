"""Emission factors against worked values, and grams from a speed histogram by hand."""

import numpy as np
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.air.emissions import (
    ENERGY,
    POLLUTANTS,
    emission_table,
    energy_table,
    hot_factor,
    link_emissions,
    link_strength,
    pollutant_index,
    wear_factor,
)
from simulation.air.errors import AirError
from simulation.air.fleet import Ban, Fleet, FleetEntry, default_fleet
from simulation.link_state import N_CLASSES, N_SPEED_BINS, SPEED_KNOTS_KMH, LinkInterval


def interval_of(distance_m):
    """A `LinkInterval` that holds a speed histogram and nothing else."""
    flat = np.zeros(distance_m.shape[:2])
    return LinkInterval(
        start_s=0.0, step_s=900.0, vehicle_distance_m=flat, vehicle_time_s=flat, inflow_veh=flat, outflow_veh=flat,
        queue_veh=flat, speed_distance_m=distance_m,
    )  # fmt: skip


#: Worked from the guidebook's coefficients: NOx at 20, 50, 80 km/h and exhaust PM at 50, g/km; energy at 20 and 50,
#: MJ/km; g NO2 a g NOx.
WORKED = {
    "PC_petrol_E4": (0.0776, 0.0451, 0.0254, 0.00128, 3.557, 2.458, 0.03),
    "PC_petrol_E6": (0.0498, 0.0305, 0.0195, 0.00158, 3.557, 2.458, 0.03),
    "PC_diesel_E5": (0.7901, 0.5368, 0.4809, 0.00212, 2.718, 1.960, 0.33),
    "PC_diesel_E6d": (0.2415, 0.1641, 0.1470, 0.00146, 2.718, 1.960, 0.30),
    "LCV_diesel_E6d": (0.0981, 0.0839, 0.0935, 0.00108, 3.786, 2.752, 0.30),
    "HGV_rigid_E6": (0.8894, 0.2729, 0.1263, 0.00336, 11.50, 7.413, 0.08),
    "HGV_artic_E6": (0.7695, 0.2570, 0.1168, 0.00460, 18.83, 11.46, 0.08),
    "BUS_E6": (0.5516, 0.2033, 0.0847, 0.00333, 13.98, 9.255, 0.08),
}


def digits(value):
    """Half a unit of the last digit of a worked value."""
    return 0.5 * 10.0 ** -len(repr(value).split(".")[1])


@pytest.mark.parametrize("vehicle", WORKED)
def test_hot_factors_equal_the_worked_values(vehicle):
    """To the last digit given (1e-9 for rounding at a half), e.g. diesel Euro 5 at 50 km/h 0.5368 g/km of NOx."""
    nox_20, nox_50, nox_80, soot, energy_20, energy_50, share = WORKED[vehicle]
    nox = hot_factor(vehicle, "NOx", np.array([20.0, 50.0, 80.0]))
    energy = hot_factor(vehicle, "energy", np.array([20.0, 50.0]))
    found = [*nox, hot_factor(vehicle, "PM_exhaust", np.array([50.0]))[0], *energy]
    for value, worked in zip(found, (nox_20, nox_50, nox_80, soot, energy_20, energy_50)):
        assert value == pytest.approx(worked, abs=digits(worked) + 1e-9)
    assert hot_factor(vehicle, "f_NO2", np.array([5.0, 50.0])).tolist() == [share, share]


@pytest.mark.parametrize(
    ("vehicle", "grams_per_mj", "at_50"),
    [
        ("PC_petrol_E4", 72.7, 179), ("PC_diesel_E5", 74.2, 145), ("LCV_diesel_E6d", 74.2, 204),
        ("HGV_rigid_E6", 74.2, 550), ("BUS_E6", 74.2, 687),
    ],
)  # fmt: skip
def test_co2_is_energy_times_the_fuel_s_carbon(vehicle, grams_per_mj, at_50):
    """Worked values at 50 km/h, g/km."""
    assert hot_factor(vehicle, "energy", np.array([50.0]))[0] * grams_per_mj == pytest.approx(at_50, abs=0.6)


def test_no2_and_no_share_the_nox_of_one_vehicle():
    """Diesel Euro 5 at 50 km/h: NO2 0.33 x 0.5368 = 0.1771 g/km, NO (1 - 0.33) x 0.5368 x 30 / 46 = 0.2346 g/km."""
    nox, no2 = one_vehicle("PC_diesel_E5", "diesel")[0, 0, :2] * 1000.0
    assert no2 == pytest.approx(0.1771, abs=5e-5)
    assert (nox - no2) * 30 / 46 == pytest.approx(0.2346, abs=5e-5)


def one_vehicle(exhaust, fuel, speed=50.0, **changes):
    """The emission table of a fleet whose cars are all of one kind."""
    car = FleetEntry(vehicle_class="car", fuel=fuel, euro=6, share=1.0, exhaust_id=exhaust, wear_id="PC", **changes)
    others = [entry for entry in default_fleet().entries if entry.vehicle_class != "car"]
    return emission_table(Fleet((car, *others)), speed_kmh=np.array([speed]))


@pytest.mark.parametrize(
    ("wear", "speed", "fine", "coarse"),
    [
        ("PC", 30.0, 0.0107 * 0.42 * 1.39 + 0.0075 * 0.39 * 1.67 + 0.015 * 0.27, 0.0286983),
        ("PC", 50.0, 0.00581074 + 0.004095 + 0.00405, 0.00830106 + 0.01029 + 0.0075),
        ("PC", 100.0, 0.0107 * 0.42 * 0.902 + 0.0075 * 0.39 * 0.185 + 0.015 * 0.27, 0.0146506),
        ("LCV", 50.0, 0.00917771 + 0.0063882 + 0.00405, 0.013111 + 0.0160524 + 0.0075),
        ("HDV_2axle_50pct", 50.0, 0.0122026 + 0.0111737 + 0.02052, 0.0174322 + 0.0280775 + 0.038),
        ("HDV_5axle_50pct", 50.0, 0.0305064 + 0.0111737 + 0.02052, 0.0435806 + 0.0280775 + 0.038),
    ],
)
def test_wear_equals_the_worked_values(wear, speed, fine, coarse):
    """Tyre + brake + road. A car at 50 km/h, PM10: 0.0107 x 0.60 x 1.293 + 0.0075 x 0.98 x 1.4 + 0.015 x 0.50.

    At 30 km/h: 0.0107 x 0.60 x 1.39 + 0.0075 x 0.98 x 1.67 + 0.0075 = 0.0286983; at 100: terms 0.902 and 0.185. A lorry
    with 2 axles half loaded: tyres 1.0 (1.41 + 0.69) 0.0107 = 0.02247 g/km, brakes 1.956 x 1.395 x 0.0075 = 0.0204646.
    """
    at = np.array([speed])
    assert wear_factor(wear, at)[0] == pytest.approx(fine, rel=1e-5)
    assert wear_factor(wear, at, size="PM10")[0] == pytest.approx(coarse, rel=1e-5)


def test_a_battery_car_wears_by_its_factors_alone():
    """At 50 km/h, PM10: 1.15 x 0.00830106 + 0.5 x 0.01029 + 0.0075 = 0.0221912 g/km, and nothing else is emitted."""
    table = one_vehicle("", "electric", tyre_factor=1.15, brake_factor=0.5)[0, 0] * 1000.0
    assert dict(zip(POLLUTANTS, table))["pm10"] == pytest.approx(0.0221912, rel=1e-5)
    assert table[[0, 1, 4]].tolist() == [0.0, 0.0, 0.0]


def test_coarse_particles_hold_the_fine_ones():
    """Soot counts in both; wear weighs more as PM10 than as PM2.5 at every speed."""
    table = emission_table(default_fleet())
    assert (table[:, :, POLLUTANTS.index("pm10")] > table[:, :, POLLUTANTS.index("pm25")]).all()
    soot = hot_factor("PC_petrol_E4", "PM_exhaust", np.array([50.0]))[0]
    car = one_vehicle("PC_petrol_E4", "petrol")[0, 0] * 1000.0
    assert car[3] == pytest.approx(soot + 0.02609106, rel=1e-6) and car[2] == pytest.approx(soot + 0.01395574, rel=1e-6)


def test_brakes_wear_more_at_low_speed():
    """The speed term is 1.67 below 40 km/h and falls above; an inverted branch would turn this round."""
    slow, fast = wear_factor("PC", np.array([30.0, 80.0]))
    assert slow > fast


@pytest.mark.parametrize(
    ("vehicle", "pollutant", "lowest"),
    [("PC_petrol_E4", "NOx", 5.0), ("PC_diesel_E6d", "NOx", 10.0), ("BUS_E6", "energy", 5.0), ("BUS_E6", "NOx", 10.0),
     ("PC_petrol_E4", "PM_exhaust", 10.0)],
)  # fmt: skip
def test_below_the_curve_the_rate_per_hour_is_held(vehicle, pollutant, lowest):
    """g/km x km/h stays what it is at the curve's lower end: half that speed doubles the factor, a tenth makes ten."""
    at_end, half, tenth = hot_factor(vehicle, pollutant, np.array([lowest, lowest / 2, lowest / 10]))
    assert (half, tenth) == pytest.approx((2 * at_end, 10 * at_end))


def test_above_the_curve_its_last_value_holds():
    """A lorry's curve ends at 85 km/h."""
    at_end, beyond = hot_factor("HGV_rigid_E6", "NOx", np.array([85.0, 110.0]))
    assert beyond == at_end


def test_a_lorry_s_nox_is_held_from_ten_kmh():
    """Not 6.93 g/km as the curve gives at 5 km/h, but 1.60 g/km x 10 / 5."""
    at_five, at_ten = hot_factor("HGV_artic_E6", "NOx", np.array([5.0, 10.0]))
    assert at_ten == pytest.approx(1.60, abs=0.01)
    assert at_five == pytest.approx(2 * at_ten)


def test_what_is_unknown_is_named_with_the_known_ones():
    with pytest.raises(AirError, match=r"steam_car.*PC_diesel_E5"):
        hot_factor("steam_car", "NOx", np.array([50.0]))
    with pytest.raises(AirError, match=r"PC_diesel_E5.*'SO2'; allowed: \['NOx', 'PM_exhaust', 'energy', 'f_NO2'\]"):
        hot_factor("PC_diesel_E5", "SO2", np.array([50.0]))
    with pytest.raises(AirError, match=r"'PM1_tyre'; allowed: \['PM10_brake'"):
        wear_factor("PC", np.array([50.0]), size="PM1")
    with pytest.raises(AirError, match=r"'so2'; allowed: \['nox', 'no2', 'pm25', 'pm10', 'co2'\]"):
        pollutant_index("so2")
    assert pollutant_index("co2") == 4


@pytest.mark.parametrize("speed", [0.0, -5.0, np.nan])
def test_speeds_that_cannot_be_are_refused(speed):
    for factor in (lambda v: hot_factor("PC_petrol_E4", "NOx", v), lambda v: wear_factor("PC", v)):
        with pytest.raises(AirError, match="above 0 km/h"):
            factor(np.array([20.0, speed]))


def test_a_thousand_vehicles_an_hour_make_the_worked_line_source():
    """1000 veh/h x 0.5 g/km = 1000 x 0.5 / 3.6e6 = 1.389e-4 g/m/s, whatever the length and the interval."""
    distance = np.zeros((2, N_CLASSES, N_SPEED_BINS))
    length, step = np.array([100.0, 250.0]), 900.0
    distance[:, 0, 6] = 1000.0 * step / 3600.0 * length
    table = np.full((N_CLASSES, N_SPEED_BINS, 1), 0.5e-3)
    strength = link_strength(link_emissions(interval_of(distance), [table]), length, step)
    np.testing.assert_allclose(strength, 1000 * 0.5 / 3.6e6)
    assert strength[0, 0] == pytest.approx(1.389e-4, rel=1e-3)


def test_no_traffic_emits_nothing():
    none = interval_of(np.zeros((3, N_CLASSES, N_SPEED_BINS)))
    for table in (emission_table(default_fleet()), energy_table(default_fleet())):
        grams = link_emissions(none, [table])
        assert grams.shape == (3, table.shape[-1]) and not grams.any()


def test_tables_that_do_not_fit_the_interval_are_refused():
    """A table of three speeds against 28 bins; a group without a table."""
    interval = interval_of(np.zeros((2, N_CLASSES, N_SPEED_BINS)))
    short = emission_table(default_fleet(), speed_kmh=np.array([10.0, 20.0, 30.0]))
    with pytest.raises(AirError, match=r"table 0 has shape \(4, 3, 5\), the interval needs \(4, 28, 5\)"):
        link_emissions(interval, [short])
    with pytest.raises(AirError, match=r"groups run from 0 to 1; there are 1 tables"):
        link_emissions(interval, [emission_table(default_fleet())], np.array([0, 1]))


def test_fuel_and_electricity_of_a_mixed_class():
    """Cars half petrol Euro 4, half battery at 50 km/h: 0.5 x 2.458 MJ/km, 0.5 x 119.8 Wh/km; CO2 of the fuel alone."""
    half = default_fleet().with_electric_share("car", 0.5)
    petrol = FleetEntry(vehicle_class="car", fuel="petrol", euro=4, share=0.5, exhaust_id="PC_petrol_E4", wear_id="PC")
    kept = [e for e in half.entries if e.vehicle_class != "car" or e.fuel == "electric"]
    fleet, speed = Fleet((petrol, *kept)), np.array([50.0])
    energy = dict(zip(ENERGY, energy_table(fleet, speed_kmh=speed)[0, 0] * 1000.0))
    assert energy == pytest.approx({"fuel_mj": 0.5 * 2.458, "electricity_kwh": 0.5 * 0.1198}, rel=5e-4)
    co2 = emission_table(fleet, speed_kmh=speed)[0, 0, POLLUTANTS.index("co2")] * 1000.0
    assert co2 == pytest.approx(72.7 * energy["fuel_mj"])


def test_electric_cars_trade_fuel_for_electricity():
    """From 2.3 % to 52.3 %: what petrol and diesel leave falls by 0.5 / 0.977, electricity grows by 52.3 / 2.3."""
    before, after = (energy_table(f)[0] for f in (default_fleet(), default_fleet().with_electric_share("car", 0.523)))
    np.testing.assert_allclose(after[:, 0] / before[:, 0], 1 - 0.5 / 0.977)
    np.testing.assert_allclose(after[:, 1] / before[:, 1], 0.523 / 0.023)


def test_grams_are_distance_times_grams_a_metre():
    """1000 car-km at the knot of 45 km/h: shares of the fleet times the curves at 45 km/h."""
    distance = np.zeros((2, N_CLASSES, N_SPEED_BINS))
    distance[1, 0, 9] = 1e6
    fleet = default_fleet()
    expected = sum(
        entry.share * hot_factor(entry.exhaust_id, "NOx", SPEED_KNOTS_KMH[9:10])[0]
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
    """All entries of the table are positive, and 0.5 km/h is the dearest knot for NOx and CO2 of every class."""
    table = emission_table(default_fleet())
    assert table.shape == (len(VEHICLE_CLASSES), N_SPEED_BINS, len(POLLUTANTS))
    assert (table > 0).all()
    assert (table[:, :, [POLLUTANTS.index("nox"), POLLUTANTS.index("co2")]].argmax(axis=1) == 0).all()

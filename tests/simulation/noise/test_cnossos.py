"""Sound power of road vehicles against worked values of the directive's formulas."""

import numpy as np
import pytest

from data.schemas import VEHICLE_CLASSES
from simulation.noise.cnossos import (
    OCTAVES_HZ,
    ROUNDABOUT,
    SIGNAL,
    a_level,
    class_categories,
    coefficients,
    junction_gain,
    line_level,
    rolling_and_propulsion,
    vehicle_level,
)
from simulation.noise.errors import NoiseError


@pytest.mark.parametrize(
    ("category", "speed", "expected"), [(1, 30, 92.46), (1, 50, 98.44), (1, 70, 103.03), (3, 50, 107.24)]
)
def test_one_vehicle_at_20_degrees_equals_the_worked_value(category, speed, expected):
    """10 lg of the sum over octaves of 10^((L_R + A)/10) + 10^((L_P + A)/10), worked from the coefficients."""
    assert a_level(vehicle_level(category, speed)) == pytest.approx(expected, abs=0.005)


def test_a_thousand_cars_an_hour_at_50_radiate_81_45_decibels_a_metre():
    """98.4416 + 10 lg(1000 / (1000 x 50)) = 98.4416 - 16.9897 = 81.4519 dB(A)."""
    assert a_level(line_level(vehicle_level(1, 50), 1000, 50)) == pytest.approx(81.45, abs=0.005)


def test_at_the_reference_speed_and_temperature_the_levels_are_the_coefficients():
    """lg(70/70) = 0 and (70 - 70)/70 = 0: L_R = A_R, L_P = A_P; category 2 at 1 kHz: 101.7 and 101.0 dB."""
    rolling, propulsion = rolling_and_propulsion(2, 70.0)
    at = OCTAVES_HZ.index(1000)
    assert (rolling[at], propulsion[at]) == (101.7, 101.0)


def test_a_cold_day_makes_rolling_louder_and_leaves_propulsion():
    """Cars: 0.08 x (20 - 5) = 1.2 dB; lorries: 0.04 x 15 = 0.6 dB."""
    for category, rise in ((1, 1.2), (2, 0.6), (3, 0.6)):
        warm, cold = rolling_and_propulsion(category, 40.0), rolling_and_propulsion(category, 40.0, temperature_c=5.0)
        np.testing.assert_allclose(cold[0] - warm[0], rise, atol=1e-12)
        assert (cold[1] == warm[1]).all()


@pytest.mark.parametrize(("outside", "held"), [(0.0, 20.0), (7.0, 20.0), (180.0, 130.0)])
def test_speeds_outside_the_formula_are_held(outside, held):
    """Below 20 and above 130 km/h the formula's value at the end of its range, for the stream too."""
    assert (vehicle_level(1, outside) == vehicle_level(1, held)).all()
    assert (line_level(vehicle_level(1, held), 300, outside) == line_level(vehicle_level(1, held), 300, held)).all()


def test_heavier_categories_are_louder_and_every_category_grows_with_speed():
    """Order 1 < 2 < 3 at town speeds; A-weighted power never falls with speed."""
    speed = np.arange(20.0, 131.0, 5.0)
    level = np.array([a_level(vehicle_level(c, speed)) for c in (1, 2, 3)])
    assert (np.diff(level, axis=0) > 0).all() and (np.diff(level, axis=1) > 0).all()


def test_no_traffic_radiates_nothing():
    """10 lg 0 = -inf in every octave."""
    assert np.isneginf(line_level(vehicle_level(1, 50), 0.0, 50)).all()


def test_every_vehicle_class_is_made_of_categories_whose_shares_sum_to_one():
    """The table of classes covers `VEHICLE_CLASSES`, no more, with shares of 1 in all."""
    found = class_categories()
    assert tuple(found) == VEHICLE_CLASSES
    assert all(sum(share for _, share in parts) == pytest.approx(1.0) for parts in found.values())


def test_a_signal_at_one_end_of_a_short_link():
    """C = 5.5 dB at the stop line of a 100 m link falls to 0: (10^0.55 - 1) / (0.55 ln 10) = 2.0121 on propulsion;
    C = -4.5 dB on rolling: (1 - 10^-0.45) / (0.45 ln 10) = 0.62267."""
    gain = junction_gain(np.array([100.0]), np.array([0]), np.array([SIGNAL]))
    car = VEHICLE_CLASSES.index("car")
    assert gain[0, 0, car] == pytest.approx(0.62267, abs=1e-5)
    assert gain[1, 0, car] == pytest.approx(2.01207, abs=1e-5)


def test_junctions_far_away_or_absent_change_nothing_and_two_ends_are_halves():
    """Beyond 100 m the factor is 1, so 1,100 m is (100 x 2.01207 + 1000) / 1100; two equal ends of 200 m equal one of
    100 m; none is 1."""
    gain = junction_gain(np.array([1100.0, 200.0, 80.0]), np.array([SIGNAL, SIGNAL, 0]), np.array([0, SIGNAL, 0]))
    assert gain[1, 0, 0] == pytest.approx((201.207 + 1000) / 1100, abs=1e-5)
    assert gain[1, 1, 0] == pytest.approx(2.01207, abs=1e-5)
    np.testing.assert_allclose(gain[:, 2], 1.0)


def test_a_roundabout_adds_less_propulsion_than_a_signal():
    """3.1 against 5.5 dB for cars."""
    one = np.array([60.0])
    signal, roundabout = (junction_gain(one, np.array([kind]), np.array([0])) for kind in (SIGNAL, ROUNDABOUT))
    assert roundabout[1, 0, 0] < signal[1, 0, 0]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: vehicle_level(4, 50.0), "category 4"),
        (lambda: vehicle_level(1, [-1.0, np.nan]), "2 speeds are negative, missing or infinite"),
        (lambda: vehicle_level(1, 50.0, temperature_c=np.nan), "not finite"),
        (lambda: line_level(vehicle_level(1, 50.0), -5.0, 50.0), "lowest given is -5"),
        (lambda: junction_gain(np.array([0.0]), np.array([7]), np.array([0])), r"\[0, 7\]"),
    ],
)
def test_impossible_input_is_refused(call, says):
    """The message names what was found."""
    with pytest.raises(NoiseError, match=says):
        call()


def test_every_coefficient_names_its_source():
    """Three categories of eight octaves, none without a source."""
    for category in (1, 2, 3):
        assert len(coefficients(category)) == 8 and coefficients(category)["source"].str.len().min() > 20

"""The British road noise formula against worked values, and against the European one."""

import numpy as np
import pytest

from simulation.noise.cnossos import a_level, line_level, vehicle_level
from simulation.noise.crtn import L10_ABOVE_LEQ_DB, REFERENCE_DISTANCE_M, basic_level, distance_correction
from simulation.noise.errors import NoiseError


def test_basic_level_of_a_thousand_cars_at_75():
    """42.2 + 30 + 33 lg(75 + 40 + 6.667) + 0 - 68.8 = 72.21 dB(A)."""
    assert basic_level(1000, 75) == pytest.approx(72.21, abs=0.005)


def test_ten_metres_from_the_kerb_at_head_height():
    """sqrt(13.5^2 + 1.0^2) / 13.5 takes 0.0119 dB: 72.199 dB(A)."""
    assert basic_level(1000, 75) + distance_correction(10, 1.5) == pytest.approx(72.199, abs=0.0005)


def test_basic_level_with_heavy_vehicles():
    """V = 50: 33 lg 100 = 66; 10 lg(1 + 5 x 10 / 50) = 3.01: 42.2 + 30 + 66 + 3.01 - 68.8 = 72.41 dB(A)."""
    assert basic_level(1000, 50, heavy_percent=10) == pytest.approx(72.41, abs=0.005)


def test_a_gradient_adds_three_tenths_a_percent():
    """0.3 x 5 = 1.5 dB."""
    assert basic_level(500, 60, gradient_percent=5) - basic_level(500, 60) == pytest.approx(1.5)


@pytest.mark.parametrize("speed", [50, 60, 75, 90])
def test_the_two_national_traditions_agree_on_cars(speed):
    """Leq = L10 - 3 dB against L_W' - 10 lg(2 r) over hard ground at r = 13.5 m: within 2.5 dB from 50 to 90 km/h."""
    european = a_level(line_level(vehicle_level(1, speed), 1000, speed)) - 10 * np.log10(2 * REFERENCE_DISTANCE_M)
    assert european == pytest.approx(basic_level(1000, speed) - L10_ABOVE_LEQ_DB, abs=2.5)


def test_every_fault_is_named():
    """A flow of 0, a negative speed and 120 % of lorries: three complaints in one message."""
    with pytest.raises(NoiseError, match=r"flow above 0.*speed above 0.*0\.\.100 %"):
        basic_level(0, -3, heavy_percent=120)


def test_too_near_a_kerb_is_refused():
    """The chart begins at 4 m."""
    with pytest.raises(NoiseError, match="found 2 m"):
        distance_correction(2, 1.5)

"""Gaussian kernels with Briggs' curves: numbers by hand, and what must hold for any plume."""

from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from simulation.air.dispersion.briggs import briggs_sigma
from simulation.air.dispersion.gaussian import finite_line, infinite_line, point_plume
from simulation.air.errors import AirError

D = partial(briggs_sigma, stability="D")
UG_PER_MG = 1e3  # ug/m3 for a line of 1 mg/m/s


def test_briggs_urban_d_at_100_and_1000_m():
    """sy = 16 / sqrt(1.04) = 15.689, 160 / sqrt(1.4) = 135.225; sz = 14 / sqrt(1.03) = 13.795,
    140 / sqrt(1.3) = 122.788.
    """
    sigma_y, sigma_z = briggs_sigma([100.0, 1000.0], "D")
    assert sigma_y == pytest.approx([15.689, 135.225], abs=5e-4)
    assert sigma_z == pytest.approx([13.795, 122.788], abs=5e-4)


def test_briggs_rural_curves_at_1000_m():
    """A 220 / sqrt(1.1), 200; B 160 / sqrt(1.1), 120; C 110 / sqrt(1.1), 80 / sqrt(1.2);
    D 80 / sqrt(1.1), 60 / sqrt(2.5); E 60 / sqrt(1.1), 30 / 1.3; F 40 / sqrt(1.1), 16 / 1.3.
    """
    root = np.sqrt(1.1)
    expected = {
        "A": (220 / root, 200.0), "B": (160 / root, 120.0), "C": (110 / root, 80 / np.sqrt(1.2)),
        "D": (80 / root, 60 / np.sqrt(2.5)), "E": (60 / root, 30 / 1.3), "F": (40 / root, 16 / 1.3),
    }  # fmt: skip
    for stability, pair in expected.items():
        assert briggs_sigma(1000.0, stability, urban=False) == pytest.approx(pair, rel=1e-12)


@pytest.mark.parametrize(
    ("stability", "expected"),
    [
        ("D", [95.27, 38.28, 19.28, 9.78, 4.07]),
        ("C", [66.49, 26.60, 13.30, 6.65, 2.66]),
        ("F", [168.70, 68.94, 35.65, 18.95, 8.80]),
    ],
)
def test_an_endless_line_across_the_wind(stability, expected):
    """C = sqrt(2 / pi) Q / (u sz): u 3, Q 1 mg/m/s, on the ground, at 20, 50, 100, 200, 500 m.

    D at 100 m: 0.797885 x 1000 / (3 x 13.795) = 19.28 ug/m3; C (sz 0.2 x): 797.885 / 60 = 13.30; F: sz 8 / sqrt(1.15).
    """
    spread = partial(briggs_sigma, stability=stability)
    found = UG_PER_MG * infinite_line([20.0, 50.0, 100.0, 200.0, 500.0], 0.0, wind_mps=3.0, spread=spread)
    assert found == pytest.approx(expected, abs=5.1e-3)


def test_an_oblique_line_is_the_sum_of_its_points():
    """Wind at 45 deg, class D: summing points every 0.1 m over 6 km gives 95.37, 38.38, 19.38, 9.88 ug/m3; the closed
    form with X = x sqrt2 is within 0.1 % to 100 m (797.885 / (3 x 19.394 x 0.707107) = 19.39) and 0.15 % at 200 m.
    """
    x, angle = np.array([20.0, 50.0, 100.0, 200.0]), np.pi / 4
    source = np.arange(-3000.0, 3000.0, 0.1) + 0.05
    downwind = x[:, None] * np.cos(angle) - source * np.sin(angle)
    across = -x[:, None] * np.sin(angle) - source * np.cos(angle)
    summed = 0.1 * point_plume(downwind, across, 0.0, wind_mps=3.0, spread=D).sum(axis=1)
    assert UG_PER_MG * summed == pytest.approx([95.37, 38.38, 19.38, 9.88], abs=5.1e-3)
    closed = infinite_line(x, 0.0, wind_mps=3.0, spread=D, angle_rad=angle)
    assert closed == pytest.approx(summed, rel=1.5e-3)


def test_a_line_of_100_m_seen_from_its_middle_and_from_its_end():
    """50 m away, class D: the ends lie 6.3 sy aside, erf = 1 to 1e-9, so 38.278; opposite an end half: 19.139."""
    options = {"start_m": -50.0, "end_m": 50.0, "wind_mps": 3.0, "spread": D}
    found = UG_PER_MG * finite_line(50.0, [0.0, 50.0], 0.0, **options)
    assert found == pytest.approx([38.278, 19.139], abs=5.1e-4)


def test_heights_and_initial_spread_count():
    """x 20, h 0.5, z 1.5, sz0 2: sz = hypot(2.7916, 2) = 3.4341; exp(-0.0424) + exp(-0.1696) = 1.8025;
    1000 x 1.8025 / (2.50663 x 3 x 3.4341) = 69.80 ug/m3.
    """
    found = infinite_line(20.0, 1.5, wind_mps=3.0, spread=D, height_m=0.5, sigma_z0_m=2.0)
    assert UG_PER_MG * found == pytest.approx(69.80, abs=5e-3)


def test_a_point_source_on_the_ground_at_one_kilometre():
    """1 g/s, u 5: 1 / (pi x 5 x 135.225 x 122.788) = 3.8341e-6 g/m3."""
    assert 1e6 * point_plume(1000.0, 0.0, 0.0, wind_mps=5.0, spread=D) == pytest.approx(3.8341, abs=5e-5)


@pytest.mark.parametrize("height_m", [0.0, 3.0, 30.0])
def test_what_is_emitted_flows_through_every_plane_downwind(height_m):
    """u times the integral of C over y and z is the emission, with the ground as a mirror; 200 m downwind of 1 g/s."""
    sigma_y, sigma_z = D(np.array(200.0))
    y, z = np.linspace(-8 * sigma_y, 8 * sigma_y, 801), np.linspace(0.0, height_m + 8 * sigma_z, 2001)
    values = point_plume(200.0, y[:, None], z[None, :], wind_mps=4.0, spread=D, height_m=height_m)
    assert 4.0 * np.trapezoid(np.trapezoid(values, z, axis=1), y) == pytest.approx(1.0, rel=1e-5)


def test_source_and_receptor_may_change_places_with_the_wind_turned():
    """Uniform wind: from A at height 1 to B at 7, and from B to A with the wind turned: the same number exactly."""
    there = point_plume(120.0, 15.0, 7.0, wind_mps=2.0, spread=D, height_m=1.0)
    back = point_plume(120.0, -15.0, 1.0, wind_mps=2.0, spread=D, height_m=7.0)
    assert there == back > 0.0


@pytest.mark.parametrize("angle_rad", [0.0, 0.6, -1.2])
def test_a_line_is_the_sum_of_its_parts(angle_rad):
    """A link of 300 m in 7 parts: the error functions of inner ends cancel, so the sum is the whole to 1e-12."""
    options = {"wind_mps": 3.0, "spread": D, "angle_rad": angle_rad}
    ends = np.linspace(-100.0, 200.0, 8)
    parts = sum(finite_line(40.0, 10.0, 1.5, start_m=a, end_m=b, **options) for a, b in pairwise(ends))
    assert parts == pytest.approx(finite_line(40.0, 10.0, 1.5, start_m=-100.0, end_m=200.0, **options), rel=1e-12)


def test_nothing_is_carried_upwind():
    assert point_plume([-5.0, 0.0], 0.0, 0.0, wind_mps=3.0, spread=D) == pytest.approx([0.0, 0.0])
    assert infinite_line([-5.0, 0.0], 0.0, wind_mps=3.0, spread=D) == pytest.approx([0.0, 0.0])


def test_impossible_input_is_told():
    with pytest.raises(AirError, match="wind_mps=0 must be above 0"):
        point_plume(10.0, 0.0, 0.0, wind_mps=0.0, spread=D)
    with pytest.raises(AirError, match="nearly along the line"):
        infinite_line(10.0, 0.0, wind_mps=3.0, spread=D, angle_rad=1.5)
    with pytest.raises(AirError, match=r"'G' is none of A, B.*0 m or more"):
        briggs_sigma(-1.0, "G")

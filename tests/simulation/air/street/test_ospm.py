"""OSPM: the reference table, the sides of the street, continuity, and what bad or extreme input gives.

Expected values are the published formulas evaluated by hand for a receptor at 2 m, 1000 light and 50 heavy veh/h at
40 km/h, 100 m to the street's ends and no sector averaging.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulation.air.errors import AirError
from simulation.air.street.ospm import (
    CALM_MPS,
    Ospm,
    ospm,
    roof_exchange,
    street_level_wind,
    traffic_turbulence,
)

NORTH, EAST, SOUTH, WEST = 0.0, 90.0, 180.0, 270.0
TRAFFIC = {"light_veh_per_h": 1000.0, "heavy_veh_per_h": 50.0, "light_speed_kmh": 40.0, "heavy_speed_kmh": 40.0}


def street(**changes: Any) -> Ospm:
    """A canyon from south to north, 20 by 20 m, in a west wind of 5 m/s: its left (west) wall is the leeward one."""
    given = {"height_m": 20.0, "width_m": 20.0, "angle_deg": NORTH, "end_m": 100.0, "wind_roof_mps": 5.0,
             "wind_dir_deg": WEST, "sector": False, **TRAFFIC, **changes}  # fmt: skip
    return ospm(**given)


# --- the reference table ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "width", "wind", "vehicles", "lee_direct", "lee", "wind_side"),
    [
        (20.0, 20.0, 5.0, 1.0, 0.19396, 0.31063, 0.11667),
        (20.0, 20.0, 2.0, 1.0, 0.33587, 0.46021, 0.12435),
        (20.0, 20.0, 5.0, 0.0, 0.24554, 0.36749, 0.12195),
        (15.0, 30.0, 5.0, 1.0, 0.16365, 0.17954, 0.01589),
    ],
)
def test_wind_across_the_street_gives_the_reference_values(height, width, wind, vehicles, lee_direct, lee, wind_side):
    """First row: u = 0.82 x 5 = 4.1, the vortex (40 m) spans the street, so D = L_max = 20.

    Plume to x1 = 1.1262 x 18 / 0.2271 = 89.3 m, so only the logarithm counts: sigma = 0.2271 / 1.1262 x 20 = 4.033,
    sqrt(2/pi) / (20 x 0.2271) x ln((2 + 4.033) / 2) = 0.17567 x 1.1041 = 0.19396. Recirculated: d1 = d2 = 20,
    H_c = 2 x 20 x 20 / 40 = 20, so d3 = 0: 20 / (20 x 0.42855 x 20) = 0.11667 on both sides; none comes straight to
    the wind side, since the vortex is longer than the street is wide.
    """
    traffic = {name: value * (vehicles if "veh" in name else 1.0) for name, value in TRAFFIC.items()}
    result = street(height_m=height, width_m=width, wind_roof_mps=wind, **traffic)
    assert result.left - result.recirculated == pytest.approx(lee_direct, abs=6e-6)
    assert result.left == pytest.approx(lee, abs=6e-6)
    assert result.right == pytest.approx(wind_side, abs=6e-6)
    assert result.right == pytest.approx(float(result.recirculated), rel=1e-12)


@pytest.mark.parametrize("wind_from", [NORTH, SOUTH, 360.0])
def test_wind_along_the_street_gives_both_sides_the_same_reference_value(wind_from):
    """No vortex: the plume of 100 m. u_b = 1.4077, s_w = 0.2423, sigma = 17.21: 0.16465 x ln(19.21 / 2) = 0.37251."""
    result = street(wind_dir_deg=wind_from)
    assert result.left == pytest.approx(0.37251, abs=6e-6)
    assert result.right == pytest.approx(0.37251, abs=6e-6)
    assert result.recirculated == pytest.approx(0.0, abs=1e-9)


def test_the_velocities_inside_are_the_reference_ones():
    """s_w0 = 0.30 sqrt((40 x 1000 x 2 + 40 x 50 x 16) / 20) / 113.842 = 0.30 x 74.833 / 113.842 = 0.1972 m/s.

    u_b = 4.1 x ln(2/0.6) / ln(20/0.6) x 0.8 = 4.1 x 0.34335 x 0.8 = 1.1262; s_w = sqrt(0.11262^2 + 0.1972^2) = 0.2271;
    s_wt = sqrt(0.41^2 + 0.4 x 0.1972^2) = 0.4286; the street's air stays 20 / 0.4286 = 46.67 s.
    """
    s_w0 = traffic_turbulence(np.array(20.0), **{name: np.array(value) for name, value in TRAFFIC.items()})
    u_b = street_level_wind(np.array(4.1), np.array(20.0), np.array(1.0))
    assert s_w0 == pytest.approx(0.1972, abs=5e-5)
    assert u_b == pytest.approx(1.1262, abs=5e-5)
    assert np.hypot(0.1 * u_b, s_w0) == pytest.approx(0.2271, abs=5e-5)
    assert roof_exchange(np.array(4.1), s_w0) == pytest.approx(0.4286, abs=5e-5)
    assert street().sigma_wt_mps == pytest.approx(0.4286, abs=5e-5)
    assert street().residence_s == pytest.approx(46.67, abs=0.01)


# --- the slow plain twin ----------------------------------------------------------------------------------------------


def _integrated(h, w, end, u, phi, s_w0, z):
    """Lee and wind side for a wind at angle `phi` to the axis, by summing thin slices of the street."""
    u_b = u * np.log(2 / 0.6) / np.log(h / 0.6) * (1 - 0.2 * np.sin(phi) ** 2)
    s_w, s_wt = np.hypot(0.1 * u_b, s_w0), np.sqrt(0.01 * u * u + 0.4 * s_w0 * s_w0)
    r = min(1.0, np.sqrt(u / 2))
    vortex, path = 2 * h * r, w / np.sin(phi)
    longest = min(path, end / np.cos(phi))
    mixed = u_b * (h - 2) / s_w

    def plume(a, b):
        if b <= a:
            return 0.0
        edges = np.linspace(a, b, 20001)
        x = (edges[1:] + edges[:-1]) / 2
        depth = 2 + s_w / u_b * x
        rising = np.where(depth > z, 1 / depth, 0.0)  # a plume below the receptor has not reached it
        inside = np.where(x < mixed, rising, np.exp(-s_wt * np.maximum(x - mixed, 0) / (u_b * h)) / h)
        return np.sqrt(2 / np.pi) / (w * u_b) * inside.sum() * (b - a) / 20000

    lee = plume(0, min(vortex, longest)) + max(np.cos(2 * r * phi), 0) * plume(vortex, longest)
    wind_side = plume(0, min(longest, path - vortex)) if vortex < path else 0.0
    d1, d2, diagonal = min(path, vortex), min(path, vortex / 2), np.sqrt(h * h + vortex**2 / 4)
    d3 = diagonal * (h - min(2 * h * (vortex - d1) / vortex, h)) / h
    u_s = (d3 * np.hypot(u_b, s_w0) + diagonal * u) / (d3 + diagonal)
    again = d1 * np.sin(phi) / w / (s_wt * d2 + u_s * d3)
    return lee + again, wind_side + again


def test_any_street_and_wind_agree_with_the_sum_over_thin_slices():
    """A slice dx at distance x adds sqrt(2/pi) dx / (W u_b (h0 + sigma)) until the plume fills the street at x1.

    From there it adds exp(-s_wt (x - x1) / (u_b H)) / H instead of 1 / (h0 + sigma): the closed forms of both integrals
    are the logarithm and the exponential of the model.
    """
    rng = np.random.default_rng(7)
    for _ in range(200):
        h, w = rng.uniform(4, 30), rng.uniform(6, 60)
        end, wind, phi, cars = rng.uniform(15, 200), rng.uniform(0.4, 8), rng.uniform(0.02, 1.55), rng.uniform(0, 3000)
        z = rng.choice([1.5, 2.0, 3.5])
        got = street(
            height_m=h, width_m=w, end_m=end, wind_roof_mps=wind, wind_dir_deg=-np.degrees(phi), z_m=z,
            light_veh_per_h=cars, heavy_veh_per_h=0.0,
        )  # fmt: skip
        s_w0 = 0.3 * np.sqrt(40 * cars * 2 / w) / 113.842
        lee, wind_side = _integrated(h, w, end, 0.82 * wind, phi, s_w0, z)
        assert got.left == pytest.approx(lee, rel=2e-3)
        assert got.right == pytest.approx(wind_side, rel=2e-3)


# --- sides ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("axis", "wind_from", "leeward"),
    [
        (NORTH, WEST, "left"),  # looking north, west is on the left; the wind comes over the west wall
        (NORTH, EAST, "right"),
        (SOUTH, WEST, "right"),  # the same street, looked at from its other end
        (EAST, NORTH, "left"),  # looking east, north is on the left
        (EAST, SOUTH, "right"),
        (45.0, 315.0, "left"),  # looking north-east, north-west is on the left
        (135.0, 225.0, "right"),
        (10.0, 350.0, "left"),  # 20 degrees off the axis, from the left
    ],
)
def test_the_upwind_wall_is_the_leeward_one_and_gets_more(axis, wind_from, leeward):
    """The vortex's bottom blows against the wind over the roofs, towards the wall over which that wind comes."""
    result = street(angle_deg=axis, wind_dir_deg=wind_from)
    lee, other = (result.left, result.right) if leeward == "left" else (result.right, result.left)
    assert lee > other
    averaged = street(angle_deg=axis, wind_dir_deg=wind_from, sector=True)
    lee, other = (averaged.left, averaged.right) if leeward == "left" else (averaged.right, averaged.left)
    assert lee > other


def test_turning_the_axis_around_swaps_the_sides_and_mirroring_the_wind_too():
    """Left is right for who looks the other way; nothing else distinguishes both senses of an axis."""
    wind = np.arange(0.0, 360.0, 7.0)
    here = street(wind_dir_deg=wind, sector=True)
    back = street(wind_dir_deg=wind, angle_deg=SOUTH, sector=True)
    mirrored = street(wind_dir_deg=-wind, sector=True)
    for swapped in (back, mirrored):
        np.testing.assert_allclose(swapped.left, here.right, rtol=1e-9)
        np.testing.assert_allclose(swapped.right, here.left, rtol=1e-9)


def test_the_wind_side_gets_exhaust_straight_from_the_street_beyond_the_vortex():
    """H = 5: the vortex is 10 m long, so 20 of 30 m blow onto the wind side: sigma = s_w / u_b x 20 lies above 2 m."""
    result = street(height_m=5.0, width_m=30.0)
    assert result.right - result.recirculated > 0.05


# --- continuity -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wind", [0.6, 1.5, 5.0])
@pytest.mark.parametrize("size", [(20.0, 20.0), (8.0, 24.0), (30.0, 12.0)])
def test_a_turn_of_the_wind_never_makes_a_jump(wind, size):
    """The largest change from one direction to the next shrinks with the step, five times for a fifth of it.

    A jump, at 0 and 180 degrees where the sides swap or where the vortex just reaches across, would not shrink.
    """
    jumps = []
    for step in (0.02, 0.004):
        turn = np.arange(0.0, 360.0, step)
        result = street(height_m=size[0], width_m=size[1], wind_roof_mps=wind, wind_dir_deg=turn)
        jumps.append([np.abs(np.diff(side, append=side[0])).max() for side in (result.left, result.right)])
    np.testing.assert_array_less(np.array(jumps[1]), 0.25 * np.array(jumps[0]))


@pytest.mark.parametrize("direction", [0.0, 12.0, 40.0, 75.0, 90.0])
@pytest.mark.parametrize("sector", [False, True])
def test_nothing_jumps_where_the_vortex_begins_to_shrink_or_the_sector_to_widen(direction, sector):
    """Roof winds of 2 and 1 m/s are mast winds of 2.439 and 1.2195; 1e-6 m/s around them change less than 1e-5."""
    for mast in (2.0 / 0.82, 1.0 / 0.82):
        wind = mast + np.array([-1e-6, 1e-6])
        result = street(wind_roof_mps=wind, wind_dir_deg=direction, sector=sector, directions=64)
        bound = 2e-2 if sector and mast < 2 else 1e-5  # there one direction is added to the 64
        assert abs(result.left[1] / result.left[0] - 1) < bound
        assert abs(result.right[1] / result.right[0] - 1) < bound


def test_a_longer_street_never_gathers_less():
    """Slow wind, much traffic, 20 degrees off: the plume fills the street inside the vortex, and adds beyond it too."""
    ends = np.linspace(5.0, 200.0, 400)
    result = street(end_m=ends, wind_roof_mps=1.0, wind_dir_deg=340.0, light_veh_per_h=4000.0)
    assert (np.diff(result.left) >= -1e-12).all()
    assert (np.diff(result.right) >= -1e-12).all()


# --- what comes in at the edges ---------------------------------------------------------------------------------------


def test_calm_is_finite_and_the_same_on_both_sides_whatever_the_direction():
    """At 0 m/s the least wind, 0.283, counts: u = 0.232 m/s, so the sector is 0.5 / 0.232 = 2.15 rad to either side.

    The part of the circle left out (2 x 0.99 rad) lies opposite to the wind, so both walls are nearly alike, and
    traffic holds them to a few times the value at 5 m/s.
    """
    calm = street(wind_roof_mps=0.0, sector=True)
    assert calm.left == street(wind_roof_mps=CALM_MPS, sector=True).left
    assert 0.2 < calm.left < 5 * 0.31063
    assert calm.left / calm.right == pytest.approx(1.0, abs=0.35)
    along = street(wind_roof_mps=0.0, wind_dir_deg=NORTH, sector=True)
    assert along.left == pytest.approx(float(along.right), rel=1e-9)


def test_without_traffic_and_shrinkage_the_unit_concentration_is_inverse_to_the_wind():
    """All velocities are then shares of the wind: at 8 m/s half as much as at 4, roof winds above 2 m/s."""
    none = {"light_veh_per_h": 0.0, "heavy_veh_per_h": 0.0}
    slow, fast = (street(wind_roof_mps=u, wind_dir_deg=300.0, sector=True, **none) for u in (4.0, 8.0))
    assert slow.left == pytest.approx(2 * float(fast.left), rel=1e-12)
    assert slow.right == pytest.approx(2 * float(fast.right), rel=1e-12)


def test_calm_without_traffic_is_defined_too():
    """u = 0.232 m/s and s_wt = 0.0232 m/s: the air stays 20 / 0.0232 = 862 s; times no emission, there is nothing."""
    result = street(wind_roof_mps=0.0, light_veh_per_h=0.0, heavy_veh_per_h=0.0, light_speed_kmh=0.0, sector=True)
    assert np.isfinite(result.left) and result.left > 0.0
    assert result.residence_s == pytest.approx(20 / (0.1 * 0.82 * CALM_MPS), rel=1e-9)


def test_vehicles_that_stand_stir_nothing():
    """Their turbulence goes with speed times number: 1000 at 0 km/h are as none."""
    assert street(light_speed_kmh=0.0, heavy_speed_kmh=0.0).left == street(light_veh_per_h=0, heavy_veh_per_h=0).left


def test_higher_receptors_get_less_and_none_of_the_vortex_above_the_roofs():
    """At 4 m the plume's logarithm is ln(6.033 / 4) = 0.4110: 0.17567 x 0.4110 = 0.07220 on the lee, plus 0.11667."""
    heights = np.array([1.0, 2.0, 4.0, 8.0, 20.0, 20.1])
    result = street(z_m=heights)
    assert result.left[2] == pytest.approx(0.07220 + 0.11667, abs=2e-5)
    assert result.left[0] == result.left[1]  # vehicles mix the lowest 2 m
    assert (np.diff(result.left) <= 0).all()
    assert result.left[3] == result.right[3]  # the plume passes below 6.03 m
    assert result.right[4] > 0.0 and result.right[5] == 0.0


def test_the_sector_is_half_a_radian_to_either_side():
    """The mean of single directions over 270 +- 28.648 degrees, midpoints of 400 parts."""
    offsets = (np.arange(400) + 0.5) / 400 * 2 * 28.6479 - 28.6479
    single = street(wind_dir_deg=250.0 + offsets)
    averaged = street(wind_dir_deg=250.0, sector=True, directions=400)
    assert averaged.left == pytest.approx(single.left.mean(), rel=1e-4)
    assert averaged.right == pytest.approx(single.right.mean(), rel=1e-4)


def test_the_cheap_quadrature_errs_by_less_than_a_percent():
    """8 directions a radian against 512, over 4000 streets: root mean square below 1 %, 95 % within 2.5 %, no bias."""
    rng = np.random.default_rng(3)
    n = 4000
    height = rng.uniform(5, 30, n)
    case = {
        "height_m": height, "width_m": height / rng.uniform(0.3, 2.5, n), "angle_deg": rng.uniform(0, 180, n),
        "end_m": rng.uniform(20, 150, n), "wind_roof_mps": rng.uniform(0, 8, n),
        "wind_dir_deg": rng.uniform(0, 360, n), "light_veh_per_h": rng.uniform(0, 2000, n), "sector": True,
    }  # fmt: skip
    cheap, fine = street(**case), street(**case, directions=512)
    error = np.concatenate([cheap.left / fine.left, cheap.right / fine.right]) - 1
    assert np.sqrt((error**2).mean()) < 0.010
    assert np.quantile(np.abs(error), 0.95) < 0.025
    assert abs(error.mean()) < 0.002


def test_streets_and_hours_broadcast_and_give_what_each_gives_alone():
    """Two hours by three streets: (2, 1) with (3,) gives (2, 3)."""
    many = street(wind_roof_mps=np.array([[2.0], [6.0]]), height_m=np.array([10.0, 15.0, 20.0]), sector=True)
    assert many.left.shape == many.residence_s.shape == (2, 3)
    assert many.left[1, 2] == street(wind_roof_mps=6.0, sector=True).left
    assert street(height_m=np.empty(0)).left.shape == (0,)


def test_all_faults_are_told_at_once():
    """A missing wind, a negative count and a flat canyon: three faults in one message, with their places."""
    with pytest.raises(AirError) as caught:
        street(
            wind_roof_mps=np.array([3.0, np.nan]), light_veh_per_h=np.array([-1.0, 5.0]), height_m=np.array([9.0, 1.5])
        )
    text = str(caught.value)
    for part in ("wind_roof_mps", "no finite number", "light_veh_per_h", "-1", "height_m", "1.5 in place 1"):
        assert part in text


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"wind_roof_mps": -0.1}, "wind_roof_mps"),
        ({"width_m": 0.0}, "width_m"),
        ({"end_m": 0.0}, "end_m"),
        ({"z_m": -1.0}, "z_m"),
        ({"wind_dir_deg": np.nan}, "wind_dir_deg"),
        ({"f_roof": 0.0}, "f_roof"),
        ({"directions": 0}, "directions"),
        ({"height_m": np.ones(2) * 9, "width_m": np.ones(3)}, "do not fit"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes, named):
    """One wrong argument each; a ValueError as well as an AirError."""
    with pytest.raises(AirError, match=named):
        street(**changes)
    with pytest.raises(ValueError, match=named):
        street(**changes)

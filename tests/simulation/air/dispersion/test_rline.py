"""R-LINE: similarity by hand, mass, and the fast form against the full one."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from simulation.air.dispersion.rline import AERMOD_2023, NEAREST_M, Pairs, fast_line, full_line, plume
from simulation.air.dispersion.wind_profile import SurfaceLayer, wind_speed
from simulation.air.errors import AirError

LAYERS = {
    name: SurfaceLayer(u_star_mps=0.3, obukhov_m=length, sigma_v_mps=0.3 * ratio, z0_m=0.3)
    for name, length, ratio in (
        ("A", -10.1, 4.9), ("B", -21.2, 3.5), ("C", -85.7, 2.5), ("D", math.inf, 1.9),
        ("E", 85.7, 1.9), ("F", 21.2, 1.9),
    )
}  # fmt: skip
every_class = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)


def random_pairs(n=400, seed=1):
    """Links (median 80 m) with their nearest point 10 to 500 m from the receptor at the centre, at all angles."""
    rng = np.random.default_rng(seed)
    length, angle, bearing = 80.0 * np.exp(0.7 * rng.standard_normal(n)), *rng.uniform(0.0, 2.0 * np.pi, (2, n))
    distance, share = np.exp(rng.uniform(np.log(10.0), np.log(500.0), n)), rng.uniform(0.0, 1.0, n)
    unit, middle = (np.stack([np.cos(a), np.sin(a)]) for a in (angle, bearing))
    first = middle * distance - unit * share * length
    (x0, y0), (x1, y1) = first, first + unit * length
    along = np.clip(-(x0 * unit[0] + y0 * unit[1]), 0.0, length)
    apart = np.hypot(x0 + along * unit[0], y0 + along * unit[1])
    good = (apart >= 10.0) & (apart <= 500.0)
    return Pairs(
        x0_m=x0[good], y0_m=y0[good], x1_m=x1[good], y1_m=y1[good], receptor_x_m=0.0, receptor_y_m=0.0,
        receptor_z_m=1.5, height_m=1.0, sigma_z0_m=1.2,
    )  # fmt: skip


@pytest.mark.parametrize("z0_m", [0.01, 0.1, 0.5])
def test_a_neutral_ground_source_across_the_wind(z0_m):
    """Neutral, sigma_v 0: Ue sz = a u* x whatever Ue, so C = sqrt(2 / pi) Q / (a u* x) = 0.797885 / (0.57 x 0.3 x):

    0.23330, 0.09332, 0.04666, 0.02333 s/m2 at 20, 50, 100, 200 m, independent of z0.
    """
    layer = SurfaceLayer(u_star_mps=0.3, obukhov_m=math.inf, sigma_v_mps=0.0, z0_m=z0_m)
    at = plume([20.0, 50.0, 100.0, 200.0], layer)
    found = 2.0 / (math.sqrt(2.0 * math.pi) * at.wind_mps * at.sigma_z_m)
    assert found == pytest.approx([0.23330, 0.09332, 0.04666, 0.02333], abs=5.1e-6)


def test_the_full_form_of_a_long_line_meets_the_closed_form():
    """A narrow plume (sigma_v 0.01 m/s, z0 0.05) of a line of 2 km across the wind: the same 0.0467 at 100 m, less
    f = 2 sigma_v^2 / Ue^2, here below 2e-4, of which the meander gives half back.
    """
    layer = SurfaceLayer(u_star_mps=0.3, obukhov_m=math.inf, sigma_v_mps=0.01, z0_m=0.05)
    pairs = Pairs(
        x0_m=0.0, y0_m=-1000.0, x1_m=0.0, y1_m=1000.0, receptor_x_m=[50.0, 100.0], receptor_y_m=0.0, receptor_z_m=0.0
    )
    assert full_line(pairs, layer, wind_dir_deg=270.0) == pytest.approx([0.09332, 0.04666], rel=4e-4)
    assert fast_line(pairs, layer, wind_dir_deg=270.0) == pytest.approx([0.09332, 0.04666], rel=1e-3)


@every_class
def test_spread_and_wind_agree_with_each_other(layer):
    """The definition, written out: Ue at the mean height of a plume of sigma_z, and sigma_z by Ue, to 1e-5."""
    x, height, start = 80.0, 1.0, 1.2
    at = plume(x, layer, height_m=height, sigma_z0_m=start)
    sigma = float(at.sigma_z_m)
    mean = math.sqrt(2 / math.pi) * sigma * math.exp(-(height**2) / (2 * sigma**2))
    mean += height * math.erf(height / (math.sqrt(2) * sigma))
    wind = math.hypot(math.sqrt(2) * layer.sigma_v_mps, float(wind_speed(layer, mean)))
    assert at.wind_mps == pytest.approx(wind, rel=1e-5)
    ratio, over = layer.u_star_mps / wind, x / abs(layer.obukhov_m)
    own = 0.57 * ratio * x
    own = own / (1 + 3.0 * ratio * over ** (2 / 3)) if layer.obukhov_m > 0 else own * (1 + 1.5 * ratio * over)
    assert sigma == pytest.approx(math.hypot(own, start), rel=1e-5)
    across, spread = 1.6 * layer.sigma_v_mps / layer.u_star_mps * own, own / abs(layer.obukhov_m)
    across = across * (1 + 2.5 * spread) if layer.obukhov_m > 0 else across / math.sqrt(1 + spread)
    assert at.sigma_y_m == pytest.approx(across, rel=1e-5)
    assert at.meander == pytest.approx(2 * layer.sigma_v_mps**2 / wind**2, rel=1e-5)


def test_the_fit_of_2023_spreads_faster_when_neutral():
    """a 0.70 against 0.57: without shear (Ue held by a large sigma_v) sigma_z is 0.70 / 0.57 = 1.228 as large."""
    layer = SurfaceLayer(u_star_mps=0.3, obukhov_m=math.inf, sigma_v_mps=50.0, z0_m=0.3)
    old, new = plume(100.0, layer), plume(100.0, layer, constants=AERMOD_2023)
    assert new.sigma_z_m / old.sigma_z_m == pytest.approx(0.70 / 0.57, rel=1e-4)


def test_rough_ground_does_not_keep_the_spread_from_being_found():
    """z0 1 m, d 5 m: the wind rises from 0 within a metre above 6 m, where plain iteration swings. sigma_z must grow
    with distance all the same, without a jump.
    """
    layer = SurfaceLayer(u_star_mps=1.0, obukhov_m=math.inf, sigma_v_mps=0.5, z0_m=1.0)
    x = np.geomspace(1.0, 1000.0, 2000)
    growth = np.diff(np.log(plume(x, layer, height_m=1.0).sigma_z_m)) / np.diff(np.log(x))
    assert (growth > 0.0).all() and (growth < 1.2).all()


@every_class
def test_what_a_link_emits_flows_through_a_plane_downwind(layer):
    """A link of 60 m across the wind, without meander: Ue times the integral of C over the plane 150 m downwind is
    60 g/s for 1 g/m/s, within 1e-3 (Gauss-Legendre, 48 x 32 nodes to +-(30 m + 6 sy) and 7 sz).
    """
    at = plume(150.0, layer, height_m=1.0, sigma_z0_m=1.2)
    nodes_y, weights_y = np.polynomial.legendre.leggauss(48)
    nodes_z, weights_z = np.polynomial.legendre.leggauss(32)
    half, top = 30.0 + 6.0 * float(at.sigma_y_m), 7.0 * float(at.sigma_z_m) + 1.0
    y, z = np.meshgrid(half * nodes_y, 0.5 * top * (nodes_z + 1.0), indexing="ij")
    pairs = Pairs(
        x0_m=0.0, y0_m=-30.0, x1_m=0.0, y1_m=30.0, receptor_x_m=150.0, receptor_y_m=y.ravel(), receptor_z_m=z.ravel(),
        height_m=1.0, sigma_z0_m=1.2,
    )  # fmt: skip
    values = full_line(pairs, layer, wind_dir_deg=270.0, meander="none").reshape(y.shape)
    flux = float(at.wind_mps) * half * 0.5 * top * (weights_y @ values @ weights_z)
    assert flux == pytest.approx(60.0, rel=1e-3)


@every_class
def test_meander_and_plume_together_keep_the_mass(layer):
    """A link of 0.1 m, f at r: through the cylinder of 200 m around it flows f Ue(r) V(r) x height in all directions,
    and the rest with the wind: Ue x C over the cylinder for the meander alone (upwind half, doubled) gives f.
    """
    r = 200.0
    at = plume(r, layer, height_m=1.0)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    z = 3.5 * float(at.sigma_z_m) * (nodes + 1.0) + 0.0
    pairs = Pairs(
        x0_m=-0.05, y0_m=0.0, x1_m=0.05, y1_m=0.0, receptor_x_m=-r, receptor_y_m=0.0, receptor_z_m=z, height_m=1.0
    )
    upwind = full_line(pairs, layer, wind_dir_deg=270.0, meander="radial")
    flow = 2.0 * math.pi * r * float(at.wind_mps) * 3.5 * float(at.sigma_z_m) * (weights @ upwind) / 0.1
    assert flow == pytest.approx(float(at.meander), rel=1e-3)


@every_class
@pytest.mark.parametrize("wind_dir_deg", [0.0, 37.0, 271.0])
def test_the_fast_form_is_near_the_full_one(layer, wind_dir_deg):
    """Random links 10 to 500 m away, f at r in both: 90 % of pairs within 1.5 %, their sum within 0.3 %."""
    pairs = random_pairs()
    full = full_line(pairs, layer, wind_dir_deg=wind_dir_deg, meander="radial")
    fast = fast_line(pairs, layer, wind_dir_deg=wind_dir_deg)
    low, high = np.percentile(fast / full, [5.0, 95.0])
    assert 0.985 < low < high < 1.015
    assert fast.sum() == pytest.approx(full.sum(), rel=3e-3)


@every_class
def test_a_wind_along_the_link_is_no_special_case(layer):
    """A link of 200 m that ends 20 m upwind of the receptor, exactly in line: fast and full within 1 %, and a wind
    one degree to either side changes little.
    """
    pairs = Pairs(
        x0_m=-220.0, y0_m=0.0, x1_m=-20.0, y1_m=0.0, receptor_x_m=0.0, receptor_y_m=[1.0, 5.0, 20.0],
        receptor_z_m=1.5, height_m=1.0, sigma_z0_m=1.2,
    )  # fmt: skip
    full = full_line(pairs, layer, wind_dir_deg=270.0, meander="radial")
    assert fast_line(pairs, layer, wind_dir_deg=270.0) == pytest.approx(full, rel=0.01)
    near = [fast_line(pairs, layer, wind_dir_deg=d)[0] for d in (269.0, 270.0, 271.0)]
    assert max(near) < 1.1 * min(near)


@every_class
@pytest.mark.parametrize("form", ["full", "fast"])
def test_splitting_a_link_changes_little(layer, form):
    """200 links in 5 parts each: the full form by less than 1e-3 (its nodes do not see the wind's kink at
    d + z0); the fast form, whose nodes move, by less than 2 % for 95 % of pairs and 0.2 % in sum.
    """
    pairs = random_pairs(200, seed=4)
    solve = (
        (lambda p: full_line(p, layer, wind_dir_deg=20.0)) if form == "full"
        else (lambda p: fast_line(p, layer, wind_dir_deg=20.0))
    )  # fmt: skip
    x0, y0, x1, y1 = (np.asarray(getattr(pairs, n)) for n in ("x0_m", "y0_m", "x1_m", "y1_m"))
    ends = [(x0 + s * (x1 - x0), y0 + s * (y1 - y0)) for s in np.linspace(0.0, 1.0, 6)]
    parts = sum(solve(replace(pairs, x0_m=a[0], y0_m=a[1], x1_m=b[0], y1_m=b[1])) for a, b in pairwise(ends))
    whole = solve(pairs)
    if form == "full":
        assert parts == pytest.approx(whole, rel=1e-3)
    else:
        assert np.percentile(np.abs(parts / whole - 1.0), 95.0) < 0.02
        assert parts.sum() == pytest.approx(whole.sum(), rel=2e-3)


def test_neutral_concentrations_fall_as_the_friction_velocity_rises():
    """Neutral, sigma_v in proportion: every speed scales with u*, so C u* is constant."""
    pairs = random_pairs(50)
    slow, quick = (
        SurfaceLayer(u_star_mps=u, obukhov_m=math.inf, sigma_v_mps=1.9 * u, z0_m=0.3) for u in (0.1, 0.8)
    )  # fmt: skip
    for solve in (full_line, fast_line):
        one, other = (solve(pairs, layer, wind_dir_deg=100.0) for layer in (slow, quick))
        assert 0.1 * one == pytest.approx(0.8 * other, rel=1e-5)


def test_a_receptor_on_the_link_is_finite_and_equal_to_one_beside_it():
    """Wind across, on the axis: the fast form gives the value 1 m downwind; 0.5 m upwind that of 1 m upwind,
    which is less (smooth ground, so that at 1 m not all is meander).
    """
    layer = SurfaceLayer(u_star_mps=0.3, obukhov_m=math.inf, sigma_v_mps=0.5, z0_m=0.02)
    pairs = Pairs(
        x0_m=0.0, y0_m=-50.0, x1_m=0.0, y1_m=50.0, receptor_x_m=[0.0, NEAREST_M, -0.5, -NEAREST_M], receptor_y_m=0.0,
        receptor_z_m=1.5, height_m=1.0, sigma_z0_m=1.2,
    )  # fmt: skip
    fast = fast_line(pairs, layer, wind_dir_deg=270.0)
    assert fast[0] == pytest.approx(fast[1], rel=1e-12)
    assert fast[2] == pytest.approx(fast[3], rel=1e-12)
    assert fast[0] > fast[2] > 0.0
    assert np.isfinite(full_line(pairs, layer, wind_dir_deg=0.0)).all()


def test_a_link_without_length_emits_nothing():
    point = Pairs(x0_m=5.0, y0_m=5.0, x1_m=5.0, y1_m=5.0, receptor_x_m=50.0, receptor_y_m=5.0, receptor_z_m=1.5)
    for solve in (full_line, fast_line):
        assert solve(point, LAYERS["D"], wind_dir_deg=270.0) == pytest.approx([0.0])


def test_impossible_input_is_told():
    still = SurfaceLayer(u_star_mps=0.3, obukhov_m=math.inf, sigma_v_mps=0.0, z0_m=0.3)
    for solve in (full_line, fast_line):
        with pytest.raises(AirError, match="sigma_v_mps=0"):
            solve(random_pairs(3), still, wind_dir_deg=0.0)
        with pytest.raises(AirError, match=r"x0_m is missing.*receptor_z_m is below 0"):
            solve(replace(random_pairs(3), x0_m=math.nan, receptor_z_m=-1.0), LAYERS["D"], wind_dir_deg=0.0)

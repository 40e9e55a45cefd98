"""Propagation against closed forms: long and short lines, air, houses, cut-off, splitting."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad

from simulation.noise.cnossos import N_OCTAVES
from simulation.noise.errors import NoiseError
from simulation.noise.propagation import (
    HOUSES_MOST_DB,
    MIN_DISTANCE_M,
    SOURCE_HEIGHT_M,
    STREET_REFLECTION_DB,
    air_absorption,
    houses_db,
    transfer,
)

HARD = 10**0.3


def lines(rows, link=None):
    """Segments x0, y0, x1, y1."""
    at = np.asarray(rows, dtype=float)
    return SimpleNamespace(
        x0_m=at[:, 0], y0_m=at[:, 1], x1_m=at[:, 2], y1_m=at[:, 3],
        link=np.arange(len(at)) if link is None else np.asarray(link),
    )  # fmt: skip


def heard(segments, receptor, n_links=None, **options):
    """Transfer to one receptor, shape (n_links, 8)."""
    n = int(segments.link.max()) + 1 if n_links is None else n_links
    found = transfer(segments, n, np.array([receptor], dtype=float), **options)
    return found.matrix.toarray().reshape(n, N_OCTAVES)


def quiet_band(table):
    """63 Hz, where air takes 0.0001 dB/m."""
    return table[..., 0]


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(10, [0.1, 0.4, 1.0, 1.9, 3.7, 9.7, 32.8, 117]), (20, [0.1, 0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6])],
)
def test_air_absorbs_what_the_standard_s_table_says(temperature, expected):
    """ISO 9613-2:1996, table 2, 70 % humidity, dB/km, to the digits printed there."""
    found = 1000 * air_absorption(temperature_c=temperature, humidity_percent=70)
    np.testing.assert_allclose(found, expected, atol=0.05, rtol=2e-3)


@pytest.mark.parametrize("d", [10.0, 20.0, 40.0, 80.0])
def test_a_long_straight_road_is_10_lg_2d_below_its_power(d):
    """Integral of ds / (4 pi (d^2 + s^2)) = 1 / (4 d); with 3 dB of ground L = L_W' - 10 lg(4 d) + 3, that is
    -10 lg(2 d) - 0.01 dB. The road is 40 km long, the cut-off at 20 km; 63 Hz loses less than 0.1 dB to air."""
    found = quiet_band(heard(lines([[-2e4, 0, 2e4, 0]]), (0, d, SOURCE_HEIGHT_M), cutoff_m=2e4))[0]
    assert 10 * np.log10(found) == pytest.approx(-10 * np.log10(4 * d) + 3.0, abs=0.1)


def test_twice_the_distance_from_a_long_road_takes_three_decibels():
    """1 / (4 d): 10 lg 2 = 3.01 dB, and a little more by the ends of 4 km and the air at 63 Hz."""
    road = lines([[-2000, 0, 2000, 0]])
    near, far = (quiet_band(heard(road, (0, d, 0.05), cutoff_m=3000))[0] for d in (10.0, 20.0))
    assert 10 * np.log10(near / far) == pytest.approx(3.01, abs=0.03)


@pytest.mark.parametrize(("x0", "x1", "y"), [(-50, 50, 30), (0, 120, 25), (40, 90, 15), (-200, -20, 60)])
def test_a_finite_road_is_heard_by_the_angle_it_subtends(x0, x1, y):
    """(atan(x1/d) - atan(x0/d)) / (4 pi d) times 10^0.3; d is the slant distance to a facade at 4 m."""
    d = np.hypot(y, 4.0 - SOURCE_HEIGHT_M)
    expected = HARD * (np.arctan(x1 / d) - np.arctan(x0 / d)) / (4 * np.pi * d)
    found = quiet_band(heard(lines([[x0, 0, x1, 0]]), (0, y, 4.0), temperature_c=20.0))[0]
    assert 10 * np.log10(found / expected) == pytest.approx(0.0, abs=0.01)  # 0.1 dB/km over at most 200 m


def test_air_within_the_integral_equals_a_numerical_integral():
    """Integral of 10^(-alpha r / 10) / (4 pi r^2) ds by adaptive quadrature, every octave, within 0.01 dB."""
    alpha, d = air_absorption(), np.hypot(35.0, 4.0 - SOURCE_HEIGHT_M)
    found = heard(lines([[-150, 0, 260, 0]]), (0, 35.0, 4.0))[0]
    for octave in range(N_OCTAVES):

        def energy(s, a=alpha[octave]):
            r = np.hypot(s, d)
            return HARD * 10 ** (-a * r / 10) / (4 * np.pi * r**2)

        expected = quad(energy, -150, 260, epsabs=0, epsrel=1e-10, points=[0])[0]
        assert 10 * np.log10(found[octave] / expected) == pytest.approx(0.0, abs=0.01)


def test_splitting_a_road_changes_nothing():
    """A road of 700 m in one piece, in 7 pieces of one link and in 7 links: the same energy within 0.002 dB."""
    at = (123.0, 18.0, 4.0)
    cuts = np.array([-300.0, -250, -100, 0, 17, 200, 333, 400])
    pieces = np.column_stack([cuts[:-1], 0 * cuts[:-1], cuts[1:], 0 * cuts[1:]])
    whole = heard(lines([[-300, 0, 400, 0]]), at)[0]
    one_link, seven = heard(lines(pieces, link=[0] * 7), at)[0], heard(lines(pieces), at).sum(axis=0)
    np.testing.assert_allclose(10 * np.log10(one_link / whole), 0.0, atol=2e-3)
    np.testing.assert_allclose(10 * np.log10(seven / whole), 0.0, atol=2e-3)


def test_direction_of_drawing_and_of_the_compass_do_not_matter():
    """Reversed, turned by 90 degrees and moved by 5 km: the same transfer within float32."""
    a = heard(lines([[-80, 0, 120, 0]]), (10, 30, 4))
    b = heard(lines([[120, 0, -80, 0]]), (10, 30, 4))
    c = heard(lines([[5000, 4920, 5000, 5120]]), (4970, 5010, 4))
    np.testing.assert_allclose(a, b, rtol=1e-6)
    np.testing.assert_allclose(a, c, rtol=1e-5)


def test_the_cut_off_loses_what_it_says():
    """At d = 100 m of a long road a cut-off of 500 m keeps 1 - 2/pi arcsin(0.2) = 0.8718: -0.596 dB, and
    air at 63 Hz takes 0.02 dB."""
    road = lines([[-3e4, 0, 3e4, 0]])
    cut = quiet_band(heard(road, (0, 100, SOURCE_HEIGHT_M), cutoff_m=500))[0]
    assert 10 * np.log10(cut * 4 * 100 / HARD) == pytest.approx(-0.616, abs=0.005)


def test_a_road_beyond_the_cut_off_is_not_stored():
    """501 m away of 500 m: no pair; 499 m: one."""
    for y, pairs in ((501.0, 0), (499.0, 1)):
        assert transfer(lines([[-10, 0, 10, 0]]), 1, np.array([[0, y, 0.05]])).n_pairs == pairs


def test_a_receptor_on_a_road_is_held_three_metres_off():
    """At height 0.05 m on the line, d = 3 m: finite, and the same as 3 m beside it."""
    road = lines([[-100, 0, 100, 0]])
    on, beside = heard(road, (0, 0, SOURCE_HEIGHT_M)), heard(road, (0, MIN_DISTANCE_M, SOURCE_HEIGHT_M))
    assert np.isfinite(on).all()
    np.testing.assert_allclose(on, beside, rtol=1e-6)


def test_houses_take_what_the_rule_says():
    """B = 0.3 at r = 120 m: 0.1 x 0.3 x (120 - 20) = 3 dB; none within 20 m; never more than 10 dB."""
    np.testing.assert_allclose(houses_db([15.0, 120.0, 1000.0], 0.3), [0.0, 3.0, HOUSES_MOST_DB])
    small = lines([[-0.5, 0, 0.5, 0]])
    free, blocked = heard(small, (0, 120, 0.05))[0], heard(small, (0, 120, 0.05), building_density=0.3)[0]
    np.testing.assert_allclose(10 * np.log10(free / blocked), 3.0, atol=1e-3)


def test_a_closed_row_of_houses_takes_its_frontage():
    """p = 0.5 takes 3.01 dB beyond 20 m and nothing before; p = 1 takes the most, 10 dB."""
    np.testing.assert_allclose(houses_db([15.0, 30.0], 0.0, 0.5), [0.0, 3.0103], atol=1e-4)
    assert houses_db(30.0, 0.3, 1.0) == HOUSES_MOST_DB
    for y, taken in ((10.0, 0.0), (90.0, 3.0103)):
        small = lines([[-0.5, 0, 0.5, 0]])
        free, blocked = heard(small, (0, y, 0.05))[0], heard(small, (0, y, 0.05), frontage_share=0.5)[0]
        np.testing.assert_allclose(10 * np.log10(free / blocked), taken, atol=1e-3)


def test_splitting_a_road_behind_houses_changes_nothing():
    """Houses begin at 20 m of way, where the integral is cut: one piece and three agree within 0.005 dB."""
    options = {"building_density": 0.3, "frontage_share": 0.6}
    whole = heard(lines([[-200, 0, 300, 0]]), (0, 12, 4.0), **options)[0]
    parts = heard(lines([[-200, 0, -7, 0], [-7, 0, 31, 0], [31, 0, 300, 0]]), (0, 12, 4.0), **options).sum(axis=0)
    np.testing.assert_allclose(10 * np.log10(parts / whole), 0.0, atol=5e-3)


def test_of_its_own_street_a_receptor_hears_a_reflection_and_no_houses():
    """Same street: +1.5 dB whatever the density; another street, or none: the houses' rule."""
    road, at, places = lines([[-60, 0, 60, 0]]), (0, 100, 4.0), {"segment_street": np.array([3])}
    free = heard(road, at)
    own = heard(road, at, building_density=0.4, receptor_street=np.array([3]), **places)
    other = heard(road, at, building_density=0.4, receptor_street=np.array([-1]), **places)
    np.testing.assert_allclose(10 * np.log10(own / free), STREET_REFLECTION_DB, atol=1e-4)
    assert (10 * np.log10(free / other) > 3.0).all()


def test_segments_without_length_and_receptors_without_roads_are_silent():
    """A point has no length to radiate; a receptor far from everything has an empty row."""
    found = transfer(lines([[5, 5, 5, 5], [0, 0, 10, 0]]), 2, np.array([[0.0, 5, 4], [9e3, 9e3, 4]]))
    table = found.matrix.toarray().reshape(2, 2, N_OCTAVES)
    assert (table[0, 0] == 0).all() and (table[0, 1] > 0).all() and (table[1] == 0).all()


def test_every_fault_is_named_at_once():
    """Unknown link, receptor below ground, cut-off too short, density of 2 and frontage of -1: five complaints."""
    with pytest.raises(NoiseError, match=r"links of segments.*below ground.*cut-off.*building_density.*frontage_share"):
        transfer(
            lines([[0, 0, 1, 0]], link=[9]),
            1,
            np.array([[0.0, 0, -1]]),
            cutoff_m=1.0,
            building_density=2.0,
            frontage_share=-1.0,
        )
    with pytest.raises(NoiseError, match="outside of"):
        air_absorption(temperature_c=80.0)
    with pytest.raises(NoiseError, match=r"\(n, 3\)"):
        transfer(lines([[0, 0, 1, 0]]), 1, np.zeros((2, 2)))


def test_random_streets_equal_a_sum_over_many_points():
    """300 streets round 5 receptors, with houses: the integral against 2,000 point sources a street, within 0.01 dB.

    Each point i of length ds adds 10^0.3 10^(-(alpha r + houses) / 10) ds / (4 pi r^2).
    """
    rng = np.random.default_rng(11)
    ends = rng.uniform(-200, 200, (300, 2))
    turn, length = rng.uniform(0, 2 * np.pi, 300), rng.uniform(20, 200, 300)
    rows = np.column_stack([ends, ends + np.column_stack([np.cos(turn), np.sin(turn)]) * length[:, None]])
    at = np.column_stack([rng.uniform(-100, 100, (5, 2)), np.full(5, 4.0)])
    table = transfer(lines(rows), 300, at, cutoff_m=900.0, building_density=0.25, frontage_share=0.4).matrix.toarray()
    share = (np.arange(2000) + 0.5) / 2000
    x, y = (rows[:, None, i] + share * (rows[:, i + 2] - rows[:, i])[:, None] for i in (0, 1))
    for receptor, found in zip(at, table.reshape(5, 300, N_OCTAVES)):
        d2 = (x - receptor[0]) ** 2 + (y - receptor[1]) ** 2 + (4.0 - SOURCE_HEIGHT_M) ** 2
        loss = houses_db(np.sqrt(d2), 0.25, 0.4)
        for octave in (0, 4, 7):
            energy = 10 ** (-(air_absorption()[octave] * np.sqrt(d2) + loss) / 10) / (4 * np.pi * d2)
            expected = HARD * energy.mean(axis=1) * length
            np.testing.assert_allclose(10 * np.log10(found[:, octave] / expected), 0.0, atol=0.01)

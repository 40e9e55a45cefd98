"""Source-receptor matrices against the plumes one by one, and what bad input says."""

import math

import numpy as np
import pytest

from simulation.air.dispersion.line_sources import LineSources
from simulation.air.dispersion.rline import Pairs, fast_line
from simulation.air.dispersion.source_receptor import SourceReceptor
from simulation.air.dispersion.wind_profile import SurfaceLayer
from simulation.air.errors import AirError

NEUTRAL = SurfaceLayer(u_star_mps=1.0, obukhov_m=math.inf, sigma_v_mps=1.9, z0_m=0.3)
STABLE = SurfaceLayer(u_star_mps=1.0, obukhov_m=30.0, sigma_v_mps=1.9, z0_m=0.3)


def links(n=12, seed=1, size=800.0):
    rng = np.random.default_rng(seed)
    middle, half = rng.uniform(0.0, size, (n, 2)), rng.uniform(-60.0, 60.0, (n, 2))
    (x0, y0), (x1, y1) = (middle - half).T, (middle + half).T
    return LineSources(x0, y0, x1, y1, np.full(n, 1.0), np.full(n, 1.2), np.arange(n, dtype=np.int32))


def receptors(n=9, seed=2, size=800.0):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(0.0, size, (n, 2)), np.full(n, 1.5)])


def one_by_one(sources, places, layer, direction):
    """Concentration of each receptor from each segment, (R, S), by `fast_line`."""
    r, s = np.meshgrid(np.arange(len(places)), np.arange(len(sources)), indexing="ij")
    r, s = r.ravel(), s.ravel()
    pairs = Pairs(
        x0_m=sources.x0_m[s], y0_m=sources.y0_m[s], x1_m=sources.x1_m[s], y1_m=sources.y1_m[s],
        receptor_x_m=places[r, 0], receptor_y_m=places[r, 1], receptor_z_m=places[r, 2],
        height_m=sources.height_m[s], sigma_z0_m=sources.sigma_z0_m[s],
    )  # fmt: skip
    return fast_line(pairs, layer, wind_dir_deg=direction).reshape(len(places), len(sources))


@pytest.mark.parametrize("stability", [0, 1])
def test_a_matrix_holds_the_fast_form_of_every_pair(stability):
    """Wind from 70 deg, one of the 36 directions: C = sum over links of the fast form x emission / u*; u* 0.25."""
    sources, places, layers = links(), receptors(), [NEUTRAL, STABLE]
    emission = np.random.default_rng(3).uniform(0.0, 1e-3, (12, 3))
    matrices = SourceReceptor(sources, 12, places, layers, cutoff_m=5000.0)
    found = matrices.apply(emission, wind_dir_deg=70.0, stability=stability, u_star_mps=0.25)
    expected = one_by_one(sources, places, layers[stability], 70.0) @ emission / 0.25
    assert found.shape == (9, 3)
    assert found == pytest.approx(expected, rel=1e-5)


def test_between_two_directions_the_result_is_linear():
    """From 73 deg: 0.7 of that from 70 deg and 0.3 of that from 80 deg; from 357 deg: 0.3 of 350 and 0.7 of 0."""
    matrices = SourceReceptor(links(), 12, receptors(), [NEUTRAL])
    emission = np.ones((12, 1))
    at = {
        d: matrices.apply(emission, wind_dir_deg=d, stability=0, u_star_mps=1.0)
        for d in (70.0, 73.0, 80.0, 350.0, 357.0, 0.0, -3.0)
    }
    assert at[73.0] == pytest.approx(0.7 * at[70.0] + 0.3 * at[80.0], rel=1e-9)
    assert at[357.0] == pytest.approx(0.3 * at[350.0] + 0.7 * at[0.0], rel=1e-9)
    assert at[-3.0] == pytest.approx(at[357.0], rel=1e-9)


def test_segments_of_a_link_share_its_column():
    """Two segments of one link: the column of link 0 is the sum of both, once per metre."""
    parts = links(2)
    whole = SourceReceptor(parts, 2, receptors(), [NEUTRAL])
    joined = LineSources(
        parts.x0_m, parts.y0_m, parts.x1_m, parts.y1_m, parts.height_m, parts.sigma_z0_m, np.zeros(2, dtype=np.int32)
    )
    together = SourceReceptor(joined, 1, receptors(), [NEUTRAL])
    options = {"wind_dir_deg": 200.0, "stability": 0, "u_star_mps": 1.0}
    assert together.apply([[2.0]], **options) == pytest.approx(whole.apply([[2.0], [2.0]], **options), rel=1e-6)


def test_pairs_beyond_the_cut_off_are_left_out_and_pairs_within_it_kept():
    """A link's nearest point is 300 m from the receptor: there with 301 m, not with 299 m."""
    source = LineSources(*(np.array([v]) for v in (0.0, 300.0, 50.0, 300.0, 1.0, 1.2)), np.zeros(1, dtype=np.int32))
    place = [[20.0, 0.0, 1.5]]
    assert SourceReceptor(source, 1, place, [NEUTRAL], cutoff_m=301.0).n_pairs == 1
    none = SourceReceptor(source, 1, place, [NEUTRAL], cutoff_m=299.0)
    assert none.n_pairs == 0
    assert none.apply([[1.0]], wind_dir_deg=0.0, stability=0, u_star_mps=1.0) == pytest.approx(np.zeros((1, 1)))


def test_a_canyons_own_street_is_left_out():
    """Street 4's receptor gets nothing of street 4's segment, but all of the street -1 (open) one beside it."""
    sources, place = links(2), receptors(1)
    options = {"wind_dir_deg": 30.0, "stability": 0, "u_star_mps": 1.0}
    emission = np.array([[1.0], [3.0]])
    canyon = SourceReceptor(sources, 2, place, [NEUTRAL], cutoff_m=2e3, source_street=[4, -1], receptor_street=[4])
    plain = SourceReceptor(sources, 2, place, [NEUTRAL], cutoff_m=2e3, source_street=[-1, -1], receptor_street=[-1])
    assert plain.n_pairs == 2
    assert canyon.apply(emission, **options) == pytest.approx(plain.apply([[0.0], [3.0]], **options))


def test_a_receptor_on_a_link_counts_as_one_metre_beside_it():
    """Exactly on the axis, wind across: the same as 1 m downwind; and finite with the wind along the link."""
    sources = LineSources(*(np.array([v]) for v in (0.0, -100.0, 0.0, 100.0, 1.0, 1.2)), np.zeros(1, dtype=np.int32))
    places = [[0.0, 0.0, 1.5], [1.0, 0.0, 1.5]]
    matrices = SourceReceptor(sources, 1, places, [NEUTRAL])
    across = matrices.apply([[1.0]], wind_dir_deg=270.0, stability=0, u_star_mps=1.0)
    along = matrices.apply([[1.0]], wind_dir_deg=0.0, stability=0, u_star_mps=1.0)
    assert across[0, 0] == pytest.approx(across[1, 0], rel=1e-6)
    assert np.isfinite(along).all() and (along > 0.0).all()


def test_no_traffic_gives_no_concentration_and_no_links_are_allowed():
    nothing = np.zeros(0)
    empty = LineSources(*[nothing] * 6, nothing.astype(np.int32))
    options = {"wind_dir_deg": 30.0, "stability": 0, "u_star_mps": 1.0}
    assert not SourceReceptor(links(), 12, receptors(), [NEUTRAL]).apply(np.zeros((12, 4)), **options).any()
    assert not SourceReceptor(empty, 3, receptors(), [NEUTRAL]).apply(np.ones((3, 5)), **options).any()


def test_preparing_makes_every_direction_and_the_meander_of_every_class():
    """8 directions + 1 meander, 2 classes: 18 matrices; entries do not change by asking again."""
    matrices = SourceReceptor(links(), 12, receptors(), [NEUTRAL, STABLE], n_directions=8)
    assert matrices.nnz == 0
    made = matrices.prepare().nnz
    assert len(matrices._matrices) == 18
    assert matrices.prepare().nnz == made > 0
    assert matrices.nbytes >= 8 * made


def test_more_than_four_pollutants_are_a_matter_of_columns():
    matrices, emission = SourceReceptor(links(), 12, receptors(), [NEUTRAL]), np.random.default_rng(5).random((12, 6))
    options = {"wind_dir_deg": 211.0, "stability": 0, "u_star_mps": 0.4}
    together = matrices.apply(emission, **options)
    assert together[:, 5] == pytest.approx(matrices.apply(emission[:, 5:], **options)[:, 0], rel=1e-12)


def test_the_time_to_the_cut_off_and_what_has_left_by_then():
    """sigma_v large against the wind near rough ground: Ue >= sqrt(2) 1.9 u*, so 500 m take at most 186 s / u*.

    With u* 1 and an interval of 900 s the share is 1 - residence / 900; an interval shorter than the way gives 0.
    """
    matrices = SourceReceptor(links(), 12, receptors(), [NEUTRAL])
    taken = matrices.residence_s(stability=0, u_star_mps=1.0)
    assert 10.0 < taken < 500.0 / (math.sqrt(2.0) * 1.9)
    assert matrices.residence_s(stability=0, u_star_mps=0.5) == pytest.approx(2.0 * taken)
    assert matrices.beyond(stability=0, u_star_mps=1.0) == pytest.approx(1.0 - taken / 900.0)
    assert matrices.beyond(stability=0, u_star_mps=1.0, interval_s=1.0) == 0.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"wind_dir_deg": math.nan}, "wind_dir_deg=nan"),
        ({"u_star_mps": 0.0}, "u_star_mps=0.0 must be above 0"),
        ({"stability": 6}, "stability=6 is not one of the 1 classes"),
    ],
)
def test_an_impossible_hour_is_told(change, told):
    matrices = SourceReceptor(links(), 12, receptors(), [NEUTRAL])
    with pytest.raises(AirError, match=told):
        matrices.apply(np.ones((12, 1)), **({"wind_dir_deg": 0.0, "stability": 0, "u_star_mps": 1.0} | change))
    with pytest.raises(AirError, match="negative, missing or infinite"):
        matrices.apply(-np.ones((12, 1)), wind_dir_deg=0.0, stability=0, u_star_mps=1.0)
    with pytest.raises(AirError, match="negative, missing or infinite"):
        matrices.apply(np.full((12, 1), np.nan), wind_dir_deg=0.0, stability=0, u_star_mps=1.0)
    with pytest.raises(AirError, match=r"shape \(11, 1\)"):
        matrices.apply(np.ones((11, 1)), wind_dir_deg=0.0, stability=0, u_star_mps=1.0)


def test_impossible_matrices_name_every_fault():
    bad = SurfaceLayer(u_star_mps=0.3, obukhov_m=math.inf, sigma_v_mps=0.5, z0_m=0.3)
    with pytest.raises(AirError, match=r"link 11, but there are 3 links.*u_star_mps=0\.3.*cutoff_m=0 .*one is missing"):
        SourceReceptor(links(), 3, receptors(), [bad], cutoff_m=0.0, source_street=np.zeros(12, dtype=int))

"""The canyon box: reference values, the balance of mass, its limits, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from simulation.air.errors import AirError
from simulation.air.street.canyon_box import canyon_box, exchange_velocity, roof_turbulence, street_wind


@pytest.mark.parametrize(("form", "velocity", "unit"), [("sirane", 0.086376, 0.57886), ("schulte", 0.086346, 0.57907)])
def test_the_reference_canyon_without_wind_along_it(form, velocity, unit):
    """u* 0.3, H = W = 20, z_i 1000: sigma_w = 1.3 x 0.3 x (1 - 0.8 x 0.02) = 0.38376.

    SIRANE: 0.38376 / (1.41421 x 3.14159) = 0.086376; Schulte: 0.45 x 0.38376 / 2 = 0.086346; C/Q = 1 / (u_d x 20).
    """
    sigma_w = roof_turbulence(0.3, 20.0, 1000.0)
    assert sigma_w == pytest.approx(0.38376, abs=5e-6)
    exchange = exchange_velocity(sigma_w, 20.0, 20.0, form=form)
    assert exchange == pytest.approx(velocity, abs=5e-7)
    box = canyon_box(height_m=20.0, width_m=20.0, length_m=100.0, street_wind_mps=0.0, exchange_mps=exchange)
    assert box == pytest.approx(unit, abs=6e-6)


def test_turbulence_in_stable_and_unstable_air():
    """Stable: 0.39 x 0.99^0.75 = 0.387071. Unstable, L -50: w* = 0.3 x (1000 / 20)^(1/3) = 1.105209.

    Convective: 0.632456 x 1.105209 x 2.1 x 0.02^(1/3) x 0.984 = 0.392072; with 0.38376: 0.548628.
    """
    sigma = roof_turbulence(0.3, 20.0, 1000.0, obukhov_m=np.array([50.0, -50.0, np.inf, -np.inf]))
    np.testing.assert_allclose(sigma, [0.387071, 0.548628, 0.38376, 0.38376], atol=2e-6)


def test_wind_along_the_street_by_its_shape():
    """H/W 1: g = 2/pi, a = 0.5: 0.63662 x (1 - e^-0.5) / 0.5 = 0.500981 of the roof wind; half of it at 60 degrees.

    H/W 0.5: g = 1 + 3 x (2/pi - 1) x (1/6) = 0.818310, a = 0.25: x 0.884797 = 0.724038. H/W 0.2: g = 1, a = 0.1:
    0.951626.
    """
    wind = street_wind(4.0, np.array([20.0, 20.0, 10.0, 4.0]), 20.0, np.radians([0.0, 60.0, 180.0, 0.0]))
    np.testing.assert_allclose(wind / 4.0, [0.500981, 0.2504904, 0.724038, 0.951626], atol=1e-6)
    assert street_wind(4.0, 20.0, 20.0, np.pi / 2) == pytest.approx(0.0, abs=1e-12)


def test_what_is_emitted_leaves_through_the_roof_and_the_end():
    """Q L = u_street H W C + u_d W L C for any street."""
    rng = np.random.default_rng(5)
    h, w, length, along, up = rng.uniform(0.05, 50.0, (5, 100))
    unit = canyon_box(height_m=h, width_m=w, length_m=length, street_wind_mps=along, exchange_mps=up)
    np.testing.assert_allclose(along * h * w * unit + up * w * length * unit, length, rtol=1e-12)


def test_nonsense_is_refused_with_all_its_faults():
    """A flat street, a negative wind; then no flow at all; then roofs above the mixing height."""
    with pytest.raises(AirError, match=r"height_m .*street_wind_mps"):
        canyon_box(height_m=0.0, width_m=20.0, length_m=50.0, street_wind_mps=-1.0, exchange_mps=0.1)
    with pytest.raises(AirError, match="nothing carries"):
        canyon_box(height_m=9.0, width_m=20.0, length_m=50.0, street_wind_mps=0.0, exchange_mps=0.0)
    with pytest.raises(AirError, match=r"u_star_mps .*mixing_height_m.*obukhov_m"):
        roof_turbulence(-0.1, 30.0, 20.0, obukhov_m=0.0)
    with pytest.raises(AirError, match="sirane"):
        exchange_velocity(0.3, 20.0, 20.0, form="other")  # type: ignore[arg-type]

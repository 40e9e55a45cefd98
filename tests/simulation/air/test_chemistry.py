"""The street's NO-NO2-O3 balance against worked values of the OSPM form."""

import numpy as np
import pytest

from simulation.air.chemistry import street_no2


@pytest.mark.parametrize(("radiation", "no2", "o3"), [(400.0, 35.1498, 18.8502), (0.0, 38.4935, 15.5065)])
def test_no2_and_ozone_equal_the_worked_case(radiation, no2, o3):
    """NOx 80, background NOx 20, NO2 12, O3 30 ppb, a fifth of the street's NOx as NO2, 288 K, 60 s."""
    unreacted = 0.2 * (80.0 - 20.0) + 12.0
    found = street_no2(
        np.array([80.0]),
        np.array([unreacted]),
        np.array([30.0]),
        radiation=radiation,
        temperature_k=288.0,
        residence_s=60.0,
    )
    assert found[0] == pytest.approx(no2, abs=1e-4)
    assert found[1] == pytest.approx(o3, abs=1e-4)


def test_oxidant_is_kept_and_nothing_is_negative():
    """NO2 + O3 is what mixing brought, at any light, load and residence time."""
    rng = np.random.default_rng(5)
    nox = rng.uniform(1, 400, 500)
    no2 = nox * rng.uniform(0, 1, 500)
    o3 = rng.uniform(0, 80, 500)
    after_no2, after_o3 = street_no2(
        nox, no2, o3, radiation=rng.uniform(0, 900, 500), temperature_k=285.0, residence_s=rng.uniform(20, 600, 500)
    )
    np.testing.assert_allclose(after_no2 + after_o3, no2 + o3, rtol=1e-12)
    assert (after_o3 > -1e-9).all() and (after_no2 >= 0).all() and (after_no2 <= nox + 1e-9).all()


def test_air_that_just_passes_through_does_not_react():
    """As the residence time goes to zero, NO2 stays what mixing left."""
    no2, o3 = street_no2(
        np.array([80.0]), np.array([24.0]), np.array([30.0]), radiation=300.0, temperature_k=288.0, residence_s=1e-6
    )
    assert no2[0] == pytest.approx(24.0, abs=1e-4) and o3[0] == pytest.approx(30.0, abs=1e-4)

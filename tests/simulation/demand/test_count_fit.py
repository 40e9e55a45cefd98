"""GEH and RMSE, by hand."""

import numpy as np
import pytest

from simulation.demand.count_fit import fit_quality, geh
from simulation.errors import DemandError


def test_geh_weighs_a_gap_by_the_volumes():
    """550 for 450: sqrt(2 x 100^2 / 1000) = 4.472; 0 for 50: sqrt(2 x 2500 / 50) = 10; 0 for 0: 0."""
    assert geh(np.array([550.0, 0.0, 0.0]), np.array([450.0, 50.0, 0.0])) == pytest.approx([4.47214, 10.0, 0.0], 1e-5)


def test_the_fit_tells_size_sign_and_share():
    """Gaps 100 and 0 for counts 450 and 150: RMSE sqrt(5000) = 70.7, 23.6 % of the mean 300; bias 50; both GEH < 5."""
    found = fit_quality(np.array([550.0, 150.0]), np.array([450.0, 150.0]))
    assert found["rmse_veh_per_h"] == pytest.approx(70.7107, rel=1e-5)
    assert found["rmse_share"] == pytest.approx(0.235702, rel=1e-5)
    assert (found["n"], found["bias_veh_per_h"], found["geh_below_5_share"]) == (2, 50.0, 1.0)


def test_every_fault_of_the_two_rows_is_named():
    """Lengths that differ, a negative value and a gap: one error."""
    with pytest.raises(DemandError, match=r"(?s)modelled must.*counted must.*one each"):
        fit_quality(np.array([-1.0]), np.array([1.0, np.nan]))

"""The parts of the benchmark that judge a study's intervals, on numbers whose answer is known."""

import numpy as np
import pytest

from app.benchmarks.scenarios.common_luck import QUANTITIES
from app.benchmarks.scenarios.common_luck import told as luck
from app.benchmarks.scenarios.coverage import interval, theory, told


def test_seeds_that_double_narrow_an_interval_by_about_one_over_root_two():
    """Many studies of 5 and 10 normal pairs: 1/sqrt(2) of the t quantiles' ratio, 0.608 in the mean; 0.707 beyond t."""
    pairs = np.random.default_rng(2).standard_normal((4000, 80))
    for k, want in ((5, theory(5)), (40, theory(40))):
        ratio = interval(pairs[:, : 2 * k], 0.0)[1].mean() / interval(pairs[:, :k], 0.0)[1].mean()
        spread = np.sqrt((1 - 1 / (4 * (2 * k - 1))) / (1 - 1 / (4 * (k - 1))))  # means of S are a little below sigma
        assert ratio == pytest.approx(want * spread, rel=0.06)
    assert theory(40) == pytest.approx(1 / np.sqrt(2), rel=0.02)


def test_coverage_of_normal_pairs_is_what_it_promises_and_of_skewed_ones_less():
    """300 studies of 5 pairs cover in 90 % +- 3 deviations where pairs are normal, in fewer where they are skewed."""
    rng = np.random.default_rng(5)
    nothing = np.zeros(2500)
    pairs = {
        ("normal", "city", ""): (nothing, 3.0 + rng.standard_normal(2500)),
        ("skewed", "city", ""): (nothing, np.exp(1.5 * rng.standard_normal(2500))),
    }
    found = told(pairs, seed=1)
    normal, skewed = found["quantities"]
    assert normal["studies"] == 300 and normal["coverage"] == pytest.approx(0.9, abs=0.052)
    assert skewed["coverage"] < 0.85 and skewed["skewness"] > 3
    assert {"least coverage", "largest coverage"} <= {one["name"] for one in found["figures"]}


def test_shared_luck_is_told_by_the_ratio_of_widths():
    """Sides with variance 1, apart by a deviation of a tenth: sqrt(0.01 / 2) = 0.07; a copy tells nothing."""
    rng = np.random.default_rng(6)
    base = rng.standard_normal((5000, len(QUANTITIES)))
    new = base + 0.1 * rng.standard_normal(base.shape)
    new[:, 0] = base[:, 0]
    rows = luck("x", base, new)
    assert len(rows) == len(QUANTITIES) - 1
    assert rows[0]["ratio"] == pytest.approx(np.sqrt(0.01 / 2.01), rel=0.05)

"""Significance: intervals and p-values that keep what they claim, checked by simulation where nothing differs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from models.errors import SettingsError
from models.significance import PairSums, between_seeds, block_length, diebold_mariano, paired_test
from models.verdicts import corrected, verdicts

DRAWS = 299


def sums(gap: np.ndarray, level: float = 10.0) -> PairSums:
    """Days of 24 rows whose mean losses are `level + gap` and `level`; gap (D, Z)."""
    gap = gap[:, :, None]
    return PairSums(24 * (level + gap), np.full(gap.shape, 24 * level), np.full(gap.shape, 24.0))


def lasting(rng: np.random.Generator, days: int, zones: int, r: float) -> np.ndarray:
    """Autoregressive days of variance 1."""
    found = rng.standard_normal((days, zones))
    for d in range(1, days):
        found[d] = r * found[d - 1] + np.sqrt(1 - r**2) * found[d]
    return found


def test_losses_are_summed_by_day_where_both_are_known():
    """Days of 2 and 1 rows; the second row of the first model is not known: sums 1 and 5, counts 1 and 1."""
    a = np.array([1.0, np.nan, 5.0])[:, None, None]
    b = np.array([2.0, 3.0, 4.0])[:, None, None]
    made = PairSums.of(a, b, np.array([7, 7, 9]))
    assert made.a.ravel().tolist() == [1.0, 5.0]
    assert made.b.ravel().tolist() == [2.0, 4.0]
    assert made.count.ravel().tolist() == [1.0, 1.0]
    assert made.pooled().a.shape == (2, 1, 1)


def test_rows_that_do_not_pair_are_refused_with_every_fault():
    with pytest.raises(SettingsError, match=r"shapes .* and .*day falls"):
        PairSums.of(np.zeros((2, 1, 1)), np.zeros((2, 2, 1)), np.array([1, 0]))


def test_the_difference_is_that_of_the_means_over_rows_not_over_days():
    """Days of 1 and 3 rows with differences 4 and 0: mean (4 + 0) / 4 = 1, not 2."""
    made = PairSums(np.array([[[5.0]], [[3.0]]]), np.array([[[1.0]], [[3.0]]]), np.array([[[1.0]], [[3.0]]]))
    test = paired_test(made, draws=DRAWS)
    assert test.difference.item() == pytest.approx(1.0)
    assert test.share.item() == pytest.approx(1.0)


@pytest.mark.parametrize(("days", "r", "claimed"), [(7, 0.0, 0.10), (28, 0.0, 0.10), (28, 0.3, 0.15)])
def test_intervals_miss_no_more_often_than_they_claim(days, r, claimed):
    """600 zones without a difference, intervals of 90 %: at most 10 % miss 0 (15 % where days go together by 0.3;
    single days miss in 22 % then); the standard error of such a share is 1.2 %."""
    rng = np.random.default_rng(days)
    test = paired_test(sums(lasting(rng, days, 600, r)), draws=DRAWS)
    missed = ((test.low > 0) | (test.high < 0)).mean()
    assert 0.03 < missed <= claimed + 0.025
    assert (test.p <= 0.1).mean() <= claimed + 0.025
    assert test.block == (1 if r == 0 else test.block)


@pytest.mark.parametrize("method", ["holm", "bh", "by"])
def test_no_false_verdict_in_ninety_percent_of_cities_of_200_zones_that_do_not_differ(method):
    """60 cities without any difference, zones that go together by 0.5: a false verdict in at most 10 % of them, that is
    6, and 11 with a chance of 2 %."""
    rng = np.random.default_rng(11)
    false = 0
    for city in range(60):
        gap = rng.standard_normal((21, 200)) + rng.standard_normal((21, 1))
        false += bool((verdicts(paired_test(sums(gap), draws=199, seed=city), method=method).winner != 0).any())
    assert false <= 11


def test_real_differences_are_found_on_the_right_side():
    """Zones differ by -1, 0 or 1 of 10 with daily noise of 1 over 28 days: t = 5.3, beyond Holm's 3.7 for 90 zones."""
    rng = np.random.default_rng(5)
    truth = np.repeat([-1.0, 0.0, 1.0], 30)
    test = paired_test(sums(truth + rng.standard_normal((28, 90))))
    found = verdicts(test)
    assert (found.winner[:30] == -1).mean() > 0.8 and (found.winner[60:] == 1).mean() > 0.8
    assert (found.winner[30:60] == 0).all()
    assert (np.sign(found.winner[:30]) <= 0).all()


def test_a_p_value_can_be_smaller_than_one_over_the_draws():
    """A difference of 5 daily standard deviations over 28 days: t is near 26, p far below 1 / 300."""
    rng = np.random.default_rng(0)
    test = paired_test(sums(5 + rng.standard_normal((28, 3))), draws=DRAWS)
    assert (test.p < 1e-6).all() and (test.low > 0).all()


def test_p_values_agree_with_students_t_for_normal_days():
    """With independent normal days Student's t is exact: rank correlation above 0.99, the typical ratio near 1."""
    rng = np.random.default_rng(1)
    gap = rng.standard_normal((40, 300)) + 0.3
    test = paired_test(sums(gap), draws=999)
    exact = stats.ttest_1samp(gap, 0.0).pvalue
    assert stats.spearmanr(test.p[:, 0], exact).statistic > 0.99
    assert np.median(test.p[:, 0] / exact) == pytest.approx(1.0, abs=0.25)


def test_days_that_go_together_are_drawn_together():
    """r = 0.5 over 64 days: (6 * 0.25 / 0.5625 * 64)^(1/3) = 5.5; independent days stay single."""
    rng = np.random.default_rng(2)
    assert block_length(lasting(rng, 64, 400, 0.5)) in (5, 6)
    assert block_length(rng.standard_normal((64, 400))) == 1
    assert block_length(lasting(rng, 7, 10, 0.9)) == 1


def test_equal_models_have_no_difference_and_one_day_tells_nothing():
    test = paired_test(sums(np.zeros((5, 2))), draws=DRAWS)
    assert (test.p == 1).all() and (test.low == 0).all() and (test.high == 0).all()
    alone = verdicts(paired_test(sums(np.ones((1, 2))), draws=DRAWS))
    assert (alone.winner == 0).all() and np.isnan(alone.p).all()
    assert "cannot be told: 1 days" in alone.words(0)
    assert "2 cannot be told" in alone.summary()


def test_two_days_give_a_finite_interval_and_no_verdict():
    """Two days, differences 1 and 1.2: half of the resamples are one day twice and say nothing."""
    test = paired_test(sums(np.array([[1.0], [1.2]])), draws=DRAWS)
    assert np.isfinite(test.low).all() and test.p.item() > 0.4
    assert verdicts(test, method="none", alpha=0.05).words(0).startswith("no difference")


def test_a_difference_that_no_test_of_two_days_could_see_is_not_given_as_a_number():
    """Two days that differ by 4 of 10 and -4: t with one degree of freedom needs more than the whole loss."""
    found = verdicts(paired_test(sums(np.array([[4.0], [-4.0]])), draws=DRAWS))
    assert found.words(0).endswith("2 days are too few to see any")


def test_a_zone_without_readings_is_left_out_of_the_correction():
    rng = np.random.default_rng(3)
    made = sums(rng.standard_normal((10, 3)) + 2)
    made.a[:, 1], made.b[:, 1], made.count[:, 1] = 0, 0, 0
    found = verdicts(paired_test(made, draws=DRAWS))
    assert np.isnan(found.p[1, 0]) and found.winner[1, 0] == 0
    assert (
        found.p[0, 0] == pytest.approx(min(2 * found.test.p[0, 0], 1), rel=1) and np.isfinite(found.p[[0, 2], 0]).all()
    )


def test_the_same_seed_gives_the_same_bits_whether_zones_are_tested_together_or_in_pieces(monkeypatch):
    """The same resamples for every zone; matrix products of other widths may round otherwise."""
    rng = np.random.default_rng(4)
    made = sums(rng.standard_normal((15, 30)))
    one, other = paired_test(made, draws=99, seed=3), paired_test(made, draws=99, seed=3)
    assert np.array_equal(one.p, other.p) and np.array_equal(one.low, other.low)
    monkeypatch.setattr("models.significance._PIECE", 99 * 7)
    pieces = paired_test(made, draws=99, seed=3)
    assert np.allclose(pieces.low, one.low) and np.allclose(pieces.p, one.p)


def test_holm_by_hand_and_false_discoveries_as_scipy():
    """0.01 x 3; 0.03 x 2 = 0.06; 0.04 x 1 = 0.04, raised to 0.06. Two horizons are corrected apart."""
    p = np.array([[0.01, 1.0], [0.04, np.nan], [0.03, 0.2]])
    assert corrected(p)[:, 0] == pytest.approx([0.03, 0.06, 0.06])
    assert corrected(p)[[0, 2], 1] == pytest.approx([1.0, 0.4]) and np.isnan(corrected(p)[1, 1])
    assert corrected(p[:, 0], "bh") == pytest.approx([0.03, 0.04, 0.04])
    assert corrected(p[:, 0], "by") == pytest.approx(np.array([0.03, 0.04, 0.04]) * (1 + 1 / 2 + 1 / 3))
    assert corrected(p[:, 0], "none") == pytest.approx(p[:, 0])
    with pytest.raises(SettingsError, match="no correction 'sidak'"):
        corrected(p, "sidak")


def test_verdicts_read_as_sentences():
    """One zone where the first model loses 1 of 10 less, one where the second does, one without a difference."""
    rng = np.random.default_rng(6)
    truth = np.array([-1.0, 1.0, 0.0])
    found = verdicts(paired_test(sums(truth + 0.3 * rng.standard_normal((30, 3))), draws=DRAWS))
    assert found.words(0).startswith("the micromodel is better by ") and "(90 % interval " in found.words(0)
    assert found.words(1).startswith("the macromodel is better by ")
    assert found.words(2).startswith("no difference: the micromodel had ") and "would probably have" in found.words(2)
    low, high = (float(word) for word in found.words(0).split("interval ")[1].rstrip(")").split(" to "))
    assert 0 < low < 10 < high + 2 < 20
    assert found.summary() == ("the micromodel is better in 1 of 3 zones, the macromodel in 1, no difference in 1")


def test_a_certain_but_tiny_difference_can_be_called_none():
    """0.5 % with hardly any noise is certain, and below a least of 1 %."""
    gap = 0.05 + 0.001 * np.random.default_rng(7).standard_normal((20, 1))
    test = paired_test(sums(gap), draws=DRAWS)
    assert verdicts(test).winner.item() == 1 and verdicts(test, least=0.01).winner.item() == 0


def test_the_smallest_visible_difference_is_seen_four_times_in_five():
    """300 zones that differ by what one zone alone was said to be able to see, daily noise 1 over 28 days."""
    rng = np.random.default_rng(8)
    null = verdicts(paired_test(sums(rng.standard_normal((28, 300))), draws=DRAWS), method="none")
    size = 10 * float(np.median(null.visible))
    real = verdicts(paired_test(sums(size + rng.standard_normal((28, 300))), draws=DRAWS), method="none")
    assert (real.winner == 1).mean() == pytest.approx(0.8, abs=0.07)


def test_seeds_that_disagree_show_in_the_spread():
    """Shares of -10, 0 and 10 %: mean 0, SD 10 %; two of three seeds have no sign of the mean."""
    tests = [paired_test(sums(np.full((4, 1), gap)), draws=DRAWS) for gap in (-1.0, 0.0, 1.0)]
    spread = between_seeds(tests)
    assert spread.mean.item() == pytest.approx(0.0) and spread.sd.item() == pytest.approx(0.1)
    assert spread.agree.item() == pytest.approx(1 / 3)
    assert np.isnan(between_seeds(tests[:1]).sd).all()


def test_diebold_mariano_keeps_its_level_and_agrees_with_the_bootstrap():
    """500 rows of an autoregression of 0.5 without a difference: at most 10 % + 4 % of 300 zones below p = 0.1. With
    one, both tests put the zones into the same order."""
    rng = np.random.default_rng(9)
    noise = lasting(rng, 500, 300, 0.5)[:, :, None]
    statistic, p = diebold_mariano(10 + noise, np.full(noise.shape, 10.0), (2,))
    assert 0.04 < (p <= 0.1).mean() <= 0.14
    moved = noise + np.linspace(-0.4, 0.4, 300)[:, None]
    statistic, _ = diebold_mariano(10 + moved, np.full(noise.shape, 10.0), (2,))
    test = paired_test(PairSums.of(10 + moved, np.full(noise.shape, 10.0), np.arange(500) // 20), draws=DRAWS)
    assert stats.spearmanr(statistic[:, 0], (test.difference / test.se)[:, 0]).statistic > 0.95


def test_diebold_mariano_by_hand():
    """Differences 1, 2, 3, 4, horizon 1, no lags: mean 2.5, variance 5 / 4, error sqrt(5) / 4, small-sample factor
    sqrt(3 / 4): 2.5 / 0.559 x 0.866 = 3.873, that is t with 3 degrees of freedom of Student's own test."""
    gap = np.array([1.0, 2.0, 3.0, 4.0])[:, None, None]
    statistic, p = diebold_mariano(gap, np.zeros_like(gap), (1,), lags=0)
    assert statistic.item() == pytest.approx(stats.ttest_1samp(gap.ravel(), 0).statistic)
    assert p.item() == pytest.approx(stats.ttest_1samp(gap.ravel(), 0).pvalue)

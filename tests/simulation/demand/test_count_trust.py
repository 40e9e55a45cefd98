"""Trust in counts by cross-validation, against closed forms and where counts mislead."""

import numpy as np
import pytest

from simulation.demand.count_trust import best_factor, corridors, folds_of
from simulation.errors import DemandError


def test_links_that_carry_the_same_trips_are_one_corridor():
    """Links 7 and 8 carry pair 0, link 9 carries pair 1, link 9's second hour too: groups {7, 8} and {9, 9}."""
    matrix = np.array([[0.1, 0.0], [0.2, 0.0], [0.0, 0.1], [0.0, 0.3]])
    group = corridors(matrix, np.ones(2), np.array([7, 8, 9, 9]))
    assert group[0] == group[1] != group[2] == group[3]


def test_a_pair_that_two_links_share_binds_them_by_its_part_of_the_variance():
    """Shares (1, 1) and (1, 0) of pairs with equal errors: correlation 1 / sqrt(2) = 0.71."""
    matrix, link = np.array([[1.0, 1.0], [1.0, 0.0]]), np.array([0, 1])
    assert len(set(corridors(matrix, np.ones(2), link, alike=0.70))) == 1
    assert len(set(corridors(matrix, np.ones(2), link, alike=0.72))) == 2


def test_groups_are_never_cut_and_folds_are_even():
    """Ten groups of three counts in five folds: six counts in each, no group in two."""
    group = np.repeat(np.arange(10), 3)
    fold = folds_of(group, 5, seed=1)
    assert np.bincount(fold).tolist() == [6] * 5
    assert all(np.unique(fold[group == k]).size == 1 for k in range(10))


def test_what_is_left_out_is_predicted_by_the_closed_form():
    """One pair on two links, prior error 2, count error 1, gap 3 on both: guess 4 / (4 + 1) x 3 = 2.4, left 0.6.

    With the factor 2 the guess is 4 / (4 + 4) x 3 = 1.5, left 1.5; with the prior, 3.
    """
    factor, misfit = best_factor(
        np.ones((2, 1)), np.array([2.0]), np.full(2, 3.0), np.ones(2), np.array([0, 1]), factors=(1.0, 2.0, np.inf)
    )
    assert misfit == pytest.approx([0.36, 2.25, 9.0])
    assert factor == 1.0


def test_counts_that_contradict_each_other_are_not_trusted():
    """Gaps of 3 and -3 for the same trips: any step makes the other worse, the prior stays."""
    factor, _ = best_factor(np.ones((2, 1)), np.ones(1), np.array([3.0, -3.0]), np.ones(2), np.array([0, 1]))
    assert factor == np.inf


def test_errors_that_links_share_call_for_less_trust():
    """Counts with the errors that they are said to have: factor 1 to 1.5. With 4 times these: 2 or more."""
    rng = np.random.default_rng(5)
    matrix = rng.random((120, 40)) * (rng.random((120, 40)) < 0.2)
    fold, sd = folds_of(np.arange(120), 5, seed=1), np.full(120, 0.2)
    gap = matrix @ rng.standard_normal(40)
    little = best_factor(matrix, np.ones(40), gap + sd * rng.standard_normal(120), sd, fold)[0]
    much = best_factor(matrix, np.ones(40), gap + 4.0 * sd * rng.standard_normal(120), sd, fold)[0]
    assert little <= 1.5 and much >= 2.0


def test_shapes_that_do_not_fit_are_named():
    """Three errors for two counts."""
    with pytest.raises(DemandError, match="count_sd"):
        best_factor(np.ones((2, 1)), np.ones(1), np.ones(2), np.ones(3), np.zeros(2, np.int64))

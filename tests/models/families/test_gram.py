"""Sums over blocks and ridge lines from them, against plain least squares on the rows."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.gram import block_bounds, blocks_of, zone_chunks
from models.families.gram_kernels import left_out_errors, ridge_lines, searched_penalties
from models.rows import Layout, Rows


def made(n=90, zones=3, steps=(1, 4), f1=4, f2=2, seed=0):
    """Rows and outcomes that follow them, a tenth of the outcomes unknown."""
    rng = np.random.default_rng(seed)
    layout = Layout(tuple(f"c{k}" for k in range(f1)), tuple(f"a{k}" for k in range(f2)), steps)
    common = (2.0 + 1.5 * rng.normal(size=(n, zones, f1))).astype(np.float32)
    ahead = rng.normal(size=(n, zones, len(steps), f2)).astype(np.float32)
    y = (common[:, :, :1] - 0.5 * ahead[..., 0] + rng.normal(size=(n, zones, len(steps)))).astype(np.float32)
    y[rng.random(y.shape) < 0.1] = np.nan
    return Rows(common, ahead, layout), y


def plain_ridge(x, y, penalty, deviation):
    """Normal equations on standardised rows; (constant, raw coefficients)."""
    centred = (x - x.mean(0)) / deviation
    gram = centred.T @ centred / len(x) + penalty * np.eye(x.shape[1])
    slope = np.linalg.solve(gram, centred.T @ (y - y.mean()) / len(x)) / deviation
    return np.r_[y.mean() - slope @ x.mean(0), slope]


def test_sums_are_those_of_the_rows_heard_block_by_block():
    rows, y = made()
    bounds = block_bounds(90, 3)
    blocks = blocks_of(rows, y, bounds, gap=4)
    assert bounds.tolist() == [0, 30, 60, 90]
    for z, s, k in ((0, 0, 0), (2, 1, 1), (1, 0, 2)):
        every = np.column_stack([np.ones(90), rows.at(s)[:, z], y[:, z, s]]).astype(float)
        for found, a, b in (
            (blocks.whole, 30 * k, 30 * k + 30),
            (blocks.judged, 30 * k + 4 * (k > 0), 30 * k + 30 - 4 * (k < 2)),
        ):
            part = every[a:b][np.isfinite(every[a:b, -1])]
            np.testing.assert_allclose(found[z, s, k], part.T @ part, rtol=1e-4, atol=2e-3)


def test_a_zone_with_few_outcomes_is_summed_from_those():
    """Taking 88 of 90 rows out again would leave rounding behind: the two that are left are added up instead."""
    rows, y = made()
    y[2:, 0] = np.nan
    y[:2, 0] = 1.0
    whole = blocks_of(rows, y, block_bounds(90, 1), gap=0).whole[0, 0, 0]
    x = np.column_stack([np.ones(2), rows.at(0)[:2, 0], np.ones(2)])
    np.testing.assert_allclose(whole, x.T @ x, rtol=1e-6, atol=1e-6)


def test_a_ridge_line_solves_the_normal_equations():
    rows, y = made(zones=70)  # more systems than are worked on side by side
    gram = blocks_of(rows, y, block_bounds(90, 1), gap=0).whole[:, :, 0]
    width = gram.shape[-1]
    lines = ridge_lines(gram.reshape(-1, width, width), np.full(140, 0.05), np.ones(width)).reshape(70, 2, -1)
    for z, s in ((0, 0), (69, 1), (31, 0)):
        heard = np.isfinite(y[:, z, s])
        x = rows.at(s)[heard, z].astype(float)
        np.testing.assert_allclose(lines[z, s], plain_ridge(x, y[heard, z, s].astype(float), 0.05, x.std(0)), atol=2e-4)


def test_a_feature_that_never_varies_gets_no_coefficient():
    rows, y = made()
    rows.common[:, :, 2] = 3.0
    gram = blocks_of(rows, y, block_bounds(90, 1), gap=0).whole[:, :, 0]
    lines = ridge_lines(gram.reshape(6, 8, 8), np.full(6, 1e-3), np.ones(8))
    assert (lines[:, 3] == 0.0).all()
    assert np.isfinite(lines).all()


def test_the_error_of_a_block_left_out_is_that_of_a_refit_without_it():
    """Each of 3 blocks is forecast by a line of the other two, judged on its inner rows."""
    rows, y = made()
    blocks = blocks_of(rows, y, block_bounds(90, 3), gap=4)
    width = blocks.whole.shape[-1]
    found = left_out_errors(
        blocks.whole.reshape(6, 3, width, width),
        blocks.judged.reshape(6, 3, width, width),
        np.array([0.01, 1.0], np.float32),
        np.ones((1, width), np.float32),
    ).reshape(3, 2, 2)
    for z, s, r, penalty in ((0, 0, 0, 0.01), (2, 1, 1, 1.0)):
        x, outcome = rows.at(s)[:, z].astype(float), y[:, z, s].astype(float)
        heard = np.isfinite(outcome)
        deviation, total = x[heard].std(0), 0.0
        for k in range(3):
            inside = (np.arange(90) // 30) == k
            line = plain_ridge(x[heard & ~inside], outcome[heard & ~inside], penalty, deviation)
            judged = np.zeros(90, bool)
            judged[30 * k + 4 * (k > 0) : 30 * k + 30 - 4 * (k < 2)] = True
            miss = outcome[heard & judged] - line[0] - x[heard & judged] @ line[1:]
            total += (miss**2).sum()
        assert found[z, s, r] == pytest.approx(total, rel=1e-3)


def test_zones_are_taken_in_chunks_that_cover_them_once():
    rows, _ = made(zones=5)
    wide = Rows(np.zeros((90, 5000, 4), np.float32), np.zeros((90, 5000, 2, 2), np.float32), rows.layout)
    places = np.concatenate([np.arange(5000)[part] for part in zone_chunks(wide, 5)])
    assert np.array_equal(places, np.arange(5000))
    assert len(list(zone_chunks(wide, 5))) > 1


def test_the_penalty_searched_for_is_the_best_of_all():
    """Every third of 11 is tried, then its neighbours: as good as the best of all 11.

    On noise errors may have several valleys: within 1 %.
    """
    rows, y = made(zones=40)
    y[:, 20:] = np.random.default_rng(3).normal(size=y[:, 20:].shape)  # noise: the strongest penalty is best
    blocks = blocks_of(rows, y, block_bounds(90, 3), gap=4)
    known = [part.reshape(80, 3, 8, 8) for part in (blocks.whole, blocks.judged)]
    for count in (3, 11):
        tried = np.geomspace(1e-3, 1e2, count).astype(np.float32)
        every = left_out_errors(*known, tried, np.ones((1, 8), np.float32))[:, 0]
        found = searched_penalties(*known, tried, np.ones(8, np.float32))
        np.testing.assert_allclose(every[np.arange(80), found], every.min(axis=1), rtol=1e-2)
        assert np.unique(found).size > 1


def test_the_range_of_each_feature_is_that_of_all_rows():
    """Those without an outcome too; 90 rows in 3 blocks are read in fours and single ones."""
    rows, y = made()
    blocks = blocks_of(rows, y, block_bounds(90, 3), gap=4)
    np.testing.assert_array_equal(blocks.low, rows.flat().min(axis=0))
    np.testing.assert_array_equal(blocks.high, rows.flat().max(axis=0))


def test_sums_of_some_zones_do_not_hang_on_the_others():
    """A part of a wider table, one zone or one horizon of it, is read in place; longer blocks in several tiles."""
    rows, y = made(n=450, zones=6)
    some = slice(2, 5)
    part = Rows(rows.common[:, some], rows.ahead[:, some], rows.layout)
    every = blocks_of(rows, y, block_bounds(450, 2), gap=4)
    np.testing.assert_array_equal(every.whole[some], blocks_of(part, y[:, some], block_bounds(450, 2), gap=4).whole)
    one = blocks_of(rows.horizons([1]), y[:, :, 1:], block_bounds(450, 2), gap=4)
    np.testing.assert_allclose(one.whole[:, 0], every.whole[:, 1], rtol=1e-4, atol=5e-3)

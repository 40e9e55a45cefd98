"""A body learned for the city, a head for each zone."""

from __future__ import annotations

import numpy as np

from models.families.shared_body import SharedBody
from models.rows import Layout, Rows

LAYOUT = Layout(tuple(f"own_lag_{k}" for k in range(5)), ("ahead_day",), (1, 2))


def rows(n: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(
        rng.standard_normal((n, 5, 5)).astype(np.float32),
        rng.standard_normal((n, 5, 2, 1)).astype(np.float32),
        LAYOUT,
    )


def outcomes(made: Rows, seed: int) -> np.ndarray:
    """|x0| - 0.8 everywhere; zone 4 alone adds 1.5 x3."""
    y = np.abs(made.common[:, :, :1]) - 0.8 + 0.3 * np.random.default_rng(seed).standard_normal(made.shape)
    y[:, 4] += 1.5 * made.common[:, 4, 3:4]
    return y.astype(np.float32)


def test_a_head_learns_what_is_special_about_its_zone():
    """The body has no vectors here, so zone 4's own part (1.2 of absolute error) can only come from its head."""
    train, test = rows(600, 0), rows(300, 1)
    model = SharedBody(embedding=0, width=32, rate=5e-3).fit(train, outcomes(train, 2))
    truth = outcomes(test, 3)
    body = np.abs(model.body.predict(test) - truth).mean(axis=(0, 2))
    whole = np.abs(model.predict(test) - truth).mean(axis=(0, 2))
    assert body[4] > 0.8
    assert whole[4] < 0.5
    assert (whole[:4] < 1.1 * body[:4]).all()


def test_one_zones_head_is_refitted_without_touching_the_others():
    train, test = rows(300, 0), rows(40, 1)
    model = SharedBody(width=16, passes=3).fit(train, outcomes(train, 2))
    before = model.predict(test)
    places = np.array([3])
    changed = outcomes(train, 2)[:, places] + 1
    after = model.refit_heads(train.pick(places), changed, places).predict(test)
    others = [0, 1, 2, 4]
    assert np.array_equal(before[:, others], after[:, others])
    assert (after[:, 3] - before[:, 3]).mean() > 0.7

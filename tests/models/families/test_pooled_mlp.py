"""One network for the city, told which zone it speaks for."""

from __future__ import annotations

import numpy as np
import pytest

from models.families.network import Parameters
from models.families.pooled import Batch, _blocks
from models.families.pooled_mlp import PooledMLP
from models.families.tape import Node
from models.learner import Learner, learner_class
from models.rows import Layout, Rows

LAGS = tuple(f"{who}_lag_{k}" for who, count in (("own", 6), ("near1", 3), ("near2", 2)) for k in range(count))
LAYOUT = Layout((*LAGS, "own_mean_1h"), ("ahead_day", "ahead_sin"), (1, 3))
ZONE_FEATURES = np.array([[1.0, 0.5], [2.0, 0.1], [3.0, 0.4], [5.0, 0.2]])


def rows(n: int = 400, zones: int = 4, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    return Rows(
        rng.standard_normal((n, zones, 12)).astype(np.float32),
        rng.standard_normal((n, zones, 2, 2)).astype(np.float32),
        LAYOUT,
    )


def by_zone(made: Rows, seed: int = 1) -> np.ndarray:
    """|x0| - 0.8 in all zones, x1 with the sign of the zone's turn: what a pooled line cannot say."""
    turn = np.where(np.arange(made.shape[1]) % 2, -0.7, 0.7)[:, None]
    signal = np.abs(made.common[:, :, :1]) - 0.8 + turn * made.common[:, :, 1:2]
    return (signal + 0.2 * np.random.default_rng(seed).standard_normal(made.shape)).astype(np.float32)


@pytest.mark.parametrize("family", ["macro_mlp", "convolution", "attention"])
def test_a_whole_networks_gradient_is_that_of_finite_differences(family):
    """150 of its numbers, in double precision, at a random place where no layer is at rest."""
    made = rows(20)
    model = learner_class(family)(members=1, updates=1, loss="squared", dropout=0.0, embedding=3)
    model.fit(made, by_zone(made), zone_features=ZONE_FEATURES)
    p = Parameters({**model._shapes(), "vectors": (4, 3)}, dtype=np.float64)
    p.flat[:] = 0.3 * np.random.default_rng(2).standard_normal(p.flat.shape)
    samples = np.arange(0, 80, 7)
    single = model._batch(made, samples, np.arange(4), np.arange(2))
    parts = (single.common, single.ahead, single.zone, single.features, single.at)
    batch = Batch(*(part.astype(float) if part.dtype == np.float32 else part for part in parts))
    outcome = by_zone(made).reshape(80, 2)[samples].astype(float)

    def loss(flat):
        w = {name: Node(p.like(flat)[name]) for name in p.shapes}
        out = model._forecast(w, batch)
        return (0.5 * (out - outcome) ** 2).mean()

    found = model._gradient(p, batch, outcome)
    for k in np.random.default_rng(3).choice(p.flat.size, 150, replace=False):
        up, down = p.flat.copy(), p.flat.copy()
        up[k] += 1e-6
        down[k] -= 1e-6
        assert found[k] == pytest.approx((loss(up) - loss(down)) / 2e-6, rel=1e-4, abs=1e-7)


def test_a_zones_vector_turns_the_network_its_way():
    """Without a vector and zone features the turning part, a variance of 0.49, cannot be learned."""
    train, test = rows(), rows(300, seed=5)
    truth = by_zone(test, seed=6)
    errors = {}
    for length in (0, 4):
        model = PooledMLP(embedding=length, members=1, width=32, rate=5e-3, passes=30).fit(train, by_zone(train))
        errors[length] = np.abs(model.predict(test) - truth).mean()
    assert errors[0] > 0.5
    assert errors[4] < 0.7 * errors[0]


def test_a_zone_without_outcomes_is_forecast_by_the_average_zone():
    """Its vector is the mean of the others': what all zones share is forecast for it too."""
    train, test = rows(), rows(300, seed=5)
    y = by_zone(train)
    y[:, 3] = np.nan
    model = PooledMLP(members=1, width=32, rate=5e-3, passes=30).fit(train, y)
    vectors = model.state()[1]["vectors"][0]
    np.testing.assert_allclose(vectors[3], vectors[:3].mean(axis=0), rtol=1e-5)
    shared = np.abs(test.common[:, 3, 0]) - 0.8
    assert np.corrcoef(model.predict(test)[:, 3, 0], shared)[0, 1] > 0.5


def test_members_hold_out_other_blocks_and_keep_a_gap_around_them():
    """100 rows, a tenth held out, three members: a third of the way back each; four rows at each side go unused."""
    found = [_blocks(100, 0.1, member, 3, 4) for member in range(3)]
    assert [held[0] for _, held in found] == [90, 60, 30]
    for learn, held in found:
        assert len(held) == 10
        assert np.abs(learn[:, None] - held).min() == 5
    learn, held = _blocks(100, 0.0, 0, 3, 4)
    assert len(learn) == 100
    assert len(held) == 0


def test_all_members_average_the_forecast():
    train, test = rows(200), rows(20, seed=5)
    model = PooledMLP(members=2, holdout=0.0, width=16, passes=2).fit(train, by_zone(train))
    both = model.predict(test)
    whole = model._flat, model._arrays["vectors"]
    single = []
    for member in range(2):
        model._flat, model._arrays["vectors"] = whole[0][[member]], whole[1][[member]]
        single.append(model.predict(test))
    np.testing.assert_allclose(both, np.mean(single, axis=0), rtol=1e-4, atol=1e-5)


def test_forecasts_shrink_to_as_usual_where_nothing_can_be_learned():
    """Noise alone: on rows held out any forecast costs, so the gain ends at or near 0."""
    train = rows()
    noise = np.random.default_rng(9).standard_normal(train.shape).astype(np.float32)
    model = PooledMLP(width=32).fit(train, noise)
    assert np.abs(model.predict(rows(200, seed=5))).mean() < 0.12


@pytest.mark.parametrize("family", ["macro_mlp", "convolution", "attention", "shared_body"])
def test_rows_without_features_ahead_or_lags_are_learned_from_too(family):
    rng = np.random.default_rng(0)
    bare = Rows(
        rng.standard_normal((120, 2, 3)).astype(np.float32),
        np.zeros((120, 2, 1, 0), dtype=np.float32),
        Layout(("a", "b", "c"), (), (1,)),
    )
    model: Learner = learner_class(family)(passes=2).fit(bare, bare.common[:, :, :1])
    assert np.isfinite(model.predict(bare)).all()

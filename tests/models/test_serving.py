"""The automatic choice as it serves: every zone's model in use, following its own errors, and no other's."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.compare import model_levels
from models.following import follow
from models.intervals import QUANTILES
from models.scale import from_scale
from models.serving import around_in_use, follow_in_use, followers_of, servers
from models.training import train

TARGET, DAYS, STEPS = "flow_veh_per_h", 9, (1, 4, 24)
KINDS = ("mix", "micromodel", "macromodel")


@pytest.fixture(scope="module")
def training(city):
    """By hand, kinds in turn, so that each serves someone, whatever errs least."""
    overrides = [
        {"zone_id": zone, "target": TARGET, "model_in_use": KINDS[k % 3]} for k, zone in enumerate(city.zone_ids)
    ]
    return train(
        city, targets=(TARGET,), train_end=city.origin(DAYS * city.steps_per_day - 1), steps=STEPS,
        families=("ridge", "macro_ridge"), overrides=pd.DataFrame(overrides), seed=1,
    )  # fmt: skip


@pytest.fixture(scope="module")
def known(city):
    return DAYS * city.steps_per_day - 1 + np.arange(60)


@pytest.fixture(scope="module")
def levels(city, training, known):
    return model_levels(city, training, TARGET, city.zone_ids, known, STEPS)


def test_every_zone_is_served_by_one(city, training):
    every = servers(training, TARGET)
    assert sorted(np.concatenate([server.places for server in every])) == list(range(len(city.zone_ids)))
    for server in every:
        for place in server.places:
            assert server.name == ("ridge" if KINDS[place % 3] == "micromodel" else KINDS[place % 3])


def test_each_zone_follows_the_errors_of_the_model_that_serves_it(city, training, known, levels):
    fan = follow_in_use(training, TARGET, city, known, levels=levels)
    for place, zone in enumerate(city.zone_ids):
        model = {
            "micromodel": training.candidates["ridge", TARGET], "macromodel": training.macromodels[TARGET],
            "mix": training.mixes[TARGET],
        }[KINDS[place % 3]]  # fmt: skip
        alone = follow(model, city, known)[:, model.places([zone])[0]]
        np.testing.assert_allclose(fan[:, place], alone, rtol=1e-5, atol=1e-3)


def test_what_goes_live_has_its_own_follower_that_says_the_same(city, training, known, levels):
    """A zone's stored follower, advanced by its own micromodel, tells what the look back on all zones tells."""
    past = city.until(int(known[0]) + 1)
    found = followers_of(training, past)
    assert set(found) == {("macromodel", TARGET), ("mix", TARGET)} | {
        ("micromodel", zone, TARGET) for zone in city.zone_ids
    }
    fan = follow_in_use(training, TARGET, city, known, levels=levels)
    zone = city.zone_ids[KINDS.index("micromodel")]
    alone = found["micromodel", zone, TARGET].advance(training.micromodels[zone, TARGET], city, city.origins(known))
    np.testing.assert_allclose(alone[:, 0], fan[:, KINDS.index("micromodel")], rtol=1e-5, atol=1e-3)


def test_static_intervals_lie_around_the_forecasts_as_learned(city, training, known, levels):
    fan = around_in_use(training, TARGET, city, known, levels=levels)
    middle = from_scale(TARGET, levels["in_use"])
    assert (fan[..., QUANTILES.index(0.05)] <= middle + 1e-6).all()
    assert (middle <= fan[..., QUANTILES.index(0.95)] + 1e-6).all()


def test_no_origin_sees_a_later_reading(city, training, known, levels):
    """A billion in every cell after the thirtieth of sixty origins: the first thirty are the same bit for bit."""
    poisoned = replace(city, values={name: array.copy() for name, array in city.values.items()})
    for array in poisoned.values.values():
        array[known[29] + 1 :] = 1e9
    given = {"levels": levels, "train_end": int(known[0]) + 1}
    plain = follow_in_use(training, TARGET, city, known, **given)
    again = follow_in_use(training, TARGET, poisoned, known, **given)
    assert np.array_equal(plain[:30], again[:30]) and not np.array_equal(plain[31:], again[31:])

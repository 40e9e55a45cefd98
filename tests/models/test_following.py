"""A follower in service: what looking back on all origins at once says, and nothing that is not yet known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.errors import ModelFileError, ScoresError
from models.following import Follower, follow
from models.forecasting import LearnedForecaster

TARGET, DAYS = "flow_veh_per_h", 9


@pytest.fixture(scope="module")
def fitted(city):
    end = city.origin(DAYS * city.steps_per_day - 1)
    return LearnedForecaster("ridge", seed=1).fit(
        city, target=TARGET, zone_ids=city.zone_ids, train_end=end, steps=(1, 4, 24)
    )


@pytest.fixture(scope="module")
def origins(city):
    return pd.DatetimeIndex([city.origin(DAYS * city.steps_per_day - 1 + k) for k in range(60)])


def fan_of(city, fitted, origins, pieces):
    follower = Follower.start(fitted, city)
    return np.concatenate([follower.advance(fitted, city, part) for part in np.array_split(origins, pieces)]), follower


def test_a_service_says_what_a_look_back_says(city, fitted, origins):
    """Sixty origins one by one, in three pieces, or all at once by `follow`: the same to float32."""
    known = city.known(origins)
    back = follow(fitted, city, known)
    for pieces in (1, 3, 60):
        fan, _ = fan_of(city, fitted, origins, pieces)
        np.testing.assert_allclose(fan, back, rtol=1e-5, atol=1e-3)
    assert (np.diff(fan, axis=-1) >= 0).all() and np.isfinite(fan).all()


def test_it_learns(city, fitted, origins):
    """Every other reading is halved, which nothing foresees: the interval widens."""
    shifted = replace(city, values={**city.values, TARGET: city.values[TARGET].copy()})
    shifted.values[TARGET][int(city.known(origins[:1])[0]) + 1 :: 2] *= 0.5
    follower, plain = Follower.start(fitted, city), Follower.start(fitted, city)
    wide = follower.advance(fitted, shifted, origins)
    calm = plain.advance(fitted, city, origins)
    assert np.median((wide[-1, :, 0, -1] - wide[-1, :, 0, 0]) / (calm[-1, :, 0, -1] - calm[-1, :, 0, 0])) > 1.2


@pytest.mark.parametrize("pieces", [1, 60])
def test_what_comes_after_an_origin_changes_nothing(city, fitted, origins, pieces):
    """A billion in every cell after the last origin: bit for bit the same quantiles."""
    poisoned = replace(city, values={name: array.copy() for name, array in city.values.items()})
    for array in poisoned.values.values():
        array[int(city.known(origins[-1:])[0]) + 1 :] = 1e9
    plain, _ = fan_of(city, fitted, origins, pieces)
    follower = Follower.start(fitted, city)
    again = np.concatenate([follower.advance(fitted, poisoned, part) for part in np.array_split(origins, pieces)])
    assert np.array_equal(plain, again)


def test_within_one_call_no_origin_sees_a_later_reading(city, fitted, origins):
    """A billion in every cell after the thirtieth of sixty origins: the first thirty are the same bit for bit."""
    poisoned = replace(city, values={name: array.copy() for name, array in city.values.items()})
    for array in poisoned.values.values():
        array[int(city.known(origins[29:30])[0]) + 1 :] = 1e9
    plain, _ = fan_of(city, fitted, origins, 1)
    again = Follower.start(fitted, city).advance(fitted, poisoned, origins)
    assert np.array_equal(plain[:30], again[:30]) and not np.array_equal(plain[31:], again[31:])


def test_a_stored_follower_goes_on_where_it_was(city, fitted, origins):
    """Saved and loaded in the middle, it says the same, bit for bit, on a panel that begins elsewhere too."""
    plain, _ = fan_of(city, fitted, origins, 60)
    _, follower = fan_of(city, fitted, origins[:30], 30)
    again = Follower.load(follower.save())
    rest = np.concatenate([again.advance(fitted, city, origins[k : k + 1]) for k in range(30, 60)])
    assert np.array_equal(rest, plain[30:])


def test_one_zone_follows_as_it_does_among_all(city, fitted, origins):
    """No zone's interval learns from another's errors."""
    whole, _ = fan_of(city, fitted, origins, 1)
    alone = Follower.start(fitted, city).one(2)
    fan = alone.advance(fitted.one(city.zone_ids[2]), city, origins)
    np.testing.assert_allclose(fan[:, 0], whole[:, 2], rtol=1e-5, atol=1e-3)


def test_a_service_that_stood_still_goes_on(city, fitted, origins):
    """Twenty origins nobody asked for: the next is served, in order."""
    follower = Follower.start(fitted, city)
    follower.advance(fitted, city, origins[:10])
    assert np.isfinite(follower.advance(fitted, city, origins[30:31])).all()


def test_what_does_not_fit_is_refused(city, fitted, origins):
    follower = Follower.start(fitted, city)
    follower.advance(fitted, city, origins[:2])
    with pytest.raises(ScoresError, match="after those that were served"):
        follower.advance(fitted, city, origins[:1])
    with pytest.raises(ScoresError, match="serves 1 zones, the follower 5"):
        follower.advance(fitted.one(city.zone_ids[0]), city, origins[2:3])
    with pytest.raises(ModelFileError, match="start them from a validation"):
        Follower.load(b"no bundle")

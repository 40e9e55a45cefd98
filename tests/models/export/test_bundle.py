"""A bundle forecasts from what it hears as the model does from a panel, whatever else it hears."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from synthetic_city import panel as made_city

from models.errors import ModelFileError
from models.export.bundle import EdgeMicromodel, bundle_files
from models.forecasting import LearnedForecaster


@pytest.fixture(scope="module")
def city():
    return made_city(zones=3, days=12, step_s=3600, seed=4)


@pytest.fixture(scope="module")
def files(city):
    model = LearnedForecaster("ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=city.zone_ids, train_end=city.origin(9 * 24), steps=(1, 6, 24)
    )
    return model, bundle_files(model, "Z02", timezone=city.timezone, country=city.country)


def tell(edge: EdgeMicromodel, city, first: int, last: int) -> None:
    """All readings of a stretch, the latest hour first: out of order."""
    for i in reversed(range(first, last)):
        at = city.times[i].timestamp()
        for zone in edge.zones:
            value = city.values["speed_mps"][i, city.columns([zone])[0]]
            edge.hear(zone, "speed_mps", at, None if np.isnan(value) else float(value))
        for name in edge.quantities[1:]:
            value = city.values[name][i, city.columns(["Z02"])[0]]
            edge.hear("Z02", name, at, None if np.isnan(value) else float(value))
        for name in edge.weather:
            edge.hear(None, name, at, float(city.weather[name][i]))


def test_a_bundle_that_heard_the_last_eight_days_forecasts_as_the_model(city, files):
    """Out of order, gaps told as null: the same quantiles to 1e-6."""
    model, found = files
    edge = EdgeMicromodel(found)
    end = 10 * 24
    tell(edge, city, end - 190, end)
    made = edge.forecast()
    want = model.forecast(city, origins=pd.DatetimeIndex([city.origin(end - 1)]), zone_ids=["Z02"])[0, 0]
    np.testing.assert_allclose(made["values"], want, rtol=1e-6)
    assert made["origin"] == city.origin(end - 1).isoformat()
    assert made["horizons_s"] == [3600, 21_600, 86_400]


def test_every_reading_is_judged(city, files):
    """A second report of 9.0 repeats, 9.5 corrects; nine days back is late; a minute past the hour is off the grid."""
    edge = EdgeMicromodel(files[1])
    at = city.times[240].timestamp()
    hear = lambda value, t=at, zone="Z02", name="speed_mps", **now: edge.hear(zone, name, t, value, **now)  # noqa: E731
    assert hear(9.0) == "taken"
    assert hear(9.0) == "repeated"
    assert hear(None) == "repeated"
    assert hear(9.5) == "corrected"
    assert hear(9.0, at - 9 * 86_400) == "late"
    assert hear(9.0, at + 60) == "off_grid"
    assert hear(float("inf")) == "impossible"
    assert hear(9.0, zone="Z99") == "unknown"
    assert hear(9.0, name="happiness") == "unknown"
    assert hear(9.0, at + 7200, now_s=at + 3600) == "early"
    assert edge.newest == (at // 3600)


def test_memory_stays_as_large_and_survives_a_restart(city, files):
    """A year later the arrays are as large; what was heard is there after `remember`."""
    edge = EdgeMicromodel(files[1])
    tell(edge, city, 60, 240)
    size = sum(a.nbytes for a in (*edge._values.values(), *edge._weather.values()))
    again = EdgeMicromodel(files[1])
    again.remember(edge.memory())
    assert again.forecast() == edge.forecast()
    edge.hear("Z02", "speed_mps", city.times[240].timestamp() + 365 * 86_400, 9.0)
    assert sum(a.nbytes for a in (*edge._values.values(), *edge._weather.values())) == size
    assert np.isfinite(edge.panel().values["speed_mps"]).sum() == 1
    with pytest.raises(ModelFileError, match="memory"):
        again.remember(b"rubbish")


def test_a_damaged_bundle_is_refused_and_named(files):
    """One byte less, a missing file, another format."""
    found = dict(files[1])
    name = "model/arrays.npz"
    with pytest.raises(ModelFileError, match=r"arrays\.npz"):
        EdgeMicromodel({**found, name: found[name][:-1]})
    with pytest.raises(ModelFileError, match=r"model\.json"):
        EdgeMicromodel({k: v for k, v in found.items() if k != "model/model.json"})
    head = {**json.loads(found["bundle.json"]), "format": 99}
    with pytest.raises(ModelFileError, match="99"):
        EdgeMicromodel({**found, "bundle.json": json.dumps(head).encode()})

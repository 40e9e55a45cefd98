"""Every forecaster keeps the contract: baselines, families, macromodel and mix alike."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.baselines import HistoricalAverage, LastValue, SeasonalNaive
from models.contract import Forecaster
from models.ensemble import EnsembleForecaster
from models.errors import HorizonError, ModelFileError, NoDataError, NotFittedError, ShortHistoryError, UnknownZoneError
from models.forecasting import LearnedForecaster
from models.horizons import ANCHOR_STEPS
from models.intervals import QUANTILES
from models.learner import families
from models.scale import to_scale

#: What keeps slow families quick here; every other setting is the family's own.
CHEAP = {
    **{name: {"updates": 60, "members": 1} for name in ("attention", "convolution", "macro_mlp")},
    "shared_body": {"updates": 60}, "mlp": {"rounds": 3, "members": 1},
    "macro_xgboost": {"rounds": 10, "budget": 3000, "max_depth": 3}, "xgboost": {"rounds": 10},
}  # fmt: skip


def mixed(*, seed: int = 0, **options) -> EnsembleForecaster:
    """A baseline, a micromodel and a macromodel, mixed."""
    own = [LearnedForecaster(name, seed=seed, settings=CHEAP[name]) for name in ("xgboost", "macro_xgboost")]
    return EnsembleForecaster([SeasonalNaive(seed=seed), *own], seed=seed, **options)


EVERY = {
    "last_value": LastValue,
    "seasonal_naive": SeasonalNaive,
    "historical_average": HistoricalAverage,
    **{name: partial(LearnedForecaster, name, settings=CHEAP.get(name, {})) for name in families()},
    "change of the last reading": partial(LearnedForecaster, "ridge", start="last"),
    "lasting": partial(LearnedForecaster, "quantile_linear", start="lasting"),
    "stack": mixed,
    "average": partial(mixed, method="average"),
    "best": partial(mixed, method="best"),
}
CITYWIDE = [EVERY[name] for name in families(scope="city")]
TRAIN_DAYS = 9


def zones_of(kind, panel) -> tuple[str, ...]:
    return panel.zone_ids if kind in CITYWIDE else ("Z02",)


def end_of(panel) -> pd.Timestamp:
    return panel.times[TRAIN_DAYS * panel.steps_per_day]


@pytest.fixture(scope="module", params=list(EVERY))
def kind(request):
    return EVERY[request.param]


@pytest.fixture(scope="module")
def fitted(kind, city):
    return kind(seed=1).fit(city, target="flow_veh_per_h", zone_ids=zones_of(kind, city), train_end=end_of(city))


@pytest.fixture(scope="module")
def origins(city):
    return pd.DatetimeIndex([city.origin(k) for k in range(TRAIN_DAYS * 96, TRAIN_DAYS * 96 + 90, 9)])


def test_a_forecast_has_the_promised_shape_and_is_finite(fitted, city, origins):
    out = fitted.forecast(city, origins=origins)
    assert out.shape == (len(origins), len(fitted.zone_ids), len(ANCHOR_STEPS), len(QUANTILES))
    assert np.isfinite(out).all()


def test_quantiles_do_not_cross_and_flows_are_not_negative(fitted, city, origins):
    out = fitted.forecast(city, origins=origins, steps=range(1, 97))
    assert (np.diff(out, axis=3) >= 0).all()
    assert out.min() >= 0
    assert (out[..., -1] > out[..., 0]).all()


def test_the_future_cannot_change_a_forecast(fitted, city, origins):
    """Shuffle, then blank, all that follows the first origin, weather too: bit for bit the same forecast."""
    first = origins[:1]
    before = fitted.forecast(city, origins=first)
    after = int(city.known(first)[0]) + 1
    rng = np.random.default_rng(0)
    for change in (lambda a: rng.permutation(a), lambda a: np.full_like(a, np.nan), lambda a: a * 0 + 1e6):
        spoiled = replace(
            city,
            values={k: np.concatenate([v[:after], change(v[after:])]) for k, v in city.values.items()},
            weather={k: np.concatenate([v[:after], change(v[after:])]) for k, v in city.weather.items()},
        )
        assert np.array_equal(before, fitted.forecast(spoiled, origins=first))


def test_what_follows_train_end_cannot_change_a_fit(kind, fitted, city):
    end = TRAIN_DAYS * 96
    blank = replace(
        city,
        values={k: np.concatenate([v[:end], np.full_like(v[end:], np.nan)]) for k, v in city.values.items()},
        weather={k: np.concatenate([v[:end], v[end:] + 50.0]) for k, v in city.weather.items()},
    )
    again = kind(seed=1).fit(blank, target="flow_veh_per_h", zone_ids=zones_of(kind, city), train_end=end_of(city))
    assert again.save() == fitted.save()


def test_the_same_seed_gives_the_same_model_to_the_byte(kind, fitted, city):
    again = kind(seed=1).fit(city, target="flow_veh_per_h", zone_ids=zones_of(kind, city), train_end=end_of(city))
    assert again.save() == fitted.save()


def test_save_and_load_give_the_same_forecast_bit_for_bit(fitted, city, origins):
    files = fitted.save()
    assert all(isinstance(value, bytes) for value in files.values())
    assert not any(b"pickle" in value or name.endswith(".pkl") for name, value in files.items())
    loaded = Forecaster.load(files)
    assert type(loaded) is type(fitted)
    assert np.array_equal(loaded.forecast(city, origins=origins), fitted.forecast(city, origins=origins))
    assert loaded.save() == files


def test_damaged_files_give_one_clear_error(fitted):
    files = fitted.save()
    for name in files:
        for broken in (files[name][: len(files[name]) // 2], b"", b"\x00rubbish"):
            with pytest.raises(ModelFileError, match="train"):
                Forecaster.load({**files, name: broken})
    with pytest.raises(ModelFileError):
        Forecaster.load({k: v for k, v in files.items() if k != "arrays.npz"})


def test_one_origin_at_a_time_or_all_at_once_is_the_same(fitted, city, origins):
    together = fitted.forecast(city, origins=origins)
    apart = np.concatenate([fitted.forecast(city, origins=origins[k : k + 1]) for k in range(len(origins))])
    np.testing.assert_allclose(apart, together, rtol=1e-5, atol=1e-6)


def test_a_panel_written_in_place_is_forecast_like_a_finished_one(fitted, city, origins):
    """A live city preallocates its panel with nan and fills it as time goes on."""
    after = int(city.known(origins[:1])[0]) + 1
    live = replace(
        city,
        values={k: np.concatenate([v[:after], np.full_like(v[after:], np.nan)]) for k, v in city.values.items()},
    )
    fitted.forecast(live, origins=origins[:1])
    for name, grid in live.values.items():
        grid[after] = city.values[name][after]
    later = pd.DatetimeIndex([city.origin(after)])
    assert np.array_equal(fitted.forecast(live, origins=later), fitted.forecast(city, origins=later))


def test_steps_between_anchors_lie_between_their_deviations(fitted, city, origins):
    steps = (16, 18, 20)
    out = fitted.forecast(city, origins=origins, steps=steps)
    single = fitted.forecast(city, origins=origins, steps=(18,))
    np.testing.assert_allclose(out[:, :, 1:2], single)


def test_horizons_beyond_a_day_are_refused(fitted, city, origins):
    for step in (0, 97):
        with pytest.raises(HorizonError, match="96"):
            fitted.forecast(city, origins=origins, steps=(step,))


def test_gaps_and_a_silent_zone_fall_back_on_the_usual(fitted, city):
    """With nothing reported for a week, the forecast is finite and near the usual value."""
    cut = TRAIN_DAYS * 96
    silent = replace(city, values={k: v.copy() for k, v in city.values.items()})
    for grid in silent.values.values():
        grid[cut - 8 * 96 : cut + 1] = np.nan
    out = fitted.forecast(silent, origins=pd.DatetimeIndex([city.origin(cut)]))
    assert np.isfinite(out).all()
    places = fitted.places(None)
    aim = np.array([[cut]]) + np.asarray(ANCHOR_STEPS)
    usual = fitted.profile.usual(city.calendar, aim)[0].T
    scale = fitted.profile.scale[places][:, None]
    assert (np.abs(to_scale("flow_veh_per_h", out[0, :, :, 3]) - usual) < 3 * scale).all()


def test_short_history_is_refused_in_words(kind, city):
    with pytest.raises(ShortHistoryError, match="days"):
        kind().fit(city, target="flow_veh_per_h", zone_ids=zones_of(kind, city), train_end=city.times[2 * 96])


def test_a_zone_without_readings_is_refused_in_words(kind, city):
    with pytest.raises(NoDataError, match="Z05"):
        kind().fit(city, target="no2_ug_per_m3", zone_ids=("Z05",), train_end=end_of(city))


def test_an_unknown_zone_is_refused_in_words(kind, fitted, city, origins):
    with pytest.raises(UnknownZoneError, match="Z99"):
        kind().fit(city, target="flow_veh_per_h", zone_ids=("Z99",), train_end=end_of(city))
    with pytest.raises(UnknownZoneError, match="Z99"):
        fitted.forecast(city, origins=origins, zone_ids=("Z99",))


def test_asking_before_fitting_is_refused_in_words(kind, city, origins):
    with pytest.raises(NotFittedError, match="fit"):
        kind().forecast(city, origins=origins)
    with pytest.raises(NotFittedError, match="fit"):
        kind().save()


def test_origins_outside_the_panel_are_refused(fitted, city):
    for origin in (city.times[0], city.times[-1] + pd.Timedelta(days=2)):
        with pytest.raises(ShortHistoryError, match="origins"):
            fitted.forecast(city, origins=pd.DatetimeIndex([origin]))


def test_refit_learns_from_the_days_that_came_after(fitted, city, origins):
    later = fitted.refit(city, train_end=city.times[11 * 96])
    assert later.train_end > fitted.train_end
    assert np.isfinite(later.forecast(city, origins=origins)).all()
    same = fitted.refit(city, train_end=end_of(city))
    np.testing.assert_array_equal(same.forecast(city, origins=origins), fitted.forecast(city, origins=origins))


def test_an_explanation_adds_up_to_the_median_forecast(fitted, city):
    zone = fitted.zone_ids[-1]
    for position, step in ((TRAIN_DAYS * 96 + 33, 4), (TRAIN_DAYS * 96 + 60, 96), (TRAIN_DAYS * 96 + 48, 10)):
        origin = city.origin(position)
        table = fitted.explain(city, origin=origin, zone_id=zone, step=step)
        median = fitted.forecast(city, origins=pd.DatetimeIndex([origin]), zone_ids=(zone,), steps=(step,))[0, 0, 0, 3]
        assert list(table.columns) == ["feature", "label", "value", "contribution"]
        assert table["feature"].iloc[0] == "usual"
        assert table["feature"].is_unique
        assert table["contribution"].sum() == pytest.approx(median, rel=1e-3, abs=0.05)
        assert not table["label"].str.contains("_").any()


def test_size_is_told(fitted):
    size = fitted.complexity()
    assert size["bytes"] == sum(map(len, fitted.save().values()))
    assert size["parameters"] >= 0


def test_fitting_again_forgets_the_first_fit(kind, city, origins):
    zones = zones_of(kind, city)
    model = kind(seed=1).fit(city, target="speed_mps", zone_ids=zones, train_end=end_of(city))
    model.fit(city, target="flow_veh_per_h", zone_ids=zones, train_end=end_of(city))
    fresh = kind(seed=1).fit(city, target="flow_veh_per_h", zone_ids=zones, train_end=end_of(city))
    np.testing.assert_array_equal(model.forecast(city, origins=origins), fresh.forecast(city, origins=origins))


def test_hourly_panels_work_as_well(kind):
    panel = synthetic_city.panel(zones=4, days=16, step_s=3600, seed=5)
    end = panel.times[12 * 24]
    zones = panel.zone_ids if kind in CITYWIDE else ("Z01",)
    model = kind(seed=1).fit(panel, target="speed_mps", zone_ids=zones, train_end=end)
    out = model.forecast(panel, origins=pd.DatetimeIndex([end, end + pd.Timedelta(hours=5)]))
    assert out.shape[2] == 12
    assert np.isfinite(out).all()


def test_another_step_is_refused(fitted):
    panel = synthetic_city.panel(zones=5, days=4, step_s=3600)
    with pytest.raises(HorizonError, match="3600"):
        fitted.forecast(panel, origins=pd.DatetimeIndex([panel.origin(50)]))

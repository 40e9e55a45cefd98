"""Exported micromodels forecast as the models that they were made from."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic_city import panel as made_city

from models.design import Workbench
from models.errors import HorizonError, SettingsError
from models.export.bundle import EdgeMicromodel, bundle_files
from models.export.c_source import c_files
from models.export.families import EXPORTABLE, program_of
from models.export.program import BentLines, Curves, Network, Regimes, Trees
from models.export.replaying import agreement
from models.export.sizes import Compiled
from models.forecasting import LearnedForecaster
from models.learner import families

STEPS = (1, 3, 24)
#: So that every kind of part is there, however little a made-up zone bends.
EAGER = {
    "model_tree": {"folds": 0, "max_leaves": 3}, "regime": {"caution": -0.0, "most": 2},
    "boosted_trees": {"patience": 0, "rounds": 12}, "bagged_trees": {"trees": 4}, "mlp": {"layers": 2, "members": 2},
    "tree": {"folds": 0, "max_leaves": 6}, "xgboost": {"rounds": 15, "patience": 0},
}  # fmt: skip
needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc is installed (Debian: apt-get install gcc)")


@pytest.fixture(scope="module")
def city():
    """Four zones, 16 days of hours with gaps, over the spring clock change of Helsinki."""
    whole = made_city(zones=4, days=30, step_s=3600, seed=3)
    return whole


@pytest.fixture(scope="module")
def fitted(city):
    """Fits a family once, and gives it for zone Z02."""
    bench = Workbench(city, target="speed_mps", zone_ids=city.zone_ids, steps=STEPS)
    kept: dict[str, LearnedForecaster] = {}

    def get(family: str) -> LearnedForecaster:
        if family not in kept:
            model = LearnedForecaster(family, seed=1, settings=EAGER.get(family))
            end = city.origin(20 * 24)
            kept[family] = model.fit(
                city, target="speed_mps", zone_ids=city.zone_ids, train_end=end, steps=STEPS, bench=bench
            ).one("Z02")
        return kept[family]

    return get


def origins(city, count: int = 220) -> np.ndarray:
    """Hours after training, the clock change among them."""
    return np.arange(20 * 24, 20 * 24 + count)


def test_every_zone_family_is_exportable_or_known_not_to_be():
    """`shared_body` learns one body for a city and is of scope city: all families of scope zone are exported."""
    assert set(families("zone")) == set(EXPORTABLE)


@pytest.mark.parametrize("family", EXPORTABLE)
def test_parts_add_up_to_the_model(city, fitted, family):
    """Deviations by the parts and by the model differ by single-precision rounding alone."""
    model, known = fitted(family), origins(city)
    program, rows = program_of(model), model.featuriser.rows(city, known, STEPS)
    x = np.stack([rows.at(s)[:, 0] for s in range(len(STEPS))], axis=1)
    want = model._deviations(city, known, np.array([0]), STEPS)[:, 0]
    np.testing.assert_allclose(program.deviation(x), want, atol=2e-6)
    kinds = {"additive": Curves, "model_tree": BentLines, "regime": Regimes, "mlp": Network, "xgboost": Trees}
    if family in kinds:
        assert any(isinstance(part, kinds[family]) for part in program.parts)


@pytest.mark.parametrize("family", EXPORTABLE)
def test_onnx_forecasts_as_the_model(city, fitted, family):
    """All seven quantiles within 1e-5 of each value, by onnxruntime, from a bundle that was written and read."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra onnx)")
    model, known = fitted(family), origins(city)
    edge = EdgeMicromodel(bundle_files(model, timezone=city.timezone, country=city.country, onnx=True))
    assert edge.onnx is not None
    got = edge.onnx.forecast(edge.model, city, known)
    want = model.forecast(city, origins=pd.DatetimeIndex([city.origin(int(k)) for k in known]))[:, 0]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@needs_gcc
@pytest.mark.parametrize("family", EXPORTABLE)
def test_c_forecasts_as_the_model(city, fitted, family, tmp_path):
    """From readings with gaps to 5, 50 and 95 %: within 1e-5 of each value, no warning, under 32 kB of flash."""
    model = fitted(family)
    compiled = Compiled(c_files(model, timezone=city.timezone, country=city.country), tmp_path)
    known = origins(city)
    own = city.values["speed_mps"][known, 1]
    assert np.isnan(own).any()  # gaps are among them
    found = agreement(compiled, model, city, known)
    assert found.relative < 1e-5
    sizes = compiled.sizes()
    assert 1_000 < sizes.flash < 32_768
    assert sizes.state < 8_192


@needs_gcc
@pytest.mark.parametrize("target", ["no2_ug_per_m3", "flow_veh_per_h"])
def test_c_takes_square_roots_weather_and_other_quantities(target, tmp_path):
    """Air asks for wind, its parts and changes; flow and concentrations are modelled as square roots."""
    city = made_city(zones=3, days=16, step_s=3600, seed=5, air_share=1.0)
    model = LearnedForecaster("ridge", seed=1).fit(
        city, target=target, zone_ids=city.zone_ids, train_end=city.origin(12 * 24), steps=STEPS
    )
    files = c_files(model, "Z01", timezone=city.timezone, country=city.country)
    kinds = {kind for kind, _ in files.sides}
    assert kinds == {"zone", "other", "weather"}
    found = agreement(Compiled(files, tmp_path), model.one("Z01"), city, np.arange(12 * 24, 12 * 24 + 80))
    assert found.relative < 1e-5


@needs_gcc
@pytest.mark.parametrize("reference", ["level", "season"])
def test_c_on_quarter_hours_with_some_horizons_and_another_reference(reference, tmp_path):
    """Deviations from the mean level, told the season or not, 15-minute steps, two anchors, the outermost quantiles."""
    city = made_city(zones=2, days=9, step_s=900, seed=2)
    model = LearnedForecaster("quantile_linear", seed=1, reference=reference).fit(
        city, target="speed_mps", zone_ids=city.zone_ids, train_end=city.origin(7 * 96), steps=(1, 4, 96)
    )
    files = c_files(model, "Z02", timezone=city.timezone, steps=(4, 96), levels=(0.05, 0.95), phase_s=0)
    assert files.steps == (4, 96)
    found = agreement(Compiled(files, tmp_path), model.one("Z02"), city, np.arange(7 * 96, 8 * 96, 3))
    assert found.device.shape[1:] == (2, 2)
    assert found.relative < 1e-5


@needs_gcc
def test_the_sensor_takes_late_readings_and_refuses_what_it_cannot_place(city, fitted, tmp_path):
    """The last two hours swapped: as in order. Half an hour is off the grid (2), last year is late (1), side 99 (3)."""
    model = fitted("ridge")
    compiled = Compiled(c_files(model, timezone=city.timezone), tmp_path)
    start = int(city.times[0].timestamp())
    hours = [f"p {start + 3600 * k} 0 {9.0 + k % 3} 0" for k in range(60)]
    swapped = [*hours[:-2], hours[-1], hours[-2]]
    a, _ = compiled.replay([*hours, "f 0 0 0 0"])
    b, _ = compiled.replay([*swapped, "f 0 0 0 0"])
    np.testing.assert_array_equal(a, b)
    bad = [f"p {start + 1800} 0 9 0", f"p {start - 31_536_000} 0 9 0", f"h {start + 3600 * 59} 99 1 0"]
    c, faults = compiled.replay([*hours, *bad, "f 0 0 0 0"])
    assert faults == [2, 1, 3]
    np.testing.assert_array_equal(a, c)


@needs_gcc
def test_a_sensor_without_readings_forecasts_as_usual_and_an_empty_one_nothing(city, fitted, tmp_path):
    """Nothing but NAN for a week: as the model for a zone that has not reported; before the first push, result 4."""
    model = fitted("ridge")
    compiled = Compiled(c_files(model, timezone=city.timezone), tmp_path)
    assert compiled.replay(["f 0 0 0 0"])[1] == [4]
    silent = np.full_like(city.values["speed_mps"], np.nan)
    quiet = replace(city, values=dict.fromkeys(city.values, silent), weather={})
    found = agreement(compiled, model, quiet, np.array([500]))
    assert found.relative < 1e-5


def test_what_cannot_be_exported_is_told(city, fitted):
    """A citywide model, a step that was not fitted, a quantile that is not there."""
    macro = LearnedForecaster("macro_ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=city.zone_ids, train_end=city.origin(20 * 24), steps=STEPS
    )
    with pytest.raises(SettingsError, match="distil"):
        program_of(macro, "Z01")
    with pytest.raises(HorizonError, match="5"):
        c_files(fitted("ridge"), timezone="UTC", steps=(5,))
    with pytest.raises(SettingsError, match=r"0\.42"):
        c_files(fitted("ridge"), timezone="UTC", levels=(0.42,))

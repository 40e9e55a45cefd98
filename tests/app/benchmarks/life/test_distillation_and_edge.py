"""The parts `distillation` and `edge` on a small made-up city: what they count, and how."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from app.benchmarks.life.distillation import _closed, _panel, _summary
from app.benchmarks.life.edge import _one
from app.benchmarks.models.split import BenchmarkPanel
from models.forecasting import LearnedForecaster

_CITY = Path(__file__).parents[3] / "models" / "synthetic_city.py"


@pytest.fixture(scope="module")
def made():
    if "synthetic_city" not in sys.modules:
        spec = importlib.util.spec_from_file_location("synthetic_city", _CITY)
        module = importlib.util.module_from_spec(spec)
        sys.modules["synthetic_city"] = module
        spec.loader.exec_module(module)
    panel = sys.modules["synthetic_city"].panel(zones=3, days=12, step_s=3600, seed=8)
    return BenchmarkPanel(
        name="made", panel=panel, target="speed_mps", test_from=9 * 24, horizons={"1 h": (1,), "6 h": (6,)}, unit="m/s"
    )


def test_the_share_of_a_gap_is_counted_from_the_direct_student():
    """Direct 5, teacher 4: a student of 4.25 closes three quarters; where the direct one is better there is no gap."""
    assert _closed({"direct": 5.0, "teacher": 4.0, "student": 4.25}) == pytest.approx(0.75)
    assert np.isnan(_closed({"direct": 4.0, "teacher": 4.5, "student": 4.1}))


def test_a_panel_gives_figures_of_every_student_and_teacher(made):
    """Three families, two teachers, two horizons; the student of a line is nowhere off by more than half."""
    figures, told = _panel(made, 1)
    assert set(told["rows"]) == {
        f"{kind} {family}"
        for kind in ("mix", "macromodel")
        for family in ("model_tree", "quantile_linear", "boosted_trees")
    }
    ratios = [f["value"] for f in figures if "student over teacher, MAE" in f["name"]]
    assert len(ratios) == 12
    assert max(ratios) < 1.5
    over = _summary({"made": told}, 1)
    assert len(over) == 18
    assert all(0.0 <= f["value"] <= 2.0 for f in over)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc is installed (Debian: apt-get install gcc)")
def test_an_exported_model_gives_figures_of_its_size_and_agreement(made):
    """A line: both differences below 1e-5, flash below 32 kB, and a latency."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (extra onnx)")
    panel = made.panel
    model = LearnedForecaster("ridge", seed=1).fit(
        panel, target="speed_mps", zone_ids=panel.zone_ids, train_end=panel.origin(9 * 24), steps=(1, 6)
    )
    figures, told = _one(model.one("Z02"), panel, np.arange(220, 240), "made ridge", 1)
    named = {f["name"].removeprefix("made ridge: "): f for f in figures}
    assert named["C, largest relative difference"]["met"]
    assert named["ONNX, largest relative difference"]["met"]
    assert named["C, flash"]["met"]
    assert told["state_bytes"] > 100

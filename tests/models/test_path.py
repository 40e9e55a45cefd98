"""Regularization paths: errors learned from only fall, errors left out fall and rise."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from models.errors import SettingsError
from models.path import regularization_path

if "small_line" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("small_line", Path(__file__).parent / "small_line.py")
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["small_line"] = _module
    _spec.loader.exec_module(_module)

from small_line import DAY, Line, days, made_rows, outcomes


def test_coefficients_without_a_signal_fit_better_and_forecast_worse():
    """One feature of 24 tells something. From 8 days (192 rows) 24 coefficients fit noise: each costs about 1 / 192 of
    the squared error on rows left out, and saves as much on those learned from."""
    rows = made_rows(n=DAY * 16, features=24, zones=6)
    path = regularization_path(
        Line, rows, outcomes(rows, noise=1.0), setting="features", values=(1, 4, 12, 24), day=days(rows),
        settings={"penalty": 0.01},
    )  # fmt: skip
    assert (np.diff(path.fitted) < 0).all() and (np.diff(path.loss) > 0).all()
    assert path.values[path.best] == path.values[path.simplest] == 1
    assert path.gap[-1] > 0.08 and "overfitted" in path.reason


def test_a_penalty_that_holds_everything_back_is_no_better_than_as_usual():
    """A penalty of 10^9 leaves coefficients of nothing: the loss of the usual value, 1."""
    rows = made_rows(n=DAY * 16)
    path = regularization_path(Line, rows, outcomes(rows), setting="penalty", values=(1e9, 1.0), day=days(rows))
    assert path.loss[0] == pytest.approx(1.0, abs=1e-3) and path.loss[1] < 0.6 and path.best == 1


def test_a_path_refuses_what_it_cannot_walk():
    rows = made_rows()
    with pytest.raises(SettingsError, match=r"no setting 'depth'.*1 value"):
        regularization_path(Line, rows, outcomes(rows), setting="depth", values=(1,), day=days(rows))

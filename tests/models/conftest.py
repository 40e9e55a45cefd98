"""Shared for the models' tests: a synthetic city, every kind of forecaster, and where the real data may be."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
if "synthetic_city" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("synthetic_city", _HERE / "synthetic_city.py")
    _module = importlib.util.module_from_spec(_spec)
    sys.modules["synthetic_city"] = _module
    _spec.loader.exec_module(_module)

import synthetic_city  # noqa: E402  (made importable above: tests have no packages)


@pytest.fixture(scope="session")
def city():
    """A panel of five zones over twelve days, air in three of them."""
    return synthetic_city.panel(zones=5, days=12, seed=3)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data; skips, saying why, where there is none."""
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", _HERE.parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set ZONEWISE_SHARED_DATA to the folder that holds traffic/ and air/")
    return folder

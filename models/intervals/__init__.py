"""Intervals: how far off a forecast may be, said so that it holds in every zone and while the world changes.

Read `split` (quantiles of out-of-fold errors by zone and horizon), `normalised` (errors in units of what is to be
expected here and now), `adaptive` (quantiles that follow the errors seen so far, never one that is not yet known),
`bias` (what forecasts lately err by to one side at this time of day),
`calibration` (these together: what a forecaster uses), `quantile_calibrated` (families that forecast quantiles
themselves), `bounds` (what the target can be at all) and `scores` (did it hold?). Arrays in, arrays out. All but
`split` and `bounds` are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from models.intervals.bounds import Bounds
from models.intervals.split import QUANTILES, ConformalIntervals, corrected_quantiles

if TYPE_CHECKING:
    from models.intervals.adaptive import AdaptiveSettings, AdaptiveState, follow
    from models.intervals.calibration import Calibration, LiveIntervals
    from models.intervals.normalised import RecentErrors, SpreadFeatures, SpreadModel, recent_errors
    from models.intervals.quantile_calibrated import CalibratedQuantiles

_HOME = {
    "AdaptiveSettings": "adaptive", "AdaptiveState": "adaptive", "follow": "adaptive", "RecentErrors": "normalised",
    "SpreadFeatures": "normalised", "SpreadModel": "normalised", "recent_errors": "normalised",
    "CalibratedQuantiles": "quantile_calibrated", "Calibration": "calibration", "LiveIntervals": "calibration",
}  # fmt: skip

__all__ = [
    "QUANTILES",
    "AdaptiveSettings",
    "AdaptiveState",
    "Bounds",
    "CalibratedQuantiles",
    "Calibration",
    "ConformalIntervals",
    "LiveIntervals",
    "RecentErrors",
    "SpreadFeatures",
    "SpreadModel",
    "corrected_quantiles",
    "follow",
    "recent_errors",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"models.intervals.{_HOME[name]}"), name)
    raise AttributeError(f"module 'models.intervals' has no attribute {name!r}")

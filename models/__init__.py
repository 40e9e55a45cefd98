"""Models: one small forecaster a zone, one citywide beside them, and the honest comparison of both.

Read `panel` (readings on one grid), `contract` (what every forecaster does), `profile` and `featuriser` (the usual day,
and what a model may look at), `learner` and `families` (how they learn, arrays alone), `forecasting` and `ensemble`
(learners as forecasters, one or several), `select` and `assign` (which one serves a zone and why), `training` and
`compare` (all of it in two calls), then `registry` (versions on disk). Learns from tables; depends on `data`'s
vocabulary and knows no simulator. Names are loaded when first used, so that importing is quick;
`models.compare.compare` is imported from its module, whose name it shares.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.compare import Comparison
    from models.contract import Forecaster
    from models.horizons import ANCHOR_STEPS, anchor_steps
    from models.intervals import QUANTILES
    from models.panel import Panel
    from models.registry import Registry
    from models.training import Training, refit, train

_HOME = {
    "ANCHOR_STEPS": "horizons", "anchor_steps": "horizons", "QUANTILES": "intervals", "Panel": "panel",
    "Forecaster": "contract", "Training": "training", "train": "training", "refit": "training", "Comparison": "compare",
    "Registry": "registry",
}  # fmt: skip

__all__ = [
    "ANCHOR_STEPS",
    "QUANTILES",
    "Comparison",
    "Forecaster",
    "Panel",
    "Registry",
    "Training",
    "anchor_steps",
    "refit",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"models.{_HOME[name]}"), name)
    raise AttributeError(f"module 'models' has no attribute {name!r}")

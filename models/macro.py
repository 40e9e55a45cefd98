"""The macromodel: one pooled model of all zones, the micromodels' opponent and partner.

It learns from the rows of every zone at once, each in its own scale: a common line, and XGBoost on what the line
leaves over, which also knows what each zone is like (its character, its place, statistics of its own history).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from models.design import Design, Workbench
from models.families.boosting import PARAMETERS, BoostedForecaster
from models.panel import by_zone

#: XGBoost parameters of the pooled model: as a micromodel's, with deeper trees for many zones.
MACRO_PARAMETERS: Mapping[str, Any] = {**PARAMETERS, "max_depth": 6, "min_child_weight": 60.0}
MACRO_ROUNDS = 90
MACRO_ROW_BUDGET = 40_000
CHARACTER = {
    "area_m2": 1.0, "homes": 0.0, "jobs": 0.0, "shops": 0.0, "green_share": 0.0, "road_major_m": 0.0,
    "road_minor_m": 0.0, "lon": 0.0, "lat": 0.0,
}  # fmt: skip
STATISTICS = ("level", "scale_share", "lasting", "weekend_share")


class MacroForecaster(BoostedForecaster):
    """One pooled ridge line and XGBoost for all zones of a city."""

    family = "macro_xgboost"
    parameters = MACRO_PARAMETERS
    rounds = MACRO_ROUNDS
    row_budget = MACRO_ROW_BUDGET

    def __init__(self, *, seed: int = 0) -> None:
        super().__init__(seed=seed)
        self._table: pd.DataFrame | None = None

    def _learn(self, bench: Workbench, end: int) -> None:
        zones = bench.panel.zones
        self._table = None if zones is None else zones.iloc[bench.panel.columns(self.zone_ids)]
        super()._learn(bench, end)
        self._table = None

    def _zone_features(self, design: Design) -> np.ndarray:
        """What a zone is like, and statistics of its training history: shape (Z, E)."""
        profile = design.featuriser.profile.pick(np.arange(len(self.zone_ids)))
        level = profile.mean[:, 0].mean(axis=1)
        now, after = design.rows.own, design.outcome[:, :, 0]
        heard = np.isfinite(after)
        lasting = (np.where(heard, after, 0) * now).sum(axis=0) / np.maximum((heard * now**2).sum(axis=0), 1e-9)
        safe = np.maximum(np.abs(level), 1e-9)
        own = np.column_stack([level, profile.scale / safe, lasting, profile.mean[:, 2].mean(axis=1) / safe])
        if self._table is None:
            return np.hstack([np.zeros((len(self.zone_ids), len(CHARACTER))), own])
        character = by_zone(self._table, CHARACTER)
        character[:, 1:4] /= character[:, :1] / 1e4  # per hectare
        return np.hstack([character, own])

    def _extra_names(self) -> tuple[str, ...]:
        return (*(f"zone_{name}" for name in CHARACTER), *(f"zone_{name}" for name in STATISTICS))

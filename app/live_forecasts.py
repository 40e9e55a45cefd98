"""Forecasts of stored models from given instants, as the `forecasts` table; no model is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.schemas import FORECASTS, TIME_DTYPE, empty
from data.store.runs import RunStore

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.panel import Panel

Key = tuple[str, ...]


def stored_models(runs: RunStore, training: str, citywide: Sequence[str]) -> dict[Key, Forecaster]:
    """Models of a training run, by (`micromodel`, zone, target) and (citywide name, target)."""
    from models.contract import Forecaster

    stored: dict[Key, dict[str, bytes]] = {}
    folder = runs.root / training / "models"
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            *key, name = path.relative_to(folder).parts
            stored.setdefault(tuple(key), {})[name] = path.read_bytes()
    wanted = ("micromodel", *citywide)
    return {key: Forecaster.load(files) for key, files in stored.items() if key[0] in wanted}


def forecast_table(panel: Panel, models: Mapping[Key, Forecaster], origins: pd.DatetimeIndex) -> pd.DataFrame:
    """`forecasts` of every model from every origin that the panel knows of; anchors and quantiles of the models."""
    from models.horizons import anchor_steps
    from models.intervals import QUANTILES

    known = panel.known(origins)
    origins = origins[(known >= 0) & (known < len(panel))]
    if not len(origins) or not models:
        return empty(FORECASTS)
    horizon = np.asarray(anchor_steps(panel.step_s), dtype=float) * panel.step_s
    parts = []
    for key, model in models.items():
        values = model.forecast(panel, origins=origins)  # (n, Z, S, Q)
        n, z, s, q = values.shape
        zone = np.asarray(model.zone_ids, dtype=object)
        parts.append(
            pd.DataFrame(
                {
                    "model": key[0],
                    "zone_id": np.tile(np.repeat(zone, s * q), n),
                    "target": model.target,
                    "forecast_origin": np.repeat(origins.to_numpy(dtype="datetime64[us]"), z * s * q),
                    "horizon_s": np.tile(np.repeat(horizon, q), n * z),
                    "quantile": np.tile(np.asarray(QUANTILES, dtype=float), n * z * s),
                    "value": values.ravel(),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table["forecast_origin"] = table["forecast_origin"].dt.tz_localize("UTC").astype(TIME_DTYPE)
    return table.astype(dict.fromkeys(("model", "zone_id", "target"), "category"))

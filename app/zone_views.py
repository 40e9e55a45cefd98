"""Zones against a limit: the table beside the map, and the rows of one zone's fan chart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.limits import EU_2030
from app.live_views import forecast_paths, observed
from app.predictive import exceedance
from app.queries import Info, Queries


def zone_table(queries: Queries, target: str) -> pd.DataFrame:
    """One row a zone: now, peak of the rest of the day with its 90 % band, when, chance of passing the limit.

    `chance` is that of the likeliest step. Sorted by chance, then by peak; zones without a sensor come last.
    """
    info = queries.info()
    key = ("zone_table", info.runs["live"], info.runs.get("training"), info.now, target)
    return queries.keep(key, lambda: _zone_table(queries, info, target))


def _zone_table(queries: Queries, info: Info, target: str) -> pd.DataFrame:
    factor = DISPLAY[target][1]
    limit = EU_2030.get(target)
    seen = observed(queries, target) * factor
    rows = []
    for z, (zone, name) in enumerate(queries.zone_names().items()):
        row: dict[str, Any] = {
            "zone_id": zone,
            "name": name,
            "now": _last(seen[z, : info.now_step]),
            "peak": np.nan,
            "low": np.nan,
            "high": np.nan,
            "at": None,
            "chance": np.nan,
            "chance_at": None,
            "model": str(queries.choice(zone, target).get("model_in_use", "")),
        }
        levels, paths = forecast_paths(queries, zone, target, "in_use")
        if len(levels) and np.isfinite(paths).any():
            paths = paths * factor
            middle = paths[:, int(np.argmin(np.abs(levels - 0.5)))]
            k = int(np.nanargmin(middle) if target == "speed_mps" else np.nanargmax(middle))
            row |= {
                "peak": middle[k],
                "low": paths[k, 0],
                "high": paths[k, -1],
                "at": queries.clock(info.now_step + k),
            }
            if limit is not None:
                chance = exceedance(levels, paths, limit.value)
                best = int(np.nanargmax(chance))
                best = k if chance[k] >= chance[best] else best
                row |= {"chance": float(chance[best]), "chance_at": queries.clock(info.now_step + best)}
        rows.append(row)
    table = pd.DataFrame(rows)
    if target == "speed_mps":
        return table.sort_values(["peak", "zone_id"], ignore_index=True, na_position="last")
    return table.sort_values(
        ["chance", "peak", "zone_id"], ascending=[False, False, True], ignore_index=True, na_position="last"
    )


def fan(queries: Queries, zone_id: str, target: str) -> pd.DataFrame:
    """Rows of the fan chart, shown units: time (local), observed, median, 50 and 90 % bounds, other model."""
    info = queries.info()
    factor = DISPLAY[target][1]
    ids = list(queries.zone_names())
    now = info.now_step

    table = pd.DataFrame({"time": info.day.tz_convert(info.timezone).tz_localize(None)})
    table["observed"] = observed(queries, target)[ids.index(zone_id)] * factor
    levels, paths = forecast_paths(queries, zone_id, target, "in_use")
    for name, level in (("median", 0.5), ("low50", 0.25), ("high50", 0.75), ("low90", 0.05), ("high90", 0.95)):
        table[name] = np.nan
        if len(levels):
            table.loc[now:, name] = paths[:, int(np.argmin(np.abs(levels - level)))] * factor
    used = str(queries.choice(zone_id, target).get("model_in_use", "micromodel"))
    other = "micromodel" if used == "macromodel" else "macromodel"
    levels, paths = forecast_paths(queries, zone_id, target, other)
    table["other"] = np.nan
    if len(levels):
        table.loc[now:, "other"] = paths[:, int(np.argmin(np.abs(levels - 0.5)))] * factor
    return table


def _last(values: np.ndarray) -> float:
    """Newest value that is there."""
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else float("nan")

"""What the map draws of a day: a value a zone and layer, a byte a link, and the hill above the time slider."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from app.display import DISPLAY
from app.live_views import delay, lost_time, series
from app.queries import Info, Queries
from app.texts import language, t

#: Layers of the map: stored column, lowest and highest class bound in shown units (fixed: they never follow the data).
LAYERS: dict[str, tuple[str, float, float]] = {
    "no2": ("no2_ug_per_m3", 0.0, 60.0),
    "pm25": ("pm25_ug_per_m3", 0.0, 32.0),
    "speed": ("speed_mps", 0.0, 64.0),
    "flow": ("flow_veh_per_h", 0.0, 1600.0),
    "delay": ("delay_s_per_km", 0.0, 160.0),
}


def day_json(queries: Queries) -> bytes:
    """Zone values of every layer and step for the browser, in shown units."""
    info = queries.info()

    def make() -> bytes:
        from app.layers import layers_of

        layers = {}
        for name, (column, low, high) in layers_of(queries).items():
            unit, factor, digits, label = DISPLAY[column]
            values = (delay(queries) if column == "delay_s_per_km" else series(queries, column)) * factor
            ahead = t("map.tip.usual" if column == "delay_s_per_km" else "map.tip.forecast")
            layers[name] = {
                "name": label,
                "unit": unit,
                "digits": digits,
                "low": low,
                "high": high,
                "ahead": ahead,
                "values": [[None if v != v else round(v, 2) for v in row] for row in values.tolist()],
            }
        value = {"steps": len(info.day), "now": info.now_step, "layers": layers}
        return json.dumps(value, separators=(",", ":")).encode()

    return queries.keep(("day", language(), info.runs["live"], info.runs.get("training"), info.now), make)


def link_bytes(queries: Queries) -> bytes:
    """Speed of each link as % of free flow, one byte a value, link by link; 255 where no vehicle was.

    To `now` from the live day, after it the usual share of that kind of day (`link_profile`).
    """
    info = queries.info()
    return queries.keep(("links", info.runs["live"], info.now), lambda: _link_bytes(queries, info))


def _link_bytes(queries: Queries, info: Info) -> bytes:
    free = queries.links()["free_flow_speed_mps"].to_numpy(dtype=float)
    out = np.full((len(free), len(info.day)), 255, dtype=np.uint8)
    if queries.has_table(info.runs["live"], "link_state"):
        rows = queries.sql(
            "SELECT link_id, time, sum(vehicle_distance_m) / nullif(sum(vehicle_time_s), 0) AS speed FROM {s}"
            " WHERE time >= ? AND time < ? GROUP BY link_id, time",
            info.day[0].to_pydatetime(),
            info.now.to_pydatetime(),
            s=(info.runs["live"], "link_state"),
        )
        step = info.day.as_unit("us").get_indexer(
            pd.DatetimeIndex(pd.to_datetime(rows["time"], utc=True)).as_unit("us")
        )
        link = rows["link_id"].to_numpy(dtype=int)
        share = 100 * rows["speed"].to_numpy(dtype=float, na_value=np.nan) / free[link]
        fits = (step >= 0) & (step < info.now_step) & np.isfinite(share)
        out[link[fits], step[fits]] = np.clip(np.rint(share[fits]), 0, 120)
    simulation = info.runs.get("simulation")
    if simulation and queries.has_table(simulation, "link_profile"):
        kind = "weekend" if info.day[0].tz_convert(info.timezone).dayofweek >= 5 else "weekday"
        rows = queries.sql(
            "SELECT link_id, step_of_day, speed_ratio FROM {p} WHERE day_type = ? AND step_of_day >= ?",
            kind,
            info.now_step,
            p=(simulation, "link_profile"),
        )
        share = 100 * rows["speed_ratio"].to_numpy(dtype=float, na_value=np.nan)
        step = rows["step_of_day"].to_numpy(dtype=int)
        fits = np.isfinite(share) & (step < len(info.day))
        out[rows["link_id"].to_numpy(dtype=int)[fits], step[fits]] = np.clip(np.rint(share[fits]), 0, 120)
    return out.tobytes()


def congestion(queries: Queries) -> list[float]:
    """`lost_time` for the hill above the time slider."""
    return [round(float(v), 3) for v in lost_time(queries)]

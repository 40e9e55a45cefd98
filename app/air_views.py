"""What the map draws of the air between the houses: the live day's raster, one byte a cell, layer and hour."""

from __future__ import annotations

import base64
import json

import numpy as np
import pandas as pd
import pyproj

from app.map_views import LAYERS
from app.queries import Info, Queries

#: Layers of the map that have a raster.
STREETS = ("no2", "pm25")
_NOWHERE = 255  # byte of a cell outside the zones


def has_streets(queries: Queries) -> bool:
    """Whether the live day has a raster of the air."""
    return queries.has_table(queries.info().runs["live"], "concentration")


def air_json(queries: Queries) -> bytes:
    """Raster of every hour that has ended by `now`, for the browser.

    `columns`, `rows`: the grid; `corners`: longitude and latitude of its north-west, north-east and south-west corner;
    `periods`: first step of the day and words of each hour; `steps`: its length; `layers`: a `unit` a byte, and the
    bytes in base64, hour by hour, row by row from the north, 255 outside the zones.
    """
    info = queries.info()
    return queries.keep(("air", info.runs["live"], info.now), lambda: _air_json(queries, info))


def _air_json(queries: Queries, info: Info) -> bytes:
    columns = [LAYERS[name][0] for name in STREETS]
    rows = queries.sql(
        f"SELECT time, x_m, y_m, cell_m, {', '.join(columns)} FROM {{c}} WHERE time >= ? AND time < ? ORDER BY time",
        info.day[0].to_pydatetime(),
        info.now.to_pydatetime(),
        c=(info.runs["live"], "concentration"),
    )
    at = pd.DatetimeIndex(pd.to_datetime(rows["time"], utc=True)).as_unit("us")
    times = at.unique()
    gaps = np.diff(times) / pd.Timedelta(seconds=info.step_s)
    steps = int(gaps.min()) if len(gaps) else max(1, round(3600 / info.step_s))
    length = pd.Timedelta(seconds=info.step_s * steps)
    times = times[times + length <= info.now]
    rows = rows[at.isin(times)]
    if rows.empty:
        return json.dumps({"periods": []}).encode()
    side = float(rows["cell_m"].iloc[0])
    x, y = rows["x_m"].to_numpy(dtype=float), rows["y_m"].to_numpy(dtype=float)
    west, north = x.min() - side / 2, y.max() + side / 2
    column, row = np.rint((x - west) / side - 0.5).astype(int), np.rint((north - y) / side - 0.5).astype(int)
    shape = (len(times), int(row.max()) + 1, int(column.max()) + 1)
    cell = (times.get_indexer(at[at.isin(times)]), row, column)
    layers = {}
    for name in STREETS:
        values = rows[LAYERS[name][0]].to_numpy(dtype=float)
        unit = float(np.ceil(max(values.max() / (_NOWHERE - 1), 0.01) * 100) / 100)
        grid = np.full(shape, _NOWHERE, dtype=np.uint8)
        grid[cell] = np.rint(values / unit)
        layers[name] = {"unit": unit, "bytes": base64.b64encode(grid.tobytes()).decode()}
    corner = [west, west + side * shape[2], west], [north, north, north - side * shape[1]]
    lon, lat = pyproj.Transformer.from_crs(queries.zones().crs, 4326, always_xy=True).transform(*corner)
    local = times.tz_convert(info.timezone)
    value = {
        "columns": shape[2], "rows": shape[1], "steps": steps, "cell": side,
        "corners": [[round(a, 7), round(b, 7)] for a, b in zip(lon, lat)],
        "periods": [
            {"step": int(first), "words": f"{begin:%H:%M}–{begin + length:%H:%M}"}
            for first, begin in zip((times - info.day[0]) // pd.Timedelta(seconds=info.step_s), local)
        ],
        "layers": layers,
    }  # fmt: skip
    return json.dumps(value, separators=(",", ":")).encode()

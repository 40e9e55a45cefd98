"""The live day as tables of zones: observed by `now`, forecast after it, usual for that kind of day.

As observed counts only what was known at `now`. Answers are kept by `Queries` under the runs that they come from.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from app.predictive import blend, paths_of
from app.queries import Info, Queries

MODELS = ("micromodel", "macromodel")
_VALUES = ("horizon_s", "quantile", "value")


def observed(queries: Queries, target: str) -> np.ndarray:
    """What sensors reported by `now`, stored units, shape (zones, steps of the day); `nan` where unknown."""
    info = queries.info()

    def make() -> np.ndarray:
        return _grid(queries, info, (info.runs["live"], "zone_state"), target, until=info.now)

    return queries.keep(("observed", info.runs["live"], info.now, target), make)


def _grid(queries: Queries, info: Info, source: tuple[str, str], column: str, until: pd.Timestamp) -> np.ndarray:
    ids = list(queries.zone_names())
    out = np.full((len(ids), len(info.day)), np.nan)
    known = queries.sql("DESCRIBE SELECT * FROM {t}", t=source)["column_name"].tolist()
    if column not in known:
        return out
    rows = queries.sql(
        f"SELECT zone_id, time, {column} AS value FROM {{t}} WHERE time >= ? AND time < ?",
        info.day[0].to_pydatetime(),
        until.to_pydatetime(),
        t=source,
    )
    times = pd.DatetimeIndex(pd.to_datetime(rows["time"], utc=True))
    column_of = info.day.as_unit("us").get_indexer(times.as_unit("us"))
    row_of = pd.Index(ids).get_indexer(rows["zone_id"].astype(str))
    fits = (column_of >= 0) & (row_of >= 0) & (times + pd.Timedelta(seconds=info.step_s) <= until)
    out[row_of[fits], column_of[fits]] = rows["value"].to_numpy(dtype=float, na_value=np.nan)[fits]
    return out


def forecasts_now(queries: Queries) -> pd.DataFrame:
    """Rows of `forecasts` made at `now`."""
    info = queries.info()
    return queries.keep(
        ("forecasts", info.runs["live"], info.now),
        lambda: queries.sql(
            "SELECT model, zone_id, target, horizon_s, quantile, value FROM {f} WHERE forecast_origin = ?",
            info.now.to_pydatetime(),
            f=(info.runs["live"], "forecasts"),
        ).astype({"model": str, "zone_id": str, "target": str}),
    )


#: Columns of one model's forecast: horizon, quantile, value.
Columns = tuple[np.ndarray, np.ndarray, np.ndarray]
_NOTHING: Columns = (np.empty(0), np.empty(0), np.empty(0))


def _by_zone(queries: Queries, info: Info) -> dict[tuple[str, str, str], Columns]:
    """Columns of `forecasts_now` by zone, target and model, parted once for all zones."""

    def make() -> dict[tuple[str, str, str], Columns]:
        rows = forecasts_now(queries)
        codes, names = zip(*(pd.factorize(rows[name]) for name in ("zone_id", "target", "model")))
        order = np.lexsort(codes[::-1])  # stable: rows of a group keep their order
        keys = np.stack(codes)[:, order]
        starts = np.flatnonzero(np.r_[True, (np.diff(keys, axis=1) != 0).any(axis=0)][: keys.shape[1]])
        columns = [rows[name].to_numpy(dtype=float, na_value=np.nan)[order] for name in _VALUES]
        return {
            (str(names[0][z]), str(names[1][t]), str(names[2][m])): (columns[0][a:b], columns[1][a:b], columns[2][a:b])
            for a, b, (z, t, m) in zip(starts, [*starts[1:], keys.shape[1]], keys[:, starts].T)
        }

    return queries.keep(("forecasts by zone", info.runs["live"], info.now), make)


def forecast_paths(queries: Queries, zone_id: str, target: str, model: str) -> tuple[np.ndarray, np.ndarray]:
    """Quantile levels and paths (coming steps, quantiles) of a model, made at `now`, to the day's end at least.

    `model` may be `in_use`, which asks `choices`; a mix that is not stored is blended from its parts.
    """
    info = queries.info()
    key = ("paths", info.runs["live"], info.runs.get("training"), info.now, zone_id, target, model)
    return queries.keep(key, lambda: _paths(queries, info, zone_id, target, model))


def _paths(queries: Queries, info: Info, zone_id: str, target: str, model: str) -> tuple[np.ndarray, np.ndarray]:
    parts = _by_zone(queries, info)
    n = len(info.day) - info.now_step

    def of(name: str) -> tuple[np.ndarray, np.ndarray]:
        columns = parts.get((zone_id, target, name), _NOTHING)
        return paths_of(*columns, step_s=info.step_s, n_steps=n)

    choice = queries.choice(zone_id, target)
    name = str(choice.get("model_in_use", "micromodel")) if model == "in_use" else model
    found = of(name)
    if name == "mix" and not len(found[0]):
        (levels, micro), (other, macro) = of("micromodel"), of("macromodel")
        if len(levels) and np.array_equal(levels, other):
            weight = choice.get("weight_micro", 0.5)
            return levels, blend(micro, macro, 0.5 if weight is None or weight != weight else float(weight))
    if not len(found[0]) and model == "in_use":
        found = next((f for f in map(of, MODELS) if len(f[0])), found)
    return found


def usual(queries: Queries, column: str) -> np.ndarray:
    """Median of the simulated days of the same kind (weekday or weekend), shape (zones, steps), stored units."""
    info = queries.info()
    if "simulation" not in info.runs:
        return np.full((len(queries.zone_names()), len(info.day)), np.nan)
    key = ("usual", info.runs["simulation"], info.day[0], column)
    return queries.keep(key, lambda: _usual(queries, info, column))


def _usual(queries: Queries, info: Info, column: str) -> np.ndarray:
    ids = list(queries.zone_names())
    out = np.full((len(ids), len(info.day)), np.nan)
    run = info.runs["simulation"]
    table = "zone_truth" if column in ("delay_s_per_km", "vehicle_distance_m", "vehicle_time_s") else "zone_state"
    if not queries.has_table(run, table):
        return out
    if column not in queries.sql("DESCRIBE SELECT * FROM {t}", t=(run, table))["column_name"].tolist():
        return out
    rows = queries.sql(f"SELECT zone_id, time, {column} AS value FROM {{t}}", t=(run, table))
    local = pd.to_datetime(rows["time"], utc=True).dt.tz_convert(info.timezone)
    weekend = info.day[0].tz_convert(info.timezone).dayofweek >= 5
    rows = rows.assign(
        step=((local.dt.hour * 3600 + local.dt.minute * 60 + local.dt.second) // info.step_s).astype(int)
    )[(local.dt.dayofweek >= 5) == weekend]
    middle = rows.pivot_table(index="zone_id", columns="step", values="value", aggfunc="median", observed=True)
    middle = middle.reindex(index=ids, columns=range(len(info.day)))
    return middle.to_numpy(dtype=float)


def series(queries: Queries, target: str) -> np.ndarray:
    """Observed to `now`, then the median of the model in use, shape (zones, steps), stored units."""
    info = queries.info()
    out = observed(queries, target).copy()
    for z, zone in enumerate(queries.zone_names()):
        levels, paths = forecast_paths(queries, zone, target, "in_use")
        if len(levels):
            out[z, info.now_step :] = paths[:, int(np.argmin(np.abs(levels - 0.5)))]
    return out


def truth(queries: Queries, column: str) -> np.ndarray:
    """What was simulated by `now`, shape (zones, steps), stored units: for traffic as a whole, never a forecast."""
    info = queries.info()
    run = info.runs["live"]
    return queries.keep(
        ("truth", run, info.now, column), lambda: _grid(queries, info, (run, "zone_truth"), column, until=info.now)
    )


def delay(queries: Queries) -> np.ndarray:
    """Delay a kilometre as simulated to `now`, then the usual one, shape (zones, steps), s/km."""
    info = queries.info()

    def make() -> np.ndarray:
        run = info.runs["live"]
        if not queries.has_table(run, "zone_truth"):
            return np.full((len(queries.zone_names()), len(info.day)), np.nan)
        seen = truth(queries, "delay_s_per_km").copy()
        seen[:, info.now_step :] = usual(queries, "delay_s_per_km")[:, info.now_step :]
        return seen

    return queries.keep(("delay", info.runs["live"], info.now), make)


def lost_time(queries: Queries) -> np.ndarray:
    """Vehicle-hours lost in an hour by step, whole city: as simulated to `now`, then the usual; shape (steps,)."""
    info = queries.info()
    run = info.runs["live"]

    def make() -> np.ndarray:
        distance = usual(queries, "vehicle_distance_m").copy()
        if queries.has_table(run, "zone_truth"):
            seen = truth(queries, "vehicle_distance_m")
            distance[:, : info.now_step] = seen[:, : info.now_step]
        return np.nansum(delay(queries) * distance / 1000.0, axis=0) / info.step_s

    return queries.keep(("lost_time", run, info.now), make)


def network_speed(queries: Queries) -> np.ndarray:
    """Edie's speed of the whole city by step, m/s: as simulated to `now`, then the usual; shape (steps,)."""
    info = queries.info()
    run = info.runs["live"]

    def make() -> np.ndarray:
        parts = []
        for column in ("vehicle_distance_m", "vehicle_time_s"):
            grid = usual(queries, column).copy()
            if queries.has_table(run, "zone_truth"):
                grid[:, : info.now_step] = truth(queries, column)[:, : info.now_step]
            parts.append(np.nansum(grid, axis=0))
        return np.divide(parts[0], parts[1], out=np.full(len(info.day), np.nan), where=parts[1] > 0)

    return queries.keep(("network_speed", run, info.now), make)

"""The only reader of the store: view tables for pages, asked of DuckDB over Parquet and kept per run.

Runs never change, so an answer is kept under the ids of the runs that it was made from. `workspace.json` alone is
read anew at each question: a new run shows at the next page load. As observed counts only what was known at `now`.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb
import geopandas as gpd
import numpy as np
import pandas as pd

from app.geometry import city_geometry
from app.limits import EU_2030
from app.predictive import blend, exceedance, quantile_paths
from data.errors import RunNotFoundError, ZonewiseError
from data.schemas import TARGETS
from data.store.workspace import Workspace
from data.units import DISPLAY

log = logging.getLogger(__name__)
#: Layers of the map: stored column, lowest and highest class bound in shown units (fixed: they never follow the data).
LAYERS: dict[str, tuple[str, float, float]] = {
    "no2": ("no2_ug_per_m3", 0.0, 60.0),
    "pm25": ("pm25_ug_per_m3", 0.0, 32.0),
    "speed": ("speed_mps", 0.0, 64.0),
    "flow": ("flow_veh_per_h", 0.0, 1600.0),
    "delay": ("delay_s_per_km", 0.0, 160.0),
}
MODELS = ("micromodel", "macromodel")
_KEPT = 256


class NotReadyError(ZonewiseError, LookupError):
    """The workspace holds no finished run of a kind that a page needs; the text names the command that makes one."""


@dataclass(frozen=True, slots=True)
class Info:
    """What every page needs to know. `now` is UTC; `day` the local day's steps, UTC; `now_step` the first unknown."""

    label: str
    timezone: str
    step_s: float
    now: pd.Timestamp
    day: pd.DatetimeIndex
    now_step: int
    runs: dict[str, str]


class Queries:
    """View tables of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._kept: dict[tuple[Any, ...], Any] = {}
        self._lock = threading.Lock()

    # ------------------------------------------------------------------ what there is

    def info(self) -> Info:
        """City, clock and runs.

        Raises
        ------
        NotReadyError
            If no demo or simulation has finished here.
        """
        said = self.workspace.describe()
        runs = {k: str(v) for k, v in dict(said.get("runs", {})).items() if v and self.workspace.runs.has(str(v))}
        if not {"city", "live"} <= runs.keys() or "now" not in said:
            raise NotReadyError(
                f"workspace '{self.workspace.name}' has no finished run to show yet; run 'zonewise demo'"
                f" and reload this page"
            )
        zone = str(said.get("timezone", "UTC"))
        step_s = float(said.get("step_s", 900))
        now = pd.Timestamp(said["now"])
        now = now.tz_localize("UTC") if now.tzinfo is None else now.tz_convert("UTC")
        start = now.tz_convert(zone).normalize()
        end = (start + pd.DateOffset(days=1)).tz_convert("UTC")
        day = pd.date_range(start.tz_convert("UTC"), end, freq=pd.Timedelta(seconds=step_s), inclusive="left")
        return Info(
            label=str(said.get("label") or said.get("city") or self.workspace.name),
            timezone=zone,
            step_s=step_s,
            now=now,
            day=day,
            now_step=int((day + pd.Timedelta(seconds=step_s) <= now).sum()),
            runs=runs,
        )

    def keep(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """The kept answer under `key`, or a new one."""
        with self._lock:
            if key in self._kept:
                return self._kept[key]
        value = make()
        with self._lock:
            if len(self._kept) >= _KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = value
        return value

    def sql(self, text: str, *values: Any, **runs: tuple[str, str]) -> pd.DataFrame:
        """Answer of DuckDB; `{name}` in `text` stands for the Parquet file of `name=(run, table)`."""
        paths = {
            name: str(self.workspace.runs.path(run, table)).replace("'", "''") for name, (run, table) in runs.items()
        }
        text = text.format(**{name: f"read_parquet('{path}')" for name, path in paths.items()})
        with duckdb.connect() as base:
            base.execute("SET TimeZone = 'UTC'; SET threads = 2")
            return base.execute(text, list(values)).df()

    def has_table(self, run: str, table: str) -> bool:
        """Whether a finished run holds that table."""
        try:
            return self.workspace.runs.path(run, table).is_file()
        except RunNotFoundError:
            return False

    def table(self, run: str, name: str) -> pd.DataFrame:
        """A small table as stored, kept."""
        return self.keep(("table", run, name), lambda: self.workspace.runs.read(run, name))

    # ------------------------------------------------------------------ city

    def zones(self) -> gpd.GeoDataFrame:
        """The `zones` table."""
        return self.table(self.info().runs["city"], "zones")

    def zone_names(self) -> dict[str, str]:
        """Names by zone id."""
        zones = self.zones()
        return dict(zip(zones["zone_id"].astype(str), zones["name"].astype(str)))

    def links(self) -> gpd.GeoDataFrame:
        """The `links` table, by `link_id`."""
        return self.table(self.info().runs["city"], "links").sort_values("link_id")

    def geometry(self, run: str) -> bytes:
        """The map's geometry as JSON."""

        def make() -> bytes:
            read = self.workspace.runs.read
            base = read(run, "basemap") if self.has_table(run, "basemap") else None
            links = read(run, "links").sort_values("link_id")
            return json.dumps(city_geometry(read(run, "zones"), links, base), separators=(",", ":")).encode()

        return self.keep(("geometry", run), make)

    # ------------------------------------------------------------------ the live day

    def choices(self) -> pd.DataFrame:
        """Which model serves each zone and target, with the reason; empty before training."""
        runs = self.info().runs
        if "training" not in runs or not self.has_table(runs["training"], "choices"):
            return pd.DataFrame(columns=["zone_id", "target", "family", "model_in_use", "reason", "is_task"])
        return self.table(runs["training"], "choices")

    def choice(self, zone_id: str, target: str) -> dict[str, Any]:
        """The row of `choices` of a zone and target; empty where nothing is sensed."""
        rows = self.choices()
        rows = rows[(rows["zone_id"].astype(str) == zone_id) & (rows["target"].astype(str) == target)]
        return {} if rows.empty else {str(k): v for k, v in rows.iloc[0].to_dict().items()}

    def observed(self, target: str) -> np.ndarray:
        """What sensors reported by `now`, stored units, shape (zones, steps of the day); `nan` where unknown."""
        info = self.info()

        def make() -> np.ndarray:
            return self._grid(info, (info.runs["live"], "zone_state"), target, until=info.now)

        return self.keep(("observed", info.runs["live"], info.now, target), make)

    def _grid(self, info: Info, source: tuple[str, str], column: str, until: pd.Timestamp) -> np.ndarray:
        ids = list(self.zone_names())
        out = np.full((len(ids), len(info.day)), np.nan)
        known = self.sql("DESCRIBE SELECT * FROM {t}", t=source)["column_name"].tolist()
        if column not in known:
            return out
        rows = self.sql(
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

    def forecasts_now(self) -> pd.DataFrame:
        """Rows of `forecasts` made at `now`."""
        info = self.info()
        return self.keep(
            ("forecasts", info.runs["live"], info.now),
            lambda: self.sql(
                "SELECT model, zone_id, target, horizon_s, quantile, value FROM {f} WHERE forecast_origin = ?",
                info.now.to_pydatetime(),
                f=(info.runs["live"], "forecasts"),
            ).astype({"model": str, "zone_id": str, "target": str}),
        )

    def paths(self, zone_id: str, target: str, model: str) -> tuple[np.ndarray, np.ndarray]:
        """Quantile levels and paths (coming steps, quantiles) of a model, made at `now`, to the day's end at least.

        `model` may be `in_use`, which asks `choices`; a mix that is not stored is blended from its parts.
        """
        info = self.info()
        key = ("paths", info.runs["live"], info.runs.get("training"), info.now, zone_id, target, model)
        return self.keep(key, lambda: self._paths(info, zone_id, target, model))

    def _paths(self, info: Info, zone_id: str, target: str, model: str) -> tuple[np.ndarray, np.ndarray]:
        rows = self.forecasts_now()
        rows = rows[(rows["zone_id"] == zone_id) & (rows["target"] == target)]
        n = len(info.day) - info.now_step

        def of(name: str) -> tuple[np.ndarray, np.ndarray]:
            return quantile_paths(rows[rows["model"] == name], step_s=info.step_s, n_steps=n)

        choice = self.choice(zone_id, target)
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

    def usual(self, column: str) -> np.ndarray:
        """Median of the simulated days of the same kind (weekday or weekend), shape (zones, steps), stored units."""
        info = self.info()
        if "simulation" not in info.runs:
            return np.full((len(self.zone_names()), len(info.day)), np.nan)
        key = ("usual", info.runs["simulation"], info.day[0], column)
        return self.keep(key, lambda: self._usual(info, column))

    def _usual(self, info: Info, column: str) -> np.ndarray:
        ids = list(self.zone_names())
        out = np.full((len(ids), len(info.day)), np.nan)
        run = info.runs["simulation"]
        table = "zone_truth" if column in ("delay_s_per_km", "vehicle_distance_m", "vehicle_time_s") else "zone_state"
        if not self.has_table(run, table):
            return out
        if column not in self.sql("DESCRIBE SELECT * FROM {t}", t=(run, table))["column_name"].tolist():
            return out
        rows = self.sql(f"SELECT zone_id, time, {column} AS value FROM {{t}}", t=(run, table))
        local = pd.to_datetime(rows["time"], utc=True).dt.tz_convert(info.timezone)
        weekend = info.day[0].tz_convert(info.timezone).dayofweek >= 5
        rows = rows.assign(
            step=((local.dt.hour * 3600 + local.dt.minute * 60 + local.dt.second) // info.step_s).astype(int)
        )[(local.dt.dayofweek >= 5) == weekend]
        middle = rows.pivot_table(index="zone_id", columns="step", values="value", aggfunc="median", observed=True)
        middle = middle.reindex(index=ids, columns=range(len(info.day)))
        return middle.to_numpy(dtype=float)

    def series(self, target: str) -> np.ndarray:
        """Observed to `now`, then the median of the model in use, shape (zones, steps), stored units."""
        info = self.info()
        out = self.observed(target).copy()
        for z, zone in enumerate(self.zone_names()):
            levels, paths = self.paths(zone, target, "in_use")
            if len(levels):
                out[z, info.now_step :] = paths[:, int(np.argmin(np.abs(levels - 0.5)))]
        return out

    def truth(self, column: str) -> np.ndarray:
        """What was simulated by `now`, shape (zones, steps), stored units: for traffic as a whole, never a forecast."""
        info = self.info()
        run = info.runs["live"]
        return self.keep(
            ("truth", run, info.now, column), lambda: self._grid(info, (run, "zone_truth"), column, until=info.now)
        )

    def delay(self) -> np.ndarray:
        """Delay a kilometre as simulated to `now`, then the usual one, shape (zones, steps), s/km."""
        info = self.info()

        def make() -> np.ndarray:
            run = info.runs["live"]
            if not self.has_table(run, "zone_truth"):
                return np.full((len(self.zone_names()), len(info.day)), np.nan)
            seen = self.truth("delay_s_per_km").copy()
            seen[:, info.now_step :] = self.usual("delay_s_per_km")[:, info.now_step :]
            return seen

        return self.keep(("delay", info.runs["live"], info.now), make)

    def day_json(self) -> bytes:
        """Zone values of every layer and step for the browser, in shown units."""
        info = self.info()

        def make() -> bytes:
            layers = {}
            for name, (column, low, high) in LAYERS.items():
                unit, factor, digits, label = DISPLAY[column]
                values = (self.delay() if column == "delay_s_per_km" else self.series(column)) * factor
                ahead = "usual for the time" if column == "delay_s_per_km" else "forecast"
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

        return self.keep(("day", info.runs["live"], info.runs.get("training"), info.now), make)

    def link_bytes(self) -> bytes:
        """Speed of each link as % of free flow, one byte a value, link by link; 255 where no vehicle was.

        To `now` from the live day, after it the usual share of that kind of day (`link_profile`).
        """
        info = self.info()
        return self.keep(("links", info.runs["live"], info.now), lambda: self._link_bytes(info))

    def _link_bytes(self, info: Info) -> bytes:
        free = self.links()["free_flow_speed_mps"].to_numpy(dtype=float)
        out = np.full((len(free), len(info.day)), 255, dtype=np.uint8)
        if self.has_table(info.runs["live"], "link_state"):
            rows = self.sql(
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
        if simulation and self.has_table(simulation, "link_profile"):
            kind = "weekend" if info.day[0].tz_convert(info.timezone).dayofweek >= 5 else "weekday"
            rows = self.sql(
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

    def lost_time(self) -> np.ndarray:
        """Vehicle-hours lost in an hour by step, whole city: as simulated to `now`, then the usual; shape (steps,)."""
        info = self.info()
        run = info.runs["live"]

        def make() -> np.ndarray:
            distance = self.usual("vehicle_distance_m").copy()
            if self.has_table(run, "zone_truth"):
                seen = self.truth("vehicle_distance_m")
                distance[:, : info.now_step] = seen[:, : info.now_step]
            return np.nansum(self.delay() * distance / 1000.0, axis=0) / info.step_s

        return self.keep(("lost_time", run, info.now), make)

    def congestion(self) -> list[float]:
        """`lost_time` for the hill above the time slider."""
        return [round(float(v), 3) for v in self.lost_time()]

    # ------------------------------------------------------------------ zones against a limit

    def zone_table(self, target: str) -> pd.DataFrame:
        """One row a zone: now, peak of the rest of the day with its 90 % band, when, chance of passing the limit.

        `chance` is that of the likeliest step. Sorted by chance, then by peak; zones without a sensor come last.
        """
        info = self.info()
        key = ("zone_table", info.runs["live"], info.runs.get("training"), info.now, target)
        return self.keep(key, lambda: self._zone_table(info, target))

    def _zone_table(self, info: Info, target: str) -> pd.DataFrame:
        factor = DISPLAY[target][1]
        limit = EU_2030.get(target)
        seen = self.observed(target) * factor
        rows = []
        for z, (zone, name) in enumerate(self.zone_names().items()):
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
                "model": str(self.choice(zone, target).get("model_in_use", "")),
            }
            levels, paths = self.paths(zone, target, "in_use")
            if len(levels) and np.isfinite(paths).any():
                paths = paths * factor
                middle = paths[:, int(np.argmin(np.abs(levels - 0.5)))]
                k = int(np.nanargmin(middle) if target == "speed_mps" else np.nanargmax(middle))
                row |= {
                    "peak": middle[k],
                    "low": paths[k, 0],
                    "high": paths[k, -1],
                    "at": self.clock(info.now_step + k),
                }
                if limit is not None:
                    chance = exceedance(levels, paths, limit.value)
                    best = int(np.nanargmax(chance))
                    best = k if chance[k] >= chance[best] else best
                    row |= {"chance": float(chance[best]), "chance_at": self.clock(info.now_step + best)}
            rows.append(row)
        table = pd.DataFrame(rows)
        if target == "speed_mps":
            return table.sort_values(["peak", "zone_id"], ignore_index=True, na_position="last")
        return table.sort_values(
            ["chance", "peak", "zone_id"], ascending=[False, False, True], ignore_index=True, na_position="last"
        )

    def clock(self, step: int) -> str:
        """Local time at which a step of the day begins."""
        info = self.info()
        at = info.day[0] + pd.Timedelta(seconds=info.step_s * step)
        return at.tz_convert(info.timezone).strftime("%H:%M")

    def fan(self, zone_id: str, target: str) -> pd.DataFrame:
        """Rows of the fan chart, shown units: time (local), observed, median, 50 and 90 % bounds, other model."""
        info = self.info()
        factor = DISPLAY[target][1]
        ids = list(self.zone_names())
        now = info.now_step

        table = pd.DataFrame({"time": info.day.tz_convert(info.timezone).tz_localize(None)})
        table["observed"] = self.observed(target)[ids.index(zone_id)] * factor
        levels, paths = self.paths(zone_id, target, "in_use")
        for name, level in (("median", 0.5), ("low50", 0.25), ("high50", 0.75), ("low90", 0.05), ("high90", 0.95)):
            table[name] = np.nan
            if len(levels):
                table.loc[now:, name] = paths[:, int(np.argmin(np.abs(levels - level)))] * factor
        used = str(self.choice(zone_id, target).get("model_in_use", "micromodel"))
        other = "micromodel" if used == "macromodel" else "macromodel"
        levels, paths = self.paths(zone_id, target, other)
        table["other"] = np.nan
        if len(levels):
            table.loc[now:, "other"] = paths[:, int(np.argmin(np.abs(levels - 0.5)))] * factor
        return table


def _last(values: np.ndarray) -> float:
    """Newest value that is there."""
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else float("nan")


def targets_of(rows: pd.DataFrame) -> list[str]:
    """Targets that a table speaks of, in the house's order."""
    there = set(rows["target"].astype(str))
    return [t for t in TARGETS if t in there]

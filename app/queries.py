"""The only reader of the store: stored tables, asked of DuckDB over Parquet, and answers kept per run.

Runs never change, so an answer is kept under the ids of the runs that it was made from, as long as there is room for it
(`keeping`). `workspace.json` alone is read anew at each question: a new run shows at the next page load. The modules
`*_views` make tables for pages of it: `live_views` the live day, `map_views` what the map draws, `zone_views` the
zones' table and fan, and one a page more.
"""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import duckdb
import geopandas as gpd
import pandas as pd

from app.geometry import city_geometry
from app.keeping import SHELF
from data.errors import RunNotFoundError, ZonewiseError
from data.schemas import TARGETS
from data.store.workspace import Workspace

_NUMBERS = count()


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
    """Tables of one workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._owner = next(_NUMBERS)
        self._info: tuple[tuple[int, int], Info] | None = None
        weakref.finalize(self, SHELF.forget, self._owner).atexit = False

    # ------------------------------------------------------------------ what there is

    def info(self) -> Info:
        """City, clock and runs.

        Raises
        ------
        NotReadyError
            If no demo or simulation has finished here.
        """
        tag = self.workspace.stamp()
        held = self._info
        if held is None or held[0] != tag:
            held = self._info = (tag, self._read_info())
        return held[1]

    def _read_info(self) -> Info:
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
        found = SHELF.find(self._owner, key)
        if found is not None:
            return found[0]
        value = make()
        SHELF.put(self._owner, key, value)
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
            told = city_geometry(read(run, "zones"), links, base)
            if self.has_table(run, "sensors"):
                sensors = read(run, "sensors")
                if "name" in sensors:  # real ones; those of a simulated city are made up, and are not shown
                    told["sensors"] = [
                        {"id": str(s.sensor_id), "at": [round(s.lon, 6), round(s.lat, 6)]} for s in sensors.itertuples()
                    ]
            return json.dumps(told, separators=(",", ":")).encode()

        return self.keep(("geometry", run), make)

    # ------------------------------------------------------------------ which model serves whom, and the clock

    def choices(self) -> pd.DataFrame:
        """Which model serves each zone and target, with the reason; empty before training."""
        runs = self.info().runs
        if "training" not in runs or not self.has_table(runs["training"], "choices"):
            return pd.DataFrame(columns=["zone_id", "target", "family", "model_in_use", "reason", "is_task"])
        return self.table(runs["training"], "choices")

    def choice(self, zone_id: str, target: str) -> dict[str, Any]:
        """The row of `choices` of a zone and target; empty where nothing is sensed."""
        found: dict[tuple[str, str], dict[str, Any]] = self.keep(
            ("choice", self.info().runs.get("training")), lambda: _by_zone_and_target(self.choices())
        )
        return dict(found.get((zone_id, target), {}))

    def clock(self, step: int) -> str:
        """Local time at which a step of the day begins."""
        info = self.info()
        at = info.day[0] + pd.Timedelta(seconds=info.step_s * step)
        return at.tz_convert(info.timezone).strftime("%H:%M")


def _by_zone_and_target(rows: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """Rows as mappings; of several of one zone and target, the first."""
    told = [{str(k): v for k, v in row.items()} for row in rows.to_dict("records")]
    return {(str(row["zone_id"]), str(row["target"])): row for row in reversed(told)}


def targets_of(rows: pd.DataFrame) -> list[str]:
    """Targets that a table speaks of, in the house's order."""
    there = set(rows["target"].astype(str))
    return [t for t in TARGETS if t in there]

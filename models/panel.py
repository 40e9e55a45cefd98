"""The panel: zone readings on one regular grid of times, as every model reads them.

A panel's arrays may be preallocated with `nan` in the future and written in place while a city lives; a forecaster
only ever looks at what was known at its forecast origin.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from data.schemas import AIR_TARGETS, TARGETS, TRAFFIC_TARGETS
from models.calendar import Calendar
from models.errors import PanelError, UnknownZoneError


@dataclass(frozen=True, eq=False)
class Panel:
    """Readings of all zones on one regular grid.

    Attributes
    ----------
    times : DatetimeIndex, shape (T,)
        Starts of the intervals, UTC; the value of an interval is known at its start + `step_s`.
    zone_ids : tuple of str, length Z
    values : dict of str to ndarray, shape (T, Z)
        By target, in the unit that the target's name ends with; `nan` where nothing was sensed.
    timezone : str
        The city's IANA time zone.
    step_s : int
        Step of the grid, s; divides a day.
    zones : DataFrame or None
        The `zones` table, one row a zone in the order of `zone_ids`.
    neighbours : ndarray, shape (Z, Z)
        Weight of each neighbour (column) of a zone (row); rows sum to 1, or to 0 where a zone has none.
    weather : dict of str to ndarray, shape (T,)
        By column of the `weather` table; used up to a forecast origin only.
    country : str or None
        ISO code for public holidays.
    """

    times: pd.DatetimeIndex
    zone_ids: tuple[str, ...]
    values: dict[str, np.ndarray]
    timezone: str = "UTC"
    step_s: int = 900
    zones: pd.DataFrame | None = None
    neighbours: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    weather: dict[str, np.ndarray] = field(default_factory=dict)
    country: str | None = None

    def __post_init__(self) -> None:
        shape = (len(self.times), len(self.zone_ids))
        wrong = {name: array.shape for name, array in self.values.items() if array.shape != shape}
        if wrong:
            raise PanelError(f"values must have shape (times, zones) = {shape}; found {wrong}")
        if self.step_s <= 0 or 86_400 % self.step_s:
            raise PanelError(f"step_s={self.step_s} must divide a day of 86,400 s, e.g. 300, 900 or 3600")
        if self.neighbours.size == 0:
            object.__setattr__(self, "neighbours", np.zeros((shape[1], shape[1])))
        if self.neighbours.shape != (shape[1], shape[1]):
            raise PanelError(f"neighbours must have shape {(shape[1], shape[1])}; found {self.neighbours.shape}")

    @classmethod
    def from_table(
        cls,
        zone_state: pd.DataFrame,
        *,
        zones: pd.DataFrame | None = None,
        adjacency: pd.DataFrame | None = None,
        weather: pd.DataFrame | None = None,
        timezone: str = "UTC",
        country: str | None = None,
        step_s: int | None = None,
        targets: Sequence[str] = TARGETS,
    ) -> Panel:
        """Lay tables on one regular grid; what no row reports is `nan`.

        Parameters
        ----------
        zone_state : DataFrame
            Columns `zone_id`, `time` (UTC, start of interval) and any of `targets`.
        zones : DataFrame or None
            The `zones` table; gives the order of the zones. Without it, sorted ids.
        adjacency : DataFrame or None
            Columns `zone_id`, `neighbour_zone_id`, `border_m`, `distance_m`; a neighbour's weight is its share of the
            common border, or of the inverse distances where no border is known; a column `weight` goes before both.
        weather : DataFrame or None
            Columns `time` and any numbers, hourly or so; a value holds until the next one.
        timezone, country : str
            Local time and public holidays.
        step_s : int or None
            Step of the grid, s; None takes the commonest step of `time`.

        Raises
        ------
        PanelError
            If times lie off the grid, keys repeat, or no target is there.
        """
        found = [name for name in targets if name in zone_state.columns]
        if not found or not {"zone_id", "time"} <= set(zone_state.columns) or zone_state.empty:
            raise PanelError(
                f"zone_state needs rows and the columns zone_id, time and at least one of {list(targets)};"
                f" found {list(map(str, zone_state.columns))} in {len(zone_state)} rows"
            )
        stamps = pd.DatetimeIndex(zone_state["time"])
        if stamps.tz is None:
            raise PanelError("zone_state's times have no time zone; localise them to the city's and convert to UTC")
        at = np.asarray(stamps.tz_convert("UTC").as_unit("us").asi8)
        unique = np.unique(at)
        step_us = step_s * 1_000_000 if step_s else _commonest_step(unique)
        row, off = np.divmod(at - unique[0], step_us)
        if off.any():
            bad = stamps[np.flatnonzero(off)[0]]
            raise PanelError(f"time {bad} lies off the grid of {step_us / 1e6:g} s from {stamps.min()}")
        ids = tuple(map(str, zones["zone_id"] if zones is not None else sorted(zone_state["zone_id"].unique())))
        place = {zone: k for k, zone in enumerate(ids)}
        column = zone_state["zone_id"].astype(str).map(place)
        if column.isna().any():
            unknown = sorted(set(zone_state["zone_id"].astype(str)) - set(ids))
            raise UnknownZoneError(f"zone_state reports zones {unknown[:5]} that the zones table does not have")
        column = column.to_numpy(dtype=np.int64)
        if np.unique(row * len(ids) + column).size != row.size:
            raise PanelError("zone_state repeats a (zone_id, time); keep one row each")
        times = pd.date_range(
            pd.Timestamp(unique[0], unit="us", tz="UTC"),
            periods=int(row.max()) + 1,
            freq=pd.Timedelta(microseconds=int(step_us)),
        ).as_unit("us")
        values = {}
        for name in found:
            grid = np.full((len(times), len(ids)), np.nan)
            grid[row, column] = zone_state[name].to_numpy(dtype=float, na_value=np.nan)
            values[name] = grid
        return cls(
            times=times,
            zone_ids=ids,
            values=values,
            timezone=timezone,
            step_s=int(step_us // 1_000_000),
            zones=None if zones is None else pd.DataFrame(zones.drop(columns="geometry", errors="ignore")),
            neighbours=neighbour_weights(adjacency, ids),
            weather={} if weather is None else _on_grid(weather, times),
            country=country,
        )

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def calendar(self) -> Calendar:
        """Local calendar of the grid and of the days after it."""
        return Calendar.of(self.times, step_s=self.step_s, timezone=self.timezone, country=self.country)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {zone: k for k, zone in enumerate(self.zone_ids)}

    @cached_property
    def _start_us(self) -> int:
        return int(self.times[:1].as_unit("us").asi8[0])

    @property
    def steps_per_day(self) -> int:
        """Steps in a day."""
        return 86_400 // self.step_s

    def columns(self, zone_ids: Sequence[str]) -> np.ndarray:
        """Columns of zones, shape (n,); `UnknownZoneError` for one that is not there."""
        unknown = [zone for zone in zone_ids if zone not in self._place]
        if unknown:
            raise UnknownZoneError(f"unknown zone(s) {unknown[:5]}; the panel has {_some(self.zone_ids)}")
        return np.array([self._place[zone] for zone in zone_ids], dtype=np.int64)

    def known(self, origins: pd.DatetimeIndex | pd.Timestamp) -> np.ndarray:
        """Position of the last interval that is known at each forecast origin, shape (n,); -1 where none is."""
        stamps = [origins] if isinstance(origins, pd.Timestamp) else origins
        stamps = stamps if isinstance(stamps, pd.DatetimeIndex) else pd.DatetimeIndex(stamps)
        if stamps.tz is None:
            raise PanelError("forecast origins have no time zone; give them in UTC")
        return (np.asarray(stamps.as_unit("us").asi8) - self._start_us) // (self.step_s * 1_000_000) - 1

    def known_by(self, instant: pd.Timestamp) -> int:
        """Intervals of the panel that are known at an instant, 0 to `len(panel)`."""
        return int(np.clip(self.known(pd.Timestamp(instant))[0] + 1, 0, len(self)))

    def origin(self, position: int) -> pd.Timestamp:
        """Instant at which the interval at `position` has just become known."""
        step = pd.Timedelta(seconds=self.step_s)
        return self.times[0] + (position + 1) * step

    def origins(self, positions: np.ndarray) -> pd.DatetimeIndex:
        """Instants at which the intervals at `positions` (n,) have just become known, UTC: the inverse of `known`."""
        at_us = self._start_us + (np.asarray(positions, dtype=np.int64) + 1) * (self.step_s * 1_000_000)
        return pd.DatetimeIndex(at_us.astype("datetime64[us]")).tz_localize("UTC")

    @property
    def first_step(self) -> int:
        """Steps of the grid from 1970-01-01 UTC to the first interval."""
        return self._start_us // (self.step_s * 1_000_000)

    def until(self, n: int) -> Panel:
        """The first `n` intervals alone: what is fitted on it cannot have read anything later. Arrays are views."""
        part = Panel(
            times=self.times[:n], zone_ids=self.zone_ids, values={k: v[:n] for k, v in self.values.items()},
            timezone=self.timezone, step_s=self.step_s, zones=self.zones, neighbours=self.neighbours,
            weather={k: v[:n] for k, v in self.weather.items()}, country=self.country,
        )  # fmt: skip
        part.__dict__["calendar"] = self.calendar  # depends on the clock alone
        return part

    def during(self, start: int, end: int) -> Panel:
        """Intervals from `start` up to `end` alone, as a panel of its own. Arrays are views."""
        return replace(
            self, times=self.times[start:end], values={k: v[start:end] for k, v in self.values.items()},
            weather={k: v[start:end] for k, v in self.weather.items()},
        )  # fmt: skip

    def sensed(self, target: str, *, share: float = 0.2) -> tuple[str, ...]:
        """Zones with readings of `target` in at least that share of the grid."""
        if target not in self.values:
            return ()
        enough = np.isfinite(self.values[target]).mean(axis=0) >= share if len(self) else np.zeros(len(self.zone_ids))
        return tuple(zone for zone, good in zip(self.zone_ids, enough) if good)


def neighbour_weights(adjacency: pd.DataFrame | None, zone_ids: Sequence[str]) -> np.ndarray:
    """Row-normalised neighbour weights, shape (Z, Z): shares of the common border, else of inverse distance."""
    n = len(zone_ids)
    weights = np.zeros((n, n))
    if adjacency is None or adjacency.empty:
        return weights
    place = {zone: k for k, zone in enumerate(zone_ids)}
    rows = adjacency["zone_id"].astype(str).map(place)
    cols = adjacency["neighbour_zone_id"].astype(str).map(place)
    inside = (rows.notna() & cols.notna()).to_numpy()
    border = adjacency["border_m"].to_numpy(dtype=float) if "border_m" in adjacency else np.zeros(len(adjacency))
    if "weight" in adjacency and adjacency["weight"].to_numpy(dtype=float)[inside].any():
        border = adjacency["weight"].to_numpy(dtype=float)  # given by hand
    if not border[inside].any() and "distance_m" in adjacency:
        border = 1.0 / np.maximum(adjacency["distance_m"].to_numpy(dtype=float), 1.0)
    weights[rows[inside].to_numpy(dtype=int), cols[inside].to_numpy(dtype=int)] = np.maximum(border[inside], 1e-9)
    np.fill_diagonal(weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)


def target_kind(target: str) -> str:
    """`traffic` or `air`."""
    if target in TRAFFIC_TARGETS:
        return "traffic"
    return "air" if target in AIR_TARGETS else "other"


def _commonest_step(unique: np.ndarray) -> int:
    if unique.size < 2:
        raise PanelError("zone_state holds a single time, so that its step is unknown; give step_s")
    steps, counts = np.unique(np.diff(unique), return_counts=True)
    return int(steps[np.argmax(counts)])


def _on_grid(weather: pd.DataFrame, times: pd.DatetimeIndex) -> dict[str, np.ndarray]:
    """Weather on the grid: each value holds until the next; `nan` before the first and for what is not a number."""
    table = weather.sort_values("time")
    at = np.asarray(pd.DatetimeIndex(table["time"]).tz_convert("UTC").as_unit("us").asi8)
    place = np.searchsorted(at, np.asarray(times.as_unit("us").asi8), side="right") - 1
    found = {}
    for name in table.columns:
        if name != "time" and pd.api.types.is_numeric_dtype(table[name]):
            column = table[name].to_numpy(dtype=float, na_value=np.nan)
            found[str(name)] = np.where(place >= 0, column[np.clip(place, 0, None)], np.nan)
    return found


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def by_zone(table: pd.DataFrame, names: Mapping[str, float]) -> np.ndarray:
    """Columns of a zones table as numbers, shape (Z, n); what is missing takes the given default."""
    columns = [
        table[name].to_numpy(dtype=float, na_value=default) if name in table else np.full(len(table), default)
        for name, default in names.items()
    ]
    return np.column_stack(columns) if columns else np.zeros((len(table), 0))

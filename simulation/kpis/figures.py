"""All key figures of one run as one series, in the form of `simulation.effects.measure`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.air.health.exposure import population
from simulation.air.health.standards import limits
from simulation.kpis.accessibility import MINUTES, reached
from simulation.kpis.gini import gini
from simulation.kpis.groups import Groups
from simulation.kpis.ledger import Ledger
from simulation.kpis.rates import Rates
from simulation.kpis.skims import mean_times

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.effects import Outcome

#: Limits of the air whose exceedances are counted, and hours of a day that a daily mean needs.
STANDARDS, HOURS_OF_DAY = ("eu_2030", "who_2021"), 18
_EXPOSED = ("no2", "pm25", "pm10")
Key = tuple[str, str, str, int, str]


@dataclass(frozen=True, eq=False, kw_only=True)
class Frame:
    """What key figures are told by: zones, people, places of the scenario, groups, rates and bus lines."""

    zone_ids: tuple[str, ...]
    people: np.ndarray  # (Z,)
    jobs: np.ndarray
    shops: np.ndarray
    inside: np.ndarray  # (Z,) bool
    groups: Groups
    rates: Rates
    lines: Mapping[str, np.ndarray]  # link ids of each bus line

    @classmethod
    def of(
        cls, city: City, inside: Sequence[str], groups: Groups, rates: Rates, lines: Mapping[str, Sequence[int]]
    ) -> Frame:
        """The frame of a city."""
        zones = city.zones
        known = bool({"population", "homes"} & set(zones.columns))
        nothing = np.zeros(len(zones))
        return cls(
            zone_ids=tuple(map(str, zones["zone_id"])),
            people=population(zones).to_numpy(dtype=float) if known else nothing,
            jobs=_column(zones, "jobs"), shops=_column(zones, "shops"),
            inside=zones["zone_id"].isin(list(inside)).to_numpy(), groups=groups, rates=rates,
            lines={name: np.asarray(links, dtype=np.int64) for name, links in lines.items()},
        )  # fmt: skip


def figures(
    outcome: Outcome, ledger: Ledger, skim_s: np.ndarray, link_time_s: np.ndarray, city: City, frame: Frame
) -> pd.Series:
    """Key figures of a run, by (quantity, scope, zone_id, hour, unit).

    Parameters
    ----------
    outcome : Outcome
    ledger : Ledger
        Of the same run.
    skim_s : ndarray, shape (K, P, P)
        From `simulation.kpis.skims.place_skim`.
    link_time_s : ndarray, shape (K, n_links)
    city : City
        The one that ran.
    frame : Frame

    Returns
    -------
    Series
        Scopes are `city`, `inside`, `outside`, `zone`, and `class`, `group` and `line`, which carry their name in
        `zone_id`.
    """
    book = _Book(frame)
    distance, time, free = (np.asarray(a) for a in (ledger.distance_m, ledger.time_s, ledger.free_s))  # (n, Z, C)
    _by_class(book, outcome, distance, time, free)
    book.sums("queue_veh", "veh", np.asarray(ledger.queue_veh).mean(axis=0))
    _money(book, outcome, distance, time)
    _exceedances(book, outcome, city.timezone)
    n = len(frame.zone_ids)
    trips = city.pair_trips()
    reach = {
        "jobs": frame.jobs, "shops": frame.shops,
    }  # fmt: skip
    book.means("home_travel_time_s", "s", mean_times(skim_s, trips)[:n])
    for name, opportunities in reach.items():
        for minutes in MINUTES:
            value = reached(skim_s[:, :n, :n], opportunities, minutes)
            book.means(f"{name}_within_{minutes}_min", name, value)
    _exposed(book, outcome)
    mean_link_s = link_time_s.mean(axis=0)
    for line, links in frame.lines.items():
        book.values["line_time_s", "line", line, -1, "s"] = float(mean_link_s[links].sum())
    return pd.Series(book.values, dtype=float)


class _Book:
    """Values as they are put down."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.values: dict[Key, float] = {}

    def _zones(self, name: str, unit: str, value: np.ndarray) -> None:
        for zone, one in zip(self.frame.zone_ids, value):
            self.values[name, "zone", zone, -1, unit] = float(one)

    def sums(self, name: str, unit: str, value: np.ndarray) -> None:
        """What adds up over zones, shape (Z,)."""
        inside = self.frame.inside
        self.values[name, "city", "", -1, unit] = float(value.sum())
        if inside.any():
            self.values[name, "inside", "", -1, unit] = float(value[inside].sum())
        if inside.any() and not inside.all():
            self.values[name, "outside", "", -1, unit] = float(value[~inside].sum())
        self._zones(name, unit, value)

    def means(self, name: str, unit: str, value: np.ndarray, *, groups_only: bool = False) -> None:
        """What residents have, shape (Z,): by zone, and its mean over the people of the city and of each group."""
        frame = self.frame
        for label, people in zip(frame.groups.names, frame.groups.people):
            self.values[name, "group", label, -1, unit] = _mean(value, people)
        if groups_only:
            return
        self.values[name, "city", "", -1, unit] = _mean(value, frame.people)
        self.values[f"{name}_gini", "city", "", -1, "1"] = gini(value, frame.people)
        self._zones(name, unit, value)


def _by_class(book: _Book, outcome: Outcome, distance: np.ndarray, time: np.ndarray, free: np.ndarray) -> None:
    metres, seconds = distance.sum(axis=(0, 1)), time.sum(axis=(0, 1))
    delay = np.maximum(time - free, 0.0).sum(axis=(0, 1))
    trips = outcome.trips
    for k, name in enumerate(VEHICLE_CLASSES):
        row = {
            ("vehicle_km", "veh km"): metres[k] / 1e3, ("vehicle_hours", "veh h"): seconds[k] / 3600.0,
            ("delay_hours", "veh h"): delay[k] / 3600.0,
            ("speed_kmh", "km/h"): 3.6 * metres[k] / seconds[k] if seconds[k] > 0 else np.nan,
            ("travel_time_s", "s"): trips["mean_time_s"].iloc[k] if k < len(trips) else np.nan,
            ("trips_arrived", "veh"): trips["arrived"].iloc[k] if k < len(trips) else np.nan,
        }  # fmt: skip
        for (quantity, unit), value in row.items():
            book.values[quantity, "class", name, -1, unit] = float(value)


def _money(book: _Book, outcome: Outcome, distance: np.ndarray, time: np.ndarray) -> None:
    """Value of time and external costs over the run, EUR."""
    frame, rates = book.frame, book.frame.rates
    truth = outcome.zone_truth
    place = truth["zone_id"].map({zone: k for k, zone in enumerate(frame.zone_ids)}).to_numpy()

    def emitted(column: str) -> np.ndarray:
        if column not in truth.columns:
            return np.zeros(len(frame.zone_ids))
        return np.bincount(place, weights=truth[column].fillna(0.0), minlength=len(frame.zone_ids)) / 1e3

    spent = {
        "time_cost": time.sum(axis=0) / 3600.0 @ rates.time_eur_per_veh_h,
        "accident_cost": distance.sum(axis=0) / 1e3 @ np.asarray(rates.accident_eur_per_km),
        "air_cost": emitted("nox_g") * rates.nox_eur_per_kg + emitted("pm25_g") * rates.pm25_eur_per_kg,
        "climate_cost": emitted("co2_g") * rates.co2_eur_per_kg,
    }
    noise = outcome.noise
    if noise is not None and noise["lden_db"].notna().any():
        rows = noise[noise["lden_db"].notna()]
        cost = rates.noise_eur_per_day(rows["lden_db"].to_numpy(float)) * rows["people"].to_numpy(float)
        at = rows["zone_id"].map({zone: k for k, zone in enumerate(frame.zone_ids)}).to_numpy()
        spent["noise_cost"] = np.bincount(at, weights=cost, minlength=len(frame.zone_ids))
    spent["external_cost"] = np.sum([value for name, value in spent.items() if name != "time_cost"], axis=0)
    spent["total_cost"] = spent["time_cost"] + spent["external_cost"]
    for name, value in spent.items():
        book.sums(f"{name}_eur", "EUR", value)


def _exceedances(book: _Book, outcome: Outcome, timezone: str) -> None:
    """People times hours or days above each hourly and daily limit of `STANDARDS`; limits of one level count once."""
    frame = book.frame
    hourly, days = zone_hours(outcome.zone_truth, frame.zone_ids, timezone)
    day, of_day = np.unique(days, return_inverse=True)
    seen = set()
    for standard in STANDARDS:
        for limit in limits(standard):
            column = f"{limit.pollutant}_ug_per_m3"
            what = (limit.pollutant, limit.period, limit.limit_ug_per_m3)
            if limit.period not in ("hour", "day") or column not in hourly or what in seen:
                continue
            seen.add(what)
            value = hourly[column]
            if limit.period == "day":
                known = np.isfinite(value)
                count = np.stack([np.bincount(of_day, k, minlength=day.size) for k in known.T.astype(float)], axis=1)
                total = np.stack(
                    [np.bincount(of_day, v, minlength=day.size) for v in np.where(known, value, 0.0).T], axis=1
                )
                with np.errstate(invalid="ignore", divide="ignore"):
                    value = np.where(count >= HOURS_OF_DAY, total / count, np.nan)
                if not np.isfinite(value).any():
                    continue
            with np.errstate(invalid="ignore"):
                above = (value > limit.limit_ug_per_m3).sum(axis=0) * frame.people
            unit = f"person {limit.period}"
            book.sums(f"{limit.pollutant}_{limit.period}s_above_{limit.limit_ug_per_m3:g}", unit, above)


def zone_hours(truth: pd.DataFrame, zone_ids: Sequence[str], timezone: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Hourly means of every column of concentrations, and of the travel-time index, by zone.

    Returns
    -------
    dict of ndarray, shape (H, Z)
        By column; nan where nothing is known.
    ndarray, shape (H,)
        Local day of each hour, days since 1970.
    """
    names = [n for n in truth.columns if n.endswith("_ug_per_m3") or n == "travel_time_index"]
    local = truth["time"].dt.tz_convert(timezone).dt.tz_localize(None)
    hours = local.dt.floor("h").to_numpy().astype("datetime64[h]").astype(np.int64)
    stamp, at = np.unique(hours, return_inverse=True)
    place = truth["zone_id"].map({zone: k for k, zone in enumerate(zone_ids)}).to_numpy()
    cell, size = at * len(zone_ids) + place, stamp.size * len(zone_ids)
    out = {}
    for name in names:
        value = truth[name].to_numpy(float)
        known = np.isfinite(value)
        total = np.bincount(cell[known], weights=value[known], minlength=size)
        count = np.bincount(cell[known], minlength=size)
        mean = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
        out[name] = mean.reshape(stamp.size, -1)
    return out, stamp // 24


def _exposed(book: _Book, outcome: Outcome) -> None:
    """Mean concentrations and Lden by group of residents, and their inequality over all residents."""
    frame, truth = book.frame, outcome.zone_truth
    index = list(frame.zone_ids)
    for name in _EXPOSED:
        column = f"{name}_ug_per_m3"
        if column in truth.columns:
            value = truth.groupby("zone_id")[column].mean().reindex(index).to_numpy(float)
            book.means(f"{name}_exposure", "ug/m3", value, groups_only=True)
            book.values[f"{name}_gini", "city", "", -1, "1"] = gini(value, frame.people)
    if outcome.noise is not None and outcome.noise["lden_db"].notna().any():
        level = outcome.noise.groupby("zone_id")["lden_db"].mean().reindex(index).to_numpy(float)
        book.means("lden", "dB(A)", level, groups_only=True)


def _mean(value: np.ndarray, people: np.ndarray) -> float:
    known = np.isfinite(value)
    total = float(people[known].sum())
    return float(value[known] @ people[known]) / total if total > 0 else float("nan")


def _column(zones: pd.DataFrame, name: str) -> np.ndarray:
    return np.nan_to_num(zones[name].to_numpy(dtype=float)) if name in zones.columns else np.zeros(len(zones))

"""The outlook of zones: a table for all, sentences for one, words for a planner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.units import DISPLAY
from models.contract import Forecaster
from models.errors import NoDataError
from models.outlook.changepoints import Change, changes
from models.outlook.daily import Daily
from models.outlook.drivers import Driver, drivers
from models.outlook.sensors import sensor_worth
from models.outlook.trend import Trend, trend
from models.outlook.upkeep import Upkeep, upkeep
from models.panel import Panel

COLUMNS = (
    "zone_id", "target", "trend_per_week", "trend_low", "trend_high", "trend", "changes", "last_change", "last_size",
    "last_size_low", "last_size_high", "leans_on", "leans_share", "upkeep", "error_growth", "error_growth_low",
    "error_growth_high", "age_days", "sensor_rank", "error_without_sensor",
)  # fmt: skip
HORIZON_S = 3600.0
#: A change of less than this share of the usual level is told as small (assumed).
SMALL = 0.02


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is to be said of one target.

    Attributes
    ----------
    target : str
    table : DataFrame
        `COLUMNS`, one row a zone; numbers in the target's unit, `nan` where nothing can be said.
    sentences : dict of str to list of str
        By zone.
    changes : DataFrame
        `zone_id, target, day, first, last, size, low, high`: every change of level that was found.
    """

    target: str
    table: pd.DataFrame
    sentences: Mapping[str, list[str]]
    changes: pd.DataFrame


def outlook(
    panel: Panel,
    target: str,
    *,
    models: Mapping[str, Forecaster] | None = None,
    alarms: pd.DataFrame | None = None,
    zone_ids: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Outlook:
    """Trend, changes, drivers, upkeep and worth of the sensor of each zone.

    Parameters
    ----------
    panel : Panel
        All readings up to now.
    target : str
    models : mapping of str to Forecaster, or None
        Model in service by zone; without one nothing is said of drivers and upkeep.
    alarms : DataFrame or None
        `models.monitoring.ALARMS`.
    zone_ids : sequence of str or None
        None takes all that have readings.
    names : mapping of str to str, or None
        Names of zones for the sentences.
    seed : int

    Raises
    ------
    PanelError, UnknownZoneError
        If the panel has no such target or zone.
    """
    daily = Daily.of(panel, target, None if zone_ids is None else tuple(zone_ids))
    worth = _worth(panel, target)
    step = max(1, round(HORIZON_S / panel.step_s))
    rows, sentences, found = [], {}, []
    for place, zone in enumerate(daily.zone_ids):
        value = daily.value[:, place]
        steps = changes(daily.day, value)
        slope = trend(daily.day, value, tuple(c.day for c in steps))
        model = (models or {}).get(zone)
        at = step if model is None or step in model.anchors else min(model.anchors, key=lambda a: abs(a - step))
        leans = [] if model is None else drivers(model, panel, zone, step=at, seed=seed)
        care = None if model is None else upkeep(model, panel, zone, step=at, alarms=alarms, seed=seed)
        sensor = worth.get(zone)
        rows.append(_row(zone, target, slope, steps, leans, care, sensor))
        found += [{"zone_id": zone, "target": target, **_dated(c)} for c in steps]
        sentences[zone] = _sentences(
            (names or {}).get(zone, zone), target, float(daily.level[place]), slope, steps, leans, care, sensor,
            len(worth), at * panel.step_s,
        )  # fmt: skip
    changed = pd.DataFrame(found, columns=["zone_id", "target", "day", "first", "last", "size", "low", "high"])
    return Outlook(target, pd.DataFrame(rows, columns=list(COLUMNS)), sentences, changed)


def _worth(panel: Panel, target: str) -> dict[str, pd.Series]:
    try:
        table = sensor_worth(panel, target)
    except NoDataError:
        return {}
    return {str(row["zone_id"]): row for _, row in table.iterrows()}


def _row(
    zone: str, target: str, slope: Trend, steps: list[Change], leans: list[Driver], care: Upkeep | None,
    sensor: pd.Series | None,
) -> dict[str, object]:  # fmt: skip
    last = steps[-1] if steps else None
    sure = [driver for driver in leans if driver.counts]
    nothing = float("nan")
    return {
        "zone_id": zone, "target": target, "trend_per_week": slope.per_week, "trend_low": slope.low,
        "trend_high": slope.high, "trend": _way(slope), "changes": len(steps),
        "last_change": _date(last.day) if last else "", "last_size": last.size if last else nothing,
        "last_size_low": last.low if last else nothing, "last_size_high": last.high if last else nothing,
        "leans_on": sure[0].name if sure else "", "leans_share": sure[0].growth if sure else nothing,
        "upkeep": care.verdict if care else "", "error_growth": care.growth if care else nothing,
        "error_growth_low": care.low if care else nothing, "error_growth_high": care.high if care else nothing,
        "age_days": care.age_days if care else nothing,
        "sensor_rank": int(sensor["rank"]) if sensor is not None else 0,
        "error_without_sensor": _without(sensor) if sensor is not None else nothing,
    }  # fmt: skip


def _without(sensor: pd.Series) -> float:
    return float(sensor["error_measured"] if np.isfinite(sensor["error_measured"]) else sensor["error_told"])


def _way(slope: Trend) -> str:
    if not np.isfinite(slope.per_week):
        return "too short"
    return ("rising" if slope.per_week > 0 else "falling") if slope.sure else "no clear trend"


def _sentences(
    name: str, target: str, level: float, slope: Trend, steps: list[Change], leans: list[Driver], care: Upkeep | None,
    sensor: pd.Series | None, zones: int, horizon_s: float,
) -> list[str]:  # fmt: skip
    what = _named(target)
    said = [_of_trend(name, what, target, level, slope, bool(steps)), *_of_changes(what, target, level, steps)]
    if care is not None:
        said += [_of_drivers(what, leans, horizon_s), f"Advice: {care.verdict}. {care.reason}"]
    if sensor is not None:
        said.append(_of_sensor(name, what, target, sensor, zones))
    return said


def _of_trend(name: str, what: str, target: str, level: float, slope: Trend, stepped: bool) -> str:
    if not np.isfinite(slope.per_week):
        return f"{name}: {what}: {slope.days} whole days are too few to speak of a trend."
    monthly = 30.44 / 7
    low, high = _size(target, monthly * slope.low, sign=True), _size(target, monthly * slope.high, sign=True)
    beside = " apart from the changes below" if stepped else ""
    season = "" if slope.seasons else " With less than two years of days, a season would look the same."
    if not slope.sure:
        return f"{name}: {what} shows no clear trend{beside}: between {low} and {high} a month (9 in 10 sure)."
    way = "rising" if slope.per_week > 0 else "falling"
    share = f", {abs(100 * monthly * slope.per_week / level):.1f} % of the usual level" if level > 0 else ""
    return (
        f"{name}: {what} is {way}{beside} by about {_size(target, abs(monthly * slope.per_week))} a month{share}"
        f" (9 in 10 sure: {low} to {high}).{season}"
    )


def _of_changes(what: str, target: str, level: float, steps: list[Change]) -> list[str]:
    if not steps:
        return [f"{what} has had no sudden change that lasted."]
    said = []
    for step in steps:
        way = "rose" if step.size > 0 else "fell"
        if step.first == step.last:
            when = f"On {_date(step.day)}"
        else:
            when = f"On {_date(step.day)} (it may have been from {_date(step.first)} to {_date(step.last)})"
        small = "a little, " if level > 0 and abs(step.size) < SMALL * level else ""
        said.append(
            f"{when} {what} {way} {small}by about {_size(target, abs(step.size))} and stayed there (9 in 10 sure:"
            f" {_size(target, step.low, sign=True)} to {_size(target, step.high, sign=True)})."
        )
    return said


def _of_drivers(what: str, leans: list[Driver], horizon_s: float) -> str:
    ahead = f"{horizon_s / 3600:g} h ahead" if horizon_s >= 3600 else f"{horizon_s / 60:g} min ahead"
    sure = [driver for driver in leans if driver.counts]
    if not leans:
        return f"What the forecast of {what}, {ahead}, leans on cannot be told for this kind of model or so few days."
    if not sure:
        return f"The forecast of {what}, {ahead}, leans on nothing clearly: it is close to the usual day."
    told = "; ".join(
        f"{driver.name} (without: error {100 * driver.growth:.0f} % larger, {100 * driver.low:.0f} to"
        f" {100 * driver.high:.0f} %)" for driver in sure[:3]
    )  # fmt: skip
    return f"The forecast of {what}, {ahead}, leans most on {told}."


def _of_sensor(name: str, what: str, target: str, sensor: pd.Series, zones: int) -> str:
    rank, share = int(sensor["rank"]), 100 * float(sensor["explained"])
    error = _size(target, _without(sensor))
    if sensor["monitored"]:
        return (
            f"Were the sensor lost, the other zones would tell {what} here to within {error} on average (measured);"
            f" a spare one is worth place {rank} of {zones}."
        )
    return (
        f"{name} has no sensor for {what}; the others tell it to within about {error} on average (foretold from how"
        f" alike zones are by distance; they explain {share:.0f} % of its ups and downs). A sensor here is worth place"
        f" {rank} of {zones}."
    )


def _named(target: str) -> str:
    """Plain name, as it begins a sentence."""
    return DISPLAY[target][3] if target in DISPLAY else target


def _size(target: str, value: float, *, sign: bool = False) -> str:
    unit, factor, digits, _ = DISPLAY.get(target, ("", 1.0, 2, target))
    shown = value * factor
    places = digits + (1 if abs(shown) >= 1 else 2)
    return f"{shown:{'+' if sign else ''}.{places}f} {unit}".strip()


def _date(day: int) -> str:
    return str(np.datetime64(int(day), "D"))


def _dated(change: Change) -> dict[str, object]:
    return {
        "day": _date(change.day), "first": _date(change.first), "last": _date(change.last), "size": change.size,
        "low": change.low, "high": change.high,
    }  # fmt: skip

"""Quantities of a study in words: name, unit, and the section of the report that tells them."""

from __future__ import annotations

import math
import re

#: By quantity: words and section. Order of the tables.
WORDS: dict[str, tuple[str, str]] = {
    "travel_time_s": ("Mean travel time of a trip", "traffic"),
    "delay_hours": ("Delay", "traffic"),
    "vehicle_hours": ("Time on the road", "traffic"),
    "speed_kmh": ("Mean speed", "traffic"),
    "vehicle_km": ("Distance driven", "traffic"),
    "queue_veh": ("Vehicles in queues", "traffic"),
    "trips_arrived": ("Trips that arrived", "traffic"),
    "trips_unfinished": ("Trips unfinished at the end", "traffic"),
    "line_time_s": ("Time of the bus line", "traffic"),
    "nox_kg": ("NOx emitted", "air"),
    "pm25_kg": ("PM2.5 emitted", "air"),
    "co2_kg": ("CO2 emitted", "air"),
    "no2": ("NO2, mean of the area", "air"),
    "no2_exposure": ("NO2 where people live", "air"),
    "pm25": ("PM2.5, mean of the area", "air"),
    "pm25_exposure": ("PM2.5 where people live", "air"),
    "pm10": ("PM10, mean of the area", "air"),
    "pm10_exposure": ("PM10 where people live", "air"),
    "nox": ("NOx, mean of the area", "air"),
    "o3": ("O3, mean of the area", "air"),
    "lden": ("Road noise Lden where people live", "noise"),
    "people_lden_65": ("People at 65 dB(A) or more", "noise"),
    "time_cost_eur": ("Time of travellers", "money"),
    "accident_cost_eur": ("Accidents", "money"),
    "air_cost_eur": ("Air pollution", "money"),
    "climate_cost_eur": ("Climate", "money"),
    "noise_cost_eur": ("Noise", "money"),
    "external_cost_eur": ("All external costs", "money"),
    "total_cost_eur": ("Time and external costs", "money"),
    "home_travel_time_s": ("Travel time from home", "access"),
}
_PATTERNS = (
    (r"(jobs|shops)_within_(\d+)_min", "{0} within {1} minutes by car", "access"),
    (r"(\w+?)_(hour|day)s_above_([\d.]+)", "People times {1}s above {2} µg/m³ of {0}", "air"),
)
_GAS = {"no2": "NO2", "pm25": "PM2.5", "pm10": "PM10", "nox": "NOx", "o3": "O3", "jobs": "Jobs", "shops": "Shops"}
_UNITS = {"ug/m3": "µg/m³", "veh h": "veh·h", "veh km": "veh·km", "1": ""}
#: Which sign a resident gains by, as `simulation.kpis.equity.GOODS` has it; other quantities have no better or worse.
SECTIONS = ("traffic", "air", "noise", "money", "access")


def words(quantity: str) -> str:
    """A quantity's name for people; what nobody named keeps its own with spaces."""
    if quantity in WORDS:
        return WORDS[quantity][0]
    if quantity.endswith("_gini"):
        inner = words(quantity.removesuffix("_gini"))
        return f"Inequality (Gini) of: {inner}"
    for pattern, text, _ in _PATTERNS:
        if (found := re.fullmatch(pattern, quantity)) is not None:
            return text.format(*(_GAS.get(part, part) for part in found.groups()))
    return quantity.replace("_", " ")


def section(quantity: str) -> str:
    """Where it is told; `access` for what nobody placed."""
    if quantity in WORDS:
        return WORDS[quantity][1]
    if quantity.endswith("_gini"):
        return "equity"
    return next((place for pattern, _, place in _PATTERNS if re.fullmatch(pattern, quantity)), "access")


def unit_words(unit: str) -> str:
    """A unit as it is printed."""
    return _UNITS.get(unit, unit)


def number(value: float, *, sign: bool = False) -> str:
    """Three digits that count, no powers of ten, a true minus; empty where it is not known.

    Examples
    --------
    >>> number(1234.5), number(-0.01234, sign=True), number(0.0, sign=True), number(float("inf"))
    ('1,234', '−0.0123', '0', 'none')
    """
    if value is None or value != value:
        return ""
    if math.isinf(value):
        return "none"
    digits = 0 if value == 0 else min(8, max(0, 2 - math.floor(math.log10(abs(value)))))
    text = f"{abs(value):,.{digits}f}"
    if not float(text.replace(",", "")):
        return "0"
    return ("−" if value < 0 else "+" if sign else "") + text


def interval(low: float, high: float) -> str:
    """Bounds; a dash where they are not known."""
    if low is None or high is None or low != low or high != high:
        return "–"
    return f"{number(low, sign=True)} to {number(high, sign=True)}"


def surely(low: float, high: float) -> str:
    """Whether the interval leaves 0 out, in a word."""
    if low is None or high is None or low != low or high != high:
        return "one pair alone"
    if low == 0 and high == 0:
        return "no change"
    return "more" if low > 0 else "less" if high < 0 else "not sure"

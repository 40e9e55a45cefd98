"""What a study found, as view tables: effects in words and tones, differences by zone and by link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app.queries import Queries
from app.texts import signed, t

#: Quantities shown, in order: words, unit text, decimals, and whether more is better (1), worse (-1) or neither (0).
SHOWN: dict[str, tuple[str, str, int, int]] = {
    "no2": (t("quantity.no2"), "µg/m³", 2, -1),
    "pm25": (t("quantity.pm25"), "µg/m³", 2, -1),
    "no2_exposure": (t("quantity.no2_exposure"), "µg/m³", 2, -1),
    "lden": (t("quantity.lden"), "dB(A)", 2, -1),
    "nox_kg": (t("quantity.nox_kg"), t("unit.day.kg"), 1, -1),
    "co2_kg": (t("quantity.co2_kg"), t("unit.day.kg"), 0, -1),
    "delay_hours": (t("quantity.delay_hours"), t("unit.day.delay"), 0, -1),
    "travel_time_s": (t("quantity.travel_time_s"), t("unit.trip"), 0, -1),
    "speed_kmh": (t("quantity.speed_kmh"), "km/h", 1, 1),
    "vehicle_km": (t("quantity.vehicle_km"), t("unit.day.distance"), 0, 0),
    "trips_unfinished": (t("quantity.trips_unfinished"), "veh", 0, -1),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MapQuantity:
    """A difference that the map can show. `limit`: change at which the colours end; `good`: 1 where more is better."""

    label: str
    by: str  # zone or link
    limit: float
    unit: str
    digits: int
    good: int  # 1 or -1: which sign is drawn purple; for flow neither is better, and more is drawn orange
    more: str
    less: str

    def scale(self) -> dict[str, Any]:
        """What the map's JavaScript needs of it."""
        return {"limit": self.limit, "unit": self.unit, "digits": self.digits, "sign": self.good}

    def ends(self) -> tuple[str, str]:
        """What the orange and the purple end mean."""
        return (self.less, self.more) if self.good > 0 else (self.more, self.less)


def _quantity(name: str, by: str, limit: float, unit: str, digits: int, good: int) -> MapQuantity:
    words = {key: t(f"show.{name}.{key}") for key in ("more", "less")}
    return MapQuantity(label=t(f"show.{name}"), by=by, limit=limit, unit=unit, digits=digits, good=good, **words)


#: Limits are fixed, as all scales are; a single street's closure colours a few zones, a whole low-emission zone many.
MAPS: dict[str, MapQuantity] = {
    "no2": _quantity("no2", "zone", 0.6, "µg/m³", 2, -1),
    "pm25": _quantity("pm25", "zone", 0.15, "µg/m³", 2, -1),
    "flow": _quantity("flow", "link", 150.0, "veh/h", 0, -1),
    "speed": _quantity("speed", "link", 6.0, "km/h", 1, 1),
}


def tone(quantity: str, effect: float, lower: float | None, upper: float | None) -> str:
    """`better`, `worse`, `changed` or `none`: none where the 90 % interval holds 0 or is not known."""
    sign = SHOWN.get(quantity, ("", "", 0, 0))[3]
    if lower is None or upper is None or not np.isfinite(lower) or not np.isfinite(upper) or lower <= 0 <= upper:
        return "none"
    if sign == 0:
        return "changed"
    return "better" if effect * sign > 0 else "worse"


def effect_rows(effects: pd.DataFrame, scope: str = "city") -> list[dict[str, Any]]:
    """Rows of a table of effects, whole run, one scope.

    Parameters
    ----------
    effects : DataFrame
        quantity, scope, hour, base, scenario_value, effect, lower, upper.
    """
    if effects.empty:
        return []
    rows = (
        effects[(effects["scope"] == scope) & (effects["hour"] == -1)].drop_duplicates("quantity").set_index("quantity")
    )
    out = []
    for name, (words, unit, digits, _) in SHOWN.items():
        if name not in rows.index:
            continue
        row = rows.loc[name]
        low, high = _number(row["lower"]), _number(row["upper"])
        share = 100 * row["effect"] / row["base"] if row["base"] else float("nan")
        out.append(
            {
                "quantity": name,
                "name": words,
                "unit": unit,
                "value": f"{row['scenario_value']:,.{digits}f}",
                "effect": signed(row["effect"], max(digits, 1)),
                "share": "" if share != share else f"{signed(share, 1)} %",
                "interval": t("effect.one")
                if low is None or high is None
                else t("effect.interval", low=signed(low, max(digits, 1)), high=signed(high, max(digits, 1))),
                "tone": tone(name, float(row["effect"]), low, high),
            }
        )
    return out


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def study_effects(queries: Queries, run: str) -> pd.DataFrame:
    """The `effects` table of a study."""
    return queries.table(run, "effects")


def zone_change(queries: Queries, run: str, quantity: str) -> dict[str, float]:
    """Effect by zone."""
    rows = study_effects(queries, run)
    rows = rows[(rows["scope"] == "zone") & (rows["quantity"] == quantity) & (rows["hour"] == -1)]
    return {str(z): round(float(v), 3) for z, v in zip(rows["zone_id"], rows["effect"])}


def link_change(queries: Queries, run: str, what: str) -> dict[str, float]:
    """Change of flow (veh/h) or speed (km/h) by link; links that hardly change are left out."""
    rows = queries.table(run, "link_effects")
    factor = 3.6 if what == "speed" and "speed_base" in rows else 1.0
    change = (rows[f"{what}_scenario"] - rows[f"{what}_base"]) * factor
    large = change.abs() > MAPS[what].limit / 12
    return {str(int(k)): round(float(v), 1) for k, v in zip(rows["link_id"][large], change[large])}


def worst_streets(queries: Queries, run: str, count: int = 3) -> list[tuple[str, float]]:
    """Named streets whose busiest link gains most flow, veh/h."""
    rows = queries.table(run, "link_effects")
    gain = rows.assign(gain=rows["flow_scenario"] - rows["flow_base"])[["link_id", "gain"]]
    names = queries.links()[["link_id", "name"]]
    named = gain.merge(pd.DataFrame(names), on="link_id").dropna(subset=["name"])
    top = named[named["name"].astype(str) != ""].groupby("name")["gain"].max().nlargest(count)
    return [(str(name), float(v)) for name, v in top.items() if v > 1]


def links_words(count: int) -> str:
    """So many links."""
    return t("links.one") if count == 1 else t("links.many", n=count)


def measure_words(entry: dict[str, Any], names: dict[str, str]) -> tuple[str, str]:
    """A measure of a form in words: what, and where and when."""
    kind = str(entry.get("measure", ""))
    what = t(f"kind.{kind}") if kind in KINDS else kind.replace("_", " ").capitalize()
    if kind == "speed_limit":
        what = t("measure.limit", kmh=entry.get("kmh", 0))
    elif kind == "lanes":
        what = (
            t("measure.lanes", lanes=entry["lanes"])
            if "lanes" in entry
            else t("measure.lanes.change", change=signed(float(entry.get("change", 0)), 0))
        )
    elif kind == "demand":
        what = t("measure.demand", percent=signed(float(entry.get("percent", 0)), 0))
    place = []
    for key in ("street", "road_class"):
        value = entry.get(key) or []
        place += [value] if isinstance(value, str) else [str(v) for v in value]
    if entry.get("links"):
        place.append(links_words(len(entry["links"])))
    zones = [names.get(z, z) for z in [*entry.get("zones", []), *entry.get("from_zones", [])]]
    place += zones[:3] + ([t("measure.zones", n=len(zones) - 3)] if len(zones) > 3 else [])
    if entry.get("area"):
        place.append(t("measure.area"))
    if entry.get("classes"):
        classes = entry["classes"]
        place.append(t("measure.for", classes=classes if isinstance(classes, str) else ", ".join(classes)))
    if entry.get("ban"):
        place.append(
            t(
                "measure.out",
                what="; ".join(t("measure.ban", fuel=b["fuel"], euro=b["up_to_euro"]) for b in entry["ban"]),
            )
        )
    place.append(
        t("measure.hours", start=entry["start"], end=entry["end"]) if entry.get("start") else t("measure.always")
    )
    return what, ", ".join(place)


KINDS = ("close_street", "speed_limit", "lanes", "low_emission_zone", "demand")

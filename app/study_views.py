"""What a study found, as view tables: effects in words and tones, differences by zone and by link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from app.queries import Queries
from app.scenario_fields import offer_of, values_of
from app.texts import Spoken, number, signed, spoken, t

#: Quantities shown, in order: words, unit text, decimals, and whether more is better (1), worse (-1) or neither (0).
SHOWN: Mapping[str, tuple[str, str, int, int]] = Spoken(
    lambda: {
        "no2": (t("quantity.no2"), "µg/m³", 2, -1),
        "pm25": (t("quantity.pm25"), "µg/m³", 2, -1),
        "no2_exposure": (t("quantity.no2_exposure"), "µg/m³", 2, -1),
        "nox_kg": (t("quantity.nox_kg"), t("unit.day.kg"), 1, -1),
        "co2_kg": (t("quantity.co2_kg"), t("unit.day.kg"), 0, -1),
        "lden": (t("quantity.lden"), "dB(A)", 2, -1),
        "people_lden_65": (t("quantity.people_lden_65"), t("unit.people"), 0, -1),
        "delay_hours": (t("quantity.delay_hours"), t("unit.day.delay"), 0, -1),
        "travel_time_s": (t("quantity.travel_time_s"), t("unit.trip"), 0, -1),
        "speed_kmh": (t("quantity.speed_kmh"), "km/h", 1, 1),
        "vehicle_km": (t("quantity.vehicle_km"), t("unit.day.distance"), 0, 0),
        "trips_unfinished": (t("quantity.trips_unfinished"), t("unit.veh"), 0, -1),
    }
)


#: What it costs: value of time, and harm to others.
COSTS: Mapping[str, tuple[str, str, int, int]] = Spoken(lambda: {
    f"{name}_eur": (t(f"cost.{name}"), t("unit.day.eur"), 0, -1)
    for name in (
        "time_cost", "accident_cost", "air_cost", "climate_cost", "noise_cost", "external_cost",
    )
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class MapQuantity:
    """A difference that the map can show. `limit`: change at which the colours end; `good`: 1 where more is better."""

    label: str
    by: str  # zone or link
    quantity: str  # as in the table of effects, or of the links
    limit: float
    unit: str
    digits: int
    good: int  # 1 or -1: which sign is drawn purple; for flow neither is better, and more is drawn orange
    more: str
    less: str
    share: bool = False  # shown in per cent of today's value

    def scale(self) -> dict[str, Any]:
        """What the map's JavaScript needs of it."""
        own = {"limit": self.limit, "unit": self.unit, "digits": self.digits, "sign": self.good}
        return {**own, "labels": self.by == "zone"}

    def ends(self) -> tuple[str, str]:
        """What the orange and the purple end mean."""
        return (self.less, self.more) if self.good > 0 else (self.more, self.less)


def _quantity(
    name: str, by: str, quantity: str, limit: float, unit: str, digits: int, good: int, share: bool = False
) -> MapQuantity:
    words = {key: t(f"show.{name}.{key}") for key in ("more", "less")}
    return MapQuantity(
        label=t(f"show.{name}"), by=by, quantity=quantity, limit=limit, unit=unit, digits=digits, good=good,
        share=share, **words,
    )  # fmt: skip


#: Limits are fixed, as all scales are; a single street's closure colours a few zones, a whole low-emission zone many.
#: Sums grow with the zone and are shown in per cent.
MAPS: Mapping[str, MapQuantity] = Spoken(
    lambda: {
        "no2": _quantity("no2", "zone", "no2", 0.6, "µg/m³", 2, -1),
        "pm25": _quantity("pm25", "zone", "pm25", 0.15, "µg/m³", 2, -1),
        "lden": _quantity("lden", "zone", "lden", 0.6, "dB(A)", 2, -1),
        "delay": _quantity("delay", "zone", "delay_hours", 20.0, "%", 1, -1, True),
        "traffic": _quantity("traffic", "zone", "vehicle_km", 20.0, "%", 1, -1, True),
        "nox": _quantity("nox", "zone", "nox_kg", 20.0, "%", 1, -1, True),
        "pace": _quantity("pace", "zone", "speed_kmh", 3.0, "km/h", 1, 1),
        "cost": _quantity("cost", "zone", "external_cost_eur", 20.0, "%", 1, -1, True),
        "flow": _quantity("flow", "link", "flow", 150.0, t("unit.vehicles"), 0, -1),
        "speed": _quantity("speed", "link", "speed", 6.0, "km/h", 1, 1),
    }
)


def tone(quantity: str, effect: float, lower: float | None, upper: float | None) -> str:
    """`better`, `worse`, `changed` or `none`: none where the 90 % interval holds 0 or is not known."""
    sign = {**SHOWN, **COSTS}.get(quantity, ("", "", 0, 0))[3]
    if lower is None or upper is None or not np.isfinite(lower) or not np.isfinite(upper) or lower <= 0 <= upper:
        return "none"
    if sign == 0:
        return "changed"
    return "better" if effect * sign > 0 else "worse"


def effect_rows(
    effects: pd.DataFrame, scope: str = "city", shown: Mapping[str, tuple[str, str, int, int]] | None = None
) -> list[dict[str, Any]]:
    """Rows of a table of effects, whole run, one scope.

    Parameters
    ----------
    effects : DataFrame
        quantity, scope, hour, base, scenario_value, effect, lower, upper.
    shown : mapping, optional
        Quantities in their order, as `SHOWN` (the default) or `COSTS`.
    """
    if effects.empty:
        return []
    rows = (
        effects[(effects["scope"] == scope) & (effects["hour"] == -1)].drop_duplicates("quantity").set_index("quantity")
    )
    out = []
    for name, (words, unit, digits, _) in (SHOWN if shown is None else shown).items():
        if name not in rows.index:
            continue
        row = rows.loc[name]
        low, high = _number(row["lower"]), _number(row["upper"])
        share = 100 * row["effect"] / row["base"] if row["base"] else float("nan")
        fine = max(digits, 1)
        if low is not None and high is not None and (low > 0 or high < 0):  # a clear effect never reads as zero
            while fine < 5 and round(min(abs(low), abs(high)), fine) == 0:
                fine += 1
        out.append(
            {
                "quantity": name,
                "name": words,
                "unit": unit,
                "value": number(row["scenario_value"], digits),
                "effect": signed(row["effect"], fine),
                "share": "" if share != share else f"{signed(share, 1)} %",
                "interval": t("effect.one")
                if low is None or high is None
                else t("effect.interval", low=signed(low, fine), high=signed(high, fine)),
                "tone": tone(name, float(row["effect"]), low, high),
            }
        )
    return out


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)


def study_effects(queries: Queries, run: str) -> pd.DataFrame:
    """The `effects` table of a study."""
    return queries.table(run, "effects")


def map_choices(effects: pd.DataFrame, *, links: bool) -> list[dict[str, str]]:
    """Differences that the map can show of these effects, to choose from.

    Parameters
    ----------
    effects : DataFrame
        With `quantity` and rows by zone.
    links : bool
        Whether there are differences by link, too.
    """
    there = set(effects["quantity"])
    return [
        {"value": name, "label": t("show.by." + shown.by, name=shown.label)}
        for name, shown in MAPS.items()
        if (shown.by == "link" and links) or (shown.by == "zone" and shown.quantity in there)
    ]


def zone_change(queries: Queries, run: str, quantity: str, *, sure: bool = False) -> dict[str, float]:
    """Effect by zone; `sure`: only zones whose 90 % interval leaves zero."""
    rows = study_effects(queries, run)
    return zone_values(rows[(rows["scope"] == "zone") & (rows["hour"] == -1)], quantity, sure=sure)


def zone_values(rows: pd.DataFrame, quantity: str, *, sure: bool = False) -> dict[str, float]:
    """What the map shows of effects by zone.

    Parameters
    ----------
    rows : DataFrame
        zone_id, quantity, base, effect, lower, upper; one row a zone and quantity.
    quantity : str
        Key of `MAPS`.
    sure : bool
        Leave out zones whose interval holds zero or is not known; a zone in which nothing at all changes stays.
    """
    shown = MAPS[quantity]
    rows = rows[rows["quantity"] == shown.quantity]
    if sure:
        clear = (rows["lower"] > 0) | (rows["upper"] < 0) | ((rows["lower"] == 0) & (rows["upper"] == 0))
        rows = rows[clear]
    value = rows["effect"].astype(float)
    if shown.share:
        value = 100 * value / rows["base"].where(rows["base"] != 0)
    return {str(z): round(float(v), 3) for z, v in zip(rows["zone_id"], value) if np.isfinite(v)}


def link_change(queries: Queries, run: str, what: str) -> dict[str, float]:
    """Change of flow (veh/h) or speed (km/h) by link; links that hardly change are left out."""
    change = _link_change(queries, run, what)
    large = change.abs() > MAPS[what].limit / 12
    return {str(int(k)): round(float(v), 1) for k, v in change[large].items()}


def _link_change(queries: Queries, run: str, what: str) -> pd.Series:
    rows = queries.table(run, "link_effects").set_index("link_id")
    factor = 3.6 if what == "speed" else 1.0
    return (rows[f"{what}_scenario"] - rows[f"{what}_base"]) * factor


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


def measure_words(entry: Mapping[str, Any], names: Mapping[str, str]) -> tuple[str, str]:
    """A measure of a form in words: what, and where and when."""
    kind = str(entry.get("measure", ""))
    try:
        told = [*_amounts(kind, entry, names), *_places(entry, names), *_times(entry)]
    except (AttributeError, KeyError, TypeError, ValueError):  # no form made this; running it says what is wrong
        told = [t("study.odd_measure")]
    return kind_label(kind), ", ".join(told)


def kind_label(kind: str) -> str:
    """What a kind of measure is called; one that no package here brings, by its key."""
    offer = offer_of(kind)
    if offer is None:
        return kind.replace("_", " ").capitalize()
    return offer.name or t(f"kind.{kind}")


def _amounts(kind: str, entry: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """What was set, in the words of the form; what it leaves at its usual value is not said."""
    offer = offer_of(kind)
    if offer is None:
        return []
    found, told = [], values_of(entry)
    for one in offer.fields:
        value = told.get(one.key)
        if value in (None, "", [], False, "none") or (one.key == "avoid_percent" and told["response"] == "replace"):
            continue
        label = one.label or field_label(kind, one.key)
        if one.control == "yes":
            found.append(label)
        elif one.control in ("choice", "many"):
            options = [value] if isinstance(value, str) else value
            found.append(f"{label}: {', '.join(option_label(one.key, str(o)) for o in options)}")
        elif one.control in ("zone", "zones"):
            zones = [value] if isinstance(value, str) else value
            found.append(f"{label}: {', '.join(names.get(z, z) for z in zones)}")
        elif isinstance(value, list):
            found.append(f"{label}: {', '.join(map(str, value))}")
        elif isinstance(value, int | float):
            number = signed(value, 0) if (one.low or 0) < 0 else f"{value:g}"
            found.append(f"{label}: {number}{' ' + one.unit if one.unit else ''}")
        else:
            found.append(f"{label}: {value}")
    return found


def _places(entry: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    place = []
    for key in ("street", "road_class"):
        value = entry.get(key) or []
        values = [value] if isinstance(value, str) else [str(v) for v in value]
        place += values[:3] + ([t("measure.more", n=len(values) - 3)] if len(values) > 3 else [])
    if entry.get("links"):
        place.append(links_words(len(entry["links"])))
    listed = entry.get("zones", [])
    zones = [names.get(z, z) for z in ([listed] if isinstance(listed, str) else listed)]
    place += zones[:3] + ([t("measure.zones", n=len(zones) - 3)] if len(zones) > 3 else [])
    if entry.get("area"):
        place.append(t("measure.area"))
    if entry.get("line"):
        place.append(t("measure.line"))
    if entry.get("direction"):
        place.append(t("measure.direction", direction=entry["direction"]))
    if entry.get("any_of") or entry.get("but_not"):
        place.append(t("measure.file"))
    return place


def _times(entry: Mapping[str, Any]) -> list[str]:
    offer = offer_of(str(entry.get("measure", "")))
    if offer is not None and offer.hours == "never":
        return []
    days = entry.get("days") or []
    when = [
        t("measure.hours", start=entry["start"], end=entry.get("end", ""))
        if entry.get("start")
        else t("measure.always")
    ]
    if days:
        when.append(", ".join(option_label("days", str(d)) for d in ([days] if isinstance(days, str) else days)))
    if entry.get("first_day") or entry.get("last_day"):
        when.append(t("measure.dates", first=entry.get("first_day", "…"), last=entry.get("last_day", "…")))
    return when


def field_label(kind: str, key: str) -> str:
    """What a field is called: for this kind, or for all."""
    own = f"field.{kind}.{key}"
    return t(own if own in spoken() else f"field.{key}")


def option_label(key: str, value: str) -> str:
    """What a choice of a field is called: for this field, for all, or as it is."""
    for name in (f"option.{key}.{value}", f"option.{value}"):
        if name in spoken():
            return t(name)
    return value.replace("_", " ")

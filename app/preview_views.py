"""What the scenario page asks before a run: the review of a draft, and the instant preview where one was learned."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.queries import Queries
from app.texts import Spoken, language, signed, t
from data.errors import ZonewiseError

if TYPE_CHECKING:
    from simulation.city import City

#: Quantities of a preview in their order: words, unit, decimals.
FORESEEN: Mapping[str, tuple[str, str, int]] = Spoken(
    lambda: {
        "no2": (t("quantity.no2"), "µg/m³", 2),
        "nox_kg": (t("quantity.nox_kg"), "kg", 2),
        "delay_hours": (t("quantity.delay_hours"), t("unit.veh.hours"), 1),
        "vehicle_km": (t("quantity.vehicle_km"), t("unit.veh.km"), 0),
        "speed_kmh": (t("quantity.speed_kmh"), "km/h", 2),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """A fault, a warning, or trips that lose their way; `measure` counts from 0, None where it is about all."""

    words: str
    measure: int | None
    fault: bool


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Foreseen:
    """A preview's answer as the page shows it. `effects` as `simulation.preview.Answer.effects`."""

    effects: pd.DataFrame
    inside: bool
    reasons: tuple[str, ...]
    window: str
    seconds: float


def city_of(queries: Queries) -> City:
    """The workspace's city, kept."""
    from app.pipeline import stored_city

    run = queries.info().runs["city"]
    found: City = queries.keep(("stored city", run), lambda: stored_city(queries.workspace, run))
    return found


def review_of(queries: Queries, form: Mapping[str, Any]) -> tuple[list[Remark], pd.DataFrame]:
    """What there is to say of a draft before it runs, and the trips that lose their way.

    Returns
    -------
    remarks : list of Remark
    lost : DataFrame
        origin, dest (names), vehicle_class, trips_veh; most trips first.
    """
    key = ("review", language(), queries.info().runs["city"], json.dumps(form["measures"], sort_keys=True))
    found: tuple[list[Remark], pd.DataFrame] = queries.keep(key, lambda: _review(queries, form))
    return found


def _review(queries: Queries, form: Mapping[str, Any]) -> tuple[list[Remark], pd.DataFrame]:
    from simulation.scenarios import ScenarioError, from_form

    nobody = pd.DataFrame(columns=["origin", "dest", "vehicle_class", "trips_veh"])
    city = city_of(queries)
    try:
        told = from_form(form).review(city)
    except ScenarioError as error:
        return [_remark(fault, fault=True) for fault in error.faults], nobody
    remarks = [_remark(one, fault=True) for one in told.faults] + [_remark(one, fault=False) for one in told.warnings]
    names = queries.zone_names()
    lost = told.lost.groupby(["origin_zone_id", "dest_zone_id", "vehicle_class"], as_index=False, sort=False)[
        "trips_veh"
    ].sum()
    lost = pd.DataFrame(
        {
            "origin": [names.get(str(z), str(z)) for z in lost["origin_zone_id"]],
            "dest": [names.get(str(z), str(z)) for z in lost["dest_zone_id"]],
            "vehicle_class": lost["vehicle_class"],
            "trips_veh": lost["trips_veh"].astype(float),
        }
    )
    return remarks, lost.sort_values("trips_veh", ascending=False, ignore_index=True)


def _remark(one: Any, *, fault: bool) -> Remark:
    where = str(one.where or "")
    number = where.removeprefix("measures[").split("]")[0] if where.startswith("measures[") else ""
    return Remark(words=str(one.text), measure=int(number) if number.isdigit() else None, fault=fault)


def preview_run(queries: Queries) -> str | None:
    """The newest preview of the workspace's present city."""
    city = queries.info().runs.get("city")
    found = [one["id"] for one in queries.workspace.runs.list("preview") if city in one.get("parents", ())]
    return found[-1] if found else None


def foreseen(queries: Queries, form: Mapping[str, Any]) -> Foreseen | None:
    """What the preview says of a draft; None where none was learned.

    Raises
    ------
    ScenarioError
        If a measure does not fit the city.
    PreviewError
        If the preview was made by another version.
    """
    run = preview_run(queries)
    if run is None:
        return None
    key = ("foreseen", language(), run, json.dumps(form["measures"], sort_keys=True))
    found: Foreseen = queries.keep(key, lambda: _ask(queries, run, form))
    return found


def _ask(queries: Queries, run: str, form: Mapping[str, Any]) -> Foreseen:
    from app.previews import load_preview
    from simulation.scenarios import from_form

    preview = queries.keep(("preview", run), lambda: load_preview(queries.workspace, run))
    answer = preview.ask(from_form(form))
    hours = t("preview.window", start=preview.window.start, hours=preview.window.hours)
    return Foreseen(
        effects=answer.effects, inside=answer.scope.inside, reasons=tuple(answer.scope.reasons), window=hours,
        seconds=answer.seconds,
    )  # fmt: skip


def foreseen_rows(effects: pd.DataFrame) -> list[dict[str, str]]:
    """Citywide effects with their intervals, in words."""
    city = effects[effects["zone_id"] == ""].drop_duplicates("quantity").set_index("quantity")
    rows = []
    for name, (words, unit, digits) in FORESEEN.items():
        if name not in city.index:
            continue
        row = city.loc[name]
        share = 100 * row["effect"] / row["base"] if row["base"] else float("nan")
        clear = row["lower"] > 0 or row["upper"] < 0
        rows.append(
            {
                "name": words,
                "unit": unit,
                "effect": signed(row["effect"], digits) + ("" if share != share else f" ({signed(share, 1)} %)"),
                "interval": t("effect.interval", low=signed(row["lower"], digits), high=signed(row["upper"], digits)),
                "clear": t("preview.clear" if clear else "effect.none"),
            }
        )
    return rows


def foreseen_or_fault(queries: Queries, form: Mapping[str, Any]) -> tuple[Foreseen | None, str]:
    """As `foreseen`, with a fault as words; the review tells faults of measures, so those are left out here."""
    from simulation.scenarios import ScenarioError

    try:
        return foreseen(queries, form), ""
    except ScenarioError:
        return None, ""
    except ZonewiseError as error:
        return None, str(error)

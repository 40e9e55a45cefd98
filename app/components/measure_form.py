"""The form of one measure, made of the table `app.scenario_fields`, and the cards of those in a draft."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dash_mantine_components as dmc
from dash import html

from app import study_views as views
from app.components.parts import icon
from app.scenario_draft import drawn_of, loose_links
from app.scenario_fields import BROUGHT, GROUPS, Field, offer_of, offers
from app.texts import t

if TYPE_CHECKING:
    from simulation.scenarios.errors import Fault


#: Words of the fields that all kinds share.
_BESIDE = {
    "start": "scenario.start", "end": "scenario.end", "days": "scenario.days", "first_day": "scenario.first",
    "last_day": "scenario.last", "street": "scenario.street", "zones": "scenario.zones", "road_class": "scenario.roads",
    "direction": "scenario.direction",
}  # fmt: skip


def kinds_menu() -> list[dict[str, Any]]:
    """All kinds in groups, as a Select takes them."""
    told = [(k, offer.group, views.kind_label(k)) for k, offer in offers().items()]
    used = [group for group in (*GROUPS, BROUGHT) if any(of == group for _, of, _ in told)]
    return [
        {"group": t(f"group.{group}"), "items": [{"value": k, "label": name} for k, of, name in told if of == group]}
        for group in used
    ]


def fields(
    kind: str, values: Mapping[str, Any], zones: Sequence[Mapping[str, str]], streets: Sequence[str]
) -> list[Any]:
    """Only what this kind needs, filled with `values`."""
    offer = offer_of(kind)
    assert offer is not None
    own = {"lang": "en"} if offer.about else {}  # a package says it in its own words
    parts: list[Any] = [html.P(offer.about or t(f"about.{kind}"), className="fine full", **own)]
    return parts + [_control(kind, one, values.get(one.key), zones, streets) for one in offer.fields]


def _control(kind: str, one: Field, value: Any, zones: Sequence[Any], streets: Sequence[str]) -> Any:
    label = one.label or views.field_label(kind, one.key)
    ident = {"field": one.key}
    if one.control == "yes":
        return dmc.Checkbox(id={"yes": one.key}, label=label, checked=bool(value), size="sm", className="full")
    if one.control == "number":
        bounded = one.low is not None and one.high is not None
        span = t("field.range", low=f"{one.low:g}", high=f"{one.high:g}", unit=one.unit).strip() if bounded else ""
        ends = {k: v for k, v in (("min", one.low), ("max", one.high)) if v is not None}
        return dmc.NumberInput(
            id=ident, label=f"{label}, {one.unit}" if one.unit else label, value="" if value is None else value,
            **ends, step=one.step, placeholder=span, size="sm", clampBehavior="none",
        )  # fmt: skip
    if one.control == "choice":
        data = [{"value": o, "label": views.option_label(one.key, o)} for o in one.options]
        return dmc.Select(
            id=ident,
            label=label,
            data=data,
            value=None if value is None else str(value),
            allowDeselect=False,
            size="sm",
        )
    if one.control in ("many", "zones", "streets"):
        if one.control == "many":
            data = [{"value": o, "label": views.option_label(one.key, o)} for o in one.options]
        else:
            data = list(zones) if one.control == "zones" else [{"value": s, "label": s} for s in streets]
        picker = dmc.MultiSelect(
            id=ident, label=label, data=data, value=[str(v) for v in value or []], size="sm", searchable=True, limit=60,
            placeholder=t("field.all") if one.key == "classes" and not value else None,
        )  # fmt: skip
        return html.Div(picker, className="full")
    if one.control == "zone":
        return dmc.Select(
            id=ident, label=label, data=list(zones), value=value, searchable=True, size="sm", className="full"
        )
    hint = "07:00" if one.control == "clock" else None
    return dmc.TextInput(id=ident, label=label, value=value or "", placeholder=hint, size="sm")


def form_words(kind: str, draft: Mapping[str, Any]) -> str:
    """What the drawing holds for a measure of this kind."""
    drawn, offer = drawn_of(draft), offer_of(kind)
    place = "none" if offer is None else offer.place
    if place == "line":
        return t("scenario.line.have") if drawn["line"] else t("scenario.line.none")
    if place == "none":
        return t("scenario.place.none")
    if drawn["links"]:
        return t("scenario.drawn", n=views.links_words(len(drawn["links"])))
    return t("scenario.line.use") if drawn["line"] else t("scenario.drawn.none")


def measure_list(draft: Mapping[str, Any], names: Mapping[str, str], editing: int | None = None) -> list[Any]:
    """Cards of the measures; the drawing is the last, where no measure is being edited."""
    shown = [dict(one) for one in draft["measures"]]
    loose = loose_links(draft) if editing is None else []
    if loose:
        shown.append({"measure": "close_street", "links": loose})
    if not shown:
        return [html.P(t("scenario.empty"), className="quiet")]
    cards = []
    for k, entry in enumerate(shown):
        kind = str(entry.get("measure"))
        what, where = views.measure_words(entry, names)
        pending = k >= len(draft["measures"])
        offer = offer_of(kind)
        buttons = []
        if offer is not None and not pending:
            buttons.append(
                html.Button(
                    icon("pencil"),
                    id={"edit": k},
                    n_clicks=0,
                    type="button",
                    **{"aria-label": t("scenario.edit", what=what), "aria-pressed": str(k == editing).lower()},
                )
            )
        buttons.append(
            html.Button(
                icon("trash"),
                id={"measure": k},
                n_clicks=0,
                type="button",
                **{"aria-label": t("scenario.remove", what=what)},
            )
        )
        note = t("scenario.pending") if pending else t("scenario.editing") if k == editing else ""
        cards.append(
            html.Div(
                [
                    html.Span(icon(offer.icon if offer else "road"), className="measure-icon"),
                    html.Div(
                        [html.Strong(what), html.Span(where, className="what")]
                        + ([html.Span(note, className="what note")] if note else [])
                    ),
                    *buttons,
                ],
                className=f"measure measure-{kind}" + (" measure-edited" if k == editing else ""),
            )
        )
    return cards


def field_fault(kind: str, fault: Fault) -> str:
    """A fault of an entry, with each key under the name that the form gives its field."""
    offer = offer_of(kind)
    names = {key: t(word) for key, word in _BESIDE.items()}
    names |= {one.key: one.label or views.field_label(kind, one.key) for one in (offer.fields if offer else ())}
    key = re.split(r"[.\[\]]", fault.where.strip("]"))[-1]
    if fault.text == f"key {key!r} is missing":
        return f"{names.get(key, key)}: {t('field.missing')}"
    text = re.sub(r"'(\w+)'", lambda found: f"“{names.get(found[1], found[1])}”", fault.text.removeprefix(f"{key}: "))
    return f"{names[key]}: {text}" if key in names else text[0].upper() + text[1:]

"""A scenario being made: the dict that a form fills, as a scenario file has it, and the places that it marks.

A draft has the keys of a scenario file and `drawn`: links that were chosen and a line that was drawn on the map and
belong to no measure yet. Links that are left over when it runs are closed all day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from app.queries import Queries
from app.scenario_fields import offer_of
from app.texts import t
from data.errors import InputError, ZonewiseError

FORM_KEYS = ("name", "label", "description", "city", "measures")
MOST_SHARED = 6_000  # characters of a draft in an address
#: Kinds whose zones the map fills, and kinds whose links are drawn as closed.
_FILLED = ("low_emission_zone", "zero_emission_zone")
_CLOSED = ("close_street", "pedestrianise")


def empty_draft() -> dict[str, Any]:
    """The city as it is."""
    return {"name": "my_scenario", "label": t("scenario.mine"), "measures": []}


def with_drawing(draft: Mapping[str, Any], links: Sequence[int] = ()) -> dict[str, Any]:
    """The draft as it runs: links that were chosen and not yet put into a measure are closed all day."""
    links = [*links] or loose_links(draft)
    form = {key: draft[key] for key in FORM_KEYS if key in draft}
    if not links:
        return form
    return {**form, "measures": [*form["measures"], {"measure": "close_street", "links": sorted(links)}]}


def drawn_of(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Links and line drawn on the map; `of`: the measure that they belong to while it is edited."""
    return {"links": [], "line": [], **draft.get("drawn", {})}


def loose_links(draft: Mapping[str, Any]) -> list[int]:
    """Links drawn on the map that are no measure's."""
    drawn = drawn_of(draft)
    return [] if "of" in drawn else sorted(drawn["links"])


def clicked(draft: Mapping[str, Any], link: int) -> dict[str, Any]:
    """A link is chosen, or taken out again."""
    drawn = drawn_of(draft)
    links = [k for k in drawn["links"] if k != link] if link in drawn["links"] else [*drawn["links"], link]
    return {**draft, "drawn": {**drawn, "links": links}}


def surrounded(draft: Mapping[str, Any], shape: Mapping[str, Any]) -> dict[str, Any]:
    """Links within a polygon or lasso are added; a line replaces the one before."""
    drawn = drawn_of(draft)
    if shape.get("kind") == "line":
        return {**draft, "drawn": {**drawn, "line": [[round(x, 6), round(y, 6)] for x, y in shape["ring"]]}}
    more = [int(k) for k in shape["links"] if k not in drawn["links"]]
    return {**draft, "drawn": {**drawn, "links": [*drawn["links"], *more]}}


def put(draft: Mapping[str, Any], entry: Mapping[str, Any], at: int | None = None) -> dict[str, Any]:
    """A measure is added, or put in the place of one; what was drawn for it is used up."""
    measures = [dict(one) for one in draft["measures"]]
    if at is not None and 0 <= at < len(measures):
        measures[at] = dict(entry)
    else:
        measures.append(dict(entry))
    drawn = drawn_of(draft)
    left = {key: [] if key in entry else drawn[key] for key in ("links", "line")}
    return {**draft, "measures": measures, "drawn": left}


def removed(draft: Mapping[str, Any], at: int) -> dict[str, Any]:
    """A measure is taken out; the one after the last is the drawing."""
    measures = list(draft["measures"])
    if at >= len(measures):
        return {**draft, "drawn": {"links": [], "line": []}}
    return {**draft, "measures": measures[:at] + measures[at + 1 :]}


def opened(draft: Mapping[str, Any], at: int) -> dict[str, Any]:
    """The draft while a measure of it is edited: its links and line lie on the map, marked as that measure's."""
    entry = draft["measures"][at]
    return {**draft, "drawn": {"links": list(entry.get("links", [])), "line": list(entry.get("line", [])), "of": at}}


def shared(text: str) -> dict[str, Any]:
    """A draft out of an address.

    Raises
    ------
    InputError
        If it is none.
    ScenarioError
        With every fault of its measures.
    """
    from simulation.scenarios import from_form

    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict) or len(text) > MOST_SHARED:
        raise InputError(t("scenario.shared.fault"))
    form = {key: told[key] for key in FORM_KEYS if key in told}
    from_form(form)
    return form


def place_of(
    queries: Queries, measures: Sequence[Mapping[str, Any]], drawn: Mapping[str, Any] | None = None
) -> dict[str, list[Any]]:
    """Links, zones and lines that the map marks."""
    from simulation.scenarios import from_form

    closed: set[int] = set()
    changed: set[int] = set()
    zones: list[str] = []
    lines: list[Any] = [drawn["line"]] if drawn and drawn.get("line") else []
    city = _Streets(queries)
    ids = {str(one).casefold(): str(one) for one in city.zones["zone_id"]}
    ids |= {str(name).casefold(): str(one) for one, name in zip(city.zones["zone_id"], city.zones["name"])}
    for entry in measures:
        kind = str(entry.get("measure"))
        offer = offer_of(kind)
        if kind in _FILLED or (offer is not None and offer.place == "none"):
            told = [*_list(entry.get("zones")), *_list(entry.get("from_zones")), *_list(entry.get("to_zones"))]
            found_zones = [ids[z.casefold()] for z in [*told, *_list(entry.get("zone"))] if z.casefold() in ids]
            zones += [zone for zone in found_zones if zone not in zones]
            if offer is not None and offer.place == "none":
                continue
        if offer is not None and offer.place == "line":
            lines.append([list(point) for point in entry.get("line", [])])
            continue
        try:
            measure = from_form({"name": "one", "measures": [dict(entry)]}).measures[0]
            found = {int(k) for k in measure.links(city)}  # type: ignore[attr-defined]
        except (ZonewiseError, AttributeError, KeyError, TypeError):
            found = {int(k) for k in entry.get("links", [])}
        if kind in _CLOSED:
            closed |= found
        elif not (kind in _FILLED and entry.get("zones")) and len(found) < len(city.links):
            changed |= found
    return {"closed": sorted(closed), "changed": sorted(changed - closed), "zones": zones, "lines": lines}


def _list(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    return [value] if isinstance(value, str) else [str(one) for one in value]


class _Streets:
    """As much of a City as finding places needs."""

    def __init__(self, queries: Queries) -> None:
        run = queries.info().runs["city"]
        self.links, self.zones = queries.links(), queries.zones()
        self.link_zone = queries.table(run, "link_zone")
        self.nodes = queries.table(run, "nodes")
        self.crs = str(self.links.crs)
        self.name = self.label = ""

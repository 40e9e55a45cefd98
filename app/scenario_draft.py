"""A scenario being made: the dict that a form fills, as a scenario file has it, and the places that it marks."""

from __future__ import annotations

from typing import Any

from app.queries import Queries
from app.texts import t
from data.errors import ZonewiseError


def empty_draft() -> dict[str, Any]:
    """The city as it is."""
    return {"name": "my_scenario", "label": t("scenario.mine"), "measures": []}


def new_measure(
    kind: str,
    *,
    amount: float | None,
    street: str | None,
    zones: list[str] | None,
    links: list[int],
    start: str | None,
    end: str | None,
) -> dict[str, Any]:
    """An entry as a scenario file has it; what is wrong with it is said by `from_form`."""
    entry: dict[str, Any] = {"measure": kind}
    if kind == "demand":
        entry["percent"] = amount if amount is not None else -10
        if zones:
            entry["from_zones"] = zones
    else:
        if links:
            entry["links"] = links
        elif street:
            entry["street"] = street
        if zones:
            entry["zones"] = zones
    if kind == "speed_limit":
        entry["kmh"] = amount if amount is not None else 30
    elif kind == "lanes":
        entry["change"] = amount if amount is not None else -1
    elif kind == "low_emission_zone":
        entry["ban"] = [{"fuel": "diesel", "up_to_euro": int(amount if amount is not None else 5)}]
    if start:
        entry["start"] = start.strip()
    if end:
        entry["end"] = end.strip()
    return entry


def with_drawing(draft: dict[str, Any], links: list[int]) -> dict[str, Any]:
    """The draft as it runs: links that were chosen and not yet put into a measure are closed all day."""
    if not links:
        return draft
    return {**draft, "measures": [*draft["measures"], {"measure": "close_street", "links": sorted(links)}]}


def place_of(queries: Queries, measures: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Links and zones that the map marks."""
    from simulation.scenarios import from_form

    closed: set[int] = set()
    changed: set[int] = set()
    zones: list[str] = []
    city = _Streets(queries)
    for entry in measures:
        kind = entry.get("measure")
        if kind in ("low_emission_zone", "demand") and (entry.get("zones") or entry.get("from_zones")):
            zones += [*entry.get("zones", []), *entry.get("from_zones", [])]
        if kind == "demand":
            continue
        try:
            measure = from_form({"name": "one", "measures": [entry]}).measures[0]
            found = {int(k) for k in measure.links(city)}  # type: ignore[attr-defined]
        except (ZonewiseError, AttributeError, KeyError):
            found = {int(k) for k in entry.get("links", [])}
        if kind == "close_street":
            closed |= found
        elif not (kind == "low_emission_zone" and entry.get("zones")):
            changed |= found
    return {"closed": sorted(closed), "changed": sorted(changed - closed), "zones": zones}


class _Streets:
    """As much of a City as finding places needs."""

    def __init__(self, queries: Queries) -> None:
        run = queries.info().runs["city"]
        self.links, self.zones = queries.links(), queries.zones()
        self.link_zone = queries.table(run, "link_zone")
        self.nodes = queries.table(run, "nodes")
        self.crs = str(self.links.crs)
        self.name = self.label = ""

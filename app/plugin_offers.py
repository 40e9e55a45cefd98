"""What the form of a scenario asks of measures that other packages bring: read off the keys of their entries.

Numbers, choices (`Literal`), switches and short texts become fields; a key of any other type is written in a file only.
A field is called by its `title`, or by its key; `json_schema_extra={"unit": "km/h"}` tells its unit.
"""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from app.measure_list import first_line, own_keys
from app.scenario_fields import BROUGHT, Field, Offer
from data import plugins


def brought_offers() -> dict[str, Offer]:
    """By kind, those of installed packages; a package that is broken brings none."""
    if not plugins.names(plugins.MEASURES):
        return {}
    from simulation.scenarios.entry_kinds import own_entries
    from simulation.scenarios.entry_parts import PlaceEntry

    return {
        kind: Offer(
            group=BROUGHT, place="links" if issubclass(entry, PlaceEntry) else "none", fields=fields_of(entry),
            name=kind.replace("_", " ").capitalize(), about=first_line(entry),
        )
        for kind, entry in own_entries().items()
    }  # fmt: skip


def fields_of(entry: Any) -> tuple[Field, ...]:
    """Fields of an entry's own keys that a form can show."""
    found = (_field(key, entry.model_fields[key]) for key in own_keys(entry))
    return tuple(one for one in found if one is not None)


def _field(key: str, told: Any) -> Field | None:
    kind = _bare(told.annotation)
    extra = told.json_schema_extra if isinstance(told.json_schema_extra, dict) else {}
    default = None if told.is_required() else told.get_default(call_default_factory=True)
    words: dict[str, Any] = {"key": key, "label": told.title or key.replace("_", " ").capitalize()}
    if kind is bool:
        return Field(control="yes", default=bool(default), **words)
    if kind in (int, float):
        low, high = _bound(told.metadata, "ge", "gt"), _bound(told.metadata, "le", "lt")
        return Field(control="number", default=default, low=low, high=high, unit=str(extra.get("unit", "")), **words)
    if get_origin(kind) is Literal:
        options = tuple(str(one) for one in get_args(kind) if isinstance(one, str))
        chosen = default if default in options else options[0] if options else None
        return Field(control="choice", options=options, default=chosen, **words) if options else None
    return Field(control="text", default=default, **words) if kind is str else None


def _bare(kind: Any) -> Any:
    """A type without "or None"."""
    if get_origin(kind) in (Union, types.UnionType):
        others = [one for one in get_args(kind) if one is not type(None)]
        return others[0] if len(others) == 1 else None
    return kind


def _bound(metadata: Any, *names: str) -> float | None:
    values = [float(getattr(one, name)) for one in metadata for name in names if getattr(one, name, None) is not None]
    return values[0] if values else None

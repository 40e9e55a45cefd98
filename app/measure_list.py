"""Kinds of measures, one row each: those of Zonewise, and those that other packages bring."""

from __future__ import annotations

from typing import Any


def measure_rows() -> list[dict[str, Any]]:
    """Rows of `measure`, `about` (what it does), `keys` (of its entry, besides a place and hours) and `from`."""
    from data import plugins
    from simulation.scenarios.entries import ENTRIES
    from simulation.scenarios.entry_kinds import own_entries

    own = own_entries()
    return [
        {
            "measure": kind, "about": first_line(entry), "keys": ", ".join(own_keys(entry)),
            "from": "" if kind not in own else plugins.told_of(plugins.find(plugins.MEASURES, kind)),
        }
        for kind, entry in {**ENTRIES, **own}.items()
    ]  # fmt: skip


def own_keys(entry: Any) -> list[str]:
    """Keys of an entry besides those that every measure, or every measure on links, has."""
    from simulation.scenarios.entry_parts import Entry, PlaceEntry

    shared = (PlaceEntry if issubclass(entry, PlaceEntry) else Entry).model_fields
    return [key for key in entry.model_fields if key not in shared]


def first_line(entry: Any) -> str:
    """What an entry's docstring says first, without the name that it may begin with."""
    text = (entry.__doc__ or "").strip().partition("\n")[0]
    _, colon, rest = text.partition(": ")
    return rest if colon and text.startswith("`") else text

"""Kinds of measures that a scenario file may name: those of Zonewise, and those that other packages bring.

A package brings a subclass of `entry_parts.Entry` (or `PlaceEntry`) whose `to_measure` returns a `Measure` of its own;
the name of the entry point is the key `measure` in files. Its `Measure` names the same as `entry_kind`, so that a
scenario can be written back.
"""

from __future__ import annotations

from data import plugins
from simulation.scenarios.entries import ENTRIES
from simulation.scenarios.entry_parts import Entry


def entry_class(kind: str) -> type[Entry] | None:
    """How an entry of a kind is read; None where nobody has such a measure.

    Raises
    ------
    PluginError
        If the package that brings it is broken, or several bring it.
    """
    if kind in ENTRIES:
        return ENTRIES[kind]
    plugin = plugins.find(plugins.MEASURES, kind)
    return None if plugin is None else brought(plugin)


def kinds() -> tuple[str, ...]:
    """All kinds: those of Zonewise in the order of the menu, then those of other packages. Nothing is imported."""
    return (*ENTRIES, *plugins.names(plugins.MEASURES, ours=ENTRIES))


def own_entries() -> dict[str, type[Entry]]:
    """Entries that other packages bring, by kind; one that cannot be loaded is left out and logged."""
    found: dict[str, type[Entry]] = {}
    for plugin in plugins.found(plugins.MEASURES):
        try:
            if plugin.name in ENTRIES:
                raise plugins.unfit(plugin, "has the name of a measure of Zonewise, which keeps it")
            entry = entry_class(plugin.name)
        except plugins.PluginError as error:
            plugins.note_broken(error)
            continue
        if entry is not None:
            found[plugin.name] = entry
    return found


def brought(plugin: plugins.Plugin) -> type[Entry]:
    """The entry that a plug-in is; `PluginError` where it is none."""
    entry = plugins.load(plugin)
    if not (isinstance(entry, type) and issubclass(entry, Entry)):
        raise plugins.unfit(plugin, f"is no subclass of simulation.scenarios.entry_parts.Entry; found {entry!r}")
    if entry.to_measure is Entry.to_measure:
        raise plugins.unfit(plugin, "has no to_measure")
    return entry

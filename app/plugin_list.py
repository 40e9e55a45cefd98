"""What other packages bring, one row each, and whether it can be used: loaded to see."""

from __future__ import annotations

from typing import Any

from app.job_spec import ZONE_KINDS
from data import plugins

GOOD = "works"


def plugin_rows() -> list[dict[str, Any]]:
    """Rows of `kind, name, package, version, place, state`, by group and name; `state` is `works` or the fault."""
    return [
        {
            "kind": word, "name": plugin.name, "package": plugin.package, "version": plugin.version,
            "place": plugin.place, "state": _state(plugin),
        }
        for group, word in plugins.GROUPS.items()
        for plugin in plugins.found(group)
    ]  # fmt: skip


def _state(plugin: plugins.Plugin) -> str:
    if plugin.name in _ours(plugin.group):
        return f"not used: Zonewise has a {plugins.GROUPS[plugin.group]} of that name and keeps it"
    try:
        plugins.find(plugin.group, plugin.name)
        _load(plugin)
    except plugins.PluginError as error:
        return str(error)
    return GOOD


def _ours(group: str) -> tuple[str, ...]:
    if group == plugins.FAMILIES:
        from models.learner import own_families

        return own_families()
    if group == plugins.MEASURES:
        from simulation.scenarios.entries import ENTRIES

        return tuple(ENTRIES)
    if group == plugins.READERS:
        from data.readers import detector_files, station_files

        return (*detector_files.KINDS, *station_files.KINDS)
    return ZONE_KINDS


def _load(plugin: plugins.Plugin) -> None:
    if plugin.group == plugins.FAMILIES:
        from models.learner import learner_class

        learner_class(plugin.name)
    elif plugin.group == plugins.MEASURES:
        from simulation.scenarios.entry_kinds import brought

        brought(plugin)
    elif plugin.group == plugins.PARTITIONS:
        from zones.own import brought as partition

        partition(plugin)
    else:
        from data.readers.own import brought as reader

        reader(plugin)

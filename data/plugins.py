"""Plug-ins: families, measures, partitions and readers that other packages bring, found by their entry points.

A package names what it brings in its own `pyproject.toml`, e.g.

    [project.entry-points."zonewise.families"]
    analogues = "zonewise_example.family:Analogues"

and is found wherever it is installed beside Zonewise. Nothing is looked up until a name is asked for that Zonewise
itself does not have, or somebody wants the list; nothing is imported until its name is used. What is asked for by name
goes through `load`, which says which package is at fault where one is; lists leave out what is broken and log it.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from data.errors import ZonewiseError

logger = logging.getLogger(__name__)

FAMILIES, MEASURES, PARTITIONS, READERS = (
    "zonewise.families",
    "zonewise.measures",
    "zonewise.partitions",
    "zonewise.readers",
)
#: Groups of entry points, and what one of them is called.
GROUPS = {FAMILIES: "family", MEASURES: "measure", PARTITIONS: "partition", READERS: "reader"}
_USED: dict[str, str] = {}  # packages that this process has loaded something from, and their versions; see `used`


class PluginError(ZonewiseError, ImportError):
    """Something that another package brings cannot be used; the text names the package."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Plugin:
    """One thing that a package brings.

    Attributes
    ----------
    group : str
        Key of `GROUPS`.
    name : str
        What it is asked for by.
    package, version : str
        Who brings it.
    place : str
        Where it is, `module:attribute`.
    """

    group: str
    name: str
    package: str
    version: str
    place: str

    def __str__(self) -> str:
        return f"{GROUPS[self.group]} {self.name!r} of package {self.package} {self.version}"

    def told(self) -> dict[str, str]:
        """Who brings it, as cards and manifests keep it."""
        return {"package": self.package, "version": self.version, "place": self.place}


@cache
def found(group: str) -> tuple[Plugin, ...]:
    """All that installed packages bring to a group, by name, then package. Nothing is imported; looked up once."""
    entries = importlib.metadata.entry_points(group=group)
    return tuple(
        sorted(
            Plugin(
                group=group, name=entry.name, place=entry.value,
                package=entry.dist.name if entry.dist else "?", version=entry.dist.version if entry.dist else "?",
            )
            for entry in entries
        )
    )  # fmt: skip


def names(group: str, *, ours: Collection[str] = ()) -> tuple[str, ...]:
    """Names that packages bring to a group, sorted, without `ours`, which nobody can take."""
    return tuple(sorted({plugin.name for plugin in found(group)} - set(ours)))


def find(group: str, name: str) -> Plugin | None:
    """Who brings a name; None where nobody does.

    Raises
    ------
    PluginError
        If several packages bring it.
    """
    owners = [plugin for plugin in found(group) if plugin.name == name]
    if len(owners) > 1:
        told = " and ".join(f"{one.package} {one.version} ({one.place})" for one in owners)
        raise PluginError(
            f"{GROUPS[group]} {name!r} is brought by {len(owners)} packages: {told}; uninstall all but one of them, or"
            f" ask their authors for another name"
        )
    return owners[0] if owners else None


def load(plugin: Plugin) -> Any:
    """What a plug-in is: a class or a function.

    Raises
    ------
    PluginError
        If it cannot be imported, for whatever reason: the fault is its package's.
    """
    try:
        value = importlib.metadata.EntryPoint(plugin.name, plugin.place, plugin.group).load()
    except Exception as error:  # another's code may raise anything, and must not end ours without a name
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise PluginError(
            f"{plugin} cannot be loaded from {plugin.place} ({why}); mend or uninstall that package"
        ) from error
    _USED[plugin.package] = plugin.version
    return value


def unfit(plugin: Plugin, why: str) -> PluginError:
    """The error of a plug-in that loads and is not what its group needs."""
    return PluginError(f"{plugin}: {plugin.place} {why}; mend or uninstall that package")


def used() -> dict[str, str]:
    """Packages that this process has loaded something from, and their versions, for manifests."""
    return dict(sorted(_USED.items()))


def told_of(plugin: Plugin | None) -> str:
    """Package and version in words; empty for what is Zonewise's own."""
    return "" if plugin is None else f"{plugin.package} {plugin.version}"


def note_broken(error: PluginError) -> None:
    """Log, once in a process, a plug-in that a list leaves out."""
    _note(str(error))


@cache
def _note(text: str) -> None:
    logger.warning("left out: %s", text)

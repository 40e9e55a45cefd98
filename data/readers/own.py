"""Readers that other packages bring: files of a layout that Zonewise does not know.

A reader is a function `read(path, *, timezone, ...) -> Readings` of one file. It takes, by name, what it needs of the
options of an import: `timezone`, `places` (a table of places), `missing` (codes for a gap), `columns`, `units`,
`quantity`, `unit`, `start`, `every`, `pollutant`. Others that a user gives are refused. A default of `timezone` is the
zone that the layout is written in. `readings.made` turns a table into checked `Readings`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from data import plugins
from data.errors import InputError
from data.readers.readings import Readings

Reader = Callable[..., Readings]
_NEEDED = "path"


def read_own(
    files: Sequence[Path | str], kind: str, *, ours: Collection[str], timezone: str | None, options: Mapping[str, Any]
) -> tuple[list[Readings], str]:
    """Read files by the reader that a package brings.

    Parameters
    ----------
    files : sequence of paths
    kind : str
        Its name.
    ours : collection of str
        Layouts of Zonewise, for the message about an unknown one.
    timezone : str or None
        As the user gave it.
    options : mapping
        What else the user gave; None, empty texts and empty lists were not given.

    Returns
    -------
    tuple of (list of Readings, str)
        One a file, and the time zone.

    Raises
    ------
    InputError
        For an unknown layout, an option that the reader does not take, or a time zone that is lacking.
    PluginError
        If the package is broken, several bring the name, or the reader returns something else than `Readings`.
    """
    plugin = plugins.find(plugins.READERS, kind)
    if plugin is None:
        raise InputError(f"kind={kind!r}; allowed are {', '.join((*ours, *plugins.names(plugins.READERS, ours=ours)))}")
    reader = brought(plugin)
    takes = inspect.signature(reader).parameters
    anything = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in takes.values())
    given = {name: value for name, value in options.items() if value is not None and value != "" and _given(value)}
    strange = [] if anything else sorted(set(given) - set(takes))
    if strange:
        known = sorted(name for name in takes if name != _NEEDED and name in {*options, "timezone"})
        raise InputError(f"{', '.join(strange)}: {plugin} takes none of these; it takes {', '.join(known) or 'none'}")
    zone = timezone or _default_zone(takes)
    if zone is None:
        raise InputError("--timezone is needed: an IANA name (America/Los_Angeles), UTC, or an offset (+10:00)")
    if "timezone" in takes or anything:
        given["timezone"] = zone
    read = []
    for file in files:
        if not Path(file).is_file():
            raise InputError(f"no file {file}; give one of layout {kind!r}")
        one = reader(Path(file), **given)
        if not isinstance(one, Readings):
            raise plugins.unfit(
                plugin, f"returned a {type(one).__name__}; it must return data.readers.readings.Readings"
            )
        read.append(one)
    return read, zone


def brought(plugin: plugins.Plugin) -> Reader:
    """The reader that a plug-in is; `PluginError` where it is none."""
    reader: Reader = plugins.load(plugin)
    if not callable(reader):
        raise plugins.unfit(plugin, f"cannot be called; found {reader!r}")
    return reader


def _given(value: Any) -> bool:
    """A list, a mapping or a table may be empty."""
    return len(value) > 0 if hasattr(value, "__len__") else True


def _default_zone(takes: Mapping[str, inspect.Parameter]) -> str | None:
    default = takes["timezone"].default if "timezone" in takes else None
    return default if isinstance(default, str) else None

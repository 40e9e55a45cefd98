"""Detector files of any layout: which one it is, and all of them read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import InputError
from data.readers.clocks import TIME_NAMES
from data.readers.long import read_long
from data.readers.own import read_own
from data.readers.pems import read_pems, read_pems_places
from data.readers.places_of_sensors import read_places
from data.readers.plain_tables import find, open_plain
from data.readers.readings import Readings
from data.readers.scats import read_scats
from data.readers.wide import read_wide
from data.schemas import OBSERVED_QUANTITIES

KINDS = ("auto", "wide", "long", "scats", "pems")
_ZONES = {"scats": "Australia/Melbourne", "pems": "America/Los_Angeles"}


def read_detector_files(
    files: Sequence[Path | str],
    *,
    kind: str = "auto",
    timezone: str | None = None,
    places: Path | str | None = None,
    quantity: str | None = None,
    unit: str | None = None,
    start: str | None = None,
    every: int | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    missing: Sequence[float | str] = (),
) -> tuple[list[Readings], list[str] | None, str]:
    """Read detector files of one layout.

    Parameters
    ----------
    files : sequence of paths
    kind : {"auto", "wide", "long", "scats", "pems"}, or other name
        Another name is that of a reader which an installed package brings, see `own`.
    timezone : str, optional
        Needed for wide and long tables; SCATS and PeMS have one of their own.
    places : path, optional
        Table of places; for PeMS its metadata file, or a plain table.
    quantity, unit, start, every
        Of wide tables; see `wide.read_wide`.
    columns, units
        Of long tables; see `long.read_long`.
    missing : sequence

    Returns
    -------
    readings : list of Readings
        One a file.
    order : list of str or None
        Sensor ids in the order of the table of places.
    timezone : str
        The one used.

    Raises
    ------
    InputError
        If an option is lacking or does not fit the layout.
    FileFormatError, SchemaError
    PluginError
        If the package that brings the reader is broken.
    """
    if not files:
        raise InputError("no file of detectors was given")
    kind = layout(files[0], columns or {}) if kind == "auto" else kind
    if kind not in KINDS:
        where = None if places is None else read_places(places)
        options: dict[str, Any] = {
            "quantity": quantity,
            "unit": unit,
            "start": start,
            "every": every,
            "columns": columns,
        }
        options |= {"units": units, "missing": missing, "places": where}
        own, own_zone = read_own(files, kind, ours=KINDS, timezone=timezone, options=options)
        return own, None if where is None else list(where["sensor_id"]), own_zone
    zone = timezone or _ZONES.get(kind)
    if zone is None:
        raise InputError("--timezone is needed: an IANA name (America/Los_Angeles), UTC, or an offset (+10:00)")
    _fitting(kind, {"quantity": quantity, "unit": unit, "start": start, "every": every}, "wide")
    _fitting(kind, {"columns": columns, "units": units}, "long")
    where = None if places is None else _places(places, kind)
    if kind == "wide" and (quantity is None or unit is None):
        raise InputError(
            f"a wide table does not tell what it holds: give --quantity"
            f" ({', '.join(list(OBSERVED_QUANTITIES)[:4])} ...)"
            " and --unit (mph, km/h, veh/interval ...)"
        )
    read = []
    for file in files:
        if kind == "wide":
            assert quantity is not None and unit is not None
            one = read_wide(
                file, quantity=quantity, unit=unit, timezone=zone, start=start, step_s=every, missing=missing,
                places=where,
            )  # fmt: skip
        elif kind == "long":
            one = read_long(
                file, timezone=zone, columns=columns, units=units, missing=missing, places=where, step_s=every
            )
        elif kind == "scats":
            one = read_scats(file, timezone=zone)
        else:
            one = read_pems(file, places=where, timezone=zone)
        read.append(one)
    return read, None if where is None else list(where["sensor_id"]), zone


def layout(path: Path | str, columns: Mapping[str, str]) -> str:
    """Which layout a file has, by its first line."""
    name = Path(path).name.lower()
    if not Path(path).is_file():
        raise InputError(f"no file {path}; give a table of detector readings")
    if "station_5min" in name:
        return "pems"
    table = open_plain(path, "detector readings")
    if find(table, ("v00",)):
        return "scats"
    first = list(table.columns)
    if len(first) >= 12 and any(text in first for text in ("ML", "HV", "OR", "FR", "FF", "CD", "CH")):
        return "pems"
    ids = ("sensor_id", "sensor", "detector_id", "detector", "station_id", "station", "site_id")
    if "sensor_id" in columns or (find(table, ids) and find(table, TIME_NAMES)):
        return "long"
    return "wide"


def _fitting(kind: str, given: Mapping[str, object], only: str) -> None:
    strange = [
        name for name, value in given.items() if value and kind != only and not (name == "every" and kind == "long")
    ]
    if strange:
        raise InputError(f"{', '.join(strange)}: only for files of layout '{only}'; this one is '{kind}'")


def _places(path: Path | str, kind: str) -> pd.DataFrame:
    if kind == "pems" and str(path).lower().endswith((".txt", ".txt.gz")):
        return read_pems_places(path)
    return read_places(path)

"""Files of air stations of any layout: which one it is, and all of them read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.errors import InputError
from data.readers.air_networks import EEA_ZONE, as_readings, read_eea, read_openaq
from data.readers.clocks import iana
from data.readers.hourly_tables import OnFault
from data.readers.measured_units import EU_TEMPERATURE_C, factor
from data.readers.own import read_own
from data.readers.places_of_sensors import read_places
from data.readers.plain_tables import find, open_plain
from data.readers.readings import Readings
from data.readers.stations import pollutant_name, read_station_air

KINDS = ("auto", "tables", "openaq", "eea")


def read_station_files(
    files: Sequence[Path | str],
    *,
    kind: str = "auto",
    timezone: str | None = None,
    places: Path | str | None = None,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    pollutant: str | None = None,
    missing: Sequence[float | str] = (),
    temperature_c: float = EU_TEMPERATURE_C,
    on_fault: OnFault = "raise",
) -> tuple[list[Readings], str]:
    """Read files of air stations of one layout.

    Parameters
    ----------
    files : sequence of paths
    kind : {"auto", "tables", "openaq", "eea"}, or other name
        Another name is that of a reader which an installed package brings, see `own`.
        `tables` are those of `stations.read_station_air`.
    timezone : str, optional
        Needed but for the EEA's.
    places : path, optional
    columns, units, pollutant, missing, on_fault
        Of `tables`; see `stations.read_station_air`.
    temperature_c : float
        At which ppb and ppm are counted, C.

    Returns
    -------
    tuple of (list of Readings, str)
        And the time zone used.

    Raises
    ------
    InputError, FileFormatError, SchemaError
    PluginError
        If the package that brings the reader is broken.
    """
    if not files:
        raise InputError("no file of air stations was given")
    kind = layout(files[0], columns or {}) if kind == "auto" else kind
    if kind not in KINDS:
        where = None if places is None else read_places(places, kind="air")
        options = {"columns": columns, "units": units, "pollutant": pollutant, "missing": missing, "places": where}
        return read_own(files, kind, ours=KINDS, timezone=timezone, options=options)
    zone = timezone or ("UTC" if kind == "eea" else None)
    if zone is None:
        raise InputError("--timezone is needed: an IANA name such as Asia/Shanghai, UTC, or an offset like +01:00")
    where = None if places is None else read_places(places, kind="air")
    if kind == "eea":
        read = [read_eea(file, places=where) for file in files]
        return read, zone if timezone else EEA_ZONE
    if kind == "openaq":
        return [read_openaq(file, timezone=zone, temperature_c=temperature_c, places=where) for file in files], zone
    given = list(files)
    air = read_station_air(
        given,
        timezone=iana(zone),
        columns=columns,
        units=units,
        pollutant=pollutant,
        missing=missing,
        on_fault=on_fault,
    )
    notes = [f"{len(given)} file(s) of hourly means, {len(air):,} rows"]
    for name, unit in (units or {}).items():
        own = pollutant_name(name)
        if own is not None and unit in ("ppb", "ppm"):
            # the reader counts at 20 C and 1 atm; bring it to the temperature asked for
            column = f"{own}_ug_per_m3"
            at_20 = factor(column, unit, step_s=3600, temperature_c=EU_TEMPERATURE_C)
            asked = factor(column, unit, step_s=3600, temperature_c=temperature_c)
            air = air.assign(**{column: air[column] * asked / at_20})
            notes.append(f"{own}: {asked:.4g} ug/m3 in a {unit} at {temperature_c:g} C and 1 atm")
    return [as_readings(air, where, notes)], zone


def layout(path: Path | str, columns: Mapping[str, str]) -> str:
    """Which layout a file has, by its header."""
    if not Path(path).is_file():
        raise InputError(f"no file {path}; give a table of air stations")
    table = open_plain(path, "air stations")
    if find(table, ("samplingpoint", "airqualitystation")):
        return "eea"
    if not columns and find(table, ("parameter",)) and find(table, ("value",)) and find(table, ("unit", "units")):
        return "openaq"
    return "tables"

"""`zonewise import`: a city workspace from files of real sensors, and the demand of a simulated one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.options import EFFORT, FAMILIES, JSON, Named, existing, named
from data.errors import InputError
from data.store.workspace import open_workspace

if TYPE_CHECKING:
    from data.readers.readings import Readings

_FORMATS = ("auto", "wide", "long", "scats", "pems")
_AIR_FORMATS = ("auto", "tables", "openaq", "eea")


@click.group("import")
def import_group() -> None:
    """Make a workspace from measured data: then train, compare and app work on it as on a simulated city."""


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        [
            click.argument("files", nargs=-1, required=True, type=click.Path()),
            click.option("--workspace", "name", metavar="NAME", help="Workspace to make, or to add to."),
            click.option("--places", metavar="FILE", help="Where sensors stand: id, lat, lon."),
            click.option("--timezone", metavar="ZONE", help="Of times without one: IANA name, UTC, +10:00."),
            click.option("--columns", metavar="OURS=THEIRS,...", help="If the file uses other names than ours."),
            click.option("--missing", metavar="CODES", help="Codes for a gap, e.g. -999,0."),
            click.option("--zones", type=click.Choice(["voronoi", "clusters", "polygons"]),
                         help="A zone a place, or a group of places; default by their number."),
            click.option("--zone-count", type=click.IntRange(1, 5000), help="How many groups."),
            click.option("--polygons", metavar="FILE", help="Zones as given, GeoJSON or GeoPackage."),
            click.option("--adjacency", metavar="FILE", help="CSV of weights between sensors, in the order of places."),
            click.option("--city", help="Streets to show and to match loops to: an OSM extract or a place name."),
            click.option("--step", "step_s", type=click.IntRange(1, 86_400), help="Seconds; default 900 for traffic."),
            click.option("--days", type=click.IntRange(3), help="Use the last days only."),
            click.option("--label", help="Name of the city, for people."),
            click.option("--country", metavar="ISO", help="For public holidays, e.g. US."),
            EFFORT,
            FAMILIES,
            JSON,
        ]
    ):  # fmt: skip
        function = option(function)
    return function


@import_group.command()
@_shared
@click.option("--format", "kind", type=Named(_FORMATS, "zonewise.readers"), default="auto", show_default=True)
@click.option("--quantity", help="Of a wide table: speed_mps, flow_veh_per_h, pedestrians_per_h ...")
@click.option("--unit", help="Of a wide table: mph, km/h, veh/interval, veh/h ...")
@click.option("--units", metavar="OURS=UNIT,...", help="Of a long table, e.g. speed_mps=km/h.")
@click.option("--start", metavar="TIME", help="Local time of row 0, where a wide table has no times.")
@click.option("--every", type=click.IntRange(1, 86_400), help="Seconds between rows, where a wide table has no times.")
@click.pass_obj
def detectors(
    chosen: str | None, files: Sequence[str], name: str | None, as_json: bool, kind: str, **options: Any
) -> None:
    """Import detector readings: METR-LA and other wide tables, long tables, SCATS, PeMS 5-minute files."""
    from data.readers.detector_files import read_detector_files

    told = {key: options.pop(key) for key in ("quantity", "unit", "start", "every", "places", "timezone", "missing")}
    columns, units = _pairs(options.pop("columns")), _pairs(options.pop("units"))
    readings, order, zone = read_detector_files(
        files, kind=kind, columns=columns, units=units, **{**told, "missing": _codes(told["missing"])}
    )
    _import(name or chosen, readings, order, zone, files, options, as_json)


@import_group.command()
@_shared
@click.option("--format", "kind", type=Named(_AIR_FORMATS, "zonewise.readers"), default="auto", show_default=True)
@click.option("--units", metavar="POLLUTANT=UNIT,...", help="Where it is not ug/m3, e.g. no2=ppb,co=mg/m3.")
@click.option("--pollutant", help="Of a table with a column for each station.")
@click.option("--temperature", type=float, default=20.0, show_default=True, help="Of ppb and ppm, C.")
@click.option("--on-fault", type=click.Choice(["raise", "missing"]), default="raise", show_default=True)
@click.pass_obj
def stations(
    chosen: str | None, files: Sequence[str], name: str | None, as_json: bool, kind: str, **options: Any
) -> None:
    """Import air stations: tables of stations and hours, OpenAQ's long tables, downloads of the EEA."""
    from data.readers.station_files import read_station_files

    told = {key: options.pop(key) for key in ("pollutant", "on_fault", "places", "timezone")}
    readings, zone = read_station_files(
        files, kind=kind, columns=_pairs(options.pop("columns")), units=_pairs(options.pop("units")),
        missing=_codes(options.pop("missing")), temperature_c=options.pop("temperature"), **told,
    )  # fmt: skip
    _import(name or chosen, readings, None, zone, files, options, as_json)


def _import(
    name: str | None, readings: list[Readings], order: list[str] | None, zone: str, files: Sequence[str],
    options: dict[str, Any], as_json: bool,
) -> None:  # fmt: skip
    from app.importing import ImportOptions, import_readings
    from app.progress import Bars

    space = open_workspace(name)
    source = {"files": [Path(file).name for file in files]}
    with Bars(quiet=as_json, measured=True) as bars:
        told = import_readings(
            space, readings, ImportOptions(timezone=zone, **options), order=order, source=source, report=bars
        )
    if as_json:
        click.echo(json.dumps(told, indent=1, default=str))
        return
    for note in told["notes"]:
        click.echo(f"- {note}")
    said = "" if told["new"] else " (they were there already)"
    click.echo(f"{told['readings']:,} readings of {told['sensors']} sensors in {told['zones']} zones{said}")
    click.echo(f"Train with: zonewise train{named(space)}; look with: zonewise app{named(space)}", err=True)


def _pairs(text: str | None) -> dict[str, str]:
    """`a=b,c=d` as a mapping."""
    pairs = [part.split("=", 1) for part in (text or "").split(",") if part.strip()]
    wrong = [part[0] for part in pairs if len(part) != 2]
    if wrong:
        raise InputError(f"{wrong[0]!r} names no pair; write OURS=THEIRS, several joined by commas")
    return {part[0].strip(): part[1].strip() for part in pairs}


def _codes(text: str | None) -> tuple[str, ...]:
    return tuple(code.strip() for code in (text or "").split(",") if code.strip())


@import_group.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--workspace", "name", required=True, metavar="NAME", help="A simulated city.")
@JSON
def od(file: str, name: str, as_json: bool) -> None:
    """Give a simulated city the trips of FILE: an OD matrix or trip table (CSV, Parquet, OMX, TNTP).

    Places are the city's zones, gateways or nodes. The next simulation uses it; --demand none goes back.
    """
    from app.demand_door import import_demand

    space = existing(name)
    demand = import_demand(space, file)
    told = {
        "workspace": space.name, "trips_veh_per_weekday": round(float(demand.od_veh.sum()), 1),
        "pairs": int((demand.od_veh > 0).sum()), "places": len(demand.places),
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(told))
        return
    trips, pairs, places = told["trips_veh_per_weekday"], told["pairs"], told["places"]
    click.echo(f"{trips:,.0f} trips a weekday between {pairs:,} pairs of {places} places")
    click.echo(f"the next `zonewise simulate {space.name}` uses them", err=True)

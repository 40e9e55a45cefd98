"""Arguments and options that commands share, and the workspace that they name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from app.job_spec import EFFORTS
from data.errors import InputError
from data.store.workspace import DEFAULT_WORKSPACE, Workspace, open_workspace

WORKSPACE = click.argument("workspace", required=False)
RUN = click.option("--run", "run_id", metavar="ID", help="A certain run; default the newest finished one.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
JOBS = click.option("--n-jobs", type=click.IntRange(1, 256), help="Processes; default one a core, at most 8.")


EFFORT = click.option(
    "--effort",
    type=click.Choice(EFFORTS),
    help="How many kinds of model compete in each zone: 'quick' takes lines, a small tree and two citywide models"
    " (default); 'standard' adds boosted trees and neural networks; 'thorough' tries nearly all, for a study.",
)
FAMILIES = click.option(
    "--families",
    metavar="NAME,...",
    help="Let exactly these compete instead, e.g. ridge,mlp,macro_xgboost; 'none' goes back to --effort. A wrong name"
    " lists all.",
)
SETTINGS = click.option(
    "--settings",
    type=click.IntRange(1, 50),
    help="Settings that each kind of model competes with, chosen zone by zone like the kind itself. Default 1.",
)
BUDGET = click.option(
    "--budget",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Processor seconds that fitting may take: simple models first, hopeless ones given up after a fold, and every"
    " zone's reason says who was left out. 0 for no limit (default).",
)

#: As `zones.spec.KINDS`, which would load half of the packages to say so.
ZONE_KINDS = ("hex", "square", "polygons", "administrative", "voronoi", "functional")
#: Takes an option's file away that the workspace has.
NONE = "none"


def _path(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A file wherever the next command is called from."""
    return value if value is None or value == NONE else str(Path(value).expanduser().resolve())


def job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what to simulate. What is not given stays as the workspace has it; `none` takes a file away."""
    for option in reversed(
        [
            click.option(
                "--city", help="'helsinki', 'toy', a place name, or an OSM or GraphML file. Default helsinki."
            ),
            click.option("--zones", type=click.Choice(ZONE_KINDS), help="Kind of the zones. Default hex."),
            click.option("--zone-count", type=click.IntRange(1, 100_000), help="About how many zones. Default 18."),
            click.option("--polygons", metavar="FILE", help="Zones as given, GeoJSON or GeoPackage.", callback=_path),
            click.option("--sensors", metavar="FILE", help="Places, for voronoi zones: CSV, lon, lat.", callback=_path),
            click.option("--fleet", metavar="FILE", help="Vehicle kinds and their shares, CSV.", callback=_path),
            click.option("--demand", metavar="FILE", help="Weekday trips: CSV, OMX or TNTP.", callback=_path),
            click.option("--days", type=int, help="Days to simulate. Default 28."),
            click.option("--test-days", type=int, help="Last days, kept for the comparison. Default 7."),
            click.option("--start", metavar="DATE", help="First day, local time. Default 2026-01-26."),
            click.option("--seed", type=int, help="Seed of all luck. Default 1."),
            click.option("--weather", metavar="FILE", help="Measured hourly weather, CSV or Parquet.", callback=_path),
            click.option("--weather-columns", metavar="OURS=THEIRS,...", help="If it uses other names than ours."),
            click.option("--weather-units", metavar="OURS=UNIT,...", help="E.g. wind_speed_mps=km/h,temperature_c=K."),
            click.option("--background", metavar="FILE", help="Hourly air that blows into the city.", callback=_path),
            click.option("--stations", metavar="FILE", help="Measured air: calibrates the background.", callback=_path),
            click.option("--station-places", metavar="FILE", help="Where it was measured: lon, lat.", callback=_path),
            click.option("--timezone", metavar="ZONE", help="Of times in these four. Default the city's."),
            click.option("--missing", metavar="CODES", help="Codes for a gap in these, e.g. -999,99.9."),
            click.option(
                "--on-fault",
                type=click.Choice(["raise", "missing"]),
                help="Impossible values in these: an error (default), or gaps.",
            ),
            click.option(
                "--assignment", metavar="FILE", help="Choices of models made by hand, CSV or YAML.", callback=_path
            ),
            EFFORT,
            FAMILIES,
            SETTINGS,
            BUDGET,
            JOBS,
        ]
    ):
        function = option(function)
    return function


def existing(name: str | None) -> Workspace:
    """A workspace that is there.

    Raises
    ------
    InputError
        If it is not.
    """
    space = open_workspace(name)
    if not (space.root / "workspace.json").is_file():
        raise InputError(f"no workspace at {space.root}; 'zonewise demo{named(space)}' makes one")
    return space


def named(space: Workspace) -> str:
    """The workspace as a command line names it; nothing for the default one."""
    return "" if space.name == DEFAULT_WORKSPACE else f" {space.name}"

"""Arguments and options that commands share, and the workspace that they name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from app.job_spec import ZONE_KINDS
from app.training_options import EFFORTS, LOSSES, MOST_TRIES, TUNERS
from data.errors import InputError
from data.store.workspace import DEFAULT_WORKSPACE, Workspace, open_workspace

WORKSPACE = click.argument("workspace", required=False)
RUN = click.option("--run", "run_id", metavar="ID", help="A certain run; default the newest finished one.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
JOBS = click.option("--n-jobs", type=click.IntRange(1, 256), help="Processes; default one a core, at most 8.")


def _at_cluster(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Work there until the command ends."""
    if value is not None:
        from data.work import working_at
        from data.work.cluster import cluster_at

        context.with_resource(working_at(context.with_resource(cluster_at(value))))


CLUSTER = click.option(
    "--cluster",
    metavar="ADDRESS",
    envvar="ZONEWISE_CLUSTER",
    expose_value=False,
    callback=_at_cluster,
    help="Work on a Dask cluster instead, e.g. tcp://host:8786 (or local:2 for two workers here): the same results."
    " Default ZONEWISE_CLUSTER.",
)

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

TRIES = click.option(
    "--tries",
    type=click.IntRange(0, MOST_TRIES),
    help="Settings tried of each kind of model before it competes, on days before those that judge it. 0 for none"
    " (default).",
)
TUNER = click.option(
    "--tuner", type=click.Choice(TUNERS), help="How --tries are found: at random (default), on a grid, or by Optuna."
)
LOSS = click.option(
    "--loss",
    metavar="NAME,...",
    help=f"What the kinds that have a choice minimise: {', '.join(LOSSES)}. Of several, each competes as a model of its"
    " own; 'none' goes back to their own.",
)
RECIPES_OPTION = click.option(
    "--recipes",
    metavar="NAME,...",
    help="Let each kind also compete with another start of its forecasts (start: from the usual value, the last"
    " reading), or without the line before its trees (line); 'none' for neither.",
)
REFRESHABLE = click.option(
    "--refreshable/--not-refreshable",
    default=None,
    help="Keep what 'zonewise refresh' needs to add new readings to linear models in a moment; their files grow.",
)


class Named(click.ParamType):
    """One of our names, or one that a package brings; packages are asked only where the name is none of ours."""

    name = "name"

    def __init__(self, ours: Sequence[str], group: str) -> None:
        self.ours, self.group = tuple(ours), group

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """Our names, and that there may be others."""
        return f"[{'|'.join(self.ours)}|PLUGIN]"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, if there is one; PLUGIN says which package is at fault where several bring it."""
        if value in self.ours:
            return value
        from data import plugins

        if plugins.find(self.group, value) is None:
            there = (*self.ours, *plugins.names(self.group, ours=self.ours))
            self.fail(f"{value!r} is none of {', '.join(there)}; see: zonewise plugins", param, ctx)
        return value


#: Takes an option's file away that the workspace has.
NONE = "none"


def _path(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """A file wherever the next command is called from."""
    return value if value is None or value == NONE else str(Path(value).expanduser().resolve())


def job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what to simulate. What is not given stays as the workspace has it; `none` takes a file away."""
    for option in reversed(
        [
            click.option("--city", help="'helsinki', 'toy', a place name, an OSM or GraphML file, a TNTP folder."),
            click.option(
                "--zones", type=Named(ZONE_KINDS, "zonewise.partitions"), help="Kind of the zones. Default hex."
            ),
            click.option("--zone-count", type=click.IntRange(1, 100_000), help="About how many zones. Default 18."),
            click.option("--polygons", metavar="FILE", help="Zones as given, GeoJSON or GeoPackage.", callback=_path),
            click.option("--sensors", metavar="FILE", help="Places, for voronoi zones: CSV, lon, lat.", callback=_path),
            click.option("--fleet", metavar="FILE", help="Vehicle kinds and their shares, CSV.", callback=_path),
            click.option("--demand", metavar="FILE", help="Weekday trips: CSV, OMX or TNTP.", callback=_path),
            click.option("--profiles", metavar="FILE", help="When trips depart: CSV, hour, share.", callback=_path),
            click.option("--events", metavar="FILE", help="What draws people to a place: CSV.", callback=_path),
            click.option("--rain-factor", type=float, help="Trips in rain per trip in dry weather. Default 1."),
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
            TRIES,
            TUNER,
            LOSS,
            RECIPES_OPTION,
            REFRESHABLE,
            JOBS,
            CLUSTER,
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

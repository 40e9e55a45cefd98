"""`zonewise calibrate`: change a city's demand so that its streets carry what was counted, as slowly as measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import records
from data.errors import InputError

if TYPE_CHECKING:
    from simulation.count_calibration import Calibrated
    from simulation.speed_calibration import SpeedCalibrated


@click.command()
@WORKSPACE
@click.option("--workspace", "named", metavar="NAME", help="The same as the argument.")
@click.option(
    "--counts",
    metavar="FILE",
    help="CSV or Parquet: link_id (or lon, lat, bearing), hour (or time, local), veh_per_h.",
)
@click.option("--speeds", metavar="FILE", help="The same with speed_kmh, speed_mps or speed_mph for veh_per_h.")
@click.option(
    "--assignment",
    type=click.Choice(["dynamic", "static"]),
    default="dynamic",
    show_default=True,
    help="To counts; speeds need the dynamic one.",
)
@click.option("--rounds", type=click.IntRange(1, 50), help="Assign and estimate; 4 to counts, 3 to speeds.")
@click.option("--days", type=click.IntRange(1, 60), help="Weekdays a round; 10 to counts, 2 to speeds.")
@click.option("--hold-out", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share kept unseen.")
@click.option("--fit-level/--keep-level", default=True, help="Whether one factor on all trips is free (to counts).")
@click.option(
    "--prior-cv",
    type=click.FloatRange(0.01, 5),
    default=0.3,
    show_default=True,
    help="Error of a pair (of a part, to speeds).",
)
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
@click.pass_obj
def calibrate(
    chosen: str | None,
    workspace: str | None,
    named: str | None,
    counts: str | None,
    speeds: str | None,
    as_json: bool,
    assignment: str,
    fit_level: bool,
    prior_cv: float,
    rounds: int | None,
    days: int | None,
    **options: Any,
) -> None:
    """Calibrate the demand of WORKSPACE; its next simulation uses it (--demand none goes back).

    Counts change single pairs of places; speeds (with counts, if both are given) change how many trips whole parts of
    the demand have: inbound, outbound, through and internal ones, by district.

    GEH below 5 on at least 85 % of the links is the usual mark of an hour that fits.
    """
    from app.demand_door import calibrate_workspace, calibrate_workspace_speeds
    from app.progress import Bars

    if counts is None and speeds is None:
        raise InputError("nothing to calibrate to: give --counts FILE, --speeds FILE or both")
    space = existing(workspace or named or chosen)
    options |= {name: value for name, value in (("rounds", rounds), ("days", days)) if value is not None}
    run: str
    found: Calibrated | SpeedCalibrated
    with Bars(quiet=as_json) as bars:

        def tell(done: float, total: float, message: str) -> None:
            bars("calibration", done, total, message)

        if speeds is not None:
            run, found = calibrate_workspace_speeds(space, speeds, counts, progress=tell, level_sd=prior_cv, **options)
        else:
            more = {"assignment": assignment, "fit_level": fit_level, "prior_cv": prior_cv, **options}
            assert counts is not None
            run, found = calibrate_workspace(space, counts, progress=tell, **more)
    factors = getattr(found, "factors", None)
    if as_json:
        told = {
            "run": run,
            "taken": found.taken,
            "verdict": found.verdict,
            "quality": records(found.quality),
            "rounds": records(found.rounds),
        }
        click.echo(json.dumps(told if factors is None else {**told, "factors": records(factors)}, indent=1))
        return
    for table in (found.quality, factors):
        if table is not None:
            click.echo(table.to_string(index=False, float_format=lambda value: f"{value:.3g}") + "\n")
    where = f"the calibrated trips are in {space.root / 'demand.csv'}" if found.taken else "the demand is as it was"
    click.echo(f"{found.verdict}\nrun {run}; {where}", err=True)

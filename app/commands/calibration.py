"""`zonewise calibrate`: change a city's demand so that its streets carry what was counted."""

from __future__ import annotations

import json
from typing import Any

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import records


@click.command()
@WORKSPACE
@click.option("--workspace", "named", metavar="NAME", help="The same as the argument.")
@click.option(
    "--counts",
    metavar="FILE",
    required=True,
    help="CSV or Parquet: link_id (or lon, lat, bearing), hour (or time, local), veh_per_h.",
)
@click.option("--assignment", type=click.Choice(["dynamic", "static"]), default="dynamic", show_default=True)
@click.option("--rounds", type=click.IntRange(1, 50), default=4, show_default=True, help="Assign and estimate.")
@click.option("--days", type=click.IntRange(1, 60), default=3, show_default=True, help="Weekdays a round.")
@click.option("--hold-out", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share kept unseen.")
@click.option("--fit-level/--keep-level", default=True, help="Whether one factor on all trips is free.")
@click.option("--prior-cv", type=click.FloatRange(0.01, 5), default=0.3, show_default=True, help="Error of a pair.")
@click.option("--seed", type=int, default=1, show_default=True)
@JSON
@click.pass_obj
def calibrate(
    chosen: str | None, workspace: str | None, named: str | None, counts: str, as_json: bool, **options: Any
) -> None:
    """Calibrate the demand of WORKSPACE to counts; its next simulation uses it (--demand none goes back).

    GEH below 5 on at least 85 % of the links is the usual mark of an hour that fits.
    """
    from app.demand_door import calibrate_workspace
    from app.progress import Bars

    space = existing(workspace or named or chosen)
    with Bars(quiet=as_json) as bars:
        run, found = calibrate_workspace(
            space, counts, progress=lambda done, total, message: bars("calibration", done, total, message), **options
        )
    if as_json:
        told = {
            "run": run,
            "taken": found.taken,
            "verdict": found.verdict,
            "quality": records(found.quality),
            "rounds": records(found.rounds),
        }
        click.echo(json.dumps(told, indent=1))
        return
    click.echo(found.quality.to_string(index=False, float_format=lambda value: f"{value:.3g}"))
    where = f"the calibrated trips are in {space.root / 'demand.csv'}" if found.taken else "the demand is as it was"
    click.echo(f"\n{found.verdict}\nrun {run}; {where}", err=True)

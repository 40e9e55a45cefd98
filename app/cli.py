"""The command line: `zonewise ...`. Parses, calls, prints; knows no science.

The commands are in `app.commands`, a file for each group. Bad input ends with exit status 2 and one line that says what
is wrong and what would be right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import click

from app import logs
from app.commands.air import air
from app.commands.calibration import calibrate
from app.commands.care import backup, doctor, restore
from app.commands.edge import edge
from app.commands.forecasts import forecast
from app.commands.importing import import_group
from app.commands.jobs import compare, demo, simulate, train
from app.commands.models import models
from app.commands.monitoring import monitor
from app.commands.options import JSON, RUN, WORKSPACE, existing
from app.commands.outlook import outlook
from app.commands.output import show
from app.commands.planning import PLANNING
from app.commands.plugins import plugins
from app.commands.queue import jobs
from app.commands.refreshing import refresh
from app.commands.runs import runs
from app.commands.scenarios import scenario
from app.commands.serving import serve_app, users
from app.commands.validation import report
from app.commands.watching import watch
from data.errors import RunNotFoundError, ZonewiseError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="zonewise")
@click.option("--workspace", "chosen", metavar="NAME", help="Workspace; the same as the argument of most commands.")
@click.option("-v", "--verbose", count=True, help="Tell more of what is done; twice: all.")
@click.pass_context
def cli(context: click.Context, chosen: str | None, verbose: int) -> None:
    """Zonewise simulates a city's traffic and air, forecasts them zone by zone, and tries out plans.

    \b
    Start with   zonewise demo          simulate central Helsinki, train, compare, and open the map
    then try     zonewise compare       which model forecasts better where
                 zonewise scenario run summer_esplanadi
                 zonewise air           how good the air is, zone by zone, and for how many people

    A workspace is a folder with one city's runs and models, workspaces/NAME (ZONEWISE_HOME moves it). Where a
    command takes WORKSPACE and none is given, it is "demo".
    """
    logs.set_up(verbose)
    context.obj = chosen


@cli.command()
@WORKSPACE
@click.option("--workspace", "named", metavar="NAME", help="The same as the argument.")
@click.option("--format", "kind", type=click.Choice(["sumo", "gmns", "gpkg"]), required=True, help="Of which tool.")
@click.option("--to", "folder", metavar="FOLDER", required=True, help="Where to; appears whole or not at all.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@RUN
@JSON
@click.pass_obj
def export(
    chosen: str | None,
    workspace: str | None,
    named: str | None,
    kind: str,
    folder: str,
    force: bool,
    run_id: str | None,
    as_json: bool,
) -> None:
    """Write the city, and the live day's trips and flows, for SUMO, GMNS or any GIS (GeoPackage)."""
    from app.exporting import export_workspace

    space = existing(workspace or named or chosen)
    show(export_workspace(space, kind, folder, force=force, run=run_id), as_json)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("case", required=False)
@JSON
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def benchmark(case: str | None, arguments: Sequence[str], as_json: bool) -> None:
    """Measure speed and memory of a CASE on this machine; without one, list the cases.

    What a case takes: zonewise benchmark CASE -- --help.
    """
    from app.benchmarks import case_names, run_case

    if case is None:
        show(case_names(), as_json)
        return
    result = run_case(case, list(arguments))
    if as_json:
        click.echo(json.dumps(result, indent=1, default=lambda value: value.item()))  # NumPy's numbers
        return
    for figure in result["figures"]:
        target = "" if figure["target"] is None else f"  (target {figure['target']:g})"
        click.echo(f"{figure['name']:<44} {figure['value']:>14,.3f} {figure['unit']}{target}")


for _command in (
    demo,
    simulate,
    train,
    compare,
    forecast,
    models,
    scenario,
    air,
    calibrate,
    runs,
    import_group,
    watch,
    refresh,
    edge,
    monitor,
    outlook,
    jobs,
    doctor,
    backup,
    restore,
    serve_app,
    users,
    plugins,
    report,
):
    cli.add_command(_command)
for _command in PLANNING:
    scenario.add_command(_command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `zonewise`."""
    try:
        cli.main(args=None if arguments is None else list(arguments), prog_name="zonewise", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        _fail(error.format_message())
    except RunNotFoundError as error:
        _fail(str(error))
    except ZonewiseError as error:
        _fail(str(error))
    except OSError as error:  # a full disk, a file that may not be read: nothing finished is lost by it
        where = f" ({error.filename})" if error.filename else ""
        _fail(f"{error.strerror or error}{where}; check the disk and the permissions, then repeat the command")
    except MemoryError:
        _fail("not enough memory; take fewer zones, days or processes (--n-jobs 1). Finished steps are kept")
    except KeyboardInterrupt:
        click.echo("stopped; finished steps are kept", err=True)
        sys.exit(130)


def _fail(message: str) -> None:
    click.echo(f"zonewise: {' '.join(message.split())}", err=True)
    sys.exit(2)

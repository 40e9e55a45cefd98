"""The command line: `zonewise ...`. Parses, calls, prints; knows no science.

Bad input ends with exit status 2 and one line that says what is wrong and what would be right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from app import logs
from data.errors import InputError, RunNotFoundError, ZonewiseError
from data.store.workspace import DEFAULT_WORKSPACE, Workspace, open_workspace

if TYPE_CHECKING:
    import pandas as pd

    from app.pipeline import Job

_WORKSPACE = click.argument("workspace", required=False)
_RUN = click.option("--run", "run_id", metavar="ID", help="A certain run; default the newest finished one.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
_JOBS = click.option("--n-jobs", type=click.IntRange(1, 256), help="Processes; default one a core, at most 8.")


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

    A workspace is a folder with one city's runs and models, workspaces/NAME (ZONEWISE_HOME moves it). Where a
    command takes WORKSPACE and none is given, it is "demo".
    """
    logs.set_up(verbose)
    context.obj = chosen


def _job_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what to simulate."""
    for option in reversed(
        [
            click.option(
                "--city", help="'helsinki', 'toy', a place name, or an OSM or GraphML file. Default helsinki."
            ),
            click.option("--zones", type=click.Choice(["hex", "square"]), help="Shape of the zones. Default hex."),
            click.option("--zone-count", type=click.IntRange(1, 100_000), help="About how many zones. Default 18."),
            click.option("--polygons", metavar="FILE", help="Zones as given, GeoJSON or GeoPackage."),
            click.option("--days", type=int, help="Days to simulate. Default 28."),
            click.option("--test-days", type=int, help="Last days, kept for the comparison. Default 7."),
            click.option("--start", metavar="DATE", help="First day, local time. Default 2026-01-26."),
            click.option("--seed", type=int, help="Seed of all luck. Default 1."),
            click.option("--assignment", metavar="FILE", help="Choices of models made by hand, CSV or YAML."),
            _JOBS,
        ]
    ):
        function = option(function)
    return function


@cli.command()
@_WORKSPACE
@_job_options
@click.option("--serve/--no-serve", default=True, help="Open the app at the end, or stop before it.")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True)
@click.pass_obj
def demo(chosen: str | None, workspace: str | None, serve: bool, port: int, **options: Any) -> None:
    """Do the whole job: simulate, train, compare, live one more day with forecasts, and open the map."""
    job, ids = _run_job(open_workspace(workspace or chosen), "live", options)
    click.echo(f"Workspace '{job.workspace.name}' is ready: {', '.join(ids.values())}", err=True)
    click.echo(_verdict(job.workspace, ids["comparison"]))
    if serve:
        _serve(job.workspace, "127.0.0.1", port, workers=2)
    else:
        click.echo(f"Open the map with: zonewise app{_named(job.workspace)}", err=True)


@cli.command()
@_WORKSPACE
@_job_options
@_JSON
@click.pass_obj
def simulate(chosen: str | None, workspace: str | None, as_json: bool, **options: Any) -> None:
    """Simulate some weeks of a city: traffic, air, sensors."""
    job, ids = _run_job(open_workspace(workspace or chosen), "simulation", options)
    summary = job.workspace.runs.read_json(ids["simulation"], "summary")
    _show({"run": ids["simulation"], **summary}, as_json)


@cli.command()
@_WORKSPACE
@_job_options
@_JSON
@click.pass_obj
def train(chosen: str | None, workspace: str | None, as_json: bool, **options: Any) -> None:
    """Train every zone's micromodels and the citywide macromodel, choose and assign."""
    job, ids = _run_job(open_workspace(workspace or chosen), "training", options)
    choices = job.workspace.runs.read(ids["training"], "choices")
    columns = ["zone_id", "target", "family", "model_in_use", "is_task", "reason"]
    _table(choices[columns], as_json, run=ids["training"])


@cli.command()
@_WORKSPACE
@_RUN
@_JSON
@_JOBS
@click.pass_obj
def compare(chosen: str | None, workspace: str | None, run_id: str | None, as_json: bool, n_jobs: int | None) -> None:
    """Compare micromodels with the macromodel on the test days, with confidence intervals.

    MASE is the error against repeating the day before: below 1 is better than that.
    """
    space = open_workspace(workspace or chosen)
    if run_id is None:
        told = space.describe().get("runs", {}).get("comparison")
        finished = told is not None and space.runs.has(told)
        run_id = told if finished else _run_job(space, "comparison", {"n_jobs": n_jobs})[1]["comparison"]
    if space.runs.manifest(run_id)["kind"] != "comparison":
        raise InputError(f"run '{run_id}' is no comparison; 'zonewise runs list' shows which are")
    scores, paired = space.runs.read(run_id, "scores"), space.runs.read(run_id, "paired")
    mase = scores[(scores["metric"] == "mase") & (scores["zone_id"] == "")]
    mase = mase[["target", "horizon_s", "model", "value", "lower", "upper", "n"]].rename(columns={"value": "mase"})
    if as_json:
        wins = paired.groupby(["target", "horizon_s"])["verdict"].value_counts().rename("zones").reset_index()
        told = {
            "run": run_id, "verdict": _verdict(space, run_id), "mase": _records(mase), "wins": _records(wins),
            "paired": _records(paired), "costs": _records(space.runs.read(run_id, "costs")),
        }  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    text = [f"{m:.3f} ({lo:.3f}-{up:.3f})" for m, lo, up in zip(mase["mase"], mase["lower"], mase["upper"])]
    wide = mase.assign(mase=text).set_index(["target", "model", "horizon_s"])["mase"].unstack("horizon_s")  # noqa: PD010
    wide.columns = [_span(float(h)) for h in wide.columns]
    click.echo("MASE by horizon, with 90 % intervals (below 1: better than repeating the day before)\n")
    click.echo(wide.reset_index().to_string(index=False))
    click.echo("\n" + _verdict(space, run_id))


@cli.command()
@_WORKSPACE
@_RUN
@click.option("--zone", help="One zone; default all.")
@click.option("--target", help="One quantity, e.g. no2_ug_per_m3; default the zone's task.")
@click.option("--horizon", "horizon_s", type=float, default=3600.0, show_default=True, help="Seconds ahead.")
@_JSON
@click.pass_obj
def forecast(
    chosen: str | None,
    workspace: str | None,
    run_id: str | None,
    zone: str | None,
    target: str | None,
    horizon_s: float,
    as_json: bool,
) -> None:
    """Show what the models in use foresee from the workspace's present instant."""
    from app.forecasting import present_forecasts

    space = open_workspace(workspace or chosen)
    table = present_forecasts(space, run=run_id, zone=zone, target=target, horizon_s=horizon_s)
    _table(table, as_json)


@cli.group()
def models() -> None:
    """The models in the workspace's registry."""


@models.command("list")
@_WORKSPACE
@_JSON
@click.pass_obj
def models_list(chosen: str | None, workspace: str | None, as_json: bool) -> None:
    """List every zone's models, and the citywide ones (zone _city)."""
    from models.registry import Registry

    space = _existing(workspace or chosen)
    _table(Registry(space.models).list(), as_json)


@models.command("show")
@click.argument("zone")
@click.argument("target")
@_WORKSPACE
@click.option("--version", help="A certain version; default the one in force.")
@_JSON
@click.pass_obj
def models_show(
    chosen: str | None, zone: str, target: str, workspace: str | None, version: str | None, as_json: bool
) -> None:
    """Show the card of one model, e.g. `zonewise models show Z03 no2_ug_per_m3`."""
    from models.registry import Registry

    _show(Registry(_existing(workspace or chosen).models).show(zone, target, version), as_json)


@cli.group()
def scenario() -> None:
    """Planning scenarios: what would this closure, limit or zone change?"""


@scenario.command("run")
@click.argument("what")
@_WORKSPACE
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, show_default=True, help="Pairs of runs.")
@click.option("--days", type=click.IntRange(1, 366), default=1, show_default=True, help="Length of each run.")
@click.option("--start", metavar="DATE", default="2026-01-27", show_default=True)
@_JOBS
@_JSON
@click.pass_obj
def scenario_run(
    chosen: str | None,
    what: str,
    workspace: str | None,
    seeds: int,
    days: int,
    start: str,
    n_jobs: int | None,
    as_json: bool,
) -> None:
    """Run a scenario against today's city: WHAT is a YAML file or the name of a shipped one.

    Base and scenario share their luck; effects come with 90 % intervals over the seeds.
    """
    from app.progress import Bars
    from app.studies import headline, make_study

    space = _existing(workspace or chosen)
    with Bars(quiet=as_json) as bars:
        run, _ = make_study(
            space, what, seeds=seeds, days=days, start=start, n_jobs=n_jobs,
            progress=lambda done, total, message, effects: bars("study", done, total, message),
        )  # fmt: skip
    effects = space.runs.read(run, "effects")
    if as_json:
        click.echo(json.dumps({"run": run, "effects": _records(effects)}, indent=1))
        return
    click.echo(headline(effects).to_string(index=False))
    click.echo(f"\nAll effects, by zone and hour: run {run} in workspace '{space.name}'", err=True)


@scenario.command("list")
@_JSON
def scenario_list(as_json: bool) -> None:
    """List the shipped scenarios."""
    from simulation.scenarios import load_shipped, shipped_names

    _show({name: load_shipped(name).title for name in shipped_names()}, as_json)


@cli.command("app")
@_WORKSPACE
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True)
@click.pass_obj
def serve_app(chosen: str | None, workspace: str | None, host: str, port: int, workers: int) -> None:
    """Open the map app on a workspace."""
    if host not in ("127.0.0.1", "localhost", "::1"):
        raise InputError(f"--host {host}: the app has no sign-in yet, so it serves this machine only; use 127.0.0.1")
    _serve(_existing(workspace or chosen), host, port, workers)


@cli.group()
def runs() -> None:
    """The finished runs of a workspace."""


@runs.command("list")
@_WORKSPACE
@_JSON
@click.pass_obj
def runs_list(chosen: str | None, workspace: str | None, as_json: bool) -> None:
    """List finished runs, oldest first."""
    import pandas as pd

    found = _existing(workspace or chosen).runs.list()
    rows = [{name: run[name] for name in ("id", "kind", "created", "seconds", "seed")} for run in found]
    _table(pd.DataFrame(rows, columns=["id", "kind", "created", "seconds", "seed"]), as_json)


@runs.command("show")
@click.argument("run_id")
@_WORKSPACE
@click.pass_obj
def runs_show(chosen: str | None, run_id: str, workspace: str | None) -> None:
    """Show a run's manifest: what made it, from which runs, with which versions."""
    click.echo(json.dumps(_existing(workspace or chosen).runs.manifest(run_id), indent=1))


@runs.command("prune")
@_WORKSPACE
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@click.pass_obj
def runs_prune(chosen: str | None, workspace: str | None, yes: bool) -> None:
    """Remove runs that the workspace's present job does not use (studies stay)."""
    space = _existing(workspace or chosen)
    used = set(space.describe().get("runs", {}).values())
    spare = [run["id"] for run in space.runs.list() if run["id"] not in used and run["kind"] != "study"]
    for run in spare:
        if yes:
            space.runs.remove(run)
        click.echo(run)
    click.echo(f"{len(spare)} run(s) {'removed' if yes else 'could go; add --yes to remove them'}", err=True)


@cli.command()
@_WORKSPACE
@click.option("--workspace", "named", metavar="NAME", help="The same as the argument.")
@click.option("--format", "kind", type=click.Choice(["sumo", "gmns", "gpkg"]), required=True, help="Of which tool.")
@click.option("--to", "folder", metavar="FOLDER", required=True, help="Where to; appears whole or not at all.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@_RUN
@_JSON
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

    space = _existing(workspace or named or chosen)
    _show(export_workspace(space, kind, folder, force=force, run=run_id), as_json)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("case", required=False)
@_JSON
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def benchmark(case: str | None, arguments: Sequence[str], as_json: bool) -> None:
    """Measure speed and memory of a CASE on this machine; without one, list the cases."""
    from app.benchmarks import case_names, run_case

    if case is None:
        _show(case_names(), as_json)
        return
    result = run_case(case, list(arguments))
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    for figure in result["figures"]:
        target = "" if figure["target"] is None else f"  (target {figure['target']:g})"
        click.echo(f"{figure['name']:<44} {figure['value']:>14,.3f} {figure['unit']}{target}")


# --- what commands share ---------------------------------------------------------------------------------------------


def _run_job(space: Workspace, until: str, options: dict[str, Any]) -> tuple[Job, dict[str, str]]:
    """Run the steps of a job, with what the workspace already says of it."""
    from dataclasses import fields

    from app.pipeline import Job, JobSpec
    from app.progress import Bars

    n_jobs = options.pop("n_jobs", None)
    known = {field.name for field in fields(JobSpec)}
    told = {key: value for key, value in space.describe().get("job", {}).items() if key in known}
    told |= {key: value for key, value in options.items() if value is not None}
    with Bars() as bars:
        job = Job(space, JobSpec(**told), bars)
        if n_jobs is not None:
            job.n_jobs = n_jobs
        ids = job.run(until)
    return job, ids


def _existing(name: str | None) -> Workspace:
    space = open_workspace(name)
    if not (space.root / "workspace.json").is_file():
        raise InputError(f"no workspace at {space.root}; 'zonewise demo{_named(space)}' makes one")
    return space


def _named(space: Workspace) -> str:
    return "" if space.name == DEFAULT_WORKSPACE else f" {space.name}"


def _serve(space: Workspace, host: str, port: int, workers: int) -> None:
    from app.serving import serve

    click.echo(f"Zonewise shows workspace '{space.name}' at http://{host}:{port} (stop with Ctrl+C)")
    serve(space, host=host, port=port, workers=workers)


def _verdict(space: Workspace, run: str) -> str:
    return str(space.runs.read_json(run, "verdict")["text"])


def _span(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.0f} h"


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them; what is missing is null."""
    rows: list[dict[str, Any]] = json.loads(table.to_json(orient="records", date_format="iso", double_precision=10))
    return rows


def _table(table: pd.DataFrame, as_json: bool, **more: Any) -> None:
    if as_json:
        rows = _records(table)
        click.echo(json.dumps({**more, "rows": rows} if more else rows, indent=1))
    elif table.empty:
        click.echo("nothing there yet")
    else:
        click.echo(table.to_string(index=False, max_colwidth=70))


def _show(value: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(value, indent=1, default=str))
    elif isinstance(value, dict):
        width = max((len(str(key)) for key in value), default=0)
        for key, item in value.items():
            text = json.dumps(item, default=str) if isinstance(item, (dict, list)) else item
            click.echo(f"{key:<{width}}  {text}")
    else:
        for item in value:
            click.echo(item)


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
    except KeyboardInterrupt:
        click.echo("stopped; finished steps are kept", err=True)
        sys.exit(130)


def _fail(message: str) -> None:
    click.echo(f"zonewise: {' '.join(message.split())}", err=True)
    sys.exit(2)

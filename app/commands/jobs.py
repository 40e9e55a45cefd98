"""The main job from the command line: `demo`, `simulate`, `train`, `compare`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from app.commands.options import CLUSTER, JOBS, JSON, NONE, RUN, WORKSPACE, job_options, named
from app.commands.output import print_table, records, show, span
from data.errors import InputError
from data.store.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    import pandas as pd

    from app.pipeline import Job
    from app.serving.settings import Settings

#: Tables that a comparison may have besides.
_MORE = ("hourly", "regimes", "regime_pairs", "new_zones", "new_period", "seed_scores", "seed_paired")
_DETAILS = {"weather": ("weather_columns", "weather_units"), "stations": ("station_places",)}


@click.command()
@WORKSPACE
@job_options
@click.option("--serve/--no-serve", default=True, help="Open the app at the end, or stop before it.")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True)
@click.pass_obj
def demo(chosen: str | None, workspace: str | None, serve: bool, port: int, **options: Any) -> None:
    """Do the whole job: simulate, train, compare, live one more day with forecasts, and open the map.

    What is not given stays as the workspace has it; 'none' for a FILE takes it away again. Weather must last for the
    days and the live day after them. Stations put the background right before the run: see the run 'calibration'.
    """
    job, ids = run_job(open_workspace(workspace or chosen), "live", options)
    click.echo(f"Workspace '{job.workspace.name}' is ready: {', '.join(ids.values())}", err=True)
    click.echo(verdict_of(job.workspace, ids["comparison"]))
    if serve:
        serve_workspace(job.workspace, "127.0.0.1", port, workers=2)
    else:
        click.echo(f"Open the map with: zonewise app{named(job.workspace)}", err=True)


@click.command()
@WORKSPACE
@job_options
@JSON
@click.pass_obj
def simulate(chosen: str | None, workspace: str | None, as_json: bool, **options: Any) -> None:
    """Simulate some weeks of a city: traffic, air, sensors."""
    job, ids = run_job(open_workspace(workspace or chosen), "simulation", options)
    summary = job.workspace.runs.read_json(ids["simulation"], "summary")
    show({"run": ids["simulation"], **summary}, as_json)


@click.command()
@WORKSPACE
@job_options
@JSON
@click.pass_obj
def train(chosen: str | None, workspace: str | None, as_json: bool, **options: Any) -> None:
    """Train every zone's micromodels and the citywide macromodel, choose and assign."""
    job, ids = run_job(open_workspace(workspace or chosen), "training", options)
    choices = job.workspace.runs.read(ids["training"], "choices")
    columns = ["zone_id", "target", "family", "model_in_use", "is_task", "reason"]
    print_table(choices[columns], as_json, run=ids["training"])


@click.command()
@WORKSPACE
@RUN
@JSON
@JOBS
@CLUSTER
@click.option(
    "--thorough",
    is_flag=True,
    help="Also train again with zones and weeks left out, to tell what new ones cost: several times the training.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 20),
    default=1,
    show_default=True,
    help="Train with so many seeds, and tell how far verdicts depend on that luck; 3 or more say something.",
)
@click.pass_obj
def compare(
    chosen: str | None,
    workspace: str | None,
    run_id: str | None,
    as_json: bool,
    n_jobs: int | None,
    thorough: bool,
    seeds: int,
) -> None:
    """Compare micromodels with the macromodel on the test days, with confidence intervals.

    MASE is the error against repeating the day before: below 1 is better than that.
    """
    space = open_workspace(workspace or chosen)
    if run_id is None:
        told = space.describe().get("runs", {}).get("comparison")
        finished = told is not None and space.runs.has(told)
        if finished and thorough:
            finished = "new_zones" in space.runs.manifest(told)["tables"]
        if finished and seeds > 1:
            finished = bool(space.runs.manifest(told)["spec"].get("seeds", 1) == seeds)
        options = {"n_jobs": n_jobs, "thorough": thorough, "seeds": seeds}
        run_id = told if finished else run_job(space, "comparison", options)[1]["comparison"]
    if space.runs.manifest(run_id)["kind"] != "comparison":
        raise InputError(f"run '{run_id}' is no comparison; 'zonewise runs list' shows which are")
    tables = space.runs.manifest(run_id)["tables"]
    scores, paired = space.runs.read(run_id, "scores"), space.runs.read(run_id, "paired")
    mase = scores[(scores["metric"] == "mase") & (scores["zone_id"] == "")]
    mase = mase[["target", "horizon_s", "model", "value", "lower", "upper", "n"]].rename(columns={"value": "mase"})
    if as_json:
        wins = paired.groupby(["target", "horizon_s"])["verdict"].value_counts().rename("zones").reset_index()
        told = {
            "run": run_id, "verdict": verdict_of(space, run_id), "mase": records(mase), "wins": records(wins),
            "paired": records(paired), "costs": records(space.runs.read(run_id, "costs")),
            **{name: records(space.runs.read(run_id, name)) for name in _MORE if name in tables},
        }  # fmt: skip
        if "seed_scores" in tables:
            told["seeds_verdict"] = space.runs.read_json(run_id, "seeds")["text"]
        click.echo(json.dumps(told, indent=1))
        return
    text = [f"{m:.3f} ({lo:.3f}-{up:.3f})" for m, lo, up in zip(mase["mase"], mase["lower"], mase["upper"])]
    wide = mase.assign(mase=text).pivot_table(
        index=["target", "model"], columns="horizon_s", values="mase", aggfunc="first"
    )
    wide.columns = [span(float(h)) for h in wide.columns]
    click.echo("MASE by horizon, with 90 % intervals (below 1: better than repeating the day before)\n")
    click.echo(wide.reset_index().to_string(index=False))
    if "regime_pairs" in tables:
        _echo_regimes(space.runs.read(run_id, "regime_pairs"))
    click.echo("\n" + verdict_of(space, run_id))
    if "seed_scores" in tables:
        click.echo("\n" + str(space.runs.read_json(run_id, "seeds")["text"]))


def _echo_regimes(pairs: pd.DataFrame) -> None:
    """The micromodels' error against the macromodel's by regime, at the horizon nearest to an hour."""
    horizon = min(pairs["horizon_s"].unique(), key=lambda h: abs(float(h) - 3600))
    rows = pairs[pairs["horizon_s"] == horizon]
    share = 100 * rows["difference"] / rows["macro_mae"].where(rows["macro_mae"] > 0)
    clear = (rows["verdict"] != "tie").map({True: "*", False: ""})
    text = share.map("{:+.1f}".format) + clear
    wide = rows.assign(text=text).pivot_table(index="target", columns="regime", values="text", aggfunc="first")
    wide = wide[[name for name in rows["regime"].unique() if name in wide]].fillna("-")
    wide.columns = [str(name).replace("_", " ") for name in wide.columns]
    click.echo(
        f"\nMicromodels' error less the macromodel's by regime, {span(float(horizon))} ahead, in % of it"
        " (below 0: micromodels better; *: clear of chance)\n"
    )
    click.echo(wide.reset_index().to_string(index=False))


def run_job(space: Workspace, until: str, options: dict[str, Any]) -> tuple[Job, dict[str, str]]:
    """Run the steps of a job, with what the workspace already says of it."""
    from app.pipeline import Job, JobSpec
    from app.progress import Bars

    n_jobs, thorough = options.pop("n_jobs", None), bool(options.pop("thorough", False))
    seeds = int(options.pop("seeds", 1))
    if space.describe().get("source") == "measured":
        from app.measured import measured_job

        with Bars(measured=True) as bars:
            measured = measured_job(space, options, bars)
            measured.n_jobs, measured.thorough = measured.n_jobs if n_jobs is None else n_jobs, thorough
            measured.seeds = seeds
            return measured, measured.run(until)
    told = dict(space.describe().get("job", {}))
    told |= {key: None if value == NONE else value for key, value in options.items() if value is not None}
    for option, details in _DETAILS.items():  # another file has columns and places of its own
        if options.get(option) is not None:
            told |= dict.fromkeys((name for name in details if options.get(name) in (None, NONE)), None)
    with Bars() as bars:
        job = Job(space, JobSpec.known(told), bars, thorough=thorough, seeds=seeds)
        if n_jobs is not None:
            job.n_jobs = n_jobs
        ids = job.run(until)
    return job, ids


def verdict_of(space: Workspace, run: str) -> str:
    """What a comparison concludes, in words; costs, which no two runs share, are stored apart."""
    from models.outcome import costs_in_words

    told = space.runs.read_json(run, "verdict")
    if told.get("costs") is not False:  # of a release that wrote them into the text
        return str(told["text"])
    words = costs_in_words(space.runs.read(run, "costs"))
    return "\n".join(part for part in (str(told["text"]), words) if part)


def serve_workspace(space: Workspace, host: str, port: int, workers: int, settings: Settings | None = None) -> None:
    """Open the app and stay until it is stopped."""
    from app.jobs import Jobs, dispatch
    from app.serving.serve import serve

    table = Jobs(space.jobs_path)
    if space.jobs_path.is_file() and (again := table.recover()):
        click.echo(f"{again} job(s) that were running when the app or the machine went down go on", err=True)
        dispatch(space.root)
    click.echo(f"Zonewise shows workspace '{space.name}' at http://{host}:{port} (stop with Ctrl+C)")
    serve(space, host=host, port=port, workers=workers, settings=settings)

"""Forecasts and the models that make them: `forecast`, `models`."""

from __future__ import annotations

import click

from app.commands.options import JSON, RUN, WORKSPACE, existing, named
from app.commands.output import print_table, show
from data.errors import InputError
from data.store.workspace import open_workspace


@click.command()
@WORKSPACE
@RUN
@click.option("--zone", help="One zone; default all.")
@click.option("--target", help="One quantity, e.g. no2_ug_per_m3; default the zone's task.")
@click.option("--horizon", "horizon_s", type=float, default=3600.0, show_default=True, help="Seconds ahead.")
@JSON
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
    print_table(table, as_json)


@click.group()
def models() -> None:
    """The models in the workspace's registry."""


@models.command("list")
@WORKSPACE
@JSON
@click.pass_obj
def models_list(chosen: str | None, workspace: str | None, as_json: bool) -> None:
    """List every zone's models, and the citywide ones (zone _city)."""
    from models.registry import Registry

    space = existing(workspace or chosen)
    print_table(Registry(space.models).list(), as_json)


@models.command("guard")
@WORKSPACE
@RUN
@click.option("--all", "every", is_flag=True, help="Also the zones whose choice passed.")
@JSON
@click.pass_obj
def models_guard(chosen: str | None, workspace: str | None, run_id: str | None, every: bool, as_json: bool) -> None:
    """List the zones whose model was held back by the guard against overfitting, and why."""
    space = existing(workspace or chosen)
    run = run_id or space.describe().get("runs", {}).get("training")
    if run is None or not space.runs.has(run):
        raise InputError(f"no training in workspace '{space.name}'; 'zonewise train{named(space)}' makes one")
    if "guard" not in space.runs.manifest(run)["tables"]:
        raise InputError(f"run '{run}' holds no table 'guard'; it is no training, or an older one: train again")
    table = space.runs.read(run, "guard")
    if not every:
        table = table[table["fell_back"]]
        if table.empty and not as_json:
            click.echo("No model was held back; --all lists what the guard found of each.")
            return
    print_table(table, as_json, run=run)


@models.command("show")
@click.argument("zone")
@click.argument("target")
@WORKSPACE
@click.option("--version", help="A certain version; default the one in force.")
@JSON
@click.pass_obj
def models_show(
    chosen: str | None, zone: str, target: str, workspace: str | None, version: str | None, as_json: bool
) -> None:
    """Show the card of one model, e.g. `zonewise models show Z03 no2_ug_per_m3`."""
    from models.registry import Registry

    show(Registry(existing(workspace or chosen).models).show(zone, target, version), as_json)

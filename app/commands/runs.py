"""The finished runs of a workspace: `runs list`, `runs show`, `runs prune`."""

from __future__ import annotations

import json

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import print_table


@click.group()
def runs() -> None:
    """The finished runs of a workspace."""


@runs.command("list")
@WORKSPACE
@JSON
@click.pass_obj
def runs_list(chosen: str | None, workspace: str | None, as_json: bool) -> None:
    """List finished runs, oldest first."""
    import pandas as pd

    found = existing(workspace or chosen).runs.list()
    rows = [{name: run[name] for name in ("id", "kind", "created", "seconds", "seed")} for run in found]
    print_table(pd.DataFrame(rows, columns=["id", "kind", "created", "seconds", "seed"]), as_json)


@runs.command("show")
@click.argument("run_id")
@WORKSPACE
@click.pass_obj
def runs_show(chosen: str | None, run_id: str, workspace: str | None) -> None:
    """Show a run's manifest: what made it, from which runs, with which versions."""
    click.echo(json.dumps(existing(workspace or chosen).runs.manifest(run_id), indent=1))


@runs.command("prune")
@WORKSPACE
@click.option("--yes", is_flag=True, help="Remove them; without it they are only listed.")
@click.pass_obj
def runs_prune(chosen: str | None, workspace: str | None, yes: bool) -> None:
    """Remove runs that the workspace's present job does not use (studies stay)."""
    space = existing(workspace or chosen)
    used = set(space.describe().get("runs", {}).values())
    spare = [run["id"] for run in space.runs.list() if run["id"] not in used and run["kind"] != "study"]
    for run in spare:
        if yes:
            space.runs.remove(run)
        click.echo(run)
    click.echo(f"{len(spare)} run(s) {'removed' if yes else 'could go; add --yes to remove them'}", err=True)

"""The finished runs of a workspace: `runs list`, `runs show`, `runs prune`."""

from __future__ import annotations

import json
from dataclasses import asdict

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
@click.option(
    "--parts-older-than",
    "days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Simulations too that studies, previews and searches keep in parts, if so long untouched.",
)
@JSON
@click.pass_obj
def runs_prune(chosen: str | None, workspace: str | None, yes: bool, days: float | None, as_json: bool) -> None:
    """Remove runs that nothing in use is made from, replications of older code, and the quarantine (studies stay)."""
    import pandas as pd

    from app.care.pruning import remove, spare
    from app.code_version import code_version
    from data.store.room import told_size

    space = existing(workspace or chosen)
    found = spare(space, code=code_version()["simulation"], parts_days=days)
    if yes:
        remove(space, found)
    if as_json:
        print_table(pd.DataFrame([asdict(one) for one in found]), True, removed=yes)
        return
    for one in found:
        click.echo(f"{one.name}  {told_size(one.bytes)}  {one.why}")
    count = f"{len(found)} thing(s), {told_size(sum(one.bytes for one in found))},"
    click.echo(f"{count} {'removed' if yes else 'could go; add --yes to remove them'}", err=True)

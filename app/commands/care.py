"""Care of a workspace: `doctor`, `backup`, `restore`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from app.commands.options import JSON, WORKSPACE
from app.commands.output import show
from data.errors import InputError
from data.store.workspace import open_workspace


@click.command()
@WORKSPACE
@click.option("--repair", is_flag=True, help="Mend what is safe; damaged things are moved to quarantine/, not deleted.")
@click.option("--migrate", is_flag=True, help="Bring files of older formats to the present one.")
@click.option("--quick", is_flag=True, help="Hold files against their digests only, without reading every table.")
@JSON
@click.pass_obj
def doctor(chosen: str | None, workspace: str | None, repair: bool, migrate: bool, quick: bool, as_json: bool) -> None:
    """Look at all of a workspace: what is wrong, where, and the command that cures it.

    Ends with status 1 where something is wrong, and 0 where nothing is, or all was mended.
    """
    from app.care.doctor import examine

    space = open_workspace(workspace or chosen)
    if not space.root.is_dir():
        raise InputError(f"no workspace at {space.root}; 'zonewise restore FILE' or 'zonewise demo' makes one")
    found = examine(space, repair=repair, migrate=migrate, thorough=not quick)
    wrong = sum(one.wrong for one in found)
    if as_json:
        click.echo(json.dumps({"workspace": str(space.root), "wrong": wrong, "findings": [f.told() for f in found]}))
    else:
        for one in found:
            click.echo(f"{one.level:<8}{one.where}\n        {one.what}")
            click.echo(f"        {'done: ' + one.done if one.done else 'cure: ' + one.cure}")
        click.echo(f"{wrong} fault(s) in {space.root}" if wrong else f"{space.root} is in order")
    if wrong:
        sys.exit(1)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--workspace", "workspace", metavar="NAME", help="Of which workspace.")
@click.option("--without-parts", is_flag=True, help="Leave out simulations of studies that are kept to go on with.")
@click.option("--force", is_flag=True, help="Replace an earlier file.")
@JSON
@click.pass_obj
def backup(
    chosen: str | None, file: str, workspace: str | None, without_parts: bool, force: bool, as_json: bool
) -> None:
    """Write all of a workspace into one FILE, also while something is being computed in it."""
    from app.care.backup import back_up
    from app.commands.options import existing

    show(back_up(existing(workspace or chosen), Path(file), parts=not without_parts, force=force), as_json)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--workspace", "workspace", metavar="NAME", help="Workspace to make; must not be there yet.")
@JSON
@click.pass_obj
def restore(chosen: str | None, file: str, workspace: str | None, as_json: bool) -> None:
    """Make a workspace of a back-up FILE."""
    from app.care import restore as restoring

    show(restoring.restore(Path(file), open_workspace(workspace or chosen)), as_json)

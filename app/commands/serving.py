"""Serving from the command line: `app` and `users`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.commands.jobs import serve_workspace
from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import show
from data.errors import InputError
from data.store.workspace import home

#: As `app.serving.people.ROLES` and `app.serving.settings.LOGS`, which would load the app to say so.
ROLES = ("viewer", "planner", "admin")
LOGS = ("off", "text", "json")


@click.command("app")
@WORKSPACE
@click.option("--host", default="127.0.0.1", show_default=True, help="Elsewhere than this machine only with sign-in.")
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True)
@click.option("--workers", type=click.IntRange(1, 64), default=2, show_default=True, help="Processes that answer.")
@click.option("--users", metavar="FILE", help="People who sign in, see 'zonewise users'; with --trust-header: roles.")
@click.option("--trust-header", metavar="NAME", default="", help="Header in which a proxy says who asks.")
@click.option("--role-header", metavar="NAME", default="", help="Header in which it says with which role.")
@click.option("--trust-from", metavar="NETWORK", multiple=True, help="Proxies to trust. Default this machine.")
@click.option("--allow-host", metavar="NAME", multiple=True, help="A name besides localhost, where nobody signs in.")
@click.option("--session-hours", type=float, default=12.0, show_default=True, help="How long a sign-in lasts.")
@click.option(
    "--log", type=click.Choice(LOGS), default="off", show_default=True, envvar="ZONEWISE_LOG", show_envvar=True,
    help="A line a request, for people or as JSON.",
)  # fmt: skip
@click.pass_obj
def serve_app(chosen: str | None, workspace: str | None, host: str, port: int, workers: int, **told: Any) -> None:
    """Open the map app on a workspace.

    Without more, it serves this machine alone, and nobody signs in. SIGTERM lets running requests finish; jobs are
    processes of their own and go on.
    """
    from app.serving.settings import LOOPBACK, Settings, check_settings

    settings = Settings(
        users=Path(told["users"]).expanduser() if told["users"] else None, trust_header=told["trust_header"],
        role_header=told["role_header"], trust_from=tuple(told["trust_from"]) or LOOPBACK,
        hosts=tuple(told["allow_host"]), session_hours=told["session_hours"], log=told["log"],
    )  # fmt: skip
    check_settings(settings, host)
    serve_workspace(existing(workspace or chosen), host, port, workers, settings)


_FILE = click.option("--file", "file", metavar="FILE", help="Default users.json beside the workspaces.")


@click.group()
def users() -> None:
    """People who may sign in to the app: viewers read, planners start studies, admins change what is in force."""


@users.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input, not from a prompt.")
@click.option("--no-password", is_flag=True, help="Somebody whom a proxy signs in: a role alone.")
@_FILE
def add_user(name: str, role: str, from_stdin: bool, no_password: bool, file: str | None) -> None:
    """Add somebody, or give them another role and password. The password is never an argument: others could see it."""
    from app.serving.users import Users

    if from_stdin and no_password:
        raise InputError("--stdin gives a password and --no-password says that there is none; leave one out")
    password = None
    if from_stdin:
        password = click.get_text_stream("stdin").readline().rstrip("\r\n")  # type: ignore[operator]
    elif not no_password:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    path = _path(file)
    new = Users(path).add(name, role, password)
    click.echo(f"{'Added' if new else 'Changed'} {name}, {role}, in {path}", err=True)


@users.command("remove")
@click.argument("name")
@_FILE
def remove_user(name: str, file: str | None) -> None:
    """Forget somebody; sessions of theirs end at once."""
    from app.serving.users import Users

    Users(_path(file)).remove(name)
    click.echo(f"Removed {name} from {_path(file)}", err=True)


@users.command("list")
@_FILE
@JSON
def list_people(file: str | None, as_json: bool) -> None:
    """List people and roles."""
    from app.serving.users import Users

    people = Users(_path(file)).all()
    rows = [{"name": user.name, "role": user.role, "password": bool(user.hash)} for user in people.values()]
    show(rows if as_json else [f"{row['name']:<24} {row['role']}" for row in rows], as_json)


def _path(file: str | None) -> Path:
    return Path(file).expanduser() if file else home() / "users.json"

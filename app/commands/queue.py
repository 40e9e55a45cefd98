"""Long runs of the app and their queue: `jobs list`, `show`, `cancel`, `resume`, `clean`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import print_table, show
from data.errors import InputError

if TYPE_CHECKING:
    from app.jobs import Job, Jobs

JOB = click.argument("job")
IN = click.option("--workspace", "workspace", metavar="NAME", help="Workspace of the job.")


@click.group()
def jobs() -> None:
    """Jobs: long runs that the app has started, waiting ones among them."""


@jobs.command("list")
@WORKSPACE
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="So many, newest first.")
@JSON
@click.pass_obj
def jobs_list(chosen: str | None, workspace: str | None, limit: int, as_json: bool) -> None:
    """List jobs, newest first."""
    import pandas as pd

    columns = ["id", "kind", "by", "state", "share", "asked", "result", "message"]
    rows = [
        {
            "id": job.id, "kind": job.kind, "by": job.by, "state": job.state,
            "share": round(job.done / job.total, 3) if job.total else None, "asked": _when(job.created),
            "result": job.result, "message": job.message,
        }
        for job in _table(workspace or chosen).list(limit)
    ]  # fmt: skip
    print_table(pd.DataFrame(rows, columns=columns), as_json)


@jobs.command("show")
@JOB
@IN
@JSON
@click.pass_obj
def jobs_show(chosen: str | None, job: str, workspace: str | None, as_json: bool) -> None:
    """Tell all of a job: what was asked, by whom, how far it is."""
    found = _found(_table(workspace or chosen), job)
    times = {name: _when(getattr(found, name)) for name in ("created", "started", "ended")}
    show({**asdict(found), **times, "kept_if_resumed": kept(found.kind)}, as_json)


@jobs.command("cancel")
@JOB
@IN
@click.pass_obj
def jobs_cancel(chosen: str | None, job: str, workspace: str | None) -> None:
    """Stop a job; what it has finished stays."""
    table = _table(workspace or chosen)
    found = _found(table, job)
    if not found.open:
        raise InputError(f"job '{job}' is {found.state} already")
    table.cancel(job)
    click.echo(f"job {job} was asked to stop")


@jobs.command("resume")
@click.argument("job", required=False)
@IN
@click.option("--wait", is_flag=True, help="Stay until it has ended.")
@click.pass_obj
def jobs_resume(chosen: str | None, job: str | None, workspace: str | None, wait: bool) -> None:
    """Go on with a JOB that failed or was stopped; without one, with all whose process died."""
    from app.jobs import start_worker

    table = _table(workspace or chosen)
    if job is not None:
        _found(table, job)
    ids = [job] if job is not None else [one.id for one in table.list(10_000) if one.resumable and one.interrupted]
    for one in ids:
        again = table.resume(one)
        start_worker(table.path.parent, again)
        click.echo(f"job {again} goes on: {kept(_found(table, again).kind)}")
    if not ids:
        click.echo("no job was interrupted")
    if wait:
        _wait(table, ids)


@jobs.command("clean")
@WORKSPACE
@click.option("--older-than", "days", type=click.FloatRange(min=0), default=30.0, show_default=True, metavar="DAYS")
@click.pass_obj
def jobs_clean(chosen: str | None, workspace: str | None, days: float) -> None:
    """Forget jobs that ended so many days ago; the runs that they made stay."""
    gone = _table(workspace or chosen).clean(older_than_s=86_400.0 * days)
    click.echo(f"{gone} job(s) forgotten")


def kept(kind: str) -> str:
    """What a job that goes on finds done, in words."""
    from app.jobs import KEPT
    from app.texts import t

    return t(KEPT.get(kind, "job.kept.nothing"))


def _table(name: str | None) -> Jobs:
    from app.jobs import Jobs

    return Jobs(existing(name).jobs_path)


def _found(table: Jobs, job: str) -> Job:
    found = table.read(job)
    if found is None:
        raise InputError(f"no job '{job}'; see 'zonewise jobs list'")
    return found


def _wait(table: Jobs, ids: list[str]) -> None:
    import time

    while any(_found(table, one).open for one in ids):
        time.sleep(0.5)
    lost = [found for one in ids if (found := _found(table, one)).state != "done"]
    if lost:
        raise InputError("; ".join(f"job {one.id} is {one.state}: {one.message}" for one in lost))


def _when(seconds: float | None) -> Any:
    """An instant as ISO text, UTC; None where there is none."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

"""`zonewise report`: reports on Zonewise itself."""

from __future__ import annotations

import json
from pathlib import Path

import click

from app.commands.options import JSON


@click.group()
def report() -> None:
    """Report on Zonewise itself (reports of studies: scenario report)."""


@report.command()
@click.option("--to", metavar="FILE", help="FILE.md or FILE.html, and FILE.json beside; one that is there is replaced.")
@click.option("--quick", is_flag=True, help="Small samples, some minutes; what takes long is left out, saying so.")
@click.option("--only", metavar="PART,...", default="", help="These parts alone; a wrong name lists all.")
@JSON
def validation(to: str | None, quick: bool, only: str, as_json: bool) -> None:
    """Measure Zonewise against theory, other simulators, experiments and real readings.

    Every figure comes from a benchmark, with its target; a part whose data or peers are not there is skipped with the
    reason. Data is looked for in ZONEWISE_SHARED_DATA. In full it takes hours.
    """
    from app.reports.making import form_of
    from app.reports.validation import validate, write

    if to is not None:
        form_of(Path(to).expanduser())  # before hours of work
    names = [name.strip() for name in only.split(",") if name.strip()]
    found = validate(quick=quick, only=names, report=lambda title: click.echo(f"measuring: {title}", err=True))
    if to is not None:
        for path in write(found, to):
            click.echo(f"written: {path}", err=True)
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=1))
        return
    for part in found.parts:
        aimed = [one for one in part.figures if one["met"] is not None]
        met = sum(bool(one["met"]) for one in aimed)
        told = f"{len(part.figures)} figures, {met} of {len(aimed)} targets met" if part.figures else "not measured"
        click.echo(f"{part.title:<36} {told}")
        for one in aimed:
            if not one["met"]:
                click.echo(f"  missed: {one['name']}: {one['value']:g} {one['unit']} (target {one['target']:g})")
        for why in part.skipped:
            click.echo(f"  skipped: {why}")

"""`zonewise outlook`: where zones are heading and what to do about it, in plain words."""

from __future__ import annotations

import json

import click

from app.commands.options import JSON, existing
from app.commands.output import print_table, records


@click.command()
@click.argument("zone", required=False)
@click.option("--workspace", "named", metavar="NAME", help="Workspace; default demo.")
@click.option("--target", help="One quantity, e.g. speed_mps; default each zone's task.")
@JSON
@click.pass_obj
def outlook(chosen: str | None, zone: str | None, named: str | None, target: str | None, as_json: bool) -> None:
    """Tell where zones are heading: a page for ZONE (its id or name), or a table of all.

    Trend, sudden changes, what the forecast leans on, whether to train again, and where another sensor would tell most;
    each with how sure it is.
    """
    from app.outlook import joined, workspace_outlook

    found = workspace_outlook(existing(named or chosen), zone=zone, target=target)
    if as_json:
        told = {
            "rows": records(joined(found)), "sentences": {part.target: part.sentences for part in found},
            "changes": [row for part in found for row in records(part.changes)],
        }  # fmt: skip
        click.echo(json.dumps(told, indent=1))
        return
    if zone is not None:
        for part in found:
            for lines in part.sentences.values():
                click.echo("\n".join(lines))
                click.echo()
        return
    columns = ["zone_id", "target", "trend", "trend_per_week", "trend_low", "trend_high", "last_change", "leans_on",
               "upkeep", "error_growth", "sensor_rank"]  # fmt: skip
    print_table(joined(found)[columns].round(3), False)
    click.echo("A page for one zone: zonewise outlook ZONE. Trends are a week's, in the stored unit, 9 in 10 sure.")

"""What the models in use foresee: `forecast`."""

from __future__ import annotations

from pathlib import Path

import click

from app.commands.options import JSON, RUN, WORKSPACE
from app.commands.output import print_table, records, show
from data.store.workspace import open_workspace


@click.command()
@WORKSPACE
@RUN
@click.option("--zone", help="One zone; default all.")
@click.option("--target", help="One quantity, e.g. no2_ug_per_m3; default the zone's task.")
@click.option("--horizon", "horizon_s", type=float, default=3600.0, show_default=True, help="Seconds ahead.")
@click.option("--adaptive", is_flag=True, help="Forecasts and intervals that have followed the errors up to now.")
@click.option("--reconciled", is_flag=True, help="City, districts and zones, so that they add up.")
@click.option("--guarded", is_flag=True, help="From readings that a defence has looked at; tells what it refused.")
@click.option("--districts", type=click.Path(path_type=Path), help="CSV: zone_id, district; else those that touch.")
@click.option("--weigh-by", default="area_m2", show_default=True, help="Column that air is averaged by, e.g. homes.")
@JSON
@click.pass_obj
def forecast(
    chosen: str | None,
    workspace: str | None,
    run_id: str | None,
    zone: str | None,
    target: str | None,
    horizon_s: float,
    adaptive: bool,
    reconciled: bool,
    guarded: bool,
    districts: Path | None,
    weigh_by: str,
    as_json: bool,
) -> None:
    """Show what the models in use foresee from the workspace's present instant."""
    from app.forecasting import present_forecasts

    space = open_workspace(workspace or chosen)
    if reconciled:
        from app.reconciling import present_reconciled

        if zone is not None or adaptive or guarded:
            raise click.UsageError(
                "--reconciled is of all zones, with its own intervals: leave --zone, --adaptive, --guarded out"
            )
        print_table(
            present_reconciled(
                space, run=run_id, target=target, horizon_s=horizon_s, districts=districts, weigh_by=weigh_by
            ),
            as_json,
        )
        return
    if guarded:
        from app.guarding import present_guarded

        if adaptive:
            raise click.UsageError("--guarded has intervals of its own: leave --adaptive out")
        table, log = present_guarded(space, run=run_id, zone=zone, target=target, horizon_s=horizon_s)
        if as_json:
            show({"rows": records(table), "changed": records(log)}, True)
            return
        print_table(table, False)
        click.echo("Readings of the last three days that were changed:" if len(log) else "No reading was changed.")
        for row in log.itertuples():
            click.echo(f"{row.zone_id} {row.target} {row.since:%d %b %H:%M} to {row.until:%d %b %H:%M}: {row.told}")
        return
    table = present_forecasts(space, run=run_id, zone=zone, target=target, horizon_s=horizon_s, adaptive=adaptive)
    print_table(table, as_json)

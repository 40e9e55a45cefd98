"""`zonewise monitor`: how the models are doing, and what to do where they are not doing well."""

from __future__ import annotations

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import print_table, records, show


class _ShowFirst(click.Group):
    """A group whose first command need not be named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or (args[0] not in self.commands and args[0] not in ("-h", "--help")):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ShowFirst)
def monitor() -> None:
    """How well the models are doing: zones, alarms and advice (`show` may be left out)."""


@monitor.command("show")
@WORKSPACE
@click.option("--replay", metavar="RUN", help="Look at the readings of a certain run; default the newest.")
@click.option(
    "--since", metavar="DATE", help="From this instant on; default what came after training, 30 days at most."
)
@click.option("--all", "every", is_flag=True, help="List zones without an alarm too.")
@JSON
@click.pass_obj
def monitor_show(
    chosen: str | None, workspace: str | None, replay: str | None, since: str | None, every: bool, as_json: bool
) -> None:
    """Hold the newest readings against what was forecast; list alarms and what to do."""
    from app.monitoring import monitor_workspace

    report = monitor_workspace(existing(workspace or chosen), replay=replay, since=since)
    if as_json:
        show({**report.told(), "zones": records(report.zones), "alarms": records(report.alarms)}, True)
        return
    told = report.told()
    click.echo(
        f"{told['watched']} forecasts watched from {told['since']} to {told['now']}: {told['ok']} as usual,"
        f" {told['alarm']} with an alarm, {told['acknowledged']} acknowledged, {told['no_readings']} without readings"
    )
    rows = report.zones if every else report.zones[report.zones["state"] != "ok"]
    if len(rows):
        columns = ["zone_id", "target", "state", "kind", "since", "size_text", "advice", "alarm_id"]
        print_table(rows[columns], False)
    reasons = report.alarms[report.alarms["alarm_id"].isin(set(rows["alarm_id"]))]
    for alarm in reasons.itertuples():
        click.echo(f"{alarm.zone_id} {alarm.alarm_id}: {alarm.reason} Advice: {alarm.advice}.")


@monitor.command("ack")
@click.argument("alarm")
@click.option("--workspace", "named", metavar="NAME", help="Workspace of the alarm.")
@click.option("--by", metavar="NAME", help="Who has seen it; default the account's name.")
@click.option("--note", default="", help="What is known of it, or being done.")
@JSON
@click.pass_obj
def monitor_ack(chosen: str | None, alarm: str, named: str | None, by: str | None, note: str, as_json: bool) -> None:
    """Acknowledge ALARM (its id, or the beginning of it) with a name and a note."""
    from app.monitoring import acknowledge

    table = acknowledge(existing(named or chosen), alarm, by=by, note=note)
    print_table(table[["alarm_id", "zone_id", "target", "kind", "state", "acknowledged_by", "note"]], as_json)

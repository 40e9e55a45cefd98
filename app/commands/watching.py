"""`zonewise watch`: follow a folder or an MQTT topic; new readings refresh the forecasts."""

from __future__ import annotations

import re
from pathlib import Path

import click

from app.commands.options import WORKSPACE, existing
from data.errors import InputError


@click.command()
@WORKSPACE
@click.option("--folder", metavar="DIR", help="Take files that are moved into this folder.")
@click.option("--mqtt", metavar="HOST:PORT/TOPIC", help="Follow a topic of a broker (extra mqtt).")
@click.option("--timezone", metavar="ZONE", help="Of times without one. Default the workspace's.")
@click.option("--every", type=click.FloatRange(0.1), default=5.0, show_default=True, help="Seconds between looks.")
@click.option("--learn", is_flag=True, help="Also add each new day to models trained with --refreshable.")
@click.option("--once", is_flag=True, help="Take what is in the folder, refresh and end.")
@click.pass_obj
def watch(
    chosen: str | None,
    workspace: str | None,
    folder: str | None,
    mqtt: str | None,
    timezone: str | None,
    every: float,
    learn: bool,
    once: bool,
) -> None:
    """Append new readings as they come and forecast from them with the stored models.

    Files are long tables as 'import detectors' reads them (sensor_id, time, quantities), or .json and .jsonl of the
    same; messages are JSON objects or lists of them. What was read moves to taken/, what cannot be to rejected/ with a
    reason. Stop with Ctrl+C; started again it goes on where it was.
    """
    from app.watching import Watch, follow_folder, follow_mqtt
    from data.readers.watched_files import read_watched

    if (folder is None) == (mqtt is None):
        raise InputError("give either --folder DIR or --mqtt HOST:PORT/TOPIC")
    space = existing(workspace or chosen)
    zone = timezone or str(space.describe().get("timezone", "UTC"))
    live = Watch(space, lambda path: read_watched(path, timezone=zone), learn)
    try:
        if folder is not None:
            follow_folder(live, Path(folder), every_s=every, once=once)
        elif mqtt is not None:
            host, port, topic = _address(mqtt)
            follow_mqtt(live, host, port, topic, timezone=zone, every_s=every)
    finally:
        click.echo(
            f"{live.appended} batch(es) appended, {live.rejected} set aside, forecasts refreshed"
            f" {live.refreshed} time(s)" + (f", {live.learned} model(s) taught new days" if learn else ""),
            err=True,
        )


def _address(text: str) -> tuple[str, int, str]:
    match = re.fullmatch(r"(?:mqtt://)?([^/:\s]+)(?::(\d{1,5}))?/(\S+)", text)
    if not match or not 0 < int(match[2] or 1883) < 65_536:
        raise InputError(f"--mqtt {text!r}: write HOST:PORT/TOPIC, e.g. localhost:1883/city/detectors/#")
    return match[1], int(match[2] or 1883), match[3]

"""`zonewise edge`: a zone's micromodel away from the workspace: as ONNX, as C for a sensor, as a bundle that runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from app.commands.options import JSON, WORKSPACE, existing
from app.commands.output import show
from data.errors import InputError

#: Of a registry's card, what an export tells in its own words.
_TOLD = ("zone_id", "target", "family", "train_end", "version", "saved")


@click.group()
def edge() -> None:
    """Forecast beside the sensor: export a zone's micromodel, run an exported bundle."""


@edge.command("export")
@click.argument("zone")
@click.argument("target")
@WORKSPACE
@click.option(
    "--as",
    "kind",
    type=click.Choice(["bundle", "onnx", "c"]),
    default="bundle",
    show_default=True,
    help="A bundle for 'edge run', the same with an ONNX graph, or C99 sources for a microcontroller.",
)
@click.option("--to", "folder", metavar="FOLDER", required=True, help="A new folder; appears whole or not at all.")
@click.option("--version", help="A certain version of the registry; default the one in force.")
@click.option("--steps", metavar="N,...", help="Horizons in steps, for C; default all that the model knows.")
@JSON
@click.pass_obj
def edge_export(
    chosen: str | None,
    zone: str,
    target: str,
    workspace: str | None,
    kind: str,
    folder: str,
    version: str | None,
    steps: str | None,
    as_json: bool,
) -> None:
    """Export the micromodel of a zone, e.g. `zonewise edge export Z03 speed_mps --as c --to sensor/`."""
    from app.edge import write_folder
    from models.forecasting import LearnedForecaster
    from models.registry import Registry

    space = existing(workspace or chosen)
    registry = Registry(space.models)
    model, card = registry.load(zone, target, version), registry.show(zone, target, version)
    if not isinstance(model, LearnedForecaster) or model.scope != "zone":
        raise InputError(
            f"what serves {zone} is {card['family']}, not a micromodel of its own; teach it to one first"
            " (models.distillation.distil, docs/guides/edge.md)"
        )
    told = space.describe()
    where = {"timezone": str(told.get("timezone", "UTC")), "country": told.get("country")}
    essentials = {"version": card["version"], "workspace": space.name}
    essentials |= {k: v for k, v in card.items() if isinstance(v, (str, int, float)) and k not in _TOLD}
    files = _files(model, zone, kind, where, essentials, steps)
    summary = files.pop("_summary")
    write_folder(files, Path(folder))
    show({**summary, "folder": folder, "files": {name: len(data) for name, data in files.items()}}, as_json)


def _files(model: Any, zone: str, kind: str, where: dict[str, Any], card: dict[str, Any], steps: str | None) -> Any:
    """Files by name, and under `_summary` what is told of them."""
    summary: dict[str, Any] = {"zone_id": zone, "target": model.target, "family": model.family}
    if kind != "c":
        from models.export.bundle import bundle_files

        return {**bundle_files(model, zone, **where, onnx=kind == "onnx", card=card), "_summary": summary}
    from models.export.c_source import c_files

    wanted = None
    if steps is not None:
        if not all(word.strip().isdigit() for word in steps.split(",")):
            raise InputError(f"--steps {steps!r}: whole numbers parted by commas, e.g. 1,4,96")
        wanted = [int(word) for word in steps.split(",")]
    made = c_files(model, zone, **where, steps=wanted, card=card)
    summary |= {"operations": made.operations, "told_by_others": [f"{k}: {name}" for k, name in made.sides]}
    return {"zw_model.h": made.header, "zw_model.c": made.source, "_summary": summary}


@edge.command("run")
@click.argument("bundle", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--mqtt", required=True, metavar="HOST:PORT/TOPIC", help="Broker, and the topic of readings.")
@click.option(
    "--publish", required=True, metavar="TOPIC", help="Forecasts go to TOPIC/forecast, the state to .../status."
)
@click.option(
    "--memory",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what was heard here between starts.",
)
@click.option(
    "--settle",
    type=click.FloatRange(0.0),
    default=2.0,
    show_default=True,
    help="Seconds to wait for neighbours' readings of an interval.",
)
@click.option("--user", help="For the broker; the password is read from ZONEWISE_MQTT_PASSWORD.")
@click.option("--replay", is_flag=True, help="Believe the senders' clocks: readings may be of any time.")
def edge_run(
    bundle: Path, mqtt: str, publish: str, memory: Path | None, settle: float, user: str | None, replay: bool
) -> None:
    """Run a bundle: readings from a topic, forecasts to another, until Ctrl+C."""
    import os
    import time

    from app.commands.watching import _address
    from app.edge import EdgeRunner, read_bundle, run_edge

    host, port, topic = _address(mqtt)
    runner = EdgeRunner(read_bundle(bundle), clock=None if replay else time.time, settle_s=settle)
    try:
        run_edge(
            runner, host, port, [topic], publish.rstrip("/"), memory=memory, user=user,
            password=os.environ.get("ZONEWISE_MQTT_PASSWORD"),
        )  # fmt: skip
    finally:
        show(dict(runner.counts), False)

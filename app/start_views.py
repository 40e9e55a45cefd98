"""The workspaces of the home folder in rows, and what the check of an import found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from app.jobs import Job, Jobs
from app.measured import SOURCE
from app.texts import t
from data.errors import ZonewiseError
from data.store.workspace import Workspace, workspaces

#: Options that the readers speak of, and the field of the form that gives each.
_FIELDS = {
    "timezone": "start.timezone", "quantity": "start.quantity", "unit": "start.unit", "start": "start.begin",
    "every": "start.every", "missing": "start.missing", "kind": "start.kind",
}  # fmt: skip
_OPTION = re.compile(rf"--({'|'.join(_FIELDS)})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A workspace as the start page tells it; `ready` where the map has something to show."""

    name: str
    label: str
    words: str
    ready: bool
    fault: str = ""


def cards(folder: Path | None = None) -> list[Card]:
    """All workspaces; one that cannot be read says why instead of hiding the others."""
    found = []
    for space in workspaces(folder):
        try:
            found.append(_card(space))
        except ZonewiseError as error:
            words = t("start.damaged", error=error)
            found.append(Card(name=space.name, label=space.name, words="", ready=False, fault=words))
    return found


def _card(space: Workspace) -> Card:
    said = space.describe()
    runs = {step: str(run) for step, run in dict(said.get("runs", {})).items() if run and space.runs.has(str(run))}
    parts = [t("start.measured" if said.get("source") == SOURCE else "start.simulated")]
    if "city" in runs:
        parts.append(t("start.zones", n=len(space.runs.read(runs["city"], "zones"))))
    job = said.get("job", {})
    if isinstance(job, dict) and job.get("days"):
        parts.append(t("start.days", n=job["days"]))
    if "now" in said and "live" in runs:
        now = pd.Timestamp(said["now"]).tz_convert(str(said.get("timezone", "UTC")))
        parts.append(t("start.now", time=f"{now:%Y-%m-%d %H:%M}"))
    parts.append(t("start.trained" if "training" in runs else "start.untrained"))
    busy = open_job(space)
    if busy is not None:
        parts.append(t("start.busy", message=busy.message or t(f"job.{busy.state}")))
    label = str(said.get("label") or said.get("city") or space.name)
    return Card(name=space.name, label=label, words=", ".join(parts), ready={"city", "live"} <= runs.keys())


def open_job(space: Workspace) -> Job | None:
    """The newest job that is queued or running."""
    if not space.jobs_path.is_file():
        return None
    return next((job for job in Jobs(space.jobs_path).list(5) if job.open), None)


def import_report(space: Workspace) -> list[str]:
    """What the readers and the judge of sensors found in an imported workspace, a sentence each."""
    runs = space.describe().get("runs", {})
    city, readings = runs.get("city"), runs.get("simulation")
    if not city or not space.runs.has(city):
        return []
    zones, sensors = space.runs.read(city, "zones"), space.runs.read(city, "sensors")
    said = [t("start.report.sensors", n=len(sensors), zones=len(zones))]
    if readings and space.runs.has(readings):
        told = space.runs.read_json(readings, "summary")
        left = int(sum(told["flagged"].values()))
        said.append(t("start.report.left", n=f"{left:,}") if left else t("start.report.sound"))
    return [*said, *space.runs.read_json(city, "import").get("notes", [])]


def form_words(message: str) -> str:
    """What a reader says of its options, in the words of the form: `--unit` is the field of that name."""
    return _OPTION.sub(lambda found: f"'{t(_FIELDS[found[1]])}'", message)

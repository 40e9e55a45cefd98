"""Which role each callback needs: the one table, and what is read from it. What stands nowhere is refused.

A callback is named by its first input and the component of its first output. Those that change something at the server
stand in `ROLES_OF`, all others in `READS`; a callback of several buttons stands in `BY_BUTTON`, button by button.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app import ids
from app.serving.people import ADMIN, PLANNER, ROLES, VIEWER

ROLES_OF: dict[str, str] = {
    # studies, previews, searches
    f"{ids.SCENARIO_RUN}.n_clicks > {ids.SCENARIO_JOB}": PLANNER,
    f'{{"again":["ALL"]}}.n_clicks > {ids.SCENARIO_JOB}': PLANNER,
    f"{ids.SCENARIO_STOP}.n_clicks > {ids.SCENARIO_STOP}": PLANNER,
    f'{{"learn":["ALL"]}}.n_clicks > {ids.SCENARIO_JOB}': PLANNER,
    f"{ids.SCENARIO_RECOMMEND}.n_clicks > {ids.SCENARIO_JOB}": PLANNER,
    # models
    f'{{"model-act":["ALL"]}}.n_clicks > {ids.MODELS_DIALOG}': ADMIN,
    f"{ids.MODELS_CONFIRM}.n_clicks > {ids.MODELS_DIALOG}": ADMIN,
    f"{ids.CREATE_TRAIN}.n_clicks > {ids.CREATE_PLAN}": ADMIN,
    f"{ids.CREATE_STOP}.n_clicks > {ids.CREATE_STOP}": ADMIN,
    f"{ids.CREATE_DEPLOY}.n_clicks > {ids.CREATE_DEPLOYED}": ADMIN,
    # jobs of the monitor; a job of a kind that is the admin's is refused when it is read
    f'{{"stop":["ALL"]}}.n_clicks > {ids.MONITOR_SEEN}': PLANNER,
    # new workspaces
    f"{ids.START_SIMULATE}.n_clicks > {ids.START_JOB}": ADMIN,
    f"{ids.START_STOP}.n_clicks > {ids.START_STOP}": ADMIN,
}
BY_BUTTON: dict[str, dict[str, str]] = {
    f"{ids.MONITOR_CHECK}.n_clicks > {ids.MONITOR_SAID}": {
        f"{ids.MONITOR_CHECK}.n_clicks": PLANNER,
        f"{ids.MONITOR_ACK}.n_clicks": PLANNER,
        f"{ids.MONITOR_SET}.n_clicks": ADMIN,
        f"{ids.MONITOR_RETRAIN}.n_clicks": ADMIN,
        f"{ids.MONITOR_RETRAIN_ALL}.n_clicks": ADMIN,
        f"{ids.MONITOR_ROLLBACK}.n_clicks": ADMIN,
        f"{ids.MONITOR_PIN}.n_clicks": ADMIN,
    }
}
#: Callbacks that read alone. Drafts of scenarios live in the browser: to edit one changes nothing here.
READS = frozenset(
    f"{source} > {target}"
    for source, target in (
        (f"{ids.URL}.pathname", ids.PAGE),
        (f"{ids.MAP}.painted", ids.MAP_PANEL),
        (f"{ids.MAP}.selectedZone", ids.MAP_PANEL_HEAD),
        (f"{ids.MAP_LAYER}.value", ids.MAP_TABLE),
        (f"{ids.MAP_LAYER}.value", ids.MAP_LEGEND),
        (f"{ids.MAP_LIVE}.seen", ids.MAP),
        (f"{ids.COMPARE_TARGET}.value", ids.COMPARE_KPI),
        (f"{ids.COMPARE_CSV}.n_clicks", ids.COMPARE_DOWNLOAD),
        (f"{ids.SCENARIO_MAP}.clickedLink", ids.SCENARIO_DRAFT),
        (f"{ids.SCENARIO_KIND}.value", ids.SCENARIO_FIELDS),
        ('{"edit":["ALL"]}.n_clicks', ids.SCENARIO_EDIT),
        (f"{ids.SCENARIO_ADD}.n_clicks", ids.SCENARIO_DRAFT),
        ('{"measure":["ALL"]}.n_clicks', ids.SCENARIO_DRAFT),
        (f"{ids.SCENARIO_SHIPPED}.value", ids.SCENARIO_DRAFT),
        (f"{ids.SCENARIO_DRAFT}.data", ids.SCENARIO_LIST),
        (f"{ids.SCENARIO_TICK}.n_intervals", ids.SCENARIO_PROGRESS),
        ('{"plan":["ALL"]}.n_clicks', ids.SCENARIO_DRAFT),
        (f"{ids.SCENARIO_DRAFT}.data", ids.SCENARIO_EXPORT),
        (f"{ids.SCENARIO_REPORT}.n_clicks", ids.SCENARIO_DOWNLOAD),
        (f"{ids.SCENARIO_YAML}.n_clicks", ids.SCENARIO_DOWNLOAD),
        (f"{ids.SCENARIO_STUDY}.data", ids.SCENARIO_SHOW),
        (f"{ids.SCENARIO_OTHER}.value", ids.SCENARIO_SHOW),
        (f"{ids.SCENARIO_SHOW}.value", ids.SCENARIO_QUANTITY),
        (f"{ids.SCENARIO_DRAFT}.data", ids.SCENARIO_MAP),
        (f"{ids.SCENARIO_DRAFT}.data", ids.SCENARIO_REVIEW),
        (f"{ids.SCENARIO_DRAFT}.data", ids.SCENARIO_PREVIEW),
        (f"{ids.SCENARIO_STUDY}.data", ids.SCENARIO_COMPARE),
        (f"{ids.SCENARIO_STUDY}.data", ids.SCENARIO_OTHER),
        (f"{ids.SCENARIO_HOUR_WHAT}.value", ids.SCENARIO_HOUR_CHART),
        (f"{ids.SCENARIO_DRAFT}.data", ids.SCENARIO_CANDIDATES),
        (f"{ids.MODELS_TARGET}.value", ids.MODELS_NEW),
        (f"{ids.MODELS_TARGET}.value", ids.MODELS_TABLE),
        (f"{ids.MODELS_TARGET}.value", ids.MODELS_DETAIL),
        ('{"model-take":["ALL"]}.n_clicks', ids.MODELS_TAKEN),
        ('{"create":["ALL"]}.value', ids.CREATE_PLAN),
        (f"{ids.CREATE_EFFORT}.value", '{"create":"families"}'),
        (f"{ids.CREATE_PLAN}.data", ids.CREATE_BODY),
        (f"{ids.CREATE_PLAN}.data", ids.CREATE_FACTS),
        ('{"create":"zone"}.value', '{"create":"target"}'),
        (f"{ids.CREATE_TICK}.n_intervals", ids.CREATE_OUTCOME),
        (f"{ids.MONITOR_TICK}.n_intervals", ids.MONITOR_SEEN),  # begins a check only where the role may
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_KPI),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_ALARMS),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_DETAIL),
        ('{"alarm":["ALL"]}.n_clicks', ids.MONITOR_ALARM),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_SENSORS),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_ERRORS),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_JOBS),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_LOG),
        (f"{ids.MONITOR_SEEN}.data", ids.MONITOR_MODEL),
        ('{"start":"simulate.city"}.value', ids.START_LINKS_BOX),
        (f"{ids.START_OSM}.filename", f"{ids.START_OSM}-names"),
        (f"{ids.START_FILES}.filename", f"{ids.START_FILES}-names"),
        (f"{ids.START_PLACES}.filename", f"{ids.START_PLACES}-names"),
        (f"{ids.START_TICK}.n_intervals", ids.START_PROGRESS),
    )
)
#: Controls besides the buttons of `ROLES_OF` that a lesser role finds switched off.
OTHER_CONTROLS = {ids.MONITOR_FOLLOW: PLANNER, ids.START_OSM: ADMIN, ids.START_FILES: ADMIN, ids.START_PLACES: ADMIN}
_HASH = re.compile(r"@[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A callback as the guard knows it: its inputs and states as Dash names them, and its role, None where unknown."""

    name: str
    inputs: tuple[tuple[str, str], ...]
    states: tuple[tuple[str, str], ...]
    role: str | None
    buttons: Mapping[str, str]

    def needed(self, changed: Sequence[str]) -> str | None:
        """Least role for a call that says what changed; None where nobody may."""
        if self.role is None or not self.buttons:
            return self.role
        return max((self.buttons.get(one, ADMIN) for one in changed), key=ROLES.index, default=VIEWER)


def name_of(callback: Mapping[str, Any]) -> str:
    """A callback's name in the table."""
    first = callback["inputs"][0]
    output = str(callback["output"])
    if output.startswith("..") and output.endswith(".."):
        output = output[2:-2].split("...")[0]
    return f"{first['id']}.{first['property']} > {_HASH.sub('', output).rpartition('.')[0]}"


def rules(callbacks: Sequence[Mapping[str, Any]]) -> dict[str, Rule]:
    """Rules of an app's callbacks by their outputs; those that run in the browser need none."""
    found = {}
    for callback in callbacks:
        if callback.get("clientside_function"):
            continue
        name = name_of(callback)
        buttons = BY_BUTTON.get(name, {})
        role = VIEWER if name in READS else ROLES_OF.get(name, ADMIN if buttons else None)
        told = [tuple((str(x["id"]), str(x["property"])) for x in callback[kind]) for kind in ("inputs", "state")]
        found[str(callback["output"])] = Rule(name, told[0], told[1], role, buttons)
    return found


def controls() -> dict[str, str]:
    """Role that each button or switch needs, by its id; by the one key of its id where there are several of a kind."""
    found = dict(OTHER_CONTROLS)
    buttons = {name.partition(" > ")[0]: role for name, role in ROLES_OF.items()}
    for name, role in (*buttons.items(), *(pair for own in BY_BUTTON.values() for pair in own.items())):
        ident, _, _ = name.rpartition(".")
        found[next(iter(json.loads(ident))) if ident.startswith("{") else ident] = role
    found[ids.START_IMPORT] = ADMIN
    return found

"""How the models of a workspace are doing: every zone's state, its alarms and what to do, as tables.

Readings that came after training are held against forecasts made from what was known before each; alarms go into the
workspace's book, each once, however often somebody looks.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from data.errors import InputError
from data.schemas import TIME_DTYPE
from data.store.folder import FolderStore
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from models.contract import Forecaster
    from models.monitoring import Alarm, AlarmBook, Monitor
    from models.panel import Panel

#: Readings looked back on where nobody says since when.
LOOK_BACK = pd.Timedelta(days=30)
STATES = ("ok", "alarm", "acknowledged", "no readings")


@dataclass(frozen=True, kw_only=True)
class Report:
    """What monitors say.

    Attributes
    ----------
    since, now : Timestamp
        Readings that were looked at, UTC.
    zones : DataFrame
        A row each zone and target: `zone_id`, `target`, `family`, `state` (of `STATES`), `kind`, `since`, `size_text`,
        `advice`, `alarm_id`, `level` (largest statistic over its threshold now; an alarm is raised at 1).
    alarms : DataFrame
        `models.monitoring.ALARMS`: all in the book, oldest first.
    """

    since: pd.Timestamp
    now: pd.Timestamp
    zones: pd.DataFrame
    alarms: pd.DataFrame

    def told(self) -> dict[str, Any]:
        """Counts for a headline."""
        states = self.zones["state"].value_counts()
        return {
            "since": self.since.isoformat(), "now": self.now.isoformat(), "watched": len(self.zones),
            **{state.replace(" ", "_"): int(states.get(state, 0)) for state in STATES},
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Watched:
    """What a monitor looks at.

    Attributes
    ----------
    models, newer : mapping of (zone, target) to Forecaster
        Micromodels of the training, and those in force in their place (trained again since, or rolled back to).
    citywide : mapping of (name in the registry, target) to Forecaster
        Macromodels and mixes that serve.
    panel : Panel
        As `watched_panel`.
    """

    models: Mapping[tuple[str, str], Forecaster]
    newer: Mapping[tuple[str, str], Forecaster]
    citywide: Mapping[tuple[str, str], Forecaster]
    panel: Panel

    @property
    def serving(self) -> dict[tuple[str, str], Forecaster]:
        """The micromodels that serve now."""
        return {**self.models, **self.newer}


def watched(workspace: Workspace, replay: str | None = None) -> Watched:
    """Models and readings of a workspace, read from the store.

    Raises
    ------
    InputError
        If there are no models, or no such run.
    """
    from app.renewed import NAMES, replacing

    own = _stored(workspace, tuple(NAMES))
    newer = replacing(workspace, str(workspace.describe()["runs"]["training"]), own)
    return Watched(
        models={(key[1], key[2]): model for key, model in own.items() if key[0] == "micromodel"},
        panel=watched_panel(workspace, replay),
        newer={(key[1], key[2]): model for key, model in newer.items() if key[0] == "micromodel"},
        citywide={(NAMES[k[0]], k[1]): model for k, model in {**own, **newer}.items() if k[0] in NAMES},
    )  # fmt: skip


def alarm_book(workspace: Workspace) -> AlarmBook:
    """The workspace's book of alarms, `alarms/`."""
    from models.monitoring import AlarmBook

    return AlarmBook(FolderStore(workspace.root / "alarms"))


def acknowledge(workspace: Workspace, alarm_id: str, *, by: str | None = None, note: str = "") -> pd.DataFrame:
    """Note that somebody has seen an alarm; its row as it stands.

    Parameters
    ----------
    alarm_id : str
        Or so much of its beginning as no other shares.
    by : str or None
        Who; None takes the name of the account.
    """
    book = alarm_book(workspace)
    book.acknowledge(alarm_id, by=by or getpass.getuser(), note=note, at=pd.Timestamp.now("UTC"))
    table = book.table()
    return table[table["alarm_id"].str.startswith(alarm_id)]


def monitor_workspace(
    workspace: Workspace, *, replay: str | None = None, since: str | None = None, seen: Watched | None = None
) -> Report:
    """Hold readings against the forecasts of the micromodels in service, and enter what is found in the book.

    Parameters
    ----------
    replay : str or None
        A run whose readings are looked at; None takes the newest.
    since : str or None
        Look at readings from this instant on (local time where it has no zone); None takes those that came after
        training, at most thirty days.
    seen : Watched or None
        What `watched` gave; None reads it.

    Raises
    ------
    InputError
        If there are no models, no readings after training, or the run or date cannot be used.
    """
    from models.monitoring import Monitor

    seen = seen or watched(workspace, replay)
    models, newer, panel = seen.models, seen.newer, seen.panel
    begin = _since(panel, models, since, str(workspace.describe()["timezone"]))
    book, parts = alarm_book(workspace), []
    for target, (zones, reference) in _references(workspace, models, panel).items():
        mine = {zone: models[zone, target] for zone in zones}
        monitor = Monitor(target, zones, reference)
        again = {zone: newer[zone, target] for zone in zones if (zone, target) in newer}
        mine = _watch(monitor, mine, again, panel, begin)
        book.enter(monitor.alarms)
        parts.append(_states(monitor, mine, panel))
    alarms = book.table()
    zones = pd.concat(parts, ignore_index=True)
    return Report(
        since=panel.times[begin], now=panel.origin(len(panel) - 1), zones=_with_notes(zones, alarms), alarms=alarms
    )


def _watch(
    monitor: Monitor, models: Mapping[str, Forecaster], newer: Mapping[str, Forecaster], panel: Panel, begin: int
) -> dict[str, Forecaster]:
    """Let a monitor watch all readings from `begin` on; models that were trained again take over when they were.

    Returns the models that serve at the end, in the order of `models`.
    """
    import numpy as np

    from models.monitoring import series_of_zones

    serving = dict(models)
    since = {zone: min(panel.known_by(pd.Timestamp(model.train_end)), len(panel)) for zone, model in newer.items()}
    start = begin
    for stop in sorted({*since.values(), len(panel)}):
        if stop > start:
            monitor.observe(series_of_zones(serving, panel, start, stop))
            start = stop
        fresh = [zone for zone, at in since.items() if at == stop]
        if fresh:
            serving |= {zone: newer[zone] for zone in fresh}
            places = np.array([monitor.zone_ids.index(zone) for zone in fresh])
            monitor.rebase(monitor.reference.pick(places), places)
    return serving


def stored_micromodels(workspace: Workspace) -> dict[tuple[str, str], Forecaster]:
    """Micromodels of the training by zone and target; `InputError` if none were trained."""
    return {(key[1], key[2]): model for key, model in _stored(workspace, ()).items()}


def _stored(workspace: Workspace, citywide: tuple[str, ...]) -> dict[tuple[str, ...], Forecaster]:
    """A training's micromodels, and citywide models of these names."""
    from app.live_forecasts import stored_models

    training = str(workspace.describe().get("runs", {}).get("training", ""))
    found = stored_models(workspace.runs, training, citywide) if workspace.runs.has(training) else {}
    if not found:
        raise InputError(
            f"workspace '{workspace.name}' has no models yet; 'zonewise train {workspace.name}' makes them"
        )
    return found


def watched_panel(workspace: Workspace, replay: str | None = None) -> Panel:
    """Readings before and in a run, on one grid: the history that models learned from, and what came since."""
    from models.panel import Panel

    told, runs = workspace.describe(), workspace.runs
    known = told["runs"]
    run = replay or known.get("live") or known["simulation"]
    if not runs.has(run):
        raise InputError(f"no finished run '{run}' in workspace '{workspace.name}'; 'zonewise runs list' lists them")
    tables = [runs.read(name, "zone_state") for name in dict.fromkeys((known["simulation"], run))]
    state = pd.concat(tables, ignore_index=True).drop_duplicates(["zone_id", "time"], keep="last", ignore_index=True)
    if "now" in told and replay is None:
        state = state[state["time"] < pd.Timestamp(told["now"])]
    weather = [
        runs.read(n, "weather")
        for n in dict.fromkeys((known["simulation"], run))
        if "weather" in runs.manifest(n)["tables"]
    ]
    wind = pd.concat(weather).drop_duplicates("time", keep="last") if weather else None
    targets = [c for c in state.columns if c not in ("zone_id", "time") and state[c].notna().any()]
    return Panel.from_table(
        state, zones=runs.read(known["city"], "zones"), adjacency=runs.read(known["city"], "adjacency"), weather=wind,
        timezone=str(told["timezone"]), step_s=int(told["step_s"]), country=told.get("country"), targets=targets,
    )  # fmt: skip


def _references(workspace: Workspace, models: Any, panel: Panel) -> dict[str, Any]:
    """Made with the models, or of the last part of what they learned from."""
    from models.monitoring import Reference, references

    training, runs = str(workspace.describe()["runs"]["training"]), workspace.runs
    folder = runs.root / training
    if not (folder / "watch.json").is_file():
        return references(models, panel)
    zones = runs.read_json(training, "watch")
    return {
        target: (tuple(ids), Reference.restore(dict(runs.read_arrays(training, f"watch_{target}"))))
        for target, ids in zones.items()
    }


def _since(panel: Panel, models: Any, since: str | None, timezone: str) -> int:
    """Position from which readings are looked at."""
    trained = max(pd.Timestamp(model.train_end) for model in models.values())
    if since is not None:
        try:
            at = pd.Timestamp(since)
        except ValueError as error:
            raise InputError(
                f"--since {since!r} is not a date ({error}); e.g. 2026-02-01 or '2026-02-01 06:00'"
            ) from error
        at = at.tz_localize(timezone) if at.tzinfo is None else at
    else:
        at = max(trained, panel.origin(len(panel) - 1) - LOOK_BACK)
    begin = max(1, panel.known_by(at.tz_convert("UTC")))
    if begin >= len(panel):
        raise InputError(
            f"no readings after {at}; the newest is of {panel.times[-1]}. Let 'zonewise watch' bring more, or look at"
            " earlier ones with --since"
        )
    return begin


def _states(monitor: Any, models: Mapping[str, Forecaster], panel: Panel) -> pd.DataFrame:
    """A row each zone of one target."""
    import numpy as np

    grid = panel.values[monitor.target][:, panel.columns(list(monitor.zone_ids))]
    silent = ~np.isfinite(grid[-panel.steps_per_day :]).any(axis=0)
    open_: dict[str, Alarm] = {alarm.zone_id: alarm for alarm in monitor.open_alarms()}
    rows = []
    for place, zone in enumerate(monitor.zone_ids):
        alarm = open_.get(zone)
        rows.append(
            {
                "zone_id": zone, "target": monitor.target, "family": models[zone].name or models[zone].family,
                "state": "alarm" if alarm else "no readings" if silent[place] else "ok",
                "kind": alarm.kind if alarm else "", "since": alarm.since if alarm else pd.NaT,
                "size_text": alarm.size_text if alarm else "", "advice": alarm.advice if alarm else "",
                "alarm_id": alarm.alarm_id if alarm else "", "level": float(monitor.level[place].max()),
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(since=pd.to_datetime(table["since"], utc=True).astype(TIME_DTYPE))


def _with_notes(zones: pd.DataFrame, alarms: pd.DataFrame) -> pd.DataFrame:
    """Alarms that somebody has seen are told as acknowledged; alarms first."""
    seen = set(alarms.loc[alarms["state"] == "acknowledged", "alarm_id"])
    state = zones["state"].mask(zones["alarm_id"].isin(seen), "acknowledged")
    order = state.map({"alarm": 0, "acknowledged": 1, "no readings": 2, "ok": 3})
    table = zones.assign(state=state, _order=order).sort_values(["_order", "zone_id", "target"], ignore_index=True)
    return table.drop(columns="_order")

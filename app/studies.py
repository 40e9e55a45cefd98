"""Studies as runs of the store: for the command line and for the app's worker alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.air_inputs import local_start
from app.calibrating import air_of, stored_calibration
from app.code_version import code_version
from app.job_spec import CALIBRATION, JobSpec, air_digests
from app.memory import Size, check
from app.pipeline import stored_city
from data.errors import InputError
from data.store.folder import FolderStore
from data.store.protocol import Store
from data.store.runs import run_id
from data.store.workspace import Workspace
from data.work import chosen_place

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.scenarios.scenario import Scenario
    from simulation.study import Progress

#: What is told of a study, in this order: traffic, emissions, air, noise.
_HEADLINE = {
    "travel_time_s": "Mean travel time", "delay_hours": "Delay", "speed_kmh": "Mean speed",
    "vehicle_km": "Vehicle-km", "trips_unfinished": "Trips unfinished", "nox_kg": "NOx emitted",
    "co2_kg": "CO2 emitted", "no2": "NO2, mean of streets", "no2_exposure": "NO2 where people live",
    "pm25": "PM2.5, mean of streets", "pm25_exposure": "PM2.5 where people live", "lden": "Road noise, Lden",
    "people_lden_65": "People at 65 dB(A) or more",
}  # fmt: skip
_START = "2026-01-27"  # of studies in synthetic weather
#: Tables of a study that are stored beside `effects` and `link_effects`, as `study_<name>`.
TABLES = ("hourly", "reliability", "equity", "access", "risk")
_SCOPES = {"city": "city", "inside": "inside", "outside": "outside"}


def find_scenario(what: str, city: City) -> Scenario:
    """A scenario by the path of its YAML file, or by the name of a shipped one, checked against the city.

    Raises
    ------
    InputError
        If there is neither.
    ScenarioError
        With every fault and its line.
    """
    from simulation.scenarios import load_shipped, read_scenario, shipped_names

    if Path(what).is_file():
        return read_scenario(what, city)
    if what in shipped_names():
        return load_shipped(what, city=city)
    raise InputError(f"no file and no shipped scenario '{what}'; shipped are: {', '.join(shipped_names())}")


def make_study(
    workspace: Workspace,
    what: str | Scenario,
    *,
    seeds: int = 5,
    days: int = 1,
    start: str | None = None,
    until: str | None = None,
    seconds: float | None = None,
    elasticity: float | None = None,
    equilibrium: float | None = None,
    n_jobs: int | None = 1,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> tuple[str, bool]:
    """Run a study and store it; one that is there already is not repeated.

    Parameters
    ----------
    workspace : Workspace
    what : str or Scenario
        A file, the name of a shipped scenario, or a scenario.
    seeds : int
        Replications, with seeds 1 to this number; at most these with `until` or `seconds`.
    until : str, optional
        Interval to stop at, as `simulation.stopping.Until.parse` reads it, e.g. `delay_hours=5%`.
    seconds : float, optional
        Begin no further pair after so many seconds.
    elasticity : float, optional
        Of demand with respect to travel time; default: demand stays.
    equilibrium : float, optional
        Relative gap to which drivers' ways are brought, e.g. 0.005; default: they choose by what they see.
    days, n_jobs, progress, cancelled
        As `simulation.study.run_study`.
    start : str, optional
        Begin, local time; default a Tuesday of winter or, in a workspace with measured air, the simulation's second
        day. Measured weather and background (as calibrated) are then those of every pair.

    Every replication is kept in the workspace as it is finished, by its content: a study that was killed goes on where
    it stopped, and another one with the same base finds that side done.

    Returns
    -------
    tuple of (str, bool)
        Id of the `study` run, and whether it was there already.
    """
    from simulation.scenarios import to_form, to_yaml
    from simulation.stopping import Until
    from simulation.study import run_study

    rule = None if until is None else Until.parse(until)
    city = stored_city(workspace)
    base = workspace.describe()["runs"]["city"]
    scenario = find_scenario(what, city) if isinstance(what, str) else what
    start, air, of_air = study_air(workspace, city, start, days)
    spec: dict[str, Any] = {
        **of_air, "code": code_version()["simulation"], "parent": base, "scenario": to_form(scenario), "seeds": seeds,
        "days": days, "start": start,
    }  # fmt: skip
    asked = {"until": until, "seconds": seconds, "elasticity": elasticity, "equilibrium": equilibrium}
    spec |= {name: value for name, value in asked.items() if value is not None}
    run = run_id("study", spec)
    if workspace.runs.has(run):
        return run, True
    workspace.room.check()
    if chosen_place() is None:
        size = Size(links=len(city.links), zones=len(city.zones), steps=96 * days)
        check("study", size, copies=min(n_jobs or 2, 2 * seeds))
    study = run_study(
        city, scenario, seeds=range(1, seeds + 1), days=days, start=start, n_jobs=n_jobs or 2, progress=progress,
        cancelled=cancelled, until=rule, seconds=seconds, elasticity=elasticity, equilibrium=equilibrium,
        store=replications(workspace), **air,
    )  # fmt: skip
    if workspace.runs.has(run):  # another process was quicker with the same study
        return run, True
    with workspace.runs.write("study", spec, parents=(base,), seed=1) as writer:
        writer.table("effects", study.effects)
        writer.table("link_effects", study.link_effects)
        for name in TABLES:
            if len(getattr(study, name)):
                writer.table(f"study_{name}", getattr(study, name))
        writer.json(
            "study",
            {
                "scenario": scenario.name, "label": scenario.title, "measures": scenario.in_words(),
                "inside": list(study.inside), "seeds": list(study.seeds),
                "forced_moves": [list(pair) for pair in study.forced_moves],
                "stopped": study.stopped,
                "route_gap": [None if one is None else asdict(one) for one in study.gap],
                "learned": [[asdict(one) for one in pair] for pair in study.learned],
                "induced": None if study.induced is None else {
                    "elasticity": elasticity, "trips_before": study.induced.trips_before,
                    "trips_after": study.induced.trips_after, "rounds": study.induced.rounds,
                    "residual": study.induced.residual,
                },
            },
        )  # fmt: skip
        writer.bytes("scenario.yaml", to_yaml(scenario).encode())
    return run, False


class _Prefixed:
    """A store whose keys begin with a folder of their own."""

    def __init__(self, store: Store, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def get(self, key: str) -> bytes:
        return self._store.get(self._prefix + key)

    def put(self, key: str, value: bytes) -> None:
        self._store.put(self._prefix + key, value)

    def list(self, prefix: str = "") -> list[str]:
        return [key.removeprefix(self._prefix) for key in self._store.list(self._prefix + prefix)]

    def delete(self, key: str) -> None:
        self._store.delete(self._prefix + key)


def replications(workspace: Workspace) -> Store:
    """Where a workspace keeps replications: apart for each version of the code that makes them."""
    return _Prefixed(FolderStore(workspace.root / "studies"), f"{code_version()['simulation']}/")


def study_air(
    workspace: Workspace, city: City, start: str | None, days: int
) -> tuple[str, dict[str, pd.DataFrame | None], dict[str, Any]]:
    """Begin of a study, its weather and background, and what its specification says of them."""
    told = workspace.describe()
    job = JobSpec.known(told.get("job", {}))
    if not job.measured_air:
        return start or _START, {}, {}
    if start is None:
        start = f"{pd.Timestamp(job.start) + pd.Timedelta(days=1):%Y-%m-%d}"
    run = told["runs"].get(CALIBRATION)
    calibration = stored_calibration(workspace.runs, run) if run is not None else None
    begin = local_start(start, city.timezone)
    return start, air_of(job, city, begin, days, calibration), {"air": air_digests(job), CALIBRATION: run}


def headline(effects: pd.DataFrame) -> pd.DataFrame:
    """The citywide effects, and those inside and outside the places of the measures, in words."""
    rows = effects[
        (effects["hour"] == -1) & effects["scope"].isin(list(_SCOPES)) & effects["quantity"].isin(list(_HEADLINE))
    ]
    place, order = list(_SCOPES), list(_HEADLINE)
    rank = rows["scope"].map(place.index) * len(order) + rows["quantity"].map(order.index)
    rows = rows.loc[rank.sort_values(kind="stable").index]
    interval = [
        "" if pd.isna(low) else f"{_figure(low, sign=True)} to {_figure(high, sign=True)}"
        for low, high in zip(rows["lower"], rows["upper"])
    ]
    return pd.DataFrame(
        {
            "where": _left(rows["scope"]),
            "what": _left(rows["quantity"].map(_HEADLINE)),
            "today": [_figure(value) for value in rows["base"]],
            "change": [_figure(value, sign=True) for value in rows["effect"]],
            "90 % interval": interval,
            "unit": rows["unit"],
        }
    )


def _figure(value: float, *, sign: bool = False) -> str:
    """Three digits that count, without powers of ten."""
    digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:+,.{digits}f}" if sign else f"{value:,.{digits}f}"


def _left(words: pd.Series) -> pd.Series:
    return words.str.ljust(int(words.str.len().max())) if len(words) else words

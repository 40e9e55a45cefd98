"""A study repeated from its report alone, and the verdict: the same to the last bit, or what differs and why.

The city is made anew where it can be: the shipped ones, synthetic ones, and those of files that are given and whose
content is that which the report names. Nothing is taken from runs that are there already, so it is a repetition.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.code_version import code_version
from app.job_spec import CALIBRATION, JobSpec, air_digests, source
from app.reports.errors import ReportError
from app.reports.specification import FigureSpec, Specification, figures_of, table_digest
from app.studies import TABLES, make_study
from data.errors import InputError
from data.store.runs import versions
from data.store.workspace import Workspace
from data.synthetic import parse_name

if TYPE_CHECKING:
    from simulation.study import Progress

#: Cities that come with Zonewise or one of its packages.
SHIPPED = ("helsinki", "toy", "coquimbo")
_CITY_FILES = ("polygons", "sensors", "fleet", "demand")
_AIR_FILES = ("weather", "background")
_AIR_WORDS = ("weather_columns", "weather_units", "timezone", "missing", "on_fault")
_LIFE = ("days", "seed", "start", "step_s", "incidents_per_day")
#: Kinds of the values that a report says a city was made with.
_KINDS: Mapping[str, type | tuple[type, ...]] = {
    "city": str, "zones": str, "zone_count": int, "days": int, "seed": int, "start": str, "step_s": int,
    "incidents_per_day": (int, float),
}  # fmt: skip
#: Told of figures that differ, at most.
MOST_TOLD = 10


@dataclass(frozen=True, kw_only=True)
class Reproduction:
    """What came of repeating a study.

    Attributes
    ----------
    same : bool
        Whether every table is the same to the last bit.
    city_same : bool
        Whether the city is.
    tables : dict of bool
        By name, whether it is the same.
    differing : tuple of dict
        Figures that differ, the largest share first: quantity, scope, zone_id, reported, now.
    reasons : tuple of str
        What differs between the machine of the report and this one: city, code, versions.
    pairs : int
    """

    same: bool
    city_same: bool
    tables: Mapping[str, bool]
    differing: tuple[dict[str, Any], ...]
    reasons: tuple[str, ...]
    pairs: int

    def __str__(self) -> str:
        if self.same:
            told = "the same to the last bit"
            return f"All {len(self.tables)} tables of the study are {told} ({self.pairs} pairs of runs repeated)."
        wrong = [name for name, same in self.tables.items() if not same]
        lines = [f"Not the same: {len(wrong)} of {len(self.tables)} tables differ ({', '.join(wrong)})."]
        lines += [f"  {reason}" for reason in self.reasons] or [
            "  City, code and versions are the same; another processor or numerical library may round otherwise."
        ]
        lines += [
            f"  {one['quantity']} ({one['scope']}{' ' + one['zone_id'] if one['zone_id'] else ''}):"
            f" reported {one['reported']!r}, now {one['now']!r}"
            for one in self.differing[:MOST_TOLD]
        ]
        return "\n".join(lines)


def reproduce(
    specification: Specification,
    *,
    workspace: Workspace | None = None,
    given: Sequence[str | Path] = (),
    n_jobs: int | None = 1,
    progress: Progress | None = None,
    report: Callable[[str, float, float, str], Any] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Reproduction:
    """Run a study of a report again, in a folder that is thrown away, and hold it against the report.

    Parameters
    ----------
    specification : Specification
        From `read_report`.
    workspace : Workspace, optional
        Its city is taken instead of one made anew.
    given : sequence of paths
        Files that the city was made from (streets, zones, fleet, trips, air); found by their content, not their name.
    n_jobs, progress, cancelled
        As `app.studies.make_study`.
    report : callable, optional
        Told of the steps by which the city is made.

    Raises
    ------
    ReportError
        If the city or its air cannot be had here; the text says which files are needed.
    ScenarioError
        If the scenario of the report is none, or does not fit the city.
    """
    from simulation.digest import digest
    from simulation.scenarios import from_form

    told = specification.study
    scenario = from_form(told.scenario, source="the report's scenario")
    with tempfile.TemporaryDirectory(prefix="zonewise-") as folder:
        scratch = Workspace(Path(folder) / "reproduction")
        if workspace is not None:
            _take(specification, workspace, scratch)
        else:
            _make(specification, given, scratch, report)
        from app.pipeline import stored_city

        city_same = digest(stored_city(scratch)) == specification.city.digest
        run, _ = make_study(
            scratch, scenario, seeds=told.pairs, days=told.days, start=told.start, elasticity=told.elasticity,
            equilibrium=told.equilibrium, n_jobs=n_jobs, progress=progress, cancelled=cancelled,
        )  # fmt: skip
        runs = scratch.runs
        there = set(runs.manifest(run)["tables"])
        names = {name: name for name in ("effects", "link_effects")} | {
            name: f"study_{name}" for name in TABLES if f"study_{name}" in there
        }
        made = {name: runs.read(run, stored) for name, stored in names.items()}
    digests = {name: table_digest(table) for name, table in made.items()}
    both = sorted(specification.tables.keys() | digests.keys())
    tables = {name: specification.tables.get(name) == digests.get(name) for name in both}
    return Reproduction(
        same=all(tables.values()), city_same=city_same, tables=tables,
        differing=_differing(specification.figures, figures_of(made["effects"])),
        reasons=tuple(_reasons(specification, city_same)), pairs=told.pairs,
    )  # fmt: skip


def _reasons(specification: Specification, city_same: bool) -> list[str]:
    """What is different here."""
    here = versions()
    out = [] if city_same else ["The city differs from the report's: it was made by other code or from other data."]
    code = code_version()["simulation"]
    if (then := specification.code.get("simulation")) != code:
        out.append(f"The code of the simulation differs: {then} in the report, {code} here.")
    for name in sorted(specification.versions.keys() | here.keys()):
        then, now = specification.versions.get(name, "none"), here.get(name, "none")
        if then != now:
            out.append(f"{name}: {then} in the report, {now} here.")
    return out


def _differing(then: Sequence[FigureSpec], now: Sequence[FigureSpec]) -> tuple[dict[str, Any], ...]:
    """Figures whose effect or base is not the same, the largest share of the base first."""
    found = {(one.quantity, one.scope, one.zone_id): one for one in now}
    rows = []
    for one in then:
        other = found.get((one.quantity, one.scope, one.zone_id))
        if other is None or (other.effect, other.base) != (one.effect, one.base):
            share = abs(other.effect - one.effect) / max(abs(one.base), 1e-12) if other is not None else float("inf")
            rows.append((share, one, None if other is None else other.effect))
    rows.sort(key=lambda row: -row[0])
    return tuple(
        {"quantity": one.quantity, "scope": one.scope, "zone_id": one.zone_id, "reported": one.effect, "now": now_}
        for _, one, now_ in rows
    )


# --- the city -------------------------------------------------------------------------------------------------------


def _make(
    specification: Specification,
    given: Sequence[str | Path],
    scratch: Workspace,
    report: Callable[[str, float, float, str], Any] | None,
) -> None:
    """The city, and the calibration of its air if it has one, made anew."""
    from app.pipeline import Job

    job = job_of(specification, given)
    silent: Callable[[str, float, float, str], Any] = lambda step, done, total, message: None  # noqa: E731
    Job(workspace=scratch, spec=job, report=report or silent, n_jobs=1).run(
        until=CALIBRATION if specification.study.calibration is not None else "city"
    )


def job_of(specification: Specification, given: Sequence[str | Path] = ()) -> JobSpec:
    """The job that makes the city of a report from what is there.

    Parameters
    ----------
    specification : Specification
    given : sequence of paths
        Files, recognised by their content.

    Raises
    ------
    ReportError
        Naming everything that is lacking, at once.
    """
    made, lacking = specification.city.made_from, []
    life = specification.study.calibration
    wrong = [
        f"{name}={value!r}"
        for part in (made, life or {})
        for name, value in part.items()
        if name in _KINDS and (not isinstance(value, _KINDS[name]) or isinstance(value, bool))
    ]
    if wrong:
        raise ReportError(f"the report says of its city what cannot be: {', '.join(wrong)}; ask for the file anew")
    by_content = {_content(source(str(path))): str(path) for path in _there(given)}

    def file(told: Any, what: str) -> str | None:
        if told is None:
            return None
        path = by_content.get(_content(str(told)))
        if path is None:
            lacking.append(f"{what}: the file {told} (name and first digits of its SHA-256)")
        return path

    told: dict[str, Any] = {name: file(made.get(name), name) for name in _CITY_FILES}
    city = str(made.get("city", ""))
    if city.lower() not in SHIPPED and parse_name(city) is None:
        if _content(city):
            city = file(city, "streets") or ""
        elif city:
            lacking.append(
                f"streets: the place {city!r} as OpenStreetMap had it when the report was made; a place is not"
                " downloaded again, since it may have changed"
            )
        else:
            lacking.append("streets: the report does not say what they were made from")
    air = specification.study.air
    if air is not None:
        told |= {name: file(air.get(name), name) for name in _AIR_FILES}
        told |= {name: air[name] for name in _AIR_WORDS if name in air}
    if life is not None:
        told |= {name: file(life.get(name), name) for name in ("stations", "station_places")}
    told |= {name: (life or made)[name] for name in _LIFE if name in (life or made)}
    if lacking:
        raise ReportError(
            f"the city of this report ({specification.city.label}) cannot be made here; lacking: {'; '.join(lacking)}."
            " Give the files (--file FILE, several times), or a workspace that holds this city (--workspace NAME)"
        )
    known = {name: made[name] for name in ("zones", "zone_count") if name in made}
    try:
        return JobSpec(city=city, test_days=1, **known, **told)  # nothing is trained
    except (TypeError, InputError) as error:
        raise ReportError(f"the report names a city that cannot be made: {error}") from error


def _there(given: Sequence[str | Path]) -> list[Path]:
    paths = [Path(one).expanduser() for one in given]
    if missing := [str(path) for path in paths if not path.is_file()]:
        raise ReportError(f"no such file: {', '.join(missing)}")
    return paths


def _content(told: str) -> str:
    """The digest of `name:digest`; empty where there is none."""
    digest = told.rpartition(":")[2]
    return digest if len(digest) == 16 and set(digest) <= set("0123456789abcdef") and ":" in told else ""


def _take(specification: Specification, workspace: Workspace, scratch: Workspace) -> None:
    """The city of a workspace, and what its air is told from, without any study."""
    told = workspace.describe()
    run = specification.city.run
    if not workspace.runs.has(run):
        run = told.get("runs", {}).get("city")
    if run is None:
        raise ReportError(f"workspace '{workspace.name}' has no city yet; leave --workspace out to make it anew")
    runs = {"city": run}
    job = JobSpec.known(told.get("job", {}))
    air = specification.study.air
    if (air_digests(job) if job.measured_air else None) != air:
        raise ReportError(
            f"workspace '{workspace.name}' has another weather or background than the report's"
            f" ({'synthetic' if air is None else air}); give one with the same files, or the files alone (--file FILE)"
        )
    if air is not None and (calibration := told.get("runs", {}).get(CALIBRATION)) is not None:
        runs[CALIBRATION] = calibration
    scratch.runs.root.mkdir(parents=True)
    for one in runs.values():
        workspace.runs.manifest(one)
        shutil.copytree(workspace.runs.root / one, scratch.runs.root / one)
    scratch.update(job=asdict(job), runs=runs)

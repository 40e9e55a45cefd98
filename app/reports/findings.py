"""What a report tells, gathered from the store: the study's tables, its city, scenario, warnings and specification."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from app.job_spec import CALIBRATION
from app.pipeline import stored_city
from app.reports.errors import ReportError
from app.reports.specification import (
    FORMAT,
    CitySpec,
    Specification,
    StudySpec,
    figures_of,
    plain,
    table_digest,
)
from app.studies import TABLES
from data.store.workspace import Workspace

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.scenarios.review import Review
    from simulation.scenarios.scenario import Scenario


@dataclass(frozen=True, eq=False, kw_only=True)
class Findings:
    """A stored study with all around it.

    Attributes
    ----------
    run : str
    study : dict
        What `study.json` says: seeds, measures in words, forced moves, gap, induced demand.
    tables : dict of DataFrame
        `effects`, `link_effects`, and of `study_<name>` those that are there, by name.
    scenario : Scenario
    yaml : str
        The scenario as a file.
    city : City
    review : Review
    city_report : dict
        What was noted when the city was made; empty where nothing was.
    calibration : dict or None
        What was noted of the calibration of the air.
    specification : Specification
    created : str
    """

    run: str
    study: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    scenario: Scenario
    yaml: str
    city: City
    review: Review
    city_report: dict[str, Any]
    calibration: dict[str, Any] | None
    specification: Specification
    created: str

    @property
    def command(self) -> str:
        """The command line that runs the same study, with the scenario as `scenario.yaml`."""
        told = self.specification.study
        words = ["zonewise", "scenario", "run", "scenario.yaml", "WORKSPACE", "--seeds", str(told.pairs)]
        words += ["--days", str(told.days), "--start", told.start]
        if told.elasticity is not None:
            words += ["--elasticity", f"{told.elasticity:g}"]
        if told.equilibrium is not None:
            words += ["--equilibrium", f"{told.equilibrium:g}"]
        return " ".join(shlex.quote(word) for word in words)


def latest_study(workspace: Workspace) -> str:
    """Id of the newest finished study; `RunNotFoundError` where there is none."""
    return str(workspace.runs.latest("study")["id"])


def gather(workspace: Workspace, run: str) -> Findings:
    """Everything about a study.

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    ReportError
        If the run is no study.
    """
    from simulation.digest import digest
    from simulation.scenarios import from_form

    runs = workspace.runs
    manifest = runs.manifest(run)
    if manifest["kind"] != "study":
        raise ReportError(f"run '{run}' is a {manifest['kind']}, no study; see 'zonewise runs list'")
    spec, study = manifest["spec"], runs.read_json(run, "study")
    there = set(manifest.get("tables", {}))
    tables = {name: runs.read(run, name) for name in ("effects", "link_effects")}
    tables |= {name: runs.read(run, f"study_{name}") for name in TABLES if f"study_{name}" in there}
    city = stored_city(workspace, spec["parent"])
    scenario = from_form(spec["scenario"])
    made = runs.manifest(spec["parent"])
    calibration = spec.get(CALIBRATION)
    specification = Specification(
        format=FORMAT,
        study=StudySpec(
            run=run, scenario=plain(spec["scenario"]), pairs=len(study["seeds"]), days=spec["days"],
            start=str(spec["start"]), elasticity=spec.get("elasticity"), equilibrium=spec.get("equilibrium"),
            until=spec.get("until"), seconds=spec.get("seconds"), air=plain(spec.get("air")),
            calibration=None if calibration is None else plain(_without_code(runs.manifest(calibration)["spec"])),
        ),
        city=CitySpec(
            run=spec["parent"], label=city.label, digest=digest(city), made_from=plain(_without_code(made["spec"]))
        ),
        code={"simulation": str(spec["code"])},
        versions={str(k): str(v) for k, v in manifest["versions"].items()},
        tables={name: table_digest(table) for name, table in tables.items()},
        figures=figures_of(tables["effects"]),
    )  # fmt: skip
    return Findings(
        run=run, study=study, tables=tables, scenario=scenario, yaml=runs.read_bytes(run, "scenario.yaml").decode(),
        city=city, review=scenario.review(city), city_report=_noted(workspace, spec["parent"], "report") or {},
        calibration=None if calibration is None else _noted(workspace, calibration, "calibration"),
        specification=specification, created=str(manifest["created"]),
    )  # fmt: skip


def _without_code(spec: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in spec.items() if name != "code"}


def _noted(workspace: Workspace, run: str, name: str) -> dict[str, Any] | None:
    if not (workspace.runs.root / run / f"{name}.json").is_file():
        return None
    value = workspace.runs.read_json(run, name)
    return value if isinstance(value, dict) else None

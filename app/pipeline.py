"""The main job, step by step: city, simulation, training, comparison, live day. Each step is a run of the store.

Where air stations are given, a step `calibration` comes before the simulation.

A step that is already there, with the same inputs and code, is not repeated; a job that was stopped goes on with the
first step that is missing, and a training with the first candidates that are.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from app.air_inputs import local_start, read_city_fleet
from app.assignment_file import read_assignment
from app.calibrating import air_of, calibrate, stored_calibration
from app.code_version import code_version
from app.day_demand import day_processes
from app.job_results import candidate_errors, live_models, store_result, store_watch, stored_monitors
from app.job_spec import CALIBRATION, JobSpec, step_specs
from app.memory import Size, bounded, check
from app.training_options import train_options
from app.unfinished import unfinished
from app.zoning import zones_of_job
from data.errors import InputError
from data.schemas import TARGETS
from data.store.workspace import Workspace
from data.work import chosen_place

if TYPE_CHECKING:
    from models.compare import Comparison
    from models.compare_seeds import SeedComparison
    from models.panel import Panel
    from models.training import Training
    from simulation.city import City

#: Called with the step's name, how much is done, how much there is, and what is being done.
Report = Callable[[str, float, float, str], Any]
LIVE_MODELS = ("macromodel", "mix", "seasonal_naive")
NOW_LOCAL = "14:30"  # the instant of the live day that the app shows
#: The live day's map of the air: cells that show a street canyon as a line, and no more of them than draw at once.
MAP_CELL_M, MAP_CELLS = 15.0, 20_000


@dataclass
class Job:
    """One workspace's job, with what its steps have in memory so far."""

    source: ClassVar[str] = "simulated"  # what the readings are, for the models' cards
    workspace: Workspace
    spec: JobSpec
    report: Report = field(default=lambda step, done, total, message: None)
    n_jobs: int = field(default_factory=lambda: max(1, min(8, os.cpu_count() or 1)))
    _city: City | None = None
    _panel: Panel | None = None
    _training: Training | None = None
    _in_force: dict[str, str] | None = None
    reused: list[str] = field(default_factory=list)
    thorough: bool = False  # whether the comparison trains again with zones and weeks left out
    seeds: int = 1  # trainings that are compared, each with a seed of its own

    # --- what each step is made of ------------------------------------------------------------------------------

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        """Specification of each step, its parents' included by id."""
        from data.store.runs import run_id

        specs = step_specs(self.spec, code_version())
        return {
            **specs, "comparison": {**specs["comparison"], **self._how_thorough()},
            "live": {**specs["live"], **self._serving(run_id("training", specs["training"]))},
        }  # fmt: skip

    def _serving(self, training: str) -> dict[str, dict[str, str]]:
        """What the live day's specification says besides where other versions serve than the training's own."""
        from app.renewed import in_force

        if self._in_force is None and self.workspace.runs.has(training):
            self._in_force = in_force(self.workspace, training)
        return {"in_force": self._in_force} if self._in_force else {}

    def _how_thorough(self) -> dict[str, Any]:
        """What the specification of a thorough comparison, or one of several seeds, says besides."""
        return ({"thorough": True} if self.thorough else {}) | ({"seeds": self.seeds} if self.seeds > 1 else {})

    def run_ids(self) -> dict[str, str]:
        """Id of each step's run."""
        from data.store.runs import run_id

        return {step: run_id(step, spec) for step, spec in self.specs.items()}

    # --- the steps ----------------------------------------------------------------------------------------------

    def run(self, until: str = "live") -> dict[str, str]:
        """Make every run up to a step that is not there yet; returns the ids, and notes them in the workspace."""
        with self.workspace.at_work():
            self.workspace.room.check()
            return self._run(until)

    def _run(self, until: str) -> dict[str, str]:
        from threadpoolctl import threadpool_limits

        self.workspace.runs.sweep()
        made = {}
        steps = self.spec.steps
        for step in steps[: steps.index(until) + 1]:
            if self.workspace.runs.has(self.run_ids()[step]):
                self.reused.append(step)
                self.report(step, 1, 1, "already there")
            else:
                self._check_air(step, until)
                self._compile(step)
                self._check_memory(step)
                training = self.run_ids()["training"]
                # matrices are small, and processes share the cores
                with threadpool_limits(limits=1), bounded(step), unfinished(self.workspace, step, training):
                    getattr(self, f"_make_{step}")()
            made[step] = self.run_ids()[step]
        self._note(made)
        return made

    def _check_memory(self, step: str) -> None:
        """Refuse a step that would not fit into memory; where work is done elsewhere, workers have limits of theirs."""
        if step in ("training", "comparison") and chosen_place() is None:
            check(step, self._size(), processes=self.n_jobs)
        elif step in ("simulation", "live"):
            days = self.spec.days if step == "simulation" else 1
            check("simulation", replace(self._size(), steps=round(days * 86_400 / self.spec.step_s)))

    def _size(self) -> Size:
        """How large the job is, as far as memory goes."""
        city = self.city()
        return Size(
            links=len(city.links), zones=len(city.zones), steps=round(self.spec.days * 86_400 / self.spec.step_s),
            targets=len(TARGETS),
        )  # fmt: skip

    def _check_air(self, step: str, until: str) -> None:
        """Refuse weather or background that does not last for all that is asked, before the first day is lived."""
        if step in (CALIBRATION, "simulation", "live") and (self.spec.weather or self.spec.background):
            air_of(self.spec, self.city(), self.begin(), self.spec.days + (until == "live"))

    def _compile(self, step: str) -> None:
        """Have the traffic model compiled before a step that drives vehicles; only the first time takes long."""
        if step in ("city", CALIBRATION, "simulation", "live"):
            from simulation.traffic.compiling import compile_kernels

            self.report("kernels", 0, 1, "on first use only, up to half a minute")
            compile_kernels()
            self.report("kernels", 1, 1, "ready")

    def _note(self, made: Mapping[str, str]) -> None:
        city = self.city()
        start = pd.Timestamp(self.spec.start).tz_localize(city.timezone)
        day = (start + pd.Timedelta(days=self.spec.days)).normalize()
        now = pd.Timestamp(f"{day.date()} {NOW_LOCAL}").tz_localize(city.timezone).tz_convert("UTC")
        new = {
            "city": self.spec.city, "label": city.label, "timezone": city.timezone, "latitude": city.latitude,
            "longitude": city.longitude, "step_s": self.spec.step_s, "now": now.isoformat(), "job": asdict(self.spec),
        }  # fmt: skip

        def noted(told: dict[str, Any]) -> dict[str, Any]:
            runs = told.get("runs", {}) if set(made) != set(self.spec.steps) else {}
            return {**told, **new, "runs": {s: run for s, run in runs.items() if s in self.spec.steps} | dict(made)}

        self.workspace.alter(noted)

    def _make_city(self) -> None:
        from app.city_making import city_of
        from data.cities import load_city
        from simulation.city import gateway_share
        from simulation.city_tables import city_arrays, city_meta, city_tables

        self.report("city", 0, 3, "reading streets, buildings and places")
        fleet = read_city_fleet(self.spec)
        source = load_city(self.spec.city)
        check("city", Size(links=len(source.links)))
        self.report("city", 1, 3, "cutting the city into zones")
        zones, dynamics = zones_of_job(
            self.spec, source, fleet=fleet,
            progress=lambda done, total, message: self.report(
                "city", 1 + done / total, 3, f"driving on hexagons to see how traffic goes, {message}"
            ),
        )  # fmt: skip
        self.report("city", 2, 3, "estimating demand, timing signals, placing sensors")
        city = city_of(source, zones, fleet=fleet, demand=self.spec.demand, profiles=self.spec.profiles)
        with self.workspace.runs.write("city", self.specs["city"]) as run:
            for name, table in city_tables(city).items():
                run.table(name, table)
            run.table("basemap", source.basemap)
            if dynamics is not None:
                run.table("dynamics", dynamics)
            run.arrays("demand", city_arrays(city))
            run.json("city", city_meta(city))
            run.json("report", {**source.report, "gateway_share_of_vehicle_km": gateway_share(city)})
        self._city = city
        self.report("city", 3, 3, f"{len(city.links)} links, {len(city.zones)} zones")

    def _make_calibration(self) -> None:
        ids = self.run_ids()
        with self.workspace.runs.write(
            CALIBRATION, self.specs[CALIBRATION], parents=(ids["city"],), seed=self.spec.seed
        ) as run:
            calibration, tables, told = calibrate(
                self.spec, self.city(), lambda done, total, message: self.report(CALIBRATION, done, total, message)
            )
            run.table("calibration", calibration.table)
            run.table("changed", calibration.changed)
            run.table("check", calibration.check)
            for name, table in tables.items():
                run.table(name, table)
            run.json("calibration", told)
        left = told["pollutants_left"]
        self.report(
            CALIBRATION, 1, 1, f"{len(told['stations'])} stations, {told['days']} days"
            + (f"; left as they were: {', '.join(left)}" if left else "")
        )  # fmt: skip

    def _make_simulation(self) -> None:
        result = self.city().run(
            days=self.spec.days, seed=self.spec.seed, start=self.spec.start, step_s=float(self.spec.step_s),
            incidents_per_day=self.spec.incidents_per_day, processes=day_processes(self.spec, self.city()),
            **self._air(0, self.spec.days),
            progress=lambda done, total, message: self.report("simulation", done, total, message),
        )  # fmt: skip
        ids = self.run_ids()
        with self.workspace.runs.write(
            "simulation",
            self.specs["simulation"],
            parents=(ids["city"], *self._calibration_id()),
            seed=self.spec.seed,
        ) as run:
            store_result(run, result)
            run.table("link_profile", result.link_profile)
        summary = result.summary
        self.report(
            "simulation", 1, 1, f"{summary['departed']:,} trips, {summary['link_traversals']:,} link traversals"
        )

    def _make_training(self) -> None:
        from app.model_saving import store_models
        from models.registry import Registry
        from models.training import refit

        training = self.training()
        final = refit(
            training, self.panel(), n_jobs=self.n_jobs,
            progress=lambda done, total, message: self.report("training", done, total, message),
        )  # fmt: skip
        ids = self.run_ids()
        with self.workspace.runs.write(
            "training", self.specs["training"], parents=(ids["simulation"],), seed=self.spec.seed
        ) as run:
            run.table("choices", training.choices)
            run.table("guard", training.guard)
            run.table("assignment", training.assignment)
            run.table("scores", training.scores)
            run.table("candidates", candidate_errors(training, self.panel()))
            run.json("seconds", {"/".join(map(str, key)): value for key, value in training.seconds.items()})
            for path, model in live_models(final).items():
                for name, value in model.save().items():
                    run.bytes(f"models/{'/'.join(path)}/{name}", value)
            store_watch(run, training, self.panel())
            # the registry before the run is finished: a job that is stopped here goes on with this step
            decisions = store_models(
                Registry(self.workspace.models, by="training"), training, final, self.panel(),
                training_run=ids["training"], source=self.source,
            )  # fmt: skip
        kept = sum(not decision.promote for decision in decisions.values())
        self.report(
            "training", 1, 1, f"{len(final.micromodels)} micromodels, {len(final.macromodels)} macromodels"
            + (f"; {kept} of the versions before stay in force" if kept else "")
        )  # fmt: skip

    def _make_comparison(self) -> None:
        from models.outcome import outcome

        comparison = self.comparison()
        ids = self.run_ids()
        with self.workspace.runs.write(
            "comparison", self.specs["comparison"], parents=(ids["training"],), seed=self.spec.seed
        ) as run:
            for name, table in comparison.tables.items():
                run.table(name, table)
            if self.seeds > 1:
                seeds = self._seed_comparison(comparison)
                run.table("seed_scores", seeds.scores)
                run.table("seed_paired", seeds.paired)
                run.json("seeds", {"text": seeds.verdict(), "seeds": self.seeds})
            run.json("verdict", {"text": outcome(comparison, costs=False), "costs": False})  # these have a table
        self.report("comparison", 1, 1, "scored on the same rows, origins and horizons")

    def _make_live(self) -> None:
        from app.renewed import serving_models
        from simulation.agents import Forecasters
        from simulation.air.concentration import Raster

        ids, runs = self.run_ids(), self.workspace.runs
        models = serving_models(self.workspace, ids["training"], LIVE_MODELS)
        forecasters = Forecasters(
            history=self.panel(),
            micromodels={(key[1], key[2]): m for key, m in models.items() if key[0] == "micromodel"},
            citywide={(key[0], key[1]): m for key, m in models.items() if key[0] in LIVE_MODELS},
            monitors=stored_monitors(self.workspace, ids["training"]),
        )
        result = self.city().run(
            days=1, seed=self.spec.seed, step_s=float(self.spec.step_s),
            initial_state=runs.read_arrays(ids["simulation"], "final_state"), forecasters=forecasters,
            incidents_per_day=self.spec.incidents_per_day, keep_link_state=True,
            processes=day_processes(self.spec, self.city()),
            raster=Raster(cell_m=MAP_CELL_M, hours=range(int(NOW_LOCAL[:2])), max_cells=MAP_CELLS),
            progress=lambda done, total, message: self.report("live", done, total, message),
        )  # fmt: skip
        assert result.forecasts is not None
        with runs.write(
            "live", self.specs["live"], parents=(ids["simulation"], ids["training"]), seed=self.spec.seed
        ) as run:
            store_result(run, result)
            run.table("link_state", result.link_state)
            run.table("forecasts", result.forecasts)
            run.table("concentration", result.concentration)
        self.report("live", 1, 1, f"{len(result.forecasts):,} forecast values")

    # --- what steps share ---------------------------------------------------------------------------------------

    def city(self) -> City:
        """The city of the job."""
        if self._city is None:
            self._city = stored_city(self.workspace, self.run_ids()["city"])
        return self._city

    def begin(self) -> pd.Timestamp:
        """First instant of the simulation, UTC."""
        return local_start(self.spec.start, self.city().timezone)

    def _air(self, after_days: int, days: int) -> dict[str, pd.DataFrame | None]:
        """Weather and background of days of the job, calibrated where it has stations."""
        of = self._calibration_id()
        calibration = stored_calibration(self.workspace.runs, of[0]) if of else None
        begin = self.begin() + pd.Timedelta(days=after_days)
        return air_of(self.spec, self.city(), begin, days, calibration)

    def _calibration_id(self) -> tuple[str, ...]:
        """Id of the calibration's run, if the job has one."""
        return (self.run_ids()[CALIBRATION],) if self.spec.stations is not None else ()

    def panel(self) -> Panel:
        """What the sensors reported over the simulated weeks, as models read it."""
        if self._panel is None:
            from models.panel import Panel

            runs, run = self.workspace.runs, self.run_ids()["simulation"]
            city = self.city()
            self._panel = Panel.from_table(
                runs.read(run, "zone_state"), zones=city.zones, adjacency=city.adjacency,
                weather=runs.read(run, "weather"), timezone=city.timezone, step_s=self.spec.step_s,
            )  # fmt: skip
        return self._panel

    def training(self) -> Training:
        """Models that have not seen the test days."""
        if self._training is None:
            self._training = self._trained(self.spec.seed)
        return self._training

    def _trained(self, seed: int) -> Training:
        """The same by another seed's luck."""
        from models.training import train

        panel = self.panel()
        end = panel.times[0] + pd.Timedelta(days=self.spec.days - self.spec.test_days)
        overrides = None
        if self.spec.assignment is not None:
            overrides = read_assignment(Path(self.spec.assignment))
        return train(
            panel, targets=TARGETS, train_end=end, test_from=end, seed=seed, n_jobs=self.n_jobs,
            overrides=overrides, **train_options(self.spec),
            progress=lambda done, total, message: self.report("training", done, total, message),
        )  # fmt: skip

    def comparison(self) -> Comparison:
        """Every model scored on the test days."""
        from models.compare import compare

        return compare(
            self.panel(), self.training(), seed=self.spec.seed, thorough=self.thorough,
            progress=lambda done, total, message: self.report("comparison", done, total, message),
        )  # fmt: skip

    def _seed_comparison(self, first: Comparison) -> SeedComparison:
        """The comparison beside those of trainings with other seeds, on the same test days and resamples."""
        from models.compare import compare
        from models.compare_seeds import SeedComparison

        others = [
            compare(self.panel(), self._trained(self.spec.seed + k), seed=self.spec.seed)
            for k in range(1, self.seeds)
        ]  # fmt: skip
        return SeedComparison.of([first, *others])


def stored_city(workspace: Workspace, run: str | None = None) -> City:
    """The City of a `city` run; of the workspace's own where none is named.

    Raises
    ------
    InputError
        If the workspace has no city yet.
    """
    from simulation.city_tables import TABLES, city_from

    runs = workspace.runs
    run = run or workspace.describe().get("runs", {}).get("city")
    if run is None:
        raise InputError(
            f"workspace '{workspace.name}' has no city yet; 'zonewise demo' or 'zonewise simulate' makes one"
        )
    return city_from(
        {name: runs.read(run, name) for name in TABLES}, runs.read_arrays(run, "demand"), runs.read_json(run, "city")
    )

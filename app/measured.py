"""The job of a workspace that was imported: observations instead of a simulation, then training and comparison as ever.

`import` makes the run `city` (zones and sensors) and fills `observations/`; the step that is a simulation elsewhere
pins the observations, leaves out what `zones.sensor_quality` flags, and rolls sensors up to zones. The live day is the
last day of the readings: no model has seen it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from app.code_version import code_version
from app.job_spec import file_digest
from app.memory import Size, check
from app.pipeline import LIVE_MODELS, NOW_LOCAL, Job, Report
from app.training_options import NAMES, TrainingOptions, check_training, told_training, train_options
from data.errors import InputError
from data.schemas import TARGETS
from data.store.observations import Observations
from data.store.workspace import Workspace
from data.work import chosen_place

if TYPE_CHECKING:
    from models.panel import Panel
    from models.training import Training

SOURCE = "measured"
STEPS = ("city", "simulation", "training", "live", "comparison")
#: What zones of measured cities are forecast for.
MEASURED_TARGETS = (*TARGETS, "pedestrians_per_h")
#: Share of the days kept for the comparison, and the most of them.
TEST_SHARE, MOST_TEST_DAYS = 0.25, 28
#: The newest reading is `now` if it lies this far into its day; otherwise the last whole day is shown at `NOW_LOCAL`.
LATE_ENOUGH = pd.Timedelta(hours=6)
_LIVE_DAYS = 22  # of readings in the run `live`: the longest lag and its neighbours


@dataclass(frozen=True, kw_only=True)
class MeasuredSpec(TrainingOptions):
    """What to do with what was imported. Equal specs and observations give equal runs."""

    city_run: str
    label: str
    timezone: str
    given_s: int
    step_s: int
    source: str = SOURCE
    days: int | None = None  # only the last days; all without
    test_days: int | None = None
    seed: int = 1
    assignment: str | None = None
    latitude: float = 0.0
    longitude: float = 0.0

    def __post_init__(self) -> None:
        if self.step_s <= 0 or 86_400 % self.step_s or self.step_s % self.given_s:
            raise InputError(
                f"step_s={self.step_s}: a step must divide a day and be a multiple of the readings' {self.given_s} s"
            )
        if self.days is not None and self.days < 3:
            raise InputError(f"days={self.days}: at least 3 are needed")
        check_training(self)

    @property
    def steps(self) -> tuple[str, ...]:
        """The job's steps, in order."""
        return STEPS


def measured_job(space: Workspace, options: Mapping[str, Any], report: Report) -> MeasuredJob:
    """The job of an imported workspace.

    Raises
    ------
    InputError
        If an option is given that only a simulation has.
    """
    known = {field.name for field in fields(MeasuredSpec)}
    told = {key: value for key, value in space.describe()["job"].items() if key in known}
    given = {key: value for key, value in options.items() if value is not None}
    strange = sorted(set(given) - {"days", "test_days", "seed", "assignment", *NAMES})
    if strange:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in strange)
        raise InputError(
            f"workspace '{space.name}' holds imported observations, and nothing is simulated in it: {names} cannot be"
            " used; import again to change zones, or make another workspace with 'zonewise demo NAME'"
        )
    given = {key: None if value == "none" else value for key, value in given.items()}
    return MeasuredJob(space, MeasuredSpec(**{**told, **given}), report)  # type: ignore[arg-type]


class MeasuredJob(Job):
    """A `Job` whose readings were measured."""

    source: ClassVar[str] = "measured"
    spec: MeasuredSpec  # type: ignore[assignment]

    @property
    def specs(self) -> dict[str, dict[str, Any]]:
        """Specification of each step; that of the observations holds their digest."""
        from data.store.runs import run_id

        s, code = self.spec, code_version()
        observed = {
            "code": code["city"], "parent": s.city_run, "given_s": s.given_s, "step_s": s.step_s, "days": s.days,
            "observations": Observations(self.workspace.observations).digest(),
        }  # fmt: skip
        training = {
            "code": code["models"], "parent": run_id("observations", observed), "test_days": s.test_days,
            "seed": s.seed, "assignment": file_digest(s.assignment),
            **told_training(s),
        }  # fmt: skip
        trained = run_id("training", training)
        return {
            "city": {}, "simulation": observed, "training": training,
            "live": {"code": code["models"], "parent": trained, "now": None, **self._serving(trained)},
            "comparison": {"code": code["models"], "parent": trained, "seed": s.seed, **self._how_thorough()},
        }  # fmt: skip

    def run_ids(self) -> dict[str, str]:
        """Id of each step's run."""
        from data.store.runs import run_id

        kind = {"simulation": "observations"}
        ids = {step: run_id(kind.get(step, step), spec) for step, spec in self.specs.items()}
        return {**ids, "city": self.spec.city_run}

    def run(self, until: str = "live") -> dict[str, str]:
        """As `Job.run`; training is followed by the live day, which costs seconds."""
        made = super().run("live" if until == "training" else until)
        return {**self.run_ids(), **made} if until == "comparison" else made

    def _compile(self, step: str) -> None:
        """Nothing drives here."""

    def _check_memory(self, step: str) -> None:
        """Readings while they are judged and rolled up; then as many zones and steps as they make."""
        if step == "simulation":
            from app.rolling_up import MOST_READINGS

            observed = Observations(self.workspace.observations)
            span, zones = observed.span(), len(self.workspace.runs.read(self.spec.city_run, "zones"))
            if span is not None:
                known = sum(int(note["rows"]) for note in observed.batches())
                steps = int((span[1] - span[0]) / pd.Timedelta(seconds=self.spec.step_s)) + 1
                steps = steps if self.spec.days is None else min(steps, self.spec.days * 86_400 // self.spec.step_s)
                check("observations", Size(readings=min(known, MOST_READINGS), zones=zones, steps=steps))
        elif step in ("training", "comparison") and chosen_place() is None:
            check(step, self._size(), processes=self.n_jobs)

    def _size(self) -> Size:
        state = self.state()
        names = [name for name in TARGETS if name in state]
        zones = max(1, state["zone_id"].nunique())
        return Size(zones=zones, steps=len(state) // zones, targets=len(names))

    def _check_air(self, step: str, until: str) -> None:
        """Nothing is dispersed here."""

    def _make_city(self) -> None:
        raise InputError(
            f"run '{self.spec.city_run}' with the zones of workspace '{self.workspace.name}' is gone; import again"
        )

    def _note(self, made: Mapping[str, str]) -> None:
        ids = self.run_ids()
        runs = {step: run for step, run in ids.items() if self.workspace.runs.has(run)}
        if "live" not in runs:
            from data.store.runs import run_id

            spec = {"parent": ids["simulation"], "now": None}
            runs["live"] = run_id("live", spec)
            if not self.workspace.runs.has(runs["live"]):
                self._store_live("live", spec, (ids["simulation"],), None)
        s = self.spec
        self.workspace.update(
            city=s.label, label=s.label, timezone=s.timezone, latitude=s.latitude, longitude=s.longitude,
            step_s=s.step_s, now=self.clock()[1].isoformat(), job=asdict(s), runs=runs, source=SOURCE,
        )  # fmt: skip

    # --- observations -------------------------------------------------------------------------------------------

    def _make_simulation(self) -> None:
        """Pin the observations: judge them, roll them up, keep zones' readings and the report of their quality."""
        from app.rolling_up import rolled_up

        runs, s = self.workspace.runs, self.spec
        observed = Observations(self.workspace.observations)
        self.report("simulation", 0, 3, "reading observations")
        since = None
        if s.days is not None and (span := observed.span()) is not None:
            since = (span[1].tz_convert(s.timezone).normalize() - pd.Timedelta(days=s.days)).tz_convert("UTC")
        sensors, zones = runs.read(s.city_run, "sensors"), runs.read(s.city_run, "zones")
        told = runs.read_json(s.city_run, "import")

        def tell(done: int, total: int) -> None:
            self.report("simulation", 2 * done / total, 3, "judging and rolling up to zones")

        found = rolled_up(
            observed, sensors.set_index("sensor_id")["zone_id"].astype("str"), list(zones["zone_id"]),
            told["coordinates"], given_s=s.given_s, step_s=s.step_s, since=since, duplicates=told.get("duplicates"),
            report=tell,
        )  # fmt: skip
        if found is None:
            raise InputError(f"workspace '{self.workspace.name}' holds no observations; import some first")
        with runs.write("observations", self.specs["simulation"], parents=(s.city_run,)) as run:
            run.table("zone_state", found.state)
            run.table("quality", found.quality)
            run.json(
                "summary",
                {"readings": found.readings, "sensors": len(found.quality), "zones": len(zones),
                 "flagged": found.flagged, "first": str(found.first), "last": str(found.last),
                 "notes": told.get("notes", [])},
            )  # fmt: skip
        words = f"{found.readings:,} readings of {len(found.quality)} sensors in {len(zones)} zones"
        self.report("simulation", 3, 3, words)

    def state(self) -> pd.DataFrame:
        """All zones' readings that are pinned."""
        return self.workspace.runs.read(self.run_ids()["simulation"], "zone_state")

    def clock(self, state: pd.DataFrame | None = None) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Start of the live day, and `now`, both UTC: the newest reading, or the afternoon of the last whole day."""
        state = self.state() if state is None else state
        step = pd.Timedelta(seconds=self.spec.step_s)
        known = state.drop(columns=["zone_id", "time"]).notna().any(axis=1)
        end = (state.loc[known, "time"].max() + step).tz_convert(self.spec.timezone)
        if end - end.normalize() >= LATE_ENOUGH:
            return end.normalize().tz_convert("UTC"), end.tz_convert("UTC")
        day = (end.normalize() - pd.Timedelta(hours=1)).normalize()
        wanted = pd.Timestamp(f"{day.date()} {NOW_LOCAL}").tz_localize(self.spec.timezone).tz_convert("UTC")
        off = (wanted - state["time"].min()) % step
        return day.tz_convert("UTC"), wanted - off

    def city(self) -> Any:
        """Zones and their neighbours; nothing that could be driven on."""
        runs, run = self.workspace.runs, self.spec.city_run
        return SimpleNamespace(
            zones=runs.read(run, "zones"), adjacency=runs.read(run, "adjacency"), timezone=self.spec.timezone,
            label=self.spec.label,
        )  # fmt: skip

    def panel(self) -> Panel:
        """Zones' readings up to the live day."""
        if self._panel is None:
            self._panel = self._panel_of(self.state(), until=self.clock()[0])
        return self._panel

    def _panel_of(self, state: pd.DataFrame, *, until: pd.Timestamp | None = None) -> Panel:
        from models.panel import Panel

        city = self.city()
        midnight = state["time"].min().tz_convert(self.spec.timezone).ceil("D").tz_convert("UTC")
        state = state[state["time"] >= midnight] if until is None or midnight < until else state
        if until is not None:
            state = state[state["time"] < until]
        if state.empty:
            raise InputError(f"workspace '{self.workspace.name}' holds less than a whole day of readings; import more")
        held = [t for t in MEASURED_TARGETS if t in state and state[t].notna().any()]
        return Panel.from_table(
            state, zones=city.zones, adjacency=city.adjacency, timezone=city.timezone, step_s=self.spec.step_s,
            targets=held, country=self.workspace.describe().get("country"),
        )  # fmt: skip

    # --- training -----------------------------------------------------------------------------------------------

    def _trained(self, seed: int) -> Training:
        """Models that have seen neither the test days nor the live day."""
        from app.assignment_file import read_assignment
        from models.training import train

        panel = self.panel()
        days = len(panel) // panel.steps_per_day
        test = self.spec.test_days or int(np.clip(round(TEST_SHARE * days), 2, MOST_TEST_DAYS))
        if not 1 <= test <= days - 2:
            raise InputError(
                f"{days} whole days before the last one, of which {test} to test on: at least 2 must be left to"
                " learn from; import more days, or give --test-days"
            )
        end = panel.origin(len(panel) - 1) - pd.Timedelta(days=test)
        overrides = read_assignment(Path(self.spec.assignment)) if self.spec.assignment is not None else None
        return train(
            panel, targets=[t for t in MEASURED_TARGETS if t in panel.values], train_end=end, test_from=end,
            seed=seed, n_jobs=self.n_jobs, overrides=overrides, **train_options(self.spec),
            progress=lambda done, total, message: self.report("training", done, total, message),
        )  # fmt: skip

    # --- the live day -------------------------------------------------------------------------------------------

    def _make_live(self) -> None:
        ids = self.run_ids()
        table = self._store_live("live", self.specs["live"], (ids["simulation"], ids["training"]), ids["training"])
        self.report("live", 1, 1, f"{len(table):,} forecast values")

    def _store_live(
        self, kind: str, spec: Mapping[str, Any], parents: tuple[str, ...], training: str | None,
        *, state: pd.DataFrame | None = None, clock: tuple[pd.Timestamp, pd.Timestamp] | None = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Keep the last weeks of readings, and forecasts from each hour of the live day and from `now`."""
        from app.live_forecasts import forecast_table
        from app.renewed import serving_models
        from data.schemas import FORECASTS, empty

        state = self.state() if state is None else state
        day, now = self.clock() if clock is None else clock
        recent = state[state["time"] >= day - pd.Timedelta(days=_LIVE_DAYS)]
        table = empty(FORECASTS)
        if training is not None:
            self.report("live", 0, 1, "forecasting")
            models = serving_models(self.workspace, training, LIVE_MODELS)
            hours = pd.date_range(day, now, freq="1h")
            table = forecast_table(self._panel_of(state), models, hours.union([now]))
        with self.workspace.runs.write(kind, spec, parents=parents, seed=self.spec.seed) as run:
            run.table("zone_state", recent)
            run.table("forecasts", table)
            run.json("summary", {"now": now.isoformat(), "day": day.isoformat()})
        return table

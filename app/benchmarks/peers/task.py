"""What an engine is asked to run, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.errors import InputError
from data.readers.dynamic_case import DynamicCase, read_dynamic_case

#: Until when each shared case runs, s: as its publisher ran it.
HORIZON_S = {"siouxfalls_dyn": 7_200.0, "chicago_10th": 10_000.0, "chicago_dyn": 10_000.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A case, how long it runs and how drivers find their way."""

    folder: Path  # of the case, for `read_dynamic_case`
    horizon_s: float  # vehicles still on the road then are unfinished
    reroute_every_s: float | None  # None: everybody keeps a shortest path at free flow
    depart_before_s: float = np.inf  # only trips that depart earlier: the cut
    seed: int = 1

    def read(self) -> DynamicCase:
        """The case, cut."""
        case = read_dynamic_case(self.folder)
        trips = case.trips[case.trips["depart_s"] < self.depart_before_s].reset_index(drop=True)
        if trips.empty:
            raise InputError(f"no trip of {self.folder} departs before {self.depart_before_s:g} s; give a later cut")
        return DynamicCase(name=case.name, nodes=case.nodes, links=case.links, trips=trips)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run of one engine."""

    cpu_s: float  # of the simulation alone
    setup_s: float  # CPU before it: reading, building, writing input files
    after_s: float  # CPU after it: the engine's own evaluation
    compile_s: float  # CPU of compiling, or of loading what was compiled
    trips_made: int
    trips_done: int
    mean_travel_time_s: float  # of finished trips, from departure wished to arrival
    mean_over_all_s: float  # with unfinished trips counted to the horizon
    peak_mib: float
    version: str
    parts_s: tuple[tuple[str, float], ...] = ()  # CPU of parts of the simulation, such as routing and movement

    @classmethod
    def of_trips(
        cls, depart_s: np.ndarray, arrival_s: np.ndarray, *, weight: int, horizon_s: float, **others: object
    ) -> Outcome:
        """Counts and means of trips; `arrival_s` is nan where a trip did not arrive, `weight` vehicles a trip."""
        done = np.isfinite(arrival_s)
        spent = np.where(done, arrival_s, horizon_s) - depart_s
        return cls(
            trips_made=int(depart_s.size * weight), trips_done=int(done.sum() * weight),
            mean_travel_time_s=float(spent[done].mean()) if done.any() else np.nan,
            mean_over_all_s=float(spent.mean()),
            **others,  # type: ignore[arg-type]
        )  # fmt: skip

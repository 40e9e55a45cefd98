"""One replication of one side of a study: what is kept of a run, and how it is written down so that no run is repeated.

A replication is named by the content of all that it is made from (`simulation.digest`), so a study that was killed, and
another study with the same base, find it again; what is read back is what was computed, bit for bit.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data.store.protocol import Store
from simulation.day_to_day import Learned, learn_ways
from simulation.digest import digest
from simulation.effects import Outcome, measure, measure_hours
from simulation.kpis.figures import Frame, figures, zone_hours
from simulation.kpis.ledger import Ledger, noted_hours
from simulation.kpis.skims import link_times, place_skim
from simulation.route_gap import RouteGap, route_gap

if TYPE_CHECKING:
    from simulation.city import City
    from simulation.diary import Diary
    from simulation.run import RunResult
    from simulation.scenarios.scenario import Scenario

#: Of what is written; another one is not read back.
FORMAT = 2
#: Columns whose hourly means by zone are kept, for risks.
_RISKY = ("no2_ug_per_m3", "pm25_ug_per_m3", "pm10_ug_per_m3", "travel_time_index")


@dataclass(frozen=True, eq=False, kw_only=True)
class Side:
    """One side of every pair: a city, what goes on in it, and how it is looked at."""

    city: City
    scenario: Scenario | None
    inside: tuple[str, ...]
    days: float
    start: str | pd.Timestamp
    weather: pd.DataFrame | None
    background: pd.DataFrame | None
    frame: Frame
    equilibrium: float | None = None  # relative gap to which ways are brought, where they are

    def name(self) -> str:
        """Digest of everything but the seed."""
        timed = () if self.scenario is None else self.scenario.timed
        ways = () if self.equilibrium is None else (self.equilibrium,)
        return digest(
            FORMAT, self.city, timed, self.inside, self.days, str(self.start), self.weather, self.background,
            self.frame, *ways,
        )  # fmt: skip


@dataclass(frozen=True, eq=False, kw_only=True)
class Replication:
    """What is kept of a run.

    Attributes
    ----------
    values, hourly : Series
        By (quantity, scope, zone_id, hour, unit): whole run and city by hour, and zones by hour.
    link_totals : DataFrame
    forced_moves : int
    skim_s : ndarray of float32, shape (K, P, P)
        Times from place to place in the noted hours.
    zone_hours : mapping of ndarray of float32, shape (H, Z)
        Hourly means by zone.
    gap : RouteGap or None
        How far from equilibrium drivers' ways are, where it was asked for.
    learned : Learned or None
        Of a run whose ways were brought into equilibrium.
    """

    values: pd.Series
    hourly: pd.Series
    link_totals: pd.DataFrame
    forced_moves: int
    skim_s: np.ndarray
    zone_hours: Mapping[str, np.ndarray]
    gap: RouteGap | None
    learned: Learned | None = None


def replicate(side: Side, seed: int, *, gap: bool, tick: Callable[[float, float, str], Any] | None) -> Replication:
    """Run a side once.

    Parameters
    ----------
    side : Side
    seed : int
    gap : bool
        Whether to tell how far from equilibrium the ways are; costs memory for the log and some searches.
    tick : callable, optional
        As `progress` of `City.run`.
    """
    city, frame = side.city, side.frame
    begin = pd.Timestamp(side.start)
    begin = begin if begin.tzinfo is None else begin.tz_convert(city.timezone)
    processes = () if side.scenario is None else side.scenario.processes()

    def run(diary: Diary | None) -> tuple[RunResult, Ledger]:
        ledger = Ledger(city, hours=noted_hours(begin, side.days))
        usual: dict[str, Any] = {} if diary is None else {"diary": diary, "incidents_per_day": 0.0}
        result = city.run(
            days=side.days, seed=seed, start=side.start, processes=(*processes, ledger.process), progress=tick,
            weather=side.weather, background=side.background, keep_entry_log=gap or diary is not None, **usual,
        )  # fmt: skip
        return result, ledger

    learned = None
    arrays, turns = city.link_arrays(), city.turn_index()
    if side.equilibrium is None:
        result, ledger = run(None)
    else:
        result, ledger, learned = learn_ways(run, arrays, turns, gap=side.equilibrium, seed=seed)
    outcome = Outcome(
        zone_truth=result.zone_truth, trips=result.trips, link_totals=result.link_totals,
        unfinished=result.summary["on_road"] + result.summary["waiting"], noise=result.noise,
    )  # fmt: skip
    times = link_times(ledger, arrays)
    shut = np.stack([closed[0] for closed in ledger.closed])
    skim = place_skim(arrays, turns, city.demand, shut, times)
    told = figures(outcome, ledger, skim, times, city, frame)
    hours, _ = zone_hours(outcome.zone_truth, frame.zone_ids, city.timezone)
    return Replication(
        values=pd.concat([measure(outcome, city.zones, side.inside, city.timezone), told]),
        hourly=measure_hours(outcome, city.zones, city.timezone),
        link_totals=result.link_totals, forced_moves=int(result.summary["forced_moves"]), skim_s=skim,
        zone_hours={name: hours[name].astype(np.float32) for name in _RISKY if name in hours},
        gap=route_gap(city, result, ledger) if gap else None,
        learned=learned,
    )  # fmt: skip


#: What reading a damaged archive of arrays can end in.
_DAMAGE = (
    KeyError, ValueError, TypeError, EOFError, OSError, RuntimeError, SyntaxError, MemoryError, OverflowError,
    struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def key_of(name: str, seed: int, *, gap: bool) -> str:
    """Key of a replication in a store."""
    return f"replications/{name}/{seed}{'-gap' if gap else ''}.npz"


def stored(store: Store | None, key: str) -> Replication | None:
    """A replication that was finished before, or None; a damaged one counts as not there."""
    if store is None:
        return None
    try:
        return from_bytes(store.get(key))
    except _DAMAGE:
        return None


def to_bytes(one: Replication) -> bytes:
    """A replication as an archive of arrays, without pickle."""
    arrays: dict[str, np.ndarray] = {"forced_moves": np.array(one.forced_moves), "skim_s": one.skim_s}
    for name, series in (("values", one.values), ("hourly", one.hourly)):
        arrays[name] = series.to_numpy(dtype=float)
        arrays[f"{name}_index"] = np.frombuffer(json.dumps(list(map(list, series.index))).encode(), dtype=np.uint8)
    for column in one.link_totals.columns:
        arrays[f"links/{column}"] = one.link_totals[column].to_numpy()
    for column, value in one.zone_hours.items():
        arrays[f"zones/{column}"] = value
    if one.gap is not None:
        arrays["gap"] = one.gap.to_array()
    if one.learned is not None:
        arrays["learned"] = one.learned.to_array()
    sink = io.BytesIO()
    np.savez_compressed(sink, **arrays)  # type: ignore[arg-type]
    return sink.getvalue()


def from_bytes(value: bytes) -> Replication:
    """A replication from its bytes.

    Raises
    ------
    ValueError, BadZipFile, KeyError
        If the bytes are damaged.
    """
    with np.load(io.BytesIO(value), allow_pickle=False) as bundle:
        arrays = {name: bundle[name] for name in bundle.files}

    def series(name: str) -> pd.Series:
        keys = [tuple(key) for key in json.loads(arrays[f"{name}_index"].tobytes().decode())]
        return pd.Series(arrays[name], index=pd.MultiIndex.from_tuples(keys), dtype=float)

    return Replication(
        values=series("values"), hourly=series("hourly"),
        link_totals=pd.DataFrame({k.removeprefix("links/"): v for k, v in arrays.items() if k.startswith("links/")}),
        forced_moves=int(arrays["forced_moves"]), skim_s=arrays["skim_s"],
        zone_hours={k.removeprefix("zones/"): v for k, v in arrays.items() if k.startswith("zones/")},
        gap=RouteGap.from_array(arrays["gap"]) if "gap" in arrays else None,
        learned=Learned.from_array(arrays["learned"]) if "learned" in arrays else None,
    )  # fmt: skip

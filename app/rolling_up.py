"""Observations judged and rolled up, some zones at a time: a long history never lies in memory as a whole.

A sensor is judged by its own readings, and a zone is made of its own sensors, so turns of whole zones give what one
turn would, to the last bit. A first pass over sensors and times alone tells how large the turns may be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.schemas import OBSERVED_QUANTITIES, ZONE_QUANTITIES, ZONE_STATE, validate
from data.store.observations import Observations
from zones.errors import ZoneError
from zones.measured import measured_zone_state, on_step
from zones.sensor_quality import FAULTS, flagged, quality_report

#: Readings that are held at once, about (0.9 GB of memory by `app.memory`).
MOST_READINGS = 5_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class RolledUp:
    """Zones' readings, and what their sensors were like.

    Attributes
    ----------
    state : DataFrame
        `data.schemas.ZONE_STATE`: every zone at every time.
    quality : DataFrame
        As `zones.sensor_quality.quality_report`.
    readings : int
    first, last : Timestamp
        Of all readings, UTC.
    flagged : dict of str to int
        Readings by fault.
    """

    state: pd.DataFrame
    quality: pd.DataFrame
    readings: int
    first: pd.Timestamp
    last: pd.Timestamp
    flagged: dict[str, int]


def rolled_up(
    observed: Observations,
    zone_of: pd.Series,
    zone_ids: Sequence[str],
    coordinates: Mapping[str, str],
    *,
    given_s: int,
    step_s: int,
    since: pd.Timestamp | None = None,
    duplicates: Mapping[str, int] | None = None,
    most: int = MOST_READINGS,
    report: Callable[[int, int], Any] | None = None,
) -> RolledUp | None:
    """Judge readings, leave out what is wrong, and roll the rest up to zones; None where nothing was observed.

    Parameters
    ----------
    observed : Observations
    zone_of : Series of str
        `zone_id` by `sensor_id`.
    zone_ids : sequence of str
    coordinates : mapping of str to str
        Verdict on the place of each sensor, for the report; "missing" where it has none.
    given_s, step_s : int
        Step of the readings and step wanted, s.
    since : Timestamp, optional
        UTC.
    duplicates : mapping of str to int, optional
        Rows dropped because they repeated another.
    most : int
        Readings held at once, about; a single zone's are never parted.
    report : callable, optional
        `report(done, total)` after each turn.

    Raises
    ------
    StoreError
        If a part of the observations is missing or damaged.
    ZoneError
        If no reading is of a sensor in a zone.
    """
    rows, times = _told(observed, since)
    if rows.empty:
        return None
    step = pd.Timedelta(seconds=step_s)
    grid = pd.DatetimeIndex(times.floor(step).unique()).sort_values()
    span = times.min(), times.max()
    verdicts = pd.Series(dict(coordinates), dtype="str")
    verdicts = verdicts.reindex(sorted(set(verdicts.index) | set(rows.index)), fill_value="missing")
    turns = list(_turns(rows, zone_of, zone_ids, verdicts.index, most))
    states, reports = [], []
    wrong = dict.fromkeys(FAULTS, 0)
    for done, (zones, sensors) in enumerate(turns):
        table = observed.read(since, sensors=[one for one in sensors if one in rows.index])
        flags = flagged(table, step_s=given_s)
        for k, fault in enumerate(FAULTS):
            wrong[fault] += sum(int((code == k + 1).sum()) for code in flags.code.values())
        if sensors:
            told = verdicts[verdicts.index.isin(sensors)]
            reports.append(quality_report(table, flags, told, step_s=given_s, duplicates=duplicates, span=span))
        if zones:
            sound = on_step(flags.sound(table), given_s=given_s, step_s=step_s)
            states.append(_state(sound, zone_of, zones, grid))
        if report is not None:
            report(done + 1, len(turns))
    names = [q for q in OBSERVED_QUANTITIES if q in ZONE_QUANTITIES and any(q in part for part in states)]
    if not names:
        raise ZoneError("no reading is of a sensor that stands in a zone")
    state = pd.concat([part.reindex(columns=["zone_id", "time", *names]) for part in states], ignore_index=True)
    quality = pd.concat(reports, ignore_index=True).set_index("sensor_id").reindex(verdicts.index)
    return RolledUp(
        state=validate(state.astype(dict.fromkeys(names, "float64")), ZONE_STATE),
        quality=quality.rename_axis("sensor_id").reset_index(),
        readings=int(rows.sum()), first=span[0], last=span[1], flagged=wrong,
    )  # fmt: skip


def _told(observed: Observations, since: pd.Timestamp | None) -> tuple[pd.Series, pd.DatetimeIndex]:
    """Readings of each sensor, and all times that occur, in turns of a month."""
    counts: list[pd.Series] = []
    times: list[pd.DatetimeIndex] = []
    for part in observed.chunks(since=since, columns=()):
        counts.append(part["sensor_id"].astype("str").value_counts())
        times.append(pd.DatetimeIndex(part["time"].unique()))
    if not counts:
        return pd.Series(dtype="int64"), pd.DatetimeIndex([])
    whole = times[0].append(times[1:]) if len(times) > 1 else times[0]
    return pd.concat(counts).groupby(level=0).sum(), whole.unique().sort_values()


def _turns(
    rows: pd.Series, zone_of: pd.Series, zone_ids: Sequence[str], sensors: pd.Index, most: int
) -> Iterator[tuple[list[str], list[str]]]:
    """Zones and their sensors, as many as `most` readings allow; last the sensors that stand in no zone."""
    known = zone_of[zone_of.index.isin(sensors)].astype("str")
    of = known.groupby(known.to_numpy()).groups
    zones: list[str] = []
    mine: list[str] = []
    held = 0
    for zone in map(str, zone_ids):
        own = [str(one) for one in of.get(zone, ())]
        size = int(rows.reindex(own).fillna(0).sum())
        if zones and held + size > most:
            yield zones, mine
            zones, mine, held = [], [], 0
        zones.append(zone)
        mine += own
        held += size
    homeless = [str(one) for one in sensors if one not in set(known.index)]
    if held + int(rows.reindex(homeless).fillna(0).sum()) <= most:
        yield zones, mine + homeless
        return
    yield zones, mine
    many = int(np.ceil(rows.reindex(homeless).fillna(0).sum() / most))
    for part in np.array_split(np.array(homeless, dtype=object), many):
        yield [], [str(one) for one in part]


def _state(sound: pd.DataFrame, zone_of: pd.Series, zones: list[str], grid: pd.DatetimeIndex) -> pd.DataFrame:
    """The zones' readings at all times of the grid; without quantities where none of their sensors reported."""
    mine = sound[sound["sensor_id"].astype("str").isin(set(zone_of.index.astype("str")))]
    if mine.empty or not any(q in mine and q in ZONE_QUANTITIES for q in OBSERVED_QUANTITIES):
        times = grid.take(np.tile(np.arange(len(grid)), len(zones)))
        return pd.DataFrame({"zone_id": np.repeat(zones, len(grid)), "time": times}).astype({"zone_id": "str"})
    return measured_zone_state(mine, zone_of, zones, times=grid)

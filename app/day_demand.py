"""What moves a job's trips from day to day beside luck: rain, and events from a file.

`--events FILE` is a table of what draws people to a place: `place` (a zone or gateway), `vehicles`, `date`, `begin` and
`end` (local, HH:MM), and optionally `arrive_over_s` and `leave_over_s`. `--rain-factor` is how many trips are made in
rain per trip in dry weather. Read `simulation.demand_effects` for what both do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from data.errors import FileFormatError, InputError
from data.readers.plain_tables import find, open_plain

if TYPE_CHECKING:
    from app.job_spec import JobSpec
    from simulation.city import City
    from simulation.demand_effects import Event
    from simulation.live import Process

_COLUMNS = ("place", "vehicles", "date", "begin", "end")
_SPANS = ("arrive_over_s", "leave_over_s")
_SHOWN = 10


def read_events(path: Path | str) -> list[Event]:
    """Events of a table, in its order.

    Raises
    ------
    InputError
        If there is no such file.
    FileFormatError
        Naming every fault: columns, and rows that are no event.
    """
    from simulation.demand_effects import Event
    from simulation.errors import DemandError

    path = Path(path)
    table = open_plain(path, "events")
    columns = {name: find(table, (name,)) for name in (*_COLUMNS, *_SPANS)}
    faults = [f"no column '{name}'; it has {list(table.columns)[:20]}" for name in _COLUMNS if columns[name] is None]
    if faults:
        raise FileFormatError(f"{path}: " + "; ".join(faults))
    found: list[Event] = []
    for row, values in enumerate(table.to_dict("records"), start=1):
        told = {name: values[column] for name, column in columns.items() if column is not None}
        try:
            extra = {
                name: float(told[name]) for name in ("arrive_over_s", "leave_over_s") if not _blank(told.get(name))
            }
            found.append(
                Event(
                    place=str(told["place"]).strip(), vehicles=float(told["vehicles"]),
                    date=str(pd.Timestamp(str(told["date"]).strip()).date()), begin_s=_seconds(told["begin"]),
                    end_s=_seconds(told["end"]), **extra,
                )
            )  # fmt: skip
        except (DemandError, ValueError, TypeError) as error:
            faults.append(f"row {row}: {error}")
    if faults:
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise FileFormatError(f"{path}: " + "; ".join(faults[:_SHOWN]) + more)
    return found


def _blank(value: object) -> bool:
    return value is None or str(value).strip() in ("", "nan", "<NA>")


def _seconds(value: object) -> float:
    """Seconds since midnight of HH:MM or HH:MM:SS, up to 24:00."""
    parts = str(value).strip().split(":")
    if len(parts) not in (2, 3) or not all(part.isdigit() for part in parts):
        raise ValueError(f"{value!r} is no time of day; write it as HH:MM, e.g. 18:30")
    hour, minute, second = (*map(int, parts), 0)[:3]
    if hour > 24 or minute > 59 or second > 59 or hour * 3600 + minute * 60 + second > 86_400:
        raise ValueError(f"{value!r} is no time of day; allowed are 00:00 to 24:00")
    return float(hour * 3600 + minute * 60 + second)


def day_processes(spec: JobSpec, city: City) -> tuple[Process, ...]:
    """Processes of a job's run that change its trips; none where nothing was asked for.

    Raises
    ------
    InputError
        If an event happens at a place that the city does not have: all such places, and those there are.
    """
    from simulation.demand_effects import event_demand, rain_demand

    events = read_events(spec.events) if spec.events else []
    places = list(city.demand.places)
    strange = sorted({event.place for event in events} - set(places))
    if strange:
        raise InputError(f"{spec.events}: no place {strange[:_SHOWN]} in this city; it has {places[:40]}")
    rain = (rain_demand(spec.rain_factor),) if spec.rain_factor != 1.0 else ()
    return (*rain, *(event_demand(event) for event in events))

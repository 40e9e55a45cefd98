"""What a job is to do, and what each of its steps is made of: equal specifications give equal runs.

A file counts by what it holds, not by where it lies, so that a changed file is another run and a moved one is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from app.training_options import TrainingOptions, check_training, told_training
from data import plugins
from data.errors import InputError

#: Steps of every job, in order; `calibration` comes before the simulation where air stations are given.
STEPS = ("city", "simulation", "training", "comparison", "live")
CALIBRATION = "calibration"
#: As `zones.spec.KINDS`; other names are those of partitions that packages bring.
ZONE_KINDS = ("hex", "square", "polygons", "administrative", "voronoi", "functional")


@dataclass(frozen=True, kw_only=True)
class JobSpec(TrainingOptions):
    """What to do. Equal specs give equal runs."""

    city: str = "helsinki"
    zones: str = "hex"
    zone_count: int = 18
    polygons: str | None = None
    sensors: str | None = None  # path of a table of places, for zones around sensors
    fleet: str | None = None  # path of a table of vehicle kinds
    demand: str | None = None  # path of an OD table; estimated without
    profiles: str | None = None  # path of departure profiles; assumed ones without
    events: str | None = None  # path of a table of events that draw people to a place
    rain_factor: float = 1.0  # trips in rain per trip in dry weather
    days: int = 28
    test_days: int = 7
    seed: int = 1
    start: str = "2026-01-26"
    step_s: int = 900
    incidents_per_day: float = 1.5
    weather: str | None = None  # path of hourly weather; synthetic without
    weather_columns: str | None = None  # "ours=theirs,..."
    weather_units: str | None = None  # "ours=unit,..."
    background: str | None = None  # path of the hourly regional background; synthetic without
    stations: str | None = None  # path of measured air, which calibrates the background
    station_places: str | None = None  # path of where those stations stand; the city's own stations without
    timezone: str | None = None  # of times in these files that carry none; the city's without
    missing: str | None = None  # codes for a gap in these files, "-999,99.9"
    on_fault: str = "raise"  # or "missing": impossible values in these files become gaps
    assignment: str | None = None  # path of a table or YAML of choices made by hand

    def __post_init__(self) -> None:
        if self.days < 8:
            raise InputError(f"days={self.days}: at least 8 are needed, to train on some and test on others")
        if not 1 <= self.test_days <= self.days - 6:
            raise InputError(f"test_days={self.test_days}: allowed are 1 to {self.days - 6} of {self.days} days")
        if self.step_s <= 0 or 86_400 % self.step_s:
            raise InputError(f"step_s={self.step_s}: a step must divide a day of 86,400 s, e.g. 900")
        if not 0.0 <= self.rain_factor <= 3.0:
            raise InputError(f"rain_factor={self.rain_factor}: allowed are 0 to 3; 1 changes nothing")
        if self.on_fault not in ("raise", "missing"):
            raise InputError(f"on_fault={self.on_fault!r}; allowed are 'raise' and 'missing'")
        if self.station_places is not None and self.stations is None:
            raise InputError("station places without stations: give the measured air too (--stations FILE)")
        check_training(self)

    @classmethod
    def known(cls, told: Mapping[str, Any]) -> JobSpec:
        """From what a workspace says of its job, whatever else it says."""
        names = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in told.items() if name in names})

    @property
    def measured_air(self) -> bool:
        """Whether files say what the air is like, and not the synthetic generator alone."""
        return any(name is not None for name in (self.weather, self.background, self.stations))

    @property
    def steps(self) -> tuple[str, ...]:
        """The job's steps, in order."""
        return STEPS if self.stations is None else (STEPS[0], CALIBRATION, *STEPS[1:])


def step_specs(s: JobSpec, code: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Specification of each step, its parents' included by id, and the digest of its code."""
    from data.store.runs import run_id

    city: dict[str, Any] = {
        "code": code["city"], "city": source(s.city), "zones": s.zones, "zone_count": s.zone_count,
        "polygons": file_digest(s.polygons), "sensors": file_digest(s.sensors), "fleet": file_digest(s.fleet),
        "demand": file_digest(s.demand),
    }  # fmt: skip
    if s.zones == "functional":  # cut from the traffic of the first days
        city |= {"seed": s.seed, "start": s.start, "step_s": s.step_s}
    elif s.zones not in ZONE_KINDS and (plugin := plugins.find(plugins.PARTITIONS, s.zones)) is not None:
        city |= {"seed": s.seed, "partition": plugin.told()}
    if s.profiles is not None:
        city["profiles"] = file_digest(s.profiles)
    of_city = run_id("city", city)
    life: dict[str, Any] = {
        "code": code["simulation"], "parent": of_city, "days": s.days, "seed": s.seed, "start": s.start,
        "step_s": s.step_s, "incidents_per_day": s.incidents_per_day,
        "air": air_digests(s),
    }  # fmt: skip
    if s.events is not None or s.rain_factor != 1.0:
        life |= {"events": file_digest(s.events), "rain_factor": s.rain_factor}
    specs = {"city": city}
    if s.stations is not None:
        places = file_digest(s.station_places)
        specs[CALIBRATION] = {**life, "stations": file_digest(s.stations), "station_places": places}
    calibrated = run_id(CALIBRATION, specs[CALIBRATION]) if CALIBRATION in specs else None
    specs["simulation"] = {**life, "calibration": calibrated}
    specs["training"] = {
        "code": code["models"], "parent": run_id("simulation", specs["simulation"]), "test_days": s.test_days,
        "seed": s.seed, "assignment": None if s.assignment is None else source(s.assignment),
        **told_training(s),
    }  # fmt: skip
    trained = run_id("training", specs["training"])
    specs["comparison"] = {"code": code["models"], "parent": trained, "seed": s.seed}
    specs["live"] = {"code": code["simulation"], "parent": trained, "days": 1}
    return specs


def air_digests(s: JobSpec) -> dict[str, Any]:
    """What the files say that the air is told from, and how they are read."""
    return {
        "weather": file_digest(s.weather), "weather_columns": s.weather_columns, "weather_units": s.weather_units,
        "background": file_digest(s.background), "timezone": s.timezone, "missing": s.missing,
        "on_fault": s.on_fault,
    }  # fmt: skip


def source(name: str) -> str:
    """A source by what it holds: the digest of a file or of a folder's network, or the name of a place."""
    path = Path(name)
    files: tuple[Path, ...] = ()
    if path.is_file():
        files = (path,)
    elif path.is_dir():
        from data.readers.tntp_city import files_of, network_file

        files = files_of(path) if network_file(path) is not None else ()
    if not files:
        return name
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return f"{path.name}:{digest.hexdigest()[:16]}"


def file_digest(name: str | None) -> str | None:
    """A file by what it holds.

    Raises
    ------
    InputError
        If there is no such file.
    """
    if name is None:
        return None
    if not Path(name).is_file():
        raise InputError(f"no file {name}; give the path of one, or 'none' for what the workspace does without")
    return source(name)

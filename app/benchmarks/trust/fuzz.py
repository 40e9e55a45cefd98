"""Fuzz: 20,000 damaged and forged inputs; each is taken or refused in words, soon, and nothing is written elsewhere.

Scenarios (YAML and forms), files of an import (CSV, Parquet, GeoJSON, OpenStreetMap, back-ups), files of models, runs
and jobs, and requests: every callback with forged values, every address with forged queries. What counts as a fault: an
error that is not one of ours, an answer of 500 or above (a callback that an odd value breaks from within), a traceback
in an answer, more than 5 s, and any file opened for writing, renamed or removed outside the folder given. No worker is
started. It takes about a quarter of an hour.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.trust import _small as small
from app.benchmarks.trust._mutations import damaged, forged
from app.benchmarks.trust._requests import Try, requests
from data.errors import ZonewiseError
from data.store.workspace import Workspace

#: Inputs of each kind.
COUNTS = {"scenarios": 5000, "imports": 5000, "stores": 4000, "requests": 6000}
BOUND_S = 5.0
_WRITES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "shutil.rmtree", "os.truncate")
#: Compiled code, which any process may leave beside its source.
_COMPILED = re.compile(r"__pycache__|\.py[co]|\.nb[ic]")


class _Hang(BaseException):
    """An input took too long; no `except Exception` swallows it."""


class Writes:
    """Sees what this process writes outside a folder, for as long as it is on."""

    def __init__(self) -> None:
        self.folder = ""
        self.found: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.folder or (event != "open" and event not in _WRITES):
            return
        if event == "open":
            flags = arguments[2] if isinstance(arguments[2], int) else 0
            if not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return
        path = arguments[0]
        if event in ("os.remove", "os.rmdir", "os.mkdir") and arguments[-1] != -1:
            return  # relative to a folder that was opened, and told, before
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        text = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
        if not text.startswith((self.folder, os.devnull, "/dev/shm", "/proc")) and not _COMPILED.search(text):
            self.found.append(f"{event} {text}")


def measure(*, seed: int) -> dict[str, Any]:
    """Measure the part; see the module."""
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        told = fuzz(Path(folder).resolve(), COUNTS, seed)
    total = sum(one["inputs"] for one in told["kinds"].values())
    faults = sum(len(one["faults"]) for one in told["kinds"].values())
    figures = [
        figure("trust_fuzz_inputs", total, "inputs", target=20_000, at_most=False, n=len(COUNTS), seed=seed),
        figure("trust_fuzz_faults", faults, "inputs", target=0, n=total, seed=seed),
        figure("trust_fuzz_hangs", sum(one["hangs"] for one in told["kinds"].values()), "inputs", target=0, n=total,
               seed=seed),
        figure("trust_fuzz_writes_outside", len(told["written_outside"]), "files", target=0, n=total, seed=seed),
        figure("trust_fuzz_slowest", max(one["slowest_s"] for one in told["kinds"].values()), "s", target=BOUND_S,
               n=total, seed=seed),
    ]  # fmt: skip
    return {"figures": figures, "seconds": round(time.perf_counter() - begun), **told}


def fuzz(folder: Path, counts: dict[str, int], seed: int, *, town: Workspace | None = None) -> dict[str, Any]:
    """Try so many inputs of each kind.

    Parameters
    ----------
    folder : Path
        For all that is written.
    counts : dict of int
        By kind: `scenarios`, `imports`, `stores`, `requests`.
    town : Workspace, optional
        A workspace whose whole job is done; made here if left out. A copy is questioned.

    Returns
    -------
    dict
        `kinds`: inputs, refused, hangs, slowest and faults of each; `written_outside`.
    """
    os.environ["ZONEWISE_CACHE"] = str(folder / "cache")
    if town is None:
        town = Workspace(folder / "made")
        if small.command(["demo", str(town.root), *small.TOWN, "--no-serve"]) != 0:
            raise ZonewiseError("the small workspace could not be made")
    space = Workspace(folder / "home" / "town")
    shutil.copytree(town.root, space.root)
    kinds: dict[str, dict[str, Any]] = {}
    with _alone(folder, space.root.parent) as writes:
        tries = {"scenarios": _scenarios, "imports": _imports, "stores": _stores, "requests": requests}
        for number, (kind, make) in enumerate(tries.items()):
            if counts.get(kind):
                work = folder / kind
                work.mkdir()
                kinds[kind] = _survived(make(space, work), counts[kind], [seed, number])
    return {"kinds": kinds, "written_outside": sorted(set(writes.found))[:20]}


@contextmanager
def _alone(folder: Path, home: Path) -> Iterator[Writes]:
    """Nothing leaves the folder: temporary files go into it, workers are not started, the home is its own."""
    from app import jobs

    before, launch, temporary = dict(os.environ), jobs.launch, tempfile.tempdir
    (folder / "tmp").mkdir()
    writes = Writes()
    try:
        os.environ.update({"ZONEWISE_HOME": str(home), "MPLCONFIGDIR": str(folder / "tmp")})
        tempfile.tempdir = str(folder / "tmp")
        jobs.launch = lambda workspace, job: 0
        writes.folder = str(folder)
        logging.disable(logging.CRITICAL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield writes
    finally:
        logging.disable(logging.NOTSET)
        writes.folder = ""
        jobs.launch, tempfile.tempdir = launch, temporary
        os.environ.clear()
        os.environ.update(before)


def _survived(tries: list[tuple[str, Try]], count: int, seed: list[int]) -> dict[str, Any]:
    """Try every way in turn, so many times in all."""
    told: dict[str, Any] = {"inputs": 0, "refused": 0, "hangs": 0, "slowest_s": 0.0, "slowest": "", "faults": []}

    def ring(signum: int, frame: object) -> None:
        raise _Hang(f"more than {BOUND_S:g} s")

    for _, attempt in tries * 2:  # what is loaded on first use takes seconds, and is no hang
        with suppress(Exception), small.quiet():
            attempt(np.random.default_rng(0))
    before = signal.signal(signal.SIGALRM, ring)
    try:
        for k in range(count):
            name, attempt = tries[k % len(tries)]
            rng = np.random.default_rng([*seed, k])
            begun = time.perf_counter()
            signal.setitimer(signal.ITIMER_REAL, BOUND_S)
            try:
                with small.quiet():
                    attempt(rng)
            except ZonewiseError as error:
                told["refused"] += 1
                if not str(error).strip():
                    told["faults"].append(f"{name} {k}: an error without words")
            except _Hang:
                told["hangs"] += 1
                told["faults"].append(f"{name} {k}: hung")
            except Exception as error:
                told["faults"].append(f"{name} {k}: {type(error).__name__}: {str(error)[:160]}")
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
            passed = time.perf_counter() - begun
            if passed > told["slowest_s"]:
                told |= {"slowest_s": round(passed, 3), "slowest": f"{name} {k}"}
            told["inputs"] += 1
            if k % 500 == 0:
                gc.collect()
    finally:
        signal.signal(signal.SIGALRM, before)
    return told


# ---------------------------------------------------------------------- scenarios


def _scenarios(space: Workspace, work: Path) -> list[tuple[str, Try]]:
    import yaml

    from app.pipeline import stored_city
    from simulation.scenarios import from_form, read_scenario

    city = stored_city(space)
    shipped = sorted(files("data").joinpath("scenarios").iterdir(), key=lambda file: file.name)
    texts = [small.SCENARIO, *(file.read_text() for file in shipped if file.name.endswith(".yaml"))]
    path = work / "scenario.yaml"

    def text(rng: np.random.Generator) -> None:
        path.write_bytes(damaged(texts[int(rng.integers(0, len(texts)))].encode(), rng))
        read_scenario(path, city)

    def form(rng: np.random.Generator) -> None:
        value = yaml.safe_load(texts[int(rng.integers(0, len(texts)))])
        scenario = from_form(forged(value, rng))
        scenario.apply(city)

    return [("yaml", text), ("form", form)]


# ---------------------------------------------------------------------- imports


def _imports(space: Workspace, work: Path) -> list[tuple[str, Try]]:
    import osmnx  # noqa: F401  (loads for seconds)

    from app.care.backup import back_up
    from app.care.restore import restore
    from data import cities
    from data.readers.detector_files import read_detector_files
    from data.readers.polygons import read_polygons
    from data.readers.station_files import read_station_files
    from data.readers.weather import read_weather

    table = small.readings(2, 1)
    whole = {"csv": small.csv_bytes(table), "places": small.csv_bytes(small.places()), "osm": _town().encode(),
             "geojson": _zones().encode(), "weather": _weather()}  # fmt: skip
    sink = io.BytesIO()
    table.to_parquet(sink)
    whole["parquet"] = sink.getvalue()
    little = Workspace(work / "little")
    little.update(city="toy")
    with little.runs.write("city", {"little": 1}) as run:
        run.json("told", {"word": "yes"})
    back_up(little, work / "little.tar")
    whole["tar"] = (work / "little.tar").read_bytes()
    stands = work / "stands.csv"
    stands.write_bytes(whole["places"])

    def through(kind: str, ending: str, read: Callable[[Path], object]) -> tuple[str, Try]:
        path = work / f"given.{ending}"

        def attempt(rng: np.random.Generator) -> None:
            path.write_bytes(damaged(whole[kind], rng))
            read(path)

        return kind, attempt

    def restored(path: Path) -> None:
        try:
            restore(path, Workspace(work / "restored"))
        finally:
            shutil.rmtree(work / "restored", ignore_errors=True)

    return [
        through("csv", "csv", lambda p: read_detector_files([p], places=stands, timezone="Europe/Berlin")),
        through("parquet", "parquet", lambda p: read_detector_files([p], places=stands, timezone="Europe/Berlin")),
        through("places", "csv", lambda p: read_detector_files([stands], places=p, timezone="Europe/Berlin")),
        through("csv", "csv", lambda p: read_station_files([p], places=stands, timezone="Europe/Berlin")),
        through("geojson", "geojson", read_polygons),
        through("osm", "osm", lambda p: cities._read(str(p), p, "Europe/Helsinki", work)),
        through("weather", "csv", lambda p: read_weather(p, timezone="Europe/Helsinki")),
        through("tar", "tar", restored),
    ]


def _town() -> str:
    """A crossing with four arms as OpenStreetMap tells it."""
    places = {1: (60.170, 24.940), 2: (60.172, 24.943), 3: (60.170, 24.946), 4: (60.168, 24.943), 5: (60.170, 24.943)}
    nodes = "".join(f'<node id="{k}" version="1" lat="{lat}" lon="{lon}"/>' for k, (lat, lon) in places.items())
    ways = "".join(
        f'<way id="{100 + k}" version="1"><nd ref="{k}"/><nd ref="5"/><tag k="highway" v="residential"/>'
        f'<tag k="name" v="Street {k}"/><tag k="maxspeed" v="40"/><tag k="lanes" v="2"/></way>' for k in range(1, 5)
    )  # fmt: skip
    return f'<?xml version="1.0"?>\n<osm version="0.6">\n{nodes}\n{ways}\n</osm>\n'


def _zones() -> str:
    squares = [
        {"type": "Feature", "properties": {"name": f"Zone {k}"}, "geometry": {"type": "Polygon", "coordinates": [
            [[24.94 + k / 100, 60.17], [24.95 + k / 100, 60.17], [24.95 + k / 100, 60.18], [24.94 + k / 100, 60.17]]]}}
        for k in range(3)
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": squares})


def _weather() -> bytes:
    rows = [f"2026-03-02 {k:02d}:00,{3 + k / 10:.1f},{2.5:.1f},180" for k in range(24)]
    return "\n".join(["time,temperature_c,wind_speed_mps,wind_direction_deg", *rows, ""]).encode()


# ---------------------------------------------------------------------- files of the store


def _stores(space: Workspace, work: Path) -> list[tuple[str, Try]]:
    from app.jobs import Jobs
    from models.contract import Forecaster
    from models.registry import Registry

    registry = Registry(space.models)
    rows = list(registry.list().itertuples())
    models = [registry.files(row.zone_id, row.target) for row in rows[:6]]
    runs = space.runs
    ids = list(space.describe()["runs"].values())
    every = [path for run in ids for path in sorted((runs.root / run).iterdir()) if path.is_file()]
    small_ones = [path for path in every if path.stat().st_size < 300_000]
    jobs = Jobs(work / "jobs.sqlite")
    jobs.add("scenario", {"a": 1})
    with jobs._base() as base:
        base.execute("SELECT 1")
    table = jobs.path.read_bytes()

    def model(rng: np.random.Generator) -> None:
        held = dict(models[int(rng.integers(0, len(models)))])
        name = list(held)[int(rng.integers(0, len(held)))]
        held[name] = damaged(held[name], rng)
        Forecaster.load(held)

    def head(rng: np.random.Generator) -> None:
        held = dict(models[int(rng.integers(0, len(models)))])
        held["model.json"] = json.dumps(forged(json.loads(held["model.json"]), rng)).encode()
        Forecaster.load(held)

    def arrays(rng: np.random.Generator) -> None:
        """Digests that fit the damage: somebody forged both."""
        held = dict(models[int(rng.integers(0, len(models)))])
        held["arrays.npz"] = damaged(held["arrays.npz"], rng)
        told = json.loads(held["model.json"])
        told.pop("sha256", None)
        Forecaster.load({**held, "model.json": json.dumps(told).encode()})

    def run(rng: np.random.Generator) -> None:
        path = small_ones[int(rng.integers(0, len(small_ones)))]
        whole = path.read_bytes()
        try:
            path.write_bytes(damaged(whole, rng))
            if path.name == "manifest.json":
                runs.manifest(path.parent.name)
                runs.check(path.parent.name)
            elif path.suffix == ".parquet":
                runs.read(path.parent.name, path.stem)
            elif path.suffix == ".npz":
                runs.read_arrays(path.parent.name, path.stem)
            else:
                runs.read_json(path.parent.name, path.stem)
        finally:
            path.write_bytes(whole)

    def description(rng: np.random.Generator) -> None:
        path = space.root / "workspace.json"
        whole = path.read_bytes()
        try:
            path.write_bytes(damaged(whole, rng))
            space.describe()
            space.room.check()
        finally:
            path.write_bytes(whole)

    def job_table(rng: np.random.Generator) -> None:
        path = work / "given.sqlite"
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            (work / name).unlink(missing_ok=True)
        path.write_bytes(damaged(table, rng))
        Jobs(path).list()

    def standing(rng: np.random.Generator) -> None:
        row = rows[int(rng.integers(0, len(rows)))]
        base = f"{row.zone_id}/{row.target}"
        keys = (f"{base}/current.json", f"{base}/{row.version}/card.json", "log.jsonl", "index.json")
        key = keys[int(rng.integers(0, 4))]
        whole = space.models.get(key) if key in space.models.list(key) else b"{}"
        try:
            space.models.put(key, damaged(whole, rng))
            registry.list()
            registry.log()
            registry.load(row.zone_id, row.target)
        finally:
            space.models.put(key, whole)

    return [("model", model), ("head", head), ("arrays", arrays), ("run", run), ("description", description),
            ("jobs", job_table), ("registry", standing)]  # fmt: skip

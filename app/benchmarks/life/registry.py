"""The registry with a thousand zones: how long changes take, and what a kill in the middle of one leaves behind.

A ridge micromodel of each of 20 zones is fitted on a made city and stored under 1,000 zone names, two versions each.
Then all are promoted in one call, listed, and loaded one by one. Kills: a process (a fork of this one) changes 20 zones
over and over, promoting all, rolling back, or storing new versions; SIGKILL hits it at a random moment. After each
kill every zone must have a version in force that is whole (its files' SHA-256 are the card's) and forecasts what the
zone's model forecasts, and the next change must succeed. Last, two processes promote different versions at once.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from app.benchmarks.models.altered import made_city
from data.errors import ZonewiseError
from data.store.folder import FolderStore
from models import registry_index
from models.contract import Forecaster
from models.forecasting import LearnedForecaster
from models.panel import Panel
from models.registry import Registry

ZONES, FITTED = 1000, 20
TARGET = "speed_mps"
KILLS = 60
REPEATS = 3
Key = tuple[str, str]


def measure(*, seed: int) -> dict[str, Any]:
    """Measure the part; see the module."""
    panel = made_city(zones=FITTED, days=14, seed=seed)
    target = TARGET if TARGET in panel.values else next(iter(panel.values))
    zones = panel.zone_ids[:FITTED]
    whole = LearnedForecaster("ridge", seed=seed).fit(panel, target=target, zone_ids=zones, train_end=panel.times[-1])
    models = [whole.one(zone) for zone in zones]
    keys = [(f"Z{k:04d}", target) for k in range(ZONES)]
    with tempfile.TemporaryDirectory() as folder:
        figures, told = _speed(Path(folder), {key: models[k % FITTED] for k, key in enumerate(keys)}, seed)
    with tempfile.TemporaryDirectory() as folder:
        found = _kills(Path(folder), dict(zip(keys, models)), panel, seed)
    figures.append(figure("life_registry_kills", found["kills"], "kills", n=FITTED, seed=seed))
    figures.append(
        figure(
            "life_registry_broken_after_kill", found["broken"], "zones", target=0, n=found["kills"] * FITTED, seed=seed
        )
    )
    with tempfile.TemporaryDirectory() as folder:
        broken = _at_once(Path(folder), dict(zip(keys, models)))
    figures.append(figure("life_registry_broken_by_two_writers", broken, "zones", target=0, n=FITTED, seed=seed))
    return {"figures": figures, **told, **found}


def _speed(folder: Path, models: dict[Key, Forecaster], seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    store = FolderStore(folder)
    registry = Registry(store, by="benchmark")
    saved = _seconds(lambda: registry.save_many(models))[0]
    registry.save_many(models)
    first = dict.fromkeys(models, "0001")
    second = dict.fromkeys(models, "0002")
    promote = [_seconds(lambda v=v: registry.promote_many(v)) for v in (first, second) * REPEATS]  # type: ignore[misc]
    store.delete(registry_index.KEY)
    anew = _seconds(registry.list)
    listed = [_seconds(registry.list) for _ in range(REPEATS)]
    load = [_seconds(lambda key=key: registry.load(*key))[0] for key in models]  # type: ignore[misc]
    one = _seconds(lambda: registry.promote(*next(iter(models)), "0001"))[0]
    back = _seconds(lambda: registry.rollback(*next(iter(models))))[0]
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    n = len(models)
    figures = [
        figure(
            "life_registry_promote_1000", float(np.median([w for w, _ in promote])), "s", target=1.0, n=n, seed=seed
        ),
        figure("life_registry_promote_1000_processor", float(np.median([c for _, c in promote])), "s", n=n, seed=seed),
        figure("life_registry_list_1000", float(np.median([w for w, _ in listed])), "s", target=1.0, n=n, seed=seed),
        figure("life_registry_list_1000_processor", float(np.median([c for _, c in listed])), "s", n=n, seed=seed),
        figure("life_registry_list_1000_without_index", anew[0], "s", target=1.0, n=n, seed=seed),
        figure("life_registry_load_p50", 1000 * float(np.median(load)), "ms", target=100.0, n=n, seed=seed),
        figure("life_registry_load_p99", 1000 * float(np.quantile(load, 0.99)), "ms", target=100.0, n=n, seed=seed),
        figure("life_registry_load_1000", float(np.sum(load)), "s", n=n, seed=seed),
        figure("life_registry_store_1000", saved, "s", n=n, seed=seed),
        figure("life_registry_promote_one", 1000 * one, "ms", n=1, seed=seed),
        figure("life_registry_rollback_one", 1000 * back, "ms", n=1, seed=seed),
        figure("life_registry_bytes_per_version", size / (2 * n), "bytes", n=2 * n, seed=seed),
    ]
    return figures, {"versions": 2 * n}


def _kills(folder: Path, models: dict[Key, Forecaster], panel: Panel, seed: int) -> dict[str, Any]:
    """Kill a process that changes the registry, and read what it left."""
    rng = np.random.default_rng(seed)
    registry = Registry(FolderStore(folder), by="benchmark")
    registry.save_many(models)
    registry.save_many(models)
    origin = pd.DatetimeIndex([panel.origin(len(panel) - 100)])
    expected = {key: model.forecast(panel, origins=origin) for key, model in models.items()}
    turn = [0]

    def promote() -> None:
        turn[0] += 1
        registry.promote_many(dict.fromkeys(models, f"{1 + turn[0] % 2:04d}"))

    def back() -> None:
        for key in models:
            registry.promote(*key, "0001")
            registry.promote(*key, "0002")
            registry.rollback(*key)

    def save() -> None:
        registry.save_many(models)

    ways: list[Callable[[], None]] = [promote, back, save]
    length = [_seconds(way)[0] for way in ways]
    broken, faults = 0, []
    for kill in range(KILLS):
        way = kill % len(ways)
        if not _killed(ways[way], float(rng.uniform(0.0, 1.5 * length[way]))):
            faults.append(f"{ways[way].__name__} failed by itself before it was killed")
        for key in models:
            try:
                same = np.array_equal(registry.load(*key).forecast(panel, origins=origin), expected[key])
            except ZonewiseError as error:
                same = False
                faults.append(str(error))
            broken += not same
        registry.promote_many(dict.fromkeys(models, "0001"))
        registry.prune(keep=2)
        if (told := registry.check()).size:
            faults += told["fault"].tolist()
    left = registry.sweep()
    return {"kills": KILLS, "broken": broken, "faults": faults[:10], "left_after_sweep": left}


def _killed(work: Callable[[], None], after_s: float) -> bool:
    """Do something over and over in a fork of this process until it is killed; whether the kill ended it."""
    pid = os.fork()
    if pid == 0:
        try:
            while True:
                work()
        finally:
            os._exit(1)
    time.sleep(after_s)
    os.kill(pid, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def _at_once(folder: Path, models: dict[Key, Forecaster]) -> int:
    """Zones without a whole version in force, or with a gap in the log, after two processes promoted at once."""
    registry = Registry(FolderStore(folder), by="benchmark")
    registry.save_many(models)
    registry.save_many(models)
    children = []
    for version in ("0001", "0002"):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                for key in models:
                    registry.promote(*key, version)
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
    broken = 0
    for key in models:
        registry.load(*key)
        changes = len(registry.log(*key))
        broken += changes != registry.standing(*key).change
    return broken + failed


def _seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds that something takes, and those of the processor."""
    wall, own = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - own

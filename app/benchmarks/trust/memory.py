"""Peak memory of the steps of a job, measured in processes of their own, beside what `app.memory` foresees.

The coefficients of `app.memory` were fitted to `FITTED` by least squares (`fit`); the figures are of `CHECKED`, sizes
that were not fitted to. Takes some ten minutes on one core.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from app.benchmarks import figure
from app.memory import MODELS, Size, predicted

_MIB = 1 << 20
#: (step, sizes) that the coefficients come from, and others that they are held against.
FITTED: tuple[tuple[str, dict[str, int]], ...] = (
    ("city", {"links": 1000}), ("city", {"links": 4000}), ("city", {"links": 12000}),
    ("simulation", {"links": 1000, "zones": 10, "days": 1}), ("simulation", {"links": 4000, "zones": 20, "days": 1}),
    ("simulation", {"links": 4000, "zones": 80, "days": 1}), ("simulation", {"links": 1000, "zones": 10, "days": 6}),
    ("observations", {"sensors": 20, "months": 2}), ("observations", {"sensors": 100, "months": 3}),
    ("training", {"zones": 20, "days": 10}), ("training", {"zones": 80, "days": 10}),
    ("training", {"zones": 20, "days": 30}),
    ("comparison", {"zones": 20, "days": 10}), ("comparison", {"zones": 80, "days": 10}),
    ("comparison", {"zones": 20, "days": 30}),
)  # fmt: skip
CHECKED: tuple[tuple[str, dict[str, int]], ...] = (
    ("city", {"links": 7000}), ("simulation", {"links": 2500, "zones": 40, "days": 2}),
    ("observations", {"sensors": 60, "months": 3}),
    ("training", {"zones": 40, "days": 20}),
    ("comparison", {"zones": 40, "days": 20}),
)  # fmt: skip
NEAR = 0.25
_ONE = ("speed_mps",)  # of a panel of four targets: they are learned one after the other


def measure(*, seed: int) -> dict[str, Any]:
    """Measured over predicted peak of each size in `CHECKED`; what is off by more than a quarter misses its target."""
    rows = [row(step, size, seed) for step, size in CHECKED]
    figures = [
        figure(
            f"memory of {one['step']}, {one['words']}: off by", abs(one["ratio"] - 1.0), "share",
            target=NEAR, seed=seed,
        )
        for one in rows
    ]  # fmt: skip
    return {"figures": figures, "rows": rows}


def row(step: str, size: dict[str, int], seed: int = 1) -> dict[str, Any]:
    """Measured and predicted peak of one step at one size, MiB."""
    code = f"from app.benchmarks.trust.memory import peak; print(peak({step!r}, {size!r}, {seed}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout.strip().splitlines()[-1].replace("'", '"'))
    foreseen = predicted(step, Size(**found["size"])) / _MIB if step in MODELS else float("nan")
    words = ", ".join(f"{value} {name}" for name, value in size.items())
    return {
        "step": step, "words": words, "size": found["size"], "peak_mib": found["peak_mib"], "predicted_mib": foreseen,
        "ratio": foreseen / found["peak_mib"], "cpu_s": found["cpu_s"],
    }  # fmt: skip


def fit(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Bytes of each term of `app.memory.MODELS`, by step: least squares of relative errors, none below 0."""
    from scipy.optimize import nnls

    found = {}
    for step, model in MODELS.items():
        own = [one for one in rows if one["step"] == step]
        if own:
            peaks = np.array([one["peak_mib"] * _MIB for one in own])
            terms = np.array([[term(Size(**one["size"])) for _, term, _ in model] for one in own], dtype=float)
            scale = terms.max(axis=0)
            found[step] = list(nnls(terms / scale / peaks[:, None], np.ones(len(own)))[0] / scale)
    return found


def peak(step: str, size: dict[str, int], seed: int) -> dict[str, Any]:
    """Run one step in this process and tell its peak, MiB, and processor seconds."""
    begun = time.process_time()
    told = {
        "city": _city,
        "simulation": _simulation,
        "training": _training,
        "comparison": _comparison,
        "observations": _observations,
    }[step](size, seed)
    return {
        "size": told, "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "cpu_s": time.process_time() - begun,
    }  # fmt: skip


def _made(size: dict[str, int], seed: int) -> Any:
    from app.city_making import city_of
    from data.cities import load_city
    from zones import make_zones

    source = load_city(f"synthetic:{size['links']}@{seed}")
    return city_of(source, make_zones(source.links, source.places, count=size.get("zones", 20)))


def _city(size: dict[str, int], seed: int) -> dict[str, int]:
    city = _made(size, seed)
    return {"links": len(city.links), "zones": len(city.zones)}


def _simulation(size: dict[str, int], seed: int) -> dict[str, int]:
    city = _made(size, seed)
    city.run(days=size["days"], seed=seed)
    return {"links": len(city.links), "zones": len(city.zones), "steps": 96 * size["days"]}


def _observations(size: dict[str, int], seed: int) -> dict[str, int]:
    """Readings of made-up detectors, month by month into a store, then judged and rolled up, half at a time."""
    from app.rolling_up import rolled_up
    from data.store.observations import Observations
    from data.store.protocol import MemoryStore

    observed, rng = Observations(MemoryStore()), np.random.default_rng(seed)
    ids = [f"S{k:04d}" for k in range(size["sensors"])]
    for month in pd.date_range("2020-01-01", periods=size["months"], freq="MS", tz="UTC"):
        times = pd.date_range(month, month + pd.offsets.MonthBegin(), freq="15min", inclusive="left").as_unit("us")
        table = pd.DataFrame({"sensor_id": np.repeat(ids, len(times)), "time": np.tile(times, len(ids))})
        observed.append(table.assign(flow_veh_per_h=rng.integers(0, 900, len(table)).astype(float)))
    zone_of = pd.Series([f"Z{k:04d}" for k in range(len(ids))], index=ids, name="zone_id")
    half = sum(int(note["rows"]) for note in observed.batches()) // 2
    found = rolled_up(observed, zone_of, list(zone_of), dict.fromkeys(ids, "ok"), given_s=900, step_s=900, most=half)
    assert found is not None
    return {"readings": half, "zones": len(ids), "steps": len(found.state) // len(ids)}


def panel(zones: int, days: int, seed: int) -> Any:
    """A made-up panel of four targets at steps of 15 minutes: daily waves and noise."""
    from data.schemas import TARGETS
    from models.panel import Panel

    rng = np.random.default_rng(seed)
    times = pd.date_range("2025-03-03", periods=96 * days, freq="15min", tz="UTC").as_unit("us")
    wave = 1.0 + 0.5 * np.sin(2 * np.pi * np.arange(len(times)) / 96)[:, None]
    values = {name: wave * rng.uniform(5, 15, zones) + rng.normal(0, 0.5, (len(times), zones)) for name in TARGETS[:4]}
    return Panel(times=times, zone_ids=tuple(f"Z{k:04d}" for k in range(zones)), values=values)


def _training(size: dict[str, int], seed: int) -> dict[str, int]:
    from models.training import train

    whole = panel(size["zones"], size["days"], seed)
    train(whole, targets=_ONE, train_end=_test_from(whole, size), seed=seed)
    return _told(whole, size)


def _test_from(whole: Any, size: dict[str, int]) -> pd.Timestamp:
    return whole.times[-1] - pd.Timedelta(days=max(2, size["days"] // 4))


def _comparison(size: dict[str, int], seed: int) -> dict[str, int]:
    """As `zonewise compare` does it: the training that the test days have not seen, then the scores."""
    from models.compare import compare
    from models.training import train

    whole = panel(size["zones"], size["days"], seed)
    compare(whole, train(whole, targets=_ONE, train_end=_test_from(whole, size), seed=seed), seed=seed)
    return _told(whole, size)


def _told(whole: Any, size: dict[str, int]) -> dict[str, int]:
    return {"zones": size["zones"], "steps": len(whole), "targets": len(whole.values)}

"""Costs: what a model takes to train, to retrain for one zone, to forecast with, to keep, and about how much energy.

Processor seconds are those of one process; a latency is that of a real call, features included. The energy is a
proxy, seconds times an assumed power, and no measurement.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.contract import Forecaster
from models.panel import Panel
from models.training import Training

#: W, one busy core: what Green Algorithms takes for a processor that it does not know (Lannelongue et al. 2021,
#: doi:10.1002/advs.202100707, data file TDP_cpu, "Any"). Memory, cooling and idle cores are left out.
CORE_W = 12.0
CALLS = 60
SAMPLE = 32  # zones whose models are stored and weighed, evenly spread; what they take is scaled up to all
RETRAINED = 3  # zones whose micromodel is retrained alone; the median counts
RETRAIN_LIMIT_S = 20.0  # a model that took longer to train is only retrained where `thorough` is asked for
COLUMNS = (
    "model", "target", "zones", "fit_seconds", "latency_ms_p50", "latency_ms_p99", "bytes", "parameters",
    "memory_bytes", "retrain_seconds", "retrain_peak_bytes", "fit_energy_j", "forecast_energy_j",
)  # fmt: skip


def cost_table(
    panel: Panel,
    training: Training,
    target: str,
    zones: Sequence[str],
    known: np.ndarray,
    *,
    thorough: bool = False,
    calls: int = CALLS,
) -> pd.DataFrame:
    """What each kind of model of a target costs.

    Parameters
    ----------
    panel : Panel
    training : Training
    target : str
    zones : sequence of str
        Zones forecast for.
    known : ndarray of int
        Last known positions of origins to time forecasts from.
    thorough : bool
        Retrain every candidate, however long it takes, and once more to find the peak of its memory.
    calls : int
        Forecasts timed for each model.

    Returns
    -------
    DataFrame
        model; target; zones; `fit_seconds` (processor time of all zones, validation included; of the mix: of all its
        members); `latency_ms_p50`, `latency_ms_p99` (one forecast of all anchors, by a micromodel for its zone, by the
        macromodel for the whole city); `bytes` (as stored, of all zones); `parameters` (of all zones); `memory_bytes`
        (arrays and buffers held, a booster by its serialised size); `retrain_seconds` (processor time to learn again
        what serves one zone: its micromodel alone, but the whole macromodel); `retrain_peak_bytes` (most memory held
        meanwhile, as `tracemalloc` sees it: NumPy's arrays, not what XGBoost holds by itself); `fit_energy_j`,
        `forecast_energy_j` (proxies at `CORE_W`). `nan` where not measured.
    """
    past = panel.until(panel.known_by(training.train_end))
    retrained: dict[int, tuple[float, float]] = {}
    rows = []
    for name, kind in _kinds(training, target, zones).items():
        p50, p99 = latency_ms(panel, kind.timed, known, calls=calls)
        size = [model.complexity() for model in kind.weighed]
        again = (float("nan"), float("nan"))
        one = kind.seconds / (len(zones) if name == "micromodel" else 1)
        short = name in ("micromodel", "macromodel") and not one > RETRAIN_LIMIT_S
        if name != "mix" and (thorough or short):
            key = id(kind.timed[0])
            again = retrained.get(key) or _retrain(past, training, kind.timed, thorough)
            retrained[key] = again
        rows.append(
            {"model": name, "target": target, "zones": len(zones), "fit_seconds": kind.seconds, "latency_ms_p50": p50,
             "latency_ms_p99": p99, "bytes": kind.factor * sum(s["bytes"] for s in size),
             "parameters": kind.factor * sum(s["parameters"] for s in size),
             "memory_bytes": kind.factor * memory_bytes(kind.weighed), "retrain_seconds": again[0],
             "retrain_peak_bytes": again[1], "fit_energy_j": CORE_W * kind.seconds,
             "forecast_energy_j": CORE_W * p50 / 1e3}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def latency_ms(
    panel: Panel, models: Sequence[Forecaster], known: np.ndarray, *, calls: int = CALLS
) -> tuple[float, float]:
    """Median and 99th percentile of real calls that forecast all anchors from one origin, ms."""
    taken = []
    for k in range(calls):
        model = models[k % len(models)]
        origin = pd.DatetimeIndex([panel.origin(int(known[(k * 37) % known.size]))])
        started = time.perf_counter()
        model.forecast(panel, origins=origin)
        taken.append(1e3 * (time.perf_counter() - started))
    return float(np.median(taken[3:])), float(np.percentile(taken[3:], 99))


def memory_bytes(models: Iterable[Forecaster]) -> float:
    """Bytes of the arrays and buffers that models hold, each counted once; validation records are left out."""
    seen: set[int] = set()
    return float(sum(_held(model, seen) for model in models))


def _held(thing: Any, seen: set[int]) -> int:
    if thing is None or isinstance(thing, (str, int, float, bool, type)) or id(thing) in seen:
        return 0
    seen.add(id(thing))
    if isinstance(thing, np.ndarray):
        return int(thing.nbytes) + (sum(_held(x, seen) for x in thing.flat) if thing.dtype == object else 0)
    if isinstance(thing, (bytes, bytearray)):
        return len(thing)
    if isinstance(thing, Mapping):
        return sum(_held(x, seen) for x in thing.values())
    if isinstance(thing, (list, tuple, set, frozenset)):
        return sum(_held(x, seen) for x in thing)
    if hasattr(thing, "save_raw"):
        return len(thing.save_raw("ubj"))
    own = getattr(thing, "__dict__", {})
    return sum(_held(value, seen) for name, value in own.items() if name != "validation")


@dataclass(frozen=True, eq=False)
class _Kind:
    """Models that a call is timed of, models that are weighed, how many times these make up all zones, and seconds."""

    timed: list[Forecaster]
    weighed: list[Forecaster]
    factor: float
    seconds: float


def _kinds(training: Training, target: str, zones: Sequence[str]) -> dict[str, _Kind]:
    spread = [zones[k] for k in np.unique(np.linspace(0, len(zones) - 1, min(len(zones), SAMPLE)).astype(int))]
    factor = len(zones) / len(spread)
    taken = {name: seconds for (name, of), seconds in training.seconds.items() if of == target}
    own = {name: m for (name, of), m in {**training.candidates, **training.baselines}.items() if of == target}
    chosen = {training.micromodels[zone, target].name for zone in zones}
    micro: list[Forecaster] = [training.micromodels[zone, target] for zone in spread]
    found = {"micromodel": _Kind(micro, micro, factor, float(sum(taken[name] for name in chosen)))}
    macro, mix = training.macromodels.get(target), training.mixes.get(target)
    if macro is not None:
        seconds = next((taken.get(name, float("nan")) for name, model in own.items() if model is macro), float("nan"))
        found["macromodel"] = _Kind([macro], [macro], 1.0, float(seconds))
    if mix is not None:
        found["mix"] = _Kind([mix.one(zone) for zone in spread], [mix], 1.0, float(sum(taken.values())))
    for name, model in own.items():
        parts: list[Forecaster] = [model] if model.scope == "city" else [model.one(zone) for zone in spread]
        times = 1.0 if model.scope == "city" else factor
        found[name] = _Kind(parts, parts, times, float(taken.get(name, float("nan"))))
    return found


def _retrain(past: Panel, training: Training, models: Sequence[Forecaster], peak: bool) -> tuple[float, float]:
    """Median processor seconds to learn some of the models again, and the peak of memory, bytes."""
    taken = []
    for model in models[:: max(1, len(models) // RETRAINED)][:RETRAINED]:
        begun = time.process_time()
        model.refit(past, train_end=training.train_end)
        taken.append(time.process_time() - begun)
    if not peak or tracemalloc.is_tracing():
        return float(np.median(taken)), float("nan")
    tracemalloc.start()
    try:
        models[0].refit(past, train_end=training.train_end)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    return float(np.median(taken)), float(most)

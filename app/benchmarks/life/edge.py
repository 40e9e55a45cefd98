"""Part `edge`: micromodels of every family as C and as ONNX, beside Python: flash, memory, operations, differences.

Two detector groups of SCATS (15-minute steps, all 16 anchors, neighbours) and a station of Beijing (hourly, all
anchors, weather and other pollutants told), forecasts from the test part, gaps among them.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from app.benchmarks import figure
from app.benchmarks.models.panels import load
from data.errors import InputError
from models.design import Workbench
from models.errors import SettingsError
from models.export.c_source import c_files
from models.export.families import EXPORTABLE
from models.export.onnx_graph import OnnxMicromodel, onnx_bytes
from models.export.replaying import agreement
from models.export.sizes import Compiled
from models.forecasting import LearnedForecaster

ORIGINS = 150
FLASH, DIFFERENCE = 32_768.0, 1e-5
LATENCIES = 400
#: What a zone is typically given: lines, and the students of distillation.
TYPICAL = ("ridge", "quantile_linear", "model_tree")
#: Panel, zones trained together (the first is exported), families.
CASES: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("scats", 2, EXPORTABLE),
    ("pm25", 1, ("ridge", "quantile_linear", "model_tree", "tree")),
)


def measure(*, seed: int) -> dict[str, Any]:
    """Figures of the part; `InputError` without data or a compiler."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {}
    notes: list[str] = []
    for name, count, families in CASES:
        try:
            bench = load(name)
        except InputError as error:
            notes.append(str(error))
            continue
        train, zones = bench.train, bench.zone_ids[:count]
        work = Workbench(train, target=bench.target, zone_ids=zones)
        for family in families:
            model = LearnedForecaster(family, seed=seed)
            end = train.origin(len(train) - 1)
            model.fit(train, target=bench.target, zone_ids=zones, train_end=end, bench=work)
            known = np.unique(np.linspace(bench.test_from, len(bench.panel) - 1, ORIGINS).astype(int))
            try:
                made, told[f"{name} {family}"] = _one(model.one(zones[0]), bench.panel, known, f"{name} {family}", seed)
            except SettingsError as error:
                raise InputError(str(error)) from error
            figures += made
    if not figures:
        raise InputError("; ".join(notes))
    return {"figures": figures, "models": told, "notes": notes}


def _one(model, panel, known, head: str, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:  # type: ignore[no-untyped-def]
    files = c_files(model, timezone=panel.timezone, country=panel.country, phase_s=_phase(panel))
    with tempfile.TemporaryDirectory() as folder:
        compiled = Compiled(files, Path(folder))
        sizes, found = compiled.sizes(), agreement(compiled, model, panel, known)
    typical = head.split()[-1] in TYPICAL
    data = onnx_bytes(model)
    session = OnnxMicromodel(data)
    want = model.forecast(panel, origins=panel.origins(known))[:, 0]
    apart = np.abs(session.forecast(model, panel, known) - want) / np.maximum(np.abs(want), found.floor)
    p50, p99 = _latency(session, model, panel, known)
    figures = [
        figure(f"{head}: C, flash", float(sizes.flash), "B", target=FLASH if typical else None, seed=seed),
        figure(f"{head}: C, RAM (state and stack)", float(sizes.ram), "B", seed=seed),
        figure(f"{head}: C, operations a forecast of {len(files.steps)} horizons", float(sizes.operations), "1"),
        figure(f"{head}: C, largest relative difference", found.relative, "1", target=DIFFERENCE, n=known.size),
        figure(f"{head}: ONNX, largest relative difference", float(apart.max()), "1", target=DIFFERENCE, n=known.size),
        figure(f"{head}: ONNX, file", float(len(data)), "B"),
        figure(f"{head}: ONNX, latency after features, p50", p50, "ms", n=LATENCIES),
        figure(f"{head}: ONNX, latency after features, p99", p99, "ms", n=LATENCIES),
    ]
    told = {"state_bytes": sizes.state, "stack_bytes": sizes.stack, "features": len(files.features),
            "sides": len(files.sides)}  # fmt: skip
    return figures, told


def _phase(panel) -> int:  # type: ignore[no-untyped-def]
    return int(panel.times[0].timestamp()) % int(panel.step_s)


def _latency(session: OnnxMicromodel, model, panel, known: np.ndarray) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Median and 99th percentile of one zone's forecast, its features at hand, ms."""
    rows = model.featuriser.rows(panel, known[:1], model.anchors)
    aim = known[:1, None] + np.asarray(model.anchors)
    usual, stray = model.profile.usual(panel.calendar, aim)[..., 0], model.profile.stray(panel.calendar, aim)[..., 0]
    taken = []
    for _ in range(LATENCIES):
        begun = time.perf_counter()
        session.quantiles(rows.common[:, 0], rows.ahead[:, 0], usual, stray)
        taken.append(1000 * (time.perf_counter() - begun))
    return float(np.median(taken)), float(np.percentile(taken, 99))

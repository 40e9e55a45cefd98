"""Case `models`: the micromodel library against one citywide model and against peers, on real panels.

`--data metr scats pm25 no2 auckland` names panels (all whose data is there, where none is named); `--only` names parts:
`accuracy`, `peers`, `metr` (on that panel alone), `throughput` (on made rows), `shuffled`; all where none is named.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from app.benchmarks import figure
from app.benchmarks.models.gaps import gaps
from app.benchmarks.models.library import AS_LEARNED, AUTOMATIC, Library, run_library
from app.benchmarks.models.panels import load, names
from app.benchmarks.models.score import Difference, differences, scores
from app.benchmarks.models.split import BenchmarkPanel
from data.errors import InputError
from models.intervals import QUANTILES
from models.intervals.scores import coverage, hits, interval_score, low_zone_by_chance

Array = np.ndarray
PARTS = ("accuracy", "peers", "metr", "throughput", "shuffled")
#: The automatic choice should beat the best peer by this share of its MAE, on these panels at these figures.
PEER_GAIN = {("pm25", "1 h"): 0.05, ("pm25", "6 h"): 0.05, ("no2", "1 h"): 0.05, ("no2", "6 h"): 0.05}
CHOICE_LIMIT, CHOICE_AIM = 1.01, 0.98
COVERAGE, LOW_ZONE, LOW_ZONE_LONG, LONG_HOURS = (0.885, 0.915), 0.86, 0.87, 1000
_LOW, _HIGH = QUANTILES.index(0.05), QUANTILES.index(0.95)


def run(arguments: Sequence[str]) -> dict[str, Any]:
    """Run the case; see the module."""
    parser = argparse.ArgumentParser(prog="zonewise benchmark models")
    parser.add_argument("--data", nargs="*", choices=names(), default=[], help="panels; all where none is named")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=[], help="parts; all where none is named")
    parser.add_argument("--effort", default="standard", help="families that compete: quick, standard or thorough")
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args(list(arguments))
    with threadpool_limits(limits=1):  # seconds are of one thread, in every library
        return _measured(wanted.data or names(), set(wanted.only or PARTS), wanted.effort, wanted.seed)


def _measured(panels: Sequence[str], parts: set[str], effort: str, seed: int) -> dict[str, Any]:
    """Figures of some parts on some panels; a panel whose data is not there is told and left out."""
    figures: list[dict[str, Any]] = []
    told: dict[str, Any] = {"panels": {}, "notes": []}
    for name in panels if parts - {"throughput"} else ():
        if name != "metr" and parts <= {"metr", "throughput"}:
            continue
        try:
            bench = load(name)
        except InputError as error:
            told["notes"].append(f"{name}: {error}")
            continue
        if {"accuracy", "peers"} & parts:
            made, panel = accuracy(bench, effort=effort, seed=seed, peers="peers" in parts)
            figures += made
            told["panels"][name] = panel
        if name == "metr" and "metr" in parts:
            from app.benchmarks.models.metr import metr_figures

            figures += metr_figures(bench, seed=seed)
        if "shuffled" in parts:
            from app.benchmarks.models.guards import shuffled_figures

            figures += shuffled_figures(bench, seed=seed)
    if "throughput" in parts:
        from app.benchmarks.models.throughput import throughput_figures

        figures += throughput_figures(seed=seed)
    if not figures:
        raise InputError("nothing was measured: " + ("; ".join(told["notes"]) or "part `metr` needs panel `metr`"))
    for choice in (AUTOMATIC, AS_LEARNED):
        ratios = [f["value"] for f in figures if f["name"].endswith(f": {choice} over the better kind, MAE")]
        if ratios:
            share = float(np.mean(np.asarray(ratios) <= CHOICE_AIM))
            name = f"panel-horizons where the {_called(choice)} is at most {CHOICE_AIM} of the better kind"
            figures.append(figure(name, share, "1", target=0.5, at_most=False, n=len(ratios)))
    return {"figures": figures, **told}


def accuracy(
    bench: BenchmarkPanel, *, effort: str, seed: int, peers: bool
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Errors of everyone on a panel's test part, the choice, the intervals and the gap to validation."""
    started = time.process_time()
    ours = run_library(bench, effort=effort, seed=seed)
    spent = time.process_time() - started
    scored = {name: scores(bench, forecast) for name, forecast in ours.forecasts.items()}
    figures = [figure(f"{bench.name}: library, all families, CPU", spent, "s", seed=seed)]
    figures += choice_figures(ours, scored) + interval_figures(ours)
    made, words = gaps(ours)
    figures += made
    table = {name: {task: vars_of(score) for task, score in of.items()} for name, of in scored.items()}
    told: dict[str, Any] = {
        "notes": bench.notes, "unit": bench.unit, "errors": table, "validation_mae": ours.validated(),
        "seconds": ours.seconds, "gaps": words,
        "in_use": ours.training.choices["model_in_use"].value_counts().to_dict(),
        "families": ours.training.choices["family"].value_counts().to_dict(),
        "weights": {
            member.family: np.round(weights.mean(axis=0), 3).tolist()
            for member, weights in zip(
                ours.training.mixes[bench.target].members, ours.training.mixes[bench.target].weights
            )
        },
    }  # fmt: skip
    if peers:
        made, beside = peer_figures(ours, seed)
        figures += made
        told["peers"] = beside
    return figures, told


def vars_of(score: Any) -> dict[str, float]:
    """A score as plain numbers."""
    return {"mae": score.mae, "rmse": score.rmse, "n": score.n}


def choice_figures(ours: Library, scored: dict[str, Any]) -> list[dict[str, Any]]:
    """The automatic choice, as it serves and as learned, against the best of each kind, each chosen on validation."""
    bench, figures = ours.bench, []
    micro, macro = ours.best("zone"), ours.best("city")
    follows = {family: scores(bench, ours.following(family)) for family in {*micro.values(), *macro.values()}}
    for task in bench.tasks:
        head = f"{bench.name} {task.name}"
        own, city = scored[micro[task.name]][task.name], scored[macro[task.name]][task.name]
        better = min(own.mae, city.mae)
        likewise = min(follows[kind[task.name]][task.name].mae for kind in (micro, macro))
        for choice in (AUTOMATIC, AS_LEARNED):
            found, name = scored[choice][task.name], _called(choice)
            figures += [
                figure(f"{head}: {name}, MAE", found.mae, bench.unit, n=found.n),
                figure(f"{head}: {name}, RMSE", found.rmse, bench.unit, n=found.n),
                figure(f"{head}: {choice} over the better kind, MAE", found.mae / better, "1", target=CHOICE_LIMIT),
            ]  # fmt: skip
        figures += [
            figure(f"{head}: automatic over the better kind that follows its errors likewise, MAE",
                   scored[AUTOMATIC][task.name].mae / likewise, "1", target=CHOICE_LIMIT),
            figure(f"{head}: best micromodel ({micro[task.name]}), MAE", own.mae, bench.unit),
            figure(f"{head}: best macromodel ({macro[task.name]}), MAE", city.mae, bench.unit),
            figure(f"{head}: each zone's own choice, MAE", scored["micromodel"][task.name].mae, bench.unit),
        ]  # fmt: skip
        gap = differences(bench, ours.forecasts[micro[task.name]], ours.forecasts[macro[task.name]])[task.name]
        figures.append(
            figure(f"{head}: micromodels less macromodel, share of its MAE", gap.share, "1", n=gap.blocks,
                   lower=gap.lower / city.mae, upper=gap.upper / city.mae)
        )  # fmt: skip
    return figures


def _called(choice: str) -> str:
    return choice.replace(AUTOMATIC, f"{AUTOMATIC} choice")


def interval_figures(ours: Library) -> list[dict[str, Any]]:
    """Coverage, score and width of 90 % intervals of the automatic choice as it serves, beside static ones by zone."""
    bench, figures = ours.bench, []
    quantiles, static = ours.quantiles, ours.static()
    history = bench.panel.values[bench.target][: bench.test_from]
    span = np.nanmax(history, axis=0) - np.nanmin(history, axis=0)
    for task in bench.tasks:
        step = task.places[-1]
        actual = bench.actual[task.rows][:, :, step]
        low, high = (quantiles[task.rows][:, :, step, k] for k in (_LOW, _HIGH))
        found = coverage(actual, low, high)
        flat = [static[task.rows][:, :, step, k] for k in (_LOW, _HIGH)]
        winkler, plain = (float(np.nanmean(interval_score(actual, *pair, nominal=0.9))) for pair in ((low, high), flat))
        hours = len(task.rows) * bench.panel.step_s / 3600
        head = f"{bench.name} {task.name}: 90 % interval"
        figures += [
            figure(f"{head}, coverage, distance from 0.9", abs(found.mean - 0.9), "1", target=0.9 - COVERAGE[0],
                   n=int(np.isfinite(actual).sum())),
            figure(f"{head}, coverage", found.mean, "1"),
            figure(f"{head}, coverage of the 5th-percentile zone", found.low_zone, "1", at_most=False,
                   target=LOW_ZONE_LONG if hours >= LONG_HOURS else LOW_ZONE),
            figure(f"{head}, the same if every zone's true coverage were 0.9 (chance alone)",
                   low_zone_by_chance(hits(actual, low, high), 0.9), "1"),
            figure(f"{head}, Winkler score over that of static intervals by zone", winkler / plain, "1", target=1.0),
            figure(f"{head}, widest over the training range", float(((high - low) / span).max()), "1", target=1.0),
        ]  # fmt: skip
    return figures


def peer_figures(ours: Library, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The automatic choice against the best peer, which was chosen on validation.

    Beside it the choice as it was learned against the same peer, and as it serves against the peer following likewise.
    """
    from app.benchmarks.models.peers import run_peers

    bench, figures = ours.bench, []
    peers = run_peers(bench, seed=seed)
    best, errors = peers.best(), peers.errors()
    serving, learned = ours.forecasts[AUTOMATIC], ours.forecasts[AS_LEARNED]
    follows = {name: peers.following(name) for name in set(best.values())}
    apart = {
        name: [differences(bench, *pair) for pair in ((serving, theirs), (learned, theirs), (serving, follows[name]))]
        for name, theirs in ((name, peers.found[name].forecasts) for name in follows)
    }
    maes = {name: scores(bench, forecasts) for name, forecasts in follows.items()}
    for task in bench.tasks:
        name = best[task.name]
        mae, head = errors[name][task.name][0], f"{bench.name} {task.name}"
        wanted = PEER_GAIN.get((bench.name, task.name))
        target = -wanted if wanted else None
        gap, before, likewise = (of[task.name] for of in apart[name])
        figures += [
            figure(f"{head}: best peer ({name}), MAE", mae, bench.unit),
            _gain(f"{head}: automatic less best peer, share of its MAE", gap, mae, target),
            _gain(f"{head}: automatic as learned less best peer, share of its MAE", before, mae, target),
            _gain(f"{head}: automatic less best peer that follows its errors likewise, share of its MAE", likewise,
                  maes[name][task.name].mae, None),
            figure(f"{head}: clearly worse than the best peer (1) or not (0)", float(gap.worse), "1", target=0.0),
        ]  # fmt: skip
    told = {name: {"errors": errors[name], "cpu_s": p.cpu_s, "note": p.note} for name, p in peers.found.items()}
    return figures, {**told, "missing": peers.missing}


def _gain(name: str, gap: Difference, mae: float, target: float | None) -> dict[str, Any]:
    return figure(name, gap.share, "1", n=gap.blocks, lower=gap.lower / mae, upper=gap.upper / mae, target=target)

"""Outcome: what a comparison concludes, in sentences a planner understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from data.units import DISPLAY
from models.backtest import LEAST_DAYS
from models.regimes import WORDS
from models.verdicts import POWER

if TYPE_CHECKING:
    from models.compare import Comparison

NAMED = 3  # zones named at most where a model wins
CLEAR = 0.1  # corrected p up to which a regime is told


def outcome(comparison: Comparison, *, costs: bool = True) -> str:
    """Who wins where, by how much and how surely, in which regime, in new zones, and at what cost.

    Without `costs` the words follow from the readings, models and seed alone: what was measured with a clock is left
    out, and `costs_in_words` tells it.
    """
    lines = []
    for target, rows in comparison.paired.groupby("target", sort=False):
        for at, (horizon, part) in enumerate(rows.groupby("horizon_s")):
            lines.append(f"{name_of(str(target))}, {ahead(float(str(horizon)))} ahead: {_zones(part)}")
            pooled = comparison.pooled.get(str(target))
            if pooled is not None:
                lines[-1] += " " + _overall(str(target), pooled, at)
            pairs = comparison.regime_pairs
            if len(pairs):
                same = (pairs["target"] == target) & (pairs["horizon_s"] == horizon)
                lines[-1] += _regimes(pairs[same])
    lines += _new(comparison) + ([words] if costs and (words := costs_in_words(comparison.costs)) else [])
    if comparison.test_days < LEAST_DAYS:
        lines.append(
            f"The test part is shorter than {LEAST_DAYS} days, so that quarters of a day were resampled, which do not"
            " see what lasts through a day: read every verdict with doubt."
        )
    return "\n".join(lines)


def ahead(horizon_s: float) -> str:
    """A horizon in words: `15 min`, `1 h`."""
    return f"{horizon_s / 60:g} min" if horizon_s < 3600 else f"{horizon_s / 3600:g} h"


def name_of(target: str) -> str:
    """What a target is called on screens."""
    return DISPLAY.get(target, ("", 1.0, 1, target))[3]


def _zones(part: pd.DataFrame) -> str:
    """Zones won by each, and how small a difference could have been seen."""
    wins = part["verdict"].value_counts()
    text = (
        f"micromodels win {wins.get('micromodel', 0)} of {len(part)} zones{_where(part, 'micromodel')}, the macromodel"
        f" {wins.get('macromodel', 0)}{_where(part, 'macromodel')}, {wins.get('tie', 0)} are ties (corrected for"
        f" {len(part)} zones)."
    )
    ties = part[part["verdict"] == "tie"]
    seen = float(ties["visible"].median()) if len(ties) else float("nan")
    if seen < 1:
        text += (
            f" In a tied zone, a difference of {100 * seen:.0f} % would have been told {100 * POWER:.0f} times in 100."
        )
    elif len(ties):
        text += " In tied zones the test is too short to tell any difference."
    less = int((part["difference"] < 0).sum())
    return f"{text} Chance left aside, micromodels erred less in {less} of {len(part)}."


def _where(part: pd.DataFrame, model: str) -> str:
    """The zones that a model wins by most."""
    won = part[part["verdict"] == model]
    if won.empty:
        return ""
    gain = (100 * won["difference"].abs() / won["macro_mae"]).to_numpy()
    order = np.argsort(-gain, kind="stable")[:NAMED]
    named = [f"{won['zone_id'].iloc[k]} by {gain[k]:.0f} %" for k in order]
    return f" ({'most in ' if len(won) > NAMED else ''}{', '.join(named)})"


def _overall(target: str, test, at: int) -> str:  # type: ignore[no-untyped-def]
    """All zones as one."""
    unit, factor, digits, _ = DISPLAY.get(target, ("", 1.0, 1, target))
    gap, share = float(test.difference[0, at]), 100 * float(test.share[0, at])
    low, high = (100 * float(edge[0, at]) / float(test.mean_b[0, at]) for edge in (test.low, test.high))
    size = f"{factor * abs(gap):.{digits + 2}f} {unit}".strip()
    text = f"Over all zones the micromodels have {abs(share):.1f} % {'less' if gap < 0 else 'more'} error ({size}"
    if not np.isfinite([low, high]).all() or low < -100:  # no error falls by more than all of itself
        return f"{text}); too few days to say how surely."
    if low <= 0 <= high:
        return f"{text}), which may be chance: 90 % interval {low:+.1f} to {high:+.1f} %."
    return f"{text}; 90 % interval {low:+.1f} to {high:+.1f} %)."


def _regimes(pairs: pd.DataFrame) -> str:
    """Regimes in which one is clearly better."""
    told = pairs[(pairs["regime"] != "all") & (pairs["p_corrected"] <= CLEAR)]
    parts = []
    for better, sign in (("micromodels", -1), ("macromodel", 1)):
        rows = told[np.sign(told["difference"]) == sign]
        if len(rows):
            gain = 100 * rows["difference"].abs() / rows["macro_mae"]
            where = ", ".join(f"{WORDS[str(r)]} ({g:.1f} %)" for r, g in zip(rows["regime"], gain))
            parts.append(f" The {better} {'are' if better[-1] == 's' else 'is'} clearly better {where}.")
    return "".join(parts)


def _new(comparison: Comparison) -> list[str]:
    """What it costs to be a new zone, and what is left in a new period."""
    lines = []
    zones, period = comparison.new_zones, comparison.new_period
    for (target, horizon), part in zones[zones["zone_id"] == ""].groupby(["target", "horizon_s"], sort=False):
        told = [
            f"the {r.model} ({r.family}) errs {100 * abs(r.price):.1f} % {'more' if r.price > 0 else 'less'}"
            for r in part.itertuples()
        ]
        lines.append(
            f"{name_of(str(target))}, {ahead(float(horizon))} ahead, in a zone never learned: {', '.join(told)}."
        )
    for (target, horizon), part in period.groupby(["target", "horizon_s"], sort=False):
        told = [
            f"the {model} saves {100 * rows['skill'].min():.0f} to {100 * rows['skill'].max():.0f} %"
            for model, rows in part.groupby("model", sort=False)
        ]
        lines.append(
            f"{name_of(str(target))}, {ahead(float(horizon))} ahead, in weeks never learned: {', '.join(told)} of the"
            " error of what it starts from."
        )
    return lines


def costs_in_words(costs: pd.DataFrame) -> str:
    """What training, retraining and forecasting take, by a comparison's table `costs`; empty where it lacks either."""
    if costs.empty or not {"micromodel", "macromodel"} <= set(costs["model"]):
        return ""
    total = costs.groupby("model")[["fit_seconds", "bytes", "fit_energy_j"]].sum()
    mean = costs.groupby("model")[["latency_ms_p50", "latency_ms_p99", "retrain_seconds"]].max()
    micro, macro = total.loc["micromodel"], total.loc["macromodel"]
    lines = [
        f"Training took {micro['fit_seconds']:.1f} s of processor time for all micromodels and"
        f" {macro['fit_seconds']:.1f} s for the macromodels: about {micro['fit_energy_j']:.0f} and"
        f" {macro['fit_energy_j']:.0f} J, a proxy (seconds times 12 W). Stored they take {_size(micro['bytes'])} and"
        f" {_size(macro['bytes'])}."
    ]
    a, b = mean.loc["micromodel"], mean.loc["macromodel"]
    text = (
        f"A forecast takes at most {a['latency_ms_p50']:.1f} ms for one zone by its micromodel (99th percentile"
        f" {a['latency_ms_p99']:.1f}) and {b['latency_ms_p50']:.1f} ms for the city by the macromodel"
        f" ({b['latency_ms_p99']:.1f})."
    )
    if np.isfinite(a["retrain_seconds"]):
        text += f" Retraining one zone takes {a['retrain_seconds']:.2f} s"
        alone = f" against {b['retrain_seconds']:.2f} s for the whole macromodel."
        text += alone if np.isfinite(b["retrain_seconds"]) else "; the macromodel is only retrained as a whole."
    return "\n".join([*lines, text])


def _size(count: float) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"

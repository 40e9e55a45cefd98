"""Assignment: each zone's task, and whether its micromodel, the macromodel or a mix of both serves it.

**Task.** A zone's micromodel has one task: the target with most at stake among those sensed. At stake in air is how
near the mean comes to the annual limit, or the worst tenth of days to the daily one; in traffic, how much longer a
kilometre takes in the slowest tenth of the time than on a free street. Air wins where its stake is at least half the
limit and above the traffic's; in traffic, speed wins where it falls by a fifth, else flow.

**Model in use.** By out-of-fold errors on the same rows inside the training part: a mix where it beats both by half a
percent; else whichever wins clear of chance over days; in a draw the micromodel, which is smaller and is learned
again from one zone's readings alone. Both rules give way to a table by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schemas import AIR_TARGETS, MODELS_IN_USE, TARGETS
from data.units import DISPLAY
from models.contract import Forecaster
from models.errors import AssignmentError
from models.panel import Panel
from models.scale import from_scale
from models.select import by_day, horizon_unit

#: Limit values from 2030, ug/m3, of a daily and of an annual mean: Directive (EU) 2024/2881, Annex I.
DAILY_LIMIT = {"no2_ug_per_m3": 50.0, "pm25_ug_per_m3": 25.0}
ANNUAL_LIMIT = {"no2_ug_per_m3": 20.0, "pm25_ug_per_m3": 10.0}
AIR_STAKE = 0.5  # share of the limit from which air may be the task
SPEED_STAKE = 0.25  # excess travel time from which speed, not flow, is the traffic task: a fall by a fifth
MIX_GAIN = 0.005  # least gain of a mix over the better part
CLEAR = 1.645  # two-sided 90 % of a normal
WEIGHTS = np.linspace(0.0, 1.0, 21)


@dataclass(frozen=True, slots=True)
class InUse:
    """Which model serves a zone, and the numbers that say so: mean errors over the anchors, in the target's unit."""

    model: str
    weight_micro: float
    micro_mae: float
    macro_mae: float
    naive_mae: float
    mix_mae: float
    reason: str


def stake(panel: Panel, target: str, zone_id: str) -> float:
    """What is at stake: share of the daily limit (air), or excess travel time (speed); 0 where not sensed.

    Air: the mean so far over the annual limit, or the 90th percentile of daily means over the daily limit, whichever is
    nearer. Speed: its 85th percentile over its 10th, less 1. Flow has no
    stake of its own.
    """
    if target not in panel.values:
        return 0.0
    values = panel.values[target][:, panel.columns([zone_id])[0]]
    known = np.isfinite(values)
    if known.mean() < 0.2:
        return 0.0
    if target in DAILY_LIMIT:
        daily = by_day(values[:, None], panel.calendar.day[: values.size])
        mean = float(values[known].mean()) / ANNUAL_LIMIT[target]
        return max(mean, float(np.nanpercentile(daily, 90)) / DAILY_LIMIT[target])
    if target == "speed_mps":
        low, high = np.percentile(values[known], [10, 85])
        return float(high / max(low, 0.1) - 1.0)
    return 0.0


def choose_task(panel: Panel, zone_id: str, sensed: tuple[str, ...]) -> tuple[str, str]:
    """A zone's task and the reason in words; `sensed` are the targets that have models there."""
    stakes = {target: stake(panel, target, zone_id) for target in sensed}
    slow = stakes.get("speed_mps", 0.0)
    air = max((t for t in sensed if t in AIR_TARGETS), key=lambda t: stakes[t], default=None)
    if air is not None and ((stakes[air] >= AIR_STAKE and stakes[air] > slow) or not set(sensed) - set(AIR_TARGETS)):
        return air, (
            f"{DISPLAY[air][3]} comes to {100 * stakes[air]:.0f} % of a limit of 2030 ({ANNUAL_LIMIT[air]:g} µg/m³ a"
            f" year, {DAILY_LIMIT[air]:g} a day); traffic takes {100 * slow:.0f} % longer in its slowest tenth"
        )
    beside = f", and no air station near its limit ({100 * stakes[air]:.0f} %)" if air else ", and no air station"
    if "speed_mps" in sensed and (slow >= SPEED_STAKE or "flow_veh_per_h" not in sensed):
        return "speed_mps", f"Traffic takes {100 * slow:.0f} % longer in its slowest tenth of the time{beside}"
    return "flow_veh_per_h", f"Streets stay fluent ({100 * slow:.0f} % longer at worst), so flow is watched{beside}"


def choose_in_use(micro: Forecaster, macro: Forecaster | None, reference: Forecaster) -> InUse:
    """Micromodel, macromodel or mix for one zone and target, from forecasts of readings that none had seen.

    Parameters
    ----------
    micro : Forecaster
        The zone's chosen micromodel with its validation.
    macro : Forecaster or None
        The macromodel with its validation on the same rows; None where there is none.
    reference : Forecaster
        Seasonal naive on the same rows, for comparison.
    """
    zone = micro.zone_ids
    own = micro.validation
    assert own is not None and reference.validation is not None
    naive_mae = _mae(np.abs(own.actual - reference.validation.point[:, reference.places(zone)]))
    micro_mae = _mae(np.abs(own.actual - own.point))
    what = _words(micro.target)
    if macro is None or macro.validation is None:
        reason = f"There is no macromodel; the micromodel ({micro.family}) errs by {what(micro_mae)}"
        return InUse("micromodel", 1.0, micro_mae, float("nan"), naive_mae, float("nan"), reason)
    there = macro.validation.pick(macro.places(zone))
    city = there.point
    unit = horizon_unit(reference, zone)
    levels = there.level + WEIGHTS[:, None, None, None] * (own.level - there.level)
    errors = own.actual - from_scale(micro.target, levels)
    losses = np.nanmean(np.abs(errors / unit), axis=(1, 2, 3))
    best = int(np.argmin(losses))
    macro_mae, mix_mae = _mae(np.abs(own.actual - city)), _mae(np.abs(errors[best]))
    gap = by_day(((np.abs(errors[-1]) - np.abs(errors[0])) / unit).reshape(len(own.day), -1), own.day)
    days = int(np.isfinite(gap).sum())
    error = float(np.nanstd(gap, ddof=1) / np.sqrt(days)) if days > 1 else float("inf")
    clear = abs(float(np.nanmean(gap))) > CLEAR * error
    numbers = (
        f"mean error on {days} days left out: micromodel ({micro.family}) {what(micro_mae)}, macromodel"
        f" {what(macro_mae)}, same time last week {what(naive_mae)}"
    )
    share = (losses[-1] - losses[0]) / losses[0]
    if losses[best] < (1 - MIX_GAIN) * min(losses[0], losses[-1]):
        weight = float(WEIGHTS[best])
        gain = 1 - losses[best] / min(losses[0], losses[-1])
        reason = (
            f"Mix, {100 * weight:.0f} % micromodel: {100 * gain:.1f} % less error than the better of the two; {numbers}"
        )
        return InUse("mix", weight, micro_mae, macro_mae, naive_mae, mix_mae, reason)
    if clear and share > 0:
        reason = f"Macromodel: {100 * share:.1f} % more error without it, clear of chance; {numbers}"
        return InUse("macromodel", 0.0, micro_mae, macro_mae, naive_mae, mix_mae, reason)
    how = f"{-100 * share:.1f} % less error, clear of chance" if clear else "a draw, so the smaller model serves"
    return InUse("micromodel", 1.0, micro_mae, macro_mae, naive_mae, mix_mae, f"Micromodel: {how}; {numbers}")


def check_overrides(overrides: pd.DataFrame | None, panel: Panel, families: tuple[str, ...]) -> pd.DataFrame:
    """Overrides with the columns `zone_id`, `target`, `family`, `model_in_use`, empty text where nothing is said.

    Raises
    ------
    AssignmentError
        Naming every zone, target, family or model that does not exist.
    """
    columns = ["zone_id", "target", "family", "model_in_use"]
    if overrides is None or overrides.empty:
        return pd.DataFrame(columns=columns, dtype="str")
    faults = []
    if "zone_id" not in overrides:
        faults.append(f"column 'zone_id' is missing; found {list(map(str, overrides.columns))}")
    table = overrides.reindex(columns=columns).fillna("").astype("str")
    allowed = {
        "zone_id": panel.zone_ids, "target": ("", *TARGETS), "family": ("", *families),
        "model_in_use": ("", *MODELS_IN_USE),
    }  # fmt: skip
    for name, choices in allowed.items():
        wrong = sorted(set(table[name]) - set(choices))
        if wrong:
            faults.append(f"{name} {wrong[:5]}; allowed: {[c for c in choices if c][:30]}")
    if table.duplicated(["zone_id", "target"]).any():
        faults.append("a zone and target are named twice")
    if faults:
        raise AssignmentError("assignment by hand cannot be followed: " + "; ".join(faults))
    return table


def _mae(errors: np.ndarray) -> float:
    known = errors[np.isfinite(errors)]
    return float(known.mean()) if known.size else float("nan")


def _words(target: str):  # type: ignore[no-untyped-def]
    unit, factor, digits, _ = DISPLAY.get(target, ("", 1.0, 2, target))
    return lambda value: f"{value * factor:.{digits + 1}f} {unit}".rstrip()

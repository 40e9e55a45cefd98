"""Assignment: each zone's task, and whether its micromodel, the macromodel or a mix of both serves it.

**Task.** A zone's micromodel has one task: the target with most at stake among those sensed. At stake in air is how
near the mean comes to the annual limit, or the worst tenth of days to the daily one; in traffic, how much longer a
kilometre takes in the slowest tenth of the time than on a free street. Air wins where its stake is at least half the
limit and above the traffic's; in traffic, speed wins where it falls by a fifth, else flow.

**Model in use.** The one with the least out-of-fold error on the same rows inside the training part (see `select`);
within half a percent of it the micromodel, which is smallest and is learned again from one zone's readings alone. Both
rules give way to a table by hand.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.schemas import AIR_TARGETS, MODELS_IN_USE, TARGETS
from data.units import DISPLAY
from models.errors import AssignmentError
from models.panel import Panel
from models.select import InUse

#: Limit values from 2030, ug/m3, of a daily and of an annual mean: Directive (EU) 2024/2881, Annex I.
DAILY_LIMIT = {"no2_ug_per_m3": 50.0, "pm25_ug_per_m3": 25.0}
ANNUAL_LIMIT = {"no2_ug_per_m3": 20.0, "pm25_ug_per_m3": 10.0}
AIR_STAKE = 0.5  # share of the limit from which air may be the task (assumed)
SPEED_STAKE = 0.25  # excess travel time from which speed, not flow, is the traffic task: a fall by a fifth (assumed)


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
        daily = pd.Series(values).groupby(panel.calendar.day[: values.size]).mean().to_numpy()
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


def reason_in_use(use: InUse, *, family: str, macro: str, target: str, weight_micro: float) -> str:
    """Why a model serves a zone, in a sentence with the numbers."""
    what = _words(target)
    numbers = (
        f"mean error on {use.days} days left out: micromodel ({family}) {what(use.micro_mae)}, macromodel ({macro})"
        f" {what(use.macro_mae)}, same time last week {what(use.naive_mae)}"
    )
    if not macro:
        return f"There is no macromodel; the micromodel ({family}) errs by {what(use.micro_mae)}"
    name = use.model.capitalize()
    if use.model == "mix":
        name = f"Mix, {100 * weight_micro:.0f} % micromodels"
    return f"{name}: {use.comparison}; {numbers}"


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


def _words(target: str):  # type: ignore[no-untyped-def]
    unit, factor, digits, _ = DISPLAY.get(target, ("", 1.0, 2, target))
    return lambda value: f"{value * factor:.{digits + 1}f} {unit}".rstrip()

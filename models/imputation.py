"""Imputation: gaps of a panel filled on request, each filled value logged, none from beyond what was known then.

Models need none of it: their features bridge short gaps themselves and fall back on the usual value. It is for those
who want a whole series. `fill_causal` fills a gap from readings before it alone, so that a forecast from any origin
reads nothing later than that origin; `fill_for_display` looks both ways and must never be learned from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from models.errors import PanelError
from models.panel import Panel

METHODS = ("last", "yesterday")
LOG_COLUMNS = ("zone_id", "target", "time", "value", "method", "age_s")


def fill_causal(
    panel: Panel,
    targets: Sequence[str] | None = None,
    *,
    methods: Sequence[str] = METHODS,
    last_within_s: float = 3600.0,
    yesterday_within_days: int = 2,
) -> tuple[Panel, pd.DataFrame]:
    """Fill gaps from earlier readings.

    Parameters
    ----------
    panel : Panel
        Not changed.
    targets : sequence of str, optional
        All of the panel's if not given.
    methods : sequence of {"last", "yesterday"}
        Tried in this order: the last reading of the zone, at most `last_within_s` old; the reading of the same time of
        day, at most `yesterday_within_days` days before. Only readings are copied, never what was filled.
    last_within_s : float
        Largest age of a last reading, s (assumed: an hour).
    yesterday_within_days : int
        Days to look back (assumed: two).

    Returns
    -------
    panel : Panel
        With fewer gaps.
    log : DataFrame
        A row for each filled value: `zone_id`, `target`, `time`, `value`, `method`, `age_s` of what was copied.

    Raises
    ------
    PanelError
        If a method or target is unknown, or a bound is negative.
    """
    targets = list(panel.values) if targets is None else list(targets)
    faults = [f"method {m!r}; allowed: {', '.join(METHODS)}" for m in methods if m not in METHODS]
    faults += [f"target {t!r}; the panel has {sorted(panel.values)}" for t in targets if t not in panel.values]
    faults += [f"last_within_s={last_within_s:g} must not be negative"] if last_within_s < 0 else []
    faults += (
        [f"yesterday_within_days={yesterday_within_days} must not be negative"] if yesterday_within_days < 0 else []
    )
    if faults:
        raise PanelError("gaps cannot be filled: " + "; ".join(faults))
    values, logs = dict(panel.values), []
    for target in targets:
        given = panel.values[target]
        filled = given.copy()
        for method in methods:
            if method == "last":
                candidates = [_last(given, int(last_within_s // panel.step_s))]
            else:
                candidates = [_days_before(given, panel.steps_per_day * k) for k in range(1, yesterday_within_days + 1)]
            for value, age in candidates:
                hit = np.isnan(filled) & np.isfinite(value)
                filled[hit] = value[hit]
                logs.append(_log(panel, target, hit, value, age, method))
        values[target] = filled
    log = pd.concat(logs, ignore_index=True) if logs else pd.DataFrame(columns=list(LOG_COLUMNS))
    return replace(panel, values=values), log.sort_values(["target", "zone_id", "time"], ignore_index=True)


def fill_for_display(panel: Panel, targets: Sequence[str] | None = None, *, within_s: float = 7200.0) -> Panel:
    """Gaps of at most `within_s` drawn as straight lines between the readings beside them: for charts alone.

    It looks at readings after the gap. A model that learns from it, or a score against it, is worthless.
    """
    most = int(within_s // panel.step_s)
    values = dict(panel.values)
    for target in list(panel.values) if targets is None else targets:
        if target not in panel.values:
            raise PanelError(f"unknown target {target!r}; the panel has {sorted(panel.values)}")
        frame = pd.DataFrame(panel.values[target])
        gap = frame.isna()
        run = gap.apply(lambda column: column.groupby((~column).cumsum()).transform("sum"))
        line = frame.interpolate(limit_area="inside")
        values[target] = frame.where(~gap | (run > most), line).to_numpy()
    return replace(panel, values=values)


def _last(given: np.ndarray, most_steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Last reading before each row and its age in steps; nan where it is too old."""
    row = np.arange(len(given))[:, None]
    at = np.maximum.accumulate(np.where(np.isfinite(given), row, -1), axis=0)
    age = row - at
    fits = (at >= 0) & (age <= most_steps)
    return np.where(fits, np.take_along_axis(given, np.maximum(at, 0), axis=0), np.nan), age


def _days_before(given: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Reading that many steps before each row."""
    value = np.full_like(given, np.nan)
    value[steps:] = given[: max(0, len(given) - steps)]
    return value, np.full(given.shape, steps)


def _log(panel: Panel, target: str, hit: np.ndarray, value: np.ndarray, age: np.ndarray, method: str) -> pd.DataFrame:
    row, column = np.nonzero(hit)
    return pd.DataFrame(
        {
            "zone_id": np.asarray(panel.zone_ids, dtype=object)[column], "target": target, "time": panel.times[row],
            "value": value[row, column], "method": method, "age_s": age[row, column] * float(panel.step_s),
        }
    )  # fmt: skip

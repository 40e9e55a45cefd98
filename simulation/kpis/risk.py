"""Risk: how likely a zone passes a limit, under a scenario (from replications) or in the next hours (from forecasts).

A chance counts as calibrated where it comes true as often as it says: `risk_reliability` puts both beside each other,
`brier_parts` splits the Brier score into reliability, resolution and uncertainty (Murphy 1973,
doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models.exceedance import from_quantiles
from models.reliability import brier, reliability
from simulation.kpis.errors import KpiError

#: Limits told of where none are given: NO2 of an hour (EU), of a day (EU from 2030) held against an hour, and streets
#: that take half as long again as when empty; the last is an assumption.
DEFAULT_LIMITS: Mapping[str, float] = {"no2_ug_per_m3": 50.0, "pm25_ug_per_m3": 25.0, "travel_time_index": 1.5}


def replication_risk(
    values: Sequence[Mapping[str, np.ndarray]], zone_ids: Sequence[str], limits: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """Chance that a zone passes a limit in each hour, and in any hour of the run, over replications.

    With k of n replications above, the chance is (k + 1/2) / (n + 1), the mean of Jeffreys' posterior; the interval
    holds 90 % of it (Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286). A handful of replications can tell 5 %
    from 50 %, not from 1 %.

    Parameters
    ----------
    values : sequence of mapping of ndarray, shape (H, Z), length n
        Hourly means of each replication, by column.
    zone_ids : sequence of str
    limits : mapping of float, optional
        By column, in its unit; default `DEFAULT_LIMITS`.

    Returns
    -------
    DataFrame
        `quantity`, `limit`, `zone_id`, `hour` (of the run, from 0; -1: in any of them), `chance`, `lower`, `upper`,
        `above`, `n` (replications above, and with a value). Cells without a value are left out.

    Raises
    ------
    KpiError
        If a limit names a column that is not there.
    """
    from scipy.stats import beta

    chosen = DEFAULT_LIMITS if limits is None else limits
    unknown = [name for name in chosen if limits is not None and values and name not in values[0]]
    if unknown:
        raise KpiError(f"no risk can be told of {unknown}; there are {sorted(values[0])}")
    parts = []
    for name, limit in chosen.items():
        if not values or name not in values[0]:
            continue
        cube = np.stack([np.asarray(one[name], dtype=float) for one in values])  # (n, H, Z)
        known = np.isfinite(cube)
        above = known & (np.where(known, cube, -np.inf) > limit)
        ever, some = above.any(axis=1), known.any(axis=1)
        k = np.concatenate([above.sum(axis=0), ever.sum(axis=0)[None]])
        n = np.concatenate([known.sum(axis=0), some.sum(axis=0)[None]])
        hour = np.append(np.arange(cube.shape[1]), -1)
        parts.append(pd.DataFrame({
            "quantity": name, "limit": float(limit), "zone_id": np.tile(np.asarray(zone_ids, dtype=object), hour.size),
            "hour": np.repeat(hour, len(zone_ids)), "chance": ((k + 0.5) / (n + 1.0)).ravel(),
            "lower": np.where(k > 0, beta.ppf(0.05, k + 0.5, n - k + 0.5), 0.0).ravel(),
            "upper": np.where(k < n, beta.ppf(0.95, k + 0.5, n - k + 0.5), 1.0).ravel(),
            "above": k.ravel(), "n": n.ravel(),
        }))  # fmt: skip
    if not parts:
        return pd.DataFrame(columns=["quantity", "limit", "zone_id", "hour", "chance", "lower", "upper", "above", "n"])
    table = pd.concat(parts, ignore_index=True)
    return table[table["n"] > 0].reset_index(drop=True)


def forecast_risk(forecasts: pd.DataFrame, limits: Mapping[str, float]) -> pd.DataFrame:
    """Chance that a zone passes a limit in the next hours, read off forecast quantiles.

    Parameters
    ----------
    forecasts : DataFrame
        `data.schemas.FORECASTS`: `model`, `zone_id`, `target`, `forecast_origin`, `horizon_s`, `quantile`, `value`.
    limits : mapping of float
        By target, in its unit.

    Returns
    -------
    DataFrame
        `model`, `zone_id`, `target`, `forecast_origin`, `horizon_s`, `limit`, `chance`; rows with all quantiles alone.

    Raises
    ------
    KpiError
        If no limited target has two quantiles or more between 0 and 1.
    """
    key = ["model", "zone_id", "target", "forecast_origin", "horizon_s"]
    rows = forecasts[forecasts["target"].isin(list(limits)) & forecasts["quantile"].between(0, 1, inclusive="neither")]
    parts = []
    for target, own in rows.groupby("target", observed=True):
        wide = own.pivot_table(index=key, columns="quantile", values="value", observed=True).dropna()
        if wide.shape[1] < 2:
            continue
        chance = from_quantiles(wide.columns.to_numpy(float), wide.to_numpy(float), limits[str(target)])
        parts.append(wide.index.to_frame(index=False).assign(limit=float(limits[str(target)]), chance=chance))
    if not parts:
        raise KpiError(
            f"no risk can be told: no forecasts of {sorted(limits)} with two quantiles or more; there are targets"
            f" {sorted(map(str, forecasts['target'].unique()))}"
        )
    return pd.concat(parts, ignore_index=True)


def risk_reliability(
    chance: np.ndarray, happened: np.ndarray, *, bins: int = 10, per_case: float = 1.0
) -> pd.DataFrame:
    """Points of the reliability diagram: bounds of the bin, cases, mean chance, how often it came true, its interval.

    Parameters
    ----------
    chance, happened : ndarray, one shape
        `happened` is 1 or 0, nan where unknown.
    bins : int
    per_case : float
        Rows to one independent case (see `models.reliability.reliability`).
    """
    return pd.DataFrame(reliability(chance, happened, bins, per_case=per_case))


def brier_parts(chance: np.ndarray, happened: np.ndarray, *, bins: int = 10) -> dict[str, float]:
    """Brier score and its parts: score = reliability - resolution + uncertainty + within.

    `reliability` (0 is perfect) is what chances miss the frequencies by, `resolution` how far they tell cases apart,
    `uncertainty` that of the event itself. `within` is what the chances differ by within a bin (Stephenson, Coelho &
    Jolliffe 2008, doi:10.1175/2007WAF2006116.1), 0 where each bin holds one chance.

    Examples
    --------
    >>> parts = brier_parts(np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]))
    >>> parts["brier"], parts["reliability"], parts["resolution"], parts["uncertainty"]
    (0.25, 0.125, 0.0625, 0.1875)
    """
    p, y = np.asarray(chance, dtype=float).ravel(), np.asarray(happened, dtype=float).ravel()
    fine = np.isfinite(p) & np.isfinite(y)
    p, y = p[fine], y[fine]
    if not p.size:
        return dict.fromkeys(("brier", "reliability", "resolution", "uncertainty", "within", "cases"), float("nan"))
    at = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    n = np.bincount(at, minlength=bins)
    used = n > 0
    share = n[used] / p.size
    mean_p, mean_y = (np.bincount(at, weights=v, minlength=bins)[used] / n[used] for v in (p, y))
    base, score = float(y.mean()), brier(p, y)
    parts = {
        "brier": score, "reliability": float(share @ (mean_p - mean_y) ** 2),
        "resolution": float(share @ (mean_y - base) ** 2), "uncertainty": base * (1.0 - base),
    }  # fmt: skip
    within = score - (parts["reliability"] - parts["resolution"] + parts["uncertainty"])
    return {**parts, "within": float(within), "cases": float(p.size)}

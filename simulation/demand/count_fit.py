"""How well modelled flows fit counts: GEH, root mean square error, bias.

GEH is the measure of British and many other guidelines (Department for Transport, TAG unit M3.1): a model of an hour is
taken to fit where at least 85 % of the links have a GEH below 5. It belongs to hourly volumes: it is no pure number.
"""

from __future__ import annotations

import numpy as np

from simulation.errors import DemandError

#: A link fits below this GEH; TAG unit M3.1 asks it of 85 % of the links.
GEH_FITS = 5.0


def geh(modelled_veh_per_h: np.ndarray, counted_veh_per_h: np.ndarray) -> np.ndarray:
    """GEH of each link and hour: sqrt(2 (m - c)^2 / (m + c)), 0 where both are 0.

    Parameters
    ----------
    modelled_veh_per_h, counted_veh_per_h : ndarray, one shape
        Volumes of an hour, at least 0.

    Returns
    -------
    ndarray, the same shape
        In sqrt(veh/h).

    Examples
    --------
    >>> geh(np.array([550.0]), np.array([450.0])).round(3)
    array([4.472])
    """
    m, c = np.asarray(modelled_veh_per_h, float), np.asarray(counted_veh_per_h, float)
    total = m + c
    return np.sqrt(np.divide(2.0 * (m - c) ** 2, total, out=np.zeros_like(total), where=total > 0))


def fit_quality(modelled_veh_per_h: np.ndarray, counted_veh_per_h: np.ndarray) -> dict[str, float]:
    """Measures of fit over some links and hours.

    Parameters
    ----------
    modelled_veh_per_h, counted_veh_per_h : ndarray, shape (k,)

    Returns
    -------
    dict
        `n`, `rmse_veh_per_h`, `rmse_share` (of the mean count), `bias_veh_per_h` (modelled - counted, mean),
        `geh_mean`, `geh_below_5_share`. All but `n` are nan where k = 0.

    Raises
    ------
    DemandError
        If the shapes differ, or a value is negative or missing.
    """
    m, c = np.asarray(modelled_veh_per_h, float).ravel(), np.asarray(counted_veh_per_h, float).ravel()
    faults = [
        f"{name} must be finite and at least 0; {(~(np.isfinite(v) & (v >= 0))).sum()} value(s) are not"
        for name, v in (("modelled", m), ("counted", c))
        if not (np.isfinite(v) & (v >= 0)).all()
    ]
    if m.shape != c.shape:
        faults.append(f"{m.size} modelled and {c.size} counted values; one each is needed")
    if faults:
        raise DemandError("the fit cannot be measured: " + "; ".join(faults))
    if not m.size:
        names = ("rmse_veh_per_h", "rmse_share", "bias_veh_per_h", "geh_mean", "geh_below_5_share")
        return {"n": 0, **dict.fromkeys(names, float("nan"))}
    rmse, each = float(np.sqrt(np.mean((m - c) ** 2))), geh(m, c)
    return {
        "n": int(m.size), "rmse_veh_per_h": rmse, "rmse_share": rmse / c.mean() if c.mean() > 0 else float("nan"),
        "bias_veh_per_h": float((m - c).mean()), "geh_mean": float(each.mean()),
        "geh_below_5_share": float((each < GEH_FITS).mean()),
    }  # fmt: skip

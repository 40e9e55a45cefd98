"""Are forecast probabilities to be believed? Brier score, skill, log score, ROC area, reliability by bin."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from models.errors import SettingsError


def brier(p: np.ndarray, happened: np.ndarray) -> float:
    """Mean squared difference between chance and outcome; 0 is perfect, `nan` without cases.

    References
    ----------
    Brier (1950), doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2

    Examples
    --------
    >>> brier(np.array([0.5, 1.0]), np.array([0.0, 1.0]))
    0.125
    """
    p, y = _known(p, happened)
    return float(np.mean((p - y) ** 2)) if p.size else float("nan")


def brier_skill(p: np.ndarray, happened: np.ndarray, climatology: np.ndarray | float) -> float:
    """Share of climatology's Brier score that is saved: 1 perfect, 0 no better, below 0 worse.

    Parameters
    ----------
    p, happened : ndarray, one shape
    climatology : ndarray or float
        Chance without a forecast, e.g. the event's share in the training part.
    """
    base = brier(np.broadcast_to(np.asarray(climatology, dtype=float), np.shape(p)), happened)
    return 1.0 - brier(p, happened) / base if base > 0 else float("nan")


def log_score(p: np.ndarray, happened: np.ndarray, *, floor: float = 1e-6) -> float:
    """Mean of minus the log of the chance given to what happened, in nats; smaller is better (Good 1952).

    `floor` keeps chances away from 0 and 1, where one surprise would cost everything.
    """
    p, y = _known(p, happened)
    if not p.size:
        return float("nan")
    p = np.clip(p, floor, 1.0 - floor)
    return float(-np.mean(y * np.log(p) + (1.0 - y) * np.log1p(-p)))


def roc_auc(p: np.ndarray, happened: np.ndarray) -> float:
    """Chance that an event was given a higher probability than a non-event; ties count half, `nan` if one is missing.

    References
    ----------
    Hanley & McNeil (1982), doi:10.1148/radiology.143.1.7063747
    """
    p, y = _known(p, happened)
    events = float(y.sum())
    others = y.size - events
    if not events or not others:
        return float("nan")
    return float((rankdata(p)[y > 0.5].sum() - events * (events + 1) / 2) / (events * others))


def reliability(
    p: np.ndarray, happened: np.ndarray, bins: int = 10, *, per_case: float = 1.0, level: float = 0.95
) -> dict[str, np.ndarray]:
    """Table of the reliability diagram: of the times that were given about this chance, how often did it happen?

    Parameters
    ----------
    p, happened : ndarray, one shape
        Chances, and 1, 0 or `nan`; pairs with a `nan` are left out.
    bins : int
        Of equal width over 0..1.
    per_case : float
        Rows to one independent case: hours of one episode are not independent, which narrows the intervals wrongly
        when they are counted one by one.
    level : float
        Of the confidence intervals.

    Returns
    -------
    dict of ndarray, each of shape (bins,)
        `low_edge`, `high_edge`, `count`, `mean_p`, `observed` and its Wilson interval `low`, `high`; `nan` where a bin
        is empty. A model is calibrated in a bin when `mean_p` lies between `low` and `high`.

    Raises
    ------
    SettingsError
        Naming every value that is out of range.

    References
    ----------
    Wilson (1927), doi:10.1080/01621459.1927.10502953; Bröcker & Smith (2007), doi:10.1175/WAF993.1
    """
    faults = [
        text
        for text, fine in (
            (f"bins={bins}: a whole number from 1", bins >= 1),
            (f"per_case={per_case:g}: at least 1", per_case >= 1),
            (f"level={level:g}: between 0 and 1", 0 < level < 1),
        )
        if not fine
    ]
    if faults:
        raise SettingsError("reliability: " + "; ".join(faults))
    p, y = _known(p, happened)
    edges = np.linspace(0.0, 1.0, bins + 1)
    at = np.clip((p * bins).astype(np.int64), 0, bins - 1)
    count = np.bincount(at, minlength=bins).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_p, observed = (np.bincount(at, weights=v, minlength=bins) / count for v in (p, y))
        n, z = count / per_case, float(ndtri(0.5 + level / 2))
        middle = (observed + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * np.sqrt(observed * (1 - observed) / n + z * z / (4 * n * n))
    return {
        "low_edge": edges[:-1], "high_edge": edges[1:], "count": count, "mean_p": mean_p, "observed": observed,
        "low": np.clip(middle - half, 0.0, 1.0), "high": np.clip(middle + half, 0.0, 1.0),
    }  # fmt: skip


def probability_scores(p: np.ndarray, happened: np.ndarray, climatology: np.ndarray | float) -> dict[str, float]:
    """All scores of one set of forecasts: `cases`, `events`, `brier`, `brier_skill`, `log_score`, `roc_auc`."""
    _, y = _known(p, happened)
    return {
        "cases": float(y.size), "events": float(y.sum()), "brier": brier(p, happened),
        "brier_skill": brier_skill(p, happened, climatology), "log_score": log_score(p, happened),
        "roc_auc": roc_auc(p, happened),
    }  # fmt: skip


def _known(p: np.ndarray, happened: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p, y = np.asarray(p, dtype=float).ravel(), np.asarray(happened, dtype=float).ravel()
    fine = np.isfinite(p) & np.isfinite(y)
    return p[fine], y[fine]

"""Sensors: where another one would tell most, from how alike zones are by distance.

A zone that others explain well needs no sensor of its own; one that varies much and is far from all others is blind
without one. Expected errors come from a Gaussian field of daily life's deviations: its covariance falls with distance,
its size varies from place to place. The model of a zone is made without the zone's own readings, so that it can be
asked of a place that has no sensor, and checked where there is one.

References
----------
Krige (1951), doi:10.1007/978-94-011-2466-1 for the idea; Cressie (1993), doi:10.1002/9781119115151 (kriging variance)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.errors import NoDataError, PanelError
from models.panel import Panel
from models.profile import Profile
from models.scale import from_scale, to_scale

EARTH_M = 6_371_000.0
LEAST_ZONES = 4  # with readings, without which nothing can be told of distance
_LENGTHS = 12  # candidate reaches of likeness
_NUGGETS = (0.02, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # share of a zone's deviations that it has alone
_NEAR = 3  # places whose spread tells that of a place without a sensor (assumed)
_MOST_ROWS = 3000  # intervals on which errors without a sensor are measured, evenly spread
_MEAN_SIZE = float(np.sqrt(2 / np.pi))  # mean size of a normal variable over its standard deviation
WORTH = ("zone_id", "monitored", "explained", "error_alone", "error_told", "error_measured", "city_gain", "rank")


@dataclass(frozen=True, eq=False)
class Field:
    """Likeness of places by distance: correlation (1 - nugget) exp(-(d / length)), 1 with itself.

    Attributes
    ----------
    length_m, nugget : float
    """

    length_m: float
    nugget: float

    def alike(self, apart_m: np.ndarray) -> np.ndarray:
        """Correlation of deviations at distances, m, of different places."""
        return np.asarray((1 - self.nugget) * np.exp(-apart_m / self.length_m))


def sensor_worth(panel: Panel, target: str, *, until: int | None = None) -> pd.DataFrame:
    """What a sensor is worth in each zone, whether it has one or not.

    Parameters
    ----------
    panel : Panel
        With `zones` that have `lat`, `lon` (or `x_m`, `y_m`); else neighbours' weights count as steps of one length.
    target : str
    until : int or None
        Learn from so many intervals; None takes all.

    Returns
    -------
    DataFrame
        `WORTH`, the zone where a sensor would help most first: `explained` share of its variance that the other
        sensors explain, by distance; `error_alone` and `error_told`: mean error, in the target's unit, of taking it as
        usual and of telling it from the others, both foretold without its own readings; `error_measured`: the latter
        as it was where the zone has readings; `city_gain`: how much a sensor there would lower the mean squared error
        of the zones without one, as a share of the variance (of a zone with one: as if it had none). Zones are ranked
        by the error, measured where that can be: for a zone with a sensor it is what would be lost with it, and what a
        spare one would save.

    Raises
    ------
    PanelError, NoDataError
        If the target is not there, or fewer than four zones with a place have readings.
    """
    if target not in panel.values:
        raise PanelError(f"the panel has no '{target}'; it has {sorted(panel.values)}")
    n = len(panel) if until is None else until
    values = to_scale(target, panel.values[target][:n])
    apart = distances(panel)
    placed = np.isfinite(apart).sum(axis=1) > 1
    heard = np.isfinite(values).mean(axis=0) >= 0.2
    known = np.flatnonzero(heard & placed)
    if known.size < LEAST_ZONES:
        raise NoDataError(
            f"{known.size} zone(s) with a place have readings of '{target}'; at least {LEAST_ZONES} are needed to tell"
            " how alike places are"
        )
    past = panel.until(n)
    profile, usual = Profile.with_history(values[:, known], past.calendar)
    away = values[:, known] - usual
    alike, size = correlations(away), np.nanstd(away, axis=0)
    level = profile.level
    some = slice(None, None, max(1, -(-n // _MOST_ROWS)))
    held, base, true = np.nan_to_num(away[some] / size), usual[some], panel.values[target][:n][some]
    rows = []
    for place in np.flatnonzero(placed).tolist():
        others = known != place
        near = apart[place, known]
        field = fitted(alike[np.ix_(others, others)], apart[np.ix_(known[others], known[others])])
        spread = _nearby(near[others], size[others])
        middle = _nearby(near[others], level[others])
        explained, gain, weight = _explained(field, apart, known[others], place)
        measured = np.nan
        if not others.all():
            own = int(np.flatnonzero(~others)[0])
            found = from_scale(target, base[:, own] + spread * (held[:, others] @ weight))
            heard_there = np.isfinite(true[:, place])
            measured = float(np.abs(found - true[:, place])[heard_there].mean())
        rows.append((place, spread, middle, explained, gain, measured))
    return _table(panel, target, rows, known)


def distances(panel: Panel) -> np.ndarray:
    """Distances of zones, m, shape (Z, Z); `nan` for a zone without a place."""
    table = panel.zones
    if table is not None and {"lat", "lon"} <= set(table.columns) and table["lat"].notna().sum() >= LEAST_ZONES:
        lat, lon = (np.radians(table[c].to_numpy(dtype=float, na_value=np.nan)) for c in ("lat", "lon"))
        half = np.sin((lat[:, None] - lat) / 2) ** 2 + np.cos(lat[:, None]) * np.cos(lat) * (
            np.sin((lon[:, None] - lon) / 2) ** 2
        )
        return np.asarray(2 * EARTH_M * np.arcsin(np.sqrt(np.clip(half, 0, 1))))
    if table is not None and {"x_m", "y_m"} <= set(table.columns):
        x, y = (table[c].to_numpy(dtype=float, na_value=np.nan) for c in ("x_m", "y_m"))
        return np.asarray(np.hypot(x[:, None] - x, y[:, None] - y))
    from scipy.sparse.csgraph import shortest_path

    steps = shortest_path((panel.neighbours > 0).astype(float), directed=False, unweighted=True)
    far = np.isfinite(steps)
    return np.where(far, steps, 2 * steps[far].max(initial=1.0)) * 1000.0


def correlations(away: np.ndarray) -> np.ndarray:
    """Correlations of the columns of (T, K) where both are known; 0 where never."""
    known = np.isfinite(away)
    held = np.where(known, np.clip(away / np.nanstd(away, axis=0), -4, 4), 0.0)
    square = (held**2).T @ known.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (held.T @ held) / np.sqrt(square * square.T)
    return np.nan_to_num(found)


def fitted(alike: np.ndarray, apart_m: np.ndarray) -> Field:
    """Length and nugget of least squared misfit to the correlations of pairs, nearer pairs first in weight."""
    upper = np.triu_indices(len(alike), 1)
    r, d = alike[upper], apart_m[upper]
    near = np.maximum(d, np.quantile(d[d > 0], 0.05) if (d > 0).any() else 1.0)
    weight = 1 / near
    lengths = np.geomspace(max(near.min(), 1.0), 10 * near.max(), _LENGTHS)
    best = (np.inf, lengths[0], _NUGGETS[0])
    for length in lengths:
        for nugget in _NUGGETS:
            misfit = float((weight * (r - (1 - nugget) * np.exp(-d / length)) ** 2).sum())
            if misfit < best[0]:
                best = (misfit, float(length), float(nugget))
    return Field(best[1], best[2])


def _explained(field: Field, apart: np.ndarray, sensors: np.ndarray, place: int) -> tuple[float, float, np.ndarray]:
    """Share of a place's variance that sensors explain, what zones would gain from one there, and sensors' weights."""
    zones = np.flatnonzero(np.isfinite(apart[place]))
    inner = field.alike(apart[np.ix_(sensors, sensors)])
    np.fill_diagonal(inner, 1.0)
    cross = field.alike(apart[np.ix_(zones, sensors)])
    solved = np.linalg.solve(inner + 1e-9 * np.eye(len(inner)), cross.T)  # (sensors, zones)
    same = zones[:, None] == sensors
    at = int(np.flatnonzero(zones == place)[0])
    explained = float(np.clip(cross[at] @ solved[:, at], 0.0, 1.0))
    left = max(1.0 - explained, 1e-6)
    # one more sensor lowers each zone's variance by its squared remaining covariance with that place
    rest = field.alike(apart[zones, place]) - cross @ solved[:, at]
    rest[at] = left
    gain = np.where(same.any(axis=1), 0.0, rest**2 / left)
    return explained, float(gain.mean()), solved[:, at]


def _nearby(apart_m: np.ndarray, value: np.ndarray) -> float:
    """Value of the nearest places, weighted by inverse distance."""
    order = np.argsort(apart_m, kind="stable")[:_NEAR]
    weight = 1 / np.maximum(apart_m[order], 1.0)
    return float((weight * value[order]).sum() / weight.sum())


def _table(
    panel: Panel, target: str, rows: list[tuple[int, float, float, float, float, float]], known: np.ndarray
) -> pd.DataFrame:
    """Rows as a table, errors in the target's unit around the usual level."""
    found = []
    for place, spread, middle, explained, gain, measured in rows:
        sizes = spread * _MEAN_SIZE, spread * _MEAN_SIZE * np.sqrt(max(1 - explained, 0.0))
        unit = [float(np.diff(from_scale(target, np.array([middle - e, middle + e])))[0]) / 2 for e in sizes]
        found.append(
            {
                "zone_id": panel.zone_ids[place], "monitored": bool(place in known), "explained": explained,
                "error_alone": unit[0], "error_told": unit[1], "error_measured": measured, "city_gain": gain,
            }
        )  # fmt: skip
    table = pd.DataFrame(found)
    order = table["error_measured"].fillna(table["error_told"]).sort_values(ascending=False, kind="stable").index
    table = table.loc[order].reset_index(drop=True)
    return table.assign(rank=np.arange(1, len(table) + 1))[list(WORTH)]

"""The hierarchy: zones make districts, districts the city; what adds up, and what is averaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from models.errors import SettingsError
from models.panel import Panel
from models.profile import Profile
from models.scale import from_scale, to_scale
from zones.districts import check_districts, make_districts

CITY = "_city"
#: Of what is usual in an aggregate, the share whose zones may be silent; their usual values stand in for them.
MOST_MISSING = 0.1


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """City, districts and zones of one quantity.

    Attributes
    ----------
    zone_ids : tuple of str, length Z
    districts : tuple of str, length D
    district_of : ndarray of int, shape (Z,)
        Place in `districts`.
    weight : ndarray, shape (Z,)
        What a zone counts for: 1 in a sum, e.g. its area or population in a mean.
    mean : bool
        Whether aggregates are weighted means (concentrations) or sums (flow, vehicle-km, emissions).
    """

    zone_ids: tuple[str, ...]
    districts: tuple[str, ...]
    district_of: np.ndarray
    weight: np.ndarray
    mean: bool = False

    @classmethod
    def of(
        cls,
        zone_ids: Sequence[str],
        *,
        districts: Mapping[str, str] | None = None,
        touching: np.ndarray | None = None,
        count: int | None = None,
        weight: Sequence[float] | np.ndarray | None = None,
        mean: bool = False,
    ) -> Hierarchy:
        """Hierarchy with districts given by hand, or made of zones that touch.

        Parameters
        ----------
        zone_ids : sequence of str, length Z
        districts : mapping of zone to district, or None
            None makes them, see `zones.districts.make_districts`.
        touching : ndarray or None, shape (Z, Z)
            E.g. a panel's `neighbours`; needed where districts are to be made.
        count : int or None
            Districts to make.
        weight : sequence of float or None
            None counts 1 each.
        mean : bool

        Raises
        ------
        SettingsError, ZoneError
            For weights that are missing, below 0 or all 0 in a district, and districts that do not fit the zones.
        """
        zones = tuple(zone_ids)
        if districts is None:
            districts = make_districts(
                zones, np.zeros((len(zones),) * 2) if touching is None else touching, count=count
            )
        told = check_districts(zones, districts)
        names = tuple(dict.fromkeys(told[zone] for zone in zones))
        place = np.array([names.index(told[zone]) for zone in zones], dtype=np.int64)
        w = np.ones(len(zones)) if weight is None else np.asarray(weight, dtype=float)
        if w.shape != (len(zones),) or not np.isfinite(w).all() or (w < 0).any():
            raise SettingsError(
                f"weights must be {len(zones)} numbers of 0 or more, one a zone; found {w.tolist()[:5]}"
            )
        empty = [name for k, name in enumerate(names) if w[place == k].sum() <= 0]
        if empty:
            raise SettingsError(f"weights of the zones of district(s) {empty[:5]} are all 0; leave these zones out")
        return cls(zones, names, place, w, mean)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The city, the districts, the zones: the order of every array's nodes."""
        return (CITY, *self.districts, *self.zone_ids)

    @property
    def uppers(self) -> int:
        """Nodes that are no zones, 1 + D."""
        return 1 + len(self.districts)

    @cached_property
    def upper(self) -> np.ndarray:
        """What zones add to the city and the districts, shape (1 + D, Z)."""
        member = self.district_of == np.arange(len(self.districts))[:, None]
        rows = np.vstack([np.ones((1, len(self.zone_ids))), member]) * self.weight
        return rows / rows.sum(axis=1, keepdims=True) if self.mean else rows

    @property
    def matrix(self) -> np.ndarray:
        """The summing matrix, shape (1 + D + Z, Z)."""
        return np.vstack([self.upper, np.eye(len(self.zone_ids))])

    def above(self, zones: np.ndarray) -> np.ndarray:
        """Values of all nodes (..., 1 + D + Z) from the zones' (..., Z): what they add up to, nothing else."""
        return np.concatenate([zones @ self.upper.T, zones], axis=-1)

    def pick(self, zone_ids: Sequence[str]) -> Hierarchy:
        """The part that holds some of the zones, weights as they were."""
        at = np.array([self.zone_ids.index(zone) for zone in zone_ids], dtype=np.int64)
        told = {zone: self.districts[self.district_of[k]] for zone, k in zip(zone_ids, at)}
        return Hierarchy.of(zone_ids, districts=told, weight=self.weight[at], mean=self.mean)


def upper_panel(panel: Panel, target: str, hierarchy: Hierarchy, usual: Profile) -> Panel:
    """City and districts as the zones of a panel of their own.

    Parameters
    ----------
    panel : Panel
        With the hierarchy's zones.
    target : str
    hierarchy : Hierarchy
    usual : Profile
        Of the zones, on the model's scale, from the training part: stands in for a silent zone, as long as no more
        than `MOST_MISSING` of what is usual there and then is silent; beyond it the aggregate is `nan`.
    """
    values = panel.values[target][:, panel.columns(hierarchy.zone_ids)]
    expected = from_scale(target, usual.usual(panel.calendar, slice(0, len(panel))))
    known = np.isfinite(values)
    filled = np.where(known, values, expected)
    size = np.abs(expected) + 1e-9
    silent = np.where(known, 0.0, size) @ hierarchy.upper.T / (size @ hierarchy.upper.T)
    every = np.where(silent <= MOST_MISSING, filled @ hierarchy.upper.T, np.nan)
    near = panel.neighbours[np.ix_(*(panel.columns(hierarchy.zone_ids),) * 2)]
    member = (hierarchy.district_of == np.arange(len(hierarchy.districts))[:, None]).astype(float)
    beside = np.zeros((hierarchy.uppers,) * 2)
    beside[1:, 1:] = member @ near @ member.T
    np.fill_diagonal(beside, 0.0)
    total = beside.sum(axis=1, keepdims=True)
    return replace(
        panel, zone_ids=hierarchy.nodes[: hierarchy.uppers], values={target: every}, zones=None,
        neighbours=np.divide(beside, total, out=np.zeros_like(beside), where=total > 0),
    )  # fmt: skip


def distance_and_time(panel: Panel, length_m: np.ndarray | None = None) -> Panel:
    """Vehicles' distance and time in each zone, which add up where speeds do not.

    Parameters
    ----------
    panel : Panel
        With `flow_veh_per_h` and `speed_mps`.
    length_m : ndarray or None, shape (Z,)
        Length of road that a zone's flow is the mean of, m; None takes 1 m each (detectors).

    Returns
    -------
    Panel
        Values `distance_veh_m_per_s` (flow times length) and `time_veh` (distance over speed: vehicles present).
        City speed is the sum of the one over the sum of the other (Edie's definitions).

    References
    ----------
    Edie (1963), "Discussion of traffic stream measurements and definitions", Proc. 2nd ISTTT.
    """
    length = np.ones(len(panel.zone_ids)) if length_m is None else np.asarray(length_m, dtype=float)
    distance = panel.values["flow_veh_per_h"] / 3600.0 * length
    speed = panel.values["speed_mps"]
    time = np.divide(distance, speed, out=np.full(distance.shape, np.nan), where=speed > 0)
    known = np.isfinite(time)
    values = {"distance_veh_m_per_s": np.where(known, distance, np.nan), "time_veh": time}
    return replace(panel, values=values)


def zone_profile(panel: Panel, target: str, zone_ids: Sequence[str]) -> Profile:
    """Usual days of zones on the model's scale."""
    return Profile.fit(to_scale(target, panel.values[target][:, panel.columns(zone_ids)]), panel.calendar)


def weights_for(
    target: str, zones: pd.DataFrame | None, zone_ids: Sequence[str], *, by: str = "area_m2"
) -> tuple[np.ndarray, bool]:
    """Weights of a target's zones and whether its aggregates are means.

    Emissions (`_g`), flows (`_veh_per_h`, `_per_h`), distance and time add up; all else is averaged by a column of the
    `zones` table, `area_m2` or e.g. `homes` for the population; alike where it is not there.
    """
    adds = target.endswith(("_g", "_per_h", "_veh_m_per_s", "_veh", "_km"))
    if adds:
        return np.ones(len(zone_ids)), False
    if zones is None or by not in zones:
        return np.ones(len(zone_ids)), True
    table = zones.set_index(zones["zone_id"].astype(str))
    found = table.loc[list(zone_ids), by].to_numpy(dtype=float, na_value=0.0)
    return (found if found.sum() > 0 else np.ones(len(zone_ids))), True

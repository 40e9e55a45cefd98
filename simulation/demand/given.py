"""Demand that is given: an OD table or a list of trips, put in the place of a city's estimate.

Read `demand_from_od`. A table names places of the city: zones by `zone_id`, the outside by `gateway_id` (G01, ...), or
nodes, which `place_of_nodes` maps to zones and gateways. Other names are translated by `names`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from data.schemas import VEHICLE_CLASSES
from simulation.demand.departures import BINS, DAY_TYPES, KINDS
from simulation.demand.spec import Cells, DemandSpec
from simulation.errors import DemandError

#: Span over which vehicles of a row of an OD table depart where the table has one departure time alone, s.
ALONE_SPAN_S = 3600.0
_SHOWN = 10


def demand_from_od(
    base: DemandSpec,
    od: pd.DataFrame,
    *,
    profiles: pd.DataFrame | None = None,
    names: Mapping[str, str] | None = None,
    span_s: float | None = None,
    weekend_factor: float = 1.0,
    day_variation: bool = False,
) -> DemandSpec:
    """A city's demand from an OD table. What is given replaces the estimate; nothing of the old matrix is left.

    Parameters
    ----------
    base : DemandSpec
        Of the city (`make_demand`, `City.demand`): its places and the links where their trips start and end.
    od : DataFrame
        `origin_zone_id`, `dest_zone_id`, `trips_veh` (at least 0, vehicles of a weekday). With `departure_s` (start of
        a span, s since local midnight) trips depart in that span, without by the profiles; with `vehicle_class` they
        are of that class, without split by `base.class_share`. Rows of one key add up.
    profiles : DataFrame, optional
        Departures in the course of the day, where `od` has no `departure_s`: `hour` (0 to 23, or 0 to 23.75 by quarter
        hours), `share`, and optionally `kind` (inbound, outbound, through, internal) and `day_type` (weekday, weekend).
        Shares are scaled to sum 1. Default those of `base`.
    names : mapping, optional
        What the table calls a place: the city's name of it. A name that the city has stands for itself.
    span_s : float, optional
        Length of the spans of `departure_s`, s; the smallest difference of two departure times if not given, and an
        hour where there is one time alone. 0: all at that instant, as in a list of trips.
    weekend_factor : float
        Vehicles on a weekend day per vehicle given.
    day_variation : bool
        Whether days vary as in `base`, by chance too. Without, every day has exactly the demand given, in whole
        vehicles.

    Returns
    -------
    DemandSpec
        `exact` without variation: a day's vehicles sum to the table (its sum rounded, where it is no whole number).

    Raises
    ------
    DemandError
        Naming every fault of the table: columns, unknown places, numbers, times, classes, trips that no way is left for
        (from a gateway that only leads out, within a place of one link).
    """
    faults: list[str] = []
    needed = ("origin_zone_id", "dest_zone_id", "trips_veh")
    missing = [name for name in needed if name not in od]
    if missing:
        raise DemandError(f"the OD table lacks column(s) {missing}; it needs {list(needed)}, found {list(od.columns)}")
    o, d = (_places(base, od[name], names or {}, name, faults) for name in needed[:2])
    veh = pd.to_numeric(od["trips_veh"], errors="coerce").to_numpy(float)
    bad = ~(np.isfinite(veh) & (veh >= 0))
    if bad.any():
        faults.append(f"trips_veh must be numbers of at least 0; found {_some(od['trips_veh'], bad)}")
    start = _departures(od, faults)
    klass = _classes(od, faults)
    if span_s is not None and not (np.isfinite(span_s) and span_s >= 0):
        faults.append(f"span_s={span_s!r} must be at least 0 s")
    shares = base.profiles if profiles is None else profile_array(profiles, base.profiles, faults)
    good = (o >= 0) & (d >= 0) & ~bad & (veh > 0)
    faults += _access_faults(base, o[good], d[good])
    if not faults and not good.any():
        faults.append("it holds no trip")
    if faults:
        raise DemandError("the OD table cannot be used: " + "; ".join(faults))
    p = len(base.places)
    pair = (o * p + d)[good]
    matrix = np.bincount(pair, weights=veh[good], minlength=p * p).reshape(p, p)
    cells = None
    if start is not None or klass is not None:
        cells = _cells(
            pair, veh[good], None if start is None else start[good], None if klass is None else klass[good], span_s,
            base, shares,
        )  # fmt: skip
    given = replace(base, od_veh=matrix, profiles=shares, cells=cells, exact=False, weekend_factor=weekend_factor)
    if day_variation:
        return given
    return replace(given, exact=True, city_day_sd=0.0, place_day_sd=0.0, place_hour_sd=0.0)


def place_of_nodes(
    nodes: pd.DataFrame, links: pd.DataFrame, link_zone: pd.DataFrame, gateways: pd.DataFrame
) -> dict[str, str]:
    """Name of the place of each node, as text: its gateway, or the zone that most metres of its links lie in.

    Parameters
    ----------
    nodes, links, link_zone, gateways : DataFrame
        Of a City.

    Returns
    -------
    dict of str to str
        For `names` of `demand_from_od`, so that a table may name nodes.
    """
    share = link_zone.merge(links[["link_id", "from_node_id", "to_node_id", "length_m"]], on="link_id")
    metres = share["share"] * share["length_m"]
    both = pd.concat(
        [share.assign(node_id=share[end], metres=metres) for end in ("from_node_id", "to_node_id")], ignore_index=True
    )
    sums = both.groupby(["node_id", "zone_id"])["metres"].sum().reset_index()
    sums = sums.sort_values(["node_id", "metres", "zone_id"], ascending=[True, False, True]).drop_duplicates("node_id")
    known = set(nodes["node_id"])
    zone = {str(n): str(z) for n, z in zip(sums["node_id"], sums["zone_id"]) if n in known}
    return {**zone, **{str(n): str(g) for n, g in zip(gateways["node_id"], gateways["gateway_id"])}}


def trips_as_od(trips: pd.DataFrame) -> pd.DataFrame:
    """A list of trips, one row each, as an OD table for `demand_from_od(..., span_s=0)`.

    Parameters
    ----------
    trips : DataFrame
        `origin_zone_id`, `dest_zone_id` (or `origin_node_id`, `dest_node_id`, with `names=place_of_nodes(...)`),
        `departure_s`, and optionally `vehicle_class`.

    Raises
    ------
    DemandError
        If a column is missing.
    """
    table = trips.rename(columns={"origin_node_id": "origin_zone_id", "dest_node_id": "dest_zone_id"})
    missing = [name for name in ("origin_zone_id", "dest_zone_id", "departure_s") if name not in table]
    if missing:
        raise DemandError(f"the list of trips lacks column(s) {missing} (or, for places, *_node_id); found {[*trips]}")
    keep = [name for name in ("origin_zone_id", "dest_zone_id", "departure_s", "vehicle_class") if name in table]
    return table[keep].assign(trips_veh=1.0)


def profile_array(table: pd.DataFrame, default: np.ndarray, faults: list[str] | None = None) -> np.ndarray:
    """Departure profiles as `DemandSpec.profiles`, shape (day types, kinds, 96); what the table leaves out is default.

    Parameters
    ----------
    table : DataFrame
        As in `demand_from_od`. A row without `kind` or `day_type` counts for all.
    default : ndarray, shape (day types, kinds, 96)
    faults : list of str, optional
        Collects faults; without it they are raised.

    Raises
    ------
    DemandError
        Naming every fault.
    """
    found: list[str] = []
    missing = [name for name in ("hour", "share") if name not in table]
    if missing:
        found.append(f"profiles lack column(s) {missing}; they need hour and share, and may have kind and day_type")
    else:
        hour, share = (pd.to_numeric(table[name], errors="coerce").to_numpy(float) for name in ("hour", "share"))
        if not (np.isfinite(hour) & (hour >= 0) & (hour < 24) & (hour * 4 == np.floor(hour * 4))).all():
            found.append("hour of the profiles must be 0 to 23, or quarter hours 0 to 23.75")
        if not (np.isfinite(share) & (share >= 0)).all():
            found.append("share of the profiles must be numbers of at least 0")
        for name, allowed in (("kind", KINDS), ("day_type", DAY_TYPES)):
            if name in table and not table[name].isin(allowed).all():
                found.append(f"{name} of the profiles must be one of {allowed}; found {table[name].unique().tolist()}")
    out = default.copy()
    if not found:
        by_quarter = bool((hour != np.floor(hour)).any())
        for t, day_type in enumerate(DAY_TYPES):
            for k, kind in enumerate(KINDS):
                mine = np.ones(len(table), dtype=bool)
                for name, value in (("kind", kind), ("day_type", day_type)):
                    mine &= (table[name] == value).to_numpy() if name in table else True
                if not mine.any():
                    continue
                each = np.bincount((hour[mine] * 4).astype(int), weights=share[mine], minlength=BINS)
                if not by_quarter:
                    each = np.repeat(each.reshape(24, 4).sum(axis=1) / 4.0, 4)
                if each.sum() <= 0:
                    found.append(f"the profile of {kind} trips on a {day_type} is 0 everywhere")
                    continue
                out[t, k] = each / each.sum()
    if found and faults is None:
        raise DemandError("the departure profiles cannot be used: " + "; ".join(found))
    if faults is not None:
        faults += found
    return out


def _places(base: DemandSpec, column: pd.Series, names: Mapping[str, str], title: str, faults: list[str]) -> np.ndarray:
    """Position of each row's place; -1 and a fault where it is unknown."""
    text = column.astype("str").str.strip()
    own = set(base.places)
    text = text.map(lambda name: name if name in own else names.get(name, name))
    at = np.asarray(pd.Index(list(base.places)).get_indexer(text), dtype=np.int64)
    if (at < 0).any():
        strange = list(dict.fromkeys(text[at < 0]))
        faults.append(
            f"{title}: {len(strange)} unknown place(s) {strange[:_SHOWN]}; the city's are zones"
            f" {list(base.places[: min(base.n_zones, 5)])}... and gateways {list(base.places[base.n_zones :][:5])}..."
        )
    return at


def _departures(od: pd.DataFrame, faults: list[str]) -> np.ndarray | None:
    if "departure_s" not in od:
        return None
    start = pd.to_numeric(od["departure_s"], errors="coerce").to_numpy(float)
    bad = ~(np.isfinite(start) & (start >= 0) & (start < 86_400))
    if bad.any():
        faults.append(f"departure_s must be 0 to below 86,400 s since midnight; found {_some(od['departure_s'], bad)}")
    return start


def _classes(od: pd.DataFrame, faults: list[str]) -> np.ndarray | None:
    if "vehicle_class" not in od:
        return None
    klass = np.asarray(pd.Index(VEHICLE_CLASSES).get_indexer(od["vehicle_class"].astype("str")), dtype=np.int64)
    if (klass < 0).any():
        faults.append(f"vehicle_class must be one of {VEHICLE_CLASSES}; found {_some(od['vehicle_class'], klass < 0)}")
    return klass


def _access_faults(base: DemandSpec, o: np.ndarray, d: np.ndarray) -> list[str]:
    """Trips that cannot start, end, or leave the one link of their place."""
    faults = []
    for at, access, what in ((o, base.origins, "start"), (d, base.destinations, "end")):
        none = np.unique(at[np.diff(access.start)[at] == 0]) if at.size else at
        if none.size:
            faults.append(f"no trip can {what} at {[base.places[k] for k in none[:_SHOWN]]}: one-way streets")
    size = np.diff(base.destinations.start)
    for k in np.unique(o[(o == d)]):
        a, b = (access.link[access.start[k] : access.start[k + 1]] for access in (base.origins, base.destinations))
        if size[k] == 1 and np.isin(b, a).any():
            faults.append(f"trips within {base.places[k]} start and end on its one link; leave them out")
    return faults


def _cells(
    pair: np.ndarray,
    veh: np.ndarray,
    start: np.ndarray | None,
    klass: np.ndarray | None,
    span_s: float | None,
    base: DemandSpec,
    shares: np.ndarray,
) -> Cells:
    """Cells of the rows, in order of pair, time and class; what a row leaves open is split by profile or class."""
    row = np.arange(pair.size)
    if klass is None:
        split = np.array(base.class_share)
        row, klass = np.repeat(row, split.size), np.tile(np.arange(split.size), pair.size)
        weight = veh[row] * split[klass]
    else:
        weight = veh
    if start is None:
        by_bin = shares[0][base.kind.ravel()[pair]]
        weight = (weight[:, None] * by_bin[row]).ravel()
        begin = np.tile(np.arange(BINS) * 86_400.0 / BINS, row.size)
        row, klass, span = np.repeat(row, BINS), np.repeat(klass, BINS), 86_400.0 / BINS
    else:
        times = np.unique(start)
        gap = float(np.diff(times).min()) if times.size > 1 else ALONE_SPAN_S
        begin, span = start[row], gap if span_s is None else float(span_s)
    table = pd.DataFrame({"pair": pair[row], "start": begin, "klass": klass, "veh": weight})
    table = table[table["veh"] > 0].groupby(["pair", "start", "klass"], sort=True)["veh"].sum().reset_index()
    first = table["start"].to_numpy(float)
    return Cells(
        pair=table["pair"].to_numpy(np.int64), vehicle_class=table["klass"].to_numpy(np.int64), start_s=first,
        end_s=np.minimum(first + span, 86_400.0), veh=table["veh"].to_numpy(float),
    )  # fmt: skip


def _some(column: pd.Series, bad: np.ndarray) -> str:
    return f"{column[bad].head(5).tolist()} in rows {np.flatnonzero(bad)[:5].tolist()} ({bad.sum()} such rows)"

"""The macroscopic fundamental diagram: how much a zone's streets carry at how many vehicles.

Over the streets of a zone, L metres in all, and an interval T, with d the distance and t the time of all vehicles
there (Edie 1963, Proc. 2nd Int. Symp. on the Theory of Road Traffic Flow, 139-154): flow d / (L T), density t / (L T),
speed d / t; accumulation t / T and production d / T are the same for the zone as a whole. A zone in which congestion is
spread evenly shows a curve of them that hardly depends on demand (Geroliminis & Daganzo 2008,
doi:10.1016/j.trb.2008.02.002).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.units import SECONDS_PER_HOUR
from simulation.errors import RunError

CITY = "_city"


def zone_diagram(
    link_state: pd.DataFrame, link_zone: pd.DataFrame, links: pd.DataFrame, *, step_s: float, city: bool = True
) -> pd.DataFrame:
    """Points of the diagram: one a zone and interval.

    Parameters
    ----------
    link_state : DataFrame
        `link_id`, `time`, `vehicle_distance_m`, `vehicle_time_s`; classes are added up. From a run, or from an entry
        log by `link_books.link_state`, with any interval.
    link_zone : DataFrame
        `link_id`, `zone_id`, `share`.
    links : DataFrame
        `link_id`, `length_m`.
    step_s : float
        Length of the intervals, s.
    city : bool
        Whether rows with `zone_id` `_city` tell of all links together, each once.

    Returns
    -------
    DataFrame
        `zone_id`, `time`, `accumulation_veh`, `production_veh_km_per_h`, `flow_veh_per_h` (of an average street),
        `density_veh_per_km`, `speed_mps` (nan where nobody was), by zone, then time; every interval between the first
        and the last, also those without a vehicle.

    Raises
    ------
    RunError
        If `step_s` is not above 0, or a link of `link_state` or `link_zone` is not in `links`.
    """
    faults = [] if step_s > 0 else [f"step_s={step_s:g} s must be above 0"]
    for name, table in (("link_state", link_state), ("link_zone", link_zone)):
        unknown = ~table["link_id"].isin(links["link_id"])
        if unknown.any():
            faults.append(
                f"{name} names {int(unknown.sum())} link(s) that links lacks, {table['link_id'][unknown].iloc[0]}"
            )
    if faults:
        raise RunError("no diagram can be made: " + "; ".join(faults))
    member = link_zone[["link_id", "zone_id", "share"]].astype({"zone_id": "str"})
    if city:
        whole = pd.DataFrame({"link_id": links["link_id"], "zone_id": CITY, "share": 1.0}).astype({"zone_id": "str"})
        member = pd.concat([member, whole], ignore_index=True)
    length = member.merge(links[["link_id", "length_m"]], on="link_id")
    length_m = (length["share"] * length["length_m"]).groupby(length["zone_id"]).sum()
    columns = ["vehicle_distance_m", "vehicle_time_s"]
    by_link = link_state.groupby(["link_id", "time"], observed=True)[columns].sum().reset_index()
    travel = by_link.merge(member, on="link_id")
    travel[columns] = travel[columns].mul(travel["share"], axis=0)
    travel = travel.groupby(["zone_id", "time"])[columns].sum()
    if travel.empty:
        return _points(travel.assign(length_m=[]), step_s)
    every = link_state["time"]
    times = pd.date_range(every.min(), every.max(), freq=pd.Timedelta(seconds=step_s), unit="us")
    rows = pd.MultiIndex.from_product([sorted(length_m.index), times], names=["zone_id", "time"])
    travel = travel.reindex(rows, fill_value=0.0)
    return _points(travel.assign(length_m=length_m.loc[travel.index.get_level_values("zone_id")].to_numpy()), step_s)


def _points(travel: pd.DataFrame, step_s: float) -> pd.DataFrame:
    """`vehicle_distance_m`, `vehicle_time_s` and `length_m` by zone and time as points of the diagram."""
    d, t = travel["vehicle_distance_m"].to_numpy(float), travel["vehicle_time_s"].to_numpy(float)
    span = travel["length_m"].to_numpy(float) * step_s
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(
            {
                "accumulation_veh": t / step_s,
                "production_veh_km_per_h": d / 1000.0 / step_s * SECONDS_PER_HOUR,
                "flow_veh_per_h": d / span * SECONDS_PER_HOUR,
                "density_veh_per_km": t / span * 1000.0,
                "speed_mps": np.where(t > 0, d / t, np.nan),
            },
            index=travel.index,
        ).reset_index()


def diagram_curve(points: pd.DataFrame, *, bins: int = 20) -> pd.DataFrame:
    """The curve through the points of each zone: mean and spread of production by accumulation.

    Parameters
    ----------
    points : DataFrame
        Of `zone_diagram`.
    bins : int
        Equal widths of accumulation between 0 and each zone's largest.

    Returns
    -------
    DataFrame
        `zone_id`, `accumulation_veh` (mean of the bin), `production_veh_km_per_h` (mean), `spread_veh_km_per_h`
        (standard deviation; 0 of a single point), `points`, `is_peak` (the bin of the largest mean production: its
        accumulation is the zone's critical one). Bins without points are left out.
    """
    if bins < 1:
        raise RunError(f"bins={bins} must be at least 1")
    top = points.groupby("zone_id")["accumulation_veh"].transform("max")
    number = np.minimum((points["accumulation_veh"] / top.where(top > 0, 1.0) * bins).astype(int), bins - 1)
    curve = (
        points.groupby(["zone_id", number.rename("bin")])
        .agg(
            accumulation_veh=("accumulation_veh", "mean"),
            production_veh_km_per_h=("production_veh_km_per_h", "mean"),
            spread_veh_km_per_h=("production_veh_km_per_h", lambda v: float(np.std(v))),
            points=("accumulation_veh", "size"),
        )
        .reset_index()
        .drop(columns="bin")
    )
    best = curve.groupby("zone_id")["production_veh_km_per_h"].transform("idxmax")
    return curve.assign(is_peak=curve.index.to_numpy() == best.to_numpy())

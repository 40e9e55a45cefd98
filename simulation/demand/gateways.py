"""Gateways: streets that are cut at the city's border become external zones with traffic in, out and through.

A gateway's day is `capacity x PEAK_SHARE_OF_CAPACITY / PEAK_HOUR_SHARE`: the busiest hour of an urban street is
some 8.6 % of its day (NHTS 2001 start hours, `data/defaults/departure_profiles.csv`; the K factor of the Highway
Capacity Manual is 0.08-0.12 in towns). Counts, where there are any, replace it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from data.schemas import GATEWAYS, validate
from simulation.errors import DemandError

PEAK_HOUR_SHARE = 0.086
#: Volume over capacity of a street at the border in its busiest hour, by class; assumption: signals take
#: about half of a main street's capacity, and side streets run far from theirs.
PEAK_SHARE_OF_CAPACITY = {
    "motorway": 0.70, "trunk": 0.50, "primary": 0.32, "secondary": 0.28, "tertiary": 0.20, "unclassified": 0.06,
    "residential": 0.05, "living_street": 0.03, "service": 0.02,
}  # fmt: skip
#: Share of a gateway's traffic that crosses the city without stopping; assumption, higher on main streets.
THROUGH_SHARE = {
    "motorway": 0.70, "trunk": 0.65, "primary": 0.55, "secondary": 0.45, "tertiary": 0.30, "unclassified": 0.10,
    "residential": 0.10, "living_street": 0.0, "service": 0.0,
}  # fmt: skip


def base_class(road_class: str) -> str:
    """Road class without `_link`."""
    return road_class.removesuffix("_link")


def find_gateways(nodes: pd.DataFrame, links: pd.DataFrame, *, counts: pd.DataFrame | None = None) -> pd.DataFrame:
    """External zones at the border nodes.

    Parameters
    ----------
    nodes : DataFrame
        `node_id`, `border`.
    links : DataFrame
        `link_id`, `from_node_id`, `to_node_id`, `capacity_veh_per_s`, `road_class`, `name`.
    counts : DataFrame, optional
        `gateway_id` or `node_id`, `in_veh_per_day`, `out_veh_per_day`: replace the estimate.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.GATEWAYS` and `in_link_id`, `out_link_id` (-1 where the street is one-way),
        `in_veh_per_day`, `out_veh_per_day`, `through_share`, `counted`. Ordered by capacity.
    """
    border = set(nodes.loc[nodes["border"], "node_id"])
    plain = pd.DataFrame(links.drop(columns="geometry", errors="ignore"))
    entering = _widest(plain[plain["from_node_id"].isin(border)], "from_node_id")
    leaving = _widest(plain[plain["to_node_id"].isin(border)], "to_node_id")
    rows = []
    for node in sorted(set(entering.index) | set(leaving.index)):
        sides = [table.loc[node] for table in (entering, leaving) if node in table.index]
        street = max(sides, key=lambda row: row["capacity_veh_per_s"])
        kind = base_class(street["road_class"])
        per_day = 3600.0 * PEAK_SHARE_OF_CAPACITY.get(kind, 0.1) / PEAK_HOUR_SHARE
        inward = entering["capacity_veh_per_s"].get(node, 0.0) * per_day
        outward = leaving["capacity_veh_per_s"].get(node, 0.0) * per_day
        rows.append(
            {
                "name": street["name"],
                "node_id": int(node),
                "road_class": street["road_class"],
                "capacity_veh_per_s": float(street["capacity_veh_per_s"]),
                "daily_veh": inward + outward,
                "in_link_id": int(entering["link_id"].get(node, -1)),
                "out_link_id": int(leaving["link_id"].get(node, -1)),
                "in_veh_per_day": inward,
                "out_veh_per_day": outward,
                "through_share": THROUGH_SHARE.get(kind, 0.1),
                "counted": False,
            }
        )
    columns = [*GATEWAYS.names, "in_link_id", "out_link_id", "in_veh_per_day", "out_veh_per_day", "through_share"]
    if not rows:
        return pd.DataFrame(columns=[*columns, "counted"]).astype({"gateway_id": "str", "node_id": "int64"})
    table = pd.DataFrame(rows).sort_values(["daily_veh", "node_id"], ascending=[False, True], ignore_index=True)
    table = table.assign(gateway_id=[f"G{k + 1:02d}" for k in range(len(table))])
    return validate(_with_counts(table, counts), GATEWAYS)


def _widest(links: pd.DataFrame, node: str) -> pd.DataFrame:
    """The link of largest capacity at each node."""
    order = links.sort_values(["capacity_veh_per_s", "link_id"], ascending=[False, True])
    return order.drop_duplicates(node).set_index(node)


def _with_counts(table: pd.DataFrame, counts: pd.DataFrame | None) -> pd.DataFrame:
    if counts is None or counts.empty:
        return table
    key = "gateway_id" if "gateway_id" in counts else "node_id"
    missing = [name for name in (key, "in_veh_per_day", "out_veh_per_day") if name not in counts]
    if missing:
        raise DemandError(f"counts lack {missing}; they need gateway_id or node_id, in_veh_per_day and out_veh_per_day")
    twice = counts.loc[counts[key].duplicated(), key].unique().tolist()
    if twice:
        raise DemandError(f"counts name gateways {twice} more than once; add their rows up first")
    unknown = set(counts[key]) - set(table[key])
    if unknown:
        raise DemandError(f"counts name unknown gateways {sorted(unknown)}; there are {sorted(table[key])}")
    values = counts.set_index(key)
    if not (values[["in_veh_per_day", "out_veh_per_day"]] >= 0).all(axis=None):
        raise DemandError("counts of vehicles a day must not be negative or missing")
    counted = table[key].isin(values.index)
    new = {
        name: np.where(counted, table[key].map(values[name]), table[name]).astype(float)
        for name in ("in_veh_per_day", "out_veh_per_day")
    }
    return table.assign(**new, daily_veh=new["in_veh_per_day"] + new["out_veh_per_day"], counted=counted)

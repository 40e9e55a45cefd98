"""Demand of a static assignment: rows checked, summed and put in order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from simulation.errors import DemandError

_SHOWN = 10


def clean_demand(od: pd.DataFrame, nodes: np.ndarray, names: tuple[str, ...]) -> tuple[pd.DataFrame, list[str]]:
    """OD rows that can be assigned, and the faults of the others.

    Parameters
    ----------
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `flow`, and `user_class` where there are several.
    nodes : ndarray
        Node ids that exist.
    names : tuple of str
        User classes, in order.

    Returns
    -------
    table : DataFrame
        The same columns; equal rows summed, without zeros and trips from a node to itself, in order of class (as in
        `names`), origin and destination.
    faults : list of str

    Raises
    ------
    DemandError
        If a column is missing.
    """
    needed = ["origin_node_id", "dest_node_id", "flow", *(["user_class"] if len(names) > 1 else [])]
    missing = [name for name in needed if name not in od.columns]
    if missing:
        raise DemandError(f"the OD table lacks column(s) {missing}; needed are {needed}")
    table = od[needed].reset_index(drop=True)
    if "user_class" not in table:
        table = table.assign(user_class=od["user_class"].to_numpy() if "user_class" in od else names[0])
    faults = []
    flow = table["flow"].to_numpy(float)
    bad = ~(np.isfinite(flow) & (flow >= 0))
    if bad.any():
        row = int(bad.argmax())
        faults.append(f"flow must be finite and at least 0; row {row} has {flow[row]:g} ({bad.sum()} such rows)")
    good = ~bad
    for name in ("origin_node_id", "dest_node_id"):
        known = np.isin(table[name].to_numpy(), nodes)
        if not known.all():
            strange = table.loc[~known, name].unique()
            faults.append(f"{name}: {strange.size} unknown node(s) {strange[:_SHOWN].tolist()}")
        good &= known
    named = table["user_class"].isin(names).to_numpy()
    if not named.all():
        strange = table.loc[~named, "user_class"].unique()
        faults.append(f"user_class: unknown {strange[:_SHOWN].tolist()}; allowed are {list(names)}")
    good &= named & (flow > 0) & (table["origin_node_id"] != table["dest_node_id"]).to_numpy()
    table = table[good].assign(user_class=lambda rows: pd.Categorical(rows["user_class"], categories=names))
    keys = ["user_class", "origin_node_id", "dest_node_id"]
    table = table.groupby(keys, observed=True, sort=True)["flow"].sum().reset_index()
    table = table.astype({"origin_node_id": "int64", "dest_node_id": "int64", "user_class": "str", "flow": "float64"})
    return table[["origin_node_id", "dest_node_id", "user_class", "flow"]], faults


def class_number(table: pd.DataFrame, names: tuple[str, ...]) -> np.ndarray:
    """Position of each row's class in `names`. int64, shape (n,)."""
    return np.asarray(pd.Index(names).get_indexer(table["user_class"]), dtype=np.int64)


def stranded_faults(table: pd.DataFrame) -> list[str]:
    """One fault that names OD pairs which no way connects; none if there are none."""
    pairs = [f"{row.origin_node_id} to {row.dest_node_id} ({row.user_class})" for row in table.itertuples()]
    if not pairs:
        return []
    more = f", and {len(pairs) - _SHOWN} more" * (len(pairs) > _SHOWN)
    cure = "allow links or turns that connect them, or leave the pairs out"
    return [f"no way leads over {len(pairs)} OD pair(s): {', '.join(pairs[:_SHOWN])}{more}; {cure}"]

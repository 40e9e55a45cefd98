"""Fixed signal plans: which approach is green when, as periodic arrays for the kernel.

Signal nodes nearer than `GROUP_M` belong to one intersection. Its approaches are split into two phases by the axis of
their direction; green is shared by the phases' critical flow ratios (Webster 1958, Road Research Technical Paper 39:
g_i = (C - L) y_i / Y) of the flows that are expected, with capacity standing in where no flow is given.
Offsets follow the main axis at the speed of progression, so that a platoon meets green after green one way.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import fcluster, linkage

from data.schemas import SIGNALS, empty, validate
from simulation.streams import Purpose, uniform
from simulation.traffic.network import SATURATION_FLOW_PER_LANE

CYCLE_S = 80.0  # assumption; within the 20-120 s that SUMO's tlsCycleAdaptation allows
LOST_S_PER_PHASE = 4.0  # SUMO tlsCycleAdaptation default
MIN_GREEN_S = 12.0  # assumption: time for a pedestrian to cross 12 m at 1 m/s
PROGRESSION_MPS = 8.0  # assumption: speed of a platoon in a centre
GROUP_M = 35.0  # assumption: width of a large junction with separate carriageways


def fixed_plans(
    nodes: pd.DataFrame, links: pd.DataFrame, *, flow_veh_per_s: np.ndarray | None = None, seed: int = 0
) -> pd.DataFrame:
    """Two-phase plans for every intersection that has a signal and two axes of approach.

    Parameters
    ----------
    nodes : DataFrame
        `node_id`, `x_m`, `y_m`, `signal`.
    links : DataFrame
        `link_id`, `from_node_id`, `to_node_id`, `capacity_veh_per_s`, `lanes`.
    flow_veh_per_s : ndarray, shape (n_links,), optional
        Expected flow of the busiest hour.
    seed : int
        Shifts all plans together.

    Returns
    -------
    DataFrame
        Columns of `data.schemas.SIGNALS`; links inside an intersection and approaches without a crossing
        axis have no row.
    """
    signal = nodes[nodes["signal"]]
    if signal.empty:
        return empty(SIGNALS)
    xy = signal[["x_m", "y_m"]].to_numpy()
    group = np.ones(1, dtype=int) if len(xy) == 1 else fcluster(linkage(xy, "single"), GROUP_M, "distance")
    group_of = pd.Series(group, index=signal["node_id"])
    approach = pd.DataFrame(
        {
            "link_id": links["link_id"].to_numpy(),
            "node_id": links["to_node_id"].to_numpy(),
            "group": links["to_node_id"].map(group_of).to_numpy(float),
            "inside": (links["from_node_id"].map(group_of) == links["to_node_id"].map(group_of)).to_numpy(),
            "capacity": links["capacity_veh_per_s"].to_numpy(),
            "axis": _axis(nodes, links),
            "flow": links["capacity_veh_per_s"].to_numpy() if flow_veh_per_s is None else flow_veh_per_s,
            "saturation": links["lanes"].to_numpy(float) * SATURATION_FLOW_PER_LANE,
        }
    )
    approach = approach[approach["group"].notna() & ~approach["inside"]]
    centre = pd.DataFrame(xy).groupby(group).mean()
    plans = [_plan(rows, centre.loc[number].to_numpy(), seed) for number, rows in approach.groupby("group")]
    plans = [plan for plan in plans if plan is not None]
    if not plans:
        return empty(SIGNALS)
    return validate(pd.concat(plans, ignore_index=True).sort_values("link_id", ignore_index=True), SIGNALS)


def _axis(nodes: pd.DataFrame, links: pd.DataFrame) -> np.ndarray:
    """Twice the heading of each link, rad: opposite directions have the same axis."""
    at = nodes.set_index("node_id")[["x_m", "y_m"]]
    step = at.loc[links["to_node_id"]].to_numpy() - at.loc[links["from_node_id"]].to_numpy()
    return 2.0 * np.arctan2(step[:, 1], step[:, 0])


def _plan(rows: pd.DataFrame, centre: np.ndarray, seed: int) -> pd.DataFrame | None:
    """Plan of one intersection: the main axis is that of the largest capacity; None where all approaches share it."""
    if len(rows) < 2:
        return None
    main = rows.sort_values(["capacity", "link_id"], ascending=[False, True])["axis"].iloc[0]
    first = np.cos(rows["axis"].to_numpy() - main) >= 0
    if first.all():
        return None
    ratio = (rows["flow"] / rows["saturation"]).to_numpy()
    critical = np.maximum([ratio[first].max(), ratio[~first].max()], 1e-3)
    available = CYCLE_S - 2 * LOST_S_PER_PHASE
    green = np.clip(available * critical / critical.sum(), MIN_GREEN_S, available - MIN_GREEN_S)
    heading = 0.5 * (main % (2.0 * np.pi))
    along = centre @ np.array([np.cos(heading), np.sin(heading)])
    shift = float(uniform(seed, 0, 0, Purpose.SIGNAL_OFFSET)[0]) * CYCLE_S
    offset = (along / PROGRESSION_MPS + shift) % CYCLE_S
    start = np.array([0.0, green[0] + LOST_S_PER_PHASE])
    phase = np.where(first, 0, 1)
    return pd.DataFrame(
        {
            "link_id": rows["link_id"].to_numpy(),
            "node_id": rows["node_id"].to_numpy(),
            "cycle_s": CYCLE_S,
            "green_start_s": (start[phase] + offset) % CYCLE_S,
            "green_s": green[phase],
        }
    )

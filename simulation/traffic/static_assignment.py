"""Static user equilibrium: nobody can lower the cost of a trip by taking another route (Wardrop 1952).

Link times follow the flow by the formula of the Bureau of Public Roads, so that the equilibrium is the smallest value
of Beckmann's convex objective. It is sought over path flows, in sweeps: for one origin after another, find the cheapest
paths at the present costs and move flow to them by projected Newton steps (gradient projection: Jayakrishnan, Tsai,
Prashker & Rajadhyaksha 1994, Transportation Research Record 1443, 75-83; one OD pair after another: Florian, Constantin
& Florian 2009, doi:10.3141/2090-02); then go over the known paths of all pairs until the excess cost has fallen well
below what the sweep has found. The gap that is reported in the end is taken with all flows at rest.

Static means: one period, no queues, no spillback; flows above capacity are only slow. It serves macroscopic studies, as
a baseline, and as a start for the dynamic equilibrium (`StaticEquilibrium.draw`, `.link_paths`).

Read `bpr`, `static_assignment_network` (graph and classes), this file, `static_assignment_state` (one sweep), then
`static_assignment_result`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd

from simulation.errors import DemandError, RunError
from simulation.traffic.bpr import BPR_ALPHA, BPR_POWER
from simulation.traffic.static_assignment_network import StaticNetwork, UserClass
from simulation.traffic.static_assignment_result import StaticEquilibrium
from simulation.traffic.static_assignment_state import CURVE, AssignmentState, Demand

_LOG = logging.getLogger(__name__)
#: Iterations without a smaller gap after which the search ends: rounding is reached.
_PATIENCE = 20
#: A gap found while the flow moved is checked when it is below this multiple of the wanted one.
_WORTH_CHECKING = 3.0


def static_equilibrium(
    links: pd.DataFrame,
    od: pd.DataFrame,
    *,
    turns: pd.DataFrame | None = None,
    duration_s: float = 3600.0,
    alpha: float = BPR_ALPHA,
    power: float = BPR_POWER,
    classes: Sequence[UserClass] = (UserClass(),),
    gap: float = 1e-6,
    max_iterations: int = 200,
    start: StaticEquilibrium | None = None,
) -> StaticEquilibrium:
    """User equilibrium on our own tables, in seconds and veh/s.

    Supported: turn bans and turn penalties, parallel links, user classes with tolls, distance costs and bans. Not
    supported: capacities that signals or crossing flows take away (give smaller `capacity_veh_per_s` where that
    matters), queues, and demand that depends on cost.

    Parameters
    ----------
    links : DataFrame
        `link_id` (0..n-1 in order), `from_node_id`, `to_node_id`, `length_m`, `free_flow_speed_mps`,
        `capacity_veh_per_s`.
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `trips_veh` in the period, and `user_class` where there are several. A trip
        may start with any link out of its origin and end with any link into its destination.
    turns : DataFrame, optional
        Allowed movements `from_link_id`, `to_link_id`, `penalty_s`; what is not listed is banned. Without it every
        movement is allowed, U-turns included, at no cost.
    duration_s : float
        Length of the period, above 0 s.
    alpha, power : float
        Of the travel-time function; defaults of the Bureau of Public Roads.
    classes : sequence of UserClass
        Fixed costs in seconds.
    gap, max_iterations, start
        As in `assign`.

    Raises
    ------
    NetworkError, DemandError, RunError
        Naming every fault.

    Examples
    --------
    >>> links = pd.DataFrame(
    ...     {"link_id": [0, 1], "from_node_id": 0, "to_node_id": 1, "length_m": [1000.0, 1000.0],
    ...      "free_flow_speed_mps": 10.0, "capacity_veh_per_s": 0.5}
    ... )
    >>> od = pd.DataFrame({"origin_node_id": [0], "dest_node_id": [1], "trips_veh": [3600.0]})
    >>> static_equilibrium(links, od).flow.round(3).tolist()
    [0.5, 0.5]
    """
    if not (np.isfinite(duration_s) and duration_s > 0):
        raise RunError(f"duration_s={duration_s!r}; allowed is a number above 0 s")
    network = StaticNetwork.of_links(links, turns=turns, alpha=alpha, power=power)
    if "trips_veh" not in od.columns:
        raise DemandError(f"the OD table lacks column 'trips_veh'; it has {list(od.columns)}")
    flows = od.drop(columns="trips_veh").assign(flow=od["trips_veh"].to_numpy(float) / duration_s)
    return assign(network, flows, classes=classes, gap=gap, max_iterations=max_iterations, start=start)


def assign(
    network: StaticNetwork,
    od: pd.DataFrame,
    *,
    classes: Sequence[UserClass] = (UserClass(),),
    gap: float = 1e-6,
    max_iterations: int = 200,
    start: StaticEquilibrium | None = None,
) -> StaticEquilibrium:
    """User equilibrium of flows between nodes.

    Parameters
    ----------
    network : StaticNetwork
    od : DataFrame
        `origin_node_id`, `dest_node_id`, `flow` (at least 0, in the unit of the capacities), and `user_class` (a name)
        where there are several classes. Equal pairs add up; trips from a node to itself are left out.
    classes : sequence of UserClass
    gap : float
        Relative gap to reach, above 0.
    max_iterations : int
        Sweeps. The search also ends where 20 of them bring no smaller gap (rounding: about 1e-15). A result that has
        not reached `gap` says so, and is logged as a warning.
    start : StaticEquilibrium, optional
        Begin with its routes, in proportion, on links with the same ends in the same order (times, capacities, turns,
        costs, bans and demand may differ). The result is the same, sooner.

    Returns
    -------
    StaticEquilibrium

    Raises
    ------
    DemandError
        Naming every fault of the table at once, OD pairs without any way included.
    NetworkError
        If the costs of a class cannot be used.
    RunError
        If the options are impossible, or `start` belongs to other links.
    """
    _check_options(gap, max_iterations, start, network)
    demand = Demand.of(network, od, classes)
    state = AssignmentState(demand, start)
    rows: list[list[float]] = []
    best, best_at = np.inf, 1
    if not (state.unrouted or demand.faults):
        rows.append(state.check())
    for sweep in range(1, max_iterations + 1):
        if rows and rows[-1][0] <= gap and rows[-1][2]:
            break
        rows.append(state.sweep())
        best, best_at = min((best, best_at), (rows[-1][0], sweep))
        last = sweep in (max_iterations, best_at + _PATIENCE)
        if last or rows[-1][0] <= _WORTH_CHECKING * gap:
            rows.append(state.check())
        if last:
            break
    curve = pd.DataFrame(rows, columns=list(CURVE)).astype({"exact": bool, "paths_used": int, "passes": int})
    curve.insert(0, "iteration", np.arange(1, len(curve) + 1))
    reached = float(curve["relative_gap"].iloc[-1])
    if reached > gap:
        _LOG.warning(
            "static assignment stopped after %d iterations at relative gap %.3g; asked was %.3g",
            len(curve), reached, gap,
        )  # fmt: skip
    return state.result(curve, gap)


def _check_options(gap: float, max_iterations: int, start: StaticEquilibrium | None, network: StaticNetwork) -> None:
    faults = []
    if not (np.isfinite(gap) and gap > 0):
        faults.append(f"gap={gap!r}; allowed is a number above 0")
    if max_iterations < 1:
        faults.append(f"max_iterations={max_iterations!r}; allowed is 1 or more")
    if start is not None and not np.array_equal(network.link_ends, start.network.link_ends):
        faults.append("start has links with other ends; ban links by a class instead of leaving them out")
    if faults:
        raise RunError("the assignment cannot be run: " + "; ".join(faults))

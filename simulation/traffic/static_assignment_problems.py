"""Published assignment problems in their own units: tables to a network, OD flows and a user class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from simulation.errors import NetworkError
from simulation.traffic.bpr import Bpr
from simulation.traffic.static_assignment_network import StaticNetwork, UserClass, fixed_cost


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Problem:
    """What `assign` takes: `assign(problem.network, problem.od, classes=problem.classes)`."""

    network: StaticNetwork
    od: pd.DataFrame
    classes: tuple[UserClass, ...]


def tntp_problem(
    links: pd.DataFrame,
    trips: pd.DataFrame,
    *,
    first_thru_node: int = 1,
    time_per_length: float = 0.0,
    time_per_toll: float = 0.0,
) -> Problem:
    """A problem of the TNTP collection, in the units of its files.

    Parameters
    ----------
    links : DataFrame
        `from_node`, `to_node`, `capacity_native`, `length_native`, `free_flow_time_native`, `b`, `power`,
        `toll_native`.
    trips : DataFrame
        `origin_zone`, `dest_zone`, `trips_native`; trips within a zone are ignored, as in the published results.
    first_thru_node : int
        Routes do not pass through nodes below it.
    time_per_length, time_per_toll : float
        Cost of distance and tolls in time. The published solution of Chicago-Sketch holds for 0.04 min/mile and
        0.02 min/cent, those of Sioux Falls and Anaheim for none.

    Raises
    ------
    NetworkError
        If the links cannot carry traffic, naming every fault.
    """
    time = Bpr(
        free_time=links["free_flow_time_native"].to_numpy(float), capacity=links["capacity_native"].to_numpy(float),
        alpha=links["b"].to_numpy(float), power=links["power"].to_numpy(float),
    )  # fmt: skip
    network = StaticNetwork.of(
        links["from_node"].to_numpy(), links["to_node"].to_numpy(), time, first_thru_node=first_thru_node
    )
    fixed = fixed_cost(
        toll=links["toll_native"].to_numpy(float), time_per_toll=time_per_toll,
        length=links["length_native"].to_numpy(float), time_per_length=time_per_length,
    )  # fmt: skip
    names = {"origin_zone": "origin_node_id", "dest_zone": "dest_node_id", "trips_native": "flow"}
    return Problem(network=network, od=trips.rename(columns=names), classes=(UserClass(fixed=fixed),))


def beckmann_objective(network: StaticNetwork, flow: np.ndarray, user_class: UserClass) -> float:
    """Beckmann's objective of link flows of one class: sum of integrals of time plus fixed cost x flow.

    Parameters
    ----------
    flow : ndarray, shape (n_links,)
        In the caller's order of links. Turn penalties, which need turn flows, are not part of it.

    Raises
    ------
    NetworkError
        If the flows have another shape, are negative or not finite.
    """
    flow = np.asarray(flow, float)
    if flow.shape != (network.n_links,) or not (np.isfinite(flow) & (flow >= 0)).all():
        raise NetworkError(f"flows of shape {flow.shape}; allowed are ({network.n_links},) numbers of at least 0")
    return float((network.time.integral(flow) + np.asarray(user_class.fixed, float) * flow).sum())

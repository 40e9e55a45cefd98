"""From fractional demand to whole vehicles, none lost and none made up."""

from __future__ import annotations

import numpy as np

from simulation.errors import DemandError


def whole_vehicles(demand_veh: np.ndarray, *, seed: int) -> np.ndarray:
    """Round vehicles of each pair and interval to whole ones and keep their sums.

    Systematic sampling (Madow 1949, doi:10.1214/aoms/1177729988): cells are laid end to end, pair by pair and within a
    pair interval by interval, and whoever stands on `u, u + 1, u + 2, ...` drives, with one random `u`.

    Parameters
    ----------
    demand_veh : ndarray, shape (..., intervals)
        Vehicles, e.g. by origin, destination and interval; the last axis is time.
    seed : int

    Returns
    -------
    ndarray of int64, same shape
        Each cell is its demand rounded up or down, each pair's sum and the whole sum too; the expected value of each
        cell is its demand. A whole sum that is an integer is kept exactly, any other to the nearer integer.

    Raises
    ------
    DemandError
        If some demand is negative or not finite.
    """
    demand = np.asarray(demand_veh, dtype=float)
    bad = np.flatnonzero(~(np.isfinite(demand) & (demand >= 0)).ravel())
    if bad.size:
        where = tuple(int(i) for i in np.unravel_index(bad[0], demand.shape))
        raise DemandError(
            f"demand must be finite and at least 0; cell {where} has {demand.ravel()[bad[0]]:g} ({bad.size} such cells)"
        )
    whole = np.floor(demand)  # only the rest is drawn, so that large demands lose no digits
    rest = np.concatenate([[0.0], np.cumsum((demand - whole).ravel())])
    total = np.rint(rest[-1])
    if rest[-1] > 0:
        rest *= total / rest[-1]
    rest[-1] = total
    reached = np.floor(rest + np.random.default_rng(seed).uniform() * (1.0 - 1e-9))
    return (whole + np.diff(reached).reshape(demand.shape)).astype(np.int64)


def departures(vehicles: np.ndarray, *, step_s: float, seed: int, start_s: float = 0.0) -> tuple[np.ndarray, ...]:
    """One departure for each vehicle, even luck within its interval.

    Parameters
    ----------
    vehicles : ndarray of int, shape (origins, destinations, intervals)
    step_s, start_s : float
        Length of an interval and begin of the first, s.
    seed : int

    Returns
    -------
    depart_s, origin, destination : ndarray, shape (vehicles.sum(),)
        In order of departure.
    """
    count = np.asarray(vehicles, dtype=np.int64)
    origin, destination, interval = (np.repeat(i.ravel(), count.ravel()) for i in np.indices(count.shape))
    luck = np.random.default_rng([seed, 1]).uniform(size=origin.size)
    depart = start_s + (interval + luck) * step_s
    order = np.argsort(depart, kind="stable")
    return depart[order], origin[order], destination[order]

"""Districts: zones that touch, grouped to be about equally large, for numbers between a zone's and the city's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zones.errors import ZoneError


def make_districts(
    zone_ids: Sequence[str], touching: np.ndarray, *, count: int | None = None, size: np.ndarray | None = None
) -> dict[str, str]:
    """Group adjacent zones; the same input gives the same districts.

    Parameters
    ----------
    zone_ids : sequence of str, length Z
    touching : ndarray, shape (Z, Z)
        How much zones have to do with each other, e.g. metres of common border or neighbour weights; 0 where they do
        not touch. Counted in both directions.
    count : int or None
        Districts wanted; None takes the square root of the number of zones. More are made where parts of the city do
        not touch.
    size : ndarray or None, shape (Z,)
        What districts should have about equally much of, e.g. homes or area; None counts zones.

    Returns
    -------
    dict of str to str
        District of each zone, `D1` upwards in the order of their first zones.

    Raises
    ------
    ZoneError
        Naming every argument that cannot be followed.

    Notes
    -----
    The smallest district is merged with the one it touches most in proportion to that one's size, until there are few
    enough.
    """
    n = len(zone_ids)
    weight = np.ones(n) if size is None else np.asarray(size, dtype=float)
    wanted = max(1, round(np.sqrt(n))) if count is None else count
    faults = []
    if np.shape(touching) != (n, n):
        faults.append(f"touching has shape {np.shape(touching)}; {(n, n)} for {n} zones")
    if weight.shape != (n,) or not np.isfinite(weight).all() or (weight < 0).any():
        faults.append(f"size has shape {weight.shape} or values that are missing or below 0; one a zone")
    if not 1 <= wanted <= max(n, 1):
        faults.append(f"count={wanted}; between 1 and the number of zones, {n}")
    if faults:
        raise ZoneError("districts cannot be made: " + "; ".join(faults))
    link = np.asarray(touching, dtype=float)
    link = link + link.T
    np.fill_diagonal(link, 0.0)
    weight = weight + 1e-9 * max(float(weight.sum()), 1.0)
    group, alive = np.arange(n), np.ones(n, dtype=bool)
    while alive.sum() > wanted:
        can = alive & (link > 0).any(axis=1)
        if not can.any():
            break
        small = int(np.flatnonzero(can)[np.argmin(weight[can])])
        into = int(np.argmax(np.where(alive, link[small] / weight, 0.0)))
        link[into] += link[small]
        link[:, into] += link[:, small]
        link[small], link[:, small], link[into, into] = 0.0, 0.0, 0.0
        weight[into] += weight[small]
        group[group == small], alive[small] = into, False
    order = dict.fromkeys(group.tolist())
    name = {old: f"D{k + 1}" for k, old in enumerate(order)}
    return {zone: name[int(g)] for zone, g in zip(zone_ids, group)}


def check_districts(zone_ids: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Districts given by hand: `ZoneError` names every zone that has none and every one that there is not."""
    lacking = [zone for zone in zone_ids if not given.get(zone)]
    strange = [zone for zone in given if zone not in set(zone_ids)]
    if lacking or strange:
        raise ZoneError(
            f"every zone needs a district: {len(lacking)} lack one {lacking[:5]}, {len(strange)} are no zones"
            f" {strange[:5]}"
        )
    return {zone: str(given[zone]) for zone in zone_ids}

"""Trips as an engine releases them: from a link to a destination of the route table, or along a path of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulation.errors import RunError
from simulation.link_state import N_CLASSES
from simulation.traffic.layout import NONE
from simulation.traffic.paths import Paths


@dataclass(frozen=True, slots=True, kw_only=True)
class Trips:
    """Trips to release, in order of departure. Shape (k,) each."""

    depart_s: np.ndarray  # s since the clock's zero
    origin_link: np.ndarray  # int64; -2 - k: the best link of origin k of the table of first links, at departure
    dest_row: np.ndarray  # int64, destination of the route table
    layer: np.ndarray  # int64, layer of the route table
    vehicle_class: np.ndarray  # int64
    paths: Paths | None = None  # trips with a path that is not empty drive it, whatever the route table says

    def __len__(self) -> int:
        return self.depart_s.size

    def between(self, first: int, last: int) -> Trips:
        """Trips from position `first` to before `last`."""
        part = slice(first, last)
        return Trips(
            depart_s=self.depart_s[part], origin_link=self.origin_link[part], dest_row=self.dest_row[part],
            layer=self.layer[part], vehicle_class=self.vehicle_class[part],
            paths=None if self.paths is None else self.paths.take(np.arange(first, last)),
        )  # fmt: skip


def check_trips(trips: Trips, now: float, n_links: int, n_dest: int) -> None:
    """Refuse trips that an engine with `n_links` links and `n_dest` destinations cannot release at `now` (s).

    Raises
    ------
    RunError
        Naming every fault.
    """
    depart = trips.depart_s
    if not len(trips):
        return
    faults = [
        f"{name} must have one value a trip, shape {depart.shape}; found {value.shape}"
        for name in ("origin_link", "dest_row", "layer", "vehicle_class")
        if (value := getattr(trips, name)).shape != depart.shape
    ]
    if faults:
        raise RunError("the trips cannot be released: " + "; ".join(faults))
    if not np.isfinite(depart).all() or depart.min() < now:
        faults.append(f"trips must depart at or after {now:g} s; found {depart.min():g} s")
    if (np.diff(depart) < 0).any():
        faults.append("trips must be in order of departure")
    if (trips.origin_link == NONE).any():
        faults.append("origin_link must not be -1")
    if trips.layer.min() < 0:
        faults.append(f"layers run from 0; found {trips.layer.min()}")
    for name, values, n in (
        ("origin_link", np.maximum(trips.origin_link, 0), n_links), ("vehicle_class", trips.vehicle_class, N_CLASSES)
    ):  # fmt: skip
        if values.min() < 0 or values.max() >= n:
            faults.append(f"{name} runs from 0 to {n - 1}; found {values.min()} to {values.max()}")
    if trips.paths is not None:
        links, start = trips.paths.links, trips.paths.start
        if len(trips.paths) != len(trips) or (links.size and (links.min() < 0 or links.max() >= n_links)):
            faults.append(f"paths must be one a trip, of links 0 to {n_links - 1}; found {len(trips.paths)}")
        else:
            own = np.flatnonzero(start[1:] > start[:-1])
            other = own[links[start[own]] != trips.origin_link[own]]
            if other.size:
                faults.append(
                    f"the path of trip {other[0]} does not begin on its origin link ({other.size} such trips)"
                )
    by_table = trips.dest_row if trips.paths is None else trips.dest_row[np.diff(trips.paths.start) == 0]
    if by_table.size and (by_table.min() < 0 or by_table.max() >= n_dest):
        faults.append(f"destinations run from 0 to {n_dest - 1}; found {by_table.min()} to {by_table.max()}")
    if faults:
        raise RunError("the trips cannot be released: " + "; ".join(faults))

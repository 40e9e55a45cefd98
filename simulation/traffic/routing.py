"""Routes: next links by destination, kept up to date with travel times, in a few layers of perception.

Drivers do not all see the same times. Each route layer multiplies the times by its own seeded log-normal factor a
link, and each trip belongs to one layer; so equal routes share their traffic, and no tie needs a rule. This is a
small-sample form of the stochastic network loading with perceived times (Sheffi & Powell 1982,
doi:10.1002/net.3230120209).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulation.streams import Purpose, normal
from simulation.traffic.network import LinkArrays, TurnIndex
from simulation.traffic.routing_kernels import NONE, load_trees, update_trees

N_PERCEPTIONS = 3
PERCEPTION_SD = 0.15  # of the log of perceived time; assumption
#: Perceived extra time of a closed link, s: above any detour in a city, below infinity, so that nobody is stranded.
CLOSED_PENALTY_S = 7200.0
#: Another way must be better by this share and time before drivers take it (indifference band of boundedly rational
#: drivers, some 20 % in the experiments of Mahmassani & Chang 1987, doi:10.1287/trsc.21.2.89; half of it kept).
SWITCH_SHARE, SWITCH_S = 0.10, 10.0
#: Weight of the newest travel times in what the drivers of each perception know: habit, radio, navigation. If all
#: followed the newest times they would all turn into the same side street (Mahmassani & Jayakrishnan 1991,
#: doi:10.1016/0191-2607(91)90145-G, find market shares beyond which information harms).
NEWEST = (0.3, 0.45, 0.6)
#: How many intervals pass between two looks at the times.
LOOK_EVERY = (4, 2, 1)


class Routes:
    """Next links for every (layer, destination), by the travel times that drivers know.

    A layer is a perception of one group of vehicle classes; classes that may use the same links share a group.

    Parameters
    ----------
    arrays : LinkArrays
    turns : TurnIndex
    dest_link : ndarray, shape (D,)
    closed : ndarray of bool, shape (groups, n_links)
        Links that each group may not use.
    seed : int
    perceptions : int
        Number of perceptions.
    perception_sd : float
        Standard deviation of the log of perceived time.
    """

    def __init__(
        self,
        arrays: LinkArrays,
        turns: TurnIndex,
        dest_link: np.ndarray,
        closed: np.ndarray,
        *,
        seed: int,
        perceptions: int = N_PERCEPTIONS,
        perception_sd: float = PERCEPTION_SD,
    ) -> None:
        self.turns, self.dest_link = turns, np.ascontiguousarray(dest_link, dtype=np.int64)
        n = arrays.length_m.size
        link = np.arange(n, dtype=np.uint64)
        self.perceptions = perceptions
        self._factor = np.exp(
            perception_sd * np.stack([normal(seed, 0, link, Purpose.PERCEPTION, index=k) for k in range(perceptions)])
        )
        self.closed = np.atleast_2d(closed)
        self.known_s = np.tile(free_times(arrays), (perceptions, 1))
        self._newest = np.resize(np.array(NEWEST), perceptions)[:, None]
        self._allocate()

    def _allocate(self) -> None:
        layers, d, n = self.n_layers, self.dest_link.size, self.known_s.shape[1]
        self.next_link = np.full((layers, d, n), NONE, dtype=np.int32)
        self._label = np.full((layers, d, n), np.inf)
        self._penalty = np.zeros((layers, d, n))
        self._order = np.full((layers, d, n), NONE, dtype=np.int32)

    @property
    def n_layers(self) -> int:
        """Perceptions x groups."""
        return self.perceptions * self.closed.shape[0]

    def layer(self, perception: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Row of `next_link` for a perception and a group."""
        return group * self.perceptions + perception

    def looking(self, step: int) -> list[int]:
        """Perceptions that look at the times in interval number `step`."""
        return [k for k in range(self.perceptions) if step % LOOK_EVERY[k % len(LOOK_EVERY)] == 0]

    def learn(self, travel_time_s: np.ndarray, free_s: np.ndarray, perceptions: Sequence[int]) -> None:
        """Mix travel times, shape (n_links,), into what drivers of some perceptions know; never below `free_s`."""
        k = list(perceptions)
        weight = self._newest[k]
        self.known_s[k] = np.maximum(weight * travel_time_s + (1 - weight) * self.known_s[k], free_s)

    def set_closed(self, closed: np.ndarray) -> None:
        """Other links are closed from now on; routes follow at the next `update`."""
        closed = np.atleast_2d(closed)
        changed = closed.shape != self.closed.shape
        self.closed = closed.copy()
        if changed:
            self._allocate()

    def update(self, perceptions: Sequence[int] | None = None) -> int:
        """Bring the routes of some perceptions (all, if None) up to date; returns how many trees were made anew."""
        rebuilt = 0
        turns = self.turns
        for group in range(self.closed.shape[0]):
            for perception in range(self.perceptions) if perceptions is None else perceptions:
                k = group * self.perceptions + perception
                cost = self.known_s[perception] * self._factor[perception] + CLOSED_PENALTY_S * self.closed[group]
                rebuilt += update_trees(
                    self.dest_link, cost, turns.in_start, turns.in_link, turns.in_penalty, self._penalty[k],
                    self._label[k], self.next_link[k], self._order[k], SWITCH_SHARE, SWITCH_S,
                )  # fmt: skip
        return rebuilt

    def load(self, starts: np.ndarray) -> np.ndarray:
        """Vehicles on each link if all follow their routes now, perceptions mixed evenly. Shape (n_links,).

        Parameters
        ----------
        starts : ndarray, shape (D, n_links)
            Vehicles that start on each link for each destination.
        """
        flow = np.zeros(self.known_s.shape[1])
        for k in range(self.perceptions):
            load_trees(self.dest_link, self.next_link[k], self._order[k], starts / self.perceptions, flow)
        return flow

    def reachable(self) -> np.ndarray:
        """Whether some way leads from each link to each destination. Shape (D, n_links)."""
        reach = (self.next_link[0] != NONE).copy()
        reach[np.arange(self.dest_link.size), self.dest_link] = True
        return reach

    def time_to(self) -> np.ndarray:
        """Perceived time from the end of each link to each destination, first layer, s. Shape (D, n_links)."""
        return self._label[0]

    def state(self) -> dict[str, np.ndarray]:
        """What drivers know and the ways they take."""
        return {
            "known_s": self.known_s.copy(), "next_link": self.next_link.copy(), "label": self._label.copy(),
            "penalty": self._penalty.copy(), "order": self._order.copy(), "closed": self.closed.copy(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        self.known_s, self.closed = np.array(state["known_s"]), np.array(state["closed"])
        self.next_link, self._label = np.array(state["next_link"]), np.array(state["label"])
        self._penalty, self._order = np.array(state["penalty"]), np.array(state["order"])


def free_times(arrays: LinkArrays) -> np.ndarray:
    """Time over an empty link with the mean wait at its signal, s: (cycle - green)^2 / (2 cycle). Shape (n_links,)."""
    red = np.maximum(arrays.cycle_s - arrays.green_s, 0.0)
    wait = np.divide(red**2, 2 * arrays.cycle_s, out=np.zeros_like(red), where=arrays.cycle_s > 0)
    return arrays.length_m / arrays.speed_mps + wait

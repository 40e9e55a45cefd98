"""Routes: next links by destination, kept up to date with travel times, in a few layers of perception.

Drivers do not all see the same times. Each route layer multiplies the times by its own seeded log-normal factor a
link, and each trip belongs to one layer; so equal routes share their traffic, and no tie needs a rule. This is a
small-sample form of the stochastic network loading with perceived times (Sheffi & Powell 1982,
doi:10.1002/net.3230120209). Ways that stay equal to the last bit (perceptions without error) are told apart by a lot
drawn from the name of the link (`LinkArrays.key`), the destination and the seed, never by the number of a link.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from simulation.errors import NetworkError, RunError
from simulation.streams import Purpose, bits, normal
from simulation.traffic.network import LinkArrays, TurnIndex
from simulation.traffic.paths import Paths
from simulation.traffic.routing_kernels import NONE, label_trees, load_trees, path_lengths, update_trees, write_paths

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
#: Share of links whose cost has moved above which trees are made anew without a look at the old ones; measured on
#: Chicago Sketch: where more than this share moves by tens of per cent, most trees change in many places.
RENEW_SHARE = 0.2
#: Least cost of a link, s: keeps a way from running in circles at no cost.
LEAST_COST_S = 1e-6


class Routes:
    """Next links for every (layer, destination), by the travel times that drivers know.

    A layer is a perception of one group of vehicle classes; classes that may use the same links at the same charges
    share a group. `next_link`, int32 of shape (layers, D, n_links), holds the link to take at the end of each link;
    -1 where there is no way, -2 where a trip to this destination ends. `first_link`, int32 of shape (layers, D, O),
    holds the link on which a trip from each origin begins; -1 where there is no way.

    Parameters
    ----------
    arrays : LinkArrays
    turns : TurnIndex
    dest_link : ndarray, shape (D,), or with `dest_start` any length
        Links at whose end trips may end: one a destination, or ranges of them.
    closed : ndarray of bool, shape (groups, n_links)
        Links that each group may not use.
    seed : int
    perceptions : int
        Number of perceptions.
    perception_sd : float
        Standard deviation of the log of perceived time.
    dest_start : ndarray, shape (D + 1,), optional
        Destination `d` is the set `dest_link[dest_start[d]:dest_start[d + 1]]`; a trip ends at the end of the first of
        them that it drives.
    origin_start, origin_link : ndarray, shapes (O + 1,) and any, optional
        Origin `o` is the set `origin_link[origin_start[o]:origin_start[o + 1]]` of links on which its trips may begin.
    charge_s : ndarray, shape (groups, n_links), optional
        What a group pays on each link, in seconds of its time (see `simulation.traffic.costs`).
    switch_share, switch_s : float
        Another way must be better by this share and this time before drivers take it; 0 and 0: always the best.
    newest : sequence of float
        Weight of the newest travel times in what each perception knows, in turn.
    habits : int
        Further perceptions, whose drivers never look at the times: they drive as on empty streets.

    Raises
    ------
    NetworkError
        If a destination or origin is empty or names links that are not there.
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
        dest_start: np.ndarray | None = None,
        origin_start: np.ndarray | None = None,
        origin_link: np.ndarray | None = None,
        charge_s: np.ndarray | None = None,
        switch_share: float = SWITCH_SHARE,
        switch_s: float = SWITCH_S,
        newest: Sequence[float] = NEWEST,
        habits: int = 0,
    ) -> None:
        n = arrays.length_m.size
        self.turns = turns
        self.dest_link = np.ascontiguousarray(dest_link, dtype=np.int64)
        self.dest_start = _starts(dest_start, self.dest_link.size)
        self.origin_link = np.ascontiguousarray([] if origin_link is None else origin_link, dtype=np.int64)
        self.origin_start = _starts(origin_start, self.origin_link.size)
        _check_sets("destination", self.dest_start, self.dest_link, n)
        _check_sets("origin", self.origin_start, self.origin_link, n)
        self._in_start = turns.in_start.astype(np.int64)
        self._in_link = turns.in_link.astype(np.int32)  # half the memory to walk through
        self._key = link_keys(arrays)
        with np.errstate(over="ignore"):
            self._salt = np.add.reduceat(bits(seed, 0, self._key[self.dest_link], Purpose.TIE), self.dest_start[:-1])
        self.habits = habits
        perceptions += habits
        self.perceptions = perceptions
        self._factor = np.exp(
            perception_sd
            * np.stack([normal(seed, 0, self._key, Purpose.PERCEPTION, index=k) for k in range(perceptions)])
        )
        self.switch_share, self.switch_s = switch_share, switch_s
        self.closed = np.atleast_2d(closed)
        self.charge_s = np.zeros(self.closed.shape) if charge_s is None else np.atleast_2d(charge_s)
        self.known_s = np.tile(free_times(arrays), (perceptions, 1))
        self._newest = np.resize(np.array(newest, dtype=float), perceptions)[:, None]
        self._allocate()

    def _allocate(self) -> None:
        layers, d, n = self.n_layers, self.n_destinations, self.known_s.shape[1]
        self.next_link = np.full((layers, d, n), NONE, dtype=np.int32)
        self.first_link = np.full((layers, d, self.origin_start.size - 1), NONE, dtype=np.int32)
        self._built = np.zeros((layers, d), dtype=bool)
        self._current = np.zeros((layers, d), dtype=bool)  # brought up to date with the costs of the last update
        self._cost = np.full((layers, n), np.nan)

    @property
    def n_layers(self) -> int:
        """Perceptions x groups."""
        return self.perceptions * self.closed.shape[0]

    @property
    def n_destinations(self) -> int:
        """Rows of the route table."""
        return self.dest_start.size - 1

    def layer(self, perception: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Row of `next_link` for a perception and a group."""
        return group * self.perceptions + perception

    def looking(self, step: int) -> list[int]:
        """Perceptions that look at the times in interval number `step`; those of habit never do."""
        return [k for k in range(self.perceptions - self.habits) if step % LOOK_EVERY[k % len(LOOK_EVERY)] == 0]

    def learn(self, travel_time_s: np.ndarray, free_s: np.ndarray, perceptions: Sequence[int] | None = None) -> None:
        """Mix travel times, shape (n_links,), into what drivers of some perceptions (all but habits, if None) know.

        What they know is never below `free_s`.
        """
        k = list(range(self.perceptions - self.habits) if perceptions is None else perceptions)
        weight = self._newest[k]
        self.known_s[k] = np.maximum(weight * travel_time_s + (1 - weight) * self.known_s[k], free_s)

    def set_closed(self, closed: np.ndarray) -> None:
        """Other links are closed from now on; routes follow at the next `update`. Charges end if the groups change."""
        shape = np.atleast_2d(closed).shape
        self.set_groups(closed, self.charge_s if self.charge_s.shape == shape else np.zeros(shape))

    def set_groups(self, closed: np.ndarray, charge_s: np.ndarray) -> None:
        """Other links are closed or charged from now on, (groups, n_links); routes follow at the next `update`."""
        closed, charge_s = np.atleast_2d(closed), np.atleast_2d(charge_s)
        if closed.shape != charge_s.shape:
            raise RunError(f"closed has shape {closed.shape} and charge_s {charge_s.shape}; they must agree")
        changed = closed.shape != self.closed.shape
        self.closed, self.charge_s = closed.copy(), charge_s.copy()
        if changed:
            self._allocate()

    def set_turns(self, turns: TurnIndex) -> None:
        """The same turns take other times from now on; routes follow at the next `update`."""
        if not np.array_equal(turns.in_link, self.turns.in_link):
            raise RunError("set_turns changes what turns take, not which there are")
        self.turns = turns
        self._cost[:] = np.nan  # every tree is looked at anew

    def cost_s(self, layer: int) -> np.ndarray:
        """Perceived generalised cost of each link in a layer, s: time, closure and charge. Shape (n_links,)."""
        group, perception = divmod(layer, self.perceptions)
        cost = self.known_s[perception] * self._factor[perception] + CLOSED_PENALTY_S * self.closed[group]
        return np.maximum(cost + self.charge_s[group], LEAST_COST_S)

    def update(self, perceptions: Sequence[int] | None = None, *, in_use: np.ndarray | None = None) -> int:
        """Bring the routes of some perceptions (all, if None) up to date; returns how many trees changed.

        A tree is looked at only if some cost of its layer has moved since it was last.

        Parameters
        ----------
        perceptions : sequence of int, optional
        in_use : ndarray of bool, shape (D,) or (layers, D), optional
            Destinations that somebody drives to before the next update; the others keep the trees they have, or none.
        """
        wanted = np.ones((self.n_layers, self.n_destinations), dtype=bool)
        if in_use is not None:
            wanted &= in_use
        changed = 0
        for layer in range(self.n_layers):
            if perceptions is not None and layer % self.perceptions not in perceptions:
                continue
            cost = self.cost_s(layer)
            moved = cost != self._cost[layer]
            if moved.any():
                self._cost[layer] = cost
                self._current[layer] = False
            rows = np.flatnonzero(wanted[layer] & ~self._current[layer])
            if not rows.size:
                continue
            changed += update_trees(
                rows, self._built[layer], self.dest_start, self.dest_link, cost, self._in_start, self._in_link,
                self.turns.in_penalty, self._key, self._salt, self.switch_share, self.switch_s,
                bool(moved.mean() > RENEW_SHARE), self.next_link[layer],
                self.origin_start, self.origin_link, self.first_link[layer],
            )  # fmt: skip
            self._current[layer, rows] = True
        return changed

    def paths(self, layer: np.ndarray, first_link: np.ndarray, dest_row: np.ndarray) -> Paths:
        """The ways that trips would drive by the routes as they are now.

        Parameters
        ----------
        layer, first_link, dest_row : ndarray of int, shape (k,)

        Returns
        -------
        Paths
            From `first_link` to the destination, both ends included; empty where there is no way.
        """
        layer, first, row = (np.ascontiguousarray(a, dtype=np.int64) for a in (layer, first_link, dest_row))
        size = np.empty(first.size, dtype=np.int64)
        path_lengths(self.next_link, layer, row, first, size)
        start = np.concatenate([[0], np.cumsum(size)])
        links = np.empty(start[-1], dtype=np.int32)
        write_paths(self.next_link, layer, row, first, start, links)
        return Paths(links=links, start=start)

    def load(self, starts: np.ndarray) -> np.ndarray:
        """Vehicles on each link if all follow their routes now, perceptions mixed evenly. Shape (n_links,).

        Parameters
        ----------
        starts : ndarray, shape (D, n_links)
            Vehicles that start on each link for each destination.
        """
        flow = np.zeros(self.known_s.shape[1])
        for k in range(self.perceptions):
            load_trees(self.next_link[k], starts.copy(), flow)  # it is used up
        return flow / self.perceptions

    def reachable(self) -> np.ndarray:
        """Whether some way leads from each link to each destination. Shape (D, n_links)."""
        reach = self.next_link[0] != NONE
        reach[np.repeat(np.arange(self.n_destinations), np.diff(self.dest_start)), self.dest_link] = True
        return np.asarray(reach)

    def time_to(self, layer: int = 0) -> np.ndarray:
        """Perceived cost from the end of each link to each destination, inf where no way is known, s. Shape (D, n)."""
        out = np.empty(self.next_link.shape[1:])
        label_trees(
            self.next_link[layer], self.cost_s(layer), self._in_start, self._in_link, self.turns.in_penalty, out
        )
        return out

    def state(self) -> dict[str, np.ndarray]:
        """What drivers know and the ways they take."""
        return {
            "known_s": self.known_s.copy(), "next_link": self.next_link.copy(), "first_link": self.first_link.copy(),
            "built": self._built.copy(), "current": self._current.copy(), "cost": self._cost.copy(),
            "closed": self.closed.copy(), "charge_s": self.charge_s.copy(),
        }  # fmt: skip

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a state."""
        self.known_s, self.closed = np.array(state["known_s"]), np.array(state["closed"])
        self.charge_s, self._cost = np.array(state["charge_s"]), np.array(state["cost"])
        self.next_link, self.first_link = np.array(state["next_link"]), np.array(state["first_link"])
        self._built, self._current = np.array(state["built"]), np.array(state["current"])


def rows_in_use(layer: np.ndarray, dest_row: np.ndarray, *, n_layers: int, n_destinations: int) -> np.ndarray:
    """Destinations that some trips drive to, for `Routes.update`. bool, shape (layers, D).

    Parameters
    ----------
    layer, dest_row : ndarray of int, shape (k,)
        Of the trips that are on the road or set out before the next update.
    """
    used = np.zeros(n_layers * n_destinations, dtype=bool)
    used[np.asarray(layer) * n_destinations + np.asarray(dest_row)] = True
    return used.reshape(n_layers, n_destinations)


def link_keys(arrays: LinkArrays) -> np.ndarray:
    """Names of links that do not depend on their numbers. uint64, shape (n_links,)."""
    key = getattr(arrays, "key", None)
    n = arrays.length_m.size
    return np.arange(n, dtype=np.uint64) if key is None else np.ascontiguousarray(key, dtype=np.uint64)


def _starts(start: np.ndarray | None, size: int) -> np.ndarray:
    return np.arange(size + 1) if start is None else np.ascontiguousarray(start, dtype=np.int64)


def _check_sets(what: str, start: np.ndarray, link: np.ndarray, n: int) -> None:
    faults = []
    if start[0] != 0 or start[-1] != link.size or (np.diff(start) < 0).any():
        faults.append(f"ranges must run from 0 to {link.size} without going back")
    elif (np.diff(start) == 0).any():
        empty = np.flatnonzero(np.diff(start) == 0)
        faults.append(f"{empty.size} have no link, first {what} {empty[0]}; leave them out")
    outside = link[(link < 0) | (link >= n)]
    if outside.size:
        faults.append(f"links run from 0 to {n - 1}; found {outside[:3].tolist()}")
    if faults:
        raise NetworkError(f"the {what}s of the routes cannot be used: " + "; ".join(faults))


def free_times(arrays: LinkArrays) -> np.ndarray:
    """Time over an empty link with the mean wait at its signal, s: (cycle - green)^2 / (2 cycle). Shape (n_links,)."""
    red = np.maximum(arrays.cycle_s - arrays.green_s, 0.0)
    wait = np.divide(red**2, 2 * arrays.cycle_s, out=np.zeros_like(red), where=arrays.cycle_s > 0)
    return arrays.length_m / arrays.speed_mps + wait

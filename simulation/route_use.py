"""From demand to flows on counted links, and back: the link-use proportions of an assignment.

`flows` lets the demand of each hour run down the route trees; `pull` adds up a number of each counted link along the
ways of every pair, which is the transpose. Both cost one pass over the trees, whatever the number of pairs and counts.
`matrix` writes the proportions out, which is worth it where they fit in memory and are used many times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.sparse import csr_array

from simulation.demand.spec import Access, DemandSpec
from simulation.route_use_kernels import add_ways
from simulation.traffic.network import TurnIndex
from simulation.traffic.routing_kernels import NONE, label_trees, load_trees

_CHUNK = 128  # destinations at once: bounds the memory in a large city


class RouteUse:
    """Flows of a weekday's demand on links, by the hour of departure.

    Parameters
    ----------
    demand : DemandSpec
        Its profiles, and the links where trips start and end; its matrix is not read.
    turns : TurnIndex
    trees : mapping of int to sequence of ndarray
        Hour of day to route trees of shape (D, n_links), as `Routes.next_link` of one layer; equal shares follow each.
    link : ndarray of int, shape (m,)
    hour : ndarray of int, shape (m,)
        Link and local hour of day of each flow that is asked for.
    """

    def __init__(
        self,
        demand: DemandSpec,
        turns: TurnIndex,
        trees: Mapping[int, Sequence[np.ndarray]],
        link: np.ndarray,
        hour: np.ndarray,
    ) -> None:
        self.link, self.hour = np.asarray(link, np.int64), np.asarray(hour, np.int64)
        self.trees = {int(h): list(trees[int(h)]) for h in np.unique(self.hour)}
        self._turns = turns
        self._no_penalty = np.zeros_like(turns.in_penalty)
        self._n = turns.in_start.size - 1
        self._start = access_weights(demand.origins, np.arange(self._n))
        self._end = access_weights(demand.destinations, demand.dest_link)
        self._share = {h: demand.hour_share(h) for h in self.trees}

    def flows(self, od_veh: np.ndarray) -> np.ndarray:
        """Flow on each asked link in its hour, veh/h, if all follow the trees. Shape (m,)."""
        out = np.zeros(self.link.size)
        for hour in self.trees:
            mine = self.hour == hour
            out[mine] = self.all_flows(od_veh, hour)[self.link[mine]]
        return out

    def all_flows(self, od_veh: np.ndarray, hour: int) -> np.ndarray:
        """Flow on every link in an hour, veh/h. Shape (n_links,)."""
        flow, trees = np.zeros(self._n), self.trees[hour]
        asked = (np.asarray(od_veh) * self._share[hour]).T  # by destination
        for chunk in self._chunks():
            starts = (self._end[:, chunk].T @ asked) @ self._start / len(trees)
            for tree in trees:
                load_trees(tree[chunk], np.ascontiguousarray(starts), flow)
        return flow

    def pull(self, weight: np.ndarray) -> np.ndarray:
        """Sum over links of weight x share of a pair's weekday vehicles that is on it in its hour. Shape (P, P).

        Parameters
        ----------
        weight : ndarray, shape (m,)
        """
        places = self._start.shape[0]
        total = np.zeros((places, places))
        for hour, trees in self.trees.items():
            mine = self.hour == hour
            cost = np.bincount(self.link[mine], weights=np.asarray(weight)[mine], minlength=self._n)
            by_dest = np.zeros((places, places))
            for chunk in self._chunks():
                ahead = np.empty((chunk.stop - chunk.start, self._n))
                for tree in trees:
                    label_trees(tree[chunk], cost, self._turns.in_start, self._turns.in_link, self._no_penalty, ahead)
                    along = np.where(np.isfinite(ahead) & (tree[chunk] != NONE), cost + ahead, 0.0)
                    by_dest += self._end[:, chunk] @ (self._start @ along.T).T
            total += by_dest.T * self._share[hour] / len(trees)
        return total

    def matrix(self) -> np.ndarray:
        """Share of each pair's weekday vehicles that is on each asked link in its hour. Shape (m, P * P).

        `matrix @ od_veh.ravel()` is `flows(od_veh)`.
        """
        places = self._start.shape[0]
        out = np.empty((self.link.size, places * places))
        begins = (self._start.indptr.astype(np.int64), self._start.indices.astype(np.int64), self._start.data)
        for hour, trees in self.trees.items():
            mine = np.flatnonzero(self.hour == hour)
            links, row = np.unique(self.link[mine], return_inverse=True)
            row_of_link = np.full(self._n, -1, dtype=np.int64)
            row_of_link[links] = np.arange(links.size)
            by_dest = np.zeros((links.size, places, self._end.shape[1]))
            for tree in trees:
                add_ways(np.ascontiguousarray(tree, np.int32), row_of_link, *begins, by_dest)
            use = (self._end @ by_dest.reshape(-1, by_dest.shape[2]).T).T.reshape(links.size, places, places)
            out[mine] = (use * self._share[hour] / len(trees)).reshape(links.size, -1)[row]
        return out

    def _chunks(self) -> list[slice]:
        size = self._end.shape[1]
        return [slice(first, min(first + _CHUNK, size)) for first in range(0, size, _CHUNK)]


def access_weights(access: Access, links: np.ndarray) -> csr_array:
    """Share of each place's trips on each of some links, which ascend. Sparse, shape (P, links)."""
    owner = np.repeat(np.arange(access.start.size - 1), np.diff(access.start))
    first = np.concatenate([[True], owner[1:] != owner[:-1]])
    before = np.where(first, 0.0, np.concatenate([[0.0], access.cumulative[:-1]]))
    shape = (access.start.size - 1, links.size)
    return csr_array((access.cumulative - before, (owner, np.searchsorted(links, access.link))), shape=shape)

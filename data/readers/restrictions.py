"""Turn restrictions: from OpenStreetMap relations to pairs of links between which cars may not go.

A network of links and turns knows pairs of links only. A restriction that runs over further ways (`via` is a way) is
kept where a pair expresses it exactly; the others are counted and left out, as are those with hours and those for other
vehicles. See the OpenStreetMap wiki's "Relation:restriction".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from scipy import sparse

from data.readers.turns import turns_of

_CAR_KEYS = ("restriction:motorcar", "restriction:motor_vehicle", "restriction:vehicle", "restriction")
_KINDS = tuple(
    f"{rule}_{turn}"
    for rule in ("no", "only")
    for turn in ("left_turn", "right_turn", "straight_on", "u_turn", "entry", "exit", "slight_left", "slight_right")
)
_MOST_VIA_LINKS = 8  # a restriction that runs over more links is left out (assumed)

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Restriction:
    """One restriction for cars at all hours; ids are OpenStreetMap's."""

    osmid: int
    kind: str  # no_left_turn, only_straight_on, ...
    from_ways: tuple[int, ...]
    via_nodes: tuple[int, ...]
    via_ways: tuple[int, ...]
    to_ways: tuple[int, ...]


def read_restriction(osmid: int, tags: Mapping[str, str], members: Sequence[tuple[str, str, int]]) -> Restriction | str:
    """A restriction, or why it does not hold for cars at all hours.

    Parameters
    ----------
    osmid : int
    tags : mapping
        Of the relation; `restriction:motorcar` speaks before `restriction`, `except` frees vehicles.
    members : sequence of (role, type, ref)
        Types are `n`, `w` and `r`.
    """
    key = next((key for key in _CAR_KEYS if key in tags), None)
    if key is None:
        if any(key.startswith("restriction") and key.endswith(":conditional") for key in tags):
            return "with conditions"
        return "for other vehicles" if any(key.startswith("restriction:") for key in tags) else "unreadable"
    kind = tags[key].strip().lower()
    if "@" in kind or any(name in tags for name in ("day_on", "hour_on", "day_off", "hour_off")):
        return "with conditions"
    free = {word.strip() for word in tags.get("except", "").split(";")}
    if key == "restriction" and free & {"motorcar", "motor_vehicle", "vehicle"}:
        return "cars are exempt"
    if kind not in _KINDS:
        return "unreadable"

    def refs(role: str, type_: str) -> tuple[int, ...]:
        return tuple(ref for r, t, ref in members if r == role and t == type_)

    found = Restriction(osmid, kind, refs("from", "w"), refs("via", "n"), refs("via", "w"), refs("to", "w"))
    whole = found.from_ways and found.to_ways and bool(found.via_nodes) != bool(found.via_ways)
    return found if whole and len(found.via_nodes) < 2 else "incomplete"


def restricted_turns(
    links: gpd.GeoDataFrame, nodes: pd.DataFrame, restrictions: Sequence[Restriction], *, drives_on_left: bool = False
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Every movement from a link to the next that no restriction forbids.

    A restriction that would leave a street without a way in or out is lifted: it is wrong, or makes sense only with
    streets that the extract or the network lacks.

    Parameters
    ----------
    links : GeoDataFrame
        As `data.readers.turns.turns_of` reads them, and `osmid`: its ways in order of travel, joined by `;`.
    nodes : DataFrame
        Reads `node_id`, `border`, `osmid`.
    restrictions : sequence of Restriction
    drives_on_left : bool

    Returns
    -------
    turns : DataFrame
        Columns of `data.schemas.TURNS`.
    counts : dict
        Restrictions by what became of them: `applied`, `lifted` (pairs of links), and those left out by reason.
    """
    free = turns_of(links, nodes, drives_on_left=drives_on_left)
    if not restrictions:
        return free, {}
    counts: Counter[str] = Counter()
    banned = _Finder(links, nodes, free).pairs(restrictions, counts)
    if not banned:
        return free, dict(counts)
    turns = turns_of(links, nodes, drives_on_left=drives_on_left, forbidden=banned)
    core = _core(free, links, nodes)
    while banned:
        lost = core & ~_core(turns, links, nodes)
        if not lost.any():
            break
        wrong = {pair for pair in banned if lost[pair[0]] or lost[pair[1]]} or set(banned)
        counts["lifted"] += len(wrong)
        banned -= wrong
        turns = turns_of(links, nodes, drives_on_left=drives_on_left, forbidden=banned)
    return turns, dict(counts)


class _Finder:
    """Finds the links of restrictions."""

    def __init__(self, links: gpd.GeoDataFrame, nodes: pd.DataFrame, turns: pd.DataFrame) -> None:
        ways = [[int(part) for part in text.split(";")] for text in links["osmid"]]
        self.ways = ways
        self.start, self.end = links["from_node_id"].to_numpy(), links["to_node_id"].to_numpy()
        self.node = {int(osm): int(k) for osm, k in zip(nodes["osmid"], nodes["node_id"])}
        self.leaves: dict[int, list[int]] = {}
        self.ends: dict[int, list[int]] = {}
        for link, (a, b) in enumerate(zip(self.start.tolist(), self.end.tolist())):
            self.leaves.setdefault(a, []).append(link)
            self.ends.setdefault(b, []).append(link)
        self.last: dict[int, list[int]] = {}
        for link, own in enumerate(ways):
            self.last.setdefault(own[-1], []).append(link)
        pairs = turns[["from_link_id", "to_link_id"]].to_numpy().tolist()
        self.after: dict[int, set[int]] = {}
        self.before: dict[int, set[int]] = {}
        for a, b in pairs:
            self.after.setdefault(a, set()).add(b)
            self.before.setdefault(b, set()).add(a)

    def pairs(self, restrictions: Sequence[Restriction], counts: Counter[str]) -> set[Pair]:
        """Forbidden pairs of links of all restrictions."""
        banned: set[Pair] = set()
        for restriction in restrictions:
            found = self._at_node(restriction) if restriction.via_nodes else self._over_ways(restriction)
            if isinstance(found, str):
                counts[found] += 1
            else:
                counts["applied"] += 1
                banned |= found
        return banned

    def _at_node(self, restriction: Restriction) -> set[Pair] | str:
        node = self.node.get(restriction.via_nodes[0])
        if node is None:
            return "no junction of the network"
        into = [a for a in self.ends.get(node, []) if self.ways[a][-1] in restriction.from_ways]
        out = [b for b in self.leaves.get(node, []) if self.ways[b][0] in restriction.to_ways]
        if not into or not out:
            return "ways outside the network"
        if restriction.kind.endswith("u_turn") and set(restriction.from_ways) & set(restriction.to_ways):
            return {(a, b) for a in into for b in out if self.start[a] == self.end[b]}
        if len(into) > len(restriction.from_ways) or len(out) > len(restriction.to_ways):
            return "way goes on beyond the junction"
        if restriction.kind.startswith("no"):
            return {(a, b) for a in into for b in out}
        return {(a, b) for a in into for b in self.leaves[node] if b not in out}

    def _over_ways(self, restriction: Restriction) -> set[Pair] | str:
        paths = [
            path for way in restriction.from_ways for first in self.last.get(way, ())
            for path in self._paths([first], restriction)
        ]  # fmt: skip
        if not paths:
            return "ways outside the network"
        banned: set[Pair] = set()
        for path in paths:
            entered = [self.before.get(link, set()) <= {path[k]} for k, link in enumerate(path[1:-1])]
            if restriction.kind.startswith("only"):
                if not all(entered):
                    return "no pair of links expresses it"
                banned |= {(path[-2], b) for b in self.after.get(path[-2], ()) if b != path[-1]}
                continue
            left = [self.after.get(link, set()) <= {path[k + 2]} for k, link in enumerate(path[1:-1])]
            cut = next((k for k in range(len(path) - 1) if all(entered[:k]) and all(left[k:])), None)
            if cut is None:
                return "no pair of links expresses it"
            banned.add((path[cut], path[cut + 1]))
        return banned

    def _paths(self, path: list[int], restriction: Restriction) -> list[list[int]]:
        """Paths over the ways of the restriction, from its first way into its last."""
        found, via = [], set(restriction.via_ways)
        for link in self.leaves.get(int(self.end[path[-1]]), ()):
            turns_back = self.end[link] == self.start[path[-1]]
            if len(path) > 1 and self.ways[link][0] in restriction.to_ways:
                found.append([*path, link])
            elif set(self.ways[link]) <= via and link not in path and len(path) <= _MOST_VIA_LINKS and not turns_back:
                found += self._paths([*path, link], restriction)
        return found


def _core(turns: pd.DataFrame, links: pd.DataFrame, nodes: pd.DataFrame) -> np.ndarray:
    """Links of the largest strongly connected part, with the world beyond the border as one more. Shape (L,), bool."""
    n = len(links)
    border = nodes.loc[nodes["border"].to_numpy(bool), "node_id"].to_numpy()
    enters = np.flatnonzero(links["from_node_id"].isin(border).to_numpy())
    leaves = np.flatnonzero(links["to_node_id"].isin(border).to_numpy())
    start = np.concatenate([turns["from_link_id"].to_numpy(), np.full(enters.size, n), leaves])
    end = np.concatenate([turns["to_link_id"].to_numpy(), enters, np.full(leaves.size, n)])
    graph = sparse.csr_array((np.ones(start.size), (start, end)), shape=(n + 1, n + 1))
    _, part = sparse.csgraph.connected_components(graph, directed=True, connection="strong")
    return np.asarray(part[:n] == np.bincount(part).argmax())

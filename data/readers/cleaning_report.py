"""What reading and cleaning made of a city's streets, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import networkx as nx
import pandas as pd

from data.readers.barriers import stops_cars
from data.readers.osm import OsmExtract
from data.readers.osm_tags import is_roundabout


def cleaning_report(
    extract: OsmExtract, graph: nx.MultiDiGraph, nodes: pd.DataFrame, links: pd.DataFrame, restricted: Mapping[str, int]
) -> dict[str, Any]:
    """Counts of what was found, done and assumed.

    Parameters
    ----------
    extract : OsmExtract
        Empty where the streets came from GraphML: what is counted of ways and nodes is then 0.
    graph : MultiDiGraph
        Simplified; reads `parts`.
    nodes, links : DataFrame
        The network.
    restricted : mapping
        Turn restrictions by what became of them, from `data.readers.restrictions.restricted_turns`.

    Returns
    -------
    dict
        Names tell the unit; shares are of street length, each direction of travel counted.
    """
    ways = extract.roads
    oneway = Counter(str(way.tags.get("oneway", "")).lower() for way in ways)
    told = {"lanes_told": 0.0, "speed_told": 0.0, "tunnel": 0.0, "bridge": 0.0, "destination_only": 0.0}
    signalled, total = set(), 0.0
    for _, _, parts in graph.edges(data="parts"):
        for part in parts:
            total += part.length_m
            for name in told:
                told[name] += part.length_m * getattr(part, name)
            if part.crossing == "signals":
                signalled.add(part.end)
    barriers = Counter(stops_cars(tags) for tags in _on_roads(extract))
    neighbours = {node: len({*graph.predecessors(node), *graph.successors(node)} - {node}) for node in graph}
    return {
        "oneway_links": int(links["oneway"].sum()),
        "ways_drawn_against_traffic": oneway["-1"] + oneway["reverse"],
        "reversible_ways_taken_as_two_way": oneway["reversible"] + oneway["alternating"],
        "ways_with_conditional_tags_ignored": sum(any(":conditional" in key for key in way.tags) for way in ways),
        "lanes_told_share": round(told["lanes_told"] / total, 4),
        "speed_told_share": round(told["speed_told"] / total, 4),
        "tunnel_km": round(told["tunnel"] / 1000.0, 3),
        "bridge_km": round(told["bridge"] / 1000.0, 3),
        "destination_only_km_open_to_all": round(told["destination_only"] / 1000.0, 3),
        "roundabout_ways": sum(is_roundabout(way.tags) for way in ways),
        "mini_roundabouts": sum(tags.get("highway") == "mini_roundabout" for tags in extract.signs.values()),
        "signals_in_file": len(extract.signals),
        "signal_nodes": int(nodes["signal"].sum()),
        "signal_links": int(links["signal_end"].sum()),
        "crossings": int(links["crossings"].sum()),
        "crossings_with_signal_not_simulated": len(signalled),
        "barriers_that_cut": barriers[True],
        "barriers_taken_as_open": barriers[False],
        "capacity_change_nodes": sum(1 for _, data in graph.nodes(data=True) if data.get("change") is True),
        "dead_ends_inside": sum(n == 1 and not graph.nodes[node].get("border") for node, n in neighbours.items()),
        "turn_restrictions": {**dict(extract.dropped_restrictions), **dict(restricted)},
    }


def _on_roads(extract: OsmExtract) -> list[Mapping[str, str]]:
    return [tags for node, tags in extract.barriers.items() if node in extract.location]

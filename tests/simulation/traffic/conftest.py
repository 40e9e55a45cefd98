"""Small roads whose behaviour can be worked out by hand."""

import importlib.util
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from data.schemas import SIGNALS, empty
from data.toy import toy_links, toy_nodes, toy_turns
from simulation.traffic.engine import TrafficEngine, Trips
from simulation.traffic.layout import END
from simulation.traffic.network import LinkArrays, link_arrays, turn_index
from simulation.traffic.routing import Routes
from simulation.traffic.signals import fixed_plans

#: 10 m/s, 0.5 veh/s, 0.2 veh/m over 100 m: 10 s at free flow, 20 vehicles, a wave of 100 m in 30 s.
USUAL = {
    "length_m": 100.0, "lanes": 1.0, "speed_mps": 10.0, "capacity_veh_per_s": 0.5, "jam_density_veh_per_m": 0.2,
    "cycle_s": 0.0, "green_start_s": 0.0, "green_s": 0.0,
}  # fmt: skip


class Road:
    """An engine on hand-made links, with the way to each destination given as a path of links."""

    def __init__(self, paths, n=None, engine=None, extra=None, **fields):
        n = n if n is not None else 1 + max(max(path) for path in paths)
        values = {
            name: np.broadcast_to(np.asarray(fields.get(name, usual), float), n).copy() for name, usual in USUAL.items()
        }
        discharge = np.broadcast_to(
            np.asarray(fields.get("discharge_veh_per_s", values["capacity_veh_per_s"]), float), n
        )
        self.arrays = LinkArrays(**values, discharge_veh_per_s=discharge.copy(), **extra or {})
        dest = sorted({path[-1] for path in paths})
        self.next_link = np.full((1, len(dest), n), -1, dtype=np.int32)
        for path in paths:
            row = self.next_link[0, dest.index(path[-1])]
            row[path[-1]] = END
            for link, following in pairwise(path):
                row[link] = following
        self.dest = dest
        self.engine = TrafficEngine(self.arrays, len(dest), **engine or {})

    def release(self, depart_s, origin=0, to=None, vehicle_class=0):
        depart = np.atleast_1d(np.asarray(depart_s, float))
        order = np.argsort(depart, kind="stable")
        whole = lambda value: np.broadcast_to(np.asarray(value, np.int64), depart.shape)[order].copy()  # noqa: E731
        rows = np.searchsorted(self.dest, self.dest[0] if to is None else to)
        self.engine.release(
            Trips(
                depart_s=depart[order], origin_link=whole(origin), dest_row=whole(rows), layer=whole(0),
                vehicle_class=whole(vehicle_class),
            )
        )  # fmt: skip
        return self

    def go(self, until_s):
        self.engine.advance(until_s, self.next_link)
        return self

    def history(self, link):
        """Entry, exit and trip of those who have left a link, in the order of their exits, as far back as its ring."""
        v = self.engine.v
        row = v.links[link]
        slots = v.slots[row["ring_start"] : row["ring_start"] + row["ring_size"]]
        here = (row["head"] + np.arange(row["count"])) % row["ring_size"]
        gone = np.delete(slots, here)
        gone = gone[np.isfinite(gone["exit"])]
        gone = gone[np.lexsort((gone["entry"], gone["exit"]))]
        return gone["entry"], gone["exit"], gone["trip"]

    def exits(self, link):
        return self.history(link)[1]

    def entries(self, link):
        """Entries of those on the link and those who have left it."""
        v = self.engine.v
        row = v.links[link]
        slots = v.slots[row["ring_start"] : row["ring_start"] + row["ring_size"]]
        return np.sort(slots["entry"][slots["entry"] != -np.inf])


@pytest.fixture(scope="session")
def road():
    """Maker of a `Road`."""
    return Road


class ToyTraffic:
    """The toy town's links with their signals, and free-flow routes to every link."""

    def __init__(self, signals=True):
        links = toy_links()
        plans = fixed_plans(toy_nodes(), links) if signals else empty(SIGNALS)
        self.arrays = link_arrays(links, plans)
        self.dest = np.arange(len(links))
        self.routes = Routes(
            self.arrays, turn_index(toy_turns(), len(links)), self.dest, np.zeros((1, len(links)), bool), seed=3
        )
        self.routes.update()

    def engine(self):
        return TrafficEngine(self.arrays, self.dest.size)


@pytest.fixture(scope="session")
def toy_traffic():
    return ToyTraffic()


@pytest.fixture(scope="session")
def random_networks():
    """Module `random_networks` beside this file: networks drawn by a seed, and a check of an engine's state."""
    path = Path(__file__).with_name("random_networks.py")
    spec = importlib.util.spec_from_file_location("random_networks", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["random_networks"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module

"""The toy town as a City, and a stand-in for a living one that obeys the seam of `live_protocol`."""

import numpy as np
import pandas as pd
import pytest
import simpy

from data.schemas import VEHICLE_CLASSES
from data.toy import CRS, toy_links, toy_nodes, toy_turns, toy_zones
from simulation.city import make_city


def toy_city():
    links, zones = toy_links(), toy_zones()
    middle = links.geometry.interpolate(0.5, normalized=True)
    home = [zones["zone_id"][zones.distance(point).argmin()] for point in middle]
    pairs = [("Z01", "Z02"), ("Z01", "Z03"), ("Z02", "Z04"), ("Z03", "Z04")]
    both = pairs + [(b, a) for a, b in pairs]
    return make_city(
        name="toy", label="Toy town", nodes=toy_nodes(), links=links.assign(osmid=[f"{100 + i};7" for i in range(80)]),
        turns=toy_turns(), zones=zones, crs=CRS, timezone="Europe/Helsinki", latitude=60.17, longitude=24.94,
        link_zone=pd.DataFrame({"link_id": links["link_id"], "zone_id": home, "share": 1.0}),
        adjacency=pd.DataFrame(both, columns=["zone_id", "neighbour_zone_id"]).assign(border_m=400.0, distance_m=400.0),
    )  # fmt: skip


class StandIn:
    """A living city of arrays: what the seam promises, nothing else."""

    def __init__(self, city, start_s=0.0):
        self.city, self.env, self._start, self.seed = city, simpy.Environment(), start_s, 1
        self.day = pd.Timestamp("2026-06-01", tz="UTC")  # a Monday
        self.entries = []  # limits, streets to avoid, banned turns, tolls, factors and trips in force
        n = len(city.links)
        self.closures = np.zeros((len(VEHICLE_CLASSES), n), dtype=int)
        for link, klass in city.closed:
            self.closures[klass, link] += 1
        self.speed, self.lanes = np.full(n, np.nan), np.full(n, np.nan)
        self.fleets = dict.fromkeys(range(n))
        for ids, fleet in city.link_fleet:
            self.set_link_fleet(ids, fleet)
        self.factors, self.actuated = [], []
        self.plans = {
            link: (cycle, start, green)
            for link, cycle, start, green in city.signals[
                ["link_id", "cycle_s", "green_start_s", "green_s"]
            ].itertuples(index=False)
        }

    def time_of_day_s(self):
        return (self._start + self.env.now) % 86_400.0

    def local(self):
        return self.day + pd.Timedelta(seconds=self._start + self.env.now)

    def _hold(self, *entry):
        self.entries.append(entry)
        return lambda: self.entries.remove(entry)

    def limit(self, link_ids, *, capacity=1.0, speed=1.0):
        return self._hold("limit", tuple(link_ids), tuple(np.ravel(capacity)), tuple(np.ravel(speed)))

    def avoid(self, link_ids, share):
        return self._hold("avoid", tuple(link_ids), tuple(share))

    def ban_turns(self, from_link, to_link):
        return self._hold("turns", tuple(from_link), tuple(to_link))

    def set_toll(self, link_ids, eur, classes=None):
        return self._hold("toll", tuple(link_ids), tuple(np.ravel(eur)), tuple(classes or ()))

    def multiply_demand(self, factor):
        return self._hold("demand", factor.matrix.tobytes(), factor.classes)

    def add_trips(self, trips):
        return self._hold("trips", tuple(trips.depart_s), tuple(trips.origin_link), tuple(trips.dest_link))

    def seconds_until(self, local_s):
        return (local_s - self.time_of_day_s()) % 86_400.0

    def close(self, link_ids, classes=None):
        self.closures[np.ix_(list(range(4) if classes is None else classes), link_ids)] += 1

    def open(self, link_ids, classes=None):
        self.closures[np.ix_(list(range(4) if classes is None else classes), link_ids)] -= 1
        assert (self.closures >= 0).all()

    def set_speed(self, link_ids, mps):
        self.speed[link_ids] = np.nan if mps is None else mps

    def set_lanes(self, link_ids, lanes):
        self.lanes[link_ids] = np.nan if lanes is None else lanes

    def retime(self, link_ids, *, cycle_s, green_start_s, green_s):
        for link, *plan in zip(link_ids, cycle_s, green_start_s, green_s):
            self.plans[link] = tuple(float(value) for value in plan)

    def actuate(self, link_ids, settings=None):
        assert not {link for links, _ in self.actuated for link in links} & set(link_ids)
        entry = (tuple(link_ids), settings)
        self.actuated.append(entry)
        return lambda: self.actuated.remove(entry)

    def set_link_fleet(self, link_ids, fleet):
        self.fleets.update(dict.fromkeys(link_ids, fleet))

    def scale_demand(self, factor, *, origin_zones=None, dest_zones=None, classes=None):
        entry = (factor, tuple(origin_zones or ()), tuple(dest_zones or ()), tuple(classes or ()))
        self.factors.append(entry)
        return lambda: self.factors.remove(entry)

    def snapshot(self):
        return (
            self.closures.tobytes(), self.speed.tobytes(), self.lanes.tobytes(), tuple(self.fleets.items()),
            tuple(self.factors), tuple(self.plans.items()), tuple(self.actuated), tuple(self.entries),
        )  # fmt: skip

    def play(self, *generators, until):
        for generator in generators:
            self.env.process(generator)
        self.env.run(until=until)


@pytest.fixture(scope="session")
def city():
    return toy_city()


@pytest.fixture
def live_of():
    return StandIn

"""A toy town with traffic that follows the clock, for tests of air and sensors."""

import numpy as np
import pandas as pd
import pytest

from data.toy import toy_links, toy_zones
from simulation.air import AirModel, default_fleet, synthetic_weather
from simulation.link_state import N_CLASSES, N_SPEED_BINS, LinkInterval

START = pd.Timestamp("2025-03-03", tz="UTC")
CLASS_SHARE = np.array([0.82, 0.10, 0.04, 0.04])


class ToyAir:
    """Tables of the toy town, and an air model for any start."""

    def __init__(self):
        self.links, self.zones = toy_links(), toy_zones()
        middle = self.links.geometry.interpolate(0.5, normalized=True)
        home = [self.zones["zone_id"][self.zones.distance(point).argmin()] for point in middle]
        self.link_zone = pd.DataFrame({"link_id": self.links["link_id"], "zone_id": home, "share": 1.0})
        pairs = [("Z01", "Z02"), ("Z01", "Z03"), ("Z02", "Z04"), ("Z03", "Z04")]
        self.adjacency = pd.DataFrame(pairs, columns=["zone_id", "neighbour_zone_id"]).assign(
            border_m=400.0, distance_m=400.0
        )
        self.weather = synthetic_weather(60.17, START, 3, 7, longitude=24.94)

    def model(self, start=START, **kw):
        return AirModel(
            self.zones, self.adjacency, self.link_zone, self.links, fleet=default_fleet(), seed=7, start=start,
            latitude=60.17, **{"weather": self.weather, **kw},
        )  # fmt: skip

    def walls(self, *, height_m, width_m):
        """Walls of the same height along every street, all of it; both directions are one street of 200 m."""
        ends = np.sort(self.links[["from_node_id", "to_node_id"]].to_numpy(), axis=1)
        street = pd.factorize(pd.Series(map(tuple, ends)))[0]
        step = self.links.geometry.get_coordinates().groupby(level=0).agg(lambda v: v.iloc[-1] - v.iloc[0])
        return pd.DataFrame(
            {
                "link_id": self.links["link_id"], "street": street, "canyon": True, "height_m": height_m,
                "width_m": width_m, "left_m": width_m / 2, "right_m": width_m / 2,
                "angle_deg": np.degrees(np.arctan2(step["x"], step["y"])) % 180.0, "end_m": 100.0, "street_m": 200.0,
                "left_share": 1.0, "right_share": 1.0, "wall_share": 1.0, "source": "floors mapped",
            }
        )  # fmt: skip

    def interval(self, number, *, factor=1.0, offset=0):
        """Quarter hour `number`: 600 veh/h on primary streets, 100 elsewhere, at the share of the hour, 22.5 km/h."""
        hour = number // 4 % 24
        share = 0.1 + 0.9 * np.exp(-(((hour - 8) / 4.0) ** 2))
        veh = np.rint(np.where(self.links["road_class"] == "primary", 150.0, 25.0) * share * factor)
        veh = veh[:, None] * CLASS_SHARE
        distance = veh * self.links["length_m"].to_numpy()[:, None]
        histogram = np.zeros((len(self.links), N_CLASSES, N_SPEED_BINS))
        histogram[:, :, 4], histogram[:, :, 5] = distance * 4 / 9, distance * 5 / 9  # at 20 and 25: 22.5 km/h by pace
        return LinkInterval(
            start_s=(number - offset) * 900.0, step_s=900.0, vehicle_distance_m=distance,
            vehicle_time_s=distance / 6.25, inflow_veh=veh, outflow_veh=veh, queue_veh=np.zeros_like(veh),
            speed_distance_m=histogram,
        )  # fmt: skip


@pytest.fixture(scope="session")
def toy_air():
    return ToyAir()


def make_town(*, count=4, kind="square", **changes):
    """The toy town as a City, cut into zones; `changes` go to `make_city`."""
    from data.cities import load_city
    from simulation.city import make_city
    from zones import adjacency, link_zone, make_zones

    source = load_city("toy")
    zones = make_zones(source.links, source.places, kind=kind, count=count)
    told = {
        "name": source.name, "label": source.label, "timezone": source.timezone, "latitude": source.latitude,
        "longitude": source.longitude, "crs": str(source.crs), "nodes": source.nodes, "links": source.links,
        "turns": source.turns, "zones": zones, "link_zone": link_zone(source.links, zones),
        "adjacency": adjacency(zones),
    }  # fmt: skip
    return make_city(**{**told, **changes})


@pytest.fixture(scope="session")
def maker():
    """Maker of toy towns."""
    return make_town


@pytest.fixture(scope="session")
def town():
    """The toy town in four square zones."""
    return make_town()


@pytest.fixture(scope="session")
def day(town):
    """One day of the town, seed 1, without incidents."""
    return town.run(days=1, seed=1, incidents_per_day=0.0, keep_link_state=True)

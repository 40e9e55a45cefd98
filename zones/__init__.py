"""Zones: how the city is cut into areas, what each area is like, and how link tables become zone tables.

Read `spec` (what may be asked for), `partition` (cutting the area that the streets cover), `functional` (streets with
similar traffic, from `dynamics` over `street_cells`), `character` (homes, jobs, shops, green), `membership` (which link
lies in which zone), `adjacency` (which zones touch), then `rollup` (links and sensors to zones, by Edie's definitions)
and `quality` (partitions side by side). `build.make_zones` is the front door. Depends on `data` alone.
"""

from zones.adjacency import adjacency
from zones.build import make_zones
from zones.dynamics import LinkDynamics, dynamics_of_state, link_dynamics
from zones.errors import ZoneError
from zones.membership import link_zone, nearest
from zones.quality import compare_partitions
from zones.rollup import SensorRollup, ZoneRollup, sensor_rollup, zone_traffic
from zones.spec import ZoneSpec

__all__ = [
    "LinkDynamics", "SensorRollup", "ZoneError", "ZoneRollup", "ZoneSpec", "adjacency", "compare_partitions",
    "dynamics_of_state", "link_dynamics", "link_zone", "make_zones", "nearest", "sensor_rollup", "zone_traffic",
]  # fmt: skip

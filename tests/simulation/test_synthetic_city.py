"""A made-up city lives: the demand that is guessed for it flows, in every season of luck."""

from __future__ import annotations

import pytest

from data.made_cities import synthetic_city
from simulation.city import make_city
from zones import adjacency, link_zone, make_zones


@pytest.mark.parametrize(("links", "seed"), [(300, 1), (2000, 4)])
def test_a_day_of_guessed_demand_passes_without_gridlock(links, seed):
    """Next to nobody is moved by force, and fewer than 1 % are on their way or wait at their door at midnight."""
    source = synthetic_city(links, seed=seed)
    zones = make_zones(source.links, source.places, count=10)
    city = make_city(
        name=source.name, nodes=source.nodes, links=source.links, turns=source.turns, zones=zones,
        link_zone=link_zone(source.links, zones), adjacency=adjacency(zones), timezone=source.timezone,
        latitude=source.latitude, longitude=source.longitude, crs=source.crs, buildings=source.places,
    )  # fmt: skip
    result = city.run(days=1, seed=seed, incidents_per_day=0.0)
    summary = result.summary
    assert summary["conserved"]
    assert summary["departed"] > 20 * links
    assert summary["waiting"] + summary["on_road"] < 0.01 * summary["departed"]
    assert summary["forced_moves"] < 1e-4 * summary["link_traversals"]
    trips = result.trips.set_index("vehicle_class").loc["car"]
    assert trips["mean_time_s"] < 3.0 * trips["mean_free_flow_time_s"]

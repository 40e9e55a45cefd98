"""Readings of a simulated city, the toy town, for benchmarks that ask what real series cannot tell."""

from __future__ import annotations

from models.panel import Panel

SIZE, BLOCK_M = 7, 250.0  # nodes a side, and the streets between
INCIDENTS_PER_DAY = 0.5


def simulated_panel(*, zones: int, days: int, seed: int) -> Panel:
    """What the sensors of the toy town report, every quarter of an hour; about a second of a processor a day."""
    from app.city_making import city_of
    from data.made_cities import toy_city
    from zones import make_zones

    source = toy_city(SIZE, BLOCK_M)
    town = city_of(source, make_zones(source.links, source.places, kind="square", count=zones))
    lived = town.run(days=days, seed=seed, incidents_per_day=INCIDENTS_PER_DAY)
    return Panel.from_table(
        lived.zone_state, zones=town.zones, adjacency=town.adjacency, weather=lived.weather, timezone=town.timezone
    )

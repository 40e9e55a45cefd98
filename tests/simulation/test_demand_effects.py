"""Rain and events change how many trips depart, when and where they should."""

from dataclasses import replace

import pandas as pd
import pytest

from app.benchmarks.demand import make
from simulation.air.weather import synthetic_weather
from simulation.demand_effects import Event, event_demand, rain_demand
from simulation.errors import DemandError

DATE = "2026-01-27"


@pytest.fixture(scope="module")
def toy():
    city = make("toy")
    calm = replace(city.demand, city_day_sd=0.0, place_day_sd=0.0, place_hour_sd=0.0)
    return replace(city, demand=calm)


def departed(city, *processes, **options):
    result = city.run(
        days=0.25, start=f"{DATE} 06:00", seed=2, processes=processes, incidents_per_day=0, keep_entry_log=True,
        **options,
    )  # fmt: skip
    return result.released.assign(hour=6.0 + result.released["depart_s"] / 3600.0)


def weather(city, wet_hours):
    zero = pd.Timestamp(f"{DATE} 00:00", tz=city.timezone).tz_convert("UTC").floor("D")
    table = synthetic_weather(city.latitude, zero, 3, 1, longitude=city.longitude)
    hour = table["time"].dt.tz_convert(city.timezone).dt.hour
    return table.assign(precipitation_mm_per_h=hour.isin(wet_hours) * 2.0)


def test_rain_keeps_a_share_of_the_trips_at_home_in_its_hours_alone(toy):
    """Half of the trips in rain from 08:00 to 10:00; each decides by its own key, so the other hours keep theirs."""
    dry = departed(toy, rain_demand(0.5), weather=weather(toy, []))
    wet = departed(toy, rain_demand(0.5), weather=weather(toy, [8, 9]))
    inside = [t["hour"].between(8, 10, inclusive="left") for t in (dry, wet)]
    assert inside[1].sum() / inside[0].sum() == pytest.approx(0.5, abs=0.06)
    assert (~inside[1]).sum() == (~inside[0]).sum()


def test_an_event_brings_as_many_as_were_said_and_takes_them_home(toy):
    """400 vehicles to a zone from 07:30 to 09:00, and from it after 10:00; chance leaves some 15 %."""
    place = toy.demand.places[0]
    event = Event(place=place, vehicles=400, date=DATE, begin_s=9 * 3600.0, end_s=10 * 3600.0)
    usual, extra = departed(toy), departed(toy, event_demand(event))
    assert len(extra) - len(usual) == pytest.approx(800, rel=0.15)
    more = [t["hour"].between(7.5, 9, inclusive="left").sum() for t in (usual, extra)]
    assert more[1] - more[0] == pytest.approx(400, rel=0.2)


def test_an_event_of_another_day_changes_nothing(toy):
    """The 28th is not the 27th."""
    event = Event(place=toy.demand.places[0], vehicles=400, date="2026-01-28", begin_s=0.0, end_s=3600.0)
    assert len(departed(toy, event_demand(event))) == len(departed(toy))


def test_impossible_events_and_places_are_refused(toy):
    """An end before the begin, negative vehicles; a place that the city has not."""
    with pytest.raises(DemandError, match=r"(?s)vehicles.*begin_s"):
        Event(place="Z01", vehicles=-1, date=DATE, begin_s=10.0, end_s=5.0)
    with pytest.raises(DemandError, match="unknown place 'Nowhere'"):
        departed(toy, event_demand(Event(place="Nowhere", vehicles=1, date=DATE, begin_s=3e4, end_s=4e4)))

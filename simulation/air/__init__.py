"""Air: from the vehicles of one interval to what the people of each zone breathe.

Read `fleet` (what drives), `emissions` (what it emits at which speed), `weather` and `background` (what the wind
brings), `box` (how zones exchange air, with the mass kept), `chemistry` (NO, NO2 and ozone), then `model`, which
calls them in that order for every interval of traffic. Knows nothing of forecasting models.
"""

from simulation.air.fleet import Ban, Fleet, FleetEntry, default_fleet
from simulation.air.model import AirModel, ZoneAir
from simulation.air.weather import synthetic_weather, weather_at

__all__ = ["AirModel", "Ban", "Fleet", "FleetEntry", "ZoneAir", "default_fleet", "synthetic_weather", "weather_at"]

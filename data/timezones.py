"""The time zone of a place, without network."""

from __future__ import annotations

import re
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from data.errors import CityError


def timezone_at(latitude: float, longitude: float) -> str:
    """IANA name of the time zone at a point, e.g. `Europe/Helsinki`; `Etc/GMT...` at sea.

    The boundaries come with the package `timezonefinder` (timezone-boundary-builder, from OpenStreetMap).

    Raises
    ------
    CityError
        If the point is not on Earth.
    """
    if not (-90.0 <= latitude <= 90.0 and -180.0 <= longitude <= 180.0):
        raise CityError(f"latitude {latitude:g}, longitude {longitude:g} is no point on Earth; give degrees")
    name = _finder().timezone_at(lng=longitude, lat=latitude)
    return str(name) if name else _nautical(longitude)


def checked_timezone(name: str) -> str:
    """The name itself, if the system knows such a time zone.

    Raises
    ------
    CityError
        If it does not.
    """
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise CityError(f"unknown time zone {name!r}; give an IANA name such as 'Europe/Helsinki' or 'UTC'") from error
    return name


def drives_on_left(timezone: str) -> bool:
    """Whether traffic keeps left in a time zone's country; small territories that are not listed count as right."""
    return re.fullmatch(_LEFT, timezone) is not None


_LEFT = (
    r"Europe/(London|Dublin|Malta|Jersey|Guernsey|Isle_of_Man|Belfast)|Asia/(Tokyo|Kolkata|Calcutta|Bangkok|Singapore|"
    r"Kuala_Lumpur|Kuching|Hong_Kong|Macau|Jakarta|Makassar|Pontianak|Jayapura|Karachi|Dhaka|Colombo|Kathmandu|Thimphu|"
    r"Nicosia|Famagusta|Brunei|Dili)|Australia/.*|Pacific/(Auckland|Chatham|Fiji|Apia|Tongatapu|Port_Moresby)|"
    r"Africa/(Johannesburg|Nairobi|Kampala|Dar_es_Salaam|Lusaka|Harare|Gaborone|Windhoek|Maputo|Maseru|Mbabane|Blantyre)|"
    r"Indian/(Mauritius|Maldives|Mahe)|America/(Jamaica|Barbados|Port_of_Spain|Guyana|Paramaribo|Nassau)"
)


def _nautical(longitude: float) -> str:
    hours = round(longitude / 15.0)
    return "Etc/GMT" if hours == 0 else f"Etc/GMT{-hours:+d}"


@cache
def _finder() -> Any:
    from timezonefinder import TimezoneFinder  # carries 60 MB of boundaries: only a city's first reading needs it

    return TimezoneFinder()

"""What can go wrong when a city is cut into zones."""

from __future__ import annotations

from data.errors import ZonewiseError


class ZoneError(ZonewiseError, ValueError):
    """Zones cannot be made, or do not fit the city."""

"""A measure: quiet nights, made of two that there are already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from simulation.scenarios.entry_parts import PlaceEntry
from simulation.scenarios.errors import ScenarioError
from simulation.scenarios.hours import Hours
from simulation.scenarios.measures import CloseStreet, Composite, Measure, SpeedLimit

if TYPE_CHECKING:
    from simulation.city import City

EVENING_TO_MORNING = Hours(22 * 3600.0, 6 * 3600.0)


@dataclass(frozen=True, kw_only=True)
class QuietNight(Composite):
    """No heavy vehicles and a low limit on some streets, from evening to morning."""

    entry_kind: ClassVar[str] = "quiet_night"
    kmh: float = 30.0

    def __post_init__(self) -> None:
        if self.where.is_empty:
            raise ScenarioError(["a quiet night needs a place (street, links, zones, ...)"])

    def parts(self, city: City) -> tuple[Measure, ...]:
        """A limit for all and a closure to heavy vehicles, in the same hours."""
        return (
            SpeedLimit(where=self.where, hours=self.hours, kmh=self.kmh),
            CloseStreet(where=self.where, hours=self.hours, classes=("heavy",)),
        )

    def in_words(self) -> str:
        """`Quiet night on X, 22:00-06:00`."""
        return f"Quiet night on {self.where.in_words()}, {self.kmh:g} km/h{self._when()}"


class QuietNightEntry(PlaceEntry):
    """`quiet_night`: no heavy vehicles and a low limit, from 22:00 to 06:00 unless told otherwise."""

    kmh: float = Field(default=30.0, ge=5, le=130)

    def to_measure(self) -> Measure:
        """The frozen measure."""
        return QuietNight(where=self.where(), hours=self.hours() or EVENING_TO_MORNING, kmh=self.kmh)

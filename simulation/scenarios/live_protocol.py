"""What a measure with hours needs of a living city: the seam to `simulation.live`, and to stand-ins in tests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd

    from simulation.air.fleet import Fleet
    from simulation.city import City
    from simulation.demand.trips import DayTrips
    from simulation.standing import DemandFactor
    from simulation.traffic.actuated import Actuation


class Live(Protocol):
    """The part of `simulation.live.LiveCity` that measures use."""

    city: City
    env: Any  # simpy.Environment
    seed: int

    def local(self) -> pd.Timestamp:
        """The instant in the city's time zone."""

    def time_of_day_s(self) -> float:
        """Seconds since local midnight."""

    def seconds_until(self, local_s: float) -> float:
        """Seconds to the next such local time; 0 if that is now."""

    def close(self, link_ids: Sequence[int], classes: Iterable[int] | None = None) -> None:
        """Close links to vehicle classes (indices; all if None); closures are counted."""

    def open(self, link_ids: Sequence[int], classes: Iterable[int] | None = None) -> None:
        """Take back one `close`."""

    def set_speed(self, link_ids: Sequence[int], mps: float | Sequence[float] | None) -> None:
        """Set free-flow speeds, m/s; None gives back what was built."""

    def set_lanes(self, link_ids: Sequence[int], lanes: float | Sequence[float] | None) -> None:
        """Set lanes; None gives back what was built."""

    def retime(self, link_ids: Sequence[int], *, cycle_s: Any, green_start_s: Any, green_s: Any) -> None:
        """Give the ends of links other fixed plans, one for all or one each, s."""

    def actuate(self, link_ids: Sequence[int], settings: Actuation | None = None) -> Callable[[], None]:
        """Actuate the junctions of these approaches; returns what gives their plans back."""

    def set_link_fleet(self, link_ids: Sequence[int], fleet: Fleet | None) -> None:
        """Let another fleet drive on links; None gives back the city's."""

    def set_toll(
        self, link_ids: Sequence[int], eur: float | Sequence[float], classes: Iterable[int] | None = None
    ) -> Callable[[], None]:
        """Charge vehicle classes on each of some links from now on; returns what takes it back."""

    def scale_demand(
        self, factor: float, *, origin_zones: Iterable[str] | None = None, dest_zones: Iterable[str] | None = None,
        classes: Iterable[int] | None = None,
    ) -> Callable[[], None]:  # fmt: skip
        """Multiply trips that start from now on; returns what takes it back."""

    def multiply_demand(self, factor: DemandFactor) -> Callable[[], None]:
        """Multiply trips that start from now on pair by pair; returns what takes it back."""

    def add_trips(self, trips: DayTrips) -> Callable[[], None]:
        """Add trips, by the clock of the run; returns what takes back those that have not departed."""

    def limit(self, link_ids: Sequence[int], *, capacity: Any = 1.0, speed: Any = 1.0) -> Callable[[], None]:
        """Leave links a share of capacity and speed; returns what ends it."""

    def avoid(self, link_ids: Sequence[int], share: Sequence[float]) -> Callable[[], None]:
        """Let a share of each class drive around links; returns what ends it."""

    def ban_turns(self, from_link: Any, to_link: Any) -> Callable[[], None]:
        """Forbid turns; returns what allows them again."""


Process = Callable[[Live], Any]  # the generator of a SimPy process

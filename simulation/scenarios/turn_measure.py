"""Turn bans: signs that forbid some movements at the ends of streets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from simulation.scenarios.errors import Fault, ScenarioError
from simulation.scenarios.measures import LinkMeasure
from simulation.scenarios.select import Selection, resolve
from simulation.scenarios.timetable import Overlay, Undo
from simulation.traffic.routing import CLOSED_PENALTY_S

if TYPE_CHECKING:
    from simulation.city import City

#: Turns by the angle of the turns table, deg, positive to the left; the limits of `data.readers.turns`.
STRAIGHT_DEG, U_DEG = 45.0, 165.0
MOVEMENTS = ("left", "right", "straight", "u_turn")


@dataclass(frozen=True, kw_only=True)
class BanTurns(LinkMeasure):
    """No vehicle may make these turns where the links of a place end: `movements`, or the turns `onto` some streets.

    With both, the turns that are both. As at a closed street, whoever has no other way makes the turn all the same.
    """

    movements: tuple[str, ...] = ()
    onto: Selection | None = None

    def __post_init__(self) -> None:
        faults: list[Fault | str] = [
            Fault(f"unknown movement {name!r}; allowed: {list(MOVEMENTS)}", where="movements")
            for name in self.movements
            if name not in MOVEMENTS
        ]
        if self.where.is_empty:
            faults.append("a turn ban needs a place: the streets at whose end it holds")
        if not self.movements and self.onto is None:
            faults.append(f"say which turns: movements ({', '.join(MOVEMENTS)}), or the street that they lead onto")
        if faults:
            raise ScenarioError(faults)

    def rows(self, city: City) -> np.ndarray:
        """Rows of the turns table that are banned, bool, shape (turns,)."""
        turns = city.turns
        chosen = np.isin(turns["from_link_id"], self.links(city))
        if self.onto is not None:
            chosen &= np.isin(turns["to_link_id"], resolve(self.onto, city))
        if self.movements:
            angle = turns["angle_deg"].to_numpy(float)
            straight, u = np.abs(angle) <= STRAIGHT_DEG, np.abs(angle) > U_DEG
            made = {"left": (angle > 0) & ~straight & ~u, "right": (angle < 0) & ~straight & ~u, "straight": straight,
                    "u_turn": u}  # fmt: skip
            chosen &= np.any([made[name] for name in self.movements], axis=0)
        return np.asarray(chosen)

    def check(self, city: City) -> list[Fault]:
        """Unknown places, and places without such a turn."""
        try:
            found = self.rows(city).any()
        except ScenarioError as error:
            return list(error.faults)
        return [] if found else [Fault(f"no such turn ({self._which()}) from {self.where.in_words()}")]

    def begin(self, overlay: Overlay) -> Undo:
        """Put the signs up; the result takes them down."""
        turns = overlay.live.city.turns[self.rows(overlay.live.city)]
        return overlay.live.ban_turns(turns["from_link_id"].to_numpy(), turns["to_link_id"].to_numpy())

    def in_words(self) -> str:
        """`No left turn from X onto Y`."""
        return f"No {self._which()} from {self.where.in_words()}{self._when()}"

    def _which(self) -> str:
        kinds = " or ".join(name.replace("_", "-") for name in self.movements)
        kinds = kinds if kinds.endswith("u-turn") and "or" not in kinds else f"{kinds} turn".strip()
        return kinds if self.onto is None else f"{kinds} onto {self.onto.in_words()}"

    def _applied(self, city: City) -> City:
        rows = self.rows(city)
        penalty = city.turns["penalty_s"].to_numpy(float).copy()
        penalty[rows & (penalty < CLOSED_PENALTY_S)] += CLOSED_PENALTY_S
        return replace(city, turns=city.turns.assign(penalty_s=penalty))

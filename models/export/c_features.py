"""Features in C: from readings in a ring to what a micromodel looks at, for the features that it uses alone.

A sensor knows its own readings. What others tell it is a *side*: a neighbour's deviation (which that neighbour's own
sensor computes), another quantity of the same station, the weather. A side that nobody tells counts as 0, "as usual".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from models.export.c_parts import Tables, number
from models.featuriser import BRIDGE_HOURS, OTHER_HOURS, SPIKE, YEAR_DAYS, Featuriser

_LOGGED = ("wind_speed_mps", "mixing_height_m", "precipitation_mm_per_h")
_WIND = ("wind_speed_mps", "wind_east", "wind_north")


@dataclass
class Features:
    """Statements that fill x[], and what they need.

    Attributes
    ----------
    near, far : list of str
        C expressions of the features that are the same for all horizons, and of those of one horizon.
    sides : list of (str, str)
        Kind (`zone`, `other`, `weather`) and name of each side, in the order of their numbers.
    own_reach, side_reach : int
        Intervals of own readings and of sides that must be kept.
    operations_near, operations_far : int
        Of all expressions, at most.
    """

    near: list[str] = field(default_factory=list)
    far: list[str] = field(default_factory=list)
    sides: list[tuple[str, str]] = field(default_factory=list)
    members: dict[str, str] = field(default_factory=dict)
    own_reach: int = 1
    side_reach: int = 1
    operations_near: int = 0
    operations_far: int = 0


class Writer:
    """Writes the features of one zone in C.

    Parameters
    ----------
    featuriser : Featuriser
        Of one zone.
    names : tuple of str
        Features used, common ones first.
    n_common : int
    tables : Tables
    exact : bool
        Sines and cosines to the last bit, a table for each: a tree may split there.
    """

    def __init__(
        self, featuriser: Featuriser, names: tuple[str, ...], n_common: int, tables: Tables, *, exact: bool
    ) -> None:
        self.exact = exact
        self.f, self.tables, self.found = featuriser, tables, Features()
        self.per_hour = max(1, 3600 // featuriser.step_s)
        self.per_day = 86_400 // featuriser.step_s
        self.bridge = BRIDGE_HOURS * self.per_hour
        self.found.near = [self._near(name) for name in names[:n_common]]
        self.found.far = [self._far(name) for name in names[n_common:]]
        self.found.own_reach = max(self.found.own_reach, self.bridge + 1)

    def side(self, kind: str, name: str, reach: int) -> int:
        """Number of a side of which so many intervals must be kept."""
        key = (kind, name)
        if key not in self.found.sides:
            self.found.sides.append(key)
        self.found.side_reach = max(self.found.side_reach, reach)
        return self.found.sides.index(key)

    # ------------------------------------------------------------------ what is the same for all horizons

    def _near(self, name: str) -> str:
        rules: list[tuple[str, Callable[[re.Match[str]], str]]] = [
            (r"own_lag_(\d+)", self._own_lag),
            (r"own_mean_(\d+)h", self._own_mean),
            (r"own_gap_1h", self._own_gap),
            (r"own_usual", lambda m: "zw_usual_scaled(&now)"),
            (r"now_weekend", lambda m: "now.kind > 0 ? 1.0f : 0.0f"),
            (r"now_(sin|cos)(\d)", lambda m: self._wave(m[1], int(m[2]), "now")),
            (r"now_year_(sin|cos)", lambda m: f"(float){m[1]}({2 * np.pi / YEAR_DAYS!r} * now.day)"),
            (r"(neighbours|hop2)_lag_(\d+)", self._mixed_lag),
            (r"neighbours_mean_1h", self._mixed_mean),
            (r"near(\d+)_lag_(\d+)", self._single),
            (r"weather_(.+)_change_3h", lambda m: self._weather(m[1], True)),
            (r"weather_(.+)", lambda m: self._weather(m[1], False)),
            (r"(.+)_lag_(\d+)", self._other_lag),
            (rf"(.+)_mean_{OTHER_HOURS}h", self._other_mean),
        ]
        for pattern, write in rules:
            if match := re.fullmatch(pattern, name):
                return write(match)
        raise AssertionError(f"no C is known for the feature {name}")

    def _own(self, reach: int, operations: int) -> None:
        self.found.own_reach = max(self.found.own_reach, reach)
        self.found.operations_near += operations

    def _own_lag(self, match: re.Match[str]) -> str:
        self._own(int(match[1]) + self.bridge + 1, self.bridge)
        return f"zw_bridged(s->own, ZW_OWN, s->newest, s->newest - {match[1]})"

    def _own_mean(self, match: re.Match[str]) -> str:
        width = max(1, int(match[1]) * self.per_hour)
        self._own(width + 1, 2 * width)
        return f"zw_mean(s->own, ZW_OWN, s->newest, s->newest - {width - 1}, s->newest)"

    def _own_gap(self, match: re.Match[str]) -> str:
        self._own(self.per_hour + 1, 2 * self.per_hour)
        count = f"zw_count(s->own, ZW_OWN, s->newest, s->newest - {self.per_hour - 1})"
        return f"(float)(1.0 - (double){count} / {self.per_hour}.0)"

    def _group(self, who: str, reach: int) -> str:
        """Name of the tables of a weighted group of neighbours: sides and weights."""
        around = self.f.around
        member, weight = (
            (around.hop1[0], around.weight1[0]) if who == "neighbours" else (around.hop2[0], around.weight2[0])
        )
        there = member >= 0
        sides = [self.side("zone", self.f.needed[int(k)], reach) for k in member[there]]
        self.tables.add(f"{who}_side", sides, "uint8_t")
        names = self.tables.add(f"{who}_side", sides, "uint8_t"), self.tables.add(f"{who}_weight", weight[there])
        self.found.operations_near += len(sides) * (self.bridge + 4)
        return f"{names[0]}, {names[1]}, {len(sides)}"

    def _mixed_lag(self, match: re.Match[str]) -> str:
        return f"zw_mixed(s, {self._group(match[1], int(match[2]) + self.bridge + 1)}, s->newest - {match[2]})"

    def _mixed_mean(self, match: re.Match[str]) -> str:
        group = self._group("neighbours", self.per_hour + self.bridge)
        self.found.operations_near *= 1
        return f"zw_mixed_mean(s, {group}, {self.per_hour})"

    def _single(self, match: re.Match[str]) -> str:
        place = int(self.f.around.single[0, int(match[1]) - 1])
        if place < 0:
            return "0.0f"
        side = self.side("zone", self.f.needed[place], int(match[2]) + self.bridge + 1)
        return self._side_lag(side, int(match[2]))

    def _side_lag(self, side: int, lag: int) -> str:
        self.found.operations_near += self.bridge
        return f"zw_bridged(s->side[{side}], ZW_SIDE_KEPT, s->newest, s->newest - {lag})"

    def _other_lag(self, match: re.Match[str]) -> str:
        return self._side_lag(self.side("other", match[1], int(match[2]) + self.bridge + 1), int(match[2]))

    def _other_mean(self, match: re.Match[str]) -> str:
        width = max(1, OTHER_HOURS * self.per_hour)
        side = self.side("other", match[1], width + 1)
        self.found.operations_near += 2 * width
        return f"zw_mean(s->side[{side}], ZW_SIDE_KEPT, s->newest, s->newest - {width - 1}, s->newest)"

    def _weather(self, name: str, change: bool) -> str:
        back = BRIDGE_HOURS * self.per_hour
        side = self.side("weather", name, self.bridge + 1 + (back if change else 0))
        now = self._side_lag(side, 0)
        return f"{now} - {self._side_lag(side, back)}" if change else now

    # ------------------------------------------------------------------ what is about the interval forecast for

    def _far(self, name: str) -> str:
        day = self.per_day
        if name in ("ahead_day", "ahead_day_mean"):
            self.found.own_reach = max(self.found.own_reach, 2 * day + self.per_hour + 4)
            self.found.operations_far += 12
        if name == "ahead_week":
            self.found.own_reach = max(self.found.own_reach, 7 * day + 3)
        self.found.operations_far += 6
        fixed = {
            "ahead_day": "zw_known(s->own, ZW_OWN, s->newest, day)",
            "ahead_day_mean": "zw_mean(s->own, ZW_OWN, s->newest, day - 2, day + 2 < s->newest ? day + 2 : s->newest)",
            "ahead_week": "zw_known(s->own, ZW_OWN, s->newest, zw_same_clock(aim, 7))",
            "ahead_usual": "zw_usual_scaled(&then)",
            "ahead_change": "zw_usual_scaled(&then) - zw_usual_scaled(&now)",
            "ahead_weekend": "then.kind > 0 ? 1.0f : 0.0f",
            "own_x_sin": f"last * {self._wave('sin', 1, 'then')}",
            "own_x_cos": f"last * {self._wave('cos', 1, 'then')}",
            "own_x_weekend": "then.kind > 0 ? last : 0.0f",
        }
        if match := re.fullmatch(r"ahead_(sin|cos)(\d)", name):
            return self._wave(match[1], int(match[2]), "then")
        return fixed[name]

    def _wave(self, turn: str, times: int, moment: str) -> str:
        """Sine or cosine of so many turns a day."""
        if not self.exact:
            return f"zw_{turn}({times} * {moment}.step)"
        angle = 2 * np.pi * np.arange(self.per_day) / self.per_day
        table = self.tables.add(f"{turn}{times}", getattr(np, turn)(times * angle))
        return f"{table}[{moment}.step]"

    # ------------------------------------------------------------------ readings of sides

    def hearing(self, exact: str) -> str:
        """C cases that turn what a side is told into what is kept, one a side."""
        cases = []
        for k, (kind, name) in enumerate(self.found.sides):
            if kind == "zone":
                text = f"value = (double)zw_within((float)value, -{number(SPIKE)}, {number(SPIKE)});"
            elif kind == "weather":
                text = self._weather_case(name)
            else:
                text = self._other_case(name, exact)
            cases.append(f"    case {k}: /* {kind}: {name} */\n        {text}\n        break;")
        return "\n".join(cases)

    def _weather_case(self, name: str) -> str:
        k = self.f.weather.index(name)
        mean, scale = float(self.f.weather_mean[k]), float(self.f.weather_scale[k])
        value = "log1p(value > 0.0 ? value : 0.0)" if name in _LOGGED else "value"
        return f"value = ({value} - {mean!r}) / {scale!r};"

    def _other_case(self, name: str, exact: str) -> str:
        from models.scale import to_scale

        profile = self.f.other_profiles[self.f.others.index(name)]
        root = to_scale(name, np.array([4.0]))[0] == 2.0
        mean = self.tables.add(f"usual_{name}", profile.mean[0], exact)
        value = "sqrt(value > 0.0 ? value : 0.0)" if root else "value"
        usual = f"(double){mean}[now.kind * ZW_DAY + now.step]"
        if self.f.flat:
            usual = repr(float(profile.level[0]))
        deviation = f"({value} - {usual}) / {float(profile.scale[0])!r}"
        return f"value = (double)zw_within((float)({deviation}), -{number(SPIKE)}, {number(SPIKE)});"


def wind_sides(sides: list[tuple[str, str]]) -> dict[str, int]:
    """Numbers of the sides that follow from wind speed and direction."""
    return {name: k for k, (kind, name) in enumerate(sides) if kind == "weather" and name in _WIND}

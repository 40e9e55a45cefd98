"""Whether a question lies within what the ensemble has seen, and if not, why.

Three looks, each with a reason in words. What it is: kinds of measures, their strengths, how many at once, hours. How
far it goes: shares of traffic on changed streets, demand, and the size of what the quick rerouting tells, each against
the largest seen. Where it lies between what was seen: the distance to the nearest simulated scenarios. The second and
third are set so that few scenarios of the ensemble itself would be turned away if they were asked about without having
been simulated (leave one out).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulation.preview.features import EXTENT
from simulation.scenarios.errors import ScenarioError
from simulation.scenarios.measures import Measure
from simulation.scenarios.scenario import Scenario
from simulation.scenarios.writing import to_form

#: Share of the ensemble's own scenarios that each of the two measured looks may turn away.
FALSE_SHARE = 0.02
#: Strengths may go beyond the seen range by this share of it.
STRENGTH_SLACK = 0.05
NEIGHBOURS = 3
_PLACE = ("measure", "street", "road_class", "zones", "links", "ways", "area", "line", "start", "end", "from_zones",
          "to_zones", "days", "name", "label")  # fmt: skip
_WORDS = {
    "closed_share": "traffic on closed streets", "slower_share": "slowing of streets",
    "narrower_share": "lost capacity", "wider_share": "new capacity", "charged_share": "traffic on charged streets",
    "charge_s": "the charge", "cleaner_share": "change of the fleet", "more_trips": "added trips",
    "fewer_trips": "removed trips", "rerouted_km": "rerouted vehicle-km", "rerouted_hours": "change of time driven",
    "largest_zone_km": "change of traffic in one zone", "largest_zone_hours": "change of time driven in one zone",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the preview may be trusted."""

    inside: bool
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "within what was simulated" if self.inside else "outside what was simulated: " + "; ".join(self.reasons)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Scope:
    """What an ensemble has seen."""

    strengths: Mapping[str, Mapping[str, tuple[float, float]]]  # kind -> key -> range
    words: Mapping[str, Mapping[str, tuple[str, ...]]]  # kind -> key -> seen values
    most_measures: int
    timed: tuple[str, ...]  # kinds seen with hours
    extent: np.ndarray  # (K, len(EXTENT)) of the ensemble
    beyond: float  # times the largest seen that an extent may reach
    apart: float  # mean distance to the nearest that may be

    def judge(self, scenario: Scenario, extent: np.ndarray, unread: Sequence[str]) -> Verdict:
        """Look at a scenario.

        Parameters
        ----------
        scenario : Scenario
        extent : ndarray, shape (len(EXTENT),)
            As `simulation.preview.features` gives it.
        unread : sequence of str
            What the features cannot tell.
        """
        reasons = [f"it changes {word}, which no preview reads" for word in unread]
        reasons += self._kinds(scenario)
        largest = self.extent.max(axis=0)
        for name, value, most in zip(EXTENT, extent, largest):
            if value > self.beyond * most + 1e-9:
                reasons.append(f"{_WORDS[name]}: {_figure(value)}, seen up to {_figure(most)}")
        if not reasons:
            away = float(_nearest(_spread(extent[None], largest), _spread(self.extent, largest))[0])
            if away > self.apart:
                reasons.append(
                    f"nothing like this combination was simulated (distance {away:.2f}, allowed {self.apart:.2f})"
                )
        return Verdict(inside=not reasons, reasons=tuple(reasons))

    def _kinds(self, scenario: Scenario) -> list[str]:
        reasons = []
        if len(scenario.measures) > self.most_measures:
            reasons.append(f"{len(scenario.measures)} measures at once, seen up to {self.most_measures}")
        for measure in scenario.measures:
            kind, numbers, words = _told(measure)
            if kind not in self.strengths:
                reasons.append(f"no '{kind}' was simulated")
                continue
            if measure.hours is not None and kind not in self.timed:
                reasons.append(f"no '{kind}' with hours was simulated")
            for key, value in numbers.items():
                if key not in self.strengths[kind]:
                    reasons.append(f"no '{kind}' with {key} was simulated")
                    continue
                low, high = self.strengths[kind][key]
                slack = STRENGTH_SLACK * (high - low)
                if not low - slack <= value <= high + slack:
                    reasons.append(f"{key} {value:g} of '{kind}', seen {low:g} to {high:g}")
            for key, text in words.items():
                if text not in self.words[kind].get(key, ()):
                    reasons.append(f"{key} {text} of '{kind}' was not simulated")
        return reasons


def learn_scope(scenarios: Sequence[Scenario], extent: np.ndarray) -> Scope:
    """What these scenarios have shown.

    Parameters
    ----------
    scenarios : sequence of Scenario, length K
    extent : ndarray, shape (K, len(EXTENT))
    """
    strengths: dict[str, dict[str, tuple[float, float]]] = {}
    words: dict[str, dict[str, set[str]]] = {}
    timed = set()
    for measure in (measure for scenario in scenarios for measure in scenario.measures):
        kind, numbers, texts = _told(measure)
        own, seen = strengths.setdefault(kind, {}), words.setdefault(kind, {})
        for key, value in numbers.items():
            low, high = own.get(key, (value, value))
            own[key] = (min(low, value), max(high, value))
        for key, text in texts.items():
            seen.setdefault(key, set()).add(text)
        if measure.hours is not None:
            timed.add(kind)
    beyond, apart = _leave_one_out(extent)
    told = {kind: {key: tuple(sorted(texts)) for key, texts in seen.items()} for kind, seen in words.items()}
    return Scope(
        strengths=strengths, words=told,
        most_measures=max(len(scenario.measures) for scenario in scenarios), timed=tuple(sorted(timed)),
        extent=extent, beyond=beyond, apart=apart,
    )  # fmt: skip


def _leave_one_out(extent: np.ndarray) -> tuple[float, float]:
    """How far a scenario of the ensemble is beyond all others, and from the nearest others, at all but a few."""
    k = len(extent)
    if k < 2 + NEIGHBOURS:
        return 1.0, np.inf
    order = np.sort(extent, axis=0)
    others = np.where(extent == order[-1], order[-2], order[-1])
    ratio = np.divide(extent, others, out=np.where(extent > 0, 2.0, 0.0), where=others > 1e-9).max(axis=1)
    spread = _spread(extent, order[-1])
    away = np.array([_nearest(spread[[i]], np.delete(spread, i, axis=0))[0] for i in range(k)])
    return max(1.0, float(np.quantile(ratio, 1.0 - FALSE_SHARE))), float(np.quantile(away, 1.0 - FALSE_SHARE))


def _spread(extent: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Square roots of shares of the largest seen: small and large changes both count."""
    return np.sqrt(np.divide(extent, largest, out=np.zeros(extent.shape), where=largest > 1e-12))


def _nearest(points: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Mean distance to the nearest known; that nothing has no effect is known as well."""
    known = np.concatenate([known, np.zeros((NEIGHBOURS, known.shape[1]))])
    distance = np.sqrt(((points[:, None] - known[None]) ** 2).sum(axis=2))
    return np.asarray(np.sort(distance, axis=1)[:, :NEIGHBOURS].mean(axis=1))


def _told(measure: Measure) -> tuple[str, dict[str, float], dict[str, str]]:
    """Kind of a measure, its numbers, and what it has in words; places and hours apart."""
    try:
        form = to_form(Scenario(name="one", measures=(measure,)))["measures"][0]
    except ScenarioError:
        return type(measure).__name__, {}, {}
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    for key, value in _leaves({key: value for key, value in form.items() if key not in _PLACE}):
        if isinstance(value, bool) or not isinstance(value, int | float):
            words[key] = str(value)
        else:
            numbers[key] = float(value)
    return str(form["measure"]), numbers, words


def _leaves(value: Any, key: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for name, part in value.items() for leaf in _leaves(part, f"{key}.{name}" if key else str(name))]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part, key)]
    return [(key, value)]


def _figure(value: float) -> str:
    return f"{100 * value:.1f} %" if value < 5 else f"{value:.0f}"

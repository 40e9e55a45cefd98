"""Zones in turns: one learner a part of the zones, used as one learner of all.

Where the features of all zones would take too much memory, zones are learned from one part after the other. A zone's
model is the one that it would be among all zones; picking one zone gives it back without the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from models.families.lines import LineLearner
from models.learner import Learner, State
from models.rows import Rows


def beside(parts: Sequence[Learner], sizes: Sequence[int]) -> Learner:
    """Learners of one family for zones that lie side by side, as one.

    Lines join to one set of lines; other families stay side by side (`Turns`), `sizes` zones each.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    if isinstance(first, LineLearner):
        meta, arrays, blobs = first.state()
        if not meta and not blobs:
            states = [arrays, *(part.state()[1] for part in parts[1:])]
            made = type(first)(seed=first.seed, **first.settings)
            made.layout = first.layout
            made.restore({}, {name: np.concatenate([one[name] for one in states]) for name in arrays}, {})
            return made
    return Turns(parts, sizes)


class Turns(Learner):
    """Learners of one family, each of some zones.

    Parameters
    ----------
    parts : sequence of Learner
    sizes : sequence of int
        Zones of each.
    """

    def __init__(self, parts: Sequence[Learner], sizes: Sequence[int]) -> None:
        self.parts, self.ends = list(parts), np.cumsum(sizes)
        first = self.parts[0]
        self.seed, self.settings, self.layout = first.seed, first.settings, first.layout
        self.of: type[Learner] = type(first)

    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Not to be called: parts are fitted one by one, and put side by side."""
        raise NotImplementedError("parts are fitted one by one; see `beside`")

    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        places = np.arange(self.ends[-1]) if places is None else np.asarray(places)
        order, found = [], []
        for k, inside, own in self._parted(places):
            order.append(inside)
            found.append(self.parts[k].predict(rows.pick(inside), own))
        return np.concatenate(found, axis=1)[:, np.argsort(np.concatenate(order))]

    def pick(self, places: np.ndarray) -> Learner:  # type: ignore[override]
        places = np.asarray(places)
        part = np.searchsorted(self.ends, places, side="right")
        runs = np.split(np.arange(places.size), np.flatnonzero(np.diff(part)) + 1)
        picked = [self.parts[part[run[0]]].pick(places[run] - self._start(part[run[0]])) for run in runs if run.size]
        return picked[0] if len(picked) == 1 else Turns(picked, [run.size for run in runs])

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        k = int(np.searchsorted(self.ends, place, side="right"))
        return self.parts[k].contributions(rows, horizon, place - self._start(k))

    def n_parameters(self) -> int:
        return sum(part.n_parameters() for part in self.parts)

    def state(self) -> State:
        states = [part.state() for part in self.parts]
        meta = {"sizes": np.diff(self.ends, prepend=0).tolist(), "turns": [head for head, _, _ in states]}
        arrays = {f"t{k}_{name}": value for k, (_, part, _) in enumerate(states) for name, value in part.items()}
        blobs = {f"t{k}_{name}": value for k, (_, _, part) in enumerate(states) for name, value in part.items()}
        return meta, arrays, blobs

    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """Not to be called; see `restored`."""
        raise NotImplementedError("see `restored`")

    def _parted(self, places: np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Part, places among `places`, and places within the part."""
        part = np.searchsorted(self.ends, places, side="right")
        return [(int(k), np.flatnonzero(part == k), places[part == k] - self._start(k)) for k in np.unique(part)]

    def _start(self, k: int) -> int:
        return int(self.ends[k - 1]) if k else 0


def restored(empty: Learner, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> Learner:
    """A learner from its state: `empty`, filled, or several of its kind side by side."""
    if "turns" not in meta:
        empty.restore(meta, arrays, blobs)
        return empty
    parts = []
    for k, head in enumerate(meta["turns"]):
        own = type(empty)(seed=empty.seed, **empty.settings)
        own.layout, lead = empty.layout, f"t{k}_"
        own.restore(
            head, {name.removeprefix(lead): v for name, v in arrays.items() if name.startswith(lead)},
            {name.removeprefix(lead): v for name, v in blobs.items() if name.startswith(lead)},
        )  # fmt: skip
        parts.append(own)
    return Turns(parts, meta["sizes"])


def kind_of(learner: Learner) -> type[Learner]:
    """Class of the family that a learner is of."""
    return learner.of if isinstance(learner, Turns) else type(learner)

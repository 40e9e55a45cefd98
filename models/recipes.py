"""Recipes: the same families with another loss, another start, or without the line that comes first.

What a family minimises matters as much as the family: the median that absolute errors lead to is another forecast than
the mean of squared ones. So do what a forecast starts from, and whether a line explains what it can before a tree or a
network is asked. Each recipe is a candidate of its own, with a name of its own, so that every table tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.candidates import Candidate
from models.errors import SettingsError
from models.learner import Learner

#: What may be minimised: absolute errors (the pinball loss of a median), squared ones (a mean), or squared near 0 and
#: absolute beyond.
LOSSES = ("absolute", "squared", "huber")
#: What recipes may vary: what a forecast starts from, and whether a line comes before trees.
RECIPES = ("start", "line")
#: Settings that put a line first, and what they say without one.
_NO_LINE: dict[str, Any] = {"linear_first": False, "first_line": "none"}
_STARTS = ("usual", "last", "lasting")


def with_losses(given: Iterable[Candidate], losses: Sequence[str]) -> tuple[Candidate, ...]:
    """Every candidate once for each of these losses that its family can minimise.

    One whose family minimises one thing alone, or none of these, stays as it is. The name of a candidate whose loss is
    not its own ends with it, e.g. `boosted_trees_squared`.

    Raises
    ------
    SettingsError
        Naming every loss that does not exist.
    """
    _refuse_strange("loss", losses, LOSSES)
    found: list[Candidate] = []
    for candidate in given:
        kind = candidate.learner
        able = kind.losses if "loss" in kind.defaults else ()
        asked = [loss for loss in dict.fromkeys(losses) if loss in able]
        if not asked:
            found.append(candidate)
        for loss in asked:
            own = candidate.settings.get("loss", kind.defaults["loss"])
            named = candidate.name if loss == own else f"{candidate.name}_{loss}"
            found.append(replace(candidate, name=named, settings={**candidate.settings, "loss": loss}))
    return tuple(found)


def with_recipes(given: Iterable[Candidate], recipes: Sequence[str]) -> tuple[Candidate, ...]:
    """Every candidate, and beside it one with each other start (`start`) and one without its line (`line`).

    Raises
    ------
    SettingsError
        Naming every recipe that does not exist.
    """
    _refuse_strange("recipe", recipes, RECIPES)
    found: list[Candidate] = []
    for candidate in given:
        found.append(candidate)
        if "start" in recipes:
            found += [
                replace(candidate, name=f"{candidate.name}_from_{start}", start=start)
                for start in _STARTS if start != candidate.start
            ]  # fmt: skip
        if "line" in recipes:
            kind = candidate.learner
            bare = {name: value for name, value in _NO_LINE.items() if kind.defaults.get(name, value) != value}
            if bare:
                found.append(
                    replace(candidate, name=f"{candidate.name}_no_line", settings={**candidate.settings, **bare})
                )
    return tuple(found)


def with_moments(given: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """The same, those whose family can keep its moments (`refreshable`) keeping them."""
    return tuple(
        replace(c, settings={**c.settings, "refreshable": True}) if "refreshable" in c.learner.defaults else c
        for c in given
    )


def told_loss(kind: type[Learner], settings: Mapping[str, Any]) -> str:
    """What a family with these settings minimises: `absolute`, `squared`, `huber`, `pinball 0.9`; empty if unknown."""
    loss = str(settings.get("loss", kind.losses[0] if kind.losses else ""))
    level = float(settings.get("level", settings.get("quantile", 0.5)))
    if loss == "pinball" and level == 0.5:
        return "absolute"
    return f"pinball {level:g}" if loss in ("absolute", "pinball") and level != 0.5 else loss


def _refuse_strange(what: str, asked: Sequence[str], known: Sequence[str]) -> None:
    strange = [name for name in asked if name not in known]
    if strange:
        raise SettingsError(f"there is no {what} {', '.join(map(repr, strange))}; there are {', '.join(known)}")

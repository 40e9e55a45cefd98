"""Candidates: which families compete, by how much computing may be spent.

`quick` serves a first look and a daily refit, `standard` a planner's city, `thorough` a study. Families that learn a
zone at a time compete to be its micromodel; citywide ones to be the macromodel; all may enter the mix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from models.errors import SettingsError, UnknownFamilyError
from models.featuriser import YEAR_DAYS
from models.forecasting import LearnedForecaster
from models.learner import Learner, families, learner_class
from models.tuning.search import random_order

VARIANT_RANK = (
    0.01  # by which a step towards complex settings raises a candidate's rank (assumed; families lie 0.1 apart)
)


@dataclass(frozen=True)
class Candidate:
    """A family with its settings.

    Attributes
    ----------
    name : str
        What it is called in tables; the family's name unless settings differ from its defaults.
    family : str
    start : {"usual", "last", "lasting"}
        See `forecasting.LearnedForecaster`.
    reference : {"usual", "level", "season"}
        See `featuriser.Featuriser`.
    settings : mapping
        Those that differ from the family's defaults.
    harder : float
        Added to the family's rank: how much more complex its settings make it.
    least_days : float
        History that it asks for before the validation part, days.
    given : type of Learner or None
        The family's class where a caller gave it, which other processes then need not know by name.
    """

    name: str
    family: str
    start: str = "lasting"
    reference: str = "usual"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    harder: float = 0.0
    least_days: float = 0.0
    given: type[Learner] | None = None

    @property
    def learner(self) -> type[Learner]:
        """Class of the family."""
        return self.given or learner_class(self.family)

    @property
    def rank(self) -> float:
        """How complex it is, see `learner.Learner.rank`."""
        return self.learner.rank + self.harder

    def forecaster(self, seed: int) -> LearnedForecaster:
        """One that has not been fitted."""
        made = LearnedForecaster(
            self.given or self.family,
            seed=seed,
            start=self.start,
            reference=self.reference,
            settings=self.settings,
            name=self.name,
        )  # fmt: skip
        made.rank = self.rank
        return made


def _plain(*families: str | type[Learner]) -> tuple[Candidate, ...]:
    return tuple(Candidate(f, f) if isinstance(f, str) else Candidate(f.family, f.family, given=f) for f in families)


#: Few and large steps: a first look must not wait for the last percent.
_SHORT = MappingProxyType({"groups": 4, "rounds": 60, "eta": 0.15, "max_depth": 4, "budget": 20_000, "patience": 0})
_LINES = _plain("ridge", "quantile_linear", "tree")
_CITY = (
    *_plain("macro_ridge", "macro_xgboost", "macro_mlp"),
    Candidate("macro_mlp_level", "macro_mlp", reference="level"),
    Candidate("macro_mlp_season", "macro_mlp", reference="season", least_days=YEAR_DAYS),
)
#: Candidates by effort, from a few cheap ones to nearly all; `quick` takes the citywide XGBoost with few rounds.
EFFORTS: Mapping[str, tuple[Candidate, ...]] = MappingProxyType(
    {
        "quick": (*_LINES, *_plain("macro_ridge"), Candidate("macro_xgboost", "macro_xgboost", settings=_SHORT)),
        "standard": (*_LINES, *_plain("regime", "boosted_trees"), *_CITY),
        "thorough": (
            *_LINES,
            *_plain("elastic_net", "additive", "model_tree", "regime", "graph", "bagged_trees", "boosted_trees"),
            *_plain("xgboost", "mlp"),
            *_CITY,
            *_plain("shared_body", "attention", "convolution"),
        ),
    }
)


def candidates(
    effort: str = "quick", named: Sequence[str | type[Learner]] | None = None, *, also: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Candidates of an effort, or just the named families.

    Parameters
    ----------
    effort : str
    named : sequence of str or type of Learner, or None
        Families that take the effort's place: by name, also those of other packages (`data.plugins`), or as classes.
    also : sequence of str
        Families that compete besides, where no candidate has their name yet.

    Raises
    ------
    SettingsError
        For an effort that does not exist, naming every family that does not, or where no family learns a zone at a
        time.
    PluginError
        If the package that brings a family is broken.
    """
    if named is None and effort not in EFFORTS:
        raise SettingsError(f"there is no effort {effort!r}; there are {sorted(EFFORTS)}")
    found = EFFORTS[effort] if named is None else _plain(*dict.fromkeys(named))
    there = {candidate.name for candidate in found}
    found += _plain(*(name for name in dict.fromkeys(also) if name not in there))
    strange = [candidate.family for candidate in found if not _choosable(candidate)]
    if strange:
        raise SettingsError(f"families {strange} do not exist; there are {', '.join(families())}")
    if not any(candidate.learner.scope == "zone" for candidate in found):
        raise SettingsError(f"families {list(there)} hold none that learns a zone at a time; add one, e.g. ridge")
    return found


def with_history(given: Sequence[Candidate], days: float) -> tuple[Candidate, ...]:
    """Those that so many days before the validation part are enough for."""
    return tuple(candidate for candidate in given if candidate.least_days <= days)


def _choosable(candidate: Candidate) -> bool:
    try:
        return not candidate.learner.wrapper
    except UnknownFamilyError:
        return False


def variants(given: Sequence[Candidate], count: int, *, seed: int) -> tuple[Candidate, ...]:
    """Each candidate with up to `count` settings of its own, the given ones first, that compete like families.

    Raises
    ------
    SettingsError
        If `count` is below 1.
    """
    if count < 1:
        raise SettingsError(f"variants={count}; at least 1")
    found: list[Candidate] = []
    for candidate in given:
        found.append(candidate)
        space = {name: tuple(values) for name, values in candidate.learner.space.items()}
        if count == 1 or not space:
            continue
        now = {**candidate.learner.defaults, **candidate.settings}
        start = tuple(values.index(now[name]) if now.get(name) in values else 0 for name, values in space.items())
        for places in random_order([len(values) for values in space.values()], start, count, seed)[1:]:
            settings = {name: values[k] for (name, values), k in zip(space.items(), places)}
            changed = {name: value for name, value in settings.items() if value != now.get(name)}
            told = " ".join(f"{name} {_short(value, space[name])}" for name, value in changed.items())
            found.append(
                replace(
                    candidate, name=f"{candidate.name}_{told}", settings={**candidate.settings, **settings},
                    harder=VARIANT_RANK * (sum(places) - sum(start)),
                )
            )  # fmt: skip
    return tuple({c.name: c for c in found}.values())


def _short(value: Any, values: tuple[Any, ...]) -> str:
    """A value as part of a name; one that is no plain word by its place among those tried."""
    return f"{value}" if isinstance(value, str | int | float) else f"no {values.index(value) + 1}"

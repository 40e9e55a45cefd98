"""Candidates: which families compete, by how much computing may be spent.

`quick` serves a first look and a daily refit, `standard` a planner's city, `thorough` a study. Families that learn a
zone at a time compete to be its micromodel; citywide ones to be the macromodel; all may enter the mix.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from models.errors import SettingsError
from models.forecasting import LearnedForecaster
from models.learner import Learner, families, learner_class


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
    reference : {"usual", "level"}
        See `featuriser.Featuriser`.
    settings : mapping
        Those that differ from the family's defaults.
    """

    name: str
    family: str
    start: str = "lasting"
    reference: str = "usual"
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def learner(self) -> type[Learner]:
        """Class of the family."""
        return learner_class(self.family)

    def forecaster(self, seed: int) -> LearnedForecaster:
        """One that has not been fitted."""
        return LearnedForecaster(
            self.family, seed=seed, start=self.start, reference=self.reference, settings=self.settings, name=self.name
        )


def _plain(*families: str) -> tuple[Candidate, ...]:
    return tuple(Candidate(name, name) for name in families)


#: Few and large steps: a first look must not wait for the last percent.
_SHORT = MappingProxyType({"groups": 4, "rounds": 60, "eta": 0.15, "max_depth": 4, "budget": 20_000, "patience": 0})
_LINES = _plain("ridge", "quantile_linear", "tree")
_CITY = (
    *_plain("macro_ridge", "macro_xgboost", "macro_mlp"),
    Candidate("macro_mlp_level", "macro_mlp", reference="level"),
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
    effort: str = "quick", named: Sequence[str] | None = None, *, also: Sequence[str] = ()
) -> tuple[Candidate, ...]:
    """Candidates of an effort, or just the named families.

    Parameters
    ----------
    effort : str
    named : sequence of str or None
        Families that take the effort's place.
    also : sequence of str
        Families that compete besides, where no candidate has their name yet.

    Raises
    ------
    SettingsError
        For an effort that does not exist, naming every family that does not, or where no family learns a zone at a
        time.
    """
    if named is None and effort not in EFFORTS:
        raise SettingsError(f"there is no effort {effort!r}; there are {sorted(EFFORTS)}")
    found = EFFORTS[effort] if named is None else _plain(*dict.fromkeys(named))
    there = {candidate.name for candidate in found}
    found += _plain(*(name for name in dict.fromkeys(also) if name not in there))
    strange = [candidate.family for candidate in found if candidate.family not in families()]
    if strange:
        raise SettingsError(f"families {strange} do not exist; there are {', '.join(families())}")
    if not any(candidate.learner.scope == "zone" for candidate in found):
        raise SettingsError(f"families {list(there)} hold none that learns a zone at a time; add one, e.g. ridge")
    return found

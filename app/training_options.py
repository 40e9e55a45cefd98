"""What a job says of its training: which models compete, with which settings and losses, and what they may spend.

Simulated and imported workspaces say it alike (`TrainingOptions`). What is not given is not written into the training's
specification, so that runs of before keep their names.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from data.errors import InputError

#: As `models.candidates.EFFORTS`, `models.tuning.search.METHODS`, `models.recipes`, which load half of the packages.
EFFORTS = ("quick", "standard", "thorough")
TUNERS = ("random", "grid", "optuna")
LOSSES = ("absolute", "squared", "huber")
RECIPES = ("start", "line")
MOST_TRIES = 200


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Which models compete."""

    effort: str = "quick"  # of EFFORTS: how many families of models compete
    families: str | None = None  # these instead, "ridge,mlp,macro_xgboost"
    settings: int = 1  # that each family competes with
    budget: float = 0.0  # CPU seconds that fitting may take; 0 for no limit
    tries: int = 0  # settings tried of each family before it competes
    tuner: str = "random"  # of TUNERS
    loss: str | None = None  # of LOSSES, with commas: each family competes with each that it can minimise
    recipes: str | None = None  # of RECIPES, with commas
    refreshable: bool = False  # keep moments, so that models can learn new readings in a moment


NAMES = tuple(field.name for field in fields(TrainingOptions))


def check_training(s: TrainingOptions) -> None:
    """Refuse what no training can follow, before anything is simulated, all faults at once.

    Raises
    ------
    InputError
        For an unknown effort, tuner, loss or recipe, families that do not exist or of which none learns a zone at a
        time, settings below 1, tries or a budget below 0, and a budget beside tries.
    """
    faults = [] if s.effort in EFFORTS else [f"effort={s.effort!r}; allowed are {', '.join(EFFORTS)}"]
    faults += [] if s.settings >= 1 else [f"settings={s.settings}: at least 1"]
    faults += [] if s.budget >= 0 else [f"budget={s.budget:g} CPU s: above 0, or 0 for no limit"]
    faults += [] if 0 <= s.tries <= MOST_TRIES else [f"tries={s.tries}: 0 to {MOST_TRIES}"]
    faults += [] if s.tuner in TUNERS else [f"tuner={s.tuner!r}; allowed are {', '.join(TUNERS)}"]
    for what, text, allowed in (("loss", s.loss, LOSSES), ("recipes", s.recipes, RECIPES)):
        strange = [name for name in split_names(text) if name not in allowed]
        faults += [f"{what}={','.join(strange)!r}; allowed are {', '.join(allowed)}"] if strange else []
    if s.budget > 0 and s.tries > 0:
        faults.append("a budget goes with --settings, not with --tries, which spend another")
    if faults:
        raise InputError("; ".join(faults))
    if names := named_families(s.families):
        from models.candidates import candidates
        from models.errors import SettingsError

        try:
            candidates(s.effort, names)
        except SettingsError as error:
            raise InputError(str(error)) from error


def told_training(s: TrainingOptions) -> dict[str, Any]:
    """Which models compete, as a training's specification says it: names take an effort's place."""
    names = named_families(s.families)
    found: dict[str, Any] = {"families": list(names)} if names else {"effort": s.effort}
    if brought := _brought(names or ()):
        found["plugins"] = brought
    found |= {"settings": s.settings} if s.settings != 1 else {}
    found |= {"budget": s.budget} if s.budget else {}
    found |= {"tries": s.tries, "tuner": s.tuner} if s.tries else {}
    found |= {"loss": list(split_names(s.loss))} if split_names(s.loss) else {}
    found |= {"recipes": list(split_names(s.recipes))} if split_names(s.recipes) else {}
    return found | ({"refreshable": True} if s.refreshable else {})


def train_options(s: TrainingOptions) -> dict[str, Any]:
    """The same as options of `models.training.train`: with a budget, hopeless candidates are given up."""
    from models.operation import Allowance

    return {
        "effort": s.effort, "families": named_families(s.families), "settings": s.settings, "prune": s.budget > 0,
        "budget": Allowance(cpu_s=s.budget) if s.budget else None, "tries": s.tries, "tuner": s.tuner,
        "losses": split_names(s.loss), "recipes": split_names(s.recipes), "refreshable": s.refreshable,
    }  # fmt: skip


def split_names(text: str | None) -> tuple[str, ...]:
    """Names from "absolute, squared", each once."""
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))


def named_families(text: str | None) -> tuple[str, ...] | None:
    """Names from "ridge,mlp"; None where none is given."""
    return split_names(text) or None


def _brought(names: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Families that other packages bring, and who: another version of theirs makes another run."""
    if not names:
        return {}
    from models.learner import plugin_of

    return {name: plugin.told() for name in names if (plugin := plugin_of(name)) is not None}

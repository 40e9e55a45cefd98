"""Learners: how a family learns a map from features to outcomes, for all zones in one batch.

A learner sees arrays alone (see `rows`): no clock, no unit, no zone's name. `forecasting` turns any learner into a
`Forecaster` with profiles, out-of-fold validation, intervals, explanation and files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar, Literal, Self

import numpy as np

from data import plugins
from models.errors import NotFittedError, SettingsError, UnknownFamilyError
from models.rows import Layout, Rows

State = tuple[dict[str, Any], dict[str, np.ndarray], dict[str, bytes]]


class Learner(ABC):
    """One family: a model a zone, all trained in one batch (`scope` "zone"), or one for the city (`scope` "city").

    Parameters
    ----------
    seed : int
        Everything random follows from it: the same seed and rows give the same learner, bit for bit.
    **settings
        Any of `defaults`.

    Raises
    ------
    SettingsError
        Naming every setting that the family does not have, and those that it has.
    """

    family: ClassVar[str] = ""
    scope: ClassVar[Literal["zone", "city"]] = "zone"
    #: Settings and their defaults, JSON values.
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    #: What tuning may try, by setting, from simple to complex; includes the default.
    space: ClassVar[Mapping[str, tuple[Any, ...]]] = MappingProxyType({})
    #: What it may minimise, the default first: values of the setting `loss`, or all there is without such a setting.
    losses: ClassVar[tuple[str, ...]] = ()
    #: Simpler families go first where two are as good (1: a line; 9: a network over several zones).
    rank: ClassVar[float] = 5.0
    #: Whether it only prepares rows for another family, so that nobody chooses it by name.
    wrapper: ClassVar[bool] = False
    registry: ClassVar[dict[str, type[Learner]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not cls.family:
            return
        if not _ours(cls):
            import_families()  # so that nobody takes a name of ours by coming first
        holder = Learner.registry.get(cls.family)
        if holder is not None and _place(holder) != _place(cls):  # the same place: a cell that was run again
            raise SettingsError(
                f"family {cls.family!r} of {_place(cls)} has the name of {_place(holder)}; give it another"
            )
        Learner.registry[cls.family] = cls

    def __init__(self, *, seed: int = 0, **settings: Any) -> None:
        unknown = sorted(set(settings) - set(self.defaults))
        if unknown:
            raise SettingsError(f"{self.family} has no setting {unknown}; it has {sorted(self.defaults)}")
        self.seed = int(seed)
        self.settings: dict[str, Any] = {**self.defaults, **settings}
        self.layout: Layout | None = None

    @abstractmethod
    def fit(self, rows: Rows, y: np.ndarray, *, zone_features: np.ndarray | None = None) -> Self:
        """Learn; rows are oldest first.

        Parameters
        ----------
        rows : Rows
            n origins, Z zones, S horizons.
        y : ndarray of float32, shape (n, Z, S)
            What followed, about -3 to 3 (deviation from the usual in the zone's scale); `nan` where nothing is known.
        zone_features : ndarray or None, shape (Z, E)
            What each zone is like; of use to learners of scope "city".
        """

    @abstractmethod
    def predict(self, rows: Rows, places: np.ndarray | None = None) -> np.ndarray:
        """Forecasts, shape (n, len(places), S), finite.

        Parameters
        ----------
        rows : Rows
            Of the zones at `places` alone, in that order, and of the horizons fitted on or some of them
            (told by `rows.layout.steps`).
        places : ndarray of int or None
            Places of these zones among those fitted on; None takes all.
        """

    @abstractmethod
    def pick(self, places: np.ndarray) -> Self:
        """The part that serves some of the zones; for scope "zone" it holds nothing of the others."""

    @abstractmethod
    def n_parameters(self) -> int:
        """Numbers that were learned from data, over all zones that the learner holds."""

    @abstractmethod
    def state(self) -> State:
        """JSON values, arrays and files that `restore` needs; no pickle. `settings` and `layout` are kept for you."""

    @abstractmethod
    def restore(self, meta: dict[str, Any], arrays: dict[str, np.ndarray], blobs: dict[str, bytes]) -> None:
        """Inverse of `state`, on a learner made with the same settings whose `layout` is set."""

    def contributions(self, rows: Rows, horizon: int, place: int) -> np.ndarray:
        """What adds up to one forecast: shape (F1 + F2 + 1,), by `layout.names`, the constant last.

        Parameters
        ----------
        rows : Rows
            One origin and one zone.
        horizon : int
            Place in `rows.layout.steps`.
        place : int
            Place of the zone.

        Notes
        -----
        Here: what each feature adds when, from an average row (all features 0), they take their values one after
        another, in both directions, averaged (Shapley values of two orders; Castro et al. 2009,
        doi:10.1016/j.cor.2008.04.004). Families with a structure say it exactly instead.
        """
        f1, width = rows.common.shape[2], rows.width
        x = rows.at(horizon)[0, 0]
        total = np.zeros(width + 1)
        start = 0.0
        for order in (np.arange(width), np.arange(width)[::-1]):
            mask = np.zeros((width + 1, width), dtype=bool)
            for k, feature in enumerate(order):
                mask[k + 1 :, feature] = True
            grid = np.where(mask, x, 0.0).astype(np.float32)
            ahead = np.repeat(rows.ahead, width + 1, axis=0)
            ahead[:, 0, horizon] = grid[:, f1:]
            steps = Rows(grid[:, None, :f1], ahead, rows.layout)
            out = self.predict(steps, np.array([place]))[:, 0, horizon]
            total[order] += 0.5 * np.diff(out)
            start = float(out[0])
        total[-1] = start
        return total

    def duplicate(self) -> Self:
        """Another of the same that shares no array with it, by `state` and `restore`."""
        meta, arrays, blobs = self.state()
        again = type(self)(seed=self.seed, **self.settings)
        again.layout = self.layout
        again.restore(meta, {key: value.copy() for key, value in arrays.items()}, blobs)
        return again

    @property
    def can_update(self) -> bool:
        """Whether `update` can add rows to what was learned, without the rows of before."""
        return False

    def update(self, rows: Rows, y: np.ndarray) -> Self:
        """Learn from new rows as well; `NotFittedError` for a family, or a setting, that keeps nothing to add them to.

        Parameters
        ----------
        rows : Rows
            New origins of all zones and horizons fitted on.
        y : ndarray, shape (n, Z, S)
            What followed; `nan` where unknown.
        """
        raise NotFittedError(f"{self.family} keeps no moments that rows could be added to: fit it again")

    def horizon_places(self, rows: Rows) -> np.ndarray:
        """Places of the rows' horizons among those fitted on."""
        assert self.layout is not None
        return np.array([self.layout.steps.index(step) for step in rows.layout.steps], dtype=np.int64)


def _ours(kind: type[Learner]) -> bool:
    return kind.__module__.partition(".")[0] == "models"


def _place(kind: type[Learner]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


#: Modules where families are declared; a process that only loads models has imported none of them.
FAMILY_MODULES: tuple[str, ...] = ("models.families", "models.feature_choice", "models.newcomers.warm_line")


def import_families() -> None:
    """Make every family known to `Learner.registry`."""
    for module in FAMILY_MODULES:
        import_module(module)


def own_families() -> tuple[str, ...]:
    """Names that Zonewise has given, also to wrappers, sorted; nobody else can take one."""
    import_families()
    return tuple(sorted(name for name, kind in Learner.registry.items() if _ours(kind)))


def families(scope: str | None = None) -> tuple[str, ...]:
    """Names of the families that can be chosen, sorted; wrappers around another family are none.

    Those of other packages are among them (`data.plugins`); one that cannot be loaded is left out and logged.
    """
    import_families()
    for plugin in plugins.found(plugins.FAMILIES):
        try:
            if plugin.name in Learner.registry and _ours(Learner.registry[plugin.name]):
                raise plugins.unfit(plugin, "has the name of a family of Zonewise, which keeps it")
            learner_class(plugin.name)
        except plugins.PluginError as error:
            plugins.note_broken(error)
    found = (name for name, kind in Learner.registry.items() if not kind.wrapper and scope in (None, kind.scope))
    return tuple(sorted(found))


def learner_class(family: str | type[Learner]) -> type[Learner]:
    """Class of a family by name, also of one that another package brings; a class is taken as it is.

    Raises
    ------
    UnknownFamilyError
        Naming those there are.
    PluginError
        If the package that brings it is broken, or several bring it.
    """
    if isinstance(family, type):
        return family
    if family not in Learner.registry:
        import_families()
    if family not in Learner.registry and (plugin := plugins.find(plugins.FAMILIES, family)) is not None:
        return _brought(plugin)
    if family not in Learner.registry:
        raise UnknownFamilyError(f"there is no family {family!r}; there are {sorted(families())}")
    return Learner.registry[family]


def plugin_of(family: str | type[Learner]) -> plugins.Plugin | None:
    """The package that brings a family; None for one of Zonewise, and for one that was defined in a notebook."""
    kind = learner_class(family)
    if _ours(kind):
        return None
    plugin = plugins.find(plugins.FAMILIES, kind.family)
    return plugin if plugin is not None and plugin.place == f"{kind.__module__}:{kind.__qualname__}" else None


def _brought(plugin: plugins.Plugin) -> type[Learner]:
    kind = plugins.load(plugin)
    if not (isinstance(kind, type) and issubclass(kind, Learner)):
        raise plugins.unfit(plugin, f"is no subclass of models.learner.Learner; found {kind!r}")
    if kind.family != plugin.name:
        raise plugins.unfit(plugin, f"calls its family {kind.family!r}; both names must be the same")
    if missing := sorted(getattr(kind, "__abstractmethods__", ())):
        raise plugins.unfit(plugin, f"lacks {', '.join(missing)}")
    return kind

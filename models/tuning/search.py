"""Search: which settings are tried next; a setting is named by its places in the space, simple first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np

from models.errors import ModelError, SettingsError

METHODS = ("grid", "random", "optuna")
_LARGEST_LIST = 100_000  # settings listed at once; beyond it they are drawn
_REPEATS = 50  # proposals of settings already known before a search ends

Places = tuple[int, ...]


class TunerMissingError(ModelError, ImportError):
    """A search needs a package that is not installed."""


class Search(ABC):
    """Proposes settings and hears what they scored."""

    @abstractmethod
    def ask(self) -> Places | None:
        """The next settings, none twice; None where there are no more."""

    def hopeless(self, losses: Sequence[float]) -> bool:
        """Whether to give up the setting just asked for, by its mean losses after each fold so far."""
        return False

    def tell(self, loss: float, *, pruned: bool) -> None:  # noqa: B027  (a fixed list does not listen)
        """What the setting just asked for scored."""


class Listed(Search):
    """Settings in an order fixed beforehand."""

    def __init__(self, order: Sequence[Places]) -> None:
        self._left = iter(order)

    def ask(self) -> Places | None:
        return next(self._left, None)


def grid_order(sizes: Sequence[int], start: Places, tries: int) -> list[Places]:
    """`start`, then all settings from simple to complex; where they are too many, evenly spread ones."""
    if int(np.prod(sizes, dtype=np.int64)) > _LARGEST_LIST:
        raise SettingsError(
            f"a grid of {int(np.prod(sizes, dtype=np.int64)):,} settings is too large (at most {_LARGEST_LIST:,});"
            " take method='random' or a smaller space"
        )
    full = sorted(product(*(range(k) for k in sizes)), key=lambda places: (sum(places), places))
    others = [places for places in full if places != start]
    if len(others) > tries - 1:
        keep = np.unique(np.round(np.linspace(0, len(others) - 1, max(tries - 1, 0))).astype(int))
        others = [others[k] for k in keep]
    return [start, *others]


def random_order(sizes: Sequence[int], start: Places, tries: int, seed: int) -> list[Places]:
    """`start`, then settings drawn evenly, none twice (Bergstra & Bengio 2012, JMLR 13, 281-305)."""
    rng = np.random.default_rng(seed)
    total = int(np.prod(sizes, dtype=np.int64))
    if total <= _LARGEST_LIST:
        drawn = rng.permutation(total)[: max(tries, 1) + 1]
    else:
        drawn = rng.integers(0, total, size=2 * tries + _REPEATS)
    found = dict.fromkeys([start, *(tuple(int(p) for p in np.unravel_index(k, sizes)) for k in drawn)])
    return list(found)[: max(tries, 1)]


class Bayesian(Search):
    """Optuna's tree-structured Parzen estimator, pruned below the median of the tries before.

    References
    ----------
    Bergstra et al. (2011), "Algorithms for hyper-parameter optimization", NeurIPS 24;
    Akiba et al. (2019), doi:10.1145/3292500.3330701 (Optuna).
    """

    def __init__(self, names: Sequence[str], sizes: Sequence[int], start: Places, seed: int) -> None:
        optuna = optuna_module()
        self._optuna, self._names, self._sizes = optuna, tuple(names), tuple(sizes)
        self._known: dict[Places, float] = {}
        with _silent(optuna):
            self._study = optuna.create_study(
                sampler=optuna.samplers.TPESampler(seed=seed),
                pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=0),
            )
            self._study.enqueue_trial(dict(zip(self._names, start)))
        self._trial: Any = None
        self._places: Places = start

    def ask(self) -> Places | None:
        if len(self._known) >= int(np.prod(self._sizes, dtype=np.int64)):
            return None
        with _silent(self._optuna):
            for _ in range(_REPEATS):
                self._trial = self._study.ask()
                self._places = tuple(
                    self._trial.suggest_int(name, 0, size - 1) for name, size in zip(self._names, self._sizes)
                )
                if self._places not in self._known:
                    return self._places
                self._study.tell(self._trial, self._known[self._places])
        return None

    def hopeless(self, losses: Sequence[float]) -> bool:
        with _silent(self._optuna):
            self._trial.report(float(losses[-1]), len(losses) - 1)
            return bool(self._trial.should_prune())

    def tell(self, loss: float, *, pruned: bool) -> None:
        value = float(loss) if np.isfinite(loss) else 1e9
        self._known[self._places] = value
        state = self._optuna.trial.TrialState
        with _silent(self._optuna):
            if pruned:
                self._study.tell(self._trial, state=state.PRUNED)
            else:
                self._study.tell(self._trial, value)


def make_search(method: str, space: Mapping[str, Sequence[Any]], start: Places, tries: int, seed: int) -> Search:
    """The search of a method over a space."""
    sizes = [len(values) for values in space.values()]
    if method == "grid":
        return Listed(grid_order(sizes, start, tries))
    if method == "random":
        return Listed(random_order(sizes, start, tries, seed))
    return Bayesian(tuple(space), sizes, start, seed)


def optuna_module() -> ModuleType:
    """Optuna, loaded when first needed; `TunerMissingError` says how to install it."""
    try:
        import optuna
    except ImportError as error:
        raise TunerMissingError(
            "method='optuna' needs the package Optuna, which is not installed; install zonewise with the extra"
            " 'tuning' (pip install 'zonewise[tuning]'), or take method='random', which needs nothing"
        ) from error
    return optuna


@contextmanager
def _silent(optuna: ModuleType) -> Iterator[None]:
    """No lines about trials; the caller's verbosity is put back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)

"""Spreading independent parts of a job: one call for every room, and one choice of the place where the parts run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

#: Called with (number of the part, its result) as soon as a part is finished, in whatever order that happens.
Keep = Callable[[int, Any], None]


class Place(Protocol):
    """Somewhere that parts can run, such as `data.work.cluster.Cluster`."""

    @property
    def width(self) -> int:
        """Parts that it can run at once."""
        ...

    def run(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], keep: Keep | None) -> Iterator[Any]:
        """Results of `function(*task)` in the order of the tasks."""
        ...


_PLACE: ContextVar[Place | None] = ContextVar("zonewise_place", default=None)


@contextmanager
def working_at(place: Place | None) -> Iterator[None]:
    """Let every `spread` inside the block run there; None stands for this machine."""
    token = _PLACE.set(place)
    try:
        yield
    finally:
        _PLACE.reset(token)


def chosen_place() -> Place | None:
    """The place in force, None for this machine."""
    return _PLACE.get()


def width(n_jobs: int = 1) -> int:
    """Parts that run at once: as many as the place in force has room for, or `n_jobs` on this machine."""
    place = chosen_place()
    return max(1, n_jobs) if place is None else place.width


def spread(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, n_jobs: int = 1, keep: Keep | None = None
) -> Iterator[Any]:
    """Results of independent parts, in their order.

    Parameters
    ----------
    function : callable
        Of a module, so that another process finds it; the same arguments must give the same result.
    tasks : sequence of tuple
        Arguments of each part. What several parts are given, and every large array, is sent once.
    n_jobs : int
        Processes on this machine; with 1, or one part alone, parts run in this process as they are asked for.
        On a cluster its own width counts.
    keep : callable or None
        Called with (number, result) as each part ends, so that what is finished can be stored before the rest is.

    Returns
    -------
    iterator

    Raises
    ------
    ClusterError
        On a cluster that cannot finish; parts that did finish have been kept.
    """
    place = chosen_place()
    if place is not None and tasks:
        return place.run(function, tasks, keep)
    if n_jobs == 1 or len(tasks) < 2:
        return _here(function, tasks, keep)
    return _processes(function, tasks, n_jobs, keep)


def _here(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], keep: Keep | None) -> Iterator[Any]:
    for k, task in enumerate(tasks):
        found = function(*task)
        if keep is not None:
            keep(k, found)
        yield found


def _processes(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], n_jobs: int, keep: Keep | None
) -> Iterator[Any]:
    """In processes of one thread each; a part that is finished early waits for those before it."""
    from joblib import Parallel, delayed, parallel_config

    with parallel_config(backend="loky", n_jobs=n_jobs, inner_max_num_threads=1):
        made = Parallel(return_as="generator_unordered", pre_dispatch="all", batch_size=1)(
            delayed(_numbered)(function, k, task) for k, task in enumerate(tasks)
        )
    return in_order(made, keep)


def _numbered(function: Callable[..., Any], k: int, task: tuple[Any, ...]) -> tuple[int, Any]:
    return k, function(*task)


def in_order(made: Iterator[tuple[int, Any]], keep: Keep | None) -> Iterator[Any]:
    """Results by number from (number, result) in any order; each is kept the moment that it comes."""
    waiting: dict[int, Any] = {}
    wanted = 0
    for k, found in made:
        if keep is not None:
            keep(k, found)
        waiting[k] = found
        while wanted in waiting:
            yield waiting.pop(wanted)
            wanted += 1

"""A process of its own for every run: one core, one thread, its own memory."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from data.errors import InputError

P = ParamSpec("P")
T = TypeVar("T")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def alone(function: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
    """Run `function` in a fresh process that may use one core.

    Raises
    ------
    InputError
        If the process ended before it answered (out of memory, as a rule).
    """
    with _one_thread(), ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_one_core) as pool:
        try:
            return pool.submit(function, *arguments, **options).result()
        except BrokenProcessPool as error:
            raise InputError(
                f"the process of {function.__module__} ended before it answered, most likely out of memory;"
                " free memory or name a smaller case"
            ) from error


def peak_mib() -> float:
    """Largest resident memory of this process so far, MiB."""
    return max_rss_mib(resource.getrusage(resource.RUSAGE_SELF))


def max_rss_mib(usage: resource.struct_rusage) -> float:
    """Largest resident memory that the system reports, MiB; macOS counts bytes, others KiB."""
    return usage.ru_maxrss / (1024.0**2 if sys.platform == "darwin" else 1024.0)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Libraries read the number of threads from the environment when they are imported, in the new process."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _one_core() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

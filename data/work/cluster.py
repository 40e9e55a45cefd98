"""A Dask cluster as a place to work: connected to, held against this machine's code, and closed.

    with cluster_at("tcp://10.0.0.5:8786") as cluster, working_at(cluster):
        train(panel, ...)

`local:N` starts N workers on this machine. The wire carries pickled Python, so that whoever reaches the scheduler can
run code on every worker and client: keep it to a network that you trust, with TLS (`tls://`, see docs) beyond one
machine.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from data.code_digest import code_digest
from data.errors import ClusterError, InputError
from data.work.spread import Keep

log = logging.getLogger(__name__)
#: How long a scheduler or the first worker is waited for, and a scheduler that went away (assumed), s.
PATIENCE_S = 60.0
_SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
_NUMERIC = ("numpy", "scipy", "pandas", "scikit-learn", "xgboost-cpu", "xgboost", "numba")
#: What a call on a cluster may raise where the scheduler is away: connections closed are OSErrors.
GONE = (OSError, TimeoutError)


class Cluster:
    """Workers of a Dask scheduler.

    Parameters
    ----------
    where : str
        `tcp://host:8786`, `tls://host:8786`, or `local:N` for N processes here.
    patience_s : float
        How long to wait for a scheduler that is away, and for a first worker, s.

    Raises
    ------
    InputError
        If Dask is not installed, or `where` is of no known form.
    ClusterError
        If the scheduler cannot be reached in time.
    """

    def __init__(self, where: str, *, patience_s: float = PATIENCE_S) -> None:
        self.where, self.patience_s = where, patience_s
        self._own: Any = None
        self.client: Any = None
        self._alike: set[str] = set()
        self.hung: set[str] = set()
        try:
            import distributed
        except ImportError as error:
            raise InputError(
                f"--cluster {where} needs Dask: install the extra 'cluster' (pip install 'zonewise[cluster]')"
            ) from error
        self.address = where
        if where.startswith("local:"):
            self._own = distributed.LocalCluster(
                n_workers=_count(where), threads_per_worker=1, processes=True, dashboard_address=None,
                silence_logs=logging.CRITICAL, memory_limit=0,
            )  # fmt: skip
            self.address = self._own.scheduler_address
        elif where.partition("://")[0] not in _SCHEMES or not where.partition("://")[2]:
            raise InputError(f"--cluster {where}: give tcp://HOST:8786, tls://HOST:8786, or local:N for N processes")
        try:
            self.connect()
        except BaseException:
            self.close()
            raise

    def connect(self) -> None:
        """Connect, anew if need be; `ClusterError` where the scheduler stays away for `patience_s`."""
        from distributed import Client

        self._hang_up()
        until = time.monotonic() + self.patience_s
        while True:
            left = until - time.monotonic()
            try:
                self.client = Client(self.address, timeout=f"{max(left, 1.0):.0f}s", set_as_default=False)
                self._alike = set()
                return
            except GONE as error:
                if left <= 1.0:
                    raise ClusterError(
                        f"no Dask scheduler answers at {self.address} (waited {self.patience_s:.0f} s); is 'dask"
                        f" scheduler' running there, and may this machine reach its port? ({type(error).__name__})"
                    ) from error
                time.sleep(min(0.5, left))

    def close(self) -> None:
        """Let go of the cluster, and end it where it was started here."""
        self._hang_up()
        if self._own is not None:
            self._own.close()
            self._own = None

    def _hang_up(self) -> None:
        if self.client is not None:
            try:
                self.client.close(timeout=2)
            except Exception:
                log.debug("closing the client", exc_info=True)
            self.client = None

    def workers(self) -> dict[str, int]:
        """Threads by worker, of workers with the same code as here.

        Raises
        ------
        ClusterError
            If a worker has other code.
        OSError
            If the scheduler does not answer.
        """
        found = {str(address): int(threads) for address, threads in self.client.nthreads().items()}
        self._alike &= set(found)
        fresh = [address for address in found if address not in self._alike]
        if fresh:
            told = self.client.run(fingerprint, workers=fresh, on_error="return")
            for address in fresh:
                other = told.get(address)
                if isinstance(other, Mapping):
                    check_alike(fingerprint(), other, address)
                    self._alike.add(address)
                elif isinstance(other, ImportError):
                    raise ClusterError(f"worker {address} has no Zonewise ({other}); install the same version there")
                else:
                    log.info("worker %s does not say what it is: %r", address, other)
        return {address: threads for address, threads in found.items() if address in self._alike}

    def wait(self) -> dict[str, int]:
        """`workers`, once there is one; `ClusterError` where none comes in time."""
        until = time.monotonic() + self.patience_s
        while True:
            try:
                found = self.workers()
            except GONE:
                self.connect()
                found = {}
            if found:
                return found
            if time.monotonic() > until:
                raise ClusterError(
                    f"the scheduler at {self.address} has had no worker for {self.patience_s:.0f} s; start some with"
                    f" 'dask worker {self.address} --nthreads 1'"
                )
            time.sleep(0.2)

    def renew(self, worker: str) -> None:
        """Start a worker anew that is busy with what nobody waits for; one without a nanny cannot be, and goes last."""
        self.hung.add(worker)
        client = self.client

        def restart() -> None:
            try:
                client.restart_workers([worker], timeout=self.patience_s, raise_for_error=False)
            except Exception:
                log.debug("worker %s cannot be started anew", worker, exc_info=True)

        threading.Thread(target=restart, daemon=True, name="renew").start()

    @property
    def width(self) -> int:
        """Threads of all workers."""
        return sum(self.wait().values())

    def run(self, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], keep: Keep | None) -> Iterator[Any]:
        """See `data.work.spread.spread`."""
        from data.work.rounds import Rounds
        from data.work.spread import in_order

        rounds = Rounds(self, function, tasks)
        try:
            yield from in_order(rounds.finished(), keep)
        finally:
            rounds.stop()


@contextmanager
def cluster_at(where: str | None, *, patience_s: float = PATIENCE_S) -> Iterator[Cluster | None]:
    """A cluster that is closed at the end of the block; None where `where` is None."""
    if where is None:
        yield None
        return
    cluster = Cluster(where, patience_s=patience_s)
    try:
        yield cluster
    finally:
        cluster.close()


def fingerprint() -> dict[str, str]:
    """What results depend on here: processor, Python, numeric packages, and a digest of the code."""
    told = {"processor": platform.machine(), "python": ".".join(platform.python_version_tuple()[:2])}
    for name in _NUMERIC:
        try:
            told[name] = version(name)
        except PackageNotFoundError:
            continue
    return told | {"zonewise": _code_here()}


def check_alike(here: Mapping[str, str], there: Mapping[str, str], worker: str) -> None:
    """`ClusterError` with all that differs between this machine and a worker."""
    names = [name for name in dict.fromkeys([*here, *there]) if here.get(name) != there.get(name)]
    if names:
        faults = "; ".join(f"{name}: {there.get(name, 'none')} there, {here.get(name, 'none')} here" for name in names)
        raise ClusterError(
            f"worker {worker} would not give the results of this machine: {faults}. Install the same packages there,"
            " e.g. from the lock file or the container image"
        )


@cache
def _code_here() -> str:
    return code_digest("data", "zones", "models", "simulation")


def _count(where: str) -> int:
    number = where.partition(":")[2]
    if not number.isdecimal() or not 1 <= int(number) <= 256:
        raise InputError(f"--cluster {where}: give the number of processes, 1 to 256, e.g. local:2")
    return int(number)

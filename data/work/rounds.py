"""Giving out parts to workers until all are done: what a lost, a slow or a new worker had is given out again.

Every part is tied to one worker, no worker is given more than it has threads, and results are taken as they come. So:
a worker that dies costs the parts that it had in hand; one that joins is given parts at once; one that is slow keeps
its part, but when nothing else is left to do, an idle worker is given the same part, and whoever ends first counts
(backup tasks: Dean and Ghemawat 2008, doi:10.1145/1327452.1327492, section 3.6); the slow one is started anew. When the
scheduler goes away, what is finished is kept here and the rest is given out anew, once it is back.
"""

from __future__ import annotations

import queue
import statistics
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data.errors import ClusterError
from data.work.cluster import GONE
from data.work.packing import Packer, Packet, unpack

if TYPE_CHECKING:
    from data.work.cluster import Cluster

#: Workers that one part may end before it is given up: such a part needs more memory than they have (assumed).
LOSSES = 3
#: A part is given to a second worker when it has run this many times the median of finished ones, and this long, s
#: (assumed).
SLOW_TIMES, SLOW_LEAST_S = 3.0, 30.0
_LOOK_S = 1.0  # how often workers are counted
_BROKEN = ("cancelled", "lost")


@dataclass(frozen=True, eq=False, slots=True)
class _Try:
    """A part in the hands of a worker."""

    part: int
    worker: str
    since: float
    future: Any


class Rounds:
    """One call's parts on a cluster.

    Parameters
    ----------
    cluster : Cluster
    function : callable
    tasks : sequence of tuple
    """

    def __init__(self, cluster: Cluster, function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> None:
        packer = Packer()
        self.cluster, self.function = cluster, function
        self.packets = packer.tasks(tasks)
        self.shared = dict(packer.shared)
        self.name = f"{getattr(function, '__name__', 'part').strip('_')}-{uuid.uuid4().hex[:12]}"
        self.waiting = deque(range(len(tasks)))
        self.flying: dict[str, _Try] = {}
        self.done: set[int] = set()
        self.losses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self._sent: dict[str, Any] = {}
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._tries = 0
        self._workers: dict[str, int] = {}
        self._looked = -_LOOK_S

    def finished(self) -> Iterator[tuple[int, Any]]:
        """(Number of a part, its result), as they end."""
        while len(self.done) < len(self.packets):
            try:
                self._look()
                self._give_out()
                yield from self._take()
            except GONE:
                self._again()

    def stop(self) -> None:
        """Take back what is still out."""
        futures = [one.future for one in self.flying.values()]
        self.flying = {}
        try:
            if futures and self.cluster.client is not None:
                self.cluster.client.cancel(futures)
        except (*GONE, RuntimeError):
            pass  # there is nobody left to tell
        self._sent = {}

    # --- one round ----------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Count the workers; parts of those that left wait again."""
        if time.monotonic() - self._looked < _LOOK_S and self._workers:
            return
        if getattr(self.cluster.client, "status", "closed") != "running":
            raise ConnectionError("the client lost its scheduler")
        self._workers = self.cluster.workers() or self.cluster.wait()
        self._looked = time.monotonic()
        for key, one in list(self.flying.items()):
            if one.worker not in self._workers and one.future.status != "finished":
                self._lose(key)

    def _give_out(self) -> None:
        busy = Counter(one.worker for one in self.flying.values())
        hung = self.cluster.hung
        free = [w for w, threads in self._workers.items() for _ in range(threads - busy[w])]
        free.sort(key=lambda worker: worker in hung)  # those that may still be busy with what was given up go last
        while free and self.waiting:
            self._submit(self.waiting.popleft(), free.pop(0))
        if free and self.flying and not self.waiting:
            for one in self._slow():
                other = next((worker for worker in free if worker != one.worker), None)
                if other is not None:
                    free.remove(other)
                    self._submit(one.part, other)

    def _slow(self) -> list[_Try]:
        """Parts that only one worker has and that take far longer than others did, slowest first."""
        if not self.seconds:
            return []
        limit = max(SLOW_LEAST_S, SLOW_TIMES * statistics.median(self.seconds))
        hands = Counter(one.part for one in self.flying.values())
        late = [
            one for one in self.flying.values() if hands[one.part] == 1 and time.monotonic() - one.since > limit
        ]  # fmt: skip
        return sorted(late, key=lambda one: one.since)

    def _submit(self, part: int, worker: str) -> None:
        packet = self.packets[part]
        self._tries += 1
        key = f"{self.name}-{part}-{self._tries}"
        needs = {name: self._send(name) for name in packet.needs}
        future = self._put(compute, self.function, packet, needs, key=key, workers=[worker])
        self.flying[key] = _Try(part, worker, time.monotonic(), future)
        future.add_done_callback(lambda _, key=key: self._ended.put(key))

    def _send(self, name: str) -> Any:
        """What many parts share, sent when it is first needed; the scheduler makes it again where its holder died."""
        if name not in self._sent:
            packet = self.shared[name]
            needs = {need: self._send(need) for need in packet.needs}
            self._sent[name] = self._put(unpack, packet, needs, key=f"{self.name}-{name}")
        return self._sent[name]

    def _put(self, *call: Any, **where: Any) -> Any:
        import dask

        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):  # it is sent once
            return self.cluster.client.submit(*call, pure=False, **where)

    def _take(self) -> Iterator[tuple[int, Any]]:
        try:
            key: str | None = self._ended.get(timeout=_LOOK_S / 2)
        except queue.Empty:
            return
        while key is not None:
            one = self.flying.get(key)
            if one is not None:
                yield from self._one(key, one)
            try:
                key = self._ended.get_nowait()
            except queue.Empty:
                key = None

    def _one(self, key: str, one: _Try) -> Iterator[tuple[int, Any]]:
        status = one.future.status
        if status == "error":
            error = one.future.exception(timeout=self.cluster.patience_s)
            if type(error).__name__ != "KilledWorker":
                raise error
            self._lose(key)
        elif status in _BROKEN:
            if getattr(self.cluster.client, "status", "closed") != "running":
                raise ConnectionError("the scheduler is away")
            self._lose(key)
        else:
            try:
                found = one.future.result(timeout=self.cluster.patience_s)
            except GONE:
                if getattr(self.cluster.client, "status", "closed") != "running":
                    raise
                self._lose(key)  # its worker died with the result
                return
            self.seconds.append(time.monotonic() - one.since)
            self._end(key, one)
            if one.part not in self.done:
                self.done.add(one.part)
                yield one.part, found

    # --- what goes wrong ----------------------------------------------------------------------------------------

    def _end(self, key: str, one: _Try) -> None:
        """Release a part's tries; a worker that still has it in hand is started anew."""
        slower = [other for name, other in self.flying.items() if other.part == one.part and name != key]
        self.flying = {name: other for name, other in self.flying.items() if other.part != one.part}
        self.cluster.client.cancel([one.future, *(other.future for other in slower)])
        for other in slower:
            if all(rest.worker != other.worker for rest in self.flying.values()):
                self.cluster.renew(other.worker)

    def _lose(self, key: str) -> None:
        """A try came to nothing: its part waits again, unless another worker has it as well."""
        one = self.flying.pop(key)
        self.losses[one.part] += 1
        if self.losses[one.part] > LOSSES:
            raise ClusterError(
                f"part {one.part + 1} of {len(self.packets)} of this step was lost with its worker {LOSSES + 1} times;"
                " it probably needs more memory than a worker has. Give workers more (--memory-limit) and say the same"
                f" command again: {self._kept()}"
            )
        if one.part not in self.done and all(other.part != one.part for other in self.flying.values()):
            self.waiting.appendleft(one.part)

    def _again(self) -> None:
        """The scheduler went away: wait for it, then give out what is not finished."""
        self.waiting = deque(part for part in range(len(self.packets)) if part not in self.done)
        self.flying, self._sent, self._workers, self._looked = {}, {}, {}, -_LOOK_S
        try:
            self.cluster.connect()
        except ClusterError as error:
            raise ClusterError(
                f"the cluster was lost and did not come back: {error}. {len(self.done)} of {len(self.packets)} parts"
                f" of this step were finished; {self._kept()}"
            ) from error

    def _kept(self) -> str:
        return (
            "finished steps, replications and candidates are kept in the workspace, and the command goes on after them"
        )


def compute(function: Callable[..., Any], packet: Packet, shared: Mapping[str, Any]) -> Any:
    """One part, on a worker: one thread of arithmetic, as in the processes of one machine."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        return function(*unpack(packet, shared))

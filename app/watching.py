"""New readings as they come, from a folder or a broker: append, roll up, forecast with the stored models.

What came is stored before anything is made of it, and a file is known by what it holds: a watch that is killed goes on
where it was. What cannot be read is set aside in `rejected/` with a `.reason.txt` beside it. Nothing is retrained.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from app.measured import SOURCE, MeasuredJob, measured_job
from app.renewed import in_force
from data.errors import FileFormatError, InputError, SchemaError, ZonewiseError
from data.readers.messages import read_messages
from data.readers.readings import Readings
from data.store.folder import write_atomic
from data.store.observations import Observations
from data.store.runs import run_id
from data.store.workspace import Workspace

log = logging.getLogger(__name__)

REJECTED, TAKEN = "rejected", "taken"
SUFFIXES = (".csv", ".csv.gz", ".parquet", ".json", ".jsonl")
#: A file is read when it has not changed for this long, s: writers should rename, and not all do.
SETTLED_S = 1.0
#: Live runs that a watch leaves standing, so that a page that is open still finds its own.
_KEPT_RUNS = 6
#: Readings before the live day that a refresh reads anew, days: the longest lag and its neighbours.
_HISTORY = pd.Timedelta(days=23)
Reader = Callable[[Path], Readings]


@dataclass
class Watch:
    """A workspace that is followed.

    Parameters
    ----------
    workspace : Workspace
        Imported, and trained.
    reader : callable
        Makes `Readings` of a file.
    learn : bool
        Whether models that keep their moments learn each new day of readings, see `refreshing`.
    """

    workspace: Workspace
    reader: Reader
    learn: bool = False
    appended: int = field(default=0, init=False)
    rejected: int = field(default=0, init=False)
    refreshed: int = field(default=0, init=False)
    learned: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        told = self.workspace.describe()
        if told.get("source") != SOURCE:
            raise InputError(
                f"workspace '{self.workspace.name}' holds no imported observations; 'zonewise import' some"
            )
        if not self.workspace.runs.has(str(told.get("runs", {}).get("training", ""))):
            raise InputError(
                f"workspace '{self.workspace.name}' has no stored models yet; first run"
                f" 'zonewise train {self.workspace.name}'"
            )

    def take_folder(self, folder: Path) -> int:
        """Read every settled file of a folder, oldest first; returns how many were appended.

        A file that was read goes to `taken/`, one that cannot be to `rejected/` with its reason.
        """
        count = 0
        for path in waiting_files(folder):
            count += self.take_file(path, folder)
        return count

    def take_file(self, path: Path, folder: Path) -> int:
        """Read one file; 1 where it brought something new."""
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            new = self.append(self.reader(path), {"file": path.name, "sha256": digest})
        except (InputError, FileFormatError, SchemaError) as error:
            self._reject(path, folder, str(error))
            return 0
        except FileNotFoundError:
            return 0  # someone took it away
        _move(path, folder / TAKEN)
        return int(new)

    def take_messages(self, payloads: list[bytes], topic: str, timezone: str) -> int:
        """Append a handful of messages at once; those that cannot be read go to `observations/rejected/`."""
        readings, faults = read_messages(payloads, timezone=timezone)
        for payload, why in faults:
            self.rejected += 1
            key = f"{REJECTED}/{hashlib.sha256(payload).hexdigest()[:16]}.json"
            note = {"topic": topic, "reason": why, "payload": payload.decode("utf-8", "replace")}
            self.workspace.observations.put(key, json.dumps(note, indent=1).encode())
            log.warning("message on %s set aside: %s", topic, why)
        if readings is None:
            return 0
        try:
            return int(self.append(readings, {"topic": topic, "messages": len(payloads) - len(faults)}))
        except (InputError, SchemaError) as error:
            self.rejected += 1
            key = f"{REJECTED}/{hashlib.sha256(b''.join(payloads)).hexdigest()[:16]}.json"
            text = "\n".join(payload.decode("utf-8", "replace") for payload in payloads)
            note = {"topic": topic, "reason": str(error), "payload": text}
            self.workspace.observations.put(key, json.dumps(note, indent=1).encode())
            return 0

    def append(self, readings: Readings, source: Mapping[str, Any]) -> bool:
        """Append readings of known sensors; whether they are new.

        Raises
        ------
        InputError
            If no sensor of them is known, or the step is another.
        """
        observed = Observations(self.workspace.observations)
        known = set(observed.places()["sensor_id"].astype("str"))
        table = readings.table
        mine = table["sensor_id"].isin(known).to_numpy()
        if not mine.any():
            some = sorted(set(table["sensor_id"]))[:5]
            raise InputError(
                f"none of its sensors ({', '.join(some)}) is in the workspace; import them with their places"
            )
        if not mine.all():
            strange = sorted(set(table.loc[~mine, "sensor_id"]))
            log.warning("readings of unknown sensors were left out: %s", ", ".join(strange[:10]))
        given_s = int(self.workspace.describe()["job"]["given_s"])
        off = (table.loc[mine, "time"].astype("int64") // 1_000_000 % given_s).to_numpy()
        span = observed.span()
        phase = 0 if span is None else int(span[0].timestamp()) % given_s
        if (off != phase).any():
            raise InputError(f"times lie off the workspace's steps of {given_s} s")
        table = table[mine].reset_index(drop=True)
        if span is not None and table["time"].max() > span[1] + pd.Timedelta(days=366):
            raise InputError(
                f"times reach {table['time'].max()}, over a year after the last reading; is the clock right?"
            )
        batch, new = observed.append(table, source=dict(source))
        self.appended += new
        log.info("%s: %s rows of %s", batch, len(table), source)
        return new

    def refresh(self) -> str | None:
        """Roll up the newest readings and forecast from them; id of the new `live` run, None where nothing is new.

        The models in force serve, none is trained; `now` becomes the end of the newest interval.
        """
        from zones.measured import measured_zone_state, on_step
        from zones.sensor_quality import flagged

        job = measured_job(self.workspace, {}, lambda step, done, total, message: None)
        told, observed = self.workspace.describe(), Observations(self.workspace.observations)
        span = observed.span()
        training = str(told["runs"]["training"])
        spec = {"training": training, "observations": observed.digest(), "city": job.spec.city_run, "watched": True}
        spec |= {"in_force": serving} if (serving := in_force(self.workspace, training)) else {}
        run = run_id("live", spec)
        if span is None or told["runs"].get("live") == run:
            return None
        s, runs = job.spec, self.workspace.runs
        since = (span[1] - _HISTORY).floor("D")
        table = observed.read(since)
        sensors, zones = runs.read(s.city_run, "sensors"), runs.read(s.city_run, "zones")
        sound = flagged(table, step_s=s.given_s).sound(table)
        state = measured_zone_state(
            on_step(sound, given_s=s.given_s, step_s=s.step_s),
            sensors.set_index("sensor_id")["zone_id"].astype("str"), list(zones["zone_id"]),
        )  # fmt: skip
        now = newest_end(job, state)
        state = state[state["time"] < now]
        day = now.tz_convert(s.timezone).normalize().tz_convert("UTC")
        if day == now:  # midnight: the day that has just begun
            state = state[state["time"] >= state["time"].min()]
        if not runs.has(run):
            job._store_live("live", spec, (training,), training, state=state, clock=(day, now))
        self.workspace.alter(lambda old: {**old, "now": now.isoformat(), "runs": {**old.get("runs", {}), "live": run}})
        self.refreshed += 1
        self._forget(run)
        if self.learn:
            from app.refreshing import refresh_models

            done = refresh_models(self.workspace, by="watch")
            self.learned += int((done["state"] == "refreshed").sum())
        return run

    def _forget(self, run: str) -> None:
        """Remove live runs of earlier refreshes, but for the last few."""
        old = [m for m in self.workspace.runs.list("live") if m["spec"].get("watched") and m["id"] != run]
        for manifest in old[: max(0, len(old) - _KEPT_RUNS)]:
            self.workspace.runs.remove(str(manifest["id"]))

    def _reject(self, path: Path, folder: Path, why: str) -> None:
        self.rejected += 1
        aside = folder / REJECTED
        write_atomic(aside / f"{path.name}.reason.txt", f"{why}\n".encode())
        _move(path, aside)
        log.warning("%s set aside: %s", path.name, why)


def newest_end(job: MeasuredJob, state: pd.DataFrame) -> pd.Timestamp:
    """End of the newest interval of which at least half as many zones report as usual: one early sensor is no news."""
    known = state.drop(columns=["zone_id", "time"]).notna().any(axis=1)
    heard = known.groupby(state["time"].to_numpy()).sum()
    enough = heard[heard >= 0.5 * max(float(heard.median()), 1.0)]
    last = pd.Timestamp((enough if len(enough) else heard).index.max())
    last = last.tz_localize("UTC") if last.tzinfo is None else last
    return last + pd.Timedelta(seconds=job.spec.step_s)


def waiting_files(folder: Path) -> list[Path]:
    """Files of a folder that can be read and have settled, oldest first."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}; make it, and let new files be moved into it")
    found = []
    for path in folder.iterdir():
        if not path.is_file() or path.name.startswith(".") or not path.name.lower().endswith(SUFFIXES):
            continue
        try:
            changed = path.stat().st_mtime
        except FileNotFoundError:
            continue
        if time.time() - changed >= SETTLED_S:
            found.append((changed, path.name, path))
    return [path for _, _, path in sorted(found)]


@contextmanager
def only_one(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace's lock, so that two watches never write at once; the system frees it when a process ends.

    Raises
    ------
    InputError
        If another watch holds it.
    """
    import fcntl

    workspace.root.mkdir(parents=True, exist_ok=True)
    with (workspace.root / ".watch.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"workspace '{workspace.name}' is being watched already; stop that one first") from error
        file.write(str(os.getpid()))
        file.flush()
        yield


def follow_folder(
    watch: Watch, folder: Path, *, every_s: float = 5.0, once: bool = False, stop: Callable[[], bool] = lambda: False
) -> None:
    """Take files and refresh, until told to stop; once through with `once`."""
    with only_one(watch.workspace):
        while True:
            watch.take_folder(folder)
            _refreshed(watch)  # also what a watch that was killed had stored, and not yet shown
            if once or stop():
                return
            time.sleep(every_s)


def follow_mqtt(
    watch: Watch,
    host: str,
    port: int,
    topic: str,
    *,
    timezone: str,
    every_s: float = 5.0,
    client_id: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Follow a topic of a broker, until told to stop.

    The session is kept by the broker (QoS 1, a client id of the workspace's name), and a message is acknowledged only
    when it has been stored: what comes while nobody watches, or when a watch is killed, comes again.

    Raises
    ------
    InputError
        If the extra `mqtt` is not installed, or the broker cannot be reached.
    """
    try:
        import paho.mqtt.client as mqtt
    except ImportError as error:
        raise InputError("following a broker needs paho-mqtt; install it: pip install 'zonewise[mqtt]'") from error
    waiting: list[Any] = []
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or f"zonewise-{watch.workspace.name}",
        clean_session=False, manual_ack=True,
    )  # fmt: skip
    client.on_connect = lambda c, data, flags, reason, properties: c.subscribe(topic, qos=1)
    client.on_message = lambda c, data, message: waiting.append(message)
    with only_one(watch.workspace):
        try:
            client.connect(host, port, keepalive=30)
        except OSError as error:
            raise InputError(
                f"no MQTT broker answers at {host}:{port} ({error}); is it running, and the port right?"
            ) from error
        client.loop_start()
        try:
            while not stop():
                time.sleep(every_s)
                batch, waiting[:] = waiting[:], []
                if batch:
                    watch.take_messages([message.payload for message in batch], topic, timezone)
                    for message in batch:
                        client.ack(message.mid, message.qos)
                    _refreshed(watch)
        finally:
            client.disconnect()
            client.loop_stop()


def _refreshed(watch: Watch) -> None:
    """Refresh; what a refresh cannot do with the readings is logged, and the watch goes on."""
    try:
        watch.refresh()
    except ZonewiseError as error:
        log.warning("forecasts were not refreshed: %s", error)


def _move(path: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    goal = folder / path.name
    number = 1
    while goal.exists():
        goal = folder / f"{path.name}.{number}"
        number += 1
    path.rename(goal)

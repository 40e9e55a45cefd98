"""The edge runner: a bundle beside a sensor or on a gateway; readings in from an MQTT topic, forecasts out.

It needs no workspace. What comes may be late, repeated, out of order or no reading at all: it is judged, counted and
never stops the runner. Nothing grows with time: eight days of readings, a bounded line of messages, a bounded line of
forecasts that wait for a broker.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from data.errors import InputError
from data.store.folder import write_atomic
from models.errors import ModelFileError
from models.export.bundle import EdgeMicromodel

log = logging.getLogger(__name__)

MOST_WAITING = 5_000  # messages that wait to be read; beyond, the oldest are dropped, and counted
MOST_BYTES = 256_000  # of one message
MOST_READINGS = 5_000  # in one message
MOST_UNSENT = 500  # forecasts that wait for a broker that is away
SAVE_EVERY_S = 900.0
QUEUED_SIZE = 20  # messages that a broker may have on the way to us


class EdgeRunner:
    """Reads payloads, keeps count, forecasts when an interval has settled.

    Parameters
    ----------
    micromodel : EdgeMicromodel
    clock : callable
        Present instant, s since 1970. Readings of the future are refused by it; None trusts the senders (replays).
    settle_s : float
        Seconds from the first reading of an interval until the forecast: neighbours report at almost the same time.
    """

    def __init__(
        self, micromodel: EdgeMicromodel, *, clock: Callable[[], float] | None = time.time, settle_s: float = 2.0
    ) -> None:
        self.micromodel, self.clock, self.settle_s = micromodel, clock, settle_s
        self.waiting: deque[bytes] = deque(maxlen=MOST_WAITING)
        self.counts: Counter[str] = Counter()
        self._forecast_of: int | None = None
        self._since: float | None = None

    def put(self, payload: bytes) -> None:
        """Add a message to the line; the oldest makes room where it is full."""
        if len(self.waiting) == self.waiting.maxlen:
            self.counts["dropped"] += 1
        self.waiting.append(payload)

    def take(self, payload: bytes) -> Counter[str]:
        """Read a message at once: what was heard, by verdict (see `EdgeMicromodel.hear`), or `garbage`."""
        verdicts: Counter[str] = Counter()
        try:
            rows = _rows(payload)
        except (ValueError, TypeError, RecursionError) as error:
            log.warning("a message was set aside: %s", error)
            verdicts["garbage"] += 1
            rows = []
        now = None if self.clock is None else self.clock()
        for row in rows:
            verdicts.update(self._row(row, now))
        self.counts["messages"] += 1
        self.counts.update(verdicts)
        return verdicts

    def _row(self, row: Any, now: float | None) -> list[str]:
        model = self.micromodel
        try:
            instant = _seconds(row["time"])
            who = row.get("zone_id", row.get("sensor_id"))
            told = {key: value for key, value in row.items() if key not in ("time", "zone_id", "sensor_id")}
            numbers = {key: None if value is None else _number(value) for key, value in told.items()}
        except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
            log.warning("a reading was set aside: %s", error)
            return ["garbage"]
        zone = None if who is None else str(who)
        return [model.hear(zone, key, instant, value, now_s=now) for key, value in numbers.items()] or ["garbage"]

    def step(self, monotonic: float) -> dict[str, Any] | None:
        """Read what waits; a forecast where a new interval has settled, else None."""
        while self.waiting:
            self.take(self.waiting.popleft())
        newest = self.micromodel.newest
        if newest is None or newest == self._forecast_of:
            self._since = None
            return None
        if self._since is None:
            self._since = monotonic
        if monotonic - self._since < self.settle_s:
            return None
        self._forecast_of, self._since = newest, None
        made = self.micromodel.forecast()
        self.counts["forecasts"] += 1
        return made

    def status(self, state: str) -> dict[str, Any]:
        """What is published, retained, beside the forecasts."""
        model = self.micromodel
        return {
            "state": state, "zone_id": model.zone_id, "target": model.target, "family": model.head["family"],
            "train_end": model.head["train_end"], "engine": model.head["engine"], "counts": dict(self.counts),
        }  # fmt: skip


def _rows(payload: bytes) -> list[Any]:
    if len(payload) > MOST_BYTES:
        raise ValueError(f"{len(payload)} bytes; at most {MOST_BYTES} are read")
    found = json.loads(payload)
    rows = found if isinstance(found, list) else [found]
    if len(rows) > MOST_READINGS or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"a message must be a JSON object or a list of at most {MOST_READINGS} of them")
    return rows


def _seconds(value: Any) -> float:
    """An instant: seconds since 1970 (milliseconds beyond the year 5000), or ISO 8601 with an offset."""
    if isinstance(value, bool) or value is None:
        raise ValueError(f"time {value!r} is no instant")
    if isinstance(value, (int, float)):
        number = float(value)
        if not 0 <= number < 1e14:
            raise ValueError(f"time {value!r} is out of range")
        return number / 1000.0 if number > 1e11 else number
    stamp = pd.Timestamp(str(value))
    if stamp is pd.NaT or stamp.tzinfo is None:
        raise ValueError(f"time {value!r} must be ISO 8601 with an offset from UTC")
    return float(stamp.timestamp())


def _number(value: Any) -> float:
    if isinstance(value, (bool, list, dict)):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def read_bundle(folder: Path) -> EdgeMicromodel:
    """A bundle from a folder.

    Raises
    ------
    InputError
        If the folder holds none.
    ModelFileError
        If it is damaged.
    """
    if not (folder / "bundle.json").is_file():
        raise InputError(f"{folder} holds no bundle.json; make a bundle with 'zonewise edge export'")
    found = (path for path in folder.rglob("*") if path.is_file())
    return EdgeMicromodel({path.relative_to(folder).as_posix(): path.read_bytes() for path in found})


def write_folder(files: Mapping[str, bytes | str], folder: Path) -> None:
    """Write files to a new folder, whole or not at all.

    Raises
    ------
    InputError
        If it exists already.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already; name a new folder")
    aside = folder.with_name(f".{folder.name}.part")
    for name, data in files.items():
        path = aside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    aside.rename(folder)


def run_edge(
    runner: EdgeRunner,
    host: str,
    port: int,
    topics: Iterable[str],
    publish: str,
    *,
    client_id: str | None = None,
    memory: Path | None = None,
    every_s: float = 0.2,
    user: str | None = None,
    password: str | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Follow topics and publish forecasts, until told to stop.

    Readings come and forecasts go with QoS 1. The broker keeps the session, so that what comes while nobody listens
    comes again; a broker that is away is tried again and again. `<publish>/forecast` takes the forecasts,
    `<publish>/status` the state, retained: `online` with counts, `offline` also as last will.

    Parameters
    ----------
    runner : EdgeRunner
    host, port : str, int
        Of the broker.
    topics : iterable of str
        Of readings; MQTT wildcards may be used.
    publish : str
        Where to, e.g. `city/forecasts/Z03`.
    client_id : str or None
        Of the session; None takes one of the zone and target.
    memory : Path or None
        File that what was heard is kept in between starts.
    every_s : float
        Between looks.

    Raises
    ------
    InputError
        If the extra `mqtt` is not installed, or a topic that is published would be read again.
    """
    try:
        import paho.mqtt.client as mqtt
    except ImportError as error:
        raise InputError("the edge runner needs paho-mqtt; install it: pip install 'zonewise[mqtt]'") from error
    topics = list(topics)
    forecasts, state = f"{publish}/forecast", f"{publish}/status"
    loops = [topic for topic in topics if mqtt.topic_matches_sub(topic, forecasts)]
    if loops:
        raise InputError(f"topic {loops[0]} would read the runner's own {forecasts}; publish elsewhere")
    model = runner.micromodel
    _recall(model, memory)
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=client_id or f"zonewise-edge-{model.zone_id}-{model.target}",
        clean_session=False,
    )  # fmt: skip
    if user is not None:
        client.username_pw_set(user, password)
    client.will_set(state, json.dumps({"state": "offline", "zone_id": model.zone_id}), qos=1, retain=True)
    client.max_queued_messages_set(MOST_UNSENT)
    client.max_inflight_messages_set(QUEUED_SIZE)
    client.reconnect_delay_set(min_delay=1, max_delay=60)

    def connected(client: Any, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            log.warning("the broker refused: %s", reason)
            return
        runner.counts["connections"] += 1
        client.subscribe([(topic, 1) for topic in topics])
        client.publish(state, json.dumps(runner.status("online")), qos=1, retain=True)

    client.on_connect = connected
    client.on_message = lambda client, data, message: runner.put(message.payload)
    client.connect_async(host, port, keepalive=30)
    client.loop_start()  # connects, and connects again
    saved = time.monotonic()
    try:
        while not stop():
            made = runner.step(time.monotonic())
            if made is not None:
                sent = client.publish(forecasts, json.dumps(made), qos=1)
                runner.counts["unsent" if sent.rc == mqtt.MQTT_ERR_QUEUE_SIZE else "published"] += 1
                client.publish(state, json.dumps(runner.status("online")), qos=1, retain=True)
            if memory is not None and time.monotonic() - saved > SAVE_EVERY_S:
                write_atomic(memory, model.memory())
                saved = time.monotonic()
            time.sleep(every_s)
    finally:
        if memory is not None and model.newest is not None:
            write_atomic(memory, model.memory())
        if client.is_connected():
            last = client.publish(state, json.dumps(runner.status("offline")), qos=1, retain=True)
            last.wait_for_publish(5.0)
        client.disconnect()
        client.loop_stop()


def _recall(model: EdgeMicromodel, memory: Path | None) -> None:
    """Read the memory file; one that is damaged is told of and left behind."""
    if memory is None or not memory.is_file():
        return
    try:
        model.remember(memory.read_bytes())
    except ModelFileError as error:
        log.warning("%s; starting without memory", error)

"""The edge runner beside a real broker, and its judgement of what comes."""

from __future__ import annotations

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.edge import MOST_WAITING, EdgeRunner, read_bundle, run_edge, write_folder
from data.errors import InputError
from models.export.bundle import EdgeMicromodel, bundle_files
from models.forecasting import LearnedForecaster


def _made_city():
    if "synthetic_city" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "synthetic_city", Path(__file__).parents[1] / "models" / "synthetic_city.py"
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["synthetic_city"] = module
        spec.loader.exec_module(module)
    return sys.modules["synthetic_city"].panel(zones=2, days=10, step_s=3600, seed=4)


@pytest.fixture(scope="module")
def city():
    return _made_city()


@pytest.fixture(scope="module")
def fitted(city):
    return LearnedForecaster("ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=city.zone_ids, train_end=city.origin(8 * 24), steps=(1, 6)
    )


@pytest.fixture(scope="module")
def bundle(city, fitted):
    return bundle_files(fitted, "Z02", timezone=city.timezone, country=city.country)


def messages(city, first: int, last: int) -> list[bytes]:
    """One message an hour, with both zones, the zone's other quantities and the weather."""
    out = []
    for i in range(first, last):
        at = city.times[i].isoformat()
        rows = [
            {
                "zone_id": zone,
                "time": at,
                **{n: _null(grid[i, k]) for n, grid in city.values.items() if k or n[0] == "s"},
            }
            for k, zone in enumerate(city.zone_ids)
        ]
        rows.append({"time": at, **{name: _null(column[i]) for name, column in city.weather.items()}})
        out.append(json.dumps(rows).encode())
    return out


def _null(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def test_every_message_is_counted_and_garbage_stops_nothing(city, bundle):
    """Rubbish, a number, a list of numbers, no time, a time without offset, words for numbers: six garbage messages."""
    runner = EdgeRunner(EdgeMicromodel(bundle), clock=None, settle_s=0.0)
    at = city.times[200].isoformat()
    for bad in (
        b"\xff\xfe rubbish", b"7", b"[1, 2]", b'{"zone_id": "Z02", "speed_mps": 9}',
        b'{"zone_id": "Z02", "time": "2025-03-09 10:00", "speed_mps": 9}',
        json.dumps({"zone_id": "Z02", "time": at, "speed_mps": "fast"}).encode(),
    ):  # fmt: skip
        assert runner.take(bad)["garbage"] == 1
    assert runner.take(b"[" * 100_000)["garbage"] == 1
    assert runner.step(0.0) is None  # nothing was heard
    good = {"zone_id": "Z02", "time": at, "speed_mps": 9.0}
    assert runner.take(json.dumps(good).encode()) == {"taken": 1}
    assert runner.take(json.dumps(good).encode()) == {"repeated": 1}
    assert runner.take(json.dumps({**good, "zone_id": "Z77"}).encode()) == {"unknown": 1}
    assert runner.counts["messages"] == 10
    made = runner.step(0.0)
    assert made is not None and len(made["values"]) == 2
    assert runner.step(1.0) is None  # once an interval


def test_a_flood_is_held_to_the_last_messages(bundle):
    """Ten more than may wait: ten are dropped, and counted."""
    runner = EdgeRunner(EdgeMicromodel(bundle), clock=None)
    for _ in range(MOST_WAITING + 10):
        runner.put(b"{}")
    assert len(runner.waiting) == MOST_WAITING
    assert runner.counts["dropped"] == 10


def test_a_reading_of_the_future_is_refused_by_the_clock(city, bundle):
    """Now is 10:30: the hour from 10 has not ended, that from 9 has."""
    base = city.times[200].timestamp()
    runner = EdgeRunner(EdgeMicromodel(bundle), clock=lambda: base + 5400, settle_s=0.0)
    tell = lambda t: runner.take(json.dumps({"zone_id": "Z02", "time": t, "speed_mps": 9.0}).encode())  # noqa: E731
    assert tell(base) == {"taken": 1}
    assert tell(base + 3600) == {"early": 1}


def test_a_bundle_folder_appears_whole_and_only_once(bundle, tmp_path):
    """Written, read again; a second export to the same place is refused, and so is an empty folder."""
    write_folder(bundle, tmp_path / "b")
    assert read_bundle(tmp_path / "b").zone_id == "Z02"
    with pytest.raises(InputError, match="exists already"):
        write_folder(bundle, tmp_path / "b")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"bundle\.json"):
        read_bundle(tmp_path / "empty")


class Broker:
    """A mosquitto of our own, that can be stopped and started again on the same port."""

    def __init__(self, program: str, folder: Path) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = int(one.getsockname()[1])
        self._command = [program, "-c", str(folder / "mosquitto.conf")]
        (folder / "mosquitto.conf").write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stderr=subprocess.DEVNULL)
        for _ in range(100):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("mosquitto did not start")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def broker(tmp_path):
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed (extra mqtt)")
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("no mosquitto broker is installed (Debian: apt-get install mosquitto)")
    made = Broker(program, tmp_path)
    yield made
    made.stop()


class Listener:
    """Keeps what is published below a topic."""

    def __init__(self, port: int, topic: str) -> None:
        import paho.mqtt.client as mqtt

        self.heard: list[tuple[str, dict, bool]] = []
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        self.client.on_connect = lambda c, *rest: c.subscribe(topic, qos=1)
        self.client.on_message = lambda c, d, m: self.heard.append((m.topic, json.loads(m.payload), m.retain))
        self.client.reconnect_delay_set(1, 1)
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def until(self, enough, seconds: float = 30.0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for item in list(self.heard):
                if enough(*item):
                    return item
            time.sleep(0.05)
        raise AssertionError(f"not heard; heard {self.heard[-3:]}")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def send(port: int, payloads: list[bytes]) -> None:
    import paho.mqtt.publish as publish

    publish.multiple([("city/readings", p, 1, False) for p in payloads], hostname="127.0.0.1", port=port)


def test_readings_in_forecasts_out_over_a_real_broker_that_goes_away_and_comes_back(
    city, fitted, bundle, broker, tmp_path
):
    """A week out of order with rubbish: the model's forecast. The broker restarts: the next hour is forecast too."""
    runner = EdgeRunner(EdgeMicromodel(bundle), clock=None, settle_s=0.5)
    ear, halt = Listener(broker.port, "out/Z02/#"), threading.Event()
    memory = tmp_path / "memory.npz"
    work = threading.Thread(
        target=run_edge, args=(runner, "127.0.0.1", broker.port, ["city/#"], "out/Z02"),
        kwargs={"memory": memory, "every_s": 0.05, "stop": halt.is_set},
    )  # fmt: skip
    work.start()
    try:
        ear.until(lambda topic, value, retained: topic == "out/Z02/status" and value["state"] == "online")
        history = messages(city, 40, 220)
        order = np.random.default_rng(1).permutation(len(history) - 1)
        send(broker.port, [b"rubbish", *(history[k] for k in order), history[0], history[-1]])
        made = ear.until(
            lambda topic, value, retained: (
                topic.endswith("forecast") and value["origin"] == city.origin(219).isoformat()
            )
        )[1]
        want = fitted.one("Z02").forecast(city, origins=pd.DatetimeIndex([city.origin(219)]))[0, 0]
        np.testing.assert_allclose(made["values"], want, rtol=1e-5)
        assert runner.counts["garbage"] == 1
        assert runner.counts["repeated"] > 0
        broker.stop()
        broker.start()
        late = Listener(broker.port, "out/Z02/#")
        late.until(lambda topic, value, retained: topic.endswith("status") and value["state"] == "online")
        send(broker.port, messages(city, 220, 221))
        late.until(lambda topic, value, retained: value.get("origin") == city.origin(220).isoformat())
        late.close()
    finally:
        halt.set()
        work.join(15)
        ear.close()
    last = Listener(broker.port, "out/Z02/status")  # retained: who comes later still learns of it
    assert last.until(lambda topic, value, retained: retained)[1]["state"] == "offline"
    last.close()
    again = EdgeMicromodel(bundle)
    again.remember(memory.read_bytes())
    assert again.newest == runner.micromodel.newest


def test_a_runner_that_dies_leaves_its_last_will(city, bundle, broker, tmp_path):
    """Killed, not stopped: the broker says `offline` for it."""
    write_folder(bundle, tmp_path / "bundle")
    ear = Listener(broker.port, "out/Z02/#")
    command = [
        sys.executable, "-m", "app", "edge", "run", str(tmp_path / "bundle"), "--replay", "--publish", "out/Z02",
        "--mqtt", f"127.0.0.1:{broker.port}/city/#",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    try:
        ear.until(lambda topic, value, retained: value["state"] == "online")
    finally:
        process.kill()
        process.wait(10)
    ear.until(lambda topic, value, retained: value["state"] == "offline")
    ear.close()


def test_a_runner_that_would_hear_itself_is_refused(bundle):
    """Publishing below the topic that is followed."""
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed (extra mqtt)")
    runner = EdgeRunner(EdgeMicromodel(bundle), clock=None)
    with pytest.raises(InputError, match="publish elsewhere"):
        run_edge(runner, "127.0.0.1", 1, ["city/#"], "city/out")


def test_the_command_line_exports_what_is_in_force(city, fitted, tmp_path):
    """A workspace with one stored micromodel: a bundle, C sources for one horizon, and a macromodel that is refused."""
    from click.testing import CliRunner

    from app.cli import cli
    from data.store.workspace import Workspace
    from models.registry import Registry

    space = Workspace(tmp_path / "city")
    space.update(timezone=city.timezone)
    registry = Registry(space.models)
    registry.save("Z02", "speed_mps", fitted.one("Z02"))
    macro = LearnedForecaster("macro_ridge", seed=1).fit(
        city, target="speed_mps", zone_ids=city.zone_ids, train_end=city.origin(8 * 24), steps=(1, 6)
    )
    registry.save("_city", "speed_mps", macro)

    def call(*arguments: str):
        return CliRunner().invoke(cli, ["edge", "export", *arguments], catch_exceptions=True)

    at = str(space.root)
    done = call("Z02", "speed_mps", at, "--to", str(tmp_path / "bundle"), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["family"] == "ridge"
    assert read_bundle(tmp_path / "bundle").head["timezone"] == "Europe/Helsinki"
    done = call("Z02", "speed_mps", at, "--as", "c", "--steps", "6", "--to", str(tmp_path / "c"))
    assert done.exit_code == 0, done.output
    assert "#define ZW_HORIZONS 1 " in (tmp_path / "c" / "zw_model.h").read_text().replace("\n", " ")
    refused = call("_city", "speed_mps", at, "--to", str(tmp_path / "no"))
    assert refused.exit_code != 0
    assert "distil" in str(refused.exception)
    assert not (tmp_path / "no").exists()

"""From files of sensors to a workspace that trains, compares, shows pages and follows new readings."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from app.cli import cli
from app.measured import measured_job
from app.watching import Watch, follow_folder, follow_mqtt, only_one
from data.errors import InputError
from data.readers.watched_files import read_watched
from data.store.observations import Observations
from data.store.workspace import Workspace, open_workspace

STEP = "1h"


def made_up(days: int, start: str = "2025-03-03") -> pd.DataFrame:
    """Six detectors with a daily wave, hourly, local time of Berlin."""
    times = pd.date_range(start, periods=24 * days, freq=STEP, tz="Europe/Berlin")
    rng = np.random.default_rng(7)
    wave = 500 + 400 * np.sin(2 * np.pi * (times.hour.to_numpy() - 6) / 24)
    parts = [
        pd.DataFrame(
            {"sensor_id": f"d{k}", "time": times, "flow_veh_per_h": wave * (1 + k / 10) + rng.normal(0, 20, times.size)}
        )
        for k in range(6)
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A home folder with the workspace `six`: imported, trained, compared by the command line."""
    home = tmp_path_factory.mktemp("home")
    made_up(12).to_csv(home / "readings.csv", index=False)
    places = {
        "id": [f"d{k}" for k in range(6)],
        "lon": [13.3, 13.31, 13.4, 13.41, 13.5, 0.0],
        "lat": [52.5] * 5 + [0.0],
    }
    pd.DataFrame(places).to_csv(home / "places.csv", index=False)
    told = run(
        home, "import", "detectors", str(home / "readings.csv"), "--places", str(home / "places.csv"), "--workspace",
        str(home / "six"), "--timezone", "Europe/Berlin", "--zones", "clusters", "--zone-count", "3", "--json",
        "--families", "ridge,tree,macro_ridge",
    )  # fmt: skip
    value = json.loads(told)
    assert (value["sensors"], value["zones"], value["readings"]) == (6, 3, 6 * 24 * 12)
    assert any("null_island" in note for note in value["notes"])
    run(home, "compare", str(home / "six"), "--json", "--n-jobs", "1")
    return home


def run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_comparison_is_told_by_regime_too(trained):
    told = json.loads(run(trained, "compare", str(trained / "six"), "--json"))
    assert {"hourly", "regimes", "regime_pairs"} <= set(told)
    assert {"all", "morning_peak", "night", "ordinary", "heard"} <= {row["regime"] for row in told["regimes"]}
    assert {"p", "p_corrected", "words", "visible"} <= set(told["paired"][0])
    assert {"retrain_seconds", "memory_bytes", "fit_energy_j"} <= set(told["costs"][0])
    text = run(trained, "compare", str(trained / "six"))
    assert "by regime, 1 h ahead" in text and "morning peak" in text and "a proxy" in text


def test_seeds_are_told_beside_each_other_and_the_plain_comparison_is_another_run(trained):
    """One training more, by another seed, on the same test days."""
    name = str(trained / "six")
    told = json.loads(run(trained, "compare", name, "--seeds", "2", "--json", "--n-jobs", "1"))
    assert {row["seeds"] for row in told["seed_scores"]} == {2}
    assert {"between_sd", "half_width", "agree", "verdict"} <= set(told["seed_paired"][0])
    assert "between seeds" in told["seeds_verdict"]
    assert "between seeds" in run(trained, "compare", name)
    one = measured_job(Workspace(trained / "six"), {}, lambda *told: None)
    assert one.run_ids()["comparison"] != told["run"]
    Workspace(trained / "six").alter(
        lambda old: {**old, "runs": {**old["runs"], "comparison": one.run_ids()["comparison"]}}
    )


def test_an_imported_workspace_is_compared_on_days_that_no_model_has_seen(trained):
    """12 days: the last one is live, of the 11 before it 3 test; models of the live day end before it."""
    space = open_workspace(str(trained / "six"))
    told = space.describe()
    paired = space.runs.read(told["runs"]["comparison"], "paired")
    assert len(set(paired["zone_id"])) == 3
    job = measured_job(space, {}, lambda step, done, total, message: None)
    day, now = job.clock()
    assert day == pd.Timestamp("2025-03-14", tz="Europe/Berlin").tz_convert("UTC")
    assert job.panel().times[-1] < day < now
    forecasts = space.runs.read(told["runs"]["live"], "forecasts")
    assert forecasts["forecast_origin"].max() == now
    quality = space.runs.read(told["runs"]["simulation"], "quality")
    assert quality.set_index("sensor_id")["coordinates"]["d5"] == "null_island"


def test_every_page_of_a_measured_city_has_a_layout(trained):
    from app import shell
    from app.pages import map_forecast, micro_macro, models, scenarios
    from app.queries import Queries

    queries = Queries(open_workspace(str(trained / "six")))
    for page in (map_forecast, micro_macro, models):
        assert page.layout(queries) is not None
    assert "holds measurements" in str(shell.content(queries, [scenarios], "/scenarios", ""))
    geometry = json.loads(queries.geometry(queries.info().runs["city"]))
    assert geometry["links"] == []
    assert len(geometry["sensors"]) == 5


def test_options_of_a_simulation_are_refused(trained):
    result = CliRunner().invoke(cli, ["train", str(trained / "six"), "--city", "toy"])
    assert isinstance(result.exception, InputError)
    assert "--city" in str(result.exception)


def test_the_families_named_at_the_import_compete_and_others_would_be_another_training(trained):
    """`none` goes back to an effort; the observations stay as they are."""
    space = open_workspace(str(trained / "six"))
    choices = space.runs.read(space.describe()["runs"]["training"], "choices")
    assert set(choices["family"]) <= {"ridge", "tree", "historical_average"}
    costs = space.runs.read(space.describe()["runs"]["comparison"], "costs")
    assert "macro_ridge" in set(costs["model"]) and "macro_xgboost" not in set(costs["model"])

    def ids(**options) -> dict[str, str]:
        return measured_job(space, options, lambda *told: None).run_ids()

    quick, standard = ids(families="none"), ids(families="none", effort="standard")
    assert len({ids()["training"], quick["training"], standard["training"]}) == 3
    assert ids()["simulation"] == quick["simulation"] == standard["simulation"]
    with pytest.raises(InputError, match=r"'oak'.*do not exist"):
        ids(families="oak")


def test_nothing_is_written_where_the_input_is_at_fault(tmp_path):
    bad = tmp_path / "bad.csv"
    bad.write_text("sensor_id,time,flow_veh_per_h\na,2025-01-01,1\n")
    result = CliRunner().invoke(
        cli, ["import", "detectors", str(bad), "--workspace", str(tmp_path / "w"), "--timezone", "UTC"]
    )
    assert "no sensor has a place" in str(result.exception)
    assert not (tmp_path / "w").exists()


@pytest.fixture
def followed(trained, tmp_path) -> Workspace:
    """A copy of the workspace, to be followed."""
    shutil.copytree(trained / "six", tmp_path / "six")
    return Workspace(tmp_path / "six")


def watcher(space: Workspace) -> Watch:
    return Watch(space, lambda path: read_watched(path, timezone="Europe/Berlin"))


def put(folder: Path, name: str, text: str) -> None:
    """A file that settled a minute ago."""
    import os

    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    os.utime(folder / name, (time.time() - 60, time.time() - 60))


def test_new_files_append_and_refresh_and_bad_ones_are_set_aside(followed, tmp_path):
    """Ten more hours: now is 10:00 of the next day, forecasts start there, and no model was trained."""
    before = followed.describe()
    put(tmp_path / "in", "new.csv", made_up(1, "2025-03-15").groupby("sensor_id").head(10).to_csv(index=False))
    put(tmp_path / "in", "bad.csv", "sensor_id,time,flow_veh_per_h\nd1,never,1\n")
    put(tmp_path / "in", "strange.csv", "sensor_id,time,flow_veh_per_h\nnobody,2025-03-15 00:00,1\n")
    watch = watcher(followed)
    follow_folder(watch, tmp_path / "in", once=True)
    told = followed.describe()
    assert pd.Timestamp(told["now"]) == pd.Timestamp("2025-03-15 10:00", tz="Europe/Berlin")
    assert told["runs"]["training"] == before["runs"]["training"]
    forecasts = followed.runs.read(told["runs"]["live"], "forecasts")
    assert forecasts["forecast_origin"].max() == pd.Timestamp(told["now"])
    assert (watch.appended, watch.rejected, watch.refreshed) == (1, 2, 1)
    assert sorted(p.name for p in (tmp_path / "in" / "rejected").glob("*.txt")) == [
        "bad.csv.reason.txt", "strange.csv.reason.txt",
    ]  # fmt: skip
    assert "time cannot be read" in (tmp_path / "in" / "rejected" / "bad.csv.reason.txt").read_text()


def test_a_watch_that_was_killed_after_storing_goes_on(followed, tmp_path, monkeypatch):
    """Killed between storing and moving: the file comes again, changes nothing, and the forecasts are made."""
    put(tmp_path / "in", "new.csv", made_up(1, "2025-03-15").groupby("sensor_id").head(9).to_csv(index=False))
    monkeypatch.setattr("app.watching._move", lambda path, folder: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        follow_folder(watcher(followed), tmp_path / "in", once=True)
    monkeypatch.undo()
    batches = len(Observations(followed.observations).batches())
    watch = watcher(followed)
    follow_folder(watch, tmp_path / "in", once=True)
    assert len(Observations(followed.observations).batches()) == batches == 2
    assert watch.refreshed == 1
    assert not list((tmp_path / "in").glob("*.csv"))


def test_two_watches_of_one_workspace_are_refused(followed, tmp_path):
    with only_one(followed), pytest.raises(InputError, match="watched already"):
        follow_folder(watcher(followed), tmp_path, once=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def broker(tmp_path):
    """A mosquitto broker of our own."""
    pytest.importorskip("paho.mqtt.client", reason="paho-mqtt is not installed (extra mqtt)")
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("no mosquitto broker is installed (Debian: apt-get install mosquitto)")
    port = free_port()
    (tmp_path / "mosquitto.conf").write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    process = subprocess.Popen([program, "-c", str(tmp_path / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.05)
    yield port
    process.terminate()
    process.wait(10)


def test_messages_of_a_broker_append_and_refresh_and_those_that_came_meanwhile_are_kept(followed, broker):
    """Hours 0 to 7 while it watches, hour 8 while it does not, and a broken one: nine hours are there in the end."""
    import paho.mqtt.publish as publish

    def send(hours: range) -> None:
        rows = made_up(1, "2025-03-15")
        for hour in hours:
            at = pd.Timestamp("2025-03-15", tz="Europe/Berlin") + pd.Timedelta(hours=hour)
            part = rows[rows["time"] == at].assign(time=at.isoformat())
            publish.single("city/loops", part.to_json(orient="records"), qos=1, hostname="127.0.0.1", port=broker)

    def follow(enough) -> Watch:
        watch, end = watcher(followed), time.monotonic() + 60
        follow_mqtt(
            watch, "127.0.0.1", broker, "city/#", timezone="Europe/Berlin", every_s=0.3,
            stop=lambda: time.monotonic() > end or enough(watch),
        )  # fmt: skip
        return watch

    def soon() -> None:
        time.sleep(1.0)
        send(range(8))
        publish.single("city/loops", "rubbish", qos=1, hostname="127.0.0.1", port=broker)

    sender = threading.Thread(target=soon)
    sender.start()
    first = follow(lambda w: w.rejected >= 1 and len(Observations(followed.observations).read()) >= 6 * (24 * 12 + 8))
    sender.join()
    assert first.rejected == 1
    send(range(8, 9))  # nobody watches: the broker keeps it
    follow(lambda w: w.refreshed >= 1)
    assert pd.Timestamp(followed.describe()["now"]) == pd.Timestamp("2025-03-15 09:00", tz="Europe/Berlin")
    assert len(Observations(followed.observations).read()) == 6 * (24 * 12 + 9)
    assert "no JSON" in next((followed.root / "observations" / "rejected").glob("*.json")).read_text()

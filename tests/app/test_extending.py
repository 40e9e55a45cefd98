"""The worked example of docs/extending.md, installed as a package of its own: each of its four things is used."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.contract import Forecaster
from models.errors import ModelFileError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "zonewise-example"

_SCENARIO = "name: nights\nmeasures:\n  - {measure: quiet_night, street: Z, kmh: 20}\n"
_USE = """
import json
from app.job_spec import JobSpec, step_specs
from app.zoning import zones_of_job
from data.cities import load_city
from simulation.scenarios import from_form, scenario_from_yaml, to_form

source = load_city("toy")
job = JobSpec(city="toy", zones="strips", zone_count=3)
zones, _ = zones_of_job(job, source)
street = source.links["name"].iloc[0]
scenario = scenario_from_yaml(TEXT.replace("Z", street))
assert from_form(to_form(scenario)) == scenario
print(json.dumps({
    "names": list(zones["name"]), "metres": [float(m) for m in zones.filter(like="street_m").sum(axis=1)],
    "spec": step_specs(job, dict.fromkeys(("city", "simulation", "models"), ""))["city"]["partition"],
    "words": [m.in_words() for m in scenario.measures], "form": to_form(scenario)["measures"], "street": street,
}))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Environment in which Python finds Zonewise, and the example where pip has put it."""
    pytest.importorskip("pip")
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("setuptools 77 or newer builds the example; install the extra dev")
    place = tmp_path_factory.mktemp("example")
    shutil.copytree(EXAMPLE, place / "source")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run([*command, "--target", place / "there", place / "source"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    path = os.pathsep.join([str(ROOT), str(place / "there")])
    return {**os.environ, "PYTHONPATH": path, "ZONEWISE_HOME": str(place / "home")}


def run(installed, *command):
    done = subprocess.run([sys.executable, *map(str, command)], env=installed, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_all_four_are_found_and_work(installed):
    """`zonewise plugins` loads each."""
    rows = json.loads(run(installed, "-m", "app", "plugins", "--json"))
    assert {(row["kind"], row["name"]) for row in rows} == {
        ("family", "analogues"), ("measure", "quiet_night"), ("partition", "strips"), ("reader", "roadside_log"),
    }  # fmt: skip
    assert {(row["package"], row["version"], row["state"]) for row in rows} == {("zonewise-example", "0.1.0", "works")}


def test_a_city_is_cut_into_its_strips_and_a_file_names_its_measure(installed):
    """Three strips, west first; the measure has its own default hours and is written as it was read."""
    told = json.loads(run(installed, "-c", f"TEXT = {_SCENARIO!r}\n{_USE}"))
    assert sorted(told["names"]) == ["Strip 1", "Strip 2", "Strip 3"]
    assert (told["spec"]["package"], told["spec"]["version"]) == ("zonewise-example", "0.1.0")
    assert told["words"] == [f"Quiet night on {told['street']}, 20 km/h, 22:00-06:00"]
    form = {"measure": "quiet_night", "street": [told["street"]], "kmh": 20.0, "start": "22:00", "end": "06:00"}
    assert told["form"] == [form]
    listed = json.loads(run(installed, "-m", "app", "scenario", "measures", "--json"))
    assert {"measure": "quiet_night", "keys": "kmh", "from": "zonewise-example 0.1.0"}.items() <= listed[-1].items()


def logs(folder: Path) -> list[Path]:
    """Three counters for ten days of January, as the example's reader has them."""
    times = pd.date_range("2026-01-12", periods=10 * 96, freq="15min")
    hour = times.hour.to_numpy() + times.minute.to_numpy() / 60
    rng = np.random.default_rng(3)
    paths = []
    for k in range(3):
        mood = np.convolve(rng.normal(0, 1.5, hour.size + 39), np.ones(40), mode="valid")  # lasts for ten hours
        count = rng.poisson(np.clip(40 + 15 * np.sin(2 * np.pi * (hour - 9) / 24) + 5 * k + mood, 1, None))
        kmh = 50 - 0.3 * count + rng.normal(0, 1, count.size)
        rows = [f"{t:%d.%m.%Y %H:%M};{n};{v:.1f}" for t, n, v in zip(times, count, kmh)]
        paths.append(folder / f"K{k}.log")
        paths[-1].write_text("\n".join([f"# counter;K{k};{15.60 + 0.02 * k};48.41", *rows]) + "\n")
    return paths


def test_its_reader_fills_a_workspace_and_its_family_is_trained_and_kept(installed, tmp_path):
    """Card and manifest name package and version; without the package the model says what is missing."""
    options = ["--format", "roadside_log", "--families", "analogues,macro_ridge", "--step", "3600", "--json"]
    told = run(installed, "-m", "app", "import", "detectors", *logs(tmp_path), "--workspace", tmp_path / "w", *options)
    assert json.loads(told)["readings"] == 3 * 960
    run(installed, "-m", "app", "train", tmp_path / "w", "--n-jobs", "2")
    card = json.loads(run(installed, "-m", "app", "models", "show", "Z01", "speed_mps", tmp_path / "w", "--json"))
    assert card["plugin"]["package"] == "zonewise-example" and card["family"] == "analogues"
    training = next((tmp_path / "w" / "runs").glob("training-*"))
    manifest = json.loads((training / "manifest.json").read_text())
    assert manifest["versions"]["zonewise-example"] == "0.1.0"
    assert manifest["spec"]["plugins"]["analogues"]["version"] == "0.1.0"
    folder = tmp_path / "w" / "models" / "Z01" / "speed_mps" / card["version"]
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name in card["files"]}
    with pytest.raises(ModelFileError, match=r"'analogues' needs package zonewise-example 0\.1\.0"):
        Forecaster.load(files)

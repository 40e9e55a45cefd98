"""What a step will take, what there is, and a clear end."""

from __future__ import annotations

import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from app import memory
from app.memory import MODELS, MemoryLimitError, Size, available, bounded, check, predicted, size_of
from data.errors import InputError

GIB = 1 << 30


def test_a_prediction_is_the_sum_of_its_terms():
    """Simulation: base + bytes x links + bytes x zones x steps."""
    base, links, cells = (bytes_ for _, _, bytes_ in MODELS["simulation"])
    size = Size(links=4000, zones=10, steps=960)
    assert predicted("simulation", size) == round(base + links * 4000 + cells * 10 * 960)
    for step in MODELS:
        small, large = (
            predicted(step, Size(links=k * 1000, zones=k * 10, steps=k * 96, readings=k * 10**5)) for k in (1, 40)
        )
        assert 50 << 20 < small < large


def test_what_does_not_fit_is_refused_with_the_cure():
    with pytest.raises(MemoryLimitError, match=r"'training' of 50,000 zones, 35,040 steps .*GiB.*--zone-count.*MEMORY"):
        check("training", Size(zones=50_000, steps=35_040), free=8 * GIB)
    check("training", Size(zones=10, steps=960), free=8 * GIB)
    check("a step without a model", Size(zones=10**9, steps=10**9), free=1)


def test_simulations_at_once_each_take_the_whole():
    """Four of 341 MB and more do not fit into 1 GiB, one does; the cure is fewer at once."""
    size = Size(links=100, zones=4, steps=96)
    check("study", size, free=GIB)
    with pytest.raises(MemoryLimitError, match=r"'study' of 100 links, 4 zones, 96 steps, 4 at once,.*--n-jobs 1"):
        check("study", size, copies=4, free=GIB)


@pytest.mark.parametrize("command", ["simulate", "train", "compare", "live", "study", "city"])
def test_every_step_of_a_job_is_refused_before_it_begins_where_there_is_no_room(
    workspace, tmp_path, monkeypatch, command
):
    """With 100 MB free nothing fits: the command ends with status 2 and the step's name, and stores nothing."""
    from app.job_spec import JobSpec
    from app.pipeline import Job
    from app.studies import make_study
    from data.store.workspace import Workspace

    space = Workspace(tmp_path / "town")
    shutil.copytree(workspace.root, space.root)
    job = Job(space, JobSpec(city="toy", days=8, test_days=2, zone_count=3))
    monkeypatch.setattr(Job, "city", lambda self: SimpleNamespace(links=range(100), zones=range(4), timezone="UTC"))
    monkeypatch.setenv("ZONEWISE_MEMORY", "100M")
    before = [run["id"] for run in space.runs.list()]
    step = {"simulate": "simulation", "train": "training", "compare": "comparison", "live": "simulation"}.get(
        command, command
    )
    with pytest.raises(MemoryLimitError, match=f"the step '{step}' of .*would take about"):
        if command == "study":
            make_study(space, scenario(), seeds=1)
        elif command == "city":
            job._make_city()
        else:
            job._check_memory("live" if command == "live" else step)
    assert [run["id"] for run in space.runs.list()] == before


def scenario():
    from simulation.scenarios import from_form

    return from_form({"name": "x", "measures": [{"measure": "close_street", "links": [3]}]})


def test_the_variable_says_how_much_there_is(monkeypatch):
    monkeypatch.setenv("ZONEWISE_MEMORY", "1.5G")
    assert available() == 1.5 * GIB
    assert size_of("800 MiB") == 800 << 20 and size_of("1024") == 1024
    monkeypatch.setenv("ZONEWISE_MEMORY", "much")
    with pytest.raises(InputError, match="ZONEWISE_MEMORY='much' is no size"):
        available()


def test_a_control_groups_limit_counts(tmp_path, monkeypatch):
    """Of 3 GiB 2 are used, of which half a GiB are files that it can drop: 1.5 are free. "max" is no limit."""
    (tmp_path / "memory.max").write_text(f"{3 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{2 * GIB}\n")
    (tmp_path / "memory.stat").write_text(f"anon 1\ninactive_file {GIB // 2}\n")
    assert memory._cgroup(tmp_path) == 1.5 * GIB
    (tmp_path / "memory.max").write_text("max\n")
    assert memory._cgroup(tmp_path) is None
    assert memory._cgroup(tmp_path / "none") is None


def test_a_step_that_takes_too_much_ends_with_a_clear_error():
    """In a process of its own: 64 MiB may be taken, 512 are asked for; afterwards they are given again."""
    code = (
        "import numpy as np\n"
        "from app.memory import MemoryLimitError, bounded\n"
        "try:\n"
        "    with bounded('training', free=64 << 20):\n"
        "        np.ones(512 << 17)\n"
        "except MemoryLimitError as error:\n"
        "    print(error)\n"
        "print(np.ones(512 << 17).nbytes)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, after = done.stdout.strip().splitlines()
    assert "training ran out of memory" in said and "is kept" in said and int(after) == 512 << 20


def test_other_errors_pass_through():
    with pytest.raises(KeyError), bounded("training"):
        raise KeyError("x")
    assert np.ones(10).sum() == 10

"""A job that is stopped in its training goes on after the candidates that were finished, and leaves nothing behind."""

from __future__ import annotations

import pytest

from app.benchmarks.trust import _small as small
from app.benchmarks.trust.kills import results
from app.care.pruning import spare
from app.job_spec import JobSpec
from app.pipeline import Job
from data.store.workspace import Workspace
from models import fitting, training


class Stop(BaseException):
    """As a kill, but in this process."""


@pytest.mark.parametrize("moment", [3, 7])
def test_a_training_that_is_stopped_fits_only_what_is_missing(tmp_path, monkeypatch, moment):
    """Four targets are fitted, then refitted: stopped at the 3rd or 7th of these, the rest alone is done later."""
    space = Workspace(tmp_path / "town")
    assert small.command(["simulate", str(space.root), *small.TOWN, "--seed", "1"]) == 0
    spec = JobSpec.known(space.describe()["job"])
    calls = [0]

    def counted(before):
        def count(*given):
            calls[0] += 1
            if calls[0] == moment:
                raise Stop
            return before(*given)

        return count

    for module, name in ((fitting, "_fit_group"), (training, "_refit_one")):
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    with pytest.raises(Stop):
        Job(space, spec, n_jobs=1).run("training")
    assert [path.is_dir() for path in (space.root / "trainings").iterdir()] == [True]
    assert not [one for one in spare(space, code="x") if one.kind == "candidates"]  # it is needed yet
    calls[0] = 100
    Job(space, spec, n_jobs=1).run("training")
    first = calls[0] - 100
    assert list((space.root / "trainings").iterdir()) == []
    stopped = results(space)

    other = Workspace(tmp_path / "other")  # the same, undisturbed, below another name but with the same files
    assert small.command(["simulate", str(other.root), *small.TOWN, "--seed", "1"]) == 0
    calls[0] = 100
    Job(other, spec, n_jobs=1).run("training")
    assert first == calls[0] - 100 - (moment - 1)
    there = results(other)
    assert {name for name in stopped.keys() | there.keys() if stopped.get(name) != there.get(name)} == set()


def test_what_a_kill_left_of_a_finished_training_can_go(tmp_path):
    space = Workspace(tmp_path)
    with space.runs.write("training", {"a": 1}) as run:
        run.json("told", 1)
    name = space.runs.list()[0]["id"]
    for one in (name, "training-000000000000"):
        (space.root / "trainings" / one).mkdir(parents=True)
        (space.root / "trainings" / one / "x.zip").write_bytes(b"12345")
    found = [one for one in spare(space, code="x") if one.kind == "candidates"]
    assert [(one.name, one.bytes) for one in found] == [(f"trainings/{name}", 5)]

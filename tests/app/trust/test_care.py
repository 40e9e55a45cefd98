"""Doctor, back-up, restore and pruning: damage is found and told with its cure, and nothing finished is lost."""

import io
import json
import multiprocessing
import os
import sqlite3
import tarfile
import time

import numpy as np
import pandas as pd
import pytest

from app.care.backup import CONTENTS, HEAD, back_up, verify
from app.care.doctor import examine
from app.care.pruning import remove, spare
from app.care.restore import check_name, restore
from app.cli import main
from app.jobs import Jobs
from data.errors import FileFormatError, InputError, StoreError
from data.store.observations import Observations
from data.store.runs import run_id
from data.store.workspace import Workspace


def make(space, spec, *, kind="city", parents=()):
    with space.runs.write(kind, spec, parents=parents) as run:
        run.table("extra", pd.DataFrame({"x": np.arange(50.0)}))
        run.bytes("models/Z01/card.json", b"{}")
    return run_id(kind, spec)


def observed(k):
    times = pd.date_range("2026-01-01", periods=3, freq="1h", tz="UTC")
    return pd.DataFrame({"sensor_id": f"s{k}", "time": times.as_unit("us"), "speed_mps": float(k)})


@pytest.fixture
def space(tmp_path):
    """A workspace with a city, a simulation, a study, readings, a job, an alarm and a replication."""
    space = Workspace(tmp_path / "home" / "w")
    city = make(space, {"a": 1})
    life = make(space, {"b": 1}, kind="simulation", parents=(city,))
    make(space, {"c": 1}, kind="study", parents=(city,))
    space.update(city="toy")
    space.update(runs={"city": city, "simulation": life})
    Observations(space.observations).append(observed(1))
    Jobs(space.jobs_path).add("scenario", {"x": 1})
    (space.root / "alarms" / "entries").mkdir(parents=True)
    (space.root / "alarms" / "entries" / "000001-a.json").write_text('[{"what": "raised", "alarm": {}}]')
    (space.root / "studies" / "code").mkdir(parents=True)
    (space.root / "studies" / "code" / "r.npz").write_bytes(b"x" * 100)
    return space


def wrong(found):
    return [one for one in found if one.wrong]


def everything(root):
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*")
            if p.is_file() and not p.name.startswith((".", "jobs.sqlite"))}  # fmt: skip


def test_a_sound_workspace_is_in_order(space):
    assert examine(space) == []


def damage_run(space):
    path = space.runs.root / space.describe()["runs"]["simulation"] / "extra.parquet"
    path.write_bytes(path.read_bytes()[:-5] + b"?????")


def damage_manifest(space):
    (space.runs.root / space.describe()["runs"]["city"] / "manifest.json").write_text("{")


def damage_description(space):
    (space.root / "workspace.json").write_bytes(b"\x00\x01")


def lose_description(space):
    (space.root / "workspace.json").unlink()


def damage_note(space):
    (space.observations.root / space.observations.list("batches/")[0]).write_text("[")


def lose_part(space):
    part = next(key for key in space.observations.list() if not key.startswith("batches"))
    space.observations.delete(part)


def damage_part(space):
    part = next(key for key in space.observations.list() if not key.startswith("batches"))
    space.observations.put(part, b"PAR1 and so on")


def damage_alarms(space):
    (space.root / "alarms" / "entries" / "000001-a.json").write_text('{"a"')


def damage_jobs(space):
    with sqlite3.connect(space.jobs_path) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    space.jobs_path.write_bytes(b"?" * 3000)


def name_a_lost_run(space):
    space.update(runs={**space.describe()["runs"], "training": "training-000000000000"})


@pytest.mark.parametrize(
    "harm", [damage_run, damage_manifest, damage_description, lose_description, damage_note, lose_part, damage_part,
             damage_alarms, damage_jobs, name_a_lost_run],
)  # fmt: skip
def test_damage_is_found_named_with_its_cure_and_mended_without_loss(space, harm):
    """What the doctor moves aside can still be found below quarantine, byte for byte; a second look finds no fault."""
    harm(space)
    before = everything(space.root)
    found = wrong(examine(space))
    assert found and all("zonewise" in one.cure for one in found)
    assert everything(space.root) == before  # a look changes nothing
    mended = examine(space, repair=True)
    assert not wrong(mended) and any(one.done for one in mended)
    assert not wrong(examine(space))
    kept = {name.split("/", 2)[-1] if name.startswith("quarantine/") else name: value
            for name, value in everything(space.root).items()}  # fmt: skip
    changed = {"workspace.json", "workspace.previous.json"}
    assert all(kept.get(name) == value for name, value in before.items() if name not in changed)


def test_leftovers_of_killed_writers_are_moved_aside_once_they_are_old(space):
    paths = [space.root / ".aside-1", space.root / "models" / ".aside-2", space.runs.root / ".aside-city-1-1"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.mkdir() if "runs" in path.parts else path.write_bytes(b"half")
    assert examine(space) == []
    for path in paths:
        os.utime(path, (time.time() - 9999,) * 2)
    assert len([one for one in examine(space) if "killed" in one.what]) == 3
    examine(space, repair=True)
    assert not any(path.exists() for path in paths)


def test_lost_parents_wrong_clocks_and_a_full_quota_are_warnings(space, monkeypatch):
    import shutil

    city = space.describe()["runs"]["city"]
    shutil.rmtree(space.runs.root / city)
    path = space.runs.root / space.describe()["runs"]["simulation"] / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "created": "2099-01-01T00:00:00+00:00"}))
    monkeypatch.setenv("ZONEWISE_QUOTA", "1 kB")
    words = " ".join(one.what for one in examine(space))
    assert "which is not there" in words and "later than now" in words and "quota of 1 kB" in words


def test_older_formats_are_migrated_where_asked(space):
    run = space.describe()["runs"]["city"]
    path = space.runs.root / run / "manifest.json"
    told = {k: v for k, v in json.loads(path.read_text()).items() if k != "files"} | {"format_version": 1}
    path.write_text(json.dumps(told))
    (note,) = examine(space)
    assert note.level == "note" and "--migrate" in note.cure
    assert examine(space, migrate=True)[0].done == "1 run(s) are of format 2 now"
    assert examine(space) == []


def test_the_command_tells_and_its_status_says_whether_something_is_wrong(space, capsys):
    root = str(space.root)
    main(["doctor", root])
    assert "is in order" in capsys.readouterr().out
    damage_run(space)
    with pytest.raises(SystemExit) as end:
        main(["doctor", root, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert end.value.code == 1 and told["wrong"] == 1 and "extra.parquet" in told["findings"][0]["what"]
    main(["doctor", root, "--repair"])
    assert "done: moved to quarantine" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["doctor", root + "-not-there"])
    assert end.value.code == 2


def test_a_backup_comes_back_byte_for_byte(space, tmp_path):
    told = back_up(space, tmp_path / "b.tar")
    assert verify(tmp_path / "b.tar") == [] and told["runs"] == 3
    other = Workspace(tmp_path / "other" / "w")
    restore(tmp_path / "b.tar", other)
    assert everything(other.root) == everything(space.root)
    assert [job.kind for job in Jobs(other.jobs_path).list()] == ["scenario"]
    assert examine(other) == []
    with pytest.raises(InputError, match="is there already"):
        restore(tmp_path / "b.tar", other)
    with pytest.raises(InputError, match="is there already"):
        back_up(space, tmp_path / "b.tar")
    with pytest.raises(InputError, match="in the workspace itself"):
        back_up(space, space.root / "b.tar")


def test_every_flipped_byte_of_a_backup_is_found_and_nothing_is_restored(space, tmp_path):
    """Fifty places, spread over the file; padding between members carries nothing, so a flip there may pass."""
    back_up(space, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    refused = 0
    for k, at in enumerate(np.linspace(600, len(whole) - 1, 50).astype(int)):
        data = bytearray(whole)
        data[at] ^= 0x20
        (tmp_path / "bad.tar").write_bytes(data)
        other = Workspace(tmp_path / f"o{k}")
        try:
            restore(tmp_path / "bad.tar", other)
        except (FileFormatError, StoreError):
            refused += 1
            assert not other.root.exists()
        else:
            assert everything(other.root) == everything(space.root)
    assert refused > 20
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".aside")] == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.7])
def test_a_backup_that_was_cut_short_is_refused(space, tmp_path, share):
    back_up(space, tmp_path / "b.tar")
    whole = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(FileFormatError):
        restore(tmp_path / "cut.tar", Workspace(tmp_path / "o"))
    assert not (tmp_path / "o").exists()


def hostile(path, *members, contents=None):
    with tarfile.open(path, "w") as tar:
        for name, value, kind in ((HEAD, b'{"format_version": 1}', tarfile.REGTYPE), *members):
            one = tarfile.TarInfo(name)
            one.type, one.size = kind, len(value) if kind == tarfile.REGTYPE else 0
            one.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            tar.addfile(one, io.BytesIO(value))
        value = json.dumps(contents or {}).encode()
        one = tarfile.TarInfo(CONTENTS)
        one.size = len(value)
        tar.addfile(one, io.BytesIO(value))


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "/etc/cron.d/x",
        "runs/../../out",
        "runs\\..\\out",
        ".bashrc",
        "runs/.hidden",
        "etc/x",
        "runs//x",
        "a\nb",
    ],
)
def test_a_hostile_path_in_a_backup_is_refused(tmp_path, name):
    with pytest.raises(FileFormatError, match="no path of a workspace"):
        check_name(name)
    hostile(tmp_path / "h.tar", (name, b"x", tarfile.REGTYPE))
    with pytest.raises(FileFormatError):
        restore(tmp_path / "h.tar", Workspace(tmp_path / "in" / "w"))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["h.tar", "in"] and not any((tmp_path / "in").iterdir())


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_in_a_backup_are_refused(tmp_path, kind):
    hostile(tmp_path / "h.tar", ("runs/x", b"", kind))
    with pytest.raises(FileFormatError, match="no plain file"):
        restore(tmp_path / "h.tar", Workspace(tmp_path / "w"))
    assert not (tmp_path / "w").exists()


def test_what_is_not_in_the_contents_and_what_is_no_backup_is_refused(tmp_path):
    hostile(tmp_path / "h.tar", ("workspace.json", b"{}", tarfile.REGTYPE))
    with pytest.raises(FileFormatError, match="differ from its contents"):
        restore(tmp_path / "h.tar", Workspace(tmp_path / "w"))
    (tmp_path / "n.tar").write_bytes(b"nothing" * 1000)
    with pytest.raises(FileFormatError, match="no back-up"):
        restore(tmp_path / "n.tar", Workspace(tmp_path / "w"))
    with tarfile.open(tmp_path / "newer.tar", "w") as tar:
        value = b'{"format_version": 99}'
        one = tarfile.TarInfo(HEAD)
        one.size = len(value)
        tar.addfile(one, io.BytesIO(value))
    with pytest.raises(StoreError, match="newer Zonewise"):
        restore(tmp_path / "newer.tar", Workspace(tmp_path / "w"))
    assert not (tmp_path / "w").exists()


def _keep_writing(root, until):
    space, k = Workspace(root), 0
    jobs = Jobs(space.jobs_path)
    while not until.is_set():
        k += 1
        run = make(space, {"n": k})
        space.alter(lambda told, run=run: {**told, "runs": {**told["runs"], "city": run}})
        Observations(space.observations).append(observed(k + 10))
        job = jobs.add("preview", {"k": k})
        jobs.begin(job, os.getpid())
        jobs.end(job, "done")


def test_a_backup_is_consistent_while_somebody_writes(space, tmp_path):
    """Three back-ups while runs, readings and jobs come: each restored one is in order, and names no lost run."""
    context = multiprocessing.get_context("fork")
    stop = context.Event()
    writer = context.Process(target=_keep_writing, args=(space.root, stop))
    writer.start()
    try:
        for k in range(3):
            back_up(space, tmp_path / f"b{k}.tar")
    finally:
        stop.set()
        writer.join(60)
    assert writer.exitcode == 0
    for k in range(3):
        other = Workspace(tmp_path / f"o{k}")
        restore(tmp_path / f"b{k}.tar", other)
        assert [one for one in examine(other) if one.level != "note"] == []


def test_pruning_keeps_what_anything_in_use_is_made_from(space):
    old = make(space, {"old": 1}, kind="training")
    grand = make(space, {"grand": 1})
    make(space, {"plan": 1}, kind="plans", parents=(grand,))
    (space.root / "studies" / "older").mkdir()
    (space.root / "studies" / "older" / "r.npz").write_bytes(b"x" * 50)
    found = spare(space, code="code")
    assert [(one.name, one.kind) for one in found] == [(f"runs/{old}", "run"), ("studies/older", "replications")]
    with space.at_work(), pytest.raises(StoreError, match="being computed"):
        remove(space, found)
    assert remove(space, found) == sum(one.bytes for one in found) > 50
    assert spare(space, code="code") == [] and examine(space) == []
    os.utime(space.root / "studies" / "code" / "r.npz", (time.time() - 10 * 86_400,) * 2)
    assert [one.name for one in spare(space, code="code", parts_days=5)] == ["studies/code"]


def test_jobs_are_listed_shown_stopped_and_forgotten(space, capsys, monkeypatch):
    monkeypatch.setattr("app.jobs.launch", lambda root, job: 0)
    root = str(space.root)
    main(["jobs", "list", root, "--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["state"]) == ("scenario", "queued") and row["by"]
    main(["jobs", "show", row["id"], "--workspace", root])
    assert "replications that were finished are not run again" in capsys.readouterr().out
    main(["jobs", "cancel", row["id"], "--workspace", root])
    main(["jobs", "resume", row["id"], "--workspace", root])
    assert "goes on" in capsys.readouterr().out
    main(["jobs", "cancel", row["id"], "--workspace", root])
    main(["jobs", "clean", root, "--older-than", "0"])
    assert "1 job(s) forgotten" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["jobs", "show", "../etc", "--workspace", root])

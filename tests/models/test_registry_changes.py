"""Changes of what is in force: repeatable roll backs, pins, the log, pruning, damage, two writers, kills anywhere."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from data.store.folder import FolderStore
from data.store.protocol import MemoryStore
from models import registry_index, registry_log
from models.baselines import HistoricalAverage
from models.errors import ModelFileError, RegistryError, SettingsError
from models.registry import Registry

KEY = ("Z01", "speed_mps")


@pytest.fixture(scope="module")
def model(city):
    return HistoricalAverage(seed=1).fit(city, target="speed_mps", zone_ids=("Z01",), train_end=city.times[900])


@pytest.fixture(params=["memory", "folder"])
def registry(request, tmp_path):
    return Registry(MemoryStore() if request.param == "memory" else FolderStore(tmp_path / "models"), by="Ada")


def test_rolling_back_twice_goes_back_two_versions(registry, model):
    """In force 1, 2, 3: back to 2, back to 1, and no further; then 3 again, whose predecessor is 1."""
    for _ in range(3):
        registry.save(*KEY, model)
    assert [registry.rollback(*KEY), registry.rollback(*KEY)] == ["0002", "0001"]
    with pytest.raises(RegistryError, match=r"nothing to roll back to.*0003"):
        registry.rollback(*KEY)
    registry.promote(*KEY, "0003")
    assert registry.rollback(*KEY) == "0001"


def test_a_roll_back_passes_over_a_damaged_version(registry, model):
    """In force 1, 2, 3 and a file of 2 is cut: back to 1, and the log says why."""
    for _ in range(3):
        registry.save(*KEY, model)
    path = "Z01/speed_mps/0002/arrays.npz"
    registry.store.put(path, registry.store.get(path)[:-5])
    assert registry.rollback(*KEY) == "0001"
    assert "0002 passed over" in registry.log()["why"].iloc[-1]
    with pytest.raises(ModelFileError, match=r"arrays\.npz is damaged"):
        registry.promote(*KEY, "0002")
    assert registry.current(*KEY) == "0001"


def test_a_pinned_model_keeps_its_version_and_says_so(registry, model):
    registry.save(*KEY, model)
    registry.pin(*KEY, why="until the works end")
    registry.save(*KEY, model)
    assert registry.current(*KEY) == "0001" and list(registry.versions(*KEY)) == ["0001", "0002"]
    last = registry.log().iloc[-1]
    assert (last["action"], last["version"], last["was"]) == ("keep", "0002", "0001")
    assert "pinned to 0001 by Ada (until the works end)" in last["why"]
    assert registry.list()["note"].tolist() == ["pinned by Ada: until the works end"]
    for change in (lambda: registry.promote(*KEY, "0002"), lambda: registry.rollback(*KEY)):
        with pytest.raises(RegistryError, match="unpin Z01 speed_mps"):
            change()
    registry.promote(*KEY, "0002", force=True)
    assert registry.current(*KEY) == "0002" and registry.standing(*KEY).pin
    assert registry.unpin(*KEY) and not registry.unpin(*KEY)
    registry.save(*KEY, model)
    assert registry.current(*KEY) == "0003"


def test_the_log_tells_who_what_and_why_and_forgets_what_was_not_done(registry, model):
    """An entry without its change, as a kill leaves it, and half a line are passed over; numbers go on."""
    registry.save(*KEY, model, why="first")
    registry.save(*KEY, model, why="second")
    lost = registry_log.entry(KEY, "rollback", version="0001", was="0002", by="Eve", why="x", change=3, when="2026")
    registry_log.write(registry.store, [lost])
    registry.store.append(registry_log.KEY, b'{"when": "20')
    assert registry.log()["why"].tolist() == ["first", "second"]
    registry.rollback(*KEY, why="odd at night")
    log = registry.log(*KEY)
    assert log["action"].tolist() == ["promote", "promote", "rollback"] and set(log["by"]) == {"Ada"}
    assert log["why"].iloc[-1] == "odd at night" and registry.standing(*KEY).change == 3


def test_promoting_many_is_refused_as_a_whole_and_names_every_fault(registry, model):
    for zone in ("Z01", "Z02", "Z03"):
        registry.save(zone, "speed_mps", model)
        registry.save(zone, "speed_mps", model)
    registry.pin("Z02", "speed_mps")
    with pytest.raises(RegistryError, match=r"nothing was promoted.*Z02.*pinned.*Z03.*no version '0007'"):
        registry.promote_many(
            {("Z01", "speed_mps"): "0001", ("Z02", "speed_mps"): "0001", ("Z03", "speed_mps"): "0007"}
        )
    assert registry.list()["version"].tolist() == ["0002"] * 3


def test_pruning_spares_the_one_in_force_its_predecessor_and_the_newest(registry, model):
    """Of 1 to 6, 2 is in force after 4: with one newest to keep, 1, 3 and 5 go."""
    for _ in range(6):
        registry.save(*KEY, model, promote=False)
    registry.promote(*KEY, "0004")
    registry.promote(*KEY, "0002")
    gone = registry.prune(keep=1)
    assert [version for _, _, version in gone] == ["0001", "0003", "0005"]
    assert list(registry.versions(*KEY)) == ["0002", "0004", "0006"] and registry.rollback(*KEY) == "0004"
    assert registry.save(*KEY, model) == "0007"
    with pytest.raises(SettingsError, match="keep=0"):
        registry.prune(keep=0)


def test_a_damaged_standing_is_named_and_taken_from_the_log(registry, model):
    for _ in range(3):
        registry.save(*KEY, model)
    registry.rollback(*KEY)
    registry.pin(*KEY, why="good")
    before = registry.standing(*KEY)
    registry.store.put("Z01/speed_mps/current.json", b'{"version": 3')
    with pytest.raises(ModelFileError, match="check --repair"):
        registry.load(*KEY)
    assert "damaged" in registry.list()["note"].iloc[0]
    assert "mended from the log: 0002" in registry.check(repair=True)["cure"].iloc[0]
    assert registry.standing(*KEY).version == "0002" and registry.standing(*KEY).history == before.history
    assert registry.standing(*KEY).pin["why"] == "good" and registry.check().empty


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 2, "rows": {"Z01/speed_mps/0001": 5}}'])
def test_a_damaged_index_is_made_anew(registry, model, damage):
    registry.save(*KEY, model)
    before = registry.list()
    registry.store.put(registry_index.KEY, damage)
    assert registry.list().equals(before)
    assert "Z01/speed_mps/0001" in json.loads(registry.store.get(registry_index.KEY))["rows"]


def test_a_list_opens_no_card_that_the_index_knows(model, monkeypatch):
    registry = Registry(MemoryStore())
    registry.save(*KEY, model)
    before = registry.list()
    monkeypatch.setattr(registry, "show", lambda *key: pytest.fail(f"the card of {key} was opened"))
    assert registry.list().equals(before)


def test_cards_hold_json_that_any_reader_takes(registry, model):
    """What is not a number is null, never NaN, which strict readers refuse."""
    registry.save(*KEY, model, {"fit_seconds": float("nan"), "lineage": {"teacher": "macro_xgboost"}})
    registry.save(*KEY, model)
    raw = registry.store.get("Z01/speed_mps/0001/card.json").decode()
    card = json.loads(raw, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert card["fit_seconds"] is None and card["lineage"]["teacher"] == "macro_xgboost"
    assert registry.show(*KEY)["lineage"]["parent"] == "0001"


def test_two_processes_that_promote_at_once_leave_one_in_force_and_a_whole_log(tmp_path, model):
    """Eight changes by each of two: sixteen numbers, none twice, and the standing is the last one's."""
    registry = Registry(FolderStore(tmp_path))
    for _ in range(2):
        registry.save(*KEY, model)
    children = [_forked(lambda o=order: [registry.promote(*KEY, v) for _ in range(4) for v in o]) for order in _ORDERS]
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0]
    entries = [entry for entry in registry_log.read(registry.store) if entry["change"]]
    numbers = [entry["change"] for entry in entries]
    assert numbers == list(range(1, registry.standing(*KEY).change + 1))
    assert entries[-1]["version"] == registry.current(*KEY)
    assert registry.load(*KEY).family == model.family


_ORDERS = (("0001", "0002"), ("0002", "0001"))


@pytest.mark.parametrize("change", ["save", "promote", "rollback", "pin", "prune"])
def test_a_kill_at_any_step_leaves_a_whole_version_in_force(tmp_path, model, change):
    """SIGKILL at the first file operation of a change, at the second, and so on until the change gets through."""
    for step in range(1, 60):
        registry = Registry(FolderStore(tmp_path / str(step)), by="Ada")
        for _ in range(4):
            registry.save(*KEY, model)
        registry.promote(*KEY, "0002")
        work = {
            "save": lambda r=registry: r.save(*KEY, model), "promote": lambda r=registry: r.promote(*KEY, "0003"),
            "rollback": lambda r=registry: r.rollback(*KEY), "pin": lambda r=registry: r.pin(*KEY, version="0001"),
            "prune": lambda r=registry: r.prune(keep=1),
        }[change]  # fmt: skip
        old = registry.standing(*KEY)
        status = os.waitpid(_forked(lambda work=work, step=step: _dying(work, step)), 0)[1]
        now = registry.standing(*KEY)
        assert now == old or now.change > old.change
        assert registry.load(*KEY).family == model.family and registry.check().empty
        assert len(registry.log(*KEY)[lambda t: t["action"].isin(["promote", "rollback", "pin"])]) == now.change
        registry.sweep()
        left = [path.name for path in (tmp_path / str(step)).rglob(".aside-*")]
        assert left == [] and registry.save(*KEY, model) > "0004"
        if not os.WIFSIGNALED(status):
            assert status == 0 and step > 2
            return
    pytest.fail("the change never got through")


def _forked(work) -> int:
    """Run something in a fork of this process; its number."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def _dying(work, step: int) -> None:
    """Do something in this process, which is killed at its `step`-th file operation."""
    left = [step]

    def counted(function):
        def call(*args, **kwargs):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    os.open, os.fsync = counted(os.open), counted(os.fsync)
    for name in ("replace", "unlink", "open", "mkdir"):
        setattr(Path, name, counted(getattr(Path, name)))
    work()

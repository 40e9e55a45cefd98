"""A workspace: where things are, and what it is about."""

import pytest

from data.errors import InputError, StoreError
from data.store.workspace import Workspace, home, open_workspace


def test_nothing_is_made_until_something_is_written(tmp_path):
    space = Workspace(tmp_path / "demo")
    assert space.name == "demo" and space.describe() == {} and space.runs.list() == [] and space.models.list() == []
    assert not space.root.exists()
    space.update(city="toy")
    assert space.root.is_dir()


def test_updates_add_up(tmp_path):
    space = Workspace(tmp_path)
    space.update(city="toy", step_s=900)
    space.update(city="helsinki")
    assert space.describe() == {"city": "helsinki", "step_s": 900}


@pytest.mark.parametrize("text", ["{", "", "[1]"])
def test_a_damaged_description_is_told(tmp_path, text):
    (tmp_path / "workspace.json").write_text(text)
    with pytest.raises(StoreError, match="damaged"):
        Workspace(tmp_path).describe()


def test_a_name_is_a_folder_below_home_and_a_path_is_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path))
    monkeypatch.delenv("ZONEWISE_WORKSPACE", raising=False)
    assert home() == tmp_path
    assert open_workspace().root == tmp_path / "demo"
    assert open_workspace("mine").root == tmp_path / "mine"
    assert open_workspace(str(tmp_path / "x")).root == tmp_path / "x"
    monkeypatch.setenv("ZONEWISE_WORKSPACE", "other")
    assert open_workspace().root == tmp_path / "other"


@pytest.mark.parametrize("name", ["a b", "-x", "ä", "x" * 65, "a;b"])
def test_a_name_that_is_no_folders_name_is_refused(name):
    with pytest.raises(InputError, match="use letters"):
        open_workspace(name)


def test_rooms_do_not_mix(tmp_path):
    space = Workspace(tmp_path)
    space.models.put("Z01/card", b"model")
    space.observations.put("Z01/card", b"seen")
    assert space.models.get("Z01/card") == b"model" and space.observations.get("Z01/card") == b"seen"
    assert space.jobs_path.parent == space.root

"""The start page: what it lists, what it refuses, and that other workspaces stand below /w/."""

from __future__ import annotations

import base64
import json

import pytest

from app.jobs import FAILED, Jobs
from app.mounts import Mounts
from app.pages import start
from app.server import create_app
from app.start_views import cards, form_words
from app.uploads import MOST_UPLOAD_BYTES, check_size, keep_upload, plain_name
from app.worker import work
from data.errors import InputError
from data.store.workspace import Workspace, workspaces


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path))
    return tmp_path


def _packed(text: str) -> str:
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


def test_only_folders_that_say_what_they_are_count_as_workspaces(home):
    Workspace(home / "one").update(label="One")
    (home / "empty").mkdir()
    (home / ".hidden").mkdir()
    (home / ".hidden" / "workspace.json").write_text("{}")
    assert [space.name for space in workspaces()] == ["one"]


def test_a_damaged_workspace_says_so_and_hides_no_other(home):
    Workspace(home / "good").update(label="Good")
    (home / "bad").mkdir()
    (home / "bad" / "workspace.json").write_text("{")
    found = {card.name: card for card in cards()}
    assert found["good"].fault == ""
    assert "damaged" in found["bad"].fault


@pytest.mark.parametrize("name", ["", "..", "a/b", "-x", "x" * 65, "a b"])
def test_a_name_that_could_leave_the_folder_is_refused(home, name):
    with pytest.raises(InputError, match="cannot name a workspace"):
        start.new_workspace(name)


def test_a_name_that_is_taken_is_refused(home):
    Workspace(home / "one").update(label="One")
    with pytest.raises(InputError, match="already"):
        start.new_workspace("one")


def test_an_upload_keeps_its_plain_name_and_its_bytes(home):
    space = Workspace(home / "one")
    kept = keep_upload(space, "..\\..\\evil dir/..my readings.csv", _packed("a,b\n1,2\n"), (".csv",))
    assert kept == "my_readings.csv"
    assert (space.root / "uploads" / kept).read_text() == "a,b\n1,2\n"
    assert sorted(p.name for p in home.rglob("*") if p.is_file()) == [kept]


def test_an_upload_of_another_kind_damaged_or_too_large_is_refused(home):
    space = Workspace(home / "one")
    with pytest.raises(InputError, match="no kind of file"):
        plain_name("a.exe", (".csv",))
    with pytest.raises(InputError, match="did not arrive whole"):
        keep_upload(space, "a.csv", "data:text/csv;base64,%%%", (".csv",))
    with pytest.raises(InputError, match="at most"):
        check_size("a.csv", MOST_UPLOAD_BYTES + 1)
    assert not (space.root / "uploads").exists()


def test_bad_files_fail_with_the_readers_words_and_store_no_readings(home):
    """The worker's last word is the reader's, which the page shows."""
    space = Workspace(home / "one")
    space.update(label="one")
    name = keep_upload(space, "bad.csv", _packed("nothing,useful\nx,y\n"), (".csv",))
    told = {"kind": "detectors", "files": [name], "timezone": "UTC", "quantity": "speed_mps", "unit": "km/h"}
    job = Jobs(space.jobs_path).add("import", told)
    assert work(space, job) == FAILED
    assert "bad.csv" in Jobs(space.jobs_path).read(job).message
    parts, going = start.watch({"space": "one", "job": job})
    assert not going and "bad.csv" in json.dumps([part.to_plotly_json() for part in parts], default=str)
    assert not (space.root / "runs").exists()


def test_a_file_that_was_not_uploaded_is_not_read(home):
    space = Workspace(home / "one")
    space.update(label="one")
    job = Jobs(space.jobs_path).add("import", {"kind": "detectors", "files": ["../../etc/passwd"], "timezone": "UTC"})
    assert work(space, job) == FAILED
    assert "no uploaded file" in Jobs(space.jobs_path).read(job).message


def test_other_workspaces_stand_below_w_and_unknown_ones_do_not(workspace, monkeypatch):
    """The same workspace once at the root and once mounted: same page, other addresses."""
    monkeypatch.setenv("ZONEWISE_HOME", str(workspace.root.parent))
    client = create_app(workspace).server.test_client()
    page = client.get(f"/w/{workspace.name}/")
    assert page.status_code == 200
    assert f"/w/{workspace.name}/_dash-component-suites/" in page.get_data(as_text=True)
    assert client.get(f"/w/{workspace.name}").status_code == 308
    for name in ("nobody", "..", "%2e%2e"):
        assert client.get(f"/w/{name}/").status_code == 404
    inside = client.get(f"/w/{workspace.name}/%2e%2e/workspace.json")  # no file: the app's own page again
    assert b"_dash-renderer" in inside.data


def test_the_mounts_keep_a_bounded_number_of_apps(home, monkeypatch):
    from flask import Flask

    monkeypatch.setattr("app.mounts.MOST_APPS", 2)
    made = []

    def make(space, prefix):
        made.append(space.name)
        return Flask(space.name)

    mounts = Mounts(lambda environ, start: [b""], home, make)
    for name in ("a", "b", "c", "a"):
        Workspace(home / name).update(label=name)
        list(mounts({"PATH_INFO": f"/w/{name}/", "REQUEST_METHOD": "GET", "SERVER_NAME": "x", "SERVER_PORT": "1",
                     "wsgi.url_scheme": "http"}, lambda *_: None))  # fmt: skip
    assert made == ["a", "b", "c", "a"]
    assert len(mounts._apps) == 2


def test_a_reader_s_options_are_told_as_the_form_calls_them():
    told = form_words("--timezone is needed: UTC; give --unit; --units stays")
    assert told == "'Time zone of the times' is needed: UTC; give 'Its unit'; --units stays"

"""A folder that appears whole, and replaces only an earlier export."""

import json

import pytest

from data.errors import InputError
from data.exports.folder import MARK, new_folder


def fill(target, text, **options):
    with new_folder(target, kind="test", **options) as aside:
        (aside / "a.txt").write_text(text)


def test_a_folder_appears_with_its_mark(tmp_path):
    """Files, and `export.json` that names them; nothing is left aside."""
    fill(tmp_path / "deep" / "out", "one")
    assert (tmp_path / "deep" / "out" / "a.txt").read_text() == "one"
    assert json.loads((tmp_path / "deep" / "out" / MARK).read_text()) == {"zonewise_export": "test", "files": ["a.txt"]}
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


def test_a_failure_leaves_what_was_there(tmp_path):
    """An error while writing: the earlier export stands, whole, and nothing is left aside."""
    fill(tmp_path / "out", "one")
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "out", kind="test", force=True) as aside:
        (aside / "a.txt").write_text("half")
        raise ZeroDivisionError
    assert (tmp_path / "out" / "a.txt").read_text() == "one" and len(list(tmp_path.iterdir())) == 1


def test_an_earlier_export_is_replaced_by_force_alone(tmp_path):
    """Without force, refused with the cure; with it, new files stand and old ones are gone."""
    fill(tmp_path / "out", "one")
    (tmp_path / "out" / "old.txt").write_text("x")
    with pytest.raises(InputError, match="--force"):
        fill(tmp_path / "out", "two")
    fill(tmp_path / "out", "two", force=True)
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.txt", MARK]
    assert len(list(tmp_path.iterdir())) == 1


def test_foreign_files_are_never_replaced(tmp_path):
    """Not even by force; an empty folder is filled; a file is no folder."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="no export"):
        fill(tmp_path / "mine", "x", force=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
    (tmp_path / "empty").mkdir()
    fill(tmp_path / "empty", "x")
    with pytest.raises(InputError, match="is a file"):
        fill(tmp_path / "mine" / "thesis.txt", "x")

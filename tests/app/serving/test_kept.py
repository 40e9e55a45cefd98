"""Answers that are kept are those of now, of the language, and never more than there is room for."""

from __future__ import annotations

from app import ids
from app.keeping import Shelf
from app.serving.kept import Answers
from app.texts import speaking
from data.store.workspace import Workspace

PANEL = f"{ids.MODELS_TARGET}.value > {ids.MODELS_TABLE}"


def test_an_answer_is_another_one_once_something_stored_changes_or_another_language_is_spoken(tmp_path):
    space = Workspace(tmp_path)
    answers = Answers(space)
    body = {"output": "x.y", "inputs": [{"id": "a", "property": "value", "value": 1}]}
    first = answers.key(body)
    assert answers.key({**body, "changedPropIds": ["a.value"]}) == first
    assert answers.key({**body, "inputs": [{"id": "a", "property": "value", "value": 2}]}) != first
    with speaking("fi"):
        assert answers.key(body) != first
    space.update(label="x")
    second = answers.key(body)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "log.jsonl").write_text("{}")
    assert len({first, second, answers.key(body)}) == 3


def test_the_answer_that_was_asked_for_longest_ago_goes_first(tmp_path):
    """Room for 40 bytes, answers of 5: of nine the first that nobody asked for again goes."""
    answers = Answers(Workspace(tmp_path), Shelf(40))
    for k in range(8):
        answers.keep(bytes([k]), b"12345")
    assert answers.find(b"\x00") == b"12345"
    answers.keep(b"\x09", b"12345")
    assert answers.find(b"\x01") is None and answers.find(b"\x00") == b"12345"
    answers.keep(b"\x0a", b"123456")
    assert answers.find(b"\x0a") is None  # one answer takes at most an eighth of the room


def test_a_second_call_gives_the_same_bytes_as_the_first(opened):
    values = {"models__target": "speed_mps", "models__zone": "Z01"}
    first, second = (opened.call(PANEL, **values) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.data == second.data

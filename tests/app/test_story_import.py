"""A user uploads files that cannot be read: each fault is told where it stands, and nothing is half made."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.browser
START = "#start-import"


@pytest.fixture
def form(visit: Any, tmp_path: Any, monkeypatch: Any) -> Any:
    """The form of the start page, with a home folder of its own."""
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    page = visit("/start")
    page.wait_for_selector(".page-start")
    page.wait_for_load_state("networkidle")
    page.click("[role=tab]:has-text('Import')")
    return page


def name(page: Any, text: str) -> None:
    page.locator("input[id*='import.name']").fill(text)
    page.keyboard.press("Tab")


def upload(page: Any, *files: tuple[str, str]) -> None:
    """Choose files of the given names and contents."""
    given = [{"name": n, "mimeType": "text/csv", "buffer": text.encode()} for n, text in files]
    page.set_input_files("#start-files input[type=file]", given)
    page.wait_for_selector(f"#start-files-names:has-text('{files[-1][0]}')")


def told(page: Any, words: str) -> None:
    """Wait until the job has failed with a text that holds these words."""
    page.wait_for_selector(f"#start-progress .fault:has-text({words!r})", timeout=40_000)


def test_bad_names_no_files_and_files_that_are_none_are_told_and_leave_nothing(form, tmp_path):
    page = form
    name(page, "my/city")
    page.click(START)
    page.wait_for_selector("#start-fault:has-text('Choose a file first')")
    upload(page, ("loops.csv", "nothing,useful\nx,y\n"))
    page.click(START)
    page.wait_for_selector("#start-fault:has-text('cannot name a workspace')")
    assert list((tmp_path / "home").iterdir()) == []


def test_a_file_that_cannot_be_read_is_told_by_name_and_still_is_after_a_reload(form, tmp_path):
    page = form
    name(page, "loops")
    upload(page, ("loops.csv", "nothing,useful\nx,y\n"))
    page.locator("input[id*='import.timezone']").fill("UTC")
    page.locator("input[id*='import.quantity']").click()
    page.click("[role=option]:has-text('speed_mps')")
    page.locator("input[id*='import.unit']").fill("mph")
    page.locator("input[id*='import.unit']").press("Tab")
    page.click(START)
    told(page, "loops.csv")
    assert "import them under a new name" in page.inner_text("#start-progress")
    assert "--" not in page.inner_text("#start-progress .fault")
    assert not (tmp_path / "home" / "loops" / "runs").exists()
    page.reload()
    told(page, "loops.csv")

"""Every notebook runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_holds_no_outputs(path, monkeypatch, tmp_path):
    """Its cells in one namespace, in order; what it shows is made anew by whoever opens it."""
    monkeypatch.setenv("ZONEWISE_CACHE", str(tmp_path))
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells)
    names: dict[str, object] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        exec(compile("".join(cell["source"]), f"{path.name}[{number}]", "exec"), names)
    assert names["run"].summary["conserved"]


def test_there_is_a_notebook():
    """The folder is not empty."""
    assert NOTEBOOKS

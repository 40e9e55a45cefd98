"""Every notebook runs from top to bottom on its small settings, and is kept without outputs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """One folder for streets that were read, so that each city is read once."""
    return tmp_path_factory.mktemp("streets")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_draws_what_could_be_printed(path, monkeypatch, streets):
    """Its cells in one namespace, in order; figures have labels, or are maps; three panels at least."""
    mpl = pytest.importorskip("matplotlib", reason="drawing needs the extra notebooks")
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    monkeypatch.setenv("ZONEWISE_CACHE", str(streets))
    monkeypatch.delenv("ZONEWISE_NOTEBOOKS", raising=False)
    names: dict[str, object] = {"__name__": "__main__"}
    drawn = 0
    try:
        for number, cell in enumerate(cells(path, "code")):
            exec(compile("".join(cell["source"]), f"{path.name}[{number}]", "exec"), names)
        for figure in map(plt.figure, plt.get_fignums()):
            figure.canvas.draw()  # a layout that cannot be is told here
            shown = [axis for axis in figure.axes if axis.axison]
            assert any(axis.get_xlabel() for axis in shown) or len(shown) < len(figure.axes), "axes without a label"
            drawn += len(shown)
    finally:
        plt.close("all")
    assert drawn >= 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_clean_and_ends_with_what_to_try_next(path):
    """What it shows is made anew by whoever opens it."""
    for cell in cells(path, "code"):
        assert not cell["outputs"] and cell["execution_count"] is None
    last = json.loads(path.read_text())["cells"][-1]
    assert last["cell_type"] == "markdown" and "## Try next" in "".join(last["source"])


def test_notebooks_are_numbered_without_a_gap():
    """01 to 07."""
    assert [re.match(r"\d\d", path.name)[0] for path in NOTEBOOKS] == [f"{k + 1:02d}" for k in range(len(NOTEBOOKS))]
    assert len(NOTEBOOKS) == 7

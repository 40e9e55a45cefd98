"""A report from a stored study, written to a file that appears whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.reports.errors import ReportError
from app.reports.findings import gather
from app.reports.markdown import to_markdown
from app.reports.page import to_html
from app.reports.specification import to_json
from app.reports.writing import write
from data.store.folder import write_atomic
from data.store.workspace import Workspace

FORMS: dict[str, Callable[..., str]] = {".html": to_html, ".htm": to_html, ".md": to_markdown, ".markdown": to_markdown}


def make_report(workspace: Workspace, run: str, to: str | Path) -> Path:
    """Write the report of a study.

    Parameters
    ----------
    workspace : Workspace
    run : str
        Id of a `study` run.
    to : str or Path
        `.html` or `.md`; a file that is there is replaced.

    Returns
    -------
    Path

    Raises
    ------
    ReportError
        If the name has another ending or its folder is not there, or the run is no study.
    RunNotFoundError
        If there is no such run.
    """
    path = Path(to).expanduser()
    form = form_of(path)
    found = gather(workspace, run)
    write_atomic(path, form(write(found), to_json(found.specification)).encode())
    path.chmod(0o644)  # a file to hand out, unlike those of the store
    return path


def form_of(path: Path) -> Callable[..., str]:
    """What writes a document as the file's ending says.

    Raises
    ------
    ReportError
        If the name has another ending or its folder is not there.
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise ReportError(f"{path}: a report is written as .html or .md; found the ending {path.suffix!r}")
    if not path.parent.is_dir():
        raise ReportError(f"{path}: there is no folder {path.parent}; make it, or write elsewhere")
    return form

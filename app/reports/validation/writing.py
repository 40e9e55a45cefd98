"""The validation report as a document, and its files: Markdown or HTML, and JSON beside it."""

from __future__ import annotations

import json
import math
from pathlib import Path

from app.reports.document import Block, Bullets, Code, Document, Grid, Heading, Paragraph
from app.reports.making import form_of
from app.reports.validation.making import Figure, Part, Validation
from data.store.folder import write_atomic

_COLUMNS = ("Figure", "Measured", "Unit", "Target", "Met", "Range", "n")


def document(found: Validation) -> Document:
    """The report.

    Parameters
    ----------
    found : Validation

    Returns
    -------
    Document
        A section a part: what is held against what, the figures with their targets, what was skipped, the commands.
    """
    aimed, met, empty = found.tally()
    kind = "Short form: small samples, and what takes long left out. " if found.quick else ""
    lead = (
        f"Zonewise {found.version}, {found.made}. {kind}{met} of {aimed} figures that have a target meet it;"
        f" {empty} of {len(found.parts)} parts could not be measured here."
    )
    blocks: list[Block] = [
        Paragraph(
            "Every number below was written by the command that stands under it; none was typed. A target that is"
            " missed stays in the table."
        )
    ]
    for part in found.parts:
        blocks += _section(part)
    blocks += [
        Heading("Measured with"),
        Bullets(
            (
                ", ".join(f"{name} {value}" for name, value in found.machine.items()),
                ", ".join(f"{name} {value}" for name, value in sorted(found.versions.items())),
                f"{found.cpu_s:.0f} processor seconds of this process; some parts work in processes of their own",
            )
        ),
    ]
    return Document(title="Validation report", lead=lead, blocks=tuple(blocks))


def _section(part: Part) -> list[Block]:
    made: list[Block] = [Heading(part.title), Paragraph(part.about)]
    if part.figures:
        rows = tuple(_row(one) for one in part.figures)
        made.append(Grid(caption=part.title, columns=_COLUMNS, rows=rows, numbers=frozenset((1, 3, 6))))
    if part.skipped:
        made += [Paragraph("Not measured here:"), Bullets(part.skipped)]
    return [*made, Code("\n".join(part.commands), language="sh")]


def _row(one: Figure) -> tuple[str, ...]:
    low, high = one.get("lower"), one.get("upper")
    bounds = "" if low is None or high is None else f"{number(low)} to {number(high)}"
    met = "" if one["met"] is None else ("yes" if one["met"] else "no")
    target = "" if one["target"] is None else number(one["target"])
    n = "" if one.get("n") in (None, 1) else f"{int(one['n']):,}"
    return one["name"], number(one["value"]), "" if one["unit"] == "1" else one["unit"], target, met, bounds, n


def number(value: float) -> str:
    """Four digits that count.

    >>> [number(x) for x in (0.123456, 1234567.0, 12.0, 1.2e-7, 0.0)]
    ['0.1235', '1,234,567', '12', '1.2e-07', '0']
    """
    if not math.isfinite(value):
        return "not known"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def write(found: Validation, to: str | Path) -> tuple[Path, Path]:
    """Write the report, and the same as JSON beside it.

    Parameters
    ----------
    found : Validation
    to : str or Path
        `.md` or `.html`; a file that is there is replaced.

    Returns
    -------
    report, beside : Path

    Raises
    ------
    ReportError
        If the ending is another, or there is no such folder.
    """
    path = Path(to).expanduser()
    form = form_of(path)
    beside = path.with_suffix(".json")
    for file, text in ((path, form(document(found))), (beside, json.dumps(found.to_json(), indent=1) + "\n")):
        write_atomic(file, text.encode())
        file.chmod(0o644)  # a file to hand out, unlike those of the store
    return path, beside

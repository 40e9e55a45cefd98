"""A report as one HTML page: no script is needed to read it, nothing is asked of the net, everything is escaped."""

from __future__ import annotations

from html import escape

from app.reports.document import Block, Bullets, Code, Document, Drawing, Drawings, Grid, Heading, Paragraph
from app.reports.specification import ELEMENT

_STYLE = """
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1.5rem;font:1rem/1.5 system-ui,sans-serif;color:#24292f;background:#fff}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .5rem}
h2{font-size:1.3rem;margin:2.2rem 0 .6rem;border-bottom:1px solid #c9ccd1;padding-bottom:.2rem}
h3{font-size:1.05rem;margin:1.4rem 0 .4rem}
p,ul{max-width:46rem}
.lead{font-size:1.1rem}
.warning{border-left:.3rem solid #b35806;background:#fdf3e7;padding:.5rem .8rem}
.scroll{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.3rem 0}
th,td{padding:.25rem .7rem .25rem 0;border-bottom:1px solid #e3e5e8;text-align:left;vertical-align:top}
thead th{border-bottom:2px solid #24292f}
tbody th{font-weight:400}
.n{text-align:right;white-space:nowrap}
figure{margin:1rem 0}
figcaption{font-size:.9rem;margin-top:.3rem}
svg{display:block;width:100%;height:auto}
.panels{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1rem}
.panels figure{margin:0}
.chart{max-width:46rem}
pre{background:#f6f7f8;padding:.7rem;overflow-x:auto;font-size:.85rem;white-space:pre-wrap;overflow-wrap:anywhere}
@media (max-width:40rem){body{padding:1rem}th,td{padding-right:.5rem}}
@media print{
@page{size:A4;margin:16mm}
body{max-width:none;padding:0;font-size:9.5pt}
h2,h3{break-after:avoid}figure,tr,.warning{break-inside:avoid}
thead{display:table-header-group}.scroll{overflow:visible}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
}
""".strip()


def to_html(document: Document, specification: str = "") -> str:
    """The page.

    Parameters
    ----------
    document : Document
    specification : str
        JSON from `specification.to_json`, which holds no `<`; none where the report is not of a study.
    """
    held = f'<script type="application/json" id="{ELEMENT}">{specification}</script>\n' if specification else ""
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(document.title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(document.title)}</h1>\n<p class="lead">{escape(document.lead)}</p>\n{body}\n</main>\n'
        f"{held}</body>\n</html>\n"
    )


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        kind = ' class="warning"' if block.warning else ""
        return f"<p{kind}>{escape(block.text)}</p>"
    if isinstance(block, Bullets):
        return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Grid):
        return _grid(block)
    if isinstance(block, Drawing):
        return f'<figure class="chart">{block.svg}<figcaption>{escape(block.caption)}</figcaption></figure>'
    if isinstance(block, Drawings):
        parts = "".join(
            f"<figure>{part.svg}<figcaption>{escape(part.caption)}</figcaption></figure>" for part in block.parts
        )
        return f'<figure><div class="panels">{parts}</div><figcaption>{escape(block.caption)}</figcaption></figure>'
    assert isinstance(block, Code)
    return f"<pre><code>{escape(block.text)}</code></pre>"


def _grid(grid: Grid) -> str:
    def kind(k: int) -> str:
        return ' class="n"' if k in grid.numbers else ""

    head = "".join(f'<th scope="col"{kind(k)}>{escape(name)}</th>' for k, name in enumerate(grid.columns))
    rows = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{kind(k)}>{escape(cell)}</td>" for k, cell in enumerate(row[1:], start=1))
        + "</tr>"
        for row in grid.rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(grid.caption)}"><table>'
        f"<caption>{escape(grid.caption)}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )

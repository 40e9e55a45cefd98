"""Every page, wide and narrow, light and dark: outside requests, console errors, and what axe-core finds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import app
from app.benchmarks.app.visit import NARROW, WIDE

if TYPE_CHECKING:
    from app.benchmarks.app.visit import Visitor

RULES = "axe.run(document, {runOnly: ['wcag2a','wcag2aa','wcag21aa','wcag22aa','best-practice']})"


def faults(person: Visitor, address: str, say: Callable[[str], None] = lambda where: None) -> dict[str, Any]:
    """Counts over all pages, themes and widths, and where each was; `say` hears of each walk through them."""
    from app.server import PAGES

    axe = (Path(app.__file__).parent / "assets" / "vendor" / "axe" / "axe.min.js").read_text()
    outside: list[str] = []
    errors: list[str] = []
    found: list[str] = []
    walked = 0
    for size in (WIDE, NARROW):
        for theme in ("light", "dark"):
            say(f"pages, {size['width']} px, {theme}")
            with person.page(size, color_scheme=theme, bypass_csp=False) as page:
                page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
                page.on("pageerror", lambda e: errors.append(str(e)))
                page.on(
                    "request",
                    lambda r: None if r.url.startswith((address, "data:", "blob:")) else outside.append(r.url),
                )
                for module in PAGES:
                    page.goto(address + module.PAGE.path)
                    walked += 1
                    page.wait_for_selector("#page")
                    page.wait_for_load_state("networkidle")
                    page.wait_for_timeout(500)
                    page.evaluate(axe)
                    where = f"{module.PAGE.path} {size['width']} {theme}"
                    found += [f"{where}: {v['id']}" for v in page.evaluate(RULES)["violations"]]
    return {
        "outside requests": float(len(outside)), "console errors": float(len(errors)),
        "axe-core violations": float(len(found)), "where": outside + errors + found, "pages walked": walked,
    }  # fmt: skip

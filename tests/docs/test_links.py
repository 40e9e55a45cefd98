"""Links of README, CONTRIBUTING, CHANGELOG and docs lead to a file and a heading that are there; pages are reached."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(DOCS.rglob("*.md")),
]  # fmt: skip
LINK = re.compile(r"!?\[[^\]]*\]\(<?([^)\s>]+)>?\)")
BARE = re.compile(r"<(https?://[^>\s]+)>")
#: A file of the project that text or code names without a link.
NAMED = re.compile(r"\bdocs/[\w./-]+\.(?:md|py|png)\b")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def anchors(page: Path) -> set[str]:
    """Names that headings get, as forges and the site make them: lower case, signs away, hyphens for blanks."""
    found = set()
    for title in re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE):
        plain = re.sub(r"[`*]|\[|\]\([^)]*\)", "", title).strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def fault(page: Path, link: str) -> str:
    """What is wrong with a link, or nothing."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        host = parts.hostname or ""
        return "" if "." in host or host == "localhost" else f"{link} names no host"
    if parts.scheme:
        return "" if parts.scheme in ("mailto", "doi") else f"{link} has a scheme that is not for links"
    target = (page.parent / parts.path).resolve() if parts.path else page
    if not target.exists():
        return f"{link} leads nowhere"
    if parts.fragment and target.suffix == ".md" and parts.fragment not in anchors(target):
        return f"{link}: no such heading there"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_links_of_a_page_lead_somewhere(page):
    text = prose(page)
    found = [fault(page, link) for link in [*LINK.findall(text), *BARE.findall(text)]]
    assert [one for one in found if one] == []


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("nowhere.md", "leads nowhere"), ("models.md#not-a-heading", "no such heading"), ("models.md#the-protocol", ""),
        ("https://x", "names no host"), ("https://doi.org/10.1000/1", ""), ("javascript:alert(1)", "scheme"),
    ],
)  # fmt: skip
def test_a_dead_link_is_found(link, told):
    found = fault(DOCS / "concepts" / "comparison.md", link)
    assert told in found and bool(found) == bool(told)


def test_files_that_code_and_pages_name_are_there():
    """A message that sends people to `docs/...` sends them to a file; generated pages may not be there yet."""
    rooms = ("app", "data", "models", "simulation", "zones")
    files = [*PAGES, *(file for room in rooms for file in sorted((ROOT / room).rglob("*.py")))]
    missing = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in files
        for name in NAMED.findall(file.read_text(encoding="utf-8"))
        if not (ROOT / name).exists()
    }
    assert missing == set()


def test_every_page_is_in_a_table_of_contents():
    """By name or pattern; a page that none lists is an orphan that no reader finds."""
    listed: set[Path] = set()
    for page in DOCS.rglob("*.md"):
        for body in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in body.splitlines():
                if line.strip() and not line.startswith(":"):
                    listed |= set(page.parent.glob(f"{line.strip()}.md")) - {page}
    pages = {page for page in DOCS.rglob("*.md") if "examples" not in page.parts}
    assert {page.relative_to(DOCS).as_posix() for page in pages - listed} == {"index.md"}

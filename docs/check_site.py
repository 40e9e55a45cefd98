"""Check a built site: `python docs/check_site.py build/site`.

No page may load anything from elsewhere (fonts, scripts, styles, images), every link and anchor inside the site must
lead somewhere, every page must be reached from the first, and an outside link must have the form of one. Exit status 1
and one line a fault.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Attributes that make a browser load something at once; a link to click (`a href`) does not.
_LOADS = {
    "script": ("src",), "img": ("src", "srcset"), "link": ("href",), "iframe": ("src",), "source": ("src", "srcset"),
    "video": ("src", "poster"), "audio": ("src",), "embed": ("src",), "object": ("data",),
}  # fmt: skip
#: `link`s that tell search engines or readers something and load nothing.
_TELL = {"canonical", "next", "prev", "search", "index", "author", "copyright", "contents", "top", "license"}
_IN_STYLE = re.compile(r"""(?:@import\s+|url\(\s*)["']?((?:https?:)?//[^"')\s]+)""")
#: Addresses that are not pages; that of a cluster is written as one.
_SCHEMES = ("mailto", "tcp")
#: Pages that Sphinx makes and that are reached by the search box or the header.
_MADE = {"genindex.html", "search.html", "py-modindex.html"}


class Page(HTMLParser):
    """What a page loads, links to and can be linked at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of one tag."""
        told = dict(attrs)
        if told.get("id"):
            self.anchors.add(str(told["id"]))
        if tag == "a" and told.get("href"):
            self.links.append(str(told["href"]))
        if tag == "link" and set(str(told.get("rel")).split()) & _TELL:
            return
        self.loads += [str(told[name]) for name in _LOADS.get(tag, ()) if told.get(name)]
        self.loads += _IN_STYLE.findall(told.get("style") or "")


def faults(site: Path) -> list[str]:
    """Everything that is wrong with a built site, one line each."""
    pages = {file.relative_to(site).as_posix(): Page(file.read_text(encoding="utf-8")) for file in site.rglob("*.html")}
    if "index.html" not in pages:
        return [f"{site}: no index.html; build the site first"]
    found: list[str] = []
    reached: dict[str, set[str]] = {}
    for name, page in sorted(pages.items()):
        found += [f"{name}: loads {url} from elsewhere" for url in page.loads if _outside(url)]
        reached[name] = set()
        for link in page.links:
            fault, target = _followed(site, pages, name, link)
            if fault:
                found.append(f"{name}: {fault}")
            elif target:
                reached[name].add(target)
    for file in sorted([*site.rglob("*.css"), *site.rglob("*.svg")]):
        for url in _IN_STYLE.findall(file.read_text(encoding="utf-8")):
            found.append(f"{file.relative_to(site)}: loads {url} from elsewhere")
    seen, todo = {"index.html"}, ["index.html"]
    while todo:
        new = reached[todo.pop()] & set(pages) - seen
        seen |= new
        todo += new
    found += [f"{name}: no page leads to it" for name in sorted(set(pages) - seen - _MADE)]
    return found


def _outside(url: str) -> bool:
    return urlsplit(url).scheme in ("http", "https", "ftp") or url.startswith("//")


def _followed(site: Path, pages: dict[str, Page], name: str, link: str) -> tuple[str, str]:
    """What is wrong with a link of a page, and the page of the site that it leads to."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        local = parts.hostname in ("localhost", "127.0.0.1")
        return ("" if local or "." in (parts.hostname or "") else f"{link} names no host"), ""
    if parts.scheme:
        return ("" if parts.scheme in _SCHEMES else f"{link} has a scheme that is not for links"), ""
    there = (site / name).parent / unquote(parts.path) if parts.path else site / name
    there = there.resolve()
    if not there.exists():
        return f"{link} leads nowhere", ""
    target = there.relative_to(site.resolve()).as_posix() if there.is_relative_to(site.resolve()) else ""
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return f"{link}: no such place on that page", ""
    return "", target


def main(arguments: list[str]) -> int:
    """Print the faults of the site that is named."""
    found = faults(Path(arguments[0] if arguments else "build/site"))
    for line in found:
        sys.stderr.write(line + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

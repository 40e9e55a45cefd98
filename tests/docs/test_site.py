"""The check of the built site finds what a page loads from elsewhere, dead links and pages that nobody reaches."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("check_site", ROOT / "docs" / "check_site.py")
assert _SPEC is not None and _SPEC.loader is not None
check_site = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(check_site)


@pytest.fixture
def site(tmp_path):
    """Two pages that link each other, a style, a picture."""
    (tmp_path / "style.css").write_text("body{background:url(data:image/png;base64,AA==)}")
    (tmp_path / "map.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(
        '<link rel="stylesheet" href="style.css"><link rel="canonical" href="https://example.org/">'
        '<a href="two.html#part">two</a><a href="https://doi.org/10.1/2">source</a><img src="map.png">'
    )
    (tmp_path / "two.html").write_text('<h2 id="part">Part</h2><a href="index.html">back</a>')
    return tmp_path


def test_a_site_that_stands_by_itself_has_no_fault(site):
    assert check_site.faults(site) == []


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn.example.org/x.js"),
        ('<img src="//example.org/x.png">', "loads //example.org/x.png"),
        ('<link rel="preconnect" href="https://fonts.example.org">', "loads https://fonts.example.org"),
        ('<p style="background:url(https://example.org/x)">', "loads https://example.org/x"),
        ('<a href="three.html">', "three.html leads nowhere"),
        ('<a href="index.html#none">', "no such place"),
        ('<a href="https://nohost">', "names no host"),
        ('<a href="javascript:1">', "scheme"),
    ],
)
def test_a_fault_is_told(site, body, told):
    (site / "two.html").write_text(f'<h2 id="part">Part</h2>{body}')
    assert any(told in line for line in check_site.faults(site))


def test_a_page_that_nobody_reaches_is_told(site):
    (site / "lost.html").write_text("alone")
    assert check_site.faults(site) == ["lost.html: no page leads to it"]


def test_a_style_that_imports_a_font_is_told(site):
    (site / "style.css").write_text('@import "https://fonts.example.org/css";')
    assert check_site.faults(site) == ["style.css: loads https://fonts.example.org/css from elsewhere"]


def test_the_citation_names_the_version_and_the_licence():
    """CITATION.cff by the fields that its format asks for, and the version of pyproject.toml."""
    from tomllib import loads

    import yaml

    told = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {"cff-version", "message", "title", "authors"} <= set(told)
    assert told["cff-version"] == "1.2.0" and told["title"] == "Zonewise" and told["type"] == "software"
    assert str(told["version"]) == project["version"] and told["license"] == project["license"]
    assert all("name" in author or {"family-names", "given-names"} <= set(author) for author in told["authors"])

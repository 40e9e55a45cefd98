"""Two languages: the same keys and blanks, numbers as each writes them, and pages without a word of the other."""

from __future__ import annotations

import re
import string
from typing import Any

import pytest

from app.languages import wanted
from app.texts import ahead, number, said, signed, speaking, t
from app.words import joined

EN, FI = joined("en"), joined("fi")
EVERY = ["/", "/micro-macro", "/scenarios", "/models", "/monitor?step=data", "/monitor", "/start"]


def blanks(text: str) -> list[tuple[str, str]]:
    """Names of the values that a text takes, with how they are written."""
    return sorted((name, how or "") for _, name, how, _ in string.Formatter().parse(text) if name is not None)


def test_every_language_has_the_same_keys_and_the_same_blanks():
    assert EN.keys() == FI.keys()
    assert {key for key in EN if blanks(EN[key]) != blanks(FI[key])} == set()
    assert {key for key in EN if (EN[key][:1] == " ") != (FI[key][:1] == " ")} == set()


def test_no_sentence_was_left_untranslated():
    """What is the same in both has no word of more than one letter that only English has: units, names, commands."""
    same = {key for key in EN if EN[key] == FI[key] and re.search(r"[a-z]{4,}.* [a-z]{3,}", EN[key])}
    assert same == {"compare.shift.command"}


def test_numbers_have_a_comma_and_thin_gaps_in_finnish_and_dates_stay():
    with speaking("fi"):
        assert number(1234.56, 1) == "1\u202f234,6" and signed(-0.25, 2) == "−0,25" and ahead(5400) == "1,5 h"
        assert said("7.25 at 08:15 on 2025-03-01, PM2.5, v1.2.3") == "7,25 at 08:15 on 2025-03-01, PM2.5, v1.2.3"
        assert said("0.5–1.5") == "0,5–1,5"
    assert number(1234.56, 1) == "1,234.6" and number(float("nan"), 1) == "–"


def test_a_number_that_goes_through_two_texts_is_written_once():
    """0.125 reads 0,125: read as a thousand and more it would lose its comma."""
    with speaking("fi"):
        assert t("monitor.errors.now", unit=t("hours", n=number(0.125, 3))) == "Nyt, 0,125 h"


@pytest.mark.parametrize(
    ("query", "cookie", "header", "spoken"),
    [
        ("", "", "", "en"), ("", "", "fi-FI,fi;q=0.9,en;q=0.8", "fi"), ("", "", "sv,en;q=0.5", "en"),
        ("", "language=fi", "en", "fi"), ("lang=en", "language=fi", "fi", "en"), ("lang=xx", "language=yy", "", "en"),
    ],
)  # fmt: skip
def test_the_address_is_asked_first_then_the_choice_then_the_browser(query, cookie, header, spoken):
    environ = {"QUERY_STRING": query, "HTTP_COOKIE": cookie, "HTTP_ACCEPT_LANGUAGE": header}
    assert wanted(environ) == spoken


def test_a_choice_is_kept_and_the_document_says_its_language(workspace):
    from app.server import create_app

    client = create_app(workspace).server.test_client()
    first = client.get("/?lang=fi")
    assert "language=fi" in first.headers["Set-Cookie"] and '<html lang="fi">' in first.text
    assert '<html lang="fi">' in client.get("/models").text
    assert '<html lang="en">' in client.get("/models?lang=en").text


def english(shown: list[str]) -> set[str]:
    """Texts on a page that stand in the English catalogue and not in the Finnish one."""
    finnish = set(FI.values())
    only = {text.strip() for text in EN.values() if "{" not in text and text not in finnish and len(text) > 3}
    return only & {text.strip() for text in shown}


@pytest.mark.browser
@pytest.mark.parametrize(
    "path", ["/", "/micro-macro", "/scenarios", "/models", "/monitor?step=data", "/monitor", "/start"]
)
@pytest.mark.parametrize("width", [1440, 390])
def test_no_english_is_left_on_a_finnish_page_and_nothing_runs_over(visit, path, width):
    page = visit(f"{path}{'&' if '?' in path else '?'}lang=fi", width=width, height=900 if width > 500 else 844)
    if "step=" in path:  # the steps of a new micromodel, which have none of the models page's columns
        page.goto(page.url.replace("/monitor", "/models"))
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.lang") == "fi"
    assert "lang=" not in page.url
    shown: list[str] = page.evaluate(_TEXTS)
    assert english(shown) == set()
    assert any(text.strip() in FI.values() for text in shown)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1")


#: Every piece of text in the page, and every label that is read out.
_TEXTS = """() => {
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) if (!walk.currentNode.parentElement.closest("script, style, [lang=en]")) found.push(walk.currentNode.data);
  for (const e of document.querySelectorAll("[aria-label], [title], [placeholder]"))
    if (!e.closest("[lang=en]")) found.push(...["aria-label", "title", "placeholder"].map((k) => e.getAttribute(k) || ""));
  return found;
}"""  # noqa: E501


@pytest.mark.browser
def test_the_link_in_the_header_keeps_the_view_and_changes_its_language(visit: Any):
    page = visit("/?zone=Z02&layer=speed")
    page.click("#language")
    page.wait_for_selector("html[lang=fi]")
    page.wait_for_selector("#map-fan")
    assert "zone=Z02" in page.url and "layer=speed" in page.url
    assert page.inner_text("nav.pages a >> nth=0") == FI["nav.map"]
    page.reload()
    page.wait_for_selector("html[lang=fi]")
    page.wait_for_selector(".citymap[data-ready]")

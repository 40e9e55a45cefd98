"""A report of a study of the toy town: whole in itself, readable, and repeated to the last bit."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from app.cli import main
from app.job_spec import JobSpec
from app.pipeline import Job
from app.reports import make_report, read_report, reproduce
from app.reports.errors import ReportError
from app.reports.repeating import Reproduction
from app.studies import make_study
from data.store.workspace import Workspace

SCENARIO = """\
name: close_row
label: 'Close <img src="http://example.org/x.png" onerror=alert(1)> & [rest](http://example.org)'
description: >-
  Does the # town | need *this* street?
measures:
  - measure: close_street
    street: Row street 3
    zones: Z01
    classes: [car, van]
"""
VOID = {"meta", "path", "rect", "br", "img", "link"}


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """The toy town with one study of two pairs of days."""
    root = tmp_path_factory.mktemp("reports")
    patch = pytest.MonkeyPatch()
    patch.setenv("ZONEWISE_HOME", str(root))
    space = Workspace(root / "town")
    Job(workspace=space, spec=JobSpec(city="toy", zones="square", zone_count=4), n_jobs=1).run(until="city")
    (root / "close.yaml").write_text(SCENARIO)
    run, _ = make_study(space, str(root / "close.yaml"), seeds=2)
    yield space, run
    patch.undo()


@pytest.fixture(scope="module")
def page(town, tmp_path_factory):
    space, run = town
    return make_report(space, run, tmp_path_factory.mktemp("page") / "r.html")


@pytest.fixture(scope="module")
def note(town, tmp_path_factory):
    space, run = town
    return make_report(space, run, tmp_path_factory.mktemp("note") / "r.md")


class Seen(HTMLParser):
    """Tags with attributes, the order of headings, and whether every element is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.headings, self.captions = [], [], [], 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_asks_nothing_of_the_net_and_runs_nothing(page):
    """Every src, href and url() stays in the file; the one script is data; a policy forbids the rest."""
    text = page.read_text(encoding="utf-8")
    seen = Seen(text)
    assert seen.open == []
    for tag, attrs in seen.tags:
        for name in ("src", "href", "xlink:href", "srcset", "action", "data", "poster", "background"):
            assert attrs.get(name, "#").startswith("#"), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")], (tag, attrs)
    assert {target[0] for target in re.findall(r"url\(\s*['\"]?([^)]*)", text)} <= {"#"}
    assert "@import" not in text
    scripts = [attrs for tag, attrs in seen.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "zonewise-study"}]
    assert not {"img", "iframe", "link", "object", "embed", "a", "base"} & {tag for tag, _ in seen.tags}
    assert any(attrs.get("content", "").startswith("default-src 'none'") for tag, attrs in seen.tags if tag == "meta")


def test_headings_are_in_order_and_every_table_has_a_caption(page):
    """One h1, no level left out, as many captions as tables."""
    seen = Seen(page.read_text(encoding="utf-8"))
    assert seen.headings[0] == 1 and seen.headings.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(seen.headings, seen.headings[1:]))
    kinds = [tag for tag, _ in seen.tags]
    assert kinds.count("table") == kinds.count("caption") > 10
    assert all("scope" in attrs for tag, attrs in seen.tags if tag == "th")
    drawings = [attrs for tag, attrs in seen.tags if tag == "svg"]
    assert len(drawings) >= 9 and all(one["role"] == "img" and one["aria-label"] for one in drawings)
    ids = [attrs["id"] for _, attrs in seen.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_the_report_tells_all_that_a_council_asks(page, town):
    """Question, warnings, effects, who loses, money, access, method, sources, quality, versions, command, YAML."""
    space, run = town
    text = page.read_text(encoding="utf-8")
    for words in (
        "What changes in Toy town if:", "Does the # town | need *this* street?", "In short", "By hour of day",
        "By zone",
        "Who gains and who loses", "What it costs", "Accessibility and reliability", "Method", "Common random numbers",
        "relative gap", "Vehicles moved to keep the network from locking", "doi:10.2832/51388", "Quality of the data",
        "not counted", "Version of numpy", "--seeds 2 --days 1 --start 2026-01-27", "measure: close_street", run,
    ):  # fmt: skip
        assert words in text, words
    delay = space.runs.read(run, "effects").query("quantity == 'delay_hours' and scope == 'city' and hour == -1")
    from app.reports.quantities import interval

    assert interval(delay["lower"].item(), delay["upper"].item()) in text


def test_the_note_holds_the_same_tables_and_its_drawings(page, note):
    """As many tables, no raw markup, every drawing defined in the file, columns even in every table."""
    text = note.read_text(encoding="utf-8")
    rules = re.findall(r"^\| (?:-+:? \| )*-+:? \|$", text, re.MULTILINE)
    assert len(rules) == page.read_text(encoding="utf-8").count("<table>")
    used, defined = re.findall(r"\]\[(drawing-\d+)\]", text), re.findall(r"^\[(drawing-\d+)\]: data:image", text, re.M)
    assert used == defined and len(used) >= 9
    assert "<img" not in text.split("```yaml")[0] and not re.search(r"(?<!\\)\]\(", text.split("```yaml")[0])
    table = text[text.index(rules[0]) :].split("\n\n")[0].splitlines()
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table}) == 1
    assert read_report(note) == read_report(page)


def test_a_study_is_repeated_from_the_page_alone_to_the_last_bit(page):
    """The city is made anew in another place; every table is the same."""
    found = reproduce(read_report(page))
    assert found.same and found.city_same and found.reasons == ()
    assert all(found.tables.values()) and {"effects", "link_effects", "hourly", "risk"} <= set(found.tables)
    assert found.differing == () and "same to the last bit" in str(found)


def test_a_study_of_another_report_is_not_the_same_and_says_what_differs(page, town):
    """The report claims another delay and other code than there are: both are told, with both values."""
    space, _ = town
    told = read_report(page)
    mine = [one for one in told.figures if (one.quantity, one.scope) == ("delay_hours", "city")]
    figures = tuple(one.model_copy(update={"effect": one.effect + 1.0}) for one in mine)
    forged = told.model_copy(
        update={"figures": figures, "tables": {**told.tables, "effects": "0"}, "code": {"simulation": "other"},
                "study": told.study.model_copy(update={"pairs": 1})}
    )  # fmt: skip
    found = reproduce(forged, workspace=space)
    assert not found.same and found.city_same and not found.tables["effects"]
    assert any("other in the report" in reason for reason in found.reasons)
    assert [(one["quantity"], one["reported"]) for one in found.differing] == [("delay_hours", figures[0].effect)]
    assert "delay_hours (city): reported" in str(found) and "Not the same" in str(found)


def test_the_command_line_writes_checks_and_refuses(town, tmp_path, capsys):
    """`latest` is the study; another ending, a folder that is not there and a run of another kind are refused."""
    space, run = town
    main(["scenario", "report", "latest", "town", "--to", str(tmp_path / "a.html"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told["run"] == run and told["bytes"] == (tmp_path / "a.html").stat().st_size
    main(["scenario", "reproduce", str(tmp_path / "a.html"), "--check"])
    assert json.loads(capsys.readouterr().out)["run"] == run
    for to, words in (("a.pdf", "ending '.pdf'"), ("none/a.html", "there is no folder")):
        with pytest.raises(ReportError, match=words):
            make_report(space, run, tmp_path / to)
    with pytest.raises(ReportError, match="no study"):
        make_report(space, space.describe()["runs"]["city"], tmp_path / "b.html")
    assert not (tmp_path / "b.html").exists()


def test_words_of_a_verdict_without_a_reason_name_the_machine():
    """Same city, code and versions, other figures: only arithmetic is left."""
    found = Reproduction(same=False, city_same=True, tables={"effects": False}, differing=(), reasons=(), pairs=1)
    assert "processor" in str(found) and "processor" not in str(replace(found, same=True))


def test_the_group_says_what_each_command_is_for(capsys):
    """Every command of the group stands in its help, in plain words."""
    main(["scenario", "--help"])
    text = capsys.readouterr().out
    for word in ("run", "list", "compare", "sweep", "learn", "preview", "recommend", "report", "reproduce"):
        assert f"\n  {word} " in text
    assert "Hand out" in text


def test_plans_are_compared_from_the_command_line(town, tmp_path, capsys):
    """Against a plan that changes nothing: the difference is minus the effect; one plan alone is refused."""
    space, _ = town
    (tmp_path / "nothing.yaml").write_text("name: nothing\nmeasures: []\n")
    files = [str(space.root.parent / "close.yaml"), str(tmp_path / "nothing.yaml")]
    command = ["scenario", "compare", *files, "--workspace", "town", "--seeds", "1", "--n-jobs", "1"]
    main([*command, "--json"])
    told = json.loads(capsys.readouterr().out)

    def one(rows, column):
        found = [r for r in rows if (r["quantity"], r["scope"], r["hour"]) == ("delay_hours", "city", -1)]
        return [r[column] for r in found]

    assert one(told["differences"], "difference") == pytest.approx([-one(told["effects"], "effect")[0]])
    main(command)
    text = capsys.readouterr().out
    assert "nothing less close_row" in text and "Delay" in text and "one pair alone" in text
    with pytest.raises(SystemExit):
        main([*command, "--quantity", "noise"])
    assert "no figure noise; there are" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["scenario", "compare", files[0], "--workspace", "town"])
    assert "two scenarios or more" in capsys.readouterr().err


def test_a_sweep_is_stored_and_written_as_csv(town, tmp_path, capsys):
    """Two points, one of them today: a row each, the same run again, and a table that reads back."""
    import pandas as pd

    (tmp_path / "less.yaml").write_text("name: less\nmeasures:\n  - measure: demand\n    percent: -5\n")
    command = ["scenario", "sweep", str(tmp_path / "less.yaml"), "--workspace", "town", "--seeds", "1", "--n-jobs", "1"]
    command += ["--set", "measures.0.percent=-20:0:20", "--csv", str(tmp_path / "s.csv")]
    main([*command, "--json"])
    told = json.loads(capsys.readouterr().out)
    table = pd.read_csv(tmp_path / "s.csv")
    assert len(table) == len(told["rows"])
    rows = table[(table["quantity"] == "vehicle_km") & (table["scope"] == "city") & (table["hour"] == -1)]
    assert rows["measures.0.percent"].tolist() == [-20, 0] and rows["effect"].iloc[0] < 0 == rows["effect"].iloc[1]
    main([*command, "--json"])
    assert json.loads(capsys.readouterr().out)["run"] == told["run"]
    with pytest.raises(SystemExit):
        main([*command[:-4], "--set", "measures.1.percent=1,2"])
    assert "measures.1.percent: there is no '1'" in capsys.readouterr().err

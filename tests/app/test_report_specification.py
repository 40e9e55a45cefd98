"""What a report carries for the machine, and reports that are none: nothing in them is trusted or executed."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from app.job_spec import source
from app.reports.document import Code, Document, Grid, Heading, Paragraph
from app.reports.errors import ReportError
from app.reports.markdown import to_markdown
from app.reports.page import to_html
from app.reports.repeating import job_of
from app.reports.specification import (
    CitySpec,
    FigureSpec,
    Specification,
    StudySpec,
    from_json,
    read_report,
    table_digest,
    to_json,
)

NASTY = '</script><script>alert(1)</script>``` & "quotes" <!-- -->'
DOCUMENT = Document(
    NASTY, "lead", (Heading("One"), Paragraph(NASTY, warning=True), Grid("c | d", ("a",), (("x|y",),)), Code(NASTY))
)


def specification(**city):
    made = {"city": "toy", "zones": "square", "zone_count": 4, "fleet": None, **city}
    return Specification(
        format=1,
        study=StudySpec(run="study-1", scenario={"name": "s", "label": NASTY, "measures": []}, pairs=2, days=1,
                        start="2026-01-27"),
        city=CitySpec(run="city-1", label=NASTY, digest="d", made_from=made),
        code={"simulation": "abc"}, versions={"numpy": "1"}, tables={"effects": "0"},
        figures=(FigureSpec(quantity="no2", scope="city", zone_id="", unit="ug/m3", base=0.1 + 0.2, effect=-1e-17),),
    )  # fmt: skip


@pytest.mark.parametrize("form", [to_html, to_markdown], ids=["html", "md"])
def test_a_report_gives_its_specification_back_to_the_last_bit(tmp_path, form):
    """0.1 + 0.2 comes back as it is, in a page whose texts try to close every block."""
    path = tmp_path / "r.x"
    path.write_text(form(DOCUMENT, to_json(specification())), encoding="utf-8")
    read = read_report(path)
    assert read == specification()
    assert read.figures[0].base == 0.1 + 0.2 and read.study.scenario["label"] == NASTY


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace('"pairs": 2', '"pairs": 3'), "changed or cut off"),
        (lambda text: text.replace("</script>\n</body>", ""), "holds no specification"),
        (lambda text: "<!DOCTYPE html><p>hello", "holds no specification"),
        (lambda text: "# A note\n\nnothing", "holds no specification"),
        (lambda text: text + text[text.rindex("<script type") :], "2 specifications"),
        (lambda text: text.replace('"format": 1', '"format": 9'), "format 9"),
        (lambda text: text.replace('"checksum": "', '"checksum": NaN, "x": "'), "damaged"),
        (lambda text: text.replace('{"checksum"', '["checksum"'), "damaged"),
    ],
)
def test_what_is_no_whole_report_is_refused_in_words(tmp_path, change, words):
    """Changed, cut off, foreign, doubled, of another format: each is told apart."""
    path = tmp_path / "r.html"
    path.write_text(change(to_html(DOCUMENT, to_json(specification()))), encoding="utf-8")
    with pytest.raises(ReportError, match=words):
        read_report(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    """A picture under the name of a report."""
    path = tmp_path / "r.html"
    path.write_bytes(b"\x89PNG\xff\xfe\x00")
    with pytest.raises(ReportError, match="cannot be read"):
        read_report(path)


def test_all_faults_of_a_well_formed_forgery_are_told_at_once():
    """A right checksum over wrong keys: pairs 0, an unknown key, a start that is missing."""
    value = json.loads(to_json(specification()))
    del value["checksum"], value["study"]["start"]
    value["study"] |= {"pairs": 0, "run_me": "rm -rf /"}
    from app.reports.specification import _checksum

    text = json.dumps({**value, "checksum": _checksum(value)})
    with pytest.raises(ReportError) as error:
        from_json(text)
    for word in ("study.start", "study.pairs", "study.run_me"):
        assert word in str(error.value)


def test_a_digest_sees_the_last_bit_and_not_the_order_of_columns():
    """One unit in the last place is another table; a nan is a nan."""
    table = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", "y"]})
    assert table_digest(table) == table_digest(table[["b", "a"]])
    assert table_digest(table) != table_digest(table.assign(a=[np.nextafter(1.0, 2.0), np.nan]))
    assert table_digest(table) != table_digest(table.assign(b=["x", "z"]))


def test_a_city_that_ships_is_made_anew_and_a_file_is_found_by_its_content(tmp_path):
    """The file has another name here; its content counts."""
    file = tmp_path / "was_fleet.csv"
    file.write_text("kind,share\n")
    digest = source(str(file)).rpartition(":")[2]
    job = job_of(specification(fleet=f"fleet.csv:{digest}"), [file])
    assert (job.city, job.zones, job.zone_count, job.fleet) == ("toy", "square", 4, str(file))
    assert job_of(specification(city="synthetic:200@3")).city == "synthetic:200@3"


def test_all_that_is_lacking_for_a_city_is_named_at_once(tmp_path):
    """An own extract, a fleet and a place of the net: none can be made here, and no path of the report is opened."""
    own = specification(city="town.osm.pbf:0123456789abcdef", fleet="fleet.csv:fedcba9876543210")
    with pytest.raises(ReportError) as error:
        job_of(own)
    for word in ("town.osm.pbf:0123456789abcdef", "fleet.csv:fedcba9876543210", "--file", "--workspace"):
        assert word in str(error.value)
    with pytest.raises(ReportError, match="not downloaded"):
        job_of(specification(city="Monaco"))
    with pytest.raises(ReportError, match="not downloaded"):
        job_of(specification(city="/etc/passwd"))
    with pytest.raises(ReportError, match="zone_count='many'") as error:
        job_of(specification(zone_count="many", zones=3))
    assert "zones=3" in str(error.value)
    with pytest.raises(ReportError, match="no such file"):
        job_of(own, [tmp_path / "none"])


def test_the_air_of_a_study_is_found_by_content_with_how_it_is_read(tmp_path):
    """Weather and stations are files of other names here; columns, zone and codes come from the report."""
    for name in ("w.csv", "s.csv"):
        (tmp_path / name).write_text(f"time,{name}\n")
    weather, stations = (source(str(tmp_path / name)).rpartition(":")[2] for name in ("w.csv", "s.csv"))
    air = {"weather": f"weather.csv:{weather}", "weather_columns": "a=b", "background": None, "missing": "-999"}
    life = {"days": 9, "seed": 4, "start": "2026-02-02", "step_s": 900, "stations": f"air.csv:{stations}"}
    told = specification()
    told = told.model_copy(update={"study": told.study.model_copy(update={"air": air, "calibration": life})})
    job = job_of(told, [tmp_path / "w.csv", tmp_path / "s.csv"])
    assert (job.weather, job.stations) == (str(tmp_path / "w.csv"), str(tmp_path / "s.csv"))
    assert (job.weather_columns, job.missing, job.days, job.seed, job.start) == ("a=b", "-999", 9, 4, "2026-02-02")
    with pytest.raises(ReportError, match=r"weather: the file weather\.csv"):
        job_of(told, [tmp_path / "s.csv"])

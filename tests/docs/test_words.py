"""Words of the field are spelled one way: in README and docs, on screens, in docstrings and in what commands print."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from app.texts import EN

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("data", "zones", "models", "simulation", "app")
#: How it is written, and how it is not; patterns are looked for as whole words, in prose alone.
SPELLINGS = {
    "micromodel": r"micro[- ]models?",
    "macromodel": r"macro[- ]models?",
    "PM2.5": r"(?:PM25|PM 2\.5|pm2\.5|Pm2\.5|PM2,5|PM_2\.5)",
    "PM10": r"(?:PM 10|pm10|PM_10)(?!\w)",
    "free-flow speed": r"(?:free flow speeds?|freeflow speeds?)",
    "workspace": r"(?:work[- ]spaces?)",
    "backtest": r"back[- ]tests?",
    "citywide": r"city[- ]wide",
    "OpenStreetMap": r"(?:Open ?street ?map|Openstreetmap|Open Street Map)",
    "SimPy": r"(?:Simpy|SIMPY)",
    "XGBoost": r"(?:XGboost|Xgboost|XG-Boost)",
    "OD matrix": r"(?:OD-matri\w+|origin-destination matri\w+)",
    "street canyon": r"street[- ]canion",
    "light vehicle": r"(?:lorrys|vehicules?)",
    "Lden": r"(?:LDEN|LDen)(?!\w)",
    "user equilibrium": r"user-equilibri\w+",
    "out of fold": r"out[- ]off[- ]fold",
}
WRONG = {name: re.compile(rf"(?<![\w./`-])(?:{pattern})(?![\w/`])") for name, pattern in SPELLINGS.items()}
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(p for p in sorted((ROOT / "docs").rglob("*.md")) if "examples" not in p.parts),
]  # fmt: skip


def prose(text: str) -> str:
    """Text without code: fenced and indented blocks, what stands in backquotes, links' targets."""
    text = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    text = re.sub(r"^(?: {4}|\t|>>> ).*$", " ", text, flags=re.MULTILINE)
    text = re.sub(r"``[^`]*``|`[^`]*`", " ", text)
    return re.sub(r"\]\([^)]*\)", "]", text)


def faults(text: str) -> list[str]:
    """What is spelled otherwise than here."""
    return [f"{found[0]!r}: write {name}" for name, wrong in WRONG.items() for found in wrong.finditer(text)]


def docstrings(file: Path) -> str:
    """All docstrings of a module, cleaned."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return "\n\n".join(ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, holders))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_spells_the_words_of_the_field_as_the_glossary(page):
    assert faults(prose(page.read_text(encoding="utf-8"))) == []


def test_the_screens_spell_them_so():
    found = {key: faults(prose(text)) for key, text in EN.items() if isinstance(text, str)}
    assert {key: wrong for key, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_docstrings_spell_them_so(room):
    found = {
        file.relative_to(ROOT).as_posix(): faults(re.sub(r"``[^`]*``|`[^`]*`", " ", docstrings(file)))
        for file in sorted((ROOT / room).rglob("*.py"))
    }
    assert {file: wrong for file, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("A micro-model and a macro model.", 2), ("The city-wide free flow speed.", 2), ("PM25 in two work spaces", 2),
        ("A micromodel; `micro-model`; pm25; free-flow speed; at free flow speeds differ", 1), ("no2_ug_per_m3", 0),
    ],
)  # fmt: skip
def test_a_wrong_spelling_is_found(text, told):
    assert len(faults(prose(text))) == told


def test_the_glossary_has_the_words_that_a_reader_meets_first():
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    for word in ("Micromodel, macromodel", "Free-flow speed", "Workspace", "PM2.5", "Coverage", "Scenario, measure"):
        assert word in text

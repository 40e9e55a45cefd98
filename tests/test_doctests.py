"""Examples in docstrings show what they say: those of all packages, and those of what builds the docs."""

from __future__ import annotations

import doctest
import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("data", "zones", "models", "simulation", "app")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples() -> list[str]:
    """Dotted names of modules that hold an example; others are not imported for it."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    holding = [file for file in files if ">>> " in file.read_text(encoding="utf-8")]
    return [".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for file in holding]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_module_hold(name):
    module = importlib.import_module(name)
    outcome = doctest.testmod(module, optionflags=FLAGS)
    assert outcome.attempted and not outcome.failed


def test_the_examples_of_what_builds_the_docs_hold(monkeypatch):
    """Names of our types, `S`, bars and stars as Sphinx wants them."""
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    module = importlib.import_module("docstrings")
    try:
        assert doctest.testmod(module, optionflags=FLAGS).failed == 0
    finally:
        sys.modules.pop("docstrings", None)


def test_there_are_examples_in_every_engine_of_the_house():
    """A search that finds nothing would pass."""
    assert {name.split(".")[0] for name in modules_with_examples()} >= {"data", "models", "simulation"}

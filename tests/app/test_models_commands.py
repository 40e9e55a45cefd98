"""`zonewise models`: cards to read, versions to promote, roll back, pin, prune and export."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from app.card_page import page
from app.cli import main
from data.store.workspace import Workspace
from models.baselines import HistoricalAverage, LastValue
from models.cards import describe
from models.panel import Panel
from models.registry import Registry

TARGET = "no2_ug_per_m3"


@pytest.fixture(scope="module")
def panel():
    """Ten days of NO2 in one zone: a daily wave, and a little luck."""
    times = pd.date_range("2025-03-03", periods=240, freq="h", tz="UTC")
    rng = np.random.default_rng(1)
    wave = 30 + 10 * np.sin(np.arange(240) / 24 * 2 * np.pi)
    return Panel(times=times, zone_ids=("Z01",), values={TARGET: (wave + rng.normal(0, 2, 240))[:, None]}, step_s=3600)


@pytest.fixture
def town(panel, tmp_path, monkeypatch):
    """A workspace with three versions of one model."""
    monkeypatch.setenv("ZONEWISE_HOME", str(tmp_path))
    space = Workspace(tmp_path / "town")
    space.update(city="toy")
    registry = Registry(space.models, by="training")
    end = panel.origin(191)
    for kind in (LastValue, HistoricalAverage, LastValue):
        model = kind(seed=1).fit(panel, target=TARGET, zone_ids=("Z01",), train_end=end)
        told = describe(model, panel=panel, source="measured", code_version="abc")
        registry.promote_if_better("Z01", TARGET, model, told, panel=panel, left_out_from=end)
    return registry


def said(capsys, *arguments):
    """What a command prints."""
    main(["models", *arguments])
    return capsys.readouterr().out


def refused(capsys, *arguments):
    """What a command complains of, which ends with status 2."""
    with pytest.raises(SystemExit) as end:
        main(["models", *arguments])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_the_list_and_the_versions_tell_what_is_in_force(town, capsys):
    """The usual value is better than the last reading: 0002 is in force, 0003 was kept back."""
    rows = json.loads(said(capsys, "list", "town", "--json"))
    assert [(row["zone_id"], row["version"], row["versions"]) for row in rows] == [("Z01", "0002", 3)]
    rows = json.loads(said(capsys, "versions", "Z01", TARGET, "town", "--json"))
    assert [row["state"] for row in rows] == ["before", "in force", ""]
    assert rows[2]["decision"].startswith("0002 stays")


def test_a_card_reads_as_a_page_as_markdown_and_as_json(town, capsys):
    text = said(capsys, "card", "Z01", TARGET, "town")
    assert text.startswith("NO₂ in zone Z01, version 0002") and "In force, since" in text
    for heading in ("What it learned from", "What it is not fit for", "Why it is in force, or not", "Size"):
        assert heading in text
    assert "192 measured readings of 8 days" in text and "µg/m³" in text
    kept = said(capsys, "card", "Z01", TARGET, "town", "--version", "0003", "--markdown")
    assert kept.startswith("# NO₂") and "## Size" in kept and "- Not put in force: 0002 stays" in kept
    assert json.loads(said(capsys, "card", "Z01", TARGET, "town", "--json"))["code_version"] == "abc"


def test_a_card_of_an_older_release_is_a_page_too():
    """Before cards had sections they had a family, a version and files."""
    old = {"zone_id": "_city", "target": TARGET, "version": "0001", "family": "ridge", "files": {}}
    assert "the whole city (macromodel), version 0001" in page(old)


def test_rolling_back_pinning_and_the_log(town, capsys):
    assert "0001" in said(capsys, "rollback", "Z01", TARGET, "town", "--why", "odd at night", "--by", "Ada")
    assert "nothing to roll back to" in refused(capsys, "rollback", "Z01", TARGET, "town")
    assert "0001" in said(capsys, "pin", "Z01", TARGET, "town", "--why", "works")
    assert "pinned to 0001" in refused(capsys, "promote", "Z01", TARGET, "0003", "town")
    said(capsys, "unpin", "Z01", TARGET, "town")
    said(capsys, "promote", "Z01", TARGET, "0003", "town")
    log = json.loads(said(capsys, "log", "town", "--json"))
    assert [row["action"] for row in log] == ["promote", "promote", "keep", "rollback", "pin", "unpin", "promote"]
    assert (log[3]["by"], log[3]["why"]) == ("Ada", "odd at night")
    assert len(json.loads(said(capsys, "log", "town", "--last", "2", "--json"))) == 2


def test_pruning_and_checking(town, capsys):
    assert "0 versions" in said(capsys, "prune", "town", "--keep", "1")  # in force, before it, newest
    town.promote("Z01", TARGET, "0003")
    assert json.loads(said(capsys, "prune", "town", "--keep", "1", "--json"))[0]["version"] == "0001"
    assert "whole" in said(capsys, "check", "town")
    town.store.put(f"Z01/{TARGET}/current.json", b"{")
    assert "damaged" in refused(capsys, "card", "Z01", TARGET, "town")
    assert "mended" in said(capsys, "check", "town", "--repair", "--json")
    assert town.current("Z01", TARGET) == "0003"


def test_an_export_needs_no_project_to_be_read(town, capsys, tmp_path):
    folder = tmp_path / "out"
    said(capsys, "export", "Z01", TARGET, "town", "--to", str(folder))
    names = {path.name for path in folder.iterdir()}
    assert {"card.json", "card.md", "model.json", "arrays.npz", "arrays.json"} <= names
    assert json.loads((folder / "card.json").read_text())["version"] == "0002"
    assert "force" in refused(capsys, "export", "Z01", TARGET, "town", "--to", str(folder))


def test_asking_for_what_is_not_there_says_what_is(town, capsys):
    assert "there are ['0001', '0002', '0003']" in refused(capsys, "promote", "Z01", TARGET, "0009", "town")
    assert "Z07" in refused(capsys, "card", "Z07", TARGET, "town")

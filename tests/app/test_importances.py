"""`zonewise models importance`: three ways to ask what a zone's model looks at."""

from __future__ import annotations

import json

import pytest

from app.cli import main
from app.importances import importances
from data.errors import InputError
from models.errors import SettingsError

SPEED = "speed_mps"


def asked(space, capsys, by: str) -> list[dict]:
    main(["models", "importance", "Z01", SPEED, "--by", by, "--workspace", str(space.root), "--json"])
    return json.loads(capsys.readouterr().out)


def test_contributions_and_permutation_are_told_for_a_line(drifted_once, capsys):
    rows = asked(drifted_once, capsys, "contributions")
    assert {"feature", "label", "mean_contribution"} <= set(rows[0]) and rows[0]["mean_contribution"] > 0
    groups = asked(drifted_once, capsys, "permutation")
    assert {"group", "error_growth", "lower", "upper"} <= set(groups[0])
    assert groups[0]["error_growth"] >= groups[-1]["error_growth"]


def test_a_line_has_no_gain_and_a_strange_zone_no_model(drifted_once):
    with pytest.raises(SettingsError, match="contributions"):
        importances(drifted_once, "Z01", SPEED, by="gain", ahead_s=3600)
    with pytest.raises(InputError, match=r"Z77.*Z01"):
        importances(drifted_once, "Z77", SPEED, by="gain", ahead_s=3600)

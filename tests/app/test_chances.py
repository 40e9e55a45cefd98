"""`zonewise models chance`: learned for one limit, scored on days left out, honest where there is too little."""

from __future__ import annotations

import json

import numpy as np
import pytest

from app.chances import chances
from app.cli import main
from app.monitoring import watched_panel
from data.errors import InputError

SPEED, NO2 = "speed_mps", "no2_ug_per_m3"


def test_chances_of_a_jam_are_learned_and_hold_on_days_left_out(drifted_once, capsys):
    """Slow traffic (below 25 km/h) comes at the peaks: the classifier saves part of the error of the usual share."""
    main(["models", "chance", SPEED, "--limit", "25", "--below", "--workspace", str(drifted_once.root), "--json"])
    rows = {row["zone_id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["Z01"]["episodes"] >= 10 and rows["Z01"]["brier_skill"] > 0.3
    assert 0 <= rows["Z01"]["chance"] <= 1 and rows["Z01"]["n"] > 100
    panel = watched_panel(drifted_once)
    speeds = panel.values[SPEED][:, panel.columns(["Z01"])[0]]
    assert rows["Z01"]["usual_share"] == pytest.approx(np.nanmean(speeds < 25 / 3.6), abs=0.1)


def test_where_a_limit_is_never_passed_no_chance_is_invented(drifted_once):
    table = chances(drifted_once, NO2, 5000.0)
    assert table["chance"].isna().all() and table["note"].str.contains("No chance is given").all()


def test_faults_say_what_there_is(drifted_once):
    with pytest.raises(InputError, match=r"noise.*speed_mps"):
        chances(drifted_once, "noise", 1.0)
    with pytest.raises(InputError, match="900 s"):
        chances(drifted_once, SPEED, 1.0, horizon_s=1000)

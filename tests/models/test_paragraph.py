"""A forecast told to a planner: right numbers in shown units, plain words, no word of cause, an honest record."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from models.errors import SettingsError
from models.paragraph import Chance, TrackRecord, grouped, paragraph

TABLE = pd.DataFrame(
    {
        "feature": ["usual", "own_lag_0", "near1_lag_0", "near2_lag_0", "ahead_sin1", "intercept"],
        "label": ["Usual value at that time", "Speed here, last reading", "Speed of neighbour 1, last reading",
                  "Speed of neighbour 2, last reading", "Time of day", "Model's own level"],
        "value": [10.0, -1.0, -1.0, -1.0, 0.0, 1.0],
        "contribution": [10.0, -1.5, -0.5, -0.4, 0.01, 0.0],
    }
)  # fmt: skip


def _told(**more) -> str:
    return paragraph(TABLE, target="speed_mps", zone="Old Town", when="today at 17:30", **more)


def test_the_paragraph_reads_as_written_here():
    """10 m/s usual, 2.39 less: 27 km/h, 9 less than 36. Own readings -5.4 km/h, neighbours -3.24, the clock none."""
    assert _told(
        interval=(5.0, 9.0), record=TrackRecord(cases=400, error=1.0, usual_error=1.5, coverage=0.91)
    ) == (
        "Old Town, today at 17:30: speed is expected to be about 27 km/h, 9 km/h less than usual at that time"
        " (36 km/h). The model leaned most on the zone's own readings (5 km/h down) and the neighbours' readings"
        " (3 km/h down). The largest single item was “Speed here, last reading”. Nine times out of ten the reading"
        " should lie between 18 and 32 km/h. Over 400 earlier forecasts it was off by 4 km/h on average, against"
        " 5 km/h for the usual value alone. Its ranges held 91 % of the readings (90 % intended). This tells what the"
        " model looked at; what a measure would change is a question for a scenario."
    )  # fmt: skip


def test_no_word_says_that_an_input_is_a_cause():
    """Whole words that claim a cause do not occur in anything that can be said."""
    every = " ".join(
        [
            _told(interval=(5.0, 9.0), record=TrackRecord(9, 1.0, 0.5, 0.5), chance=Chance(8.0, 0.3, below=True)),
            _told(record=TrackRecord(0, float("nan")), chance=Chance(8.0, float("nan"), "Too few episodes.")),
        ]
    )
    banned = r"because|cause[sd]?|due to|leads? to|effect|impact|drives?|driven|thanks to|results? in|quantile|sigma"
    assert not re.search(rf"\b({banned})\b", every, re.IGNORECASE)
    assert "leaned most on" in every


def test_contributions_of_a_kind_are_summed():
    """Two neighbours of -0.5 and -0.4 make -0.9; the usual value and the model's own level are no inputs."""
    sums = grouped(TABLE)
    assert list(sums.index) == ["own past", "neighbours", "calendar"]
    assert sums["neighbours"] == pytest.approx(-0.9)


def test_a_forecast_at_the_usual_value_says_so():
    """Differences that vanish in the decimals shown are none."""
    table = TABLE.assign(contribution=[10.0, 0.05, -0.04, 0.0, 0.0, 0.0])
    told = paragraph(table, target="speed_mps", zone="A", when="now")
    assert "about 36 km/h, as usual at that time." in told
    assert "Nothing that it looked at moved the model far" in told


def test_a_poor_record_is_not_hidden():
    """Worse than the usual value, and 80 % held of 90 % intended; a record of nine forecasts is called short."""
    told = _told(record=TrackRecord(500, 2.0, 1.5, 0.80))
    assert "no better than the usual value alone (5 km/h): treat it with care" in told
    assert "somewhat too narrow" in told
    assert "Over nine earlier forecasts, which is a short record, it was off" in _told(record=TrackRecord(9, 1.0))
    assert "no earlier forecasts" in _told(record=TrackRecord(0, float("nan")))


def test_chances_of_passing_a_limit_are_told_or_declined():
    """0.3 is about 30 %; 0.001 below 1 %; nan is declined with the reason given."""
    assert "The chance that it falls below 29 km/h is about 30 %." in _told(chance=Chance(8.0, 0.3, below=True))
    assert "passes 29 km/h is below 1 %." in _told(chance=Chance(8.0, 0.001))
    assert "cannot be told. Only two episodes." in _told(chance=Chance(8.0, float("nan"), "Only two episodes."))


def test_chemical_names_keep_their_capitals():
    """PM2.5 and NO₂ stay as they are; flow is written small."""
    table = TABLE.assign(contribution=[10.0, 5.0, 0.0, 0.0, 0.0, 0.0])
    for target, name in (("pm25_ug_per_m3", "PM2.5"), ("no2_ug_per_m3", "NO₂"), ("flow_veh_per_h", "flow")):
        assert f": {name} is expected" in paragraph(table, target=target, zone="A", when="now")


def test_a_table_that_is_no_explanation_is_refused():
    """Without the usual value."""
    with pytest.raises(SettingsError, match="row 'usual'"):
        paragraph(TABLE.iloc[1:], target="speed_mps", zone="A", when="now")

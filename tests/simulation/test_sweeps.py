"""Sweeps: a grid of values of one scenario, checked before anything runs."""

import pytest

from simulation import sweep
from simulation.errors import RunError
from simulation.sweeps import Setting, form_of, grid, parsed, spread

FORM = {"name": "fewer", "measures": [{"measure": "demand", "percent": -10}]}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.8:1.2:0.1", (0.8, 0.9, 1, 1.1, 1.2)),
        ("-20:0:10", (-20, -10, 0)),
        ("3:1:-1", (3, 2, 1)),
        ("0:1:0.3", (0, 0.3, 0.6, 0.9)),
        ("20,30", (20, 30)),
        ("car, [car, van]", ("car", ["car", "van"])),
        ('"07:00","08:00"', ("07:00", "08:00")),
    ],
)
def test_values_are_read_as_people_write_them(text, values):
    """Steps are decimal, both ends count where a step meets them; lists are YAML."""
    assert spread(text) == values


@pytest.mark.parametrize("text", ["1:2:0", "1:2:-1", "0:1:0.0001", "1:x:2,[", "0:inf:1"])
def test_values_that_lead_nowhere_are_refused(text):
    with pytest.raises(RunError):
        spread(text)


def test_a_grid_has_every_combination_the_last_setting_fastest():
    """Two demands times two classes: four scenarios with names of their own."""
    points = grid(FORM, parsed({"measures.0.percent": "-20,10", "measures.0.classes": [["car"], ["van"]]}))
    assert [values for values, _ in points] == [(-20, ["car"]), (-20, ["van"]), (10, ["car"]), (10, ["van"])]
    assert [one.name for _, one in points] == ["fewer-000", "fewer-001", "fewer-002", "fewer-003"]
    assert [one.measures[0].factor for _, one in points] == [0.8, 0.8, 1.1, 1.1]
    assert FORM["measures"][0]["percent"] == -10


def test_all_faults_of_a_sweep_are_told_at_once():
    """Two paths that lead nowhere, one that is set twice; then every point that is no scenario, with its value."""
    with pytest.raises(RunError) as error:
        grid(FORM, parsed(["measures.3.percent=1,2", "wrong.key=1", "name=a", "name=b"]))
    for words in ("measures.3.percent: there is no '3'", "wrong.key: there is no 'wrong'", "name is set twice"):
        assert words in str(error.value)
    with pytest.raises(RunError) as error:
        grid(FORM, parsed(["measures.0.percent=-300,-10,text"]))
    assert "2 of 3 points are no scenarios" in str(error.value) and "percent=-300" in str(error.value)
    with pytest.raises(RunError, match="write PATH="):
        Setting.parse("measures.0.percent")
    with pytest.raises(RunError, match="1,001"):
        grid(FORM, [Setting(path="measures.0.percent", values=tuple(range(1001)))])


def test_a_shipped_scenario_and_a_file_can_be_varied(tmp_path):
    """The form has the keys of the file."""
    (tmp_path / "f.yaml").write_text("name: f\nmeasures:\n  - measure: demand\n    percent: 5\n")
    assert form_of(tmp_path / "f.yaml")["measures"][0]["percent"] == 5
    assert form_of("rainy_day")["measures"][0]["measure"] == "weather"


def test_a_point_that_changes_nothing_has_no_effect_and_less_demand_drives_less(town):
    """Demand times 1 is today, bit for bit; 30 % fewer trips drive fewer kilometres."""
    found = sweep(town, FORM, {"measures.0.percent": [-30, 0]}, seeds=1, days=1 / 24, start="2026-01-27 07:00")
    rows = found.table[(found.table["quantity"] == "vehicle_km") & (found.table["scope"] == "city")]
    rows = rows[rows["hour"] == -1].set_index("measures.0.percent")
    assert (found.table[found.table["measures.0.percent"] == 0]["effect"] == 0.0).all()
    assert -0.5 < rows.loc[-30, "effect"] / rows.loc[-30, "base"] < -0.15
    assert list(found.points["point"]) == ["fewer-000", "fewer-001"]

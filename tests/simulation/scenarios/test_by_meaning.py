"""Selection by meaning: names as people write them, drawn lines and polygons, directions, and, or, not."""

import numpy as np
import pytest

from simulation.scenarios import ScenarioError, Selection, from_form
from simulation.scenarios.select import bearings, resolve


def names(selection, city):
    return set(city.links["name"].iloc[resolve(selection, city)])


def drawn(city, *nodes):
    table = city.nodes
    return tuple((float(table["lon"].iloc[k]), float(table["lat"].iloc[k])) for k in nodes)


def test_a_street_of_two_names_answers_to_each(city):
    links = city.links.assign(name=city.links["name"].replace("Row street 3", "Säästökatu / Sparrgatan;Old Łódź road"))
    town = type("Town", (), {"links": links, "label": "Toy town", "zones": city.zones})()
    for name in ("saastokatu", "SPARRGATAN", "old  lodz road", "Säästökatu / Sparrgatan;Old Łódź road"):
        assert resolve(Selection(street=(name,)), town).size == 8
    with pytest.raises(ScenarioError, match="did you mean"):
        resolve(Selection(street=("Saastokato",)), town)


def test_a_drawn_line_takes_links_along_it_and_none_that_cross(city):
    """Through the middle row, nodes 10 to 14: its 4 blocks in 2 directions."""
    line = Selection(line=drawn(city, 10, 14))
    assert names(line, city) == {"Row street 3"} and resolve(line, city).size == 8


def test_a_direction_halves_a_line(city):
    """Along the line as drawn, the other way round, and by the compass."""
    there, back = (
        resolve(Selection(line=points, direction="along"), city)
        for points in (drawn(city, 10, 14), drawn(city, 14, 10))
    )
    assert there.size == back.size == 4 and not set(there) & set(back)
    assert (np.abs(bearings(city.links.geometry.to_numpy()[there]) - 90.0) < 1.0).all()
    east = resolve(Selection(street=("Row street 3",), direction="E"), city)
    assert set(east) == set(there) == set(resolve(Selection(street=("Row street 3",), direction="80"), city))


def test_or_and_not_join_and_take_out(city):
    both = Selection(any_of=(Selection(street=("Row street 3",)), Selection(street=("Row street 2",))))
    assert names(both, city) == {"Row street 2", "Row street 3"}
    rest = Selection(but_not=both)
    assert resolve(rest, city).size + resolve(both, city).size == len(city.links)
    assert not names(rest, city) & names(both, city)
    in_zone = Selection(zones=("Z01",), but_not=Selection(street=("Row street 3",)))
    assert set(resolve(in_zone, city)) == set(resolve(Selection(zones=("Z01",)), city)) - set(
        resolve(Selection(street=("Row street 3",)), city)
    )


def test_faults_of_parts_say_where_they_are(city):
    wrong = Selection(any_of=(Selection(street=("Nowhere",)),), but_not=Selection(zones=("Z99",)), links=(9999,))
    with pytest.raises(ScenarioError) as caught:
        resolve(wrong, city)
    assert {fault.where for fault in caught.value.faults} == {"links", "any_of[0].street", "but_not.zones"}


def test_geojson_is_a_drawing(city):
    corners = [list(point) for point in drawn(city, 0, 4, 24, 20)]
    shape = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}}
    form = {"name": "x", "measures": [{"measure": "speed_limit", "kmh": 30, "area": shape}]}
    one = from_form(form).measures[0]
    assert one.where.area == tuple(tuple(point) for point in corners) and one.links(city).size > 40
    line = {"type": "LineString", "coordinates": corners[:2]}
    form["measures"][0] = {"measure": "speed_limit", "kmh": 30, "line": line}
    assert len(from_form(form).measures[0].where.line) == 2
    form["measures"][0]["line"] = shape
    with pytest.raises(ScenarioError, match=r"measures\[0\].line: .*GeoJSON LineString"):
        from_form(form)


@pytest.mark.parametrize(
    ("where", "text"),
    [
        ({"direction": "up"}, "direction 'up'; allowed"),
        ({"direction": "along"}, "needs a line"),
        ({"street": "x", "but_not": {"stret": "y"}}, "unknown key 'stret'; did you mean 'street'"),
        ({"any_of": [{"street": "x"}, {"line": [[1, 2]]}]}, "line needs at least 2 points"),
        ({"days": ["mon", "funday"], "street": "x"}, "unknown weekday 'funday'"),
        ({"first_day": "2026-13-01", "street": "x"}, "is not a date"),
        ({"first_day": "2026-06-02", "last_day": "2026-06-01", "street": "x"}, "is after the last"),
    ],
)
def test_what_is_wrong_with_a_place_or_a_time_is_said(where, text):
    with pytest.raises(ScenarioError, match=text):
        from_form({"name": "x", "measures": [{"measure": "speed_limit", "kmh": 30} | where]})


def test_dates_without_quotes_and_weekday_words_are_understood():
    """YAML makes dates of 2026-06-01; days without hours mean whole days."""
    from simulation.scenarios import scenario_from_yaml

    text = """
name: x
measures:
  - {measure: speed_limit, kmh: 30, street: x, days: weekdays, first_day: 2026-06-01, last_day: "2026-06-30"}
"""
    hours = scenario_from_yaml(text).measures[0].hours
    assert (hours.start_s, hours.end_s, hours.first, hours.last) == (0.0, 86_400.0, "2026-06-01", "2026-06-30")
    assert str(hours) == "00:00-24:00, weekdays, from 2026-06-01 to 2026-06-30"

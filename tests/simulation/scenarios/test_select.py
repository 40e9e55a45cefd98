"""Selections on the toy town, by hand."""

import numpy as np
import pytest

from data.toy import LAT0, LON0
from simulation.scenarios import ScenarioError, Selection
from simulation.scenarios.select import resolve

EAST_M = 1.0 / (111_195.0 * np.cos(np.radians(LAT0)))  # degrees in a metre
NORTH_M = 1.0 / 111_195.0


def point(x_m, y_m):
    return (LON0 + x_m * EAST_M, LAT0 + y_m * NORTH_M)


def names(city, **words):
    return sorted(set(city.links["name"].iloc[resolve(Selection(**words), city)]))


def test_an_empty_selection_is_every_link(city):
    assert resolve(Selection(), city).tolist() == list(range(80))


def test_streets_are_found_without_case_and_accents(city):
    """5 rows and 5 columns of 4 blocks and 2 directions: 8 links a street."""
    assert resolve(Selection(street=("row STREET 3", "Rów street 1")), city).size == 16


def test_keys_narrow_and_values_add_up(city):
    both = resolve(Selection(zones=("Z01", "South-east"), road_class=("primary",)), city)
    south = set(city.link_zone.loc[city.link_zone["zone_id"].isin(["Z01", "Z02"]), "link_id"])
    assert set(both) == south & set(np.flatnonzero(city.links["road_class"] == "primary"))


def test_osm_ways_find_their_links(city):
    assert resolve(Selection(ways=(103, 110)), city).tolist() == [3, 10]
    assert resolve(Selection(ways=(7,)), city).size == 80


def test_an_area_takes_the_links_that_lie_in_it_by_half(city):
    """A box around the crossing at (400, 400) m that holds 150 of each block's 200 m: the 4 blocks, both ways."""
    corners = tuple(point(x, y) for x, y in ((250, 250), (550, 250), (550, 550), (250, 550)))
    found = resolve(Selection(area=corners), city)
    assert found.size == 8
    ends = {(row.from_node_id, row.to_node_id) for row in city.links.iloc[found].itertuples()}
    assert all(12 in pair for pair in ends)


def test_a_line_along_a_street_takes_that_street(city):
    """10 m beside Row street 3 (y = 400 m), over its whole length: its 8 links and no crossing street."""
    assert names(city, line=(point(0, 410), point(800, 410))) == ["Row street 3"]


def test_a_line_across_streets_takes_what_it_crosses(city):
    """From (100, 300) to (100, 500) m: it cuts Row street 3 alone, half-way along its first block."""
    found = resolve(Selection(line=(point(100, 300), point(100, 500))), city)
    assert names(city, line=(point(100, 300), point(100, 500))) == ["Row street 3"] and found.size == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ({"street": ("Rau street 2",)}, "unknown street 'Rau street 2'; did you mean 'Row street 2'"),
        ({"zones": ("South-eas",)}, "did you mean 'South-east'"),
        ({"road_class": ("primry",)}, "unknown road class 'primry'; did you mean 'primary'"),
        ({"road_class": ("motorway",)}, "no link of Toy town is motorway streets"),
        ({"links": (80,)}, "unknown link 80; ids run from 0 to 79"),
        ({"ways": (5,)}, "OSM way 5 is not among the streets of Toy town"),
        ({"area": (point(5000, 0), point(5100, 0), point(5100, 100))}, "holds no street"),
        ({"street": ("Row street 1",), "road_class": ("primary",)}, "no link of Toy town is Row street 1"),
    ],
)
def test_what_the_city_does_not_have_is_named(city, words, text):
    with pytest.raises(ScenarioError, match=text):
        resolve(Selection(**words), city)


def test_all_unknown_names_are_reported_at_once(city):
    with pytest.raises(ScenarioError) as caught:
        resolve(Selection(street=("Nowhere lane", "Row street 9"), zones=("Z77",)), city)
    assert len(caught.value.faults) == 3

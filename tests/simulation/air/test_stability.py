"""Pasquill classes: every cell of the table, its limits, its order; the length that stands for a class."""

import numpy as np
import pytest

from simulation.air.errors import AirError, WeatherError
from simulation.air.stability import CLASSES, obukhov_length, pasquill_class

# EPA-454/R-99-005, table 6-7, by day, Pasquill (1961) by night: strong, moderate, slight, weak sun; cloudy, clear night
CELLS = {1.0: "AABDEF", 2.5: "ABCDEF", 4.0: "BBCDDE", 5.5: "CCDDDD", 8.0: "CDDDDD"}
# Pasquill's own day, which may name two classes: strong, moderate, slight
PASQUILL = {1.0: ("A", "AB", "B"), 2.5: ("AB", "B", "C"), 4.0: ("B", "BC", "C"), 5.5: ("C", "CD", "D"), 8.0: "CDD"}


def one(wind, radiation=0.0, cloud=0.0, night=False, **more):
    return CLASSES[int(pasquill_class(wind, radiation, cloud, night, **more))]


@pytest.mark.parametrize("wind", CELLS)
@pytest.mark.parametrize(("column", "radiation"), enumerate([1000.0, 800.0, 400.0, 100.0]))
def test_each_cell_of_the_day(wind, column, radiation):
    """Wind of the row, sun of the column, a tenth of cloud."""
    assert one(wind, radiation, 0.1) == CELLS[wind][column]


@pytest.mark.parametrize("wind", CELLS)
@pytest.mark.parametrize(("column", "cloud"), [(4, 0.75), (5, 0.25)])
def test_each_cell_of_the_night(wind, column, cloud):
    """More or less than four eighths of cloud; the sun counts for nothing (moonlight of 0.1 W/m2, a lamp of 900)."""
    assert one(wind, 0.1, cloud, True) == one(wind, 900.0, cloud, True) == CELLS[wind][column]


@pytest.mark.parametrize("wind", PASQUILL)
def test_the_day_is_one_of_pasquills_classes(wind):
    """Where Pasquill names two classes ("A-B") the table takes one of the two."""
    for allowed, radiation in zip(PASQUILL[wind], (1000.0, 800.0, 400.0), strict=True):
        assert one(wind, radiation) in allowed


def test_a_limit_belongs_to_the_stronger_wind_and_sun():
    """2, 3, 5 m/s open the next row; 175, 675, 925 W/m2 the next column; four eighths are still a clear night."""
    assert [one(u, 1000.0) for u in (1.999, 2.0, 2.999, 3.0, 4.999, 5.0, 5.999, 6.0)] == list("AAABBCCC")
    assert [one(2.0, r) for r in (174.9, 175.0, 674.9, 675.0, 924.9, 925.0)] == list("DCCBBA")
    assert [one(5.0, 700.0), one(5.999, 700.0), one(6.0, 700.0)] == ["C", "C", "D"]
    assert [one(1.0, cloud=c, night=True) for c in (0.5, 0.501)] == ["F", "E"]


def test_an_overcast_sky_is_neutral_by_day_and_night():
    """8/8: D at any wind (READY, note 3); 7/8 is not overcast."""
    for wind in CELLS:
        assert one(wind, 1000.0, 1.0) == one(wind, 0.0, 1.0, True) == "D"
    assert one(1.0, 1000.0, 7 / 8) == "A" and one(1.0, 0.0, 7 / 8, True) == "E"


def test_the_hours_beside_the_night_are_neutral_and_the_night_itself_is_not():
    assert one(1.0, 400.0, 0.0, False, beside_night=True) == "D"
    assert one(1.0, 0.0, 0.0, True, beside_night=True) == "F"


def test_more_wind_goes_toward_neutral_and_more_sun_toward_unstable():
    """Distance from D never grows with wind; the class index never grows with radiation, nor with cloud by night."""
    wind = np.linspace(0.0, 12.0, 121)
    sun = np.linspace(0.0, 1100.0, 111)
    by_wind = pasquill_class(wind[:, None], sun, 0.1, False)
    assert (np.diff(np.abs(by_wind - 3), axis=0) <= 0).all()
    assert (np.diff(by_wind, axis=1) <= 0).all()
    night = pasquill_class(wind[:, None], 0.0, np.linspace(0, 1, 50), True)
    assert (np.diff(night, axis=0) <= 0).all() and (np.diff(night, axis=1) <= 0).all() and (night >= 3).all()


def test_faults_are_all_named_with_their_rows():
    with pytest.raises(WeatherError) as error:
        pasquill_class([1.0, -2.0, np.nan], [0.0, 5.0, np.inf], [0.0, 1.5, 0.0], False)
    text = str(error.value)
    assert "wind_10m" in text and "1: -2" in text and "2: nan" in text
    assert "radiation" in text and "2: inf" in text and "cloud" in text and "1: 1.5" in text


def test_obukhov_lengths_over_one_metre_are_the_constants():
    """1^p = 1: -11.4, -26, -123, inf, 123, 26 m; over 0.1 m: -11.4 x 0.1^0.1 = -9.0553, 26 x 0.1^0.17 = 17.578."""
    assert obukhov_length(np.arange(6), 1.0) == pytest.approx([-11.4, -26.0, -123.0, np.inf, 123.0, 26.0])
    rough = obukhov_length(np.arange(6), 0.1)
    assert rough[[0, 5]] == pytest.approx([-9.0553, 17.5784], abs=1e-3)


def test_inverse_obukhov_length_rises_from_a_to_f():
    """1/L is the measure of stability: most negative in A, zero in D, largest in F, over any roughness."""
    for z0 in (0.01, 0.1, 1.0, 2.0):
        assert (np.diff(1.0 / obukhov_length(np.arange(6), z0)) > 0).all()


def test_a_least_stable_length_bounds_stable_classes_alone():
    """At least 30 m: F goes from 26 to 30, the others stay."""
    bounded = obukhov_length(np.arange(6), 1.0, min_stable_m=30.0)
    assert bounded == pytest.approx([-11.4, -26.0, -123.0, np.inf, 123.0, 30.0])


def test_unknown_classes_and_roughness_are_refused_together():
    with pytest.raises(AirError, match=r"0 \(A\) to 5 \(F\).*z0_m=0"):
        obukhov_length(np.array([0, 6]), 0.0)

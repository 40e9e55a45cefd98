"""Night by sunrise and sunset, radiation through cloud and back."""

import numpy as np
import pandas as pd
import pytest

from simulation.air.solar import clear_sky_radiation, cloud_of_radiation, cloudy_radiation, dark_within, sun


def seconds(*times):
    return np.array([pd.Timestamp(t, tz="UTC").timestamp() for t in times])


def test_night_runs_from_an_hour_before_sunset_to_an_hour_after_sunrise():
    """Greenwich at the equinox of 2025: sunrise 06:03, sunset 18:12 UTC (almanac, to a few minutes)."""
    times = seconds("2025-03-20 06:55", "2025-03-20 07:15", "2025-03-20 17:00", "2025-03-20 17:25", "2025-03-20 23:00")
    assert dark_within(51.48, 0.0, times, 3600.0).tolist() == [True, False, False, True, True]


def test_night_moves_with_the_longitude():
    """Twelve hours round the globe turn noon into midnight."""
    noon = seconds("2025-03-20 12:00")
    assert not dark_within(50.0, 0.0, noon, 3600.0)[0] and dark_within(50.0, 180.0, noon, 3600.0)[0]


def test_polar_day_has_no_night_and_polar_night_no_day():
    """Tromso, 69.65 N: the sun neither sets at midsummer nor rises at midwinter."""
    june = seconds("2025-06-21") + np.arange(24) * 3600.0
    december = seconds("2025-12-21") + np.arange(24) * 3600.0
    assert not dark_within(69.65, 18.96, june, 3600.0).any() and dark_within(69.65, 18.96, december, 3600.0).all()


def test_a_short_night_is_found_whole():
    """65.5 N on 10 June: the sun is down for less than two hours about midnight, yet night holds one hour around it."""
    times = seconds("2025-06-10 12:00") + np.arange(0, 86_400, 300.0)
    down = sun(65.5, 0.0, times)[1] <= np.sin(np.radians(-0.833))
    night = dark_within(65.5, 0.0, times, 3600.0)
    assert 0 < down.sum() < 24  # five-minute steps
    assert abs(night.sum() - (down.sum() + 24)) <= 3 and np.abs(np.diff(night.astype(int))).sum() == 2


def test_haurwitz_overhead_sun():
    """1098 exp(-0.059) = 1035.1 W/m2 with the sun overhead; none below the horizon."""
    assert clear_sky_radiation([1.0, 0.0, -0.5]) == pytest.approx([1035.09, 0.0, 0.0], abs=0.01)


def test_a_whole_cover_leaves_a_quarter():
    """Kasten & Czeplak: 1 - 0.75 x 1^3.4 = 0.25."""
    assert cloudy_radiation(0.7, 1.0) / clear_sky_radiation(0.7) == pytest.approx(0.25)


def test_cloud_comes_back_from_the_radiation_that_it_leaves():
    cloud = np.linspace(0.0, 1.0, 21)
    assert cloud_of_radiation(cloudy_radiation(0.6, cloud) / clear_sky_radiation(0.6)) == pytest.approx(cloud, abs=1e-4)
    assert cloud_of_radiation([1.3, 0.1]).tolist() == [0.0, 1.0]

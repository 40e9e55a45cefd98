"""Rates: defaults are there for every class, a user's file goes before them, and faults are told at once."""

import numpy as np
import pytest

from simulation.kpis.errors import KpiError
from simulation.kpis.rates import read_rates


def test_noise_costs_the_rate_of_each_band_times_its_decibels():
    """Nothing at 50 dB; at 62: 5 x 17 + 5 x 31 + 2 x 34 = 308 EUR a year."""
    cost = read_rates().noise_eur_per_day(np.array([50.0, 62.0, np.nan])) * 365
    assert cost[:2] == pytest.approx([0.0, 308.0]) and np.isnan(cost[2])


def test_a_users_file_replaces_what_it_names(tmp_path):
    """One class's hour and NOx; cars and CO2 stay; noise is replaced whole: 2 EUR from 40 dB on."""
    path = tmp_path / "own.csv"
    path.write_text("name,vehicle_class,from_db,value\ntime,bus,,100\nnox,,,1.5\nnoise,,40,2\n")
    own, shipped = read_rates(path), read_rates()
    assert own.time_eur_per_person_h[3] == 100.0 and own.nox_eur_per_kg == 1.5
    assert own.time_eur_per_person_h[0] == shipped.time_eur_per_person_h[0]
    assert own.co2_eur_per_kg == shipped.co2_eur_per_kg
    assert own.noise_eur_per_day(np.array(45.0)) * 365 == pytest.approx(10.0)


def test_every_wrong_row_is_told(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("name,vehicle_class,from_db,value\ntime,tram,,5\nnox,,,-1\nhappiness,,,3\n")
    with pytest.raises(KpiError, match=r"(?s)row 2.*tram.*row 3.*-1.*row 4.*happiness"):
        read_rates(path)

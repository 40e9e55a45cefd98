"""The air benchmark: its statistics, its random city, and what it says when data is missing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from app.benchmarks import air, case_names, run_case
from data.errors import InputError


def test_air_is_a_case():
    assert "air" in case_names()


def test_statistics_of_four_pairs_by_hand():
    """o 1, 2, 4, 5 and p 1, 4, 1, 4 (a fifth has no observation): ratios 1, 2, 1/4, 4/5, three within a factor of 2.

    Means 3 and 2.5: FB = 2 x 0.5 / 5.5 = 0.181818. NMSE = (0 + 4 + 9 + 1) / 4 / 7.5 = 0.466667.
    MG = (1 x 1/2 x 4 x 5/4)^(1/4) = 2.5^(1/4) = 1.257433.
    """
    found = air.statistics(np.array([1.0, 2.0, 4.0, np.nan, 5.0]), np.array([1.0, 4.0, 1.0, 9.0, 4.0]))
    assert found["n"] == 4
    assert found["fac2"] == 0.75
    assert found["fb"] == pytest.approx(0.181818, abs=1e-6)
    assert found["nmse"] == pytest.approx(0.466667, abs=1e-6)
    assert found["mg"] == pytest.approx(1.257433, abs=1e-6)
    assert found["r"] == pytest.approx(np.corrcoef([1.0, 2.0, 4.0, 5.0], [1.0, 4.0, 1.0, 4.0])[0, 1])


def test_a_perfect_model_has_perfect_statistics():
    values = np.array([3.0, 5.0, 11.0])
    told = air.statistics(values, values)
    assert (told["fac2"], told["fb"], told["nmse"], told["mg"]) == (1.0, 0.0, 0.0, 1.0)
    assert told["r"] == pytest.approx(1.0)


def test_the_exponent_of_a_cost_is_its_power():
    """3 n^1.5 at 10, 100, 1000."""
    size = np.array([10.0, 100.0, 1000.0])
    assert air.exponent(size, 3.0 * size**1.5) == pytest.approx(1.5)


def test_random_links_lie_within_reach_of_their_receptor():
    """The nearest point of every link is 10 to 500 m from the receptor at the origin; the same seed gives the same."""
    pairs = air.random_pairs(300, 7)
    first, last = (np.stack([getattr(pairs, f"{c}{end}_m") for c in "xy"]) for end in (0, 1))
    at = np.linspace(0.0, 1.0, 2001)[:, None, None]
    apart = np.hypot(*np.moveaxis(first + at * (last - first), 1, 0)).min(axis=0)
    assert apart.size > 200
    assert apart.min() > 9.99 and apart.max() < 501.0
    again = air.random_pairs(300, 7)
    assert np.array_equal(pairs.x0_m, again.x0_m) and np.array_equal(pairs.y1_m, again.y1_m)


def test_the_random_city_is_what_it_says():
    """Median length 80 m (of 4,000, within 5 %), receptors on 10 x 10 km at 1.5 m."""
    sources, places = air.random_city(4000, 50, 1)
    assert np.median(sources.length_m) == pytest.approx(80.0, rel=0.05)
    assert sources.link.tolist() == list(range(4000))
    assert places.shape == (50, 3) and (places[:, 2] == 1.5).all()
    assert places[:, :2].min() >= 0.0 and places[:, :2].max() <= 10_000.0


def test_the_year_has_every_class_and_nights_without_sun():
    weather = air.year_of_hours(24 * 30, 1)
    assert sorted(weather["stability"].unique()) == [0, 1, 2, 3, 4, 5]
    assert weather["wind_dir_deg"].between(0.0, 360.0).all()
    assert (weather["radiation"][0::24] == 0.0).all() and (weather["radiation"][12::24] > 600.0).all()
    assert (weather["u_star_mps"] > 0.0).all()


def test_idaho_predictions_follow_the_rows_whatever_their_order():
    """Concentration falls with distance, and a shuffled table gives shuffled predictions."""
    from simulation.air.dispersion import fast_line

    periods = pd.DataFrame(
        {"test_day": 1, "bag": [2, 2, 2, 3], "x_m": [18.0, 60.0, 180.0, 18.0], "ustar_m_s": 0.4, "wstar_m_s": 0.5,
         "L_MO_m": -200.0, "wind_speed_3m_m_s": [4.0, 4.0, 4.0, 8.0], "wind_dir_deg": 270.0}
    )  # fmt: skip
    found = air.idaho_predictions(periods, fast_line)
    assert found[0] > found[1] > found[2] > 0.0
    assert found[3] < found[0]
    order = [2, 3, 0, 1]
    assert air.idaho_predictions(periods.iloc[order].reset_index(drop=True), fast_line) == pytest.approx(found[order])


def test_a_missing_file_skips_the_part_with_its_reason(monkeypatch, tmp_path):
    monkeypatch.setenv("ZONEWISE_SHARED_DATA", str(tmp_path / "data"))
    result = run_case("air", ["idaho"])
    assert result["figures"] == []
    assert "no idaho_falls_2008_line_source.csv in" in result["skipped"]["idaho"]
    assert "ZONEWISE_SHARED_DATA" in result["skipped"]["idaho"]


def test_an_unknown_part_is_told():
    with pytest.raises(InputError, match=r"no part moon of the air benchmark; there are: idaho, .*, growth, demo"):
        run_case("air", ["moon"])


def test_stable_air_leaves_more_beyond_the_cut_off(monkeypatch):
    """What a cut-off of 500 m leaves out lies between none and all, and grows from A (mixed) to F (shallow)."""
    monkeypatch.setattr(air, "N_LINKS", 1500)
    lost = air.discarded(8)
    assert list(lost) == list("ABCDEF")
    assert all(0.0 < share < 1.0 and math.isfinite(share) for share in lost.values())
    assert lost["A"] < lost["D"] < lost["F"]

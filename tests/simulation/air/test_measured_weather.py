"""What a station left out is made by stated means; what it measured stays; what cannot be made is refused."""

import numpy as np
import pandas as pd
import pytest

from data.errors import SchemaError
from data.schemas import WEATHER, validate
from simulation.air.boundary_layer import boundary_layer
from simulation.air.errors import WeatherError
from simulation.air.measured_weather import complete_weather
from simulation.air.solar import clear_sky_radiation, sun
from simulation.air.weather import synthetic_weather

PLACE = (48.2, 16.37)


def measured(days=4, **columns):
    """Wind alone, June."""
    time = pd.date_range("2025-06-10", periods=24 * days, freq="h", tz="UTC")
    return pd.DataFrame({"time": time, "wind_speed_mps": 3.0} | columns)


def clear(table):
    return clear_sky_radiation(sun(*PLACE, table["time"].dt.as_unit("s").astype("int64").to_numpy() + 1800.0)[1])


def test_wind_alone_makes_a_whole_table():
    """West wind, 15 C, no rain, half covered: r = 1 - 0.5 x 2/3 = 2/3 of the clear-sky radiation."""
    whole = complete_weather(measured(), *PLACE)
    validate(whole, WEATHER)
    assert whole[list(WEATHER.names)].notna().all(axis=None)
    assert set(whole["wind_dir_deg"]) == {270.0} and set(whole["cloud_share"]) == {0.5}
    assert whole["radiation_w_per_m2"].to_numpy() == pytest.approx(clear(whole) * 2 / 3)
    assert set(whole["filled"]) == {
        "wind_dir_deg temperature_c radiation_w_per_m2 cloud_share mixing_height_m precipitation_mm_per_h"
    }
    boundary_layer(whole, latitude=PLACE[0], longitude=PLACE[1])


def test_a_whole_table_stays_as_it_is():
    table = synthetic_weather(48.2, pd.Timestamp("2025-06-10", tz="UTC"), 5, 1, longitude=16.37)
    whole = complete_weather(table, *PLACE)
    pd.testing.assert_frame_equal(whole[list(WEATHER.names)], table, check_exact=True)
    assert set(whole["filled"]) == {""}


def test_the_range_of_temperature_sets_the_sun():
    """Range 9 K: r = 0.16 x 3 / 0.75 = 0.64, cloud 1.5 x 0.36 = 0.54. Range 25 K: r above 1, a clear sky."""
    day = measured(1)["time"].dt.hour.to_numpy()
    for span, share, cloud in ((9.0, 0.64, 0.54), (25.0, 1.0, 0.0), (1.0, 1 / 3, 1.0)):
        # a solar day of 16.37 E begins at 22:54 UTC: a wave of 24 h has the same range in every one
        wave = 15.0 + span / 2 * np.tile(np.cos(2 * np.pi * (day - 14) / 24), 4)
        whole = complete_weather(measured(temperature_c=wave), *PLACE)
        assert whole["cloud_share"].to_numpy() == pytest.approx(cloud, abs=1e-9)
        assert whole["radiation_w_per_m2"].to_numpy() == pytest.approx(clear(whole) * share, abs=1e-9)


def test_rain_makes_the_hour_overcast():
    """Cloud 1, a quarter of the clear-sky radiation."""
    rain = np.zeros(96)
    rain[34:37] = 1.2
    whole = complete_weather(measured(precipitation_mm_per_h=rain), *PLACE)
    assert (whole["cloud_share"].to_numpy()[34:37] == 1.0).all()
    assert whole["radiation_w_per_m2"].to_numpy()[34:37] == pytest.approx(0.25 * clear(whole)[34:37])


def test_measured_radiation_gives_the_cloud_and_nights_are_bridged():
    """Half the clear-sky radiation is 1 - 0.75 N^3.4 = 0.5: N = (2/3)^(1/3.4) = 0.88758, by day and by night."""
    whole = complete_weather(measured(radiation_w_per_m2=0.5 * clear(measured())), *PLACE)
    inner = whole["cloud_share"].to_numpy()[12:-12]
    assert inner == pytest.approx((2 / 3) ** (1 / 3.4), abs=1e-9) and inner[0] == pytest.approx(0.88758, abs=1e-5)


def test_measured_cloud_gives_the_radiation():
    """Kasten & Czeplak: N 0.8 takes 0.75 x 0.8^3.4 = 0.35122."""
    whole = complete_weather(measured(cloud_share=0.8), *PLACE)
    assert whole["radiation_w_per_m2"].to_numpy() == pytest.approx(clear(whole) * (1 - 0.75 * 0.8**3.4))


def test_short_gaps_are_bridged_and_told():
    """Wind 2 then 6 m/s with three hours between: 3, 4, 5; the hour itself may be left out."""
    wind = np.full(96, 2.0)
    wind[14:] = 6.0
    table = measured(wind_speed_mps=wind).drop(index=[11, 12])
    table.loc[13, "wind_speed_mps"] = np.nan
    whole = complete_weather(table, *PLACE)
    assert whole["wind_speed_mps"].iloc[10:15].tolist() == pytest.approx([2.0, 3.0, 4.0, 5.0, 6.0])
    assert len(whole) == 96 and (whole["time"].diff().dropna() == pd.Timedelta(hours=1)).all()
    assert whole["filled"].str.contains("wind_speed_mps").to_numpy().nonzero()[0].tolist() == [11, 12, 13]


def test_directions_turn_the_shorter_way_and_hold_through_calms():
    """350 to 10 degrees passes north, not south; in hours of 0 m/s the last direction holds."""
    direction = np.full(96, 350.0)
    direction[[20]], direction[21:] = np.nan, 10.0
    direction[50:53] = np.nan
    wind = np.full(96, 3.0)
    wind[50:53] = 0.0
    whole = complete_weather(measured(wind_speed_mps=wind, wind_dir_deg=direction), *PLACE)["wind_dir_deg"]
    assert min(whole[20], 360.0 - whole[20]) < 1e-6 and (whole[50:53] == 10.0).all()


def test_long_gaps_are_refused_all_of_them():
    wind = np.full(96, 3.0)
    wind[10:20] = wind[40:60] = np.nan
    temperature = np.full(96, 10.0)
    temperature[30:40] = np.nan
    table = measured(wind_speed_mps=wind, temperature_c=temperature)
    with pytest.raises(WeatherError) as error:
        complete_weather(table, *PLACE)
    text = str(error.value)
    assert "missing for 10 h from 2025-06-10 10:00" in text and "missing for 20 h from 2025-06-11 16:00" in text
    assert "'temperature_c' is missing for 10 h" in text
    assert len(complete_weather(table, *PLACE, max_gap_h=24)) == 96


def test_negative_wind_no_wind_and_odd_hours_are_refused():
    with pytest.raises(SchemaError, match="wind_speed_mps"):
        complete_weather(measured(wind_speed_mps=-1.0), *PLACE)
    with pytest.raises(WeatherError, match=r"no point on Earth.*not on the hour.*never measured"):
        table = measured(wind_speed_mps=np.nan)
        complete_weather(table.assign(time=table["time"] + pd.Timedelta(minutes=30)), 95.0, 0.0)


def test_calm_hours_pass():
    """A day without wind has a table, and a boundary layer at the floor."""
    whole = complete_weather(measured(wind_speed_mps=0.0), *PLACE)
    assert (whole["wind_speed_mps"] == 0.0).all() and (whole["mixing_height_m"] >= 100.0).all()
    assert boundary_layer(whole, latitude=PLACE[0], longitude=PLACE[1]).calm.all()


def test_a_series_that_starts_and_ends_within_days_has_the_mixing_height_of_the_whole_days():
    """But for the heat of the hours cut off, which halves in every dark hour since: below 1e-3 after a night."""
    table = measured(4)
    whole = complete_weather(table, *PLACE)["mixing_height_m"]
    part = complete_weather(table.iloc[29:80], *PLACE)["mixing_height_m"]
    assert len(part) == 51 and part.to_numpy()[20:] == pytest.approx(whole.to_numpy()[49:80], rel=1e-3)

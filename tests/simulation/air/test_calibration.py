"""The background learns from stations: known errors are found, taken back, and tried where they were not fitted."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from simulation.air.background import SPECIES, synthetic_background
from simulation.air.calibration import calibrate_background
from simulation.air.calibration_fit import fit_hours, median_of_stations, scores
from simulation.air.errors import AirError
from simulation.air.weather import synthetic_weather

_HERE = Path(__file__).resolve()
NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def background():
    """Thirty days of Helsinki in spring."""
    weather = synthetic_weather(60.17, pd.Timestamp("2025-04-01", tz="UTC"), 30, 3, longitude=24.94)
    return synthetic_background(weather, seed=3, latitude=60.17, longitude=24.94)


def at_stations(air, names=NAMES, *, local=0.0, noise=0.0, seed=0):
    """What stations would report: the air, and traffic of `local` ug/m3 (half of it in PM2.5, none in ozone)."""
    rng = np.random.default_rng(seed)
    share = {"nox": 2.0, "no2": 1.0, "o3": 0.0, "pm25": 0.5, "pm10": 0.8}
    parts = []
    for name in names:
        columns = {
            f"{p}_ug_per_m3": air[p].to_numpy() + local * share[p] + noise * np.abs(rng.standard_normal(len(air)))
            for p in air.columns
            if p != "time"
        }
        parts.append(pd.DataFrame({"station_id": name, "time": air["time"], **columns}))
    return pd.concat(parts, ignore_index=True)


def correction(calibration, part):
    return calibration.table[calibration.table["part"] == part].sort_values("hour_utc")["correction"].to_numpy()


def test_a_known_offset_is_found_and_put_right(background):
    """Truth has 6 ug/m3 more NO2 and 10 more NOx, 3 more PM2.5 and 7 more PM10: NO 4, coarse 4; ozone is right.

    The traffic's own 5 ug/m3 are in model and truth alike and change nothing. The corrected background is the truth.
    """
    truth = background.assign(**{p: background[p] + d for p, d in zip(
        ("no2", "nox", "pm25", "pm10"), (6.0, 10.0, 3.0, 7.0), strict=True)})  # fmt: skip
    found = calibrate_background(background, at_stations(background, local=5.0), at_stations(truth, local=5.0))
    for part, expected in (("no2", 6.0), ("no", 4.0), ("pm25", 3.0), ("coarse", 4.0)):
        assert correction(found, part) == pytest.approx(np.full(24, expected), abs=1e-9)
    assert found.left_out == ("o3",)  # nothing to gain, so it is left alone
    after = found.apply(background)
    for p in ("no2", "nox", "pm25", "pm10"):
        assert after[p].to_numpy() == pytest.approx(truth[p].to_numpy(), abs=1e-9)
    assert after["o3"].equals(background["o3"])


def test_a_known_factor_is_found_and_put_right(background):
    """Everything upwind is 1.5 times as much."""
    truth = background.assign(**{p: background[p] * 1.5 for p in ("no2", "nox", "pm25", "pm10")})
    found = calibrate_background(background, at_stations(background), at_stations(truth), form="scale")
    for part in ("no2", "no", "pm25", "coarse"):
        assert correction(found, part) == pytest.approx(np.full(24, 1.5), abs=1e-9)
    assert found.apply(background)["pm10"].to_numpy() == pytest.approx(truth["pm10"].to_numpy(), rel=1e-9)


def test_an_error_of_the_rush_hours_is_found_by_hour(background):
    """8 ug/m3 of NO2 at 5 to 7 UTC, 0 else; noise of 2 ug/m3: within 1 of the truth in each hour, and 1 apart if told
    one correction for all, 8 x 3 / 24."""
    rush = np.where(background["time"].dt.hour.isin([5, 6, 7]), 8.0, 0.0)
    truth = background.assign(no2=background["no2"] + rush, nox=background["nox"] + rush)
    modelled, observed = at_stations(background), at_stations(truth, noise=2.0, seed=1)
    by_hour = correction(calibrate_background(background, modelled, observed), "no2")
    bias = 2.0 * 0.6745  # median of |N(0, 1)| times 2, which the noise adds to every hour
    assert by_hour - bias == pytest.approx(np.where(np.isin(np.arange(24), [5, 6, 7]), 8.0, 0.0), abs=1.0)
    flat = correction(calibrate_background(background, modelled, observed, by_hour=False), "no2")
    assert np.ptp(flat) == 0.0 and flat[0] - bias == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize("form", ["offset", "scale"])
@pytest.mark.parametrize("change", [-60.0, -3.0, 4.0])
def test_undo_gives_the_background_back(background, form, change):
    """To 1e-12 of each value, also where the correction met its floor: -60 ug/m3 is more than there is."""
    observed = at_stations(background).assign(
        **{f"{p}_ug_per_m3": lambda t, p=p: np.maximum(t[f"{p}_ug_per_m3"] + change, 0.0) for p in SPECIES}
    )
    found = calibrate_background(background, at_stations(background), observed, form=form, keep_worse=True)
    applied = found.apply(background)
    assert not np.allclose(applied["no2"], background["no2"])
    back = found.undo(applied)
    for p in SPECIES:
        assert back[p].to_numpy() == pytest.approx(background[p].to_numpy(), rel=1e-12)
    assert list(back.columns) == list(background.columns) and back["time"].equals(background["time"])


@pytest.mark.parametrize("form", ["offset", "scale"])
def test_nothing_becomes_negative_and_sums_stay_above_their_parts(background, form):
    """Stations that report nearly nothing: a tenth of each part stays, NOx >= NO2, PM10 >= PM2.5."""
    observed = at_stations(background.assign(**dict.fromkeys(SPECIES, 0.01)))
    found = calibrate_background(background, at_stations(background), observed, form=form, keep_worse=True)
    after = found.apply(background)
    for p in SPECIES:
        assert (after[p].to_numpy() >= 0.1 * background[p].to_numpy() * (1 - 1e-12)).all()
    assert (after["nox"] >= after["no2"]).all() and (after["pm10"] >= after["pm25"]).all()


def test_no2_alone_carries_nox_and_pm25_alone_carries_pm10(background):
    """Only NO2 and PM2.5 are observed: NO and coarse particles stay, so NOx and PM10 move by the same amount."""
    truth = background.assign(no2=background["no2"] + 6.0, pm25=background["pm25"] + 3.0)
    observed = at_stations(truth)[["station_id", "time", "no2_ug_per_m3", "pm25_ug_per_m3"]]
    after = calibrate_background(background, at_stations(background), observed).apply(background)
    for p, change in (("no2", 6.0), ("nox", 6.0), ("pm25", 3.0), ("pm10", 3.0), ("o3", 0.0)):
        assert (after[p] - background[p]).to_numpy() == pytest.approx(np.full(len(background), change), abs=1e-9)


def test_one_strange_station_does_not_carry_the_background(background):
    """Three stations say +4, the fourth +50: the median is +4."""
    truth = background.assign(no2=background["no2"] + 4.0)
    kerb = at_stations(background.assign(no2=background["no2"] + 50.0), ["kerb"])
    columns = ["station_id", "time", "no2_ug_per_m3"]
    observed = pd.concat([at_stations(truth), kerb])[columns]
    found = calibrate_background(background, at_stations(background, [*NAMES, "kerb"]), observed, keep_worse=True)
    assert correction(found, "no2") == pytest.approx(np.full(24, 4.0), abs=1e-9)


def test_the_check_tells_bias_and_error_before_and_after(background):
    """Model 6 too low: bias -6, error 6 before; 0 and 0 after, at every station left out and in later hours."""
    truth = background.assign(no2=background["no2"] + 6.0)
    columns = ["station_id", "time", "no2_ug_per_m3"]
    check = calibrate_background(background, at_stations(background), at_stations(truth)[columns]).check
    assert check["check"].value_counts().to_dict() == {"station left out": 4, "later hours": 1}
    assert check["bias_before"].to_numpy() == pytest.approx(np.full(5, -6.0))
    assert check["rmse_before"].to_numpy() == pytest.approx(np.full(5, 6.0))
    assert check[["bias_after", "rmse_after"]].to_numpy() == pytest.approx(np.zeros((5, 2)), abs=1e-9)
    assert check["n"].tolist() == [720, 720, 720, 2160, 648]  # 30 % of 720 hours at 3 stations


def test_a_correction_that_does_not_hold_is_not_kept(background):
    """+10 in the first three weeks, -10 after: what the first weeks teach makes the rest worse."""
    sign = np.where(np.arange(len(background)) < 510, 10.0, -10.0)
    observed = at_stations(background.assign(o3=background["o3"] + sign))[["station_id", "time", "o3_ug_per_m3"]]
    found = calibrate_background(background, at_stations(background), observed)
    assert found.left_out == ("o3",) and len(found.table) == 0
    pd.testing.assert_frame_equal(found.apply(background), background, check_exact=True)
    assert len(calibrate_background(background, at_stations(background), observed, keep_worse=True).table) == 24


def test_the_standard_error_holds_the_truth_at_about_its_rate():
    """200 draws of 40 days at 5 stations, each with a siting error of 3 and days of 4 ug/m3: the mean of all hours is
    within one standard error of 7 in about 68 % of the draws (chance: 3 % either way; the error itself is estimated
    from five stations, whose t with 4 degrees gives 63 %)."""
    rng = np.random.default_rng(5)
    hour, day = np.tile(np.arange(24), 40), np.repeat(np.arange(40), 24)
    inside = 0
    for _ in range(200):
        residual = 7.0 + 3.0 * rng.standard_normal(5) + 4.0 * rng.standard_normal(40)[day][:, None]
        residual = residual + rng.standard_normal((960, 5))
        fit = fit_hours(residual, np.full(960, 20.0), hour, day, "offset")
        inside += abs(fit.correction.mean() - 7.0) < fit.standard_error.mean()
    assert 0.53 < inside / 200 < 0.75


def test_hours_shrink_to_the_mean_where_they_do_not_differ():
    """Pure noise of 5 ug/m3 over 20 days: hours' means spread by 5 / sqrt(20) = 1.1, corrections by far less."""
    rng = np.random.default_rng(2)
    hour, day = np.tile(np.arange(24), 20), np.repeat(np.arange(20), 24)
    residual = 5.0 * rng.standard_normal((480, 1))
    raw = np.array([residual[hour == h].mean() for h in range(24)])
    assert np.std(fit_hours(residual, np.ones(480), hour, day, "offset").correction) < 0.5 * np.std(raw)


def test_the_median_over_stations_leaves_gaps_out():
    rows = np.array([[1.0, 2.0, 9.0], [1.0, np.nan, 3.0], [np.nan, 5.0, np.nan], [np.nan] * 3])
    assert median_of_stations(rows) == pytest.approx([2.0, 2.0, 5.0, np.nan], nan_ok=True)
    more = np.random.default_rng(1).normal(size=(50, 7))
    more[more > 1.0] = np.nan
    assert median_of_stations(more) == pytest.approx(np.nanmedian(more, axis=1), nan_ok=True)


def test_scores_are_modelled_minus_observed():
    """Errors 1 and -3: bias -1, root of (1 + 9) / 2."""
    assert scores(np.array([2.0, 1.0, 5.0]), np.array([1.0, 4.0, np.nan])) == (2, -1.0, pytest.approx(np.sqrt(5.0)))


def test_readings_of_a_quarter_hour_and_sensors_are_taken(background):
    """Simulated stations report every 15 minutes as `sensor_id`; four quarters of +6 +-3 are +6."""
    truth = at_stations(background.assign(no2=background["no2"] + 6.0))[["station_id", "time", "no2_ug_per_m3"]]
    quarters = pd.concat(
        truth.assign(time=truth["time"] + pd.Timedelta(minutes=15 * k), no2_ug_per_m3=truth["no2_ug_per_m3"] + d)
        for k, d in enumerate((-3.0, 3.0, -3.0, 3.0))
    ).rename(columns={"station_id": "sensor_id"})
    found = calibrate_background(background, at_stations(background), quarters)
    assert correction(found, "no2") == pytest.approx(np.full(24, 6.0), abs=1e-9)


def test_too_little_data_is_refused_by_pollutant(background):
    """Six days: 144 hours; a week of hours is needed."""
    few = at_stations(background.iloc[:144])
    with pytest.raises(AirError) as error:
        calibrate_background(background, at_stations(background), few)
    assert all(f"{p}: 144 hours on 6 days" in str(error.value) for p in SPECIES)


def test_one_station_can_be_used_and_only_later_hours_check_it(background):
    truth = background.assign(no2=background["no2"] + 6.0)
    found = calibrate_background(
        background, at_stations(background, ["a"]), at_stations(truth, ["a"]), pollutants=["no2"]
    )
    assert set(found.check["check"]) == {"later hours"} and correction(found, "no2") == pytest.approx(np.full(24, 6.0))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b, m, o: (b, m, o.assign(station_id="z")), "no station is both"),
        (lambda b, m, o: (b, m, o[["station_id", "time"]]), "no pollutant is in"),
        (lambda b, m, o: (b.assign(no2=-1.0), m, o), "'no2' is missing or negative in 720 row"),
        (lambda b, m, o: (b, m, o.assign(no2_ug_per_m3=-1.0)), "observed 'no2_ug_per_m3' is negative"),
        (lambda b, m, o: (b, m, o.drop(columns="time")), r"observed misses column\(s\) \['time'\]"),
        (lambda b, m, o: (b, m, o.assign(time=o["time"].dt.tz_localize(None))), "observed have no time zone"),
        (lambda b, m, o: (b, m.assign(time="2025-04-01"), o), "modelled have no time zone"),
        (lambda b, m, o: (b.iloc[::-1], m, o), "must rise from row to row"),
    ],
)
def test_tables_that_do_not_fit_are_refused(background, change, says):
    with pytest.raises(AirError, match=says):
        calibrate_background(*change(background, at_stations(background), at_stations(background)))


def test_senseless_options_are_named_together(background):
    air = at_stations(background)
    with pytest.raises(AirError, match=r"form='sum'.*keep=1"):
        calibrate_background(background, air, air, form="sum", keep=1.0)
    with pytest.raises(AirError, match=r"\['co'\]"):
        calibrate_background(background, air, air, pollutants=["co"])


@pytest.fixture(scope="module")
def beijing():
    """Two rural stations as the background, three in the city, a winter and spring: ug/m3, UTC."""
    folder = Path(os.environ.get("ZONEWISE_SHARED_DATA", _HERE.parents[4] / "shared" / "data")) / "air"
    if not folder.is_dir():
        pytest.skip(f"no real air stations at {folder}; set ZONEWISE_SHARED_DATA to the folder that holds air/")
    names = {"pm25": "PM2.5", "pm10": "PM10", "no2": "NO2", "o3": "O3"}
    tables = {}
    for station in ("dingling", "huairou", "dongsi", "tiantan", "wanliu"):
        raw = pd.read_csv(folder / f"beijing_{station}_2013-03_2016-02.csv.gz").iloc[6000:11_000]
        time = (
            pd.to_datetime(raw[["year", "month", "day", "hour"]]).dt.tz_localize("Asia/Shanghai").dt.tz_convert("UTC")
        )
        tables[station] = pd.DataFrame({"time": time, **{p: raw[c].astype(float) for p, c in names.items()}})
    rural = pd.concat([tables["dingling"], tables["huairou"]]).groupby("time").mean().dropna().reset_index()
    rural["pm10"] = np.maximum(rural["pm10"], rural["pm25"])
    observed = pd.concat(
        table.rename(columns={p: f"{p}_ug_per_m3" for p in names}).assign(station_id=station)
        for station, table in tables.items()
        if station not in ("dingling", "huairou")
    )
    return rural, at_stations(rural, ("dongsi", "tiantan", "wanliu")), observed


def test_beijing_stations_left_out_are_met_better(beijing):
    """The city's increment over the country, learnt at two stations, helps the third and the later months.

    For NO2 by a fifth or more of the error, its bias by more than half; no pollutant that is kept gets worse.
    """
    rural, modelled, observed = beijing
    found = calibrate_background(rural, modelled, observed)
    whole = found.check[found.check["station_id"] == ""].set_index(["check", "pollutant"])
    no2 = whole.loc[("station left out", "no2")]
    assert no2["rmse_after"] < 0.8 * no2["rmse_before"] and abs(no2["bias_after"]) < 0.5 * abs(no2["bias_before"])
    kept = [p for p in ("no2", "o3", "pm25", "pm10") if p not in found.left_out]
    assert "no2" in kept
    for check in ("station left out", "later hours"):
        assert all(whole.loc[(check, p), "rmse_after"] < whole.loc[(check, p), "rmse_before"] for p in kept)
    back = found.undo(found.apply(rural))
    for p in ("no2", "o3", "pm25", "pm10"):
        assert back[p].to_numpy() == pytest.approx(rural[p].to_numpy(), rel=1e-12)

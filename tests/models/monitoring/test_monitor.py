"""Monitors: changes are found, calm is left alone, and one change has one alarm."""

import numpy as np
import pandas as pd
import pytest

from models.errors import ScoresError, SettingsError, ShortHistoryError
from models.monitoring import Monitor, MonitorSettings, Reference, Series, alarm_table

STEP_S, DAY, ZONES = 900, 96, 6
START = 1_767_225_600 // STEP_S  # 2026-01-01
NAMES = tuple(f"Z{k}" for k in range(ZONES))


def errors(days, seed, zones=ZONES):
    """Heavy-tailed errors with a little memory, unit variance: 0.2 of the one before, t with 5 degrees of freedom."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(5, size=(days * DAY, zones)) * np.sqrt(3 / 5)
    out = noise.copy()
    for k in range(1, len(out)):
        out[k] = 0.2 * out[k - 1] + np.sqrt(1 - 0.04) * noise[k]
    return out


def series(error, first=0, reading=None, away=None):
    """A forecast of 10 m/s everywhere, an error unit of 1 m/s; intervals of 1.645."""
    at = START + first + np.arange(len(error))
    outside = np.where(np.isfinite(error), np.abs(error) > 1.645, np.nan)
    reading = 10 + error if reading is None else reading
    return Series(
        step_s=STEP_S, position=at, day=at // DAY, hour=at % DAY // 4, reading=reading,
        point=np.full(error.shape, 10.0), error=error, outside=outside, away=error if away is None else away,
    )  # fmt: skip


@pytest.fixture(scope="module")
def reference():
    return Reference.fit(series(errors(28, 1)))


def watch(reference, error, **options):
    monitor = Monitor("speed_mps", NAMES, reference)
    monitor.observe(series(error, first=28 * DAY, **options))
    return monitor


def test_calm_years_are_left_alone(reference):
    """Six zones for 300 days are 4.9 zone-years; at half an alarm a year each, more than 7 has a chance below 1 %."""
    assert len(watch(reference, errors(300, 2)).alarms) <= 7


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("mean", lambda e, part: e + 2.0),
        ("mean", lambda e, part: e - 2.0),
        ("variance", lambda e, part: e * np.sqrt(3.0)),
    ],
)
def test_a_clear_change_of_a_day_is_found_within_it(reference, kind, change):
    """Two standard deviations, or three times the variance, from noon of the tenth day on for a day, in one zone."""
    error = errors(14, 3)
    begin = 10 * DAY + 48
    error[begin : begin + DAY, 2] = change(error[begin : begin + DAY, 2], None)
    found = [a for a in watch(reference, error).alarms if a.zone_id == "Z2"]
    assert [a.kind for a in found] == [kind]
    first = START + 28 * DAY + begin
    delay = found[0].first_seen.timestamp() / STEP_S - first
    assert 0 < delay <= DAY
    assert abs(found[0].since.timestamp() / STEP_S - first) <= 0.6 * DAY
    if kind == "variance":  # errors 1.7 times as large; seen early, before they are all there
        assert 1.3 < found[0].size < 3.0 and "times as large" in found[0].size_text
    if kind == "mean":
        assert found[0].size == pytest.approx(2.0 if error[begin, 2] > 0 else found[0].size, abs=0.7)
        assert "km/h" in found[0].size_text


@pytest.mark.parametrize("hour", [0, 7])
@pytest.mark.parametrize("shift", [8.0, -6.0, 20.0])
def test_a_large_shift_is_told_as_one_though_others_ring_first(reference, shift, hour):
    """Errors stand at the clip at once: sums of sizes and of the day's pattern ring before that of errors."""
    error = errors(12, 7)
    begin = 10 * DAY + hour * 4
    error[begin:, 4] += shift
    alarms = watch(reference, error).alarms
    (found,) = [a for a in alarms if a.zone_id == "Z4" and a.kind != "range"]
    assert found.kind == "mean" and found.size == pytest.approx(shift, abs=1.0)
    assert found.first_seen.timestamp() / STEP_S - (START + 28 * DAY + begin) <= 12


def test_a_changed_daily_pattern_is_found_though_mean_and_variance_stay(reference):
    """Errors give 0.72 of their variance to a wave of one turn a day: mean and variance are what they were."""
    error = errors(16, 4)
    wave = np.sqrt(2) * np.sin(2 * np.pi * np.arange(6 * DAY) / DAY)
    error[10 * DAY :, 1] = np.sqrt(1 - 0.72) * error[10 * DAY :, 1] + np.sqrt(0.72) * wave
    found = [a for a in watch(reference, error).alarms if a.zone_id == "Z1"]
    assert [a.kind for a in found] == ["pattern"]
    assert found[0].first_seen <= pd.Timestamp((START + 41 * DAY) * STEP_S, unit="s", tz="UTC")


def test_one_by_one_and_all_at_once_raise_the_same_alarms(reference):
    """And so does a monitor that was stored and restored on the way."""
    error = errors(16, 5)
    error[8 * DAY : 12 * DAY, 0] += 2.0
    whole = watch(reference, error)
    single = Monitor("speed_mps", NAMES, reference)
    for k in range(len(error)):
        single.observe(series(error[k : k + 1], first=28 * DAY + k))
        if k == 9 * DAY:
            again = Monitor("speed_mps", NAMES, Reference.restore(reference.arrays()))
            single = again.restore(single.arrays(), single.alarms)
    assert len(whole.alarms) >= 1 and alarm_table(single.alarms).equals(alarm_table(whole.alarms))


def test_a_lasting_change_has_one_alarm_and_ends_with_training(reference):
    """Three weeks of two standard deviations: raised once, and closed by a reference that knows the new world."""
    error = errors(30, 6)
    error[5 * DAY :, 3] += 2.0
    monitor = watch(reference, error)
    mine = [a for a in monitor.alarms if a.zone_id == "Z3"]
    assert [(a.kind, a.state) for a in mine] == [("mean", "open")]
    monitor.rebase(Reference.fit(series(errors(28, 1) + 2.0)).pick(np.array([3])), np.array([3]))
    assert [a.state for a in monitor.alarms if a.zone_id == "Z3"] == ["closed"]


def test_a_change_that_passed_is_closed_after_a_quiet_day(reference):
    error = errors(16, 7)
    error[5 * DAY : 6 * DAY, 3] += 3.0
    (alarm,) = [a for a in watch(reference, error).alarms if a.zone_id == "Z3"]
    assert alarm.state == "closed" and alarm.closed_why == "all quiet again"
    assert alarm.closed - alarm.first_seen >= pd.Timedelta(days=1)


def test_a_dead_sensor_is_not_a_changed_world(reference):
    """Ten hours of silence, then ten of the same reading far off: faults of the readings, no change of the world."""
    error = errors(16, 8)
    reading = 10 + error
    reading[5 * DAY : 5 * DAY + 40, 1] = np.nan
    reading[9 * DAY : 9 * DAY + 40, 1] = 13.0
    found = [a for a in watch(reference, reading - 10, reading=reading).alarms if a.zone_id == "Z1"]
    assert [a.kind for a in found] == ["missing", "stuck"]
    assert {a.advice for a in found} == {"check the sensor"} and {a.state for a in found} == {"closed"}
    assert found[0].since == pd.Timestamp((START + 33 * DAY) * STEP_S, unit="s", tz="UTC")
    assert "no reading for 3.0 h" in found[0].reason


def test_a_reading_beyond_all_that_was_seen_is_told(reference):
    error = errors(12, 9)
    reading = 10 + error
    reading[5 * DAY : 5 * DAY + 4, 0] = 999.0
    found = [a for a in watch(reference, reading - 10, reading=reading).alarms if a.zone_id == "Z0"]
    assert [a.kind for a in found] == ["range"]


def test_a_change_that_zones_share_is_the_worlds(reference):
    """Four of six zones slow down for two days: at least the later alarms say so; one alone says it is alone."""
    error = errors(16, 10)
    error[5 * DAY : 7 * DAY, :4] += 2.0
    error[12 * DAY : 13 * DAY, 5] += 2.5
    alarms = watch(reference, error).alarms
    shared = [a.reason for a in alarms if a.zone_id in NAMES[:4]]
    assert sum("so the world did" in reason for reason in shared) >= 3
    assert "no other zone shows it" in next(a.reason for a in alarms if a.zone_id == "Z5")


def test_more_false_alarms_allowed_are_more_alarms(reference):
    """The statistical part of each threshold falls with the rate that is asked for."""
    strict = Reference.fit(series(errors(28, 1)), settings=MonitorSettings(false_alarms_per_year=0.05))
    loose = Reference.fit(series(errors(28, 1)), settings=MonitorSettings(false_alarms_per_year=50.0))
    assert (strict.limit >= loose.limit).all() and (strict.limit > loose.limit).any()


def test_what_does_not_fit_is_refused(reference):
    with pytest.raises(ShortHistoryError, match=r"2\.0 days of errors are too few"):
        Reference.fit(series(errors(2, 1)))
    monitor = watch(reference, errors(2, 11))
    with pytest.raises(ScoresError, match="after those taken before"):
        monitor.observe(series(errors(1, 1), first=0))
    with pytest.raises(ScoresError, match="lacks limit"):
        Reference.restore({k: v for k, v in reference.arrays().items() if k != "limit"})
    with pytest.raises(SettingsError, match=r"false_alarms_per_year=0.*release=2"):
        MonitorSettings(false_alarms_per_year=0.0, release=2.0)

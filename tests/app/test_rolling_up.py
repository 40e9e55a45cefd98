"""Rolling up in turns of zones: the same as all at once, whatever the turns."""

import numpy as np
import pandas as pd
import pytest

from app.rolling_up import rolled_up
from data.store.folder import FolderStore
from data.store.observations import Observations
from data.store.protocol import MemoryStore
from zones.errors import ZoneError

ZONES = ["Z1", "Z2", "Z3", "Z4"]
ZONE_OF = pd.Series({"a": "Z1", "b": "Z1", "c": "Z2", "d": "Z4"})


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """Forty days of quarter hours: two speeds in Z1, a speed in Z2, NO2 alone in Z4, nothing in Z3; `e` has no zone."""
    rng = np.random.default_rng(5)
    times = pd.date_range("2025-03-03", periods=40 * 96, freq="15min", tz="UTC").as_unit("us")
    parts = []
    for sensor in ("a", "b", "c", "e"):
        series = 12 + 3 * np.sin(np.arange(times.size) / 15) + rng.normal(0, 0.5, times.size)
        series[rng.random(times.size) < 0.05] = np.nan
        series[1000:1060] = 9.25  # stuck
        parts.append(pd.DataFrame({"sensor_id": sensor, "time": times, "speed_mps": series}))
    parts[2].loc[2000, "speed_mps"] = 400.0  # out of range
    air = np.abs(rng.normal(20, 8, times.size - 96))
    parts.append(pd.DataFrame({"sensor_id": "d", "time": times[96:], "no2_ug_per_m3": air}))
    found = Observations(FolderStore(tmp_path_factory.mktemp("observed")))
    found.append(pd.concat(parts, ignore_index=True).astype({"sensor_id": "str"}))
    return found


def made(observed, most, **more):
    verdicts = dict.fromkeys("abcdf", "ok")  # `f` stands somewhere and never reported; `e` reported and stands nowhere
    return rolled_up(observed, ZONE_OF, ZONES, verdicts, given_s=900, step_s=900, most=most, **more)


@pytest.mark.parametrize("most", [1, 8_000])
def test_turns_of_any_size_give_what_one_turn_gives_bit_for_bit(observed, most):
    """A turn a zone, and turns of two zones: state, quality and counts are those of one turn."""
    told = []
    whole, parts = made(observed, 10**9), made(observed, most, report=lambda done, total: told.append((done, total)))
    assert len(told) > 1 and told[-1][0] == told[-1][1]
    pd.testing.assert_frame_equal(parts.state, whole.state, check_exact=True)
    pd.testing.assert_frame_equal(parts.quality, whole.quality, check_exact=True)
    assert (parts.readings, parts.first, parts.last, parts.flagged) == (
        whole.readings, whole.first, whole.last, whole.flagged,
    )  # fmt: skip


def test_every_zone_has_every_time_and_only_what_its_sensors_measure(observed):
    """Z3 has no sensor: nulls at all 3,840 times; Z4 has air and no speed, for a day less."""
    state = made(observed, 1).state.set_index("zone_id")
    assert (state.groupby("zone_id").size() == 3840).all() and set(state.index) == set(ZONES)
    assert state.loc["Z3"][["speed_mps", "no2_ug_per_m3"]].isna().all(axis=None)
    assert state.loc["Z4", "speed_mps"].isna().all() and state.loc["Z4", "no2_ug_per_m3"].notna().sum() == 3744


def test_faults_and_places_are_told_of_every_sensor(observed):
    """One reading out of range, stuck stretches in four sensors, `f` without rows, `e` without a place."""
    found = made(observed, 1)
    quality = found.quality.set_index("sensor_id")
    assert quality.loc["c", "out_of_range"] == 1 == found.flagged["out_of_range"]
    assert (quality.loc[["a", "b", "c", "e"], "stuck"] > 30).all()
    assert quality.loc["f", "rows"] == 0 and quality.loc["e", "coordinates"] == "missing"


def test_the_last_days_alone_are_read(observed):
    """Since the last ten days: 960 times a zone."""
    since = pd.Timestamp("2025-04-02", tz="UTC")
    found = made(observed, 1, since=since)
    assert found.first == since and len(found.state) == 4 * 960


def test_nothing_observed_and_nothing_in_a_zone():
    """No batch: None. Readings of a sensor that stands in no zone: an error."""
    empty = Observations(MemoryStore())
    assert made(empty, 10) is None
    times = pd.date_range("2025-03-03", periods=9, freq="15min", tz="UTC").as_unit("us")
    table = pd.DataFrame({"sensor_id": "x", "time": times, "speed_mps": 10.0}).astype({"sensor_id": "str"})
    empty.append(table)
    with pytest.raises(ZoneError, match="stands in a zone"):
        made(empty, 10)

"""Real stations in a run: the log reads the model's air at their places and changes nothing."""

import numpy as np
import pandas as pd
import pytest

from data.schemas import STATION_AIR, validate
from simulation.air_stations import StationLog
from simulation.errors import RunError


def places(town, **changes):
    """The town's own air stations under other names."""
    air = town.sensors[town.sensors["kind"] == "air"]
    return pd.DataFrame({"station_id": "real " + air["sensor_id"], "lon": air["lon"], "lat": air["lat"]}).assign(
        **changes
    )


@pytest.fixture(scope="module")
def logged(town):
    log = StationLog(town, places(town))
    return log, town.run(days=1, seed=1, incidents_per_day=0.0, keep_link_state=True, processes=[log.process])


def test_the_log_changes_nothing_in_the_run(logged, day):
    for name in ("zone_state", "zone_truth", "sensor_state", "counts", "link_state"):
        pd.testing.assert_frame_equal(getattr(logged[1], name), getattr(day, name), check_exact=True)


def test_a_day_has_24_hours_of_every_station_without_noise(logged, town):
    """A sensor at the same place reads the same air within 6 % + 0.6 ug/m3 of noise: the means agree within 3 %."""
    log, run = logged
    table = validate(log.table(), STATION_AIR)
    assert len(table) == 24 * len(log.receptors) and not log.outside
    read = run.sensor_state.assign(hour=run.sensor_state["time"].dt.floor("h"))
    for station, rows in table.groupby("station_id"):
        own = read[(read["sensor_id"] == station.removeprefix("real ")) & read["no2_ug_per_m3"].notna()]
        hourly = own.groupby("hour")["no2_ug_per_m3"].mean()
        modelled = rows.set_index("time")["no2_ug_per_m3"].reindex(hourly.index)
        assert len(hourly) > 12 and modelled.mean() == pytest.approx(hourly.mean(), rel=0.03)
        assert np.abs(hourly / modelled - 1).max() < 0.3


def test_stations_elsewhere_are_left_out_by_name(town):
    here = places(town)
    far = pd.concat([here, here.iloc[:1].assign(station_id="far", lon=here["lon"].iloc[0] + 1.0)])
    assert StationLog(town, far.reset_index(drop=True)).outside == ("far",)
    with pytest.raises(RunError, match="not swapped"):
        StationLog(town, places(town, lon=100.0))


def test_a_log_without_a_run_says_so(town):
    with pytest.raises(RunError, match="no interval"):
        StationLog(town, places(town)).table()

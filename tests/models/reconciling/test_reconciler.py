"""Models at all levels whose forecasts agree."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_city

from models.errors import HorizonError
from models.reconciling import Hierarchy, Reconciler, distance_and_time, speed_of, upper_panel, weights_for
from models.reconciling.hierarchy import zone_profile

FLOW = "flow_veh_per_h"


@pytest.fixture(scope="module")
def panel():
    made = synthetic_city.panel(zones=6, days=12, step_s=3600, seed=5)
    return replace(made, values={name: made.values[name] for name in (FLOW, "speed_mps")})


@pytest.fixture(scope="module")
def flow(panel):
    return replace(panel, values={FLOW: panel.values[FLOW]})


@pytest.fixture(scope="module")
def reconciler(flow):
    hierarchy = Hierarchy.of(flow.zone_ids, touching=flow.neighbours)
    return Reconciler.fit(flow, target=FLOW, hierarchy=hierarchy, train_end=flow.origin(len(flow) - 49), steps=(1, 6))


def _origins(panel, count=20):
    return pd.DatetimeIndex([panel.origin(len(panel) - 49 + k) for k in range(count)])


def test_every_forecast_adds_up_and_every_interval_holds_its_middle(reconciler, flow):
    found = reconciler.forecast(flow, origins=_origins(flow))
    m = reconciler.hierarchy.uppers
    np.testing.assert_allclose(found.point[:, 0], found.point[:, m:].sum(axis=1), rtol=1e-13)
    np.testing.assert_allclose(found.point[:, 0], found.point[:, 1:m].sum(axis=1), rtol=1e-13)
    assert (np.abs(found.base[:, 0] - found.base[:, m:].sum(axis=1)) > 1).any()
    assert (found.point >= 0).all() and (np.diff(found.quantiles, axis=3) >= 0).all()
    assert (found.quantiles[..., 0] <= found.point + 1e-9).all() and (
        found.point <= found.quantiles[..., -1] + 1e-9
    ).all()


def test_the_future_cannot_change_a_reconciled_forecast(reconciler, flow):
    cut = len(flow) - 49
    torn = flow.values[FLOW].copy()
    torn[cut + 1 :] = 1e4
    at = pd.DatetimeIndex([flow.origin(cut)])
    before, after = (reconciler.forecast(p, origins=at) for p in (flow, replace(flow, values={FLOW: torn})))
    assert (before.quantiles == after.quantiles).all()


def test_covariances_agree_between_levels(reconciler):
    """The city's variance is the sum of all zones' covariances."""
    cov = reconciler.covariance(1)
    m = reconciler.hierarchy.uppers
    assert cov[0, 0] == pytest.approx(cov[m:, m:].sum())


def test_zones_forecast_elsewhere_can_be_reconciled(reconciler, flow):
    at = _origins(flow, 1)
    given = np.full((1, 6, 1), 100.0)
    found = reconciler.forecast(flow, origins=at, steps=(6,), zone_base=given)
    assert (found.base[:, reconciler.hierarchy.uppers :] == given).all()
    with pytest.raises(HorizonError, match="no anchors"):
        reconciler.forecast(flow, origins=at, steps=(2,))


def test_a_silent_zone_is_filled_only_while_it_is_small(flow):
    """One of six silent zones is more than a tenth of the city: the city is unknown then, the other district is not."""
    values = flow.values[FLOW].copy()
    values[-1] = 100.0
    values[-1, 0] = np.nan
    hierarchy = Hierarchy.of(flow.zone_ids, districts={z: "N" if k < 3 else "S" for k, z in enumerate(flow.zone_ids)})
    usual = zone_profile(flow, FLOW, flow.zone_ids)
    above = upper_panel(replace(flow, values={FLOW: values}), FLOW, hierarchy, usual).values[FLOW][-1]
    assert np.isnan(above[0]) and np.isnan(above[1]) and above[2] == pytest.approx(300.0)


def test_speed_is_distance_over_time(panel):
    """Zones of 10 m/s and 5 m/s with as many vehicles passing: the city drives 2 / (1/10 + 1/5) = 6.67 m/s, not 7.5."""
    values = {FLOW: np.full((len(panel), 6), 360.0), "speed_mps": np.tile([10.0, 5.0] * 3, (len(panel), 1))}
    both = distance_and_time(replace(panel, values=values)).values
    assert speed_of(both["distance_veh_m_per_s"][0].sum(), both["time_veh"][0].sum()) == pytest.approx(20 / 3)


def test_weights_follow_what_a_quantity_is():
    zones = pd.DataFrame({"zone_id": ["a", "b"], "area_m2": [1.0, 3.0], "homes": [9.0, 1.0]})
    assert weights_for("nox_g", zones, ("a", "b"))[1] is False
    weight, mean = weights_for("no2_ug_per_m3", zones, ("b", "a"), by="homes")
    assert mean and weight.tolist() == [1.0, 9.0]


def test_city_speed_lies_between_its_zones(panel):
    """Distance over time of all vehicles is a weighted harmonic mean of the zones' speeds."""
    both = distance_and_time(panel)
    hierarchy = Hierarchy.of(both.zone_ids, touching=both.neighbours)
    end = both.origin(len(both) - 49)
    parts = [
        Reconciler.fit(both, target=name, hierarchy=hierarchy, train_end=end, steps=(1,), method="wls").forecast(
            both, origins=_origins(both)
        )
        for name in ("distance_veh_m_per_s", "time_veh")
    ]
    found = speed_of(*(part.point[:, :, 0] for part in parts))
    zones = found[:, hierarchy.uppers :]
    assert (found[:, 0] >= zones.min(axis=1)).all() and (found[:, 0] <= zones.max(axis=1)).all()

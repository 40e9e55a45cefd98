"""`zonewise benchmark demand`: skipped with a reason, and a hidden demand sought on the toy town."""

import numpy as np

from app.benchmarks import demand


def test_a_city_whose_file_is_absent_is_skipped_with_the_reason():
    """No figure of it, but why."""
    told = demand.run(["/nowhere/krems.osm.gz", "1"])
    assert "ZONEWISE_SHARED_DATA" in told["cities"]["krems"]["skipped"] and told["figures"] == []


def test_the_static_case_improves_counts_and_tells_all_stages(monkeypatch):
    """Counts on 48 of 80 links that the same assignment made: RMSE falls, the truth itself fits exactly."""
    monkeypatch.setattr(demand, "COUNTED_SHARE", 0.6)
    row = demand.measure(demand.make("toy"), "static", 1)
    fit = row["fit"]["all"]
    assert fit["truth_again"]["rmse_veh_per_h"] == 0.0 and fit["calibrated"]["n"] > 0
    assert fit["calibrated"]["rmse_veh_per_h"] < fit["prior"]["rmse_veh_per_h"]
    figures = demand._figures("toy", [row])
    assert {f["met"] for f in figures} <= {True, False, None}
    assert all(np.isfinite(f["value"]) for f in figures)

"""The benchmark of zones: what it tells, small."""

from __future__ import annotations

import numpy as np
import pytest

from app.benchmarks.zones import compare_city, made_up_dynamics, run, speed_figures
from data.errors import InputError
from data.made_cities import synthetic_city


def test_made_up_dynamics_jam_some_streets_more_than_others():
    links = synthetic_city(300, seed=1, buildings=False).links
    table = made_up_dynamics(links, np.random.default_rng(0))
    assert len(table) == 96 * len(links)
    usual = table.groupby("link_id")["speed_ratio"].mean()
    assert usual.max() - usual.min() > 0.05
    assert table["speed_ratio"].between(0.0, 1.0).all()


def test_each_kind_and_both_rollups_are_timed():
    names = [figure["name"] for figure in speed_figures(400, 10, 8)]
    assert [name.split()[-2] for name in names[:4]] == ["functional", "hex", "square", "voronoi"]
    assert sum(name.startswith("rollup") for name in names) == 2


@pytest.mark.slow
def test_a_city_is_compared_on_its_last_days():
    table, facts = compare_city("synthetic:200@1", days=9, test_days=2, count=4)
    rows = table.set_index("partition")
    assert {"functional", "hex"} <= set(rows.index)
    assert rows.loc["functional", "zones"] == rows.loc["hex", "zones"]
    assert np.isfinite(rows[[c for c in rows.columns if "wape" in c or "mase" in c]].to_numpy()).all()
    assert facts["held_out_days"] == 2


def test_a_wrong_option_is_refused():
    with pytest.raises(InputError, match="no-such-option"):
        run(["--no-such-option"])
    with pytest.raises(InputError, match="--test-days 4: allowed are 1 to 2 of 10 days"):
        run(["--days", "10", "--test-days", "4"])

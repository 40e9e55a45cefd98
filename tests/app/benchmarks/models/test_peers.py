"""Peers: nothing after an origin may change a forecast, absent packages are told, the best is chosen on validation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.benchmarks.models import boosted, nixtla, peers
from app.benchmarks.models.inputs import Inputs, bridge, rolling_mean, rolling_sd, thinned
from app.benchmarks.models.peers import Peer, Peers
from app.benchmarks.models.score import scores
from models.errors import PanelError

SMALL = (boosted.Shape("change", leaves=7, least=20), boosted.Shape("drift", leaves=7, least=20))


def poisoned(bench, after: int):
    """The same with nonsense in every reading and all weather after a position."""
    rng = np.random.default_rng(0)
    values = {name: grid.copy() for name, grid in bench.panel.values.items()}
    weather = {name: column.copy() for name, column in bench.panel.weather.items()}
    for grid in values.values():
        grid[after + 1 :] = rng.normal(1e4, 1e3, grid[after + 1 :].shape)
    for column in weather.values():
        column[after + 1 :] = rng.normal(-500.0, 100.0, column[after + 1 :].shape)
    return replace(bench, panel=replace(bench.panel, values=values, weather=weather))


def sources():
    """Every maker of features; those of mlforecast only where it is installed."""
    from app.benchmarks.models.nixtla import MLForecastInputs

    return [Inputs, MLForecastInputs]


@pytest.mark.parametrize("source", sources(), ids=lambda kind: kind.__name__)
def test_nothing_after_an_origin_changes_its_features(bench, source):
    """Readings and weather after the origin at 650 become nonsense: the rows at 600..650 stay, bit for bit."""
    if source is not Inputs:
        pytest.importorskip("mlforecast", reason="mlforecast comes with the extra bench")
    known = np.arange(600, 651)
    clean, dirty = source(bench), source(poisoned(bench, 650))
    for step in bench.steps:
        assert np.array_equal(clean.rows(known, step), dirty.rows(known, step), equal_nan=True)
        assert np.array_equal(clean.usual(known, known + step), dirty.usual(known, known + step), equal_nan=True)
    assert np.array_equal(clean.last[known], dirty.last[known])
    assert not np.array_equal(clean.rows(known + 1, 1), dirty.rows(known + 1, 1), equal_nan=True)


@pytest.mark.parametrize("source", sources(), ids=lambda kind: kind.__name__)
def test_rows_to_learn_from_are_the_same_whatever_the_test_part_holds(bench, source):
    if source is not Inputs:
        pytest.importorskip("mlforecast", reason="mlforecast comes with the extra bench")
    clean, dirty = source(bench), source(poisoned(bench, bench.test_from - 1))
    for step in bench.steps:
        known = clean.learned(step, most_rows=10**9)
        assert known.max() + step == bench.test_from - 1
        assert np.array_equal(clean.aim(known, step), dirty.aim(known, step), equal_nan=True)
        assert np.array_equal(clean.rows(known, step), dirty.rows(known, step), equal_nan=True)


@pytest.mark.parametrize(
    "kind", ["naive", "lightgbm", "mlforecast", "zones", pytest.param("statsforecast", marks=pytest.mark.slow)]
)
def test_the_future_cannot_change_a_peers_forecast(bench, kind, monkeypatch):
    """Everything after hour 650 is nonsense: forecasts from origins up to 650 stay."""
    if kind != "naive":
        for package in peers.KINDS[kind][0]:
            pytest.importorskip(package, reason=f"{package} comes with the extra bench")
    monkeypatch.setattr(boosted, "SHAPES", SMALL)
    monkeypatch.setattr(boosted, "ZONE_SHAPES", SMALL[:1])
    monkeypatch.setattr(boosted, "MOST_ROUNDS", 20)
    monkeypatch.setattr(nixtla, "MOST_RUNS", 40)
    only = [] if kind == "naive" else [kind]
    clean, dirty = (peers.run_peers(b, only=only) for b in (bench, poisoned(bench, 650)))
    assert not clean.missing and clean.found.keys() == dirty.found.keys()
    seen = bench.origins <= 650
    for name, peer in clean.found.items():
        assert np.isfinite(peer.forecasts[seen]).any(), name
        np.testing.assert_allclose(peer.forecasts[seen], dirty.found[name].forecasts[seen], rtol=1e-9, err_msg=name)
        assert np.array_equal(peer.validation, dirty.found[name].validation, equal_nan=True), name


def test_trees_with_neighbours_beat_the_naive_ones_on_a_common_wave(bench, monkeypatch):
    """A daily wave of 10 and a common drift: the last reading misses the wave, trees need not."""
    pytest.importorskip("lightgbm", reason="LightGBM comes with the extra bench")
    monkeypatch.setattr(boosted, "SHAPES", SMALL)
    monkeypatch.setattr(boosted, "MOST_ROUNDS", 60)
    run = peers.run_peers(bench, only=["lightgbm"])
    errors = run.errors()
    naive = min(mae["6 h"][0] for name, mae in errors.items() if "LightGBM" not in name)
    assert errors["LightGBM L1"]["6 h"][0] < naive
    assert run.best()["6 h"] in ("LightGBM L1", "LightGBM L2")
    assert run.found["LightGBM L1"].tries == 4 and run.found["LightGBM L1"].cpu_s > 0.0


def test_naive_forecasts_are_what_they_say(bench):
    """The last reading, and the reading of the same hour a day and a week before."""
    found = peers.naive(bench, bench.validation())
    grid = bench.panel.values[bench.target]
    row, zone = next((k, z) for k in range(30, 60) for z in range(4) if np.isfinite(
        grid[bench.origins[k] + np.array([0, 6 - 24, 6 - 168]), z]).all())  # fmt: skip
    known = bench.origins[row]
    got = [found[f"{name}"].forecasts[row, zone, 1] for name in found]
    assert got == pytest.approx([grid[known, zone], grid[known - 18, zone], grid[known - 162, zone]], rel=1e-5)


def test_a_package_that_is_not_there_is_told_and_the_run_goes_on(bench, monkeypatch, caplog):
    monkeypatch.setattr(peers, "find_spec", lambda name: None)
    run = peers.run_peers(bench)
    assert set(run.missing) == {"lightgbm", "mlforecast", "zones", "statsforecast"}
    assert "not installed: lightgbm, mlforecast; install zonewise[bench]" in run.missing["mlforecast"]
    assert set(run.best().values()) <= {"last value", "seasonal naive (day)", "seasonal naive (week)"}
    assert "left out" in caplog.text


def test_a_peer_that_fails_does_not_end_the_run(bench, monkeypatch):
    def broken(*_):
        raise RuntimeError("no convergence")

    monkeypatch.setitem(peers.KINDS, "zones", ((), broken))
    assert peers.run_peers(bench, only=["zones"]).missing == {"zones": "failed: RuntimeError: no convergence"}
    with pytest.raises(PanelError, match="no peers \\['prophet'\\]"):
        peers.run_peers(bench, only=["prophet"])


def test_the_best_peer_is_chosen_on_validation_and_one_run_in_part_on_its_own_origins(bench):
    """A is 2 off at validation and perfect in the test part, B 1 off: B. C, run at a third of the origins, 0.5 off
    there, is better; were it 1.5 off it would not be."""
    part = bench.validation()

    def peer(name, test, validation, every=1):
        told = np.full(part.actual.shape, np.nan)
        told[::every] = np.nan_to_num(part.actual[::every]) + validation
        return peers.Peer(name, bench.actual + test, told, 0.0)

    two = {"A": peer("A", 0.0, 2.0), "B": peer("B", 7.0, 1.0)}
    assert set(peers.Peers(bench, part, two).best().values()) == {"B"}
    assert set(peers.Peers(bench, part, two | {"C": peer("C", 0.0, 0.5, 3)}).best().values()) == {"C"}
    assert set(peers.Peers(bench, part, two | {"C": peer("C", 0.0, 1.5, 3)}).best(measure="rmse").values()) == {"B"}
    with pytest.raises(PanelError, match="'mae' and 'rmse'"):
        peers.Peers(bench, part, two).best(measure="mape")


def test_rolling_statistics_by_hand():
    """1, gap, 4, 7: mean of the last two that are there 1, 1, 4, 5.5; of the last three the SD of 4 and 7 is 1.5."""
    grid = np.array([[1.0], [np.nan], [4.0], [7.0]])
    assert rolling_mean(grid, 2)[:, 0].tolist() == [1.0, 1.0, 4.0, 5.5]
    assert rolling_sd(grid, 3)[3, 0] == 1.5 and np.isnan(rolling_sd(grid, 3)[0, 0])


def test_a_gap_is_bridged_for_a_while():
    """Two steps: the third hour of the gap stays one."""
    grid = np.array([5.0, np.nan, np.nan, np.nan])[:, None]
    assert np.array_equal(bridge(grid, 2)[:, 0], [5.0, 5.0, 5.0, np.nan], equal_nan=True)


def test_thinned_origins_keep_every_hour_of_the_day():
    """2,400 origins of ten zones to 6,000 rows: every fourth would keep six hours only; every fifth keeps all 24."""
    kept = thinned(np.arange(2400), 10, 24, most_rows=6000)
    assert kept[1] - kept[0] == 5 and np.unique(kept % 24).size == 24


def test_steps_between_are_interpolated():
    """Values 1, 3, 9 at steps 1, 3, 6: 2 at step 2, 5 and 7 at 4 and 5."""
    found = boosted.interpolated(np.array([1.0, 3.0, 9.0]), (1, 3, 6), (1, 2, 3, 4, 5, 6))
    assert found == pytest.approx([1.0, 2.0, 3.0, 5.0, 7.0, 9.0])


def test_errors_count_alike_in_zones_of_any_scale(bench):
    """One zone a hundred times as large: pooled trees on scaled readings serve both, each in its own unit."""
    pytest.importorskip("lightgbm", reason="LightGBM comes with the extra bench")
    grid = bench.panel.values[bench.target] * np.array([1.0, 1.0, 1.0, 100.0])
    large = replace(bench, panel=replace(bench.panel, values={bench.target: grid}))
    tuned = boosted.tune(Inputs(large.validation()), [1], shapes=SMALL[:1])
    told = boosted.forecast(Inputs(replace(large, horizons={"1 h": (1,)})), tuned, "L2")
    mae = [scores(replace(large, horizons={"1 h": (1,)}), told, zones=[zone])["1 h"].mae for zone in range(4)]
    assert 30.0 < mae[3] / mae[0] < 300.0


def test_a_peer_that_follows_its_errors_sees_none_that_is_not_known(bench):
    """A forecast that is 5 too low all the time: what follows takes most of that off, from what was read by then."""
    validation = bench.validation()
    low = Peer("low", bench.actual - 5.0, validation.actual - 5.0, 0.0)
    peers = Peers(bench, validation, {"low": low})
    found = peers.following("low")
    assert np.nanmean((bench.actual - found)[-24:]) < 2.5
    poisoned = replace(bench.panel, values={name: array.copy() for name, array in bench.panel.values.items()})
    for array in poisoned.values.values():
        array[bench.origins[29] + 1 :] = 1e9
    again = Peers(replace(bench, panel=poisoned), validation, {"low": low}).following("low")
    assert np.array_equal(found[:30], again[:30], equal_nan=True)

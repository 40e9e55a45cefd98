"""The defence refuses what is at fault, mends clocks and units, and lets the world through."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models.errors import PanelError, ShortHistoryError
from models.forecasting import LearnedForecaster
from models.panel import Panel
from models.robustness import Defence, Disturbance, Fallback, disturbed, guarded_forecast, worst_within
from models.robustness.defence import REASONS

TARGET, SPD = "speed_mps", 48
START = 21 * SPD


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Eight zones that share a mood, half-hourly, 28 days: two peaks a day, small noise of their own."""
    rng = np.random.default_rng(5)
    n = 28 * SPD
    hour = np.arange(n) % SPD / 2
    usual = 12 - 4 * np.exp(-0.5 * ((hour - 8) / 1.2) ** 2) - 5 * np.exp(-0.5 * ((hour - 17) / 1.5) ** 2)
    mood = np.zeros(n)
    for t in range(1, n):
        mood[t] = 0.95 * mood[t - 1] + 0.3 * rng.standard_normal()
    values = usual[:, None] + mood[:, None] + 0.25 * rng.standard_normal((n, 8))
    times = pd.date_range("2025-03-03", periods=n, freq="30min", tz="UTC").as_unit("us")
    ring = np.roll(np.eye(8), 1, axis=1) / 2 + np.roll(np.eye(8), -1, axis=1) / 2
    return Panel(times, tuple("abcdefgh"), {TARGET: values}, step_s=1800, neighbours=ring)


@pytest.fixture(scope="module")
def defence(panel) -> Defence:
    return Defence.fit(panel, train_end=panel.origin(START - 1))


def spoiled(panel: Panel, kind: str, strength: float, zone: str = "c") -> Panel:
    fault = Disturbance(kind=kind, strength=strength)
    return disturbed(panel, TARGET, fault, zone_ids=[zone], episodes=[(START, len(panel))], seed=1)


def test_clean_readings_pass(panel, defence):
    """Of a week that is like those before less than one reading in 100 is touched."""
    cleaned = defence.clean(panel, start=START)
    assert (cleaned.code[TARGET][START:] > 0).mean() < 0.01
    assert np.array_equal(cleaned.panel.values[TARGET][:START], panel.values[TARGET][:START])


@pytest.mark.parametrize(
    ("kind", "strength", "reason"),
    [("stuck", 0.0, "stuck"), ("bias", 2.0, "level"), ("factor", 1.609, "unit"), ("late", 120.0, "clock"),
     ("noise", -5.0, "noise")],
)  # fmt: skip
def test_each_fault_is_found_for_what_it_is(panel, defence, kind, strength, reason):
    """After a day most readings of zone c are changed, its fault's own reason among them, and c is nearer the truth."""
    bad = spoiled(panel, kind, strength)
    cleaned = defence.clean(bad, start=START)
    late = slice(START + SPD, None)
    code = cleaned.code[TARGET][late]
    assert (code[:, 2] > 0).mean() > 0.5
    assert (code[:, 2] == 1 + REASONS.index(reason)).mean() > 0.2
    truth, was, now = (p.values[TARGET][late, 2] for p in (panel, bad, cleaned.panel))
    assert np.abs(now - truth).mean() < 0.5 * np.abs(was - truth).mean()
    others = np.delete(code, 2, axis=1)
    assert (others > 0).mean() < 0.02  # companions are not accused


def test_an_event_that_companions_share_passes(panel, defence):
    """All zones lose half of their speed for three hours: none of it is refused. In one zone alone it is."""
    grid = panel.values[TARGET].copy()
    grid[START + 60 : START + 66] *= 0.5
    shared = defence.clean(replace(panel, values={TARGET: grid}), start=START)
    assert (shared.code[TARGET][START + 60 : START + 66] > 0).mean() < 0.05
    alone = panel.values[TARGET].copy()
    alone[START + 60 : START + 66, 2] *= 0.5
    single = defence.clean(replace(panel, values={TARGET: alone}), start=START)
    assert (single.code[TARGET][START + 60 : START + 66, 2] > 0).mean() > 0.5


@pytest.mark.parametrize("kind", ["bias", "late", "noise", "stuck"])
def test_no_verdict_rests_on_what_came_later(panel, defence, kind):
    """Cleaned with all later readings gone or changed, the first days are the same, bit for bit."""
    bad = spoiled(panel, kind, 30.0 if kind == "late" else 1.0)
    stop = START + 100
    whole = defence.clean(bad, start=START)
    later = bad.values[TARGET].copy()
    later[stop:] = 1.0
    other = defence.clean(replace(bad, values={TARGET: later}), start=START)
    cut = defence.clean(bad.until(stop), start=START)
    for found in (other, cut):
        assert np.array_equal(found.panel.values[TARGET][:stop], whole.panel.values[TARGET][:stop], equal_nan=True)
        assert np.array_equal(found.code[TARGET][:stop], whole.code[TARGET][:stop])


def test_verdicts_do_not_hang_on_where_cleaning_starts(panel, defence):
    """A service that judges the last day alone says what one says that judged the week."""
    bad = spoiled(panel, "bias", 2.0)
    last = len(bad) - SPD
    whole, part = defence.clean(bad, start=START), defence.clean(bad, start=last)
    same = whole.code[TARGET][last:] == part.code[TARGET][last:]
    assert same.mean() > 0.99


def test_the_log_tells_every_changed_reading_once(panel, defence):
    """Rows of the log count as many readings as codes are set, by zone and reason."""
    cleaned = defence.clean(spoiled(panel, "stuck", 0.0), start=START)
    for (zone, reason), rows in cleaned.log.groupby(["zone_id", "reason"]):
        code = cleaned.code[TARGET][:, panel.zone_ids.index(zone)]
        assert rows["readings"].sum() == (code == 1 + REASONS.index(reason)).sum()
        assert ((rows["until"] - rows["since"]).dt.total_seconds() == rows["readings"] * 1800).all()
    assert cleaned.log["readings"].sum() == (cleaned.code[TARGET] > 0).sum()


def test_a_silence_is_filled_after_an_hour(panel, defence):
    """Silent from the start: the first hour is left to the model, the rest is filled near the truth."""
    bad = spoiled(panel, "silent", 0.0)
    cleaned = defence.clean(bad, start=START)
    own = cleaned.panel.values[TARGET][START:, 2]
    assert np.isnan(own[0]) and np.isfinite(own[2:]).all()
    assert np.abs(own[2:] - panel.values[TARGET][START + 2 :, 2]).mean() < 0.4
    assert np.isnan(defence.clean(bad, start=START, fill=False).panel.values[TARGET][START:, 2]).all()


def test_guarded_forecasts_err_less_and_admit_more(panel, defence):
    """A sensor stuck for a week: the guarded median errs less, its interval is wider than the model's own."""
    model = LearnedForecaster("ridge", seed=1).fit(
        panel, target=TARGET, zone_ids=panel.zone_ids, train_end=panel.origin(START - 1), steps=(1, 4)
    )
    bad = spoiled(panel, "stuck", 0.0)
    known = np.arange(START + SPD, len(panel) - 5, 3)
    origins = pd.DatetimeIndex([panel.origin(k) for k in known])
    fallback = Fallback.fit(model, panel, defence)
    assert (fallback.factor >= 1).all() and fallback.factor.max() > 1
    plain = model.forecast(bad, origins=origins, zone_ids=["c"])
    guarded, _ = guarded_forecast(model, bad, defence, origins=origins, zone_ids=["c"])
    wide, _ = guarded_forecast(model, bad, defence, origins=origins, zone_ids=["c"], fallback=fallback)
    truth = panel.values[TARGET][known + 1, 2]
    middle = guarded.shape[3] // 2
    assert np.abs(guarded[:, 0, 0, middle] - truth).mean() < 0.6 * np.abs(plain[:, 0, 0, middle] - truth).mean()
    assert np.allclose(wide[..., middle], guarded[..., middle])
    assert (wide[..., -1] - wide[..., 0] >= guarded[..., -1] - guarded[..., 0] - 1e-9).all()
    assert (wide[..., -1] - wide[..., 0]).mean() > (guarded[..., -1] - guarded[..., 0]).mean()


def test_the_adversary_keeps_its_tolerance_and_beats_chance(panel):
    """Every reading stays within 5 %; the error is above that of random signs of the same size."""
    model = LearnedForecaster("ridge", seed=1).fit(
        panel, target=TARGET, zone_ids=panel.zone_ids, train_end=panel.origin(START - 1), steps=(1,)
    )
    known = np.arange(START + 20, len(panel) - 2, 13)
    worst = worst_within(model, panel, known, zone_ids=["c"], step=1, tolerance=0.05)
    change = worst.values[TARGET] / panel.values[TARGET] - 1
    assert np.abs(change).max() <= 0.05 + 1e-12 and (change[:, [0, 1, 3]] == 0).all()
    sign = np.random.default_rng(0).choice([-1.0, 1.0], len(panel))
    noisy = panel.values[TARGET].copy()
    noisy[:, 2] *= 1 + 0.05 * sign
    origins = pd.DatetimeIndex([panel.origin(k) for k in known])
    truth = panel.values[TARGET][known + 1, 2]
    error = [
        np.abs(model.forecast(p, origins=origins, zone_ids=["c"])[:, 0, 0, 3] - truth).mean()
        for p in (panel, replace(panel, values={TARGET: noisy}), worst)
    ]
    assert error[2] > error[1] and error[2] > 1.2 * error[0]


def test_foreign_panels_and_short_histories_are_refused(panel, defence):
    """Another order of zones; three days."""
    with pytest.raises(PanelError, match="8 zones"):
        defence.clean(replace(panel, zone_ids=tuple("hgfedcba")))
    with pytest.raises(ShortHistoryError, match=r"3\.0 days"):
        Defence.fit(panel.until(3 * SPD))
